"""Looking for the messages between two people, by their triples, page by page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from chat_migration.delivery.direct_copies import side_of, sides_of
from chat_migration.delivery.direct_reading import pages_of_copy
from chat_migration.delivery.rows import new_delivery
from chat_migration.keys import vendor_random
from chat_migration.ledger.moves import Move, intend, reject, release
from chat_migration.ledger.records import SIDES, Delivery
from chat_migration.ledger.states import DeliveryState
from chat_migration.model import RecordType
from chat_migration.planning.slots import PARTS_PER_RANK
from chat_migration.planning.tables import PlannedConversation, PlannedMessage
from chat_migration.rebuild.findings import Found
from chat_migration.rebuild.ground import (
    NOT_PROVABLE,
    REACHED,
    Ground,
    is_to_send,
    restoring,
)
from chat_migration.rebuild.row_index import RowIndex, SeenParts, part_of
from chat_migration.targets.base import Advice, Failure, StoredMessage

_KIND = RecordType.C2C_MESSAGES
_AT_ONCE = 500
_ONLY_CANDIDATE = 1
_MOST_PARTS = 256
Piece = tuple[int, str]
"""(part, side) of a delivery."""


class DirectHistory:
    """The search in one one-to-one conversation. Used by one thread.

    Where a planned message lies is known: in the slot in which it was sent, or soon after it where ties are lifted. One
    that is not found may have been imported under another key, if its sender has another message in that slot; then no
    run may send it. Where each of the two people has a copy, all of this holds of each copy.
    """

    def __init__(self, ground: Ground, place: PlannedConversation) -> None:
        self._ground, self._tools, self._place = ground, ground.tools, place
        self._rows = ground.shelf.rows(place)
        self._reader = ground.shelf.reader(place)
        self._rules = ground.tools.rules
        self._slot_ms, self._bits = self._rules.slot_ms, self._rules.random_bits
        self._has_copies = self._rules.direct_copies == len(SIDES)
        self._index = RowIndex(self._rows, candidates=_ONLY_CANDIDATE, bits=self._bits)
        sides = SIDES if self._has_copies else ("",)
        self._found = {side: SeenParts(place.rows) for side in sides}
        self._others: Counter[tuple[str, str, int]] = Counter()
        self._pending: list[Delivery] = []
        self._withdrawn: set[tuple[str, int, str]] = set()
        self._moves: list[Move] = []
        self._wanted = self._restored = 0

    def run(self) -> None:
        """Find what is there; count every row."""
        span = self._span()
        if span is not None:
            for viewer, peer in self._views(span[2]):
                if not self._has_copies:
                    self._others.clear()
                for stored in self._messages(viewer, peer, span[0], span[1]):
                    self._one(viewer, stored)
                self._flush()
                if self._restored >= self._wanted:
                    break
        self._conclude()

    @property
    def _has_evidence(self) -> bool:
        return self._recognised > 0 or self._ground.evidence.exists

    @property
    def _recognised(self) -> int:
        return sum(each.count for each in self._found.values())

    def _span(self) -> tuple[int, int, PlannedMessage] | None:
        """Return the first and the last slot of what the ledger does not know, and one such row."""
        first: tuple[int, PlannedMessage] | None = None
        last = 0
        rows = (row for row in self._rows() if row.recipient and row.recipient != row.sender)
        while chunk := list(islice(rows, _AT_ONCE)):
            known = self._tools.ledger.deliveries([row.message_key for row in chunk])
            for row in chunk:
                there = _reached(known.get(row.message_key, []))
                wanted = max(1, len(row.bodies)) * len(sides_of(row, self._rules))
                missing = wanted - len(there)
                if missing <= 0 or (row.outcome and not _may_be_there(row)):
                    continue
                self._wanted += missing if is_to_send(row) else 0
                first = first or (row.sent_at_ms // self._slot_ms, row)
                last = row.sent_at_ms // self._slot_ms
        # Behind the last one others of its slot may have been lifted.
        room = self._place.rows * _MOST_PARTS if self._has_copies else 0
        return None if first is None else (first[0], last + room, first[1])

    def _views(self, row: PlannedMessage) -> list[tuple[str, str]]:
        """Return whose views of the conversation to read: each side sees its own. None without their accounts."""
        accounts = self._ground.accounts
        if row.sender not in accounts or row.recipient not in accounts:
            return []
        return [(row.sender, row.recipient), (row.recipient, row.sender)]

    def _messages(
        self, viewer: str, peer: str, first_slot: int, last_slot: int
    ) -> Iterator[StoredMessage]:
        """Yield what one side sees, newest first.

        Raises:
            StoppedError: the target does not answer.
        """
        pages = pages_of_copy(self._tools, viewer, peer, first_slot=first_slot, last_slot=last_slot)
        for page in pages:
            if isinstance(page, Failure):
                if page.advice is Advice.MISSING_ACCOUNT:
                    return
                raise self._tools.caller.stop_error(page)
            yield from page.messages

    # --- one message ----------------------------------------------------------------------------

    def _one(self, viewer: str, stored: StoredMessage) -> None:
        side = side_of(stored, viewer) if self._has_copies else ""
        for number in self._index.find(stored.random):
            row = self._reader.row(self._place, number)
            if not self._fits(row, stored):
                continue
            part = part_of(row, stored.random, bits=self._bits)
            if part is not None:
                self._keep(number, row, part, side, stored)
                return
        self._others[side, stored.sender, stored.slot] += 1

    def _fits(self, row: PlannedMessage, stored: StoredMessage) -> bool:
        """Tell whether a message stands where a row can stand: at its time, or lifted from it."""
        own = row.sent_at_ms // self._slot_ms
        is_lifted = stored.slot > own and not self._rules.chooses_direct_sequence
        return row.sender == stored.sender and (stored.slot == own or is_lifted)

    def _keep(
        self, number: int, row: PlannedMessage, part: int, side: str, stored: StoredMessage
    ) -> None:
        found = self._found[side]
        if (number, part) in found:
            return
        found.add(number, part)
        self._ground.evidence.exists = True
        if stored.withdrawn:
            self._withdrawn.add((row.message_key, part, side))
        self._pending.append(
            new_delivery(
                row,
                part,
                side=side,
                slot=stored.slot,
                sequence=stored.sequence,
                random=stored.random,
                render_version=self._tools.rules.render_version,
                run_id=self._tools.run_id,
                parts=max(len(row.bodies), part + 1),
            )
        )
        if len(self._pending) >= _AT_ONCE:
            self._flush()

    # --- the end --------------------------------------------------------------------------------

    def _conclude(self) -> None:
        """Count every row by what is known of it now; name those of which nobody can say whether they are there."""
        foreign = sum(self._others.values())
        self._ground.findings.messages(recognised=self._recognised, foreign=foreign)
        doubtful = False
        rows = self._rows()
        while chunk := list(islice(rows, _AT_ONCE)):
            known = self._tools.ledger.deliveries([row.message_key for row in chunk])
            for row in chunk:
                doubtful |= self._count(row, known.get(row.message_key, []))
            self._write()
        if doubtful and not self._has_evidence:
            self._ground.evidence.wait(self._place.conversation, self._remember_doubtful)

    def _count(self, row: PlannedMessage, known: list[Delivery]) -> bool:
        """Count one row; tell whether it is one that nobody can say anything about."""
        findings, there = self._ground.findings, _reached(known)
        if there and len(there) >= len(known[0].pieces):
            ours = any(each.run_id == self._tools.run_id for each in known)
            findings.count(_KIND, Found.RESTORED if ours else Found.KNOWN)
        elif not is_to_send(row):
            findings.count(_KIND, Found.NOT_SENT)
        elif (not there or self._has_copies) and self._doubtful_sides(row, there):
            self._refuse(row, known, there)
            findings.name_message(_KIND, row, NOT_PROVABLE)
            return True
        elif any(
            each.state is DeliveryState.REJECTED and each.reason != NOT_PROVABLE for each in known
        ):
            findings.count(_KIND, Found.KNOWN)
        else:
            self._take_back(known)
            findings.count(_KIND, Found.MISSING)
        return False

    def _take_back(self, known: list[Delivery]) -> None:
        """Let runs send what an earlier rebuild gave up: it is certainly not there."""
        for each in known:
            if each.state is DeliveryState.REJECTED:
                self._moves.append(intend(each, self._tools.run_id))
                self._moves.append(release(each, code=None, reason=""))

    def _doubtful_sides(self, row: PlannedMessage, there: set[Piece]) -> list[str]:
        """Return in whose copies a row that was not found may be: past the retention, or under another key."""
        days = self._ground.retention_days
        oldest_ms = 0 if days is None else self._tools.clock.now_ms() - days * 86_400_000
        is_old, slot = row.sent_at_ms < oldest_ms, row.sent_at_ms // self._slot_ms
        return [
            side
            for side in sides_of(row, self._rules)
            if (0, side) not in there and (is_old or (side, row.sender, slot) in self._others)
        ]

    def _refuse(self, row: PlannedMessage, known: list[Delivery], there: set[Piece]) -> None:
        """Say that no run may send a row, once something shows that the settings are right."""
        if not self._has_evidence or (known and not self._has_copies):
            return
        pieces = {(each.part, each.side) for each in known}
        for side in self._doubtful_sides(row, there):
            if (0, side) not in pieces:
                self._moves.append(reject(self._first(row, side), code=None, reason=NOT_PROVABLE))
        if len(self._moves) >= _AT_ONCE:
            self._write()

    def _first(self, row: PlannedMessage, side: str) -> Delivery:
        """Return a row's first part as a run would send it."""
        chooses = self._rules.chooses_direct_sequence
        return new_delivery(
            row,
            0,
            side=side,
            slot=row.sent_at_ms // self._slot_ms,
            sequence=row.rank * PARTS_PER_RANK if chooses else None,
            random=vendor_random(row.message_key, 0, bits=self._bits),
            render_version=self._rules.render_version,
            run_id=self._tools.run_id,
        )

    def _remember_doubtful(self) -> None:
        """Refuse the rows named before, now that everything was looked at."""
        rows = (row for row in self._rows() if is_to_send(row) and self._doubtful_sides(row, set()))
        while self._has_evidence and (chunk := list(islice(rows, _AT_ONCE))):
            known = self._tools.ledger.deliveries([row.message_key for row in chunk])
            for row in chunk:
                there = known.get(row.message_key, [])
                self._refuse(row, there, _reached(there))
            self._write()

    def _flush(self) -> None:
        """Write the parts that are waiting."""
        pending, self._pending = self._pending, []
        keys = list({each.message_key for each in pending})
        known = {
            (each.message_key, each.part, each.side): each.state
            for parts in self._tools.ledger.deliveries(keys).values()
            for each in parts
        }
        for delivery in pending:
            name = (delivery.message_key, delivery.part, delivery.side)
            state = known.get(name)
            self._moves += restoring(delivery, state, withdrawn=name in self._withdrawn)
            self._restored += state not in REACHED
        self._withdrawn.clear()
        self._write()

    def _write(self) -> None:
        if self._moves:
            moves, self._moves = self._moves, []
            self._tools.ledger.advance(
                self._place.conversation, moves, holder=self._tools.lease.worker_id
            )


def _reached(known: list[Delivery]) -> set[Piece]:
    """Return what the ledger has as delivered of a row, withdrawn since or not."""
    return {(each.part, each.side) for each in known if each.state in REACHED}


def _may_be_there(row: PlannedMessage) -> bool:
    """Tell whether an earlier run may have sent a row that none sends now: it was deleted or emptied since."""
    return bool(row.sender and row.recipient) and row.reason != "not_selected"
