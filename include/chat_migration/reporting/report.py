"""The report of one run."""

from __future__ import annotations

from pydantic import BaseModel, Field

from chat_migration.model import Outcome, RecordType
from chat_migration.planning.quote import Quote
from chat_migration.progress import clock_text


class ApiReport(BaseModel):
    """Calls of one API."""

    count: int = Field(description="Calls made, repeats included.")
    throttled: int = Field(description="Calls that the target answered with a throttle code.")
    retried: int = Field(description="Calls that repeat an earlier one.")
    peak_per_second: int = Field(description="Most calls started in one clock second.")
    writes: bool = Field(description="Whether the API changes anything in the target.")


class SlotReport(BaseModel):
    """How far messages were moved to keep a group's order."""

    lifted: int = Field(description="Parts whose second was taken, and which got a later one.")
    max_drift_seconds: int = Field(description="The furthest that one was moved, seconds.")


class WindowReport(BaseModel):
    """The stretch of time that the run took; None is open."""

    start_ms: int | None
    end_ms: int | None
    text: str


class RunReport(BaseModel):
    """What ``report.json`` holds. The counts of each record type add up to the rows read."""

    run_id: str
    target: str = Field(description="The app, as the ledger names it.")
    source: str
    source_name: str
    window: WindowReport
    dry_run: bool
    complete: bool = Field(
        description="Whether every stage ran to its end and nothing is in doubt."
    )
    unfinished: list[str] = Field(description="Stages that did not run to their end.")
    rows: dict[str, dict[str, int]] = Field(description="Record type → outcome → rows.")
    reasons: dict[str, dict[str, int]] = Field(description="Record type → reason → rows.")
    rows_read: dict[str, int] = Field(description="Record type → rows that the export holds.")
    outside_window: int = Field(
        description="Messages of the export outside the window; not in `rows`."
    )
    unknown_fields: dict[str, int] = Field(
        description="`table.field` → rows with a field that the format does not know."
    )
    placeholders: dict[str, int] = Field(
        description="Accounts and groups made for ids without a row of their own."
    )
    shortened: dict[str, int] = Field(
        description="Field → values cut or dropped to fit the target."
    )
    slots: SlotReport
    calls: dict[str, ApiReport]
    calls_by_second: dict[str, list[tuple[int, int]]] = Field(
        description="API → (second of the run, calls), at most a few thousand points."
    )
    seconds: dict[str, float] = Field(description="Stage → seconds; of shards the longest.")
    in_doubt: int = Field(
        description="Parts of messages whose outcome is unknown, in the whole ledger."
    )
    rejected_rows: int = Field(description="Lines of rejected.jsonl.")
    quote: Quote | None

    @property
    def write_calls(self) -> int:
        """Return how many calls could have changed the target."""
        return sum(each.count for each in self.calls.values() if each.writes)

    def rejected_ratio(self, kind: str) -> float:
        """Return the share of one record type's rows that was rejected."""
        of = self.rows.get(kind, {})
        total = sum(of.values())
        return (
            (of.get(Outcome.REJECTED, 0) + of.get(Outcome.LATE_REJECTED, 0)) / total
            if total
            else 0.0
        )

    def text(self) -> str:
        """Return one screen for people."""
        lines = []
        for kind in RecordType:
            of = self.rows.get(kind, {})
            if of:
                shown = ", ".join(f"{of[name]:,} {name}" for name in Outcome if of.get(name))
                lines.append(f"{kind}: {shown}")
        for name, reasons in self.reasons.items():
            shown = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
            lines.append(f"  {name}: {shown}")
        peak = max((each.peak_per_second for each in self.calls.values()), default=0)
        lines.append(
            f"calls: {sum(each.count for each in self.calls.values()):,} ({self.write_calls:,} writes), "
            f"peak {peak}/s of one API, {sum(each.throttled for each in self.calls.values()):,} throttled"
        )
        if self.slots.lifted:
            lines.append(
                f"slots: {self.slots.lifted:,} lifted, at most {self.slots.max_drift_seconds} s"
            )
        lines.append(f"time: {clock_text(sum(self.seconds.values()))}")
        return "\n".join(lines)
