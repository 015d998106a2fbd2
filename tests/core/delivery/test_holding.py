"""Holding conversations: what is sent is held until it must have arrived, and nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.clocks import HandClock

from chat_migration.delivery import holding
from chat_migration.delivery.holding import SKEW_SECONDS, HeldWork, Lease, run_held
from chat_migration.errors import HeldElsewhereError
from chat_migration.ledger.holds import LostHoldError
from chat_migration.ledger.ledger import Ledger
from chat_migration.progress import NoProgress
from chat_migration.stop import StopSignal

CALL_SECONDS = 12.0
LEASE_SECONDS = 36.0
GONE_SECONDS = LEASE_SECONDS + CALL_SECONDS + SKEW_SECONDS


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def ledger(tmp_path: Path, clock: HandClock) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite", "app", clock=clock) as opened:
        yield opened


def lease(ledger: Ledger, clock: HandClock, run_id: str = "mine") -> Lease:
    return Lease(ledger, clock, run_id=run_id, stage="group-00", call_seconds=CALL_SECONDS)


def lease_until_ms(ledger: Ledger) -> int:
    ((worker, _),) = ledger.workers()
    return worker.lease_until_ms


def test_a_lease_is_renewed_before_a_call_that_could_outlive_it(
    ledger: Ledger, clock: HandClock
) -> None:
    with lease(ledger, clock) as mine:
        mine.take(["group:g"])
        first = lease_until_ms(ledger)
        clock.move(LEASE_SECONDS - CALL_SECONDS)
        mine.assure("group:g")
        assert lease_until_ms(ledger) == first
        clock.move(1)
        mine.assure("group:g")
        assert lease_until_ms(ledger) == clock.now_ms() + round(LEASE_SECONDS * 1000)


def test_a_worker_that_was_paused_and_taken_over_sends_nothing(
    ledger: Ledger, clock: HandClock
) -> None:
    with lease(ledger, clock) as mine, lease(ledger, clock, "other") as other:
        mine.take(["group:g", "group:h"])
        clock.move(GONE_SECONDS + 1)
        assert other.take(["group:g"]) == {}
        with pytest.raises(LostHoldError):
            mine.assure("group:g")
        mine.assure("group:h")


def test_a_worker_that_was_paused_and_not_taken_over_goes_on(
    ledger: Ledger, clock: HandClock
) -> None:
    with lease(ledger, clock) as mine:
        mine.take(["group:g"])
        clock.move(GONE_SECONDS * 3)
        mine.assure("group:g")


def test_nothing_is_sent_for_what_was_never_taken(ledger: Ledger, clock: HandClock) -> None:
    with lease(ledger, clock) as mine, pytest.raises(LostHoldError):
        mine.assure("group:g")


def test_a_lease_is_renewed_while_nothing_is_called(
    ledger: Ledger, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "HEARTBEATS", 5000)
    renewed = threading.Event()
    renew = ledger.renew

    def noted(worker_id: str, until: int) -> set[str]:
        renewed.set()
        return renew(worker_id, until)

    monkeypatch.setattr(ledger, "renew", noted)
    with lease(ledger, clock):
        assert renewed.wait(30)


def test_what_a_stage_held_is_free_when_it_ends(ledger: Ledger, clock: HandClock) -> None:
    with lease(ledger, clock) as mine:
        mine.take(["group:g"])
    with lease(ledger, clock, "other") as other:
        assert other.take(["group:g"]) == {}


def test_what_was_abandoned_stays_held(ledger: Ledger, clock: HandClock) -> None:
    with lease(ledger, clock) as mine:
        mine.take(["group:g"])
        mine.abandon()
        mine.give_back("group:g")
    with lease(ledger, clock, "other") as other:
        assert [each.run_id for each in other.take(["group:g"]).values()] == ["mine"]


# --- work on held conversations -------------------------------------------------------------------


class Desk:
    """A run's tools, as far as holding needs them; ``paused`` happens at each wait."""

    def __init__(self, mine: Lease, clock: HandClock, *, wait: float = 60) -> None:
        self.done: list[str] = []
        self.skipped: list[str] = []
        self.paused = lambda: None
        self.tools: Any = SimpleNamespace(
            lease=mine, clock=clock, threads=2, stop=StopSignal(), progress=NoProgress(),
            settings=SimpleNamespace(lease_wait_seconds=wait),
            tally=SimpleNamespace(held_elsewhere=[]), caller=SimpleNamespace(pause=self._pause),
        )  # fmt: skip

    def _pause(self, seconds: float) -> None:
        self.paused()
        self.tools.clock.move(seconds)

    def work(self, conversation: str) -> HeldWork:
        return HeldWork(
            conversation=conversation,
            run=lambda: self.done.append(conversation),
            skip=lambda: self.skipped.append(conversation),
        )


