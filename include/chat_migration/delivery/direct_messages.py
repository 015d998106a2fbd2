"""Streaming one one-to-one conversation: one message a call, oldest first, exactly once in every copy of it.

A target may keep one message for both people, or a copy for each; it may drop repeats by a key of ours, or take
everything that it is sent. Where it takes everything, nothing is sent again before its copy was read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain, islice

import msgspec

from chat_migration.delivery.changes import Made, edit_of, make_edit, make_withdrawal
from chat_migration.delivery.context import Tools
from chat_migration.delivery.direct_changes import DirectChannel
from chat_migration.delivery.direct_copies import key_of, sides_of, told_of_copies
from chat_migration.delivery.direct_history import UnknownCopies
from chat_migration.delivery.direct_places import Place, places_of
from chat_migration.delivery.direct_reading import UNRECOGNISABLE, CopyReader, is_certain
from chat_migration.delivery.direct_sending import TOO_OLD, DirectSender, Ended
from chat_migration.delivery.direct_state import DirectState
from chat_migration.delivery.rows import KeyConflicts, new_delivery
from chat_migration.delivery.verdicts import TOO_LONG, Todo, verdict
from chat_migration.delivery.waiting import is_past
from chat_migration.keys import vendor_random
from chat_migration.ledger.moves import deliver, release
from chat_migration.ledger.records import Delivery
from chat_migration.ledger.states import UNRESOLVED, DeliveryState
from chat_migration.model import Outcome
from chat_migration.planning.forecast import is_late, takes_late_rows
from chat_migration.planning.tables import MessageReader, PlannedConversation, PlannedMessage

_CHUNK = 500
Copy = tuple[Delivery, str]
"""One part on its way into one copy, and its body."""


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
        self._state = DirectState(tools, place)
        self._copies = CopyReader(tools, priority=lambda: self._state.remaining)
        self._unknown = UnknownCopies(
            tools, place.conversation, priority=lambda: self._state.remaining
        )
        self._channel = DirectChannel(self._state, self._copies)
        self._sender = DirectSender(self._state, self._copies)
        self._places = places_of(tools, place.conversation)
        self._drops_repeats = tools.rules.chooses_direct_sequence
        self._rows: Iterator[PlannedMessage] = reader.rows(place)
        self._chunk_left: deque[PlannedMessage] = deque()
        self._deferring = False

    def run(self) -> None:
        """Send what is left to send; every row ends with its outcome.

        Raises:
            LostHoldError: another run has taken the conversation over; :meth:`skip` ends what is left.
            StoppedError, InterruptedRunError: the run ends; what was sent is recorded, nothing is lost.
        """
        try:
            if not self._drops_repeats:
                self._resolve_all()
            while chunk := list(islice(self._rows, _CHUNK)):
                self._chunk(chunk)
        finally:
            self._state.flush()

    def skip(self) -> None:
        """End the rows that are left: another run holds the conversation, and what it sends is not ours to say."""
        self._state.moves.clear()
        for row in chain(self._chunk_left, self._rows):
            self._state.end(row, Outcome.DEFERRED, "held_elsewhere")

    def _chunk(self, rows: list[PlannedMessage]) -> None:
        known = self._tools.ledger.deliveries([row.message_key for row in rows])
        if not self._drops_repeats:
            known = self._recognised(rows, known)
        self._places.begin([row for row in rows if row.message_key not in known])
        self._chunk_left.extend(rows)
        while self._chunk_left:
            row = self._chunk_left[0]
            self._one(row, known.get(row.message_key, []))
            self._chunk_left.popleft()

    def _one(self, row: PlannedMessage, known: list[Delivery]) -> None:
        if self._drops_repeats and any(
            each.state in UNRESOLVED and _is_other(each, row) for each in known
        ):
            known = self._resolved(known)
        decided = verdict(row, known, self._tools.run_id)
        while isinstance(decided, Todo) and decided is not Todo.SEND:
            made = self._bring_up_to_date(row, known, decided)
            if made is None:
                return
            known = made.parts
            decided = verdict(row, known, self._tools.run_id)
        if isinstance(decided, Todo):
            self._send(row, known)
            return
        if decided[1] == "key_conflict":
            self._conflicts.add()
        if decided[0] is Outcome.IMPORTED:
            # An earlier attempt of this run sent it; its part of the report is replaced by this one's.
            for each in known:
                self._state.note_drift(each)
        self._state.end(row, *decided, detail=told_of_copies(known))

    # --- what is there already ------------------------------------------------------------------

    def _resolved(self, known: list[Delivery]) -> list[Delivery]:
        """Find out whether parts of unknown outcome arrived, before their row is sent otherwise or not at all.

        Sending them again would not tell: the target drops a repeat, whatever it says.
        """
        self._tools.caller.pause(self._tools.settle_seconds)
        for each in known:
            if each.state not in UNRESOLVED:
                continue
            if self._copies.look(key_of(each)) is not None:
                self._state.moves.append(deliver(each))
            else:
                self._state.moves.append(release(each, code=None, reason=_NOT_THERE))
        self._state.flush()
        return self._tools.ledger.deliveries([known[0].message_key])[known[0].message_key]

    def _resolve_all(self) -> None:
        """Find out about what a killed or cut-off run had in flight, before anything is sent.

        What nothing tells any more stays in doubt, for as long as the app may keep it.
        """
        unresolved = self._tools.ledger.unresolved(self._place.conversation)
        if not unresolved:
            return
        self._tools.caller.pause(self._tools.settle_seconds)
        for each in unresolved:
            found = self._copies.look_for_sent(key_of(each))
            if found is None:
                self._state.moves.append(release(each, code=None, reason=_NOT_THERE))
            elif is_certain(found):
                self._state.found(each, found.sequence)
            elif self._sender.is_too_old(each):
                self._state.refuse(each, code=None, reason=TOO_OLD)
        self._state.flush()

    def _recognised(
        self, rows: list[PlannedMessage], known: dict[str, list[Delivery]]
    ) -> dict[str, list[Delivery]]:
        """Look, before anything is sent, for what is there without the ledger's knowing; return what it knows then."""

        def is_to_send(row: PlannedMessage) -> bool:
            parts = known.get(row.message_key, [])
            return verdict(row, parts, self._tools.run_id) is Todo.SEND

        if not any(is_to_send(row) for row in rows):
            return known
        self._unknown.read(
            next(row for row in rows if is_to_send(row) or row.message_key not in known)
        )
        found = [
            move
            for row in rows
            for move in self._unknown.recognise(row, known.get(row.message_key, []))
        ]
        if not found:
            return known
        self._state.recognised(found)
        return self._tools.ledger.deliveries([row.message_key for row in rows])

    def _bring_up_to_date(
        self, row: PlannedMessage, known: list[Delivery], todo: Todo
    ) -> Made | None:
        """Change or withdraw what was delivered of a row; None: it stays as it was, and the row has ended."""
        run_id = self._tools.run_id
        # What is known so far comes before the next call of this conversation.
        self._state.flush()
        if todo is Todo.WITHDRAW:
            made = make_withdrawal(self._channel, row, known, run_id=run_id)
        else:
            edit = edit_of(known, row.bodies)
            if edit is None:
                self._state.end(row, Outcome.REJECTED, TOO_LONG)
                return None
            version = self._tools.rules.render_version
            made = make_edit(self._channel, row, known, edit, render_version=version, run_id=run_id)
        self._state.moves += made.moves
        if made.failure is not None:
            self._state.end(row, Outcome.REJECTED, made.reason, made.failure)
            return None
        return made

    # --- what is to be sent ---------------------------------------------------------------------

    def _send(self, row: PlannedMessage, known: list[Delivery]) -> None:
        if not self._drops_repeats and any(each.state in UNRESOLVED for each in known):
            self._state.end(row, Outcome.IN_DOUBT, "unknown_outcome", detail=UNRECOGNISABLE)
            return
        late = self._is_late(row, known)
        if late and not known and not takes_late_rows(self._tools.settings, self._tools.rules):
            self._state.end(row, Outcome.LATE_REJECTED, "late")
            return
        places = [] if self._deferring else self._places.of(row, known)
        if not places or not self._is_past(row, places):
            self._deferring = True
            self._state.end(row, Outcome.DEFERRED, "too_new")
            return
        left = deque(self._missing(row, known, places, late=late))
        while left:
            ended = self._sender.send(row, *left[0])
            if ended is not None:
                self._ended(row, ended, [delivery for delivery, _ in left])
                return
            left.popleft()
        self._state.end(row, Outcome.IMPORTED, "late" if late else "")

    def _is_late(self, row: PlannedMessage, known: list[Delivery]) -> bool:
        """Tell whether a row turns up behind newer ones that are there; one that was tried before is as it was then."""
        stream = self._state.stream
        if known or stream is None:
            return any(each.went_back for each in known)
        return is_late(row, stream, slot_ms=self._tools.rules.slot_ms)

    def _is_past(self, row: PlannedMessage, places: list[Place]) -> bool:
        last_ms = max(row.sent_at_ms, places[-1].slot * self._tools.rules.slot_ms)
        return is_past(self._tools, last_ms, self._state.flush)

    def _missing(
        self, row: PlannedMessage, known: list[Delivery], places: list[Place], *, late: bool
    ) -> Iterator[Copy]:
        """Yield what is to be sent of a row, part by part, each into the sender's copy first."""
        rules, by_piece = self._tools.rules, {(each.part, each.side): each for each in known}
        for part, (place, body) in enumerate(zip(places, row.bodies, strict=True)):
            for side in sides_of(row, rules):
                delivery = by_piece.get((part, side)) or new_delivery(
                    row,
                    part,
                    side=side,
                    slot=place.slot,
                    sequence=place.sequence,
                    random=vendor_random(row.message_key, part, bits=rules.random_bits),
                    render_version=rules.render_version,
                    run_id=self._tools.run_id,
                )
                if delivery.state not in (DeliveryState.DELIVERED, DeliveryState.WITHDRAWN):
                    changed = {"slot": place.slot, "parts": len(row.bodies), "went_back": late}
                    yield msgspec.structs.replace(delivery, **changed), body

    def _ended(self, row: PlannedMessage, ended: Ended, left: list[Delivery]) -> None:
        """End a row of which the first of some parts is not there; what is too old now only gets older."""
        if ended.reason == TOO_OLD:
            for each in left[1:]:
                self._sender.refuse(row, each, TOO_OLD)
        told = ""
        if left[0].side:
            self._state.flush()
            told = told_of_copies(self._tools.ledger.deliveries([row.message_key])[row.message_key])
        said = ended.failure.text if ended.failure else ""
        detail = "; ".join(filter(None, (said, ended.detail, told)))
        self._state.end(row, ended.outcome, ended.reason, ended.failure, detail=detail)


def _is_other(delivery: Delivery, row: PlannedMessage) -> bool:
    """Tell whether a part was sent with another content than its row has now."""
    return bool(row.outcome) or delivery.source_hash != row.source_hash


_NOT_THERE = "it is not in the target"
