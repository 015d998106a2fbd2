"""Where the parts of a one-to-one row stand: their slots, and the sequences where those are ours to choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from chat_migration.delivery.context import Tools
from chat_migration.ledger.records import Delivery
from chat_migration.ledger.states import DeliveryState
from chat_migration.planning.slots import PARTS_PER_RANK, free_rank, ranks_of
from chat_migration.planning.tables import PlannedMessage


class Place(msgspec.Struct, frozen=True):
    """Where one part stands; ``sequence`` None: the target gives one."""

    slot: int
    sequence: int | None = None


class Places(Protocol):
    """Hands out the places of one conversation, a chunk of its rows at a time."""

    def begin(self, rows: Sequence[PlannedMessage]) -> None:
        """Look up what is taken where these rows, new to the ledger, belong."""

    def of(self, row: PlannedMessage, known: Sequence[Delivery]) -> list[Place]:
        """Return where each part of a row stands; what the ledger knows of it stays where it is."""


def places_of(tools: Tools, conversation: str) -> Places:
    """Return the places of a conversation of this target."""
    kind = RankedPlaces if tools.rules.chooses_direct_sequence else FreePlaces
    return kind(tools, conversation)


class RankedPlaces:
    """Rows stand at their true time; sequences tell the rows of one slot apart: rank * 256 + part."""

    def __init__(self, tools: Tools, conversation: str) -> None:
        self._ledger, self._conversation = tools.ledger, conversation
        self._slot_ms = tools.rules.slot_ms
        self._taken: dict[int, set[int]] = {}

    def begin(self, rows: Sequence[PlannedMessage]) -> None:
        """Look up the ranks that are taken."""
        slots = sorted({row.sent_at_ms // self._slot_ms for row in rows})
        found = self._ledger.sequences_by_slot(self._conversation, slots)
        self._taken = {slot: ranks_of(sequences) for slot, sequences in found.items()}

    def of(self, row: PlannedMessage, known: Sequence[Delivery]) -> list[Place]:
        """Return the row's slot, and the sequences of the rank that it has or the next free one."""
        slot = row.sent_at_ms // self._slot_ms
        used = self._taken.setdefault(slot, set())
        stated = next((each.sequence for each in known if each.sequence is not None), None)
        rank = free_rank(row.rank, used) if stated is None else stated // PARTS_PER_RANK
        used.add(rank)
        return [Place(slot, rank * PARTS_PER_RANK + part) for part in range(len(row.bodies))]


class FreePlaces:
    """Parts stand at their true time, or at the next slot that no other of the conversation has.

    So no two of them are taken for each other where nothing but the time is left to tell them apart, and clients show
    them in their order. All copies of a part bear one slot.
    """

    def __init__(self, tools: Tools, conversation: str) -> None:
        self._ledger, self._conversation = tools.ledger, conversation
        self._slot_ms = tools.rules.slot_ms
        self._clear: set[int] = set()
        self._given: set[int] = set()

    def begin(self, rows: Sequence[PlannedMessage]) -> None:
        """Look up which of the rows' own slots are taken; the ledger knows all that was sent before."""
        wanted = {row.sent_at_ms // self._slot_ms for row in rows}
        taken = self._ledger.sequences_by_slot(self._conversation, sorted(wanted))
        self._clear = wanted - taken.keys()
        self._given.clear()

    def of(self, row: PlannedMessage, known: Sequence[Delivery]) -> list[Place]:
        """Return the slots of a row's parts, each later than the one before."""
        stated = {each.part: each.slot for each in known if each.state is not _REJECTED}
        slot = row.sent_at_ms // self._slot_ms
        places: list[Place] = []
        for part in range(len(row.bodies)):
            slot = stated[part] if part in stated else self._free(slot)
            self._given.add(slot)
            places.append(Place(slot))
            slot += 1
        return places

    def _free(self, slot: int) -> int:
        while True:
            while slot in self._given:
                slot += 1
            if slot in self._clear:
                return slot
            free = self._ledger.first_free_slot(self._conversation, slot)
            if free == slot:
                return slot
            slot = free


_REJECTED = DeliveryState.REJECTED
