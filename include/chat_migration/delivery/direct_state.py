"""What the stream of one one-to-one conversation knows while it runs: moves not yet written, its newest row."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from chat_migration.delivery.context import Tools
from chat_migration.delivery.rows import end_row
from chat_migration.ledger.moves import Move, deliver, intend, reject
from chat_migration.ledger.records import RECIPIENT, Delivery, Stream
from chat_migration.ledger.states import DeliveryState
from chat_migration.model import Outcome, RecordType
from chat_migration.planning.tables import PlannedConversation, PlannedMessage
from chat_migration.targets.base import Failure

_KIND = RecordType.C2C_MESSAGES


class DirectState:
    """Shared by the parts of one stream; used by one thread at a time.

    :attr:`stream` is None where it does not matter in which order rows arrive.
    """

    def __init__(self, tools: Tools, place: PlannedConversation) -> None:
        self.tools, self.place = tools, place
        self.moves: list[Move] = []
        self.remaining = place.rows
        self.stream: Stream | None = None
        if tools.rules.late_goes_to_its_time:
            found = tools.ledger.streams([place.conversation])
            self.stream = found.get(place.conversation, Stream())

    def hold(self) -> None:
        """Make sure, right before a call that writes, that the conversation is still ours.

        Raises:
            LostHoldError: it is not.
        """
        self.tools.lease.assure(self.place.conversation)

    # --- the ledger -----------------------------------------------------------------------------

    def landed(self, delivery: Delivery, sequence: int | None) -> None:
        """Record that a part is in the target; ``sequence`` None keeps the one that we chose."""
        self.moves.append(deliver(delivery, sequence=sequence, run_id=self.tools.run_id))
        self._advance(delivery)
        self.note_drift(delivery)

    def found(self, delivery: Delivery, sequence: int) -> None:
        """Record that a part of unknown outcome is in the target: the run that sent it delivered it."""
        self.moves.append(deliver(delivery, sequence=sequence))
        self._advance(delivery)

    def recognised(self, moves: Iterable[Move]) -> None:
        """Write down what was found in the target of which the ledger did not know."""
        for move in moves:
            self.moves.append(move)
            self._advance(move.delivery)
        self.flush()

    def refuse(self, delivery: Delivery, *, code: int | None, reason: str) -> None:
        """Record that a part is refused for good, whether it was tried or not."""
        if delivery.state is DeliveryState.REJECTED:
            self.moves.append(intend(delivery, self.tools.run_id))
        self.moves.append(reject(delivery, code=code, reason=reason))

    def _advance(self, delivery: Delivery) -> None:
        if self.stream is None:
            return
        here = (delivery.sent_at_ms, delivery.order_key)
        newest_ms = self.stream.newest_sent_ms
        if newest_ms is None or here > (newest_ms, self.stream.newest_order):
            self.stream = msgspec.structs.replace(
                self.stream, newest_sent_ms=here[0], newest_order=here[1]
            )

    def flush(self) -> None:
        """Write the moves that are waiting, in one transaction."""
        if self.moves:
            moves, self.moves = self.moves, []
            self.tools.ledger.advance(
                self.place.conversation,
                moves,
                stream=self.stream,
                holder=self.tools.lease.worker_id,
            )

    # --- outcomes -------------------------------------------------------------------------------

    def note_drift(self, delivered: Delivery) -> None:
        """Add to the tally how far one part was lifted; two copies of it are one."""
        slot_ms = self.tools.rules.slot_ms
        lifted = delivered.slot - delivered.sent_at_ms // slot_ms
        if lifted > 0 and delivered.side != RECIPIENT:
            self.tools.tally.drift(1, lifted * slot_ms / 1000)

    def end(
        self,
        row: PlannedMessage,
        outcome: Outcome,
        reason: str = "",
        failed: Failure | None = None,
        *,
        detail: str = "",
    ) -> None:
        """Count a row with its outcome; it is dealt with."""
        self.remaining -= 1
        end_row(self.tools, _KIND, row, outcome, reason, failure=failed, detail=detail)
