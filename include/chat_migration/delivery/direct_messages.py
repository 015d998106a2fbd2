"""Streaming one one-to-one conversation: one message a call, oldest first, repeatable by the vendor's triple."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice

import msgspec

from chat_migration.delivery.context import Tools
from chat_migration.delivery.rows import KeyConflicts, end_row, known_outcome, new_delivery
from chat_migration.errors import MigrationError
from chat_migration.keys import vendor_random
from chat_migration.ledger.moves import Move, deliver, doubt, intend, reject, release
from chat_migration.ledger.records import Delivery
from chat_migration.ledger.states import DeliveryState
from chat_migration.model import Outcome, RecordType
from chat_migration.planning.forecast import NOW_MARGIN_MS
from chat_migration.planning.slots import PARTS_PER_RANK, free_rank, ranks_of
from chat_migration.planning.tables import MessageReader, PlannedConversation, PlannedMessage
from chat_migration.targets.base import Advice, DirectMessageOut, Done, Effect, Failure

_log = logging.getLogger(__name__)
_KIND = RecordType.C2C_MESSAGES
_CHUNK = 500


class DirectStream:
    """Streams the rows between two people. Rows go to their true time, late or not."""

    def __init__(
        self,
        tools: Tools,
        place: PlannedConversation,
        reader: MessageReader,
        *,
        conflicts: KeyConflicts,
    ) -> None:
        self._tools, self._place, self._conflicts = tools, place, conflicts
        self._rows: Iterator[PlannedMessage] = reader.rows(place)
        self._moves: list[Move] = []
        self._remaining = place.rows
        self._deferring = False

    def run(self) -> None:
        """Send what is left to send; every row ends with its outcome.

        Raises:
            StoppedError, InterruptedRunError: the run ends; what was sent is recorded, nothing is lost.
        """
        try:
            while chunk := list(islice(self._rows, _CHUNK)):
                self._chunk(chunk)
        finally:
            self._flush()

    def _chunk(self, rows: list[PlannedMessage]) -> None:
        known = self._tools.ledger.deliveries([row.message_key for row in rows])
        seconds = sorted({row.sent_at_ms // 1000 for row in rows if row.message_key not in known})
        taken = {
            second: ranks_of(sequences)
            for second, sequences in self._tools.ledger.sequences_by_slot(
                self._place.conversation, seconds
            ).items()
        }
        for row in rows:
            self._one(row, known.get(row.message_key, []), taken)

    def _one(self, row: PlannedMessage, known: list[Delivery], taken: dict[int, set[int]]) -> None:
        ended = known_outcome(row, known, self._tools.run_id)
        if row.outcome and not (ended and ended[0] in (Outcome.IMPORTED, Outcome.ALREADY_IMPORTED)):
            self._end(row, Outcome(row.outcome), row.reason)
        elif ended is not None:
            if ended[1] == "key_conflict":
                self._conflicts.add()
            self._end(row, *ended)
        elif self._deferring or row.sent_at_ms > self._tools.clock.now_ms() - NOW_MARGIN_MS:
            self._deferring = True
            self._end(row, Outcome.DEFERRED, "too_new")
        else:
            self._send_row(row, {each.part: each for each in known}, taken)

    def _send_row(
        self, row: PlannedMessage, known: dict[int, Delivery], taken: dict[int, set[int]]
    ) -> None:
        second = row.sent_at_ms // 1000
        used = taken.setdefault(second, set())
        stated = next((each.sequence for each in known.values() if each.sequence is not None), None)
        rank = free_rank(row.rank, used) if stated is None else stated // PARTS_PER_RANK
        used.add(rank)
        for part, body in enumerate(row.bodies):
            delivery = known.get(part) or new_delivery(
                row,
                part,
                slot=second,
                sequence=rank * PARTS_PER_RANK + part,
                random=vendor_random(row.message_key, part),
                render_version=self._tools.rules.render_version,
                run_id=self._tools.run_id,
            )
            if delivery.state is DeliveryState.DELIVERED:
                continue
            failed = self._send_part(row, delivery, body)
            if failed is not None:
                return
        self._end(row, Outcome.IMPORTED)

    def _send_part(self, row: PlannedMessage, delivery: Delivery, body: str) -> Failure | None:
        """Send one part; return the failure with which the row ended, or None."""
        if delivery.state in (DeliveryState.PLANNED, DeliveryState.REJECTED):
            delivery = msgspec.structs.replace(delivery, source_hash=row.source_hash)
            self._moves.append(intend(delivery, self._tools.run_id))
            delivery = msgspec.structs.replace(
                delivery,
                state=DeliveryState.INTENT,
                attempts=delivery.attempts + 1,
                run_id=self._tools.run_id,
            )
            self._flush()
        message = DirectMessageOut(
            sender=delivery.sender,
            recipient=delivery.recipient,
            slot=delivery.slot,
            sequence=delivery.sequence or 0,
            random=delivery.random,
            body=body,
            metadata=row.metadata,
            as_unread=row.as_unread,
        )
        try:
            answer = self._tools.caller.call(
                "importmsg",
                lambda: self._tools.target.send_direct_message(message),
                repeatable=True,
                priority=self._remaining,
            )
        except MigrationError as error:
            end = doubt if error.may_have_effect else release
            self._moves.append(end(delivery, code=None, reason=error.what))
            raise
        if isinstance(answer, Done):
            self._moves.append(deliver(delivery, run_id=self._tools.run_id))
            return None
        if answer.advice is Advice.REJECT_ITEM and self._is_there(message):
            # No page says how a repeated message is answered (unknown U25).
            self._moves.append(deliver(delivery, run_id=self._tools.run_id))
            return None
        self._failed(row, delivery, answer)
        return answer

    def _is_there(self, message: DirectMessageOut) -> bool:
        found = self._tools.caller.call(
            "admin_getroammsg",
            lambda: self._tools.target.has_direct_message(message),
            repeatable=True,
            priority=self._remaining,
        )
        return found is True

    def _failed(self, row: PlannedMessage, delivery: Delivery, failed: Failure) -> None:
        _log.warning("%s: %s", self._place.conversation, failed)
        if failed.effect is Effect.UNKNOWN:
            self._moves.append(doubt(delivery, code=failed.code, reason=failed.text))
            self._end(row, Outcome.IN_DOUBT, "unknown_outcome", failed)
        elif failed.advice is Advice.STOP_RUN:
            self._moves.append(release(delivery, code=failed.code, reason=failed.text))
            raise self._tools.caller.stop_error(failed)
        else:
            reason = (
                "account_missing" if failed.advice is Advice.MISSING_ACCOUNT else "message_refused"
            )
            self._moves.append(reject(delivery, code=failed.code, reason=reason))
            self._end(row, Outcome.REJECTED, reason, failed)

    def _end(
        self, row: PlannedMessage, outcome: Outcome, reason: str = "", failed: Failure | None = None
    ) -> None:
        self._remaining -= 1
        end_row(self._tools, _KIND, row, outcome, reason, failure=failed)

    def _flush(self) -> None:
        if self._moves:
            moves, self._moves = self._moves, []
            self._tools.ledger.advance(self._place.conversation, moves)
