"""What a run will do and cost, told before anything is sent."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Self

from pydantic import BaseModel, Field

from chat_migration.model import RecordType
from chat_migration.progress import clock_text


class Stranded(BaseModel):
    """A group of which an import of this window now would leave rows behind for good: it only takes later ones."""

    conversation: str
    rows_before: int = Field(
        description="Rows sent before the window that the export holds and the target does not; some may be "
        "notices or deleted."
    )
    newest_before_ms: int | None = Field(
        description="When the newest of them was sent, epoch milliseconds."
    )
    late_rows: int = Field(description="Rows of the window that come too late already.")

    def text(self) -> str:
        """Return one line for people."""
        parts = []
        if self.rows_before:
            until = "" if self.newest_before_ms is None else f", to {_utc(self.newest_before_ms)}"
            parts.append(f"up to {self.rows_before:,} rows before the window{until}")
        if self.late_rows:
            parts.append(f"{self.late_rows:,} rows of it are late already")
        return f"{self.conversation}: {'; '.join(parts)}"


class Quote(BaseModel):
    """The plan in numbers. Counts are rows unless the name says otherwise."""

    rows: dict[str, dict[str, int]] = Field(description="Record type → outcome class → rows.")
    reasons: dict[str, dict[str, int]] = Field(description="Record type → reason → rows.")
    calls: dict[str, int] = Field(description="API → calls at least.")
    seconds_at_rate: float = Field(description="Time that these calls take at the budget, seconds.")
    longest_chain_calls: int = Field(
        description="Calls one after the other in the longest conversation."
    )
    longest_chain: str = Field(description="The conversation with the longest chain.")
    deferred_groups: int = Field(description="Groups whose slots would reach now.")
    older_than_retention: int = Field(
        description="Messages older than the app keeps; 0 if it is not known."
    )
    late_rows: int = Field(description="Rows older than what their group holds already.")
    placeholders: dict[str, int] = Field(
        description="Accounts and groups made for ids without a row of their own."
    )
    shortened: dict[str, int] = Field(
        description="Field → values cut or dropped to fit the target."
    )
    direct_reads: int = Field(description="Read positions of one-to-one chats.")
    parts: int = Field(description="Messages in the target: a long row becomes several.")
    carried: dict[str, int] = Field(
        default={}, description="Record type → rows that earlier runs deferred and this run adds."
    )
    waiting: int = Field(
        default=0, description="Of a dry run: rows that earlier runs deferred, not in `rows`."
    )
    stranded: list[Stranded] = Field(
        default=[], description="Groups of which rows would be left behind, the worst 20."
    )
    stranded_groups: int = Field(default=0, description="How many groups there are of that kind.")
    append_late: bool = Field(default=False, description="Whether late rows are appended.")
    late_to_their_time: bool = Field(
        default=False, description="Whether late rows go to the time at which they were sent."
    )
    too_old: int = Field(
        default=0, description="Messages older than the target takes already; they are rejected."
    )
    expiring: int = Field(
        default=0,
        description="Messages that will be older than the target takes before their turn comes at this rate.",
    )
    chosen_owners: int = Field(
        default=0, description="Groups that name no owner among their members and get one."
    )
    message_apis: list[str] = Field(
        default=[], description="The APIs that send messages, side by side."
    )

    def text(self) -> str:
        """Return one screen for people."""
        lines = [
            f"{kind}: " + ", ".join(f"{count:,} {what}" for what, count in sorted(of.items()))
            for kind, of in self.rows.items()
            if of
        ]
        calls = ", ".join(f"{api} {count:,}" for api, count in self.calls.items() if count)
        lines += [
            f"calls: {calls or 'none'}",
            f"time at the rate limit: {clock_text(self.seconds_at_rate)}",
        ]
        if self.longest_chain_calls > 1:
            lines.append(
                f"longest chain: {self.longest_chain_calls:,} calls one after the other in {self.longest_chain}"
            )
        for count, what in (
            (self.late_rows, "rows are late: their groups hold newer messages"),
            (
                self.deferred_groups,
                "groups reach the present: their last rows wait for a later run",
            ),
            (
                self.older_than_retention,
                "messages are older than the app's retention and may not be visible",
            ),
            (self.chosen_owners, "groups name no owner among their members: one is chosen"),
        ):
            if count:
                lines.append(f"note: {count:,} {what}")
        lines += self._retention_lines() + self._carried_lines() + self._stranded_lines()
        return "\n".join(lines)

    def _retention_lines(self) -> list[str]:
        """Return what the target refuses because of its age, now and by the time of its turn."""
        lines = []
        if self.too_old:
            lines.append(
                f"warning: {self.too_old:,} messages are older than the target takes and will be rejected."
            )
        if self.expiring:
            lines.append(
                f"warning: {self.expiring:,} messages more will be too old before their turn comes at this rate. "
                "More calls per second or a longer retention saves them."
            )
        return lines

    def _carried_lines(self) -> list[str]:
        added = sum(
            self.carried.get(kind, 0)
            for kind in (RecordType.GROUP_MESSAGES, RecordType.C2C_MESSAGES)
        )
        if added:
            return [f"note: {added:,} messages were deferred by earlier runs and come first"]
        if self.waiting:
            return [f"note: {self.waiting:,} messages deferred by earlier runs come in addition"]
        return []

    def _stranded_lines(self) -> list[str]:
        """Return what would be left behind, a line for each of the worst groups, and what to do."""
        if not self.stranded:
            return []
        lines = [self._stranded_line()]
        lines += [f"  {each.text()}" for each in self.stranded]
        if more := self.stranded_groups - len(self.stranded):
            lines.append(f"  and {more:,} groups more")
        return lines

    def _stranded_line(self) -> str:
        groups = f"rows of {self.stranded_groups:,} groups"
        if self.late_to_their_time:
            return (
                f"note: {groups} are older than what is there, or will be. They go to their own time, whenever "
                "they are imported."
            )
        if self.append_late:
            return (
                f"warning: {groups} would be appended out of order. Their rows get their true time in the text "
                "(`late_messages=append`)."
            )
        return (
            f"warning: {groups} would be stranded. Import what lies before first (`from`/`to`), or set "
            "`late_messages=append`."
        )


class QuoteCounter:
    """Collects the numbers of a quote while a plan is made."""

    def __init__(self) -> None:
        self.rows: dict[str, Counter[str]] = {}
        self.reasons: dict[str, Counter[str]] = {}
        self.calls: Counter[str] = Counter()
        self.placeholders: Counter[str] = Counter()
        self.shortened: Counter[str] = Counter()
        self.chains: Counter[str] = Counter()
        self.carried: dict[str, int] = {}
        self.stranded: list[Stranded] = []
        self.append_late = self.late_to_their_time = False
        self.message_apis: frozenset[str] = frozenset()
        self.deferred_groups = self.older_than_retention = self.late_rows = self.parts = (
            self.direct_reads
        ) = self.waiting = self.too_old = self.expiring = self.chosen_owners = 0

    def count(self, record_type: str, outcome: str, reason: str = "", rows: int = 1) -> Self:
        """Count rows of one type that will end as ``outcome`` (``to_import``: they are to be sent)."""
        self.rows.setdefault(record_type, Counter())[outcome] += rows
        if reason:
            self.reasons.setdefault(record_type, Counter())[reason] += rows
        return self

    def quote(self, rates: dict[str, float]) -> Quote:
        """Return the quote, given the budget's calls per second of each API."""
        busy = {api: count / rates[api] for api, count in self.calls.items() if count}
        messages = max((busy.pop(api, 0.0) for api in sorted(self.message_apis)), default=0.0)
        chain = self.chains.most_common(1)
        worst = sorted(
            self.stranded, key=lambda each: (-each.rows_before - each.late_rows, each.conversation)
        )
        return Quote(
            rows={kind: dict(of) for kind, of in self.rows.items()},
            reasons={kind: dict(of) for kind, of in self.reasons.items()},
            calls=dict(self.calls),
            seconds_at_rate=round(sum(busy.values()) + messages, 1),
            longest_chain_calls=chain[0][1] if chain else 0,
            longest_chain=chain[0][0] if chain else "",
            deferred_groups=self.deferred_groups,
            older_than_retention=self.older_than_retention,
            late_rows=self.late_rows,
            placeholders=dict(self.placeholders),
            shortened=dict(self.shortened),
            direct_reads=self.direct_reads,
            parts=self.parts,
            carried=self.carried,
            waiting=self.waiting,
            stranded=worst[:_WORST],
            stranded_groups=len(worst),
            append_late=self.append_late,
            late_to_their_time=self.late_to_their_time,
            too_old=self.too_old,
            expiring=self.expiring,
            chosen_owners=self.chosen_owners,
            message_apis=sorted(self.message_apis),
        )


_WORST = 20


def _utc(instant_ms: int) -> str:
    return datetime.fromtimestamp(instant_ms // 1000, UTC).isoformat()
