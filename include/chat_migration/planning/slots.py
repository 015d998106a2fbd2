"""When a message stands in the target: slots and sequence numbers. Pure, and the same for every split.

Worked example, ``same_second=lift``, slots of a second: rows at 10.1, 10.4, 10.9 and 12.0 get 10, 11, 12, 13;
the last one is lifted only because the ones before it were. A row split into two parts takes two slots.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

PARTS_PER_RANK = 256
"""The low byte of a one-to-one sequence numbers the parts of a row."""


class Slots:
    """Hands out the slots of one group conversation, oldest first.

    Args:
        newest: the newest slot that the conversation holds already, or None.
        slot_ms: how long one slot is, milliseconds.
        keep_ties: give equal times equal slots, which the target must allow.
    """

    def __init__(self, newest: int | None, *, slot_ms: int, keep_ties: bool) -> None:
        self._last, self._step, self._slot_ms = newest, 0 if keep_ties else 1, slot_ms

    @property
    def last(self) -> int | None:
        """Return the newest slot handed out or known."""
        return self._last

    def take(self, sent_at_ms: int) -> int:
        """Return the slot of the next part: its own time's, or the next free one after the last slot."""
        self._last = self.peek(sent_at_ms)
        return self._last

    def peek(self, sent_at_ms: int) -> int:
        """Return the slot that :meth:`take` would give, and take nothing."""
        own = sent_at_ms // self._slot_ms
        return own if self._last is None else max(own, self._last + self._step)


def free_rank(wanted: int, taken: Set[int]) -> int:
    """Return the rank of a one-to-one row within its second: the wanted one, or the next after all taken.

    >>> free_rank(1, {0}), free_rank(0, {0, 1})
    (1, 2)
    """
    return wanted if wanted not in taken else max(taken) + 1


def ranks_of(sequences: Iterable[int]) -> set[int]:
    """Return the ranks that some sequence numbers belong to."""
    return {sequence // PARTS_PER_RANK for sequence in sequences}
