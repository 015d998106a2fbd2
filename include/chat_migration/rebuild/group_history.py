"""Going through the history of one group or topic as the target tells it, oldest first, and remembering what is ours.

Each message is looked for among the planned rows by sender and ``Random``. What was appended late is told from the
order in which messages stand: it comes behind rows that are younger. Of messages past the app's retention only the
number may be left; they are taken for the planned ones that stand between the same neighbours, if there are as many.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from itertools import islice

import msgspec

from chat_migration.delivery.decisions import late_prefix
from chat_migration.delivery.group_messages import TOO_OLD
from chat_migration.delivery.matching import is_nameless
from chat_migration.delivery.rows import new_delivery
from chat_migration.delivery.stream_state import StreamState
from chat_migration.keys import vendor_random
from chat_migration.ledger.moves import intend, reject, release
from chat_migration.ledger.records import Delivery, Stream
from chat_migration.ledger.states import DeliveryState
from chat_migration.model import RecordType
from chat_migration.planning.forecast import is_late
from chat_migration.planning.slots import Slots
from chat_migration.planning.tables import PlannedConversation, PlannedMessage
from chat_migration.rebuild.findings import Found
from chat_migration.rebuild.ground import (
    NOT_PROVABLE,
    Ground,
    delivered_parts,
    is_to_send,
    restoring,
)
from chat_migration.rebuild.reading import GroupReading
from chat_migration.rebuild.row_index import RowIndex, SeenParts, part_of
from chat_migration.targets.base import Frontier, StoredMessage
from chat_migration.targets.rules import Unsendable

_KIND = RecordType.GROUP_MESSAGES
_BURST_MS = 1000
"""How far a burst lifts a message at most that is taken for one of which only sender and time are left."""
_AT_ONCE = 500
"""Messages written in one transaction; the most that an interruption loses."""


class _Match(msgspec.Struct, frozen=True):
    """A planned part that the target holds, by the row's number."""

    number: int
    row: PlannedMessage
    part: int
    is_refused: bool = False
    """Whether an earlier rebuild gave it up."""


