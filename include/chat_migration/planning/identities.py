"""Target ids for legacy ids: kept where the target accepts them, else a stable hash; never two for one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

MakeId = Callable[[str, int], str]
"""Takes (legacy id, attempt) and returns a target id."""
WhichAreTaken = Callable[[Sequence[str]], set[str]]
"""Takes target ids and returns those that belong to somebody already."""


class Identities(Protocol):
    """Which ids were given away before; a ledger is one."""

    def identities_of(self, kind: str, legacy_ids: Sequence[str]) -> dict[str, str]:
        """Return legacy id → target id of those that have one."""

    def identities_taken(self, kind: str, target_ids: Sequence[str]) -> set[str]:
        """Return those of some target ids that belong to a legacy id already."""


def _none(_: Sequence[str]) -> set[str]:
    return set()


def assign(
    legacy_ids: Iterable[str],
    known: dict[str, str],
    make: MakeId,
    which_are_taken: WhichAreTaken = _none,
) -> dict[str, str]:
    """Return target ids for those legacy ids that have none yet.

    Ids that are kept as they are go first, so that a hash never takes one away; then by legacy id. ``known``
    is legacy → target of earlier runs and is never changed. A collision makes the later one try again.
    ``which_are_taken`` tells of target ids that are not in ``known``.
    """
    taken = {target: legacy for legacy, target in known.items()}
    fresh = sorted({each for each in legacy_ids if each not in known})
    fresh.sort(key=lambda legacy: make(legacy, 0) != legacy)
    elsewhere = which_are_taken([make(legacy, 0) for legacy in fresh])
    assigned: dict[str, str] = {}
    for legacy in fresh:
        attempt = 0
        while (target := make(legacy, attempt)) in taken or target in elsewhere:
            attempt += 1
            elsewhere |= which_are_taken([make(legacy, attempt)])
        taken[target] = legacy
        assigned[legacy] = target
    return assigned
