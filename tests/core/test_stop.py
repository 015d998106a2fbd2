"""A request to end reaches all parts of the work below it, and none above."""

from __future__ import annotations

import threading

from chat_migration.stop import StopSignal


def test_nothing_is_asked_at_first() -> None:
    assert not StopSignal().is_set()
    assert not StopSignal().child().is_set()


def test_a_parent_ends_all_below_it() -> None:
    whole = StopSignal()
    part = whole.child()
    smallest, later = part.child(), None
    whole.set()
    later = part.child()
    assert [each.is_set() for each in (whole, part, smallest, later)] == [True] * 4


def test_a_part_ends_alone() -> None:
    whole = StopSignal()
    part, sibling = whole.child(), whole.child()
    part.set()
    assert [each.is_set() for each in (whole, part, sibling, part.child())] == [
        False, True, False, True,
    ]  # fmt: skip


def test_asking_twice_is_asking_once() -> None:
    signal = StopSignal()
    signal.set()
    signal.set()
    assert signal.is_set()


def test_another_thread_sees_it() -> None:
    signal, seen = StopSignal(), threading.Event()
    watcher = threading.Thread(target=lambda: (signal.set(), seen.set()))
    watcher.start()
    watcher.join()
    assert (signal.is_set(), seen.is_set()) == (True, True)
