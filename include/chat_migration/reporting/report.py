"""The report of one run."""

from __future__ import annotations

from pydantic import BaseModel, Field

from chat_migration.model import Outcome, RecordType
from chat_migration.planning.quote import Quote
from chat_migration.progress import clock_text

_SHOWN = 3


class ApiReport(BaseModel):
    """Calls of one API."""

    count: int = Field(description="Calls made, repeats included.")
    throttled: int = Field(description="Calls that the target answered with a throttle code.")
    retried: int = Field(description="Calls that repeat an earlier one.")
    peak_per_second: int = Field(description="Most calls started in one clock second.")
    writes: bool = Field(description="Whether the API changes anything in the target.")


class SlotReport(BaseModel):
    """How far messages were moved to keep a group's order."""

    lifted: int = Field(description="Parts whose time was taken, and which got a later one.")
    max_drift_seconds: int | float = Field(description="The furthest that one was moved, seconds.")


class SpanReport(BaseModel):
    """A stretch of time, epoch milliseconds; None is open."""

    start_ms: int | None
    end_ms: int | None
    text: str


class WindowReport(BaseModel):
    """The stretch of time that the run took, epoch milliseconds; None is open."""

    start_ms: int | None
    end_ms: int | None
    text: str
    kind: str = Field(
        default="manual", description="Who started the run: manual, scheduled or backfill."
    )
    why: str = Field(default="", description="Why it took this window, in plain words.")
    lookback_start_ms: int | None = Field(
        default=None, description="Late rows were looked for from here to the window's start."
    )
    completed: SpanReport | None = Field(
        default=None, description="What this run completes; a run that is not complete: nothing."
    )
    gaps: list[SpanReport] = Field(
        default=[], description="What lies between complete stretches and is not complete itself."
    )
    newest_message: str = Field(
        default="",
        description="When the export's newest message was sent, if that is before this window.",
    )
    missing_drops: list[str] = Field(
        default=[], description="Drops that are not there and were left out (`allow_gap`)."
    )


class RunReport(BaseModel):
    """What ``report.json`` holds. The counts of each record type add up to the rows read."""

    run_id: str
    target: str = Field(description="The app, as the ledger names it.")
    source: str
    source_name: str
    window: WindowReport
    dry_run: bool
    complete: bool = Field(
        description="Whether every stage ran to its end, nothing is in doubt, and no other run held anything."
    )
    unfinished: list[str] = Field(description="Stages that did not run to their end.")
    held_elsewhere: list[str] = Field(
        default=[], description="Conversations that another run held: their rows are deferred."
    )
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

    def held_back(self) -> list[str]:
        """Return what this run leaves to later ones or to people, a sentence each; nothing for a dry run."""
        if self.dry_run:
            return []
        said = []
        if deferred := self._count(Outcome.DEFERRED):
            said.append(f"{_rows(deferred)} could not be sent yet: the next run takes them first.")
        if late := self._count(Outcome.LATE_REJECTED):
            said.append(f"{_rows(late)} came too late for their conversations and were not sent.")
        if self.window.missing_drops:
            said.append(f"Left out, because they are not there: {_few(self.window.missing_drops)}.")
        if self.window.newest_message:
            newest = self.window.newest_message
            said.append(f"The export's newest message was sent at {newest}, before this window.")
        if self.window.completed is None:
            said.append("This run completes no window, so nightly runs take its range again.")
        if self.window.gaps:
            shown = _few([each.text for each in self.window.gaps])
            said.append(f"Not imported, between what is complete: {shown}.")
        return said

    def _count(self, outcome: Outcome) -> int:
        return sum(of.get(outcome, 0) for of in self.rows.values())

    def text(self) -> str:
        """Return one screen for people."""
        lines = [f"window: {self.window.text}"]
        if self.window.why:
            lines.append(f"  {self.window.kind}: {self.window.why}")
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
        if self.window.completed is not None:
            lines.append(f"complete: {self.window.completed.text}")
        if held_back := self.held_back():
            lines.append(f"held back: {' '.join(held_back)}")
        return "\n".join(lines)


def _few(texts: list[str]) -> str:
    more = len(texts) - _SHOWN
    return ", ".join(texts[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _rows(count: int) -> str:
    return f"{count:,} {'row' if count == 1 else 'rows'}"
