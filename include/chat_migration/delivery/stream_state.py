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
from chat_migration.planning.forecast import is_late
from chat_migration.planning.slots import Slots
from chat_migration.planning.tables import PlannedConversation, PlannedMessage
from chat_migration.targets.base import Failure, GroupAddress, Mark

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
        self._late_slots: set[int] = set()
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

    # --- times ----------------------------------------------------------------------------------

    def own_slot(self, sent_at_ms: int) -> int:
        """Return the slot of an instant: nothing that was sent then stands earlier in the target."""
        return sent_at_ms // self.tools.rules.slot_ms

    def since(self, slot: int) -> Mark:
        """Return down to where to read for what stands at or after a slot and was sent after all that is confirmed.

        Where late messages go to their time, old times have new messages: the sequence bounds nothing there.
        """
        late_anywhere = self.tools.rules.late_goes_to_its_time
        return Mark(0 if late_anywhere else self.stream.confirmed_sequence, slot)

    def is_late(self, row: PlannedMessage) -> bool:
        """Tell whether a row comes too late; what others write is in nobody's way where each goes to its time."""
        stream = self.stream
        if self.tools.rules.late_goes_to_its_time:
            stream = msgspec.structs.replace(stream, foreign_slot=None)
        return is_late(row, stream, self.tools.rules.slot_ms)

    def new_slots(self, newest: list[int | None]) -> Slots:
        """Start handing out slots after the newest of some, and of what the frontier says.

        Where each message goes to its time only our own are kept apart, for their order.
        """
        known = [*newest, self.stream.newest_slot, self.stream.foreign_slot]
        if self.tools.rules.late_goes_to_its_time:
            known = [self.stream.newest_slot]
        stated = [each for each in known if each is not None]
        self._late_slots.clear()
        return self._slots_after(max(stated, default=None))

    def _slots_after(self, newest: int | None) -> Slots:
        keep = self.tools.settings.same_second == "keep"
        self.slots = Slots(newest, slot_ms=self.tools.rules.slot_ms, keep_ties=keep)
        return self.slots

    def late_slot(self, sent_at_ms: int, planned: int | None) -> int:
        """Take a late part's slot and return it: the one that it was planned for, or a free one from its time on."""
        if self.tools.settings.same_second == "keep":
            return self.own_slot(sent_at_ms)
        slot = self._free_slot(self.own_slot(sent_at_ms)) if planned is None else planned
        self._late_slots.add(slot)
        if self.slots is not None and (self.slots.last is None or slot > self.slots.last):
            self._slots_after(slot)
        return slot

    def _free_slot(self, slot: int) -> int:
        """Return the first slot from one on that none of our messages has."""
        while True:
            slot = self.tools.ledger.first_free_slot(self.place.conversation, slot)
            if slot not in self._late_slots:
                return slot
            slot += 1

    def note_drift(self, delivered: Delivery) -> None:
        """Add what one part was lifted to the tally; what is appended late was not lifted but moved."""
        lifted = delivered.slot - self.own_slot(delivered.sent_at_ms)
        if lifted > 0 and not delivered.late:
            self.tools.tally.drift(1, _seconds(lifted * self.tools.rules.slot_ms))

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


def _seconds(milliseconds: int) -> float:
    """Return whole seconds as a whole number, as reports of targets that count in seconds show them."""
    whole, rest = divmod(milliseconds, 1000)
    return milliseconds / 1000 if rest else whole
