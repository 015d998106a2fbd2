"""Finding the planned row of a message in the target, in any order, in a few bytes a row."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import numpy.typing as npt

from chat_migration.delivery.matching import CANDIDATES
from chat_migration.keys import vendor_random
from chat_migration.planning.tables import PlannedMessage

_ROW_BITS = 32
_ROW_MASK = (1 << _ROW_BITS) - 1

Rows = Callable[[], Iterator[PlannedMessage]]


class RowIndex:
    """The rows of one conversation by the ``Random`` candidates of their parts.

    Eight bytes a part. The later candidates, which few messages have, are added when a message is looked for that
    the first ones do not have.

    Args:
        rows: yields the rows from the oldest on, each time it is called.
        candidates: how many candidates the messages may have.
        bits: how wide a ``Random`` is; of a wide one the upper half of a number stands in the table.
    """

    def __init__(self, rows: Rows, *, candidates: int = CANDIDATES, bits: int = 32) -> None:
        self._rows, self._candidates, self._bits = rows, candidates, bits
        self._tables: list[npt.NDArray[np.uint64]] = []

    def find(self, random: int) -> Iterator[int]:
        """Yield the numbers of the rows of which a part may have a ``Random``: the likely ones, then the others."""
        short = _short(random, self._bits)
        yield from _lookup(self._table(0), short)
        if self._candidates > 1:
            yield from _lookup(self._table(1), short)

    def _table(self, number: int) -> npt.NDArray[np.uint64]:
        while len(self._tables) <= number:
            wanted = range(1, self._candidates) if self._tables else range(1)
            self._tables.append(_table(self._rows(), wanted, self._bits))
        return self._tables[number]


class SeenParts:
    """Which parts of which rows were found: a byte a row, more only for rows in several parts."""

    def __init__(self, rows: int) -> None:
        self._rows = bytearray(rows)
        self._split: dict[int, set[int]] = {}
        self.count = 0

    def add(self, number: int, part: int) -> None:
        """Remember a part that was not seen before."""
        if self._rows[number] or part:
            self._split.setdefault(number, {0} if self._rows[number] else set()).add(part)
        self._rows[number] = 1
        self.count += 1

    def has_row(self, number: int) -> bool:
        """Tell whether any part of a row was seen."""
        return bool(self._rows[number])

    def __contains__(self, place: tuple[int, int]) -> bool:
        """Tell whether part ``place[1]`` of row ``place[0]`` was seen."""
        number, part = place
        return bool(self._rows[number]) and part in self._split.get(number, {0})


def part_of(
    row: PlannedMessage, random: int, *, parts: Iterable[int] | None = None, bits: int = 32
) -> int | None:
    """Return which part of a row has a ``Random``, or None; a row that is no longer sent may have been one part."""
    for part in range(max(1, len(row.bodies))) if parts is None else parts:
        for candidate in range(CANDIDATES):
            if vendor_random(row.message_key, part, candidate, bits=bits) == random:
                return part
    return None


def _table(rows: Iterator[PlannedMessage], candidates: range, bits: int) -> npt.NDArray[np.uint64]:
    entries = array("Q")
    for number, row in enumerate(rows):
        for part in range(max(1, len(row.bodies))):
            for candidate in candidates:
                random = vendor_random(row.message_key, part, candidate, bits=bits)
                entries.append(_short(random, bits) << _ROW_BITS | number)
    table = np.frombuffer(entries, dtype=np.uint64) if entries else np.empty(0, np.uint64)
    return np.sort(table)


def _short(random: int, bits: int) -> int:
    """Return what of a ``Random`` fits beside a row's number: the rows found then may have it, or another."""
    return random >> max(0, bits - (64 - _ROW_BITS))


def _lookup(table: npt.NDArray[np.uint64], random: int) -> list[int]:
    low = random << _ROW_BITS
    start = int(np.searchsorted(table, np.uint64(low), side="left"))
    end = int(np.searchsorted(table, np.uint64(low | _ROW_MASK), side="right"))
    return [int(each) & _ROW_MASK for each in table[start:end]]
