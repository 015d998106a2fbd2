"""Target ids for legacy ids: kept where the target accepts them, else a stable hash; never two for one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
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


class IdentityBook(Identities, Protocol):
    """What remembers the ids that are given away; a ledger is one."""

    def assign_identities(self, kind: str, pairs: dict[str, str]) -> None:
        """Remember legacy id → target id."""


def remember(
    book: IdentityBook,
    kind: str,
    fresh: dict[str, str],
    known: dict[str, str],
    *,
    folds_case: bool,
) -> None:
    """Remember new ids; with ``folds_case`` also what tells later runs of those that differ in case only.

    ``known`` are the ids of earlier runs, one of which may have ended between the two.
    """
    book.assign_identities(kind, fresh)
    if folds_case:
        lower = {legacy: target.lower() for legacy, target in (known | fresh).items()}
        # An id without capital letters is found as it is.
        others = {
            legacy: name
            for legacy, name in lower.items()
            if name not in (known.get(legacy), fresh.get(legacy))
        }
        there = book.identities_of(_folded(kind), sorted(others))
        missing = {legacy: name for legacy, name in others.items() if legacy not in there}
        book.assign_identities(_folded(kind), missing)


def taken_of(identities: Identities, kind: str, *, folds_case: bool) -> WhichAreTaken:
    """Return what tells which target ids earlier runs gave away, in any case if that makes no difference."""
    return partial(_taken_in_any_case if folds_case else _taken, identities, kind)


def _taken(identities: Identities, kind: str, target_ids: Sequence[str]) -> set[str]:
    return identities.identities_taken(kind, target_ids)


def _taken_in_any_case(identities: Identities, kind: str, target_ids: Sequence[str]) -> set[str]:
    lower = {each: each.lower() for each in target_ids}
    names = sorted(set(lower.values()))
    taken = {
        each for of in (kind, _folded(kind)) for each in identities.identities_taken(of, names)
    }
    return {each for each, name in lower.items() if name in taken}


def _folded(kind: str) -> str:
    return f"{kind}_in_lower_case"


def _none(_: Sequence[str]) -> set[str]:
    return set()


def assign(
    legacy_ids: Iterable[str],
    known: dict[str, str],
    make: MakeId,
    which_are_taken: WhichAreTaken = _none,
    *,
    folds_case: bool = False,
) -> dict[str, str]:
    """Return target ids for those legacy ids that have none yet.

    Ids that are kept as they are go first, so that a hash never takes one away; then by legacy id. ``known``
    is legacy → target of earlier runs and is never changed. A collision makes the later one try again.
    ``which_are_taken`` tells of target ids that are not in ``known``. With ``folds_case`` ids that differ in case
    only collide.
    """
    fold = str.lower if folds_case else str
    taken = {fold(target) for target in known.values()}
    fresh = sorted({each for each in legacy_ids if each not in known})
    fresh.sort(key=lambda legacy: make(legacy, 0) != legacy)
    elsewhere = which_are_taken([make(legacy, 0) for legacy in fresh])
    assigned: dict[str, str] = {}
    for legacy in fresh:
        attempt = 0
        while fold(target := make(legacy, attempt)) in taken or target in elsewhere:
            attempt += 1
            elsewhere |= which_are_taken([make(legacy, attempt)])
        taken.add(fold(target))
        assigned[legacy] = target
    return assigned
