"""The life of a planned row while its conversation is streamed: what is known of it, and how it ends."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import msgspec

from chat_migration.delivery.context import Tools
from chat_migration.delivery.tally import RowLine
from chat_migration.delivery.verdicts import REFUSED, TOO_LONG, UNANSWERED, WITHDRAWN_BEFORE
from chat_migration.errors import StoppedError
from chat_migration.ledger.records import Delivery
from chat_migration.model import Outcome, RecordType
from chat_migration.planning.tables import PlannedMessage
from chat_migration.targets.base import Failure

_WORST_LAST = list(Outcome)


@dataclass
class RowProgress:
    """A row of which some parts are still to be sent."""

    row: PlannedMessage
    waiting: int
    outcome: Outcome = Outcome.IMPORTED
    reason: str = ""
    failure: Failure | None = None

    def settle(self, outcome: Outcome, reason: str = "", failure: Failure | None = None) -> bool:
        """Take the outcome of one part; the row has the worst of them. Tell whether it was the last."""
        self.waiting -= 1
        if _WORST_LAST.index(outcome) > _WORST_LAST.index(self.outcome):
            self.outcome, self.reason, self.failure = outcome, reason, failure
        return self.waiting == 0


@dataclass
class Part:
    """One part of a row on its way: what the ledger knows of it, its body, and its row."""

    delivery: Delivery
    body: str
    progress: RowProgress = field(repr=False)


class KeyConflicts:
    """Counts rows whose id belonged to another message; too many of them stop the run."""

    def __init__(self, most: int) -> None:
        self._most, self._count = most, 0
        self._lock = threading.Lock()

    def add(self) -> None:
        """Count one.

        Raises:
            StoppedError: there are more than allowed.
        """
        with self._lock:
            self._count += 1
            if self._count > self._most:
                raise StoppedError(
                    f"More than {self._most} rows bear the id of another message of an earlier import.",
                    expected="An id names one message for ever (`max_key_conflicts`).",
                    advice="If this is another legacy system, or its ids were reused, set `source_name` to a new name.",
                )


def new_delivery(
    row: PlannedMessage,
    part: int,
    *,
    slot: int,
    random: int,
    render_version: int,
    run_id: str,
    sequence: int | None = None,
    late: bool = False,
    parts: int = 0,
    side: str = "",
) -> Delivery:
    """Return a part of a row as the ledger is to know it."""
    return Delivery(
        message_key=row.message_key,
        part=part,
        side=side,
        parts=parts or len(row.bodies),
        conversation=row.conversation,
        sender=row.sender,
        recipient=row.recipient,
        sent_at_ms=row.sent_at_ms,
        order_key=row.order_key,
        slot=slot,
        sequence=sequence,
        random=random,
        source_hash=row.source_hash,
        render_version=render_version,
        late=late,
        run_id=run_id,
    )


def end_row(
    tools: Tools,
    kind: RecordType,
    row: PlannedMessage,
    outcome: Outcome,
    reason: str = "",
    *,
    failure: Failure | None = None,
    detail: str = "",
    advice: str = "",
) -> None:
    """Count a row and write its line if it is not in the target. Its text goes along only if asked for."""
    shown = detail or (failure.text if failure else "") or row.detail
    if tools.settings.log_message_text and row.bodies:
        shown = f"{shown} | {msgspec.json.decode(row.bodies[0])}"
    tools.tally.line(
        RowLine(
            record_type=kind,
            outcome=outcome,
            reason=reason,
            file=row.file,
            line=row.line,
            id=row.legacy_id,
            conversation=row.conversation,
            code=failure.code if failure else None,
            detail=shown,
            advice=advice or row.advice or _ADVICE.get(reason, ""),
        )
    )
    tools.progress.advance(tools.tally.done)


_ADVICE = {
    TOO_LONG: "Withdraw the message in the legacy chat and write it anew there, or leave the old text.",
    REFUSED: "The old text stays until the message changes again in the legacy chat.",
    UNANSWERED: "The next run tries again.",
    WITHDRAWN_BEFORE: "What was withdrawn cannot come back; write the message anew in the legacy chat.",
    "late": "Use `late_messages=append`: such rows go to their own time, or to the end with their time in the text.",
    "too_new": "The next run takes it.",
    "older_than_retention": "Too old for the app's retention; it is tried again only when its content changes.",
    "held_elsewhere": "Run again when the other run has ended.",
    "key_conflict": "Give the message an id of its own in the export, or set `source_name`.",
    "empty": "Nothing to do, or give the row a text in the export.",
    "message_refused": "Correct the message in the export, then run again.",
    "sender_not_accepted": "Add the sender to the group's members in the export and change the group's own row, such "
    "as its introduction, then run again.",
}