class GroupHistory:
    """The replay of one conversation. Used by one thread.

    Memory: eight bytes a part and one a row of the plan, and the messages of one transaction.

    Args:
        frontier: what the target says of the conversation as a whole.
        claim: called once before anything is written: the conversation is ours.
    """

    def __init__(
        self,
        ground: Ground,
        place: PlannedConversation,
        frontier: Frontier,
        claim: Callable[[], object],
    ) -> None:
        self._frontier = frontier
        self._ground, self._tools, self._place = ground, ground.tools, place
        self._claim: Callable[[], object] | None = claim
        self._state = StreamState(ground.tools, place)
        self._rows = ground.shelf.rows(place)
        self._reader = ground.shelf.reader(place)
        self._rules = ground.tools.rules
        self._index = RowIndex(self._rows, bits=self._rules.random_bits)
        self._seen = SeenParts(place.rows)
        self._late: set[int] = set()
        self._doubtful: list[range] = []
        self._last: _Match | None = None
        self._bare = array("q")
        self._nameless: dict[str, list[int]] = {}
        self._newest = 0
        self._next = 0
        self._pending: list[Delivery] = []
        self._withdrawn: set[int] = set()
        # After an ambiguity everything is looked at again: the app's retention may be longer by now. Where late
        # messages go to their time, new ones may stand anywhere.
        again = ground.tools.ledger.has_rejected(place.conversation, NOT_PROVABLE)
        again = again or self._rules.late_goes_to_its_time
        self.start = 0 if again else self._state.stream.confirmed_sequence
        self._stream = Stream() if again else self._state.stream
        self._begun_at = (self._stream.newest_sent_ms, self._stream.newest_order)
        self._written = self._state.stream
        self.foreign = 0

    @property
    def recognised(self) -> int:
        """Return how many messages of the target are planned ones."""
        return self._seen.count

    def replay(self) -> None:
        """Read everything and keep what is recognised; nothing is written before a match.

        Raises:
            UnreadableGroupError: the target refuses to show the messages.
            StoppedError, InterruptedRunError: what was written so far is right and stays.
        """
        reading = GroupReading(self._tools, self._state.address)
        last = None if self._rules.late_goes_to_its_time else self._frontier.next_sequence - 1
        for stored in reading.messages(above=self.start, last=last):
            self._one(stored)
            if len(self._pending) >= _AT_ONCE:
                self.flush()

    # --- one message ----------------------------------------------------------------------------

    def _one(self, stored: StoredMessage) -> None:
        self._newest = max(self._newest, stored.sequence)
        if stored.is_bare:
            self._bare.append(stored.sequence)
            return
        if is_nameless(stored):
            self._nameless.setdefault(stored.sender, []).append(stored.slot)
            return
        match = self._match(stored)
        if match is None:
            self.foreign += 1
            self._note_foreign(stored)
            return
        late = self._is_late(match)
        if not late:
            self._settle_bare(match.number, lambda slots: _stands_at(slots, match, stored.slot))
            self._next = match.number + 1
        self._keep(
            match, slot=stored.slot, random=stored.random, sequence=stored.sequence, late=late
        )
        if stored.withdrawn:
            self._withdrawn.add(stored.sequence)

    def _match(self, stored: StoredMessage) -> _Match | None:
        """Return the planned part that a message is, each part at most once."""
        if self._last is not None and (again := self._continued(self._last, stored)) is not None:
            return again
        for number in self._index.find(stored.random) if stored.random else ():
            row = self._reader.row(self._place, number)
            if row.sender != stored.sender or stored.slot < self._state.own_slot(row.sent_at_ms):
                continue
            part = part_of(row, stored.random, bits=self._rules.random_bits)
            if part is not None and (number, part) not in self._seen:
                return _Match(number, row, part)
        return None

    def _continued(self, last: _Match, stored: StoredMessage) -> _Match | None:
        """Return the part after the last one: also one that the plan has no longer, or only of a late message."""
        bits = self._rules.random_bits
        part = part_of(last.row, stored.random, parts=(last.part + 1,), bits=bits)
        if part is None or last.row.sender != stored.sender or (last.number, part) in self._seen:
            return None
        return _Match(last.number, last.row, part)

    def _is_late(self, match: _Match) -> bool:
        """Tell whether a message was appended late; all parts of a row are, or none."""
        if self._rules.late_goes_to_its_time:
            return False
        if self._seen.has_row(match.number):
            return match.number in self._late
        return is_late(match.row, self._stream, self._rules.slot_ms)

    def _keep(self, match: _Match, *, slot: int, random: int, sequence: int, late: bool) -> None:
        """Remember one part as delivered; it is written with others."""
        row, number = match.row, match.number
        delivery = new_delivery(
            row,
            match.part,
            slot=slot,
            random=random,
            sequence=sequence,
            render_version=self._rules.render_version,
            run_id=self._tools.run_id,
            late=late,
            parts=max(self._parts(row, late=late), match.part + 1),
        )
        self._seen.add(number, match.part)
        if late:
            self._late.add(number)
        self._last = match
        self._stream = _advanced(self._stream, delivery)
        self._pending.append(delivery)

    def _parts(self, row: PlannedMessage, *, late: bool) -> int:
        """Return how many parts a row has as it was sent."""
        if not late or not row.bodies:
            return len(row.bodies)
        split = self._tools.settings.oversize_text == "split"
        try:
            bodies = self._rules.late_bodies(row.bodies, late_prefix(row.sent_at_ms), split=split)
        except Unsendable:
            return len(row.bodies)
        return len(bodies)

    def _note_foreign(self, stored: StoredMessage) -> None:
        newest = max(self._stream.foreign_slot or 0, stored.slot)
        self._stream = msgspec.structs.replace(self._stream, foreign_slot=newest)

    # --- messages of which only the number is left ----------------------------------------------

    def _settle_bare(self, end: int, fits: Callable[[Slots], bool]) -> None:
        """Take the numbers read since the last recognised message for the rows up to ``end``.

        That is done only if they are as many, and if the rows' slots would lead to what stands behind them.
        """
        if not self._bare:
            return
        count, slots = self._slots_of_gap(end)
        sequences, self._bare = self._bare, array("q")
        if count == len(sequences) and fits(slots):
            self._take_by_position(end, sequences)
        elif count:
            self._give_up(end)

    def fits_by_position(self) -> bool:
        """Tell whether the messages left are as many as the rows left, and the newest where the last row's would be."""
        count, slots = self._slots_of_gap(self._place.rows)
        return len(self._bare) > 0 and count == len(self._bare) and self._ends_there(slots)

    def _ends_there(self, slots: Slots) -> bool:
        return slots.last is not None and slots.last == self._frontier.newest_slot

    def _slots_of_gap(self, end: int) -> tuple[int, Slots]:
        """Return how many parts are missing up to row ``end``, and the slots after they were handed out."""
        slots, count = self._slots(), 0
        for count, match in enumerate(self._gap(end), start=1):  # noqa: B007 - the last is the count
            slots.take(match.row.sent_at_ms)
        return count, slots

    def _slots(self) -> Slots:
        keep_ties = self._tools.settings.same_second == "keep"
        slot_ms = self._rules.slot_ms
        return Slots(self._stream.newest_slot, slot_ms=slot_ms, keep_ties=keep_ties)

    def _take_by_position(self, end: int, sequences: array[int]) -> None:
        slots = self._slots()
        for match, sequence in zip(self._gap(end), sequences, strict=True):
            slot = slots.take(match.row.sent_at_ms)
            random = self._random(match.row, match.part)
            self._keep(match, slot=slot, random=random, sequence=sequence, late=False)
            if len(self._pending) >= _AT_ONCE:
                self.flush()

    def _give_up(self, end: int) -> None:
        """Remember the rows up to ``end`` as ones that no run may send: they may be there or not."""
        self.flush()
        self._doubtful.append(range(self._next, end))
        for match in self._gap(end):
            if match.part == 0 and not match.is_refused:
                self._refuse(match.row, 0, NOT_PROVABLE)
            if len(self._state.moves) >= _AT_ONCE:
                self._write()
        self._write()

    def _gap(self, end: int) -> Iterator[_Match]:
        """Yield the parts from the last recognised row on, up to row ``end``, that were not found yet.

        Those that another reason keeps from the target are left out.
        """
        numbered = islice(enumerate(self._rows()), self._next, end)
        while chunk := list(islice(numbered, _AT_ONCE)):
            known = self._tools.ledger.deliveries([row.message_key for _, row in chunk])
            for number, row in chunk:
                parts = known.get(row.message_key, [])
                refused = {each.reason for each in parts if each.state is DeliveryState.REJECTED}
                if not is_to_send(row) or refused - {NOT_PROVABLE} or self._is_before_start(row):
                    continue
                there = delivered_parts(parts)
                for part in range(len(row.bodies)):
                    if part not in there and (number, part) not in self._seen:
                        yield _Match(number, row, part, bool(refused))

    def _is_before_start(self, row: PlannedMessage) -> bool:
        """Tell whether the replay began behind a row."""
        newest_ms, newest_order = self._begun_at
        return newest_ms is not None and (row.sent_at_ms, row.order_key) < (newest_ms, newest_order)

    # --- the end --------------------------------------------------------------------------------

    def finish(self) -> None:
        """Settle what is left, write everything, and count the rows."""
        self._settle_bare(self._place.rows, self._ends_there)
        self.flush()
        self._state.confirm(max(self._newest, self._frontier.next_sequence - 1))
        self._classify()
        self._write_frontier()
        self._ground.findings.messages(recognised=self.recognised, foreign=self.foreign)

    def _classify(self) -> None:
        """Count every row by what is known of it now; name those that can no longer come to their place."""
        numbered = enumerate(self._rows())
        while chunk := list(islice(numbered, _AT_ONCE)):
            known = self._tools.ledger.deliveries([row.message_key for _, row in chunk])
            for number, row in chunk:
                self._count(number, row, known.get(row.message_key, []))
            self._write()

    def _count(self, number: int, row: PlannedMessage, known: list[Delivery]) -> None:
        findings, there = self._ground.findings, delivered_parts(known)
        if there and len(there) >= known[0].parts:
            ours = any(each.run_id == self._tools.run_id for each in known)
            findings.count(_KIND, Found.RESTORED if ours else Found.KNOWN)
        elif there:
            self._count_partial(row, known, there)
        elif not is_to_send(row):
            findings.count(_KIND, Found.NOT_SENT)
        elif any(number in each for each in self._doubtful):
            findings.name_message(_KIND, row, NOT_PROVABLE)
        elif any(_is_refused_for_good(each) for each in known):
            findings.count(_KIND, Found.KNOWN)
        elif self._is_too_old(row):
            findings.count(_KIND, Found.MISSING, reason=TOO_OLD)
        elif self._may_be_nameless(row):
            if not any(each.state is DeliveryState.REJECTED for each in known):
                self._refuse(row, 0, NOT_PROVABLE)
            findings.name_message(_KIND, row, NOT_PROVABLE)
        else:
            self._take_back(known)
            if self._is_behind(row):
                findings.name_message(_KIND, row, "behind_newer")
            else:
                findings.count(_KIND, Found.MISSING)

    def _is_behind(self, row: PlannedMessage) -> bool:
        """Tell whether a row can no longer come to its place."""
        if self._rules.late_goes_to_its_time:
            return False
        return is_late(row, self._stream, self._rules.slot_ms)

    def _is_too_old(self, row: PlannedMessage) -> bool:
        """Tell whether a row can no longer be sent; whether it is there is nothing that a run must know."""
        oldest = self._tools.target.oldest_slot()
        return oldest is not None and self._state.own_slot(row.sent_at_ms) < oldest

    def _may_be_nameless(self, row: PlannedMessage) -> bool:
        """Tell whether a row may be there, as one of the messages of which only sender and time are left."""
        ahead = max(1, _BURST_MS // self._rules.slot_ms)
        own = self._state.own_slot(row.sent_at_ms)
        return any(0 <= slot - own < ahead for slot in self._nameless.get(row.sender, ()))

    def _take_back(self, known: list[Delivery]) -> None:
        """Let runs send what an earlier rebuild gave up: it is certainly not there."""
        for each in known:
            if each.state is DeliveryState.REJECTED:
                self._state.moves.append(intend(each, self._tools.run_id))
                self._state.moves.append(release(each, code=None, reason=""))

    def _count_partial(self, row: PlannedMessage, known: list[Delivery], there: set[int]) -> None:
        """Count a row of which some parts are there: its end may still come, unless something newer follows."""
        newest = (self._stream.newest_sent_ms, self._stream.newest_order)
        is_last = newest == (row.sent_at_ms, row.order_key)
        undecided = {each.part: each for each in known}
        if is_last or not row.bodies or self._rules.late_goes_to_its_time:
            self._ground.findings.count(_KIND, Found.MISSING, reason="last_parts")
            return
        for part in range(known[0].parts):
            if part not in there and part not in undecided:
                self._refuse(row, part, "part_missing")
        self._ground.findings.name_message(_KIND, row, "part_missing")

    # --- the ledger -----------------------------------------------------------------------------

    def _random(self, row: PlannedMessage, part: int) -> int:
        return vendor_random(row.message_key, part, bits=self._rules.random_bits)

    def _refuse(self, row: PlannedMessage, part: int, reason: str) -> None:
        """Say that no run may send a part, unless the ledger knows better."""
        delivery = new_delivery(
            row,
            part,
            slot=self._state.own_slot(row.sent_at_ms),
            random=self._random(row, part),
            render_version=self._rules.render_version,
            run_id=self._tools.run_id,
        )
        self._state.moves.append(reject(delivery, code=None, reason=reason))

    def flush(self) -> None:
        """Write the parts that are waiting, in one transaction with how far everything is known."""
        pending, self._pending = self._pending, []
        keys = list({each.message_key for each in pending})
        known = {
            (each.message_key, each.part): each
            for parts in self._tools.ledger.deliveries(keys).values()
            for each in parts
        }
        for delivery in pending:
            self._deliver(delivery, known.get((delivery.message_key, delivery.part)))
        if pending and not self._bare:
            self._state.confirm(max(each.sequence or 0 for each in pending))
        self._write()
        self._withdrawn.clear()

    def _deliver(self, delivery: Delivery, known: Delivery | None) -> None:
        """Move a part to where the target has it, from wherever it is; one that was delivered stays as it is."""
        self._state.advance(delivery)
        self._state.moves += restoring(
            delivery,
            known.state if known else None,
            withdrawn=delivery.sequence in self._withdrawn,
        )

    def _write(self) -> None:
        """Write the moves that wait and the frontier; the conversation is claimed before the first."""
        state = self._state
        if self._stream.foreign_slot is not None:
            state.note_foreign(self._stream.foreign_slot)
        if state.moves:
            if self._claim is not None:
                self._claim()
                self._claim = None
            state.flush(dirty=any(move.verb == "deliver" for move in state.moves))
            self._written = state.stream

    def _write_frontier(self) -> None:
        """Write how far everything is known, where nothing else is written."""
        self._write()
        if self._state.stream != self._written:
            self._tools.ledger.advance(
                self._place.conversation,
                [],
                stream=self._state.stream,
                holder=self._tools.lease.worker_id,
            )


def _advanced(stream: Stream, delivery: Delivery) -> Stream:
    """Return the frontier after one more part; one appended late stands out of time and does not move it."""
    here = (delivery.sent_at_ms, delivery.order_key)
    newest = max(stream.newest_slot or 0, delivery.slot)
    stream = msgspec.structs.replace(stream, newest_slot=newest)
    known = stream.newest_sent_ms
    if delivery.late or (known is not None and here <= (known, stream.newest_order)):
        return stream
    return msgspec.structs.replace(stream, newest_sent_ms=here[0], newest_order=here[1])


def _stands_at(slots: Slots, match: _Match, slot: int) -> bool:
    """Tell whether a message stands where it would behind the slots handed out; of later parts that is not known."""
    return match.part > 0 or slots.peek(match.row.sent_at_ms) == slot


def _is_refused_for_good(delivery: Delivery) -> bool:
    """Tell whether the target refused a part, or an earlier run did, for a reason that stays."""
    return delivery.state is DeliveryState.REJECTED and delivery.reason != NOT_PROVABLE
