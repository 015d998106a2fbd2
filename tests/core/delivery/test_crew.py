"""Jobs on threads: in order, all of them, and ended in time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from chat_migration.delivery import crew
from chat_migration.delivery.crew import Job, run_all
from chat_migration.errors import InterruptedRunError, StoppedError
from chat_migration.stop import StopSignal


@pytest.mark.parametrize("threads", [1, 3, 50])
def test_each_job_is_done_once(threads: int) -> None:
    done: list[int] = []
    run_all((partial(done.append, n) for n in range(200)), threads=threads, stop=StopSignal())
    assert sorted(done) == list(range(200))


def test_jobs_begin_in_their_order() -> None:
    begun: list[int] = []
    run_all((partial(begun.append, n) for n in range(50)), threads=1, stop=StopSignal())
    assert begun == list(range(50))


def test_jobs_are_taken_only_as_threads_become_free() -> None:
    gate = threading.Event()
    made: list[int] = []
    made_when_all_were_busy: list[int] = []

    def work(number: int) -> None:
        if number == 2:
            made_when_all_were_busy.append(len(made))
            gate.set()
        gate.wait()

    def jobs() -> Iterator[Job]:
        for number in range(100):
            made.append(number)
            yield partial(work, number)

    run_all(jobs(), threads=3, stop=StopSignal())
    assert (made_when_all_were_busy, len(made)) == ([3], 100)


def test_no_jobs_are_no_work() -> None:
    run_all(iter(()), threads=4, stop=StopSignal())


def test_the_first_failure_stops_the_others_and_is_raised() -> None:
    stop, done = StopSignal(), []

    def fail() -> None:
        raise StoppedError("enough")

    def until_stopped() -> None:
        while not stop.is_set():
            pass
        done.append(1)

    with pytest.raises(StoppedError, match="enough"):
        run_all(iter([until_stopped, fail, partial(done.append, 2)]), threads=2, stop=stop)
    assert done == [1]


def test_a_failure_of_the_iterable_is_raised() -> None:
    def jobs() -> Iterator[Job]:
        yield lambda: None
        raise StoppedError("no more")

    with pytest.raises(StoppedError, match="no more"):
        run_all(jobs(), threads=2, stop=StopSignal())


def test_what_does_not_end_after_the_stop_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "ABANDON_SECONDS", 0.2)
    stop, never, left = StopSignal(), threading.Event(), []

    def stuck() -> None:
        stop.set()
        never.wait(30)

    with pytest.raises(InterruptedRunError, match="1 calls"):
        run_all(iter([stuck]), threads=2, stop=stop, abandon=lambda: left.append(1))
    never.set()
    assert left == [1]


def test_what_ends_after_the_stop_is_not_left_behind() -> None:
    stop, left = StopSignal(), []
    run_all(iter([stop.set]), threads=2, stop=stop, abandon=lambda: left.append(1))
    assert left == []
