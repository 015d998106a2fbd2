"""Sending one part of a one-to-one message into one copy, until it is certain what became of it.

Where the target drops a repeat, what may have failed is sent again. Where it does not, nothing is sent twice before
the copy was read: a message is known there by its number alone.
"""

from __future__ import annotations

import logging

import msgspec

from chat_migration.delivery.direct_copies import key_of
from chat_migration.delivery.direct_reading import UNRECOGNISABLE, CopyReader, is_certain
from chat_migration.delivery.direct_state import DirectState
from chat_migration.delivery.fruitless import Fruitless, Next
from chat_migration.errors import MigrationError
from chat_migration.ledger.moves import doubt, intend, release
from chat_migration.ledger.records import Delivery
from chat_migration.ledger.states import DeliveryState
from chat_migration.model import Outcome
from chat_migration.planning.tables import PlannedMessage
from chat_migration.targets.base import (
    Advice,
    DirectMessageOut,
    Done,
    Effect,
    Failure,
    ItemResult,
    StoredMessage,
)
from chat_migration.targets.verbs import Verb

_log = logging.getLogger(__name__)

TOO_OLD = "older_than_retention"
"""The reason of rows that the app would not keep."""
_REASONS = {Advice.MISSING_ACCOUNT: "account_missing", Advice.TOO_OLD: TOO_OLD}


class Ended(msgspec.Struct, frozen=True):
    """How a row ends of which a part is not in the target, or nobody knows."""

    outcome: Outcome
    reason: str
    failure: Failure | None = None
    detail: str = ""


class DirectSender:
    """Sends the parts of one stream, one call at a time."""

    def __init__(self, state: DirectState, reader: CopyReader) -> None:
        self._state, self._tools, self._reader = state, state.tools, reader
        self._drops_repeats = state.tools.rules.chooses_direct_sequence

    def send(self, row: PlannedMessage, delivery: Delivery, body: str) -> Ended | None:
        """Send one part; return how its row ends, None: it is there.

        Raises:
            StoppedError, InterruptedRunError: the run ends; what is known of the part is recorded.
        """
        fruitless = Fruitless(self._tools.caller, Verb.SEND_DIRECT_MESSAGE)
        while True:
            if self.is_too_old(delivery):
                self.refuse(row, delivery, TOO_OLD)
                return Ended(Outcome.REJECTED, TOO_OLD)
            delivery = self._intended(row, delivery)
            answer = self._call(row, delivery, body)
            if isinstance(answer, Done):
                self._state.landed(delivery, answer.sequence)
                return None
            if self._drops_repeats or answer.effect is Effect.NONE:
                return self._failed(delivery, answer)
            pause = fruitless.pause_seconds(self._tools.settle_seconds)
            delivery, found = self._looked_for(delivery, answer, pause)
            fruitless.add()
            if found is not None:
                return self._seen(delivery, found, answer)
            follows = fruitless.next(answer, delivery.attempts)
            if answer.advice is not Advice.READ_BACK or follows is Next.GIVE_UP:
                self._state.refuse(delivery, code=answer.code, reason="message_refused")
                return Ended(Outcome.REJECTED, "message_refused", answer)
            move = release(delivery, code=answer.code, reason=answer.text)
            self._state.moves.append(move)
            delivery = move.delivery
            if follows is Next.STOP:
                raise fruitless.stopped(answer, self._state.place.conversation)

    def refuse(self, row: PlannedMessage, delivery: Delivery, reason: str) -> None:
        """Record that a part is refused without a call, as its row is now."""
        delivery = msgspec.structs.replace(delivery, source_hash=row.source_hash)
        self._state.refuse(delivery, code=None, reason=reason)

    def is_too_old(self, delivery: Delivery) -> bool:
        """Tell whether the app takes no message of this age at this moment."""
        oldest = self._tools.target.oldest_slot()
        return oldest is not None and delivery.slot < oldest

    def _intended(self, row: PlannedMessage, delivery: Delivery) -> Delivery:
        """Write down that a part is about to be sent, unless that is in the ledger already."""
        if delivery.state not in (DeliveryState.PLANNED, DeliveryState.REJECTED):
            return delivery
        move = intend(
            msgspec.structs.replace(delivery, source_hash=row.source_hash), self._tools.run_id
        )
        self._state.moves.append(move)
        self._state.flush()
        return move.delivery

    def _call(self, row: PlannedMessage, delivery: Delivery, body: str) -> ItemResult:
        key = key_of(delivery)
        message = DirectMessageOut(
            sender=key.sender,
            recipient=key.recipient,
            slot=key.slot,
            sequence=key.sequence,
            random=key.random,
            body=body,
            metadata=row.metadata,
            as_unread=row.as_unread,
            viewer=key.viewer,
        )
        try:
            return self._tools.caller.call(
                Verb.SEND_DIRECT_MESSAGE,
                lambda: self._held(message),
                priority=self._state.remaining,
            )
        except MigrationError as error:
            end = doubt if error.may_have_effect else release
            self._state.moves.append(end(delivery, code=None, reason=error.what))
            raise

    def _held(self, message: DirectMessageOut) -> ItemResult:
        self._state.hold()
        return self._tools.target.send_direct_message(message)

    # --- what did not plainly succeed -----------------------------------------------------------

    def _looked_for(
        self, delivery: Delivery, failed: Failure, pause_seconds: float
    ) -> tuple[Delivery, StoredMessage | None]:
        """Wait until the request cannot still be running, and read the copy; return the part as it is in the ledger."""
        _log.warning("%s: %s", self._state.place.conversation, failed)
        move = doubt(delivery, code=failed.code, reason=failed.text)
        self._state.moves.append(move)
        self._state.flush()
        self._tools.caller.pause(pause_seconds)
        return move.delivery, self._reader.look_for_sent(key_of(delivery))

    def _seen(self, delivery: Delivery, found: StoredMessage, failed: Failure) -> Ended | None:
        if is_certain(found):
            self._state.landed(delivery, found.sequence)
            return None
        return Ended(Outcome.IN_DOUBT, "unknown_outcome", failed, UNRECOGNISABLE)

    def _failed(self, delivery: Delivery, failed: Failure) -> Ended | None:
        """Settle a failure after which the copy need not be read, or tells nothing new."""
        if failed.advice is Advice.REJECT_ITEM and self._drops_repeats and self._has(delivery):
            # No page says how a repeated message is answered (unknown U25).
            self._state.landed(delivery, None)
            return None
        _log.warning("%s: %s", self._state.place.conversation, failed)
        if failed.effect is Effect.UNKNOWN:
            self._state.moves.append(doubt(delivery, code=failed.code, reason=failed.text))
            return Ended(Outcome.IN_DOUBT, "unknown_outcome", failed)
        if failed.advice is Advice.STOP_RUN:
            self._state.moves.append(release(delivery, code=failed.code, reason=failed.text))
            raise self._tools.caller.stop_error(failed)
        reason = _REASONS.get(failed.advice, "message_refused")
        self._state.refuse(delivery, code=failed.code, reason=reason)
        return Ended(Outcome.REJECTED, reason, failed)

    def _has(self, delivery: Delivery) -> bool:
        return isinstance(self._reader.find(key_of(delivery)), StoredMessage)
