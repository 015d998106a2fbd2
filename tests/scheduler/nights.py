"""Living through nights on any Airflow that goes by a simulated calendar, and what must come of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from tests.delivery.driving import World, comparable
from tests.distributed.one_process import single_process
from tests.scheduler.living_chat import LivingChat, at, midnight
from tests.scheduler.one_dag import wait

from chat_sandbox import SandboxHandle

SETTINGS = {
    "source": "neutral",
    "sync_profiles": "after_messages",
    # Few rows are too late by the policy; of a night's few rows that is more than the default allows.
    "max_rejected_ratio": 0.2,
}
APP: dict[str, Any] = {"retention_days": None, "rate_limits": False, "switches": {"tips": "off"}}
"""An app whose notices are switched off in the console, which `sync_profiles` needs."""


class NightlyAirflow(Protocol):
    """An Airflow whose nights pass when a test says so; see :class:`tests.scheduler.one_dag.OneDag`."""

    def set_clock(self, now: str) -> None: ...
    def pause(self, *, paused: bool) -> None: ...
    def trigger(self, run_id: str, **conf: Any) -> None: ...
    def backfill(self, first: datetime, last: datetime) -> None: ...
    def runs(self, run_type: str) -> dict[str, str]: ...
    def end_of(self, run_id: str) -> str: ...
    def failure(self, run_id: str) -> str: ...
    def report(self, run_id: str) -> dict[str, Any]: ...
    def rejected(self, run_id: str) -> list[dict[str, Any]]: ...
    def times(self, run_id: str) -> tuple[datetime, datetime]: ...
    def told(self) -> str: ...


@dataclass(kw_only=True)
class Migration:
    """A chat that is moved night by night, and what became of it."""

    chat: LivingChat
    airflow: NightlyAirflow
    sandbox: SandboxHandle
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    nights: list[str] = field(default_factory=list)
    """Ids of the scheduled runs, in their order."""
    backfills: list[str] = field(default_factory=list)
    world: World = field(default_factory=dict)
    reference: World = field(default_factory=dict)
    writes_of_proof: int = -1
    """Calls that write which one more run over everything has made."""

    # --- what happens ---------------------------------------------------------------------------------

    def move_history(self, before: int) -> None:
        """Bring all before a day by a manual run."""
        self.airflow.pause(paused=False)
        self.airflow.trigger("history", to=midnight(before).isoformat())
        self.finish("history")

    def until(self, day: int) -> None:
        """Let the simulated clock pass the end of a day by an hour."""
        self.airflow.set_clock((midnight(day + 1) + timedelta(hours=1)).isoformat())

    def sleep_over(self) -> None:
        """Wait for the next scheduled run and its end; it must succeed."""
        known = set(self.nights)
        (new,) = wait(
            lambda: self.airflow.runs("scheduled").keys() - known,
            seconds=180,
            says=self.airflow.told,
        )
        self.nights.append(new)
        self.finish(new)

    def bring(self, *missed: int) -> None:
        """Backfill nights during which the DAG was paused, as docs/operations.md says, and wait for their end."""
        self.airflow.backfill(midnight(missed[0]), midnight(missed[-1]))
        self.airflow.pause(paused=False)
        self.backfills += self.airflow.runs("backfill")
        assert len(self.backfills) == len(missed)
        for run_id in self.backfills:
            self.finish(run_id)

    def prove(self) -> None:
        """Keep what the target holds, and count what one more run over everything writes."""
        self.world = self.sandbox.dump()
        before = self.sandbox.stats()["writes"]
        self.airflow.trigger("proof")
        self.finish("proof")
        self.writes_of_proof = self.sandbox.stats()["writes"] - before

    def finish(self, run_id: str) -> None:
        """Wait for the end of a run, which must be a success, and keep its report."""
        state = self.airflow.end_of(run_id)
        assert state == "success", self.airflow.failure(run_id)
        self.reports[run_id] = self.airflow.report(run_id)

    # --- what came of it ------------------------------------------------------------------------------

    def taken(self, run_id: str) -> tuple[int, int]:
        """Return the window of a run, by its report."""
        window = self.reports[run_id]["window"]
        return window["start_ms"], window["end_ms"]

    def messages(self, outcome: str) -> int:
        """Return how many rows of messages ended so in all runs but the proof."""
        return sum(
            report["rows"][kind].get(outcome, 0)
            for run_id, report in self.reports.items()
            for kind in ("group_messages", "c2c_messages")
            if run_id != "proof"
        )

    def refused(self) -> dict[str, set[str]]:
        """Return the rows that were refused in any run, each with its outcomes."""
        found: dict[str, set[str]] = {}
        for run_id in self.reports:
            for row in self.airflow.rejected(run_id):
                if row["outcome"].endswith("rejected"):
                    found.setdefault(row["id"], set()).add(row["outcome"])
        return found


def in_one_go(chat: LivingChat, folder: Path, sandbox: SandboxHandle) -> World:
    """Return what one run over the whole export brings to an app of its own."""
    chat.export_as_it_ended(folder / "whole")
    with single_process(folder / "whole", folder, sandbox, "in-one-go") as finish:
        assert finish()["complete"]
    return sandbox.dump()


def nights(first: int, last: int) -> tuple[int, int]:
    """Return the window of some nights."""
    return at(first, 0), at(last + 1, 0)


def visible(world: World) -> World:
    """Return what people see of a world: no message that was recalled."""
    seen = comparable(world)
    for group in seen["groups"].values():
        group["messages"] = [each for each in group["messages"] if not each["recalled"]]
    for conversation in seen["conversations"]:
        shown = [each for each in conversation["messages"] if not each["recalled"]]
        # Clients sort one-to-one messages by themselves, whenever they came.
        conversation["messages"] = sorted(shown, key=lambda each: (each["time"], each["seq"]))
    return seen


def assert_shows_the_same(world: World, reference: World) -> None:
    """Assert that people see the same in both worlds."""
    seen, expected = visible(world), visible(reference)
    assert seen["accounts"] == expected["accounts"]
    assert seen["conversations"] == expected["conversations"]
    assert seen["groups"].keys() == expected["groups"].keys()
    for name, group in expected["groups"].items():
        for part, value in group.items():
            assert seen["groups"][name][part] == value, (name, part)
