"""What became of the rows of one stage: counts for the report, and one line per rejected row."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

from chat_migration.delivery.calls import ApiCalls
from chat_migration.model import Outcome, RecordType

LISTED = (
    Outcome.REJECTED, Outcome.LATE_REJECTED, Outcome.SKIPPED, Outcome.DEFERRED, Outcome.IN_DOUBT,
)  # fmt: skip
"""The outcomes that get a line in ``rejected.jsonl``: every row that is not in the target."""


class RowLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of ``rejected.jsonl``. ``file`` and ``line`` lead to the row in the export."""

    record_type: str
    outcome: str
    reason: str
    file: str
    line: int
    id: str = ""
    conversation: str = ""
    code: int | None = None
    detail: str = ""
    advice: str = ""


class StagePart(msgspec.Struct, kw_only=True):
    """What one stage, or one shard of it, did; the report is put together from these."""

    stage: str
    shard: int
    rows: dict[str, dict[str, int]]
    reasons: dict[str, dict[str, int]]
    calls: dict[str, ApiCalls]
    seconds: float
    lifted: int = 0
    max_drift_seconds: int | float = 0
    held_elsewhere: list[str] = []
    instead: dict[str, dict[str, int]] = {}
    """Rows that an earlier stage of the run had counted otherwise: record type → that outcome → rows."""
    instead_reasons: dict[str, dict[str, int]] = {}
    open_work: int = 0
    """Pieces of work that were begun and not ended; above 0 the stage has to run again."""


class Tally:
    """Counts outcomes from many threads; lines go to a file at once, so memory stays small."""

    def __init__(self, lines: Path) -> None:
        lines.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._partial, self._final = lines.with_suffix(".partial"), lines
        self._file: IO[bytes] = self._partial.open("wb")
        self._lock = threading.Lock()
        self.rows: dict[str, Counter[str]] = {}
        self.reasons: dict[str, Counter[str]] = {}
        self.lifted = self.done = 0
        self.max_drift_seconds: int | float = 0
        self.held_elsewhere: list[str] = []
        self.instead: dict[str, Counter[str]] = {}
        self.instead_reasons: dict[str, Counter[str]] = {}
        self.open_work = 0

    def __enter__(self) -> Self:
        """Return the tally."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file of lines and put it into place, after a failure too: what it says is true."""
        self._file.close()
        self._partial.rename(self._final)

    def count(
        self, record_type: RecordType, outcome: Outcome, reason: str = "", rows: int = 1
    ) -> None:
        """Count rows."""
        with self._lock:
            self.done += rows
            self.rows.setdefault(record_type, Counter())[outcome] += rows
            if reason:
                self.reasons.setdefault(record_type, Counter())[reason] += rows

    def line(self, line: RowLine) -> None:
        """Count one row and, where it is not in the target, write its line."""
        self.count(RecordType(line.record_type), Outcome(line.outcome), line.reason)
        self._list(line)

    def _list(self, line: RowLine) -> None:
        if line.outcome in LISTED:
            with self._lock:
                self._file.write(msgspec.json.encode(line) + b"\n")

    def correct(self, line: RowLine, counted: Outcome, counted_reason: str = "") -> None:
        """Count one row otherwise than an earlier stage of this run did: as ``counted``, for that reason.

        One that stays as it was counted only gets its line, which that stage has left to this one.
        """
        if (line.outcome, line.reason) == (counted, counted_reason):
            self._list(line)
            return
        self.line(line)
        with self._lock:
            self.instead.setdefault(line.record_type, Counter())[counted] += 1
            if counted_reason:
                self.instead_reasons.setdefault(line.record_type, Counter())[counted_reason] += 1

    def begin_work(self, pieces: int) -> None:
        """Note work that must be ended before the stage is done."""
        with self._lock:
            self.open_work += pieces

    def end_work(self) -> None:
        """Note the end of one piece of it."""
        with self._lock:
            self.open_work -= 1

    def drift(self, lifted: int, seconds: float) -> None:
        """Add what one conversation's slots were lifted."""
        with self._lock:
            self.lifted += lifted
            self.max_drift_seconds = max(self.max_drift_seconds, seconds)

    def part(self, stage: str, shard: int, calls: dict[str, ApiCalls], seconds: float) -> StagePart:
        """Return the counts as a part of the report."""
        with self._lock:
            return StagePart(
                stage=stage,
                shard=shard,
                rows={kind: dict(of) for kind, of in self.rows.items()},
                reasons={kind: dict(of) for kind, of in self.reasons.items()},
                calls=calls,
                seconds=round(seconds, 3),
                lifted=self.lifted,
                max_drift_seconds=self.max_drift_seconds,
                held_elsewhere=list(self.held_elsewhere),
                instead={kind: dict(of) for kind, of in self.instead.items()},
                instead_reasons={kind: dict(of) for kind, of in self.instead_reasons.items()},
                open_work=self.open_work,
            )
