"""What ``report.html`` says, worked out from the report: its headline, key figures and tables."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from chat_migration.model import Outcome, RecordType
from chat_migration.progress import clock_text
from chat_migration.reporting.page_text import (
    RECORD_TYPES,
    STAGES,
    amount,
    in_order,
    listed,
    seconds_text,
    share_text,
    spaced,
)
from chat_migration.reporting.report import ApiReport, RunReport

_MESSAGES = (RecordType.C2C_MESSAGES, RecordType.GROUP_MESSAGES)
_REJECTED = (Outcome.REJECTED, Outcome.LATE_REJECTED)
_NO_CALLS = ApiReport(count=0, throttled=0, retried=0, peak_per_second=0, writes=False)


@dataclass(frozen=True)
class Step:
    """Something to know or to do next; ``anchor`` is the part of the page that says more."""

    text: str
    anchor: str = ""


@dataclass(frozen=True)
class Headline:
    """How the run ended, in one sentence, and what there is to do."""

    state: str
    """``complete``, ``incomplete``, ``doubt`` or ``dry``; the page colours it."""
    word: str
    sentence: str
    steps: list[Step]


@dataclass(frozen=True)
class KeyFigure:
    """One number of the page's first row."""

    name: str
    value: str
    unit: str
    note: str
    alarming: bool = False


@dataclass(frozen=True)
class OutcomeRow:
    """One line of the table of rows."""

    name: str
    read: int
    counts: list[int]
    total: int

    @property
    def verdict(self) -> str:
        """Return whether the outcomes add up to the rows read."""
        missing = self.read - self.total
        if not missing:
            return "adds up"
        return f"{missing:,} missing" if missing > 0 else f"{-missing:,} too many"


@dataclass(frozen=True)
class OutcomeTable:
    """Rows per record type and outcome; only what occurs."""

    outcomes: list[str]
    rows: list[OutcomeRow]
    sums: OutcomeRow


@dataclass(frozen=True)
class CallRow:
    """One line of the tables of calls; ``planned`` is None without a quote."""

    api: str
    made: ApiReport
    planned: int | None

    @property
    def difference(self) -> str:
        """Return how many more calls were made than planned, with its sign."""
        return "" if self.planned is None else signed(self.made.count - self.planned)


def signed(number: int) -> str:
    """Return a number with its sign; a true minus, as wide as a plus."""
    return f"{number:+,}".replace("-", "\u2212") if number else "0"


def headline(report: RunReport) -> Headline:
    """Return how the run ended."""
    doubtful = max(_count(report, Outcome.IN_DOUBT), report.in_doubt)
    total = sum(sum(of.values()) for of in report.rows.values())
    rejected = _count(report, *_REJECTED)
    stages = listed([STAGES.get(stage, stage) for stage in report.unfinished])
    left_over = f"{stages} did not deal with every row" if stages else ""
    if report.held_elsewhere:
        held = f"{amount(len(report.held_elsewhere), 'conversation')} held by another run"
        left_over = f"{held}; {left_over}" if left_over else held
    if doubtful:
        sentence = f"The outcome of {amount(doubtful, 'message')} is unknown"
        sentence += f"; {left_over}." if left_over else "."
        return Headline("doubt", "In doubt", sentence, _steps(report, doubtful))
    if report.dry_run:
        return Headline("dry", "Dry run", "Nothing was sent.", [])
    if not report.complete:
        sentence = f"{left_over or 'Not every stage ran to its end'}."
        return Headline(
            "incomplete", "Not complete", sentence[0].upper() + sentence[1:], _steps(report, 0)
        )
    if not total:
        return Headline("complete", "Complete", "There was nothing to import.", [])
    sentence = (
        f"All {total:,} rows are accounted for" if total > 1 else "The only row is accounted for"
    )
    sentence += f", {rejected:,} of them rejected." if rejected else "."
    return Headline("complete", "Complete", sentence, _steps(report, 0))


def _steps(report: RunReport, doubtful: int) -> list[Step]:
    steps = []
    if doubtful:
        steps.append(
            Step("Run again: it reads back what the target holds before it sends anything.")
        )
    elif not report.complete:
        steps.append(Step("Run again; what is done is not sent twice."))
    if deferred := _count(report, Outcome.DEFERRED):
        waiting = amount(deferred, "row waits", "rows wait")
        steps.append(Step(f"{waiting} for a later run.", "reasons"))
    if rejected := _count(report, *_REJECTED):
        why = f"See why {amount(rejected, 'row')} could not be taken"
        then = (
            "correct the export and run again: a message or group whose row changed is tried again."
        )
        steps.append(Step(f"{why}; {then}", "rejected"))
    return steps


def key_figures(report: RunReport) -> list[KeyFigure]:
    """Return the numbers of the first row."""
    imported = _count(report, Outcome.IMPORTED, Outcome.LATE_APPENDED, kinds=_MESSAGES)
    before = _count(report, Outcome.ALREADY_IMPORTED, kinds=_MESSAGES)
    read = sum(report.rows_read.get(kind, 0) for kind in _MESSAGES)
    calls = sum(each.count for each in report.calls.values())
    throttled = sum(each.throttled for each in report.calls.values())
    retried = sum(each.retried for each in report.calls.values())
    busiest = max(report.calls, key=lambda api: report.calls[api].peak_per_second, default="")
    peak = report.calls[busiest].peak_per_second if busiest else 0
    rejected = _count(report, *_REJECTED)
    seconds = sum(report.seconds.values())
    stages = amount(len(report.seconds), "stage")
    share = share_text(rejected, sum(sum(of.values()) for of in report.rows.values()))
    return [
        KeyFigure(
            "Messages imported", f"{imported:,}", "",
            f"of {read:,} read" + (f"; {before:,} were there before" if before else ""),
        ),
        KeyFigure("Calls", f"{calls:,}", "", f"{throttled:,} throttled, {retried:,} repeated"),
        KeyFigure("Writes", f"{report.write_calls:,}", "", "calls that can change the target"),
        KeyFigure("Peak", f"{peak:,}", "calls/s", busiest or "no calls"),
        KeyFigure("Time", clock_text(seconds), "h:mm:ss", f"in {stages}"),
        KeyFigure("Rejected", f"{rejected:,}", "", f"{share} of all rows", rejected > 0),
    ]  # fmt: skip


