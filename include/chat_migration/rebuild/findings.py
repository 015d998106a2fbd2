"""What a rebuild found of each row, counted; what could not be proved, line by line."""

from __future__ import annotations

import enum
import threading
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

from chat_migration.delivery.tally import RowLine
from chat_migration.model import RecordType
from chat_migration.planning.tables import PlannedMessage


class Found(enum.StrEnum):
    """What became of one row of the plan."""

    RESTORED = "restored"
    """The target holds it, and now the ledger knows."""
    KNOWN = "known"
    """The ledger knew before."""
    MISSING = "missing"
    """The target does not hold it: the next run takes it."""
    NOT_SENT = "not_sent"
    """No run sends it: the plan says why."""
    HELD = "held"
    """Another run is at work on its conversation."""
    UNPROVED = "unproved"
    """Nobody can say whether the target holds it, or it can no longer come to its place: see its line."""


ADVICE = {
    "behind_newer": "A run calls it late: `late_messages=append` sends it all the same.",
    "part_missing": "Of a message in several parts some are there and newer messages follow; it is not completed.",
    "not_provable": "Lengthen the app's retention and rebuild again; until then no run sends it.",
    "matches_nothing": "Are `source_name` and the export those of the lost run? No run writes to this group.",
    "group_exists": "The app has another group of this id; no run writes to it.",
    "group_gone": "The ledger knows the group and the app does not have it. Was it destroyed?",
    "unreadable": "The app does not show the group; no run writes to it.",
}
"""What to do about each reason."""


class Findings:
    """Counts from many threads; lines go to a file at once, so memory stays small. Use as a context manager."""

    def __init__(self, lines: Path) -> None:
        lines.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._partial, self._final = lines.with_name(lines.name + ".partial"), lines
        self._file: IO[bytes] = self._partial.open("wb")
        self._partial.chmod(0o600)
        self._lock = threading.Lock()
        self.rows: dict[str, Counter[str]] = {}
        self.reasons: dict[str, Counter[str]] = {}
        self.lines = self.foreign = self.recognised = self.done = 0

    def __enter__(self) -> Self:
        """Return the findings."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file and put it into place, after a failure too: what it says is true."""
        self._file.close()
        self._partial.rename(self._final)

    def count(self, kind: RecordType, found: Found, rows: int = 1, reason: str = "") -> None:
        """Count rows."""
        if not rows:
            return
        with self._lock:
            self.done += rows
            self.rows.setdefault(kind, Counter())[found] += rows
            if reason:
                self.reasons.setdefault(kind, Counter())[reason] += rows

    def messages(self, *, recognised: int = 0, foreign: int = 0) -> None:
        """Count messages of the target: those of the export, and those of somebody else."""
        with self._lock:
            self.recognised += recognised
            self.foreign += foreign

    def name(self, line: RowLine, rows: int = 1) -> None:
        """Count rows that could not be proved, and write one line for them."""
        self.count(RecordType(line.record_type), Found.UNPROVED, rows, line.reason)
        with self._lock:
            self.lines += 1
            self._file.write(msgspec.json.encode(line) + b"\n")

    def name_message(self, kind: RecordType, row: PlannedMessage, reason: str) -> None:
        """Write the line of one message that could not be proved."""
        self.name(
            RowLine(
                record_type=kind,
                outcome=Found.UNPROVED,
                reason=reason,
                file=row.file,
                line=row.line,
                id=row.legacy_id,
                conversation=row.conversation,
                advice=ADVICE.get(reason, ""),
            )
        )

    @property
    def unproved(self) -> int:
        """Return how many rows could not be proved."""
        return sum(of[Found.UNPROVED] for of in self.rows.values())