NAMES = ["group:a", "group:b", "group:c"]


def test_all_work_is_done_and_given_back(ledger: Ledger, clock: HandClock) -> None:
    with lease(ledger, clock) as mine, lease(ledger, clock, "other") as other:
        desk = Desk(mine, clock)
        run_held(desk.tools, map(desk.work, NAMES))
        assert (sorted(desk.done), desk.skipped) == (NAMES, [])
        assert other.take(NAMES) == {}


def test_what_another_run_holds_is_done_when_it_is_free(ledger: Ledger, clock: HandClock) -> None:
    with lease(ledger, clock) as mine, lease(ledger, clock, "other") as other:
        other.take(["group:a"])
        desk = Desk(mine, clock)
        desk.paused = lambda: other.give_back("group:a")
        run_held(desk.tools, map(desk.work, NAMES))
        assert (sorted(desk.done[:2]), desk.done[2]) == (["group:b", "group:c"], "group:a")
        assert desk.skipped == []


def test_what_a_silent_run_holds_is_taken_over(ledger: Ledger, clock: HandClock) -> None:
    silent = lease(ledger, clock, "silent")
    ledger.enlist(silent._worker)
    ledger.hold(silent.worker_id, ["group:a"])
    with lease(ledger, clock) as mine:
        desk = Desk(mine, clock, wait=GONE_SECONDS + 5)
        run_held(desk.tools, map(desk.work, NAMES))
    assert sorted(desk.done) == NAMES


def test_after_the_wait_the_rest_is_done_and_the_holder_is_named(
    ledger: Ledger, clock: HandClock
) -> None:
    with lease(ledger, clock) as mine, lease(ledger, clock, "nightly-7") as other:
        other.take(["group:a", "group:c"])
        desk = Desk(mine, clock, wait=10)
        with pytest.raises(HeldElsewhereError, match="2 conversations.*`nightly-7`") as raised:
            run_held(desk.tools, map(desk.work, NAMES))
        assert (desk.done, sorted(desk.skipped)) == (["group:b"], ["group:a", "group:c"])
        assert desk.tools.tally.held_elsewhere == ["group:a", "group:c"]
        assert raised.value.exit_code == 4


def test_without_a_wait_it_ends_at_once(ledger: Ledger, clock: HandClock) -> None:
    with lease(ledger, clock) as mine, lease(ledger, clock, "other") as other:
        other.take(["group:a"])
        desk = Desk(mine, clock, wait=0)
        before = clock.now_ms()
        with pytest.raises(HeldElsewhereError):
            run_held(desk.tools, map(desk.work, NAMES))
        assert clock.now_ms() == before


def test_what_is_lost_while_it_is_worked_on_is_skipped_and_said(
    ledger: Ledger, clock: HandClock
) -> None:
    with lease(ledger, clock) as mine, lease(ledger, clock, "other") as other:
        desk = Desk(mine, clock)

        def paused_too_long() -> None:
            clock.move(GONE_SECONDS + 1)
            other.take(["group:a"])
            other.assure("group:a")
            mine.assure("group:a")

        work = HeldWork(
            conversation="group:a", run=paused_too_long, skip=lambda: desk.skipped.append("group:a")
        )
        with pytest.raises(HeldElsewhereError, match="paused"):
            run_held(desk.tools, iter([work]))
        assert desk.skipped == ["group:a"]
        assert mine.take(["group:a"]) != {}


def test_a_worker_whose_machine_slept_sends_nothing_of_what_was_taken_over(
    ledger: Ledger, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lease(ledger, clock) as mine, lease(ledger, clock, "other") as other:
        mine.take(["group:g"])
        asleep = clock.monotonic()
        clock.move(GONE_SECONDS + 1)
        assert other.take(["group:g"]) == {}
        # A monotonic clock may stand still while a machine sleeps.
        monkeypatch.setattr(clock, "monotonic", lambda: asleep)
        with pytest.raises(LostHoldError):
            mine.assure("group:g")
