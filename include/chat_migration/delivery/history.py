"""Comparing what the ledger believes of a group with what the target holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chat_migration.delivery.frontiers import Frontiers
from chat_migration.delivery.matching import (
    Match,
    is_nameless,
    match_rows,
    read_back,
    recognised,
    with_numbers,
)
from chat_migration.delivery.rows import Part
from chat_migration.delivery.stream_state import StreamState
from chat_migration.errors import RowsInDoubtError
from chat_migration.ledger.moves import deliver, release
from chat_migration.ledger.records import Delivery
from chat_migration.ledger.states import DeliveryState as S
from chat_migration.model import Outcome
from chat_migration.planning.slots import Slots
from chat_migration.planning.tables import MessageReader, PlannedMessage
from chat_migration.targets.base import Advice, Effect, Failure, Frontier, StoredMessage
from chat_migration.targets.verbs import Verb


class ConversationStoppedError(Exception):
    """Nothing more can be sent to this conversation; the rest of its rows end with this failure."""

    def __init__(self, reason: str, failure: Failure) -> None:
        super().__init__(reason)
        self.reason, self.failure = reason, failure


class History:
    """Reads one conversation back, and records what it finds."""

    def __init__(self, state: StreamState, reader: MessageReader, frontiers: Frontiers) -> None:
        self._state, self._reader, self._frontiers = state, reader, frontiers
        self._tools = state.tools

    def slots(self, first_ms: int) -> Slots:
        """Return the conversation's slots, after its frontier was compared once with the ledger's.

        ``first_ms`` is when the oldest row was sent of those that this run may still send.

        Raises:
            ConversationStoppedError: the group is gone.
        """
        if self._state.slots is not None:
            return self._state.slots
        found = self._frontiers.of(self._state.place)
        if not found.exists:
            raise ConversationStoppedError("group_gone", found.failure or self._gone())
        slot = self._state.own_slot(first_ms)
        if self._may_hide_ours(found, slot):
            self._recognise(self._unknown_from(slot))
        return self._state.new_slots([found.newest_slot])

    def _may_hide_ours(self, found: Frontier, slot: int) -> bool:
        """Tell whether the target may hold what the ledger does not know, among what could be sent from a slot on.

        Newer sequences than the confirmed one say so. Where late messages go to their time, the newest one by time
        need not be the one that came last: there, any message at or behind the slot may hide some of ours, which an
        earlier run sent and a ledger of before then does not know. What stands before the slot is not looked at: no
        row that is to be sent can be there, because nothing stands before its own time.
        """
        if found.next_sequence - 1 > self._state.stream.confirmed_sequence:
            return True
        late_anywhere = self._tools.rules.late_goes_to_its_time
        return late_anywhere and found.newest_slot is not None and found.newest_slot >= slot

    def _gone(self) -> Failure:
        return Failure(
            api=self._tools.rules.api_of[Verb.GROUP_FRONTIERS],
            code=None,
            text="the group does not exist or was disbanded",
            advice=Advice.STOP_CONVERSATION,
            effect=Effect.NONE,
        )

    def forget(self) -> None:
        """Ask the target anew before the next slot is handed out."""
        self._state.slots = None
        self._frontiers.forget(self._state.place)

    def resolve_unresolved(self) -> None:
        """Find out about what a killed or cut-off run had in flight, before anything is sent.

        Raises:
            RowsInDoubtError: some of it landed, and nothing tells what.
        """
        state = self._state
        unresolved = state.tools.ledger.unresolved(state.place.conversation)
        if not unresolved:
            return
        state.tools.caller.pause(state.tools.settle_seconds)
        stored = self._read_back(unresolved)
        by_name = {_name(each): each for each in stored if not is_nameless(each)}
        missing = [each for each in unresolved if _sent(each) not in by_name]
        confirmed = state.stream.confirmed_sequence
        newer = [each for each in stored if each.sequence > confirmed]
        by_name |= {_sent(each): found for each, found in self._by_position(missing, newer)}
        for delivery in unresolved:
            found = by_name.get(_sent(delivery))
            if found is None:
                state.moves.append(release(delivery, code=None, reason="it is not in the target"))
            else:
                state.moves.append(deliver(delivery, sequence=found.sequence))
                state.advance(delivery)
        state.flush()

    def record_landed(self, batch: list[Part]) -> list[Part]:
        """Record those parts of a batch that the target holds; return the others, in order.

        Raises:
            RowsInDoubtError: some landed, and nothing tells which.
        """
        stored = self._read_back([part.delivery for part in batch])
        # What lands below confirms the sequences before it.
        confirmed = self._state.stream.confirmed_sequence
        by_name = {_name(each): each for each in stored if not is_nameless(each)}
        missing: list[Part] = []
        for part in batch:
            found = by_name.pop(_sent(part.delivery), None)
            if found is None:
                missing.append(part)
            else:
                self.landed(part, found.sequence)
        newer = [each for each in stored if each.sequence > confirmed]
        by_position = self._by_position([part.delivery for part in missing], newer)
        for part, (_, found) in zip(missing, by_position, strict=False):
            self.landed(part, found.sequence)
        if others := [each for each in by_name.values() if each.sequence > confirmed]:
            # Parts of an earlier, larger call may have landed as well; what is none of ours is foreign.
            self._state.flush()
            self._recognise(others)
            self.forget()
        self._state.confirm(max((each.sequence for each in stored), default=0))
        return missing if not by_position else []

    def _by_position(
        self, missing: list[Delivery], newer: list[StoredMessage]
    ) -> list[tuple[Delivery, StoredMessage]]:
        """Return missing parts with the messages that nothing names, if these are as many: withdrawn, or expired.

        Raises:
            RowsInDoubtError: they are not, so that nothing tells which part landed.
        """
        nameless = [
            each
            for each in newer
            if is_nameless(each) and any(_may_be(each, delivery) for delivery in missing)
        ]
        if nameless and len(nameless) != len(missing):
            raise RowsInDoubtError(
                f"`{self._state.place.conversation}`: {len(nameless)} of {len(missing)} messages of a call without an "
                "answer arrived, and the app no longer shows which: they are older than its retention.",
                advice="Lengthen the app's retention, then run again.",
            )
        return list(zip(missing, nameless, strict=False))

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

    def _read_back(self, sent: list[Delivery]) -> list[StoredMessage]:
        """Return which of some parts landed, and whatever else is newer than what is confirmed, by sequence."""
        wanted = {_sent(each) for each in sent}
        confirmed = self._state.stream.confirmed_sequence
        kept: dict[int, StoredMessage] = {}
        for page in self._pages(min(each.slot for each in sent)):
            kept |= {
                each.sequence: each
                for each in with_numbers(page, sent, self._tools.rules)
                if each.sequence > confirmed or _name(each) in wanted
            }
        return [kept[sequence] for sequence in sorted(kept)]

    def _unknown_from(self, slot: int) -> list[StoredMessage]:
        """Return the messages from a slot on that may be ours without the ledger's knowing, by sequence.

        Along with them come the newest message and the newest that is certainly none of ours: how far both are is
        all that matters of the others.
        """
        ledger, conversation = self._tools.ledger, self._state.place.conversation
        kept: dict[int, StoredMessage] = {}
        newest: StoredMessage | None = None
        foreign: StoredMessage | None = None
        for page in self._pages(slot):
            known = ledger.names_there(conversation, [each.random for each in page if each.random])
            for each in page:
                if newest is None or each.sequence > newest.sequence:
                    newest = each
                if each.random:
                    kept |= {} if _name(each) in known else {each.sequence: each}
                elif not is_nameless(each) and (foreign is None or each.slot > foreign.slot):
                    foreign = each
        kept |= {each.sequence: each for each in (newest, foreign) if each is not None}
        return [kept[sequence] for sequence in sorted(kept)]

    def _pages(self, slot: int) -> Iterator[Sequence[StoredMessage]]:
        return read_back(self._tools, self._state.address, since=self._state.since(slot))

    def _recognise(self, stored: list[StoredMessage]) -> None:
        """Record messages the ledger did not know of: planned rows as delivered, others as foreign."""
        state = self._state
        rows = self._reader.rows(state.place)
        matches = {
            match.stored.sequence: match for match in match_rows(rows, stored, self._tools.rules)
        }
        sent = self._parts_sent(list(matches.values()))
        keys = list(sent)
        known = {
            (part.message_key, part.part): part
            for parts in state.tools.ledger.deliveries(keys).values()
            for part in parts
        }
        for each in stored:
            match = matches.get(each.sequence)
            if match is None:
                if not is_nameless(each):
                    state.note_foreign(each.slot)
                continue
            tried = known.get((match.row.message_key, match.part))
            if tried is None or tried.state not in (S.DELIVERED, S.WITHDRAWN):
                parts = sent[match.row.message_key]
                state.moves += recognised(
                    match.row, match.part, each, tried, parts=parts, rules=state.tools.rules
                )
                state.advance(state.moves[-1].delivery)
        state.confirm(max((each.sequence for each in stored), default=0))
        state.flush()

    def _parts_sent(self, matches: list[Match]) -> dict[str, int]:
        """Return in how many parts each recognised row was sent: in those that are there, if newer rows followed.

        The end of the newest one may still be missing; it has as many as the source has, or more.
        """
        newest = (self._state.stream.newest_sent_ms or 0, self._state.stream.newest_order)
        newest = max([newest, *(_order(match.row) for match in matches)])
        sent: dict[str, int] = {}
        for match in matches:
            least = len(match.row.bodies) if _order(match.row) == newest else 0
            known = sent.get(match.row.message_key, least)
            sent[match.row.message_key] = max(known, match.part + 1)
        return sent


def _order(row: PlannedMessage) -> tuple[int, str]:
    return row.sent_at_ms, row.order_key


def _name(stored: StoredMessage) -> tuple[str, int, int]:
    """Return by what a message is known to be ours."""
    return stored.sender, stored.random, stored.slot


def _sent(delivery: Delivery) -> tuple[str, int, int]:
    """Return by what a delivery would be known in the target."""
    return delivery.sender, delivery.random, delivery.slot


def _may_be(nameless: StoredMessage, delivery: Delivery) -> bool:
    """Tell whether a message that nothing names may be a part, by what is left of it."""
    return not nameless.sender or (
        nameless.sender == delivery.sender and nameless.slot >= delivery.slot
    )
