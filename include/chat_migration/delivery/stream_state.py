"""What one group conversation's stream knows while it runs: its frontier, its slots, moves not yet written."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import msgspec

from chat_migration.delivery.context import Tools
from chat_migration.delivery.rows import Part, end_row
from chat_migration.ledger.moves import Move
from chat_migration.ledger.records import Delivery, Stream
from chat_migration.model import Outcome, RecordType
from chat_migration.planning.slots import Slots
from chat_migration.planning.tables import PlannedConversation, PlannedMessage
from chat_migration.targets.base import Failure, GroupAddress

P = ParamSpec("P")
T = TypeVar("T")


class StreamState:
    """Shared by the parts of one stream; used by one thread at a time."""

    def __init__(self, tools: Tools, place: PlannedConversation) -> None:
        self.tools, self.place = tools, place
        self.address = GroupAddress(place.group_id, place.topic_id)
        found = tools.ledger.streams([place.conversation])
        self.stream = found.get(place.conversation, Stream())
        self.slots: Slots | None = None
        self.moves: list[Move] = []
        self.remaining = place.rows
        self._marked_dirty = self._landed = False

    # --- the frontier ---------------------------------------------------------------------------

    def advance(self, delivery: Delivery) -> None:
        """Move the frontier up to a delivered part; one appended late stands out of time and does not count."""
        here = (delivery.sent_at_ms, delivery.order_key)
        newest_ms = self.stream.newest_sent_ms
        if not delivery.late and (
            newest_ms is None or here > (newest_ms, self.stream.newest_order)
        ):
            self._change(newest_sent_ms=here[0], newest_order=here[1])
        self._change(newest_slot=max(self.stream.newest_slot or 0, delivery.slot))

    def confirm(self, sequence: int) -> None:
        """Say that everything up to a sequence number is known."""
        self._change(confirmed_sequence=max(self.stream.confirmed_sequence, sequence))

    def note_foreign(self, slot: int) -> None:
        """Remember a message that is not ours."""
        self._change(foreign_slot=max(self.stream.foreign_slot or 0, slot))

    def _change(self, **fields: object) -> None:
        self.stream = msgspec.structs.replace(self.stream, **fields)

    def new_slots(self, newest: list[int | None]) -> Slots:
        """Start handing out slots after the newest of some, and of what the frontier says."""
        known = [*newest, self.stream.newest_slot, self.stream.foreign_slot]
        stated = [each for each in known if each is not None]
        keep = self.tools.settings.same_second == "keep"
        self.slots = Slots(max(stated, default=None), keep_ties=keep)
        return self.slots

    def note_drift(self, delivered: Delivery) -> None:
        """Add what one part was lifted to the tally; what is appended late was not lifted but moved."""
        lifted = delivered.slot - delivered.sent_at_ms // 1000
        if lifted > 0 and not delivered.late:
            self.tools.tally.drift(1, lifted)

    # --- the ledger -----------------------------------------------------------------------------

    def flush(self, *, dirty: bool = False) -> None:
        """Write the moves that are waiting, in one transaction; ``dirty`` marks the group's unread counts."""
        if self.moves:
            moves, self.moves = self.moves, []
            dirty = dirty and not self._marked_dirty
            landed = not self._landed and any(move.verb == "deliver" for move in moves)
            self.tools.ledger.advance(
                self.place.conversation,
                moves,
                stream=self.stream,
                dirty=dirty,
                landed=landed,
                holder=self.tools.lease.worker_id,
            )
            self._marked_dirty |= dirty
            self._landed |= landed

    def held(self, send: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a call that writes, if the conversation is still ours.

        Raises:
            LostHoldError: it is not.
        """
        self.tools.lease.assure(self.place.conversation)
        return send(*args, **kwargs)

    # --- outcomes -------------------------------------------------------------------------------

    def end(
        self,
        row: PlannedMessage,
        outcome: Outcome,
        reason: str = "",
        *,
        failure: Failure | None = None,
        detail: str = "",
        advice: str = "",
    ) -> None:
        """Count a row with its outcome; it is dealt with."""
        self.remaining -= 1
        end_row(
            self.tools,
            RecordType.GROUP_MESSAGES,
            row,
            outcome,
            reason,
            failure=failure,
            detail=detail,
            advice=advice,
        )

    def settle(
        self, part: Part, outcome: Outcome, reason: str = "", failure: Failure | None = None
    ) -> None:
        """Settle one part; with the last one its row ends."""
        progress = part.progress
        if progress.settle(outcome, reason, failure):
            self.end(progress.row, progress.outcome, progress.reason, failure=progress.failure)