def outcome_table(report: RunReport) -> OutcomeTable:
    """Return the table of rows; its sums come from the rows shown."""
    kinds = [
        kind
        for kind in in_order(RecordType, report.rows, report.rows_read)
        if report.rows_read.get(kind) or any(report.rows.get(kind, {}).values())
    ]
    outcomes = [
        name
        for name in in_order(Outcome, *report.rows.values())
        if any(of.get(name) for of in report.rows.values())
    ]
    frame = pd.DataFrame(
        [[report.rows.get(kind, {}).get(name, 0) for name in outcomes] for kind in kinds],
        columns=outcomes,
        dtype="int64",
    )
    frame.insert(
        0, "read", pd.Series([report.rows_read.get(kind, 0) for kind in kinds], dtype="int64")
    )
    names = [RECORD_TYPES.get(kind, kind) for kind in kinds]
    rows = [_outcome_row(*each) for each in zip(names, frame.to_numpy().tolist(), strict=True)]
    return OutcomeTable(outcomes, rows, _outcome_row("all", frame.sum().tolist()))


def _outcome_row(name: str, numbers: list[int]) -> OutcomeRow:
    read, *counts = map(int, numbers)
    return OutcomeRow(name, read, counts, sum(counts))


def call_rows(report: RunReport) -> list[CallRow]:
    """Return the calls of each API that was planned or made, their sums last; or nothing."""
    planned = report.quote.calls if report.quote else {}
    names = [
        api
        for api in in_order([], report.calls, planned)
        if api in report.calls or planned.get(api)
    ]
    if not names:
        return []
    made = {api: report.calls.get(api, _NO_CALLS) for api in names}
    rows = [CallRow(api, made[api], planned.get(api, 0) if report.quote else None) for api in names]
    frame = pd.DataFrame([each.model_dump() for each in made.values()])
    sums = ApiReport(
        count=int(frame["count"].sum()),
        throttled=int(frame["throttled"].sum()),
        retried=int(frame["retried"].sum()),
        peak_per_second=int(frame["peak_per_second"].max()),
        writes=bool(frame["writes"].any()),
    )
    return [*rows, CallRow("all", sums, sum(planned.values()) if report.quote else None)]


def reason_rows(report: RunReport) -> list[tuple[str, str, int]]:
    """Return record type, reason and rows, the most frequent first within each type."""
    return [
        (RECORD_TYPES.get(kind, kind), reason, count)
        for kind in in_order(RecordType, report.reasons)
        for reason, count in _most_first(report.reasons[kind])
        if count
    ]


def quoted_facts(report: RunReport) -> list[tuple[str, str]]:
    """Return what the quote foretold besides calls, where it says something."""
    quote = report.quote
    if quote is None:
        return []
    facts = [("Time at the rate limit", seconds_text(quote.seconds_at_rate))]
    if quote.longest_chain_calls > 1:
        chain = f"{amount(quote.longest_chain_calls, 'call')}, one after the other"
        facts.append(("Longest chain", f"{chain}, in {quote.longest_chain}"))
    counted = (
        ("Messages in the target", amount(quote.parts, "message")),
        ("Late: the group holds newer messages", amount(quote.late_rows, "row")),
        ("Groups that reach the present", amount(quote.deferred_groups, "group")),
        ("Older than the app's retention", amount(quote.older_than_retention, "message")),
        ("Older than the target takes", amount(quote.too_old, "message")),
        ("Too old before their turn", amount(quote.expiring, "message")),
        ("Groups with a chosen owner", amount(quote.chosen_owners, "group")),
        ("Read positions of one-to-one chats", amount(quote.direct_reads, "position")),
    )
    return facts + [(name, text) for name, text in counted if not text.startswith("0 ")]


def adjustments(report: RunReport) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return what was changed on the way: title, explanation, and lines of what and how much."""
    slots = report.slots
    moved = [
        ("given a later time", amount(slots.lifted, "message")),
        ("furthest move", amount(slots.max_drift_seconds, "second")),
    ]
    cut = [
        (spaced(name), amount(count, "value"))
        for name, count in _most_first(report.shortened)
        if count
    ]
    made = [
        (spaced(name), f"{count:,}") for name, count in _most_first(report.placeholders) if count
    ]
    unknown = [
        (name, amount(count, "row")) for name, count in _most_first(report.unknown_fields) if count
    ]
    return [
        (
            "Moved in time",
            "The time was taken; each got the next free one, and the order stays.",
            moved if slots.lifted else [],
        ),
        ("Shortened", "Values cut or dropped to fit the target.", cut),
        ("Placeholders", "Accounts and groups made for ids without a row of their own.", made),
        ("Unknown fields", "Fields that the format does not know; they were not used.", unknown),
    ]


def _most_first(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _count(report: RunReport, *outcomes: str, kinds: tuple[str, ...] | None = None) -> int:
    chosen = report.rows if kinds is None else {kind: report.rows.get(kind, {}) for kind in kinds}
    return sum(of.get(outcome, 0) for of in chosen.values() for outcome in outcomes)
