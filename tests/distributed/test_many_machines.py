"""What holds on one machine holds on many: an import over two workers, while what it stands on fails.

One worker's machine loses its power, Redis is away, PostgreSQL crashes, each at a moment that the target has counted.
The machine comes back when the other one has begun with its tasks. What is then in the target, and in the report, is compared with an import by one process in peace.

PostgreSQL and `redis-server` must be installed and namespaces permitted; otherwise these tests fail.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.builders_neutral import NeutralExport
from tests.delivery.driving import World, assert_holds, comparable
from tests.distributed.city import large_city
from tests.distributed.machines import Machines, Try
from tests.distributed.one_process import Report, single_process
from tests.scheduler.one_dag import wait

import chat_sandbox

pytestmark = [
    pytest.mark.distributed,
    pytest.mark.timeout(900),
]

RUN = "many-machines"
SHARDS = 4
RATE = 200
"""Calls that the vendor takes in a second, of each API."""
BUDGET = 160
"""Of all workers together: so much for one each would be too much, and a busy machine has room to be late."""
MESSAGES = ("import_group_msg", "importmsg")
QUIET_SECONDS = 1.5


@dataclass(kw_only=True)
class Import:
    """An import that has ended: what is in the target, what was reported, what the target counted."""

    world: World
    report: Report
    stats: dict[str, Any] = field(default_factory=dict)


@dataclass(kw_only=True)
class Disturbed(Import):
    """One over several machines."""

    machines: Machines
    export: NeutralExport
    folder: Path
    state: str
    in_flight_when_killed: int
    calls_without_budget: int
    calls_without_ledger: int


class Director:
    """Waits for moments of a run, as the target has counted them, and lets things happen then."""

    def __init__(self, machines: Machines, total: int) -> None:
        self._machines, self._total = machines, total

    def sent(self) -> int:
        """Return how many messages the target was given."""
        apis = self._machines.sandbox.stats()["apis"]
        return sum(apis[api]["rows"] for api in MESSAGES if api in apis)

    def calls(self) -> int:
        """Return how many calls the target has had."""
        return int(self._machines.sandbox.stats()["calls"])

    def until(self, share: float) -> None:
        """Wait until the target was given so much of all messages; the run must still be going on."""

        def reached() -> bool:
            assert not self._machines.ended(RUN), self._machines.told()
            return self.sent() >= share * self._total

        wait(reached, seconds=240, says=self._machines.told)

    def taken_over(self) -> bool:
        """Tell whether the other machine has begun with the tasks of the one that is off."""
        self._machines.tend()
        return any(
            number > 1 and host == "worker-2" for _, _, number, host, _ in sending(self._machines)
        )

    def until_quiet(self) -> int:
        """Wait until nobody has called for a while, and return how many calls there were before."""
        before = self.calls()
        seen, since = before, time.monotonic()
        deadline = since + 30
        while time.monotonic() - since < QUIET_SECONDS:
            assert time.monotonic() < deadline, "calls go on"
            if (now := self.calls()) != seen:
                seen, since = now, time.monotonic()
            time.sleep(0.1)
        return seen - before


def sending(machines: Machines) -> list[Try]:
    """Return the tries of the tasks that send messages."""
    return [each for each in machines.tries(RUN) if each[0].startswith("import_messages.import_")]


@pytest.fixture(scope="module")
def export() -> NeutralExport:
    return large_city()


@pytest.fixture(scope="module")
def folder(export: NeutralExport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    export.write(folder / "export")
    return folder


@pytest.fixture(scope="module")
def both(export: NeutralExport, folder: Path) -> Iterator[tuple[Import, Disturbed]]:
    """The import by one process in peace, and the one over two machines."""
    with (
        chat_sandbox.launch(retention_days=None) as quiet,
        single_process(folder / "export", folder, quiet, "in-peace") as finish,
        Machines(folder / "machines", calls_per_second=BUDGET) as machines,
    ):
        machines.begin()
        clean = Import(report=finish(), world=quiet.dump())
        yield clean, disturb(machines, export, folder)
    assert machines.left_behind == []


def disturb(machines: Machines, export: NeutralExport, folder: Path) -> Disturbed:
    """Run the import, and let everything happen to it."""
    director = Director(machines, len(export.messages))
    conf = {"source": "neutral", "export_path": str(folder / "export"), "shards": SHARDS}
    machines.trigger(RUN, max_rejected_ratio=0, **conf)

    director.until(0.1)
    machines.cut_power("worker-1")
    in_flight = machines.in_flight("worker-1")

    director.until(0.3)
    machines.stop("redis")
    without_budget = director.until_quiet()
    machines.up("redis", within=30)

    wait(director.taken_over, seconds=120, says=machines.told)
    machines.switch_on("worker-1")

    director.until(0.6)
    machines.postgres.crash()
    without_ledger = director.until_quiet()
    machines.postgres.recover()

    state = wait(lambda: machines.ended(RUN), seconds=420, says=machines.told)
    assert (machines.run_files(RUN) / "report.json").exists(), machines.told()
    return Disturbed(
        machines=machines,
        export=export,
        folder=folder,
        state=state,
        world=machines.sandbox.dump(),
        stats=machines.sandbox.stats(),
        report=machines.report(RUN),
        in_flight_when_killed=in_flight,
        calls_without_budget=without_budget,
        calls_without_ledger=without_ledger,
    )


@pytest.fixture(scope="module")
def clean(both: tuple[Import, Disturbed]) -> Import:
    return both[0]


@pytest.fixture(scope="module")
def disturbed(both: tuple[Import, Disturbed]) -> Disturbed:
    return both[1]


def test_run_comes_to_its_end_without_a_person(disturbed: Disturbed) -> None:
    assert disturbed.state == "success", disturbed.machines.told()


def test_killed_machine_was_in_the_middle_of_calls(disturbed: Disturbed) -> None:
    assert disturbed.in_flight_when_killed > 0


def test_other_machine_takes_over_what_the_killed_one_held(disturbed: Disturbed) -> None:
    tries = sending(disturbed.machines)
    lost = {each[:2] for each in tries if each[2] == 1 and each[3] == "worker-1"}
    assert lost
    done = {each[:2]: each[4] for each in tries if each[2] > 1}
    assert {task: done.get(task) for task in lost} == dict.fromkeys(lost, "success")
    assert any(each[3] == "worker-2" for each in tries if each[:2] in lost)


def test_target_holds_each_message_once_in_order_and_every_unread_count(
    disturbed: Disturbed,
) -> None:
    assert_holds(disturbed.world, disturbed.export)


def test_target_is_the_same_as_after_an_import_by_one_process_in_peace(
    clean: Import, disturbed: Disturbed
) -> None:
    assert comparable(disturbed.world) == comparable(clean.world)


def test_no_conversation_ever_had_two_calls_at_once(disturbed: Disturbed) -> None:
    assert disturbed.stats["overlaps"] == {}


def test_both_workers_together_keep_to_the_rate(disturbed: Disturbed) -> None:
    peaks = {api: disturbed.stats["apis"][api]["peak_per_second"] for api in MESSAGES}
    assert max(peaks.values()) <= RATE, peaks
    assert {api: disturbed.stats["apis"][api]["throttled"] for api in MESSAGES} == dict.fromkeys(
        MESSAGES, 0
    )


def test_nobody_calls_while_the_budget_is_away(disturbed: Disturbed) -> None:
    """Only those whose turn had come before."""
    assert disturbed.calls_without_budget < RATE


def test_nobody_calls_while_the_ledger_is_away(disturbed: Disturbed) -> None:
    """Only those whose intent was recorded before."""
    assert disturbed.calls_without_ledger < RATE


def test_nothing_is_left_open_in_the_ledger(disturbed: Disturbed) -> None:
    ask = disturbed.machines.ledger
    assert ask("SELECT DISTINCT state FROM deliveries") == [["delivered"]]
    assert ask("SELECT count(*) FROM deliveries") == [[str(len(disturbed.export.messages))]]
    assert ask("SELECT count(*) FROM holds") == [["0"]]


def test_report_says_what_the_report_of_one_process_says(
    clean: Import, disturbed: Disturbed
) -> None:
    same = ("rows", "reasons", "rows_read", "slots", "placeholders", "in_doubt", "rejected_rows")
    assert {name: disturbed.report[name] for name in same} == {
        name: clean.report[name] for name in same
    }
    assert disturbed.report["complete"]
    assert disturbed.report["unfinished"] == disturbed.report["held_elsewhere"] == []
    assert disturbed.report["in_doubt"] == 0


def test_another_run_over_the_same_ledger_finds_nothing_to_send(disturbed: Disturbed) -> None:
    machines = disturbed.machines
    worker = machines.environment("worker-1")
    given = {
        name: worker[name] for name in ("CHAT_MIGRATION_LEDGER_URL", "CHAT_MIGRATION_BUDGET_URL")
    }
    before = machines.sandbox.stats()["writes"]
    with single_process(
        disturbed.folder / "export", disturbed.folder, machines.sandbox, "again", **given
    ) as finish:
        report = finish()
    assert set().union(*report["rows"].values()) == {"already_imported"}
    assert machines.sandbox.stats()["writes"] == before


def test_export_is_as_large_as_is_said(disturbed: Disturbed) -> None:
    assert len(disturbed.export.messages) >= 20_000
