"""Streaming one one-to-one conversation: one message a call, oldest first, repeatable by the vendor's triple."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from itertools import chain, islice

import msgspec

from chat_migration.delivery.changes import Made, edit_of, make_edit, make_withdrawal
from chat_migration.delivery.context import Tools
from chat_migration.delivery.direct_changes import DirectChannel, key_of
from chat_migration.delivery.rows import KeyConflicts, end_row, new_delivery
from chat_migration.delivery.verdicts import TOO_LONG, Todo, verdict
from chat_migration.delivery.waiting import is_past
from chat_migration.errors import MigrationError
from chat_migration.keys import vendor_random
from chat_migration.ledger.moves import Move, deliver, doubt, intend, reject, release
from chat_migration.ledger.records import Delivery
from chat_migration.ledger.states import UNRESOLVED, DeliveryState
from chat_migration.model import Outcome, RecordType
from chat_migration.planning.slots import PARTS_PER_RANK, free_rank, ranks_of
from chat_migration.planning.tables import MessageReader, PlannedConversation, PlannedMessage
from chat_migration.targets.base import Advice, DirectMessageOut, Done, Effect, Failure, ItemResult

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
        self._channel = DirectChannel(
            tools,
            hold=lambda: tools.lease.assure(place.conversation),
            priority=lambda: self._remaining,
        )
        self._rows: Iterator[PlannedMessage] = reader.rows(place)
        self._moves: list[Move] = []
        self._chunk_left: deque[PlannedMessage] = deque()
        self._remaining = place.rows
        self._deferring = False

    def run(self) -> None:
        """Send what is left to send; every row ends with its outcome.

        Raises:
            LostHoldError: another run has taken the conversation over; :meth:`skip` ends what is left.
            StoppedError, InterruptedRunError: the run ends; what was sent is recorded, nothing is lost.
        """
        try:
            while chunk := list(islice(self._rows, _CHUNK)):
                self._chunk(chunk)
        finally:
            self._flush()

    def skip(self) -> None:
        """End the rows that are left: another run holds the conversation, and what it sends is not ours to say."""
        self._moves.clear()
        for row in chain(self._chunk_left, self._rows):
            self._end(row, Outcome.DEFERRED, "held_elsewhere")

    def _chunk(self, rows: list[PlannedMessage]) -> None:
        known = self._tools.ledger.deliveries([row.message_key for row in rows])
        seconds = sorted({row.sent_at_ms // 1000 for row in rows if row.message_key not in known})
        taken = {
            second: ranks_of(sequences)
            for second, sequences in self._tools.ledger.sequences_by_slot(
                self._place.conversation, seconds
            ).items()
        }
        self._chunk_left.extend(rows)
        while self._chunk_left:
            row = self._chunk_left[0]
            self._one(row, known.get(row.message_key, []), taken)
            self._chunk_left.popleft()

    def _one(self, row: PlannedMessage, known: list[Delivery], taken: dict[int, set[int]]) -> None:
        if any(each.state in UNRESOLVED and _is_other(each, row) for each in known):
            known = self._resolved(known)
        decided = verdict(row, known, self._tools.run_id)
        while isinstance(decided, Todo) and decided is not Todo.SEND:
            made = self._bring_up_to_date(row, known, decided)
            if made is None:
                return
            known = made.parts
            decided = verdict(row, known, self._tools.run_id)
        if not isinstance(decided, Todo):
            if decided[1] == "key_conflict":
                self._conflicts.add()
            self._end(row, *decided)
        elif self._deferring or not is_past(self._tools, row.sent_at_ms, self._flush):
            self._deferring = True
            self._end(row, Outcome.DEFERRED, "too_new")
        else:
            self._send_row(row, {each.part: each for each in known}, taken)

    # --- what is there already ------------------------------------------------------------------

    def _resolved(self, known: list[Delivery]) -> list[Delivery]:
        """Find out whether parts of unknown outcome arrived, before their row is sent otherwise or not at all.

        Sending them again would not tell: the target drops a repeat, whatever it says.
        """
        self._tools.caller.pause(self._tools.settle_seconds)
        for each in known:
            if each.state not in UNRESOLVED:
                continue
            if self._channel.look(key_of(each)) is not None:
                self._moves.append(deliver(each))
            else:
                self._moves.append(release(each, code=None, reason="it is not in the target"))
        self._flush()
        return self._tools.ledger.deliveries([known[0].message_key])[known[0].message_key]

    def _bring_up_to_date(
        self, row: PlannedMessage, known: list[Delivery], todo: Todo
    ) -> Made | None:
        """Change or withdraw what was delivered of a row; None: it stays as it was, and the row has ended."""
        run_id = self._tools.run_id
        # What is known so far comes before the next call of this conversation.
        self._flush()
        if todo is Todo.WITHDRAW:
            made = make_withdrawal(self._channel, row, known, run_id=run_id)
        else:
            edit = edit_of(known, row.bodies)
            if edit is None:
                self._end(row, Outcome.REJECTED, TOO_LONG)
                return None
            version = self._tools.rules.render_version
            made = make_edit(self._channel, row, known, edit, render_version=version, run_id=run_id)
        self._moves += made.moves
        if made.failure is not None:
            self._end(row, Outcome.REJECTED, made.reason, made.failure)
            return None
        return made

    # --- what is to be sent ---------------------------------------------------------------------

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
            if delivery.state in (DeliveryState.DELIVERED, DeliveryState.WITHDRAWN):
                continue
            delivery = msgspec.structs.replace(delivery, parts=len(row.bodies))
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
                lambda: self._send(message),
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

    def _send(self, message: DirectMessageOut) -> ItemResult:
        self._tools.lease.assure(self._place.conversation)
        return self._tools.target.send_direct_message(message)

    def _is_there(self, message: DirectMessageOut) -> bool:
        found = self._tools.caller.call(
            "admin_getroammsg",
            lambda: self._tools.target.has_direct_message(message),
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
            self._tools.ledger.advance(
                self._place.conversation, moves, holder=self._tools.lease.worker_id
            )


def _is_other(delivery: Delivery, row: PlannedMessage) -> bool:
    """Tell whether a part was sent with another content than its row has now."""
    return bool(row.outcome) or delivery.source_hash != row.source_hash
