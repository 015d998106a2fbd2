"""Comparing what the ledger believes of a group with what the target holds."""

from __future__ import annotations

import msgspec

from chat_migration.delivery.frontiers import Frontiers
from chat_migration.delivery.matching import Match, match_rows, read_back
from chat_migration.delivery.rows import Part, new_delivery
from chat_migration.delivery.stream_state import StreamState
from chat_migration.errors import RowsInDoubtError
from chat_migration.ledger.moves import deliver, intend, release, withdraw
from chat_migration.ledger.records import Delivery
from chat_migration.ledger.states import DeliveryState as S
from chat_migration.model import Outcome
from chat_migration.planning.slots import Slots
from chat_migration.planning.tables import MessageReader
from chat_migration.targets.base import Advice, Effect, Failure, StoredMessage


class ConversationStoppedError(Exception):
    """Nothing more can be sent to this conversation; the rest of its rows end with this failure."""

    def __init__(self, reason: str, failure: Failure) -> None:
        super().__init__(reason)
        self.reason, self.failure = reason, failure


class History:
    """Reads one conversation back, and records what it finds."""

    def __init__(self, state: StreamState, reader: MessageReader, frontiers: Frontiers) -> None:
        self._state, self._reader, self._frontiers = state, reader, frontiers

    def slots(self) -> Slots:
        """Return the conversation's slots, after its frontier was compared once with the ledger's.

        Raises:
            ConversationStoppedError: the group is gone.
        """
        if self._state.slots is not None:
            return self._state.slots
        found = self._frontiers.of(self._state.place)
        if not found.exists:
            raise ConversationStoppedError("group_gone", found.failure or _GONE)
        if found.next_sequence - 1 > self._state.stream.confirmed_sequence:
            self._recognise(self._read_back())
        return self._state.new_slots([found.newest_slot])

    def forget(self) -> None:
        """Ask the target anew before the next slot is handed out."""
        self._state.slots = None
        self._frontiers.forget(self._state.place)

    def resolve_unresolved(self) -> None:
        """Find out about what a killed or cut-off run had in flight, before anything is sent."""
        state = self._state
        unresolved = state.tools.ledger.unresolved(state.place.conversation)
        if not unresolved:
            return
        state.tools.caller.pause(state.tools.settle_seconds)
        stored = self._read_back()
        by_name = {_name(each): each for each in stored}
        bare = [each for each in stored if each.is_bare]
        if bare and len(bare) == len(unresolved):
            by_name = {_sent(each): found for each, found in zip(unresolved, bare, strict=True)}
        for delivery in unresolved:
            found = by_name.get(_sent(delivery))
            if found is None:
                state.moves.append(release(delivery, code=None, reason="it is not in the target"))
            else:
                state.moves.append(deliver(delivery, sequence=found.sequence))
                state.advance(delivery)
        state.flush()

    def record_landed(self, batch: list[Part]) -> list[Part]:
        """Record those parts of a batch that the target holds; return the others, in order."""
        stored = self._read_back()
        bare = [each for each in stored if each.is_bare]
        by_name = {_name(each): each for each in stored if not each.is_bare}
        missing: list[Part] = []
        for part in batch:
            delivery = part.delivery
            found = by_name.pop(_sent(delivery), None)
            if found is None:
                missing.append(part)
            else:
                self.landed(part, found.sequence)
        if bare:
            missing = self._landed_bare(missing, bare)
        if by_name:
            # Parts of an earlier, larger call may have landed as well; what is none of ours is foreign.
            self._state.flush()
            self._recognise(list(by_name.values()))
            self.forget()
        self._state.confirm(max((each.sequence for each in stored), default=0))
        return missing

    def _landed_bare(self, missing: list[Part], bare: list[StoredMessage]) -> list[Part]:
        """Settle parts of which only the numbers can be read back, because they are past the retention.

        Raises:
            RowsInDoubtError: some landed, and nothing tells which.
        """
        if len(bare) != len(missing):
            raise RowsInDoubtError(
                f"`{self._state.place.conversation}`: {len(bare)} of {len(missing)} messages of a call without an "
                "answer arrived, and the app no longer shows which: they are older than its retention.",
                advice="Lengthen the app's retention, then run again.",
            )
        for part, stored in zip(missing, bare, strict=True):
            self.landed(part, stored.sequence)
        return []

    def landed(self, part: Part, sequence: int) -> None:
        """Record one part as delivered."""
        state = self._state
        state.moves.append(deliver(part.delivery, sequence=sequence))
        state.advance(part.delivery)
        state.confirm(sequence)
        state.note_drift(part.delivery)
        if part.delivery.late:
            state.settle(part, Outcome.LATE_APPENDED, "late")
        else:
            state.settle(part, Outcome.IMPORTED)

    def _read_back(self) -> list[StoredMessage]:
        state = self._state
        return read_back(state.tools, state.address, above=state.stream.confirmed_sequence)

    def _recognise(self, stored: list[StoredMessage]) -> None:
        """Record messages the ledger did not know of: planned rows as delivered, others as foreign."""
        state = self._state
        rows = self._reader.rows(state.place)
        matches = {match.stored.sequence: match for match in match_rows(rows, stored)}
        keys = [match.row.message_key for match in matches.values()]
        known = {
            (part.message_key, part.part): part
            for parts in state.tools.ledger.deliveries(keys).values()
            for part in parts
        }
        for each in stored:
            match = matches.get(each.sequence)
            if match is None:
                state.note_foreign(each.slot)
                continue
            tried = known.get((match.row.message_key, match.part))
            if tried is None or tried.state not in (S.DELIVERED, S.WITHDRAWN):
                self._recognised(match, tried)
        state.confirm(max((each.sequence for each in stored), default=0))
        state.flush()

    def _recognised(self, match: Match, tried: Delivery | None) -> None:
        """Record a part that is in the target and of which the ledger did not know that it is.

        What the ledger tried to send it knows the content of; of anything else the source's content is taken to be
        the one that is there, unless it has more parts than that.
        """
        state, stored, row = self._state, match.stored, match.row
        if tried is not None:
            delivery = msgspec.structs.replace(tried, slot=stored.slot)
        else:
            delivery = new_delivery(
                row,
                match.part,
                slot=stored.slot,
                random=stored.random,
                render_version=state.tools.rules.render_version,
                run_id="",
                parts=max(len(row.bodies), match.part + 1),
            )
            if match.part >= len(row.bodies):
                delivery = msgspec.structs.replace(delivery, source_hash="")
        if delivery.state is S.REJECTED:
            state.moves.append(intend(delivery, delivery.run_id))
        move = deliver(delivery, sequence=stored.sequence)
        state.moves.append(move)
        state.advance(delivery)
        if stored.withdrawn:
            state.moves.append(withdraw(move.delivery, source_hash=delivery.source_hash, run_id=""))


def _name(stored: StoredMessage) -> tuple[str, int, int]:
    """Return by what a message is known to be ours."""
    return stored.sender, stored.random, stored.slot


def _sent(delivery: Delivery) -> tuple[str, int, int]:
    """Return by what a delivery would be known in the target."""
    return delivery.sender, delivery.random, delivery.slot


_GONE = Failure(
    api="get_group_info",
    code=10010,
    text="the group does not exist or was disbanded",
    advice=Advice.STOP_CONVERSATION,
    effect=Effect.NONE,
)
