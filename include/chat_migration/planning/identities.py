"""Target ids for legacy ids: kept where the target accepts them, else a stable hash; never two for one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

MakeId = Callable[[str, int], str]
"""Takes (legacy id, attempt) and returns a target id."""


def assign(legacy_ids: Iterable[str], known: dict[str, str], make: MakeId) -> dict[str, str]:
    """Return target ids for those legacy ids that have none yet.

    Ids that are kept as they are go first, so that a hash never takes one away; then by legacy id. ``known``
    is legacy → target of earlier runs and is never changed. A collision makes the later one try again.
    """
    taken = {target: legacy for legacy, target in known.items()}
    fresh = sorted({each for each in legacy_ids if each not in known})
    fresh.sort(key=lambda legacy: make(legacy, 0) != legacy)
    assigned: dict[str, str] = {}
    for legacy in fresh:
        attempt = 0
        while (target := make(legacy, attempt)) in taken:
            attempt += 1
        taken[target] = legacy
        assigned[legacy] = target
    return assigned
