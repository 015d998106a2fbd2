"""What people do while a run goes on, and what they are told, on a real scheduler: approvals, rejections, late nights."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.scheduler.one_dag import wait
from tests.scheduler.running_airflow import RunningAirflow

import chat_sandbox

pytestmark = [pytest.mark.scheduler, pytest.mark.timeout(1800)]

NOON = "2024-05-01T12:00:00+00:00"
ANSWER = "/dagRuns/{}/taskInstances/extract.approve_plan/-1/hitlDetails"


@dataclass(frozen=True, kw_only=True)
class Office:
    """An Airflow and those who answer its questions."""

    airflow: RunningAirflow
    folder: Path

    def export(self, name: str, *, noon: bool = False) -> str:
        """Write an export of one group that bears its name: three messages in the morning, three after noon if asked."""
        export = NeutralExport().user("ada", "bob").group(name, "ada", "bob")
        for number in range(3):
            export.say(name, "ada", at(number * 10))
        for number in range(3 if noon else 0):
            export.say(name, "bob", at(4 * 3600 + number * 10))
        return str(export.write(self.folder / name))

    def ask(self, run_id: str, **conf: Any) -> dict[str, Any]:
        """Trigger a run that needs an approval, and return its question."""
        self.airflow.trigger(run_id, source_name=run_id, require_approval=True, **conf)
        return self.question(run_id)

    def question(self, run_id: str) -> dict[str, Any]:
        """Wait until a run waits for a person, and return what it asks."""
        wait(
            lambda: self.airflow.tasks(run_id).get("approve_plan") == "awaiting_input",
            seconds=240,
            says=lambda: self.airflow.failure(run_id),
        )
        # Who answers sooner than the process of the question ends has Airflow take its end for that of the next one.
        wait(
            lambda: self.airflow.has_let_go(run_id, "extract.approve_plan"),
            seconds=120,
            says=self.airflow.told,
        )
        status, question = self.airflow.api("GET", ANSWER.format(run_id))
        assert status == 200, question
        return dict(question)

    def answer(self, run_id: str, chosen: str) -> None:
        """Press a button of the question."""
        body = {"chosen_options": [chosen], "params_input": {}}
        status, answer = self.airflow.api("PATCH", ANSWER.format(run_id), body)
        assert status == 200, answer

    def writes(self) -> int:
        """Return how many calls that write the target has had."""
        return int(self.airflow.sandbox.stats()["writes"])

    def import_by_hand(self, run_id: str, *arguments: str) -> None:
        """Run the command line on the ledger of this Airflow."""
        command = [sys.executable, "-m", "chat_migration", "run", "--run-id", run_id, *arguments]
        done = subprocess.run(
            command, env=self.airflow.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("people")
    with (
        chat_sandbox.launch(retention_days=None, rate_limits=False) as sandbox,
        RunningAirflow(folder / "airflow", sandbox) as airflow,
    ):
        airflow.pause(paused=False)
        yield Office(airflow=airflow, folder=folder)


def test_approved_plan_is_made_again_and_sent(office: Office) -> None:
    question = office.ask("approved", export_path=office.export("approved"))
    before = office.writes()
    assert "3 to_import" in question["body"]
    assert question["subject"].startswith("Send this to tencent:")
    assert before == 0
    office.answer("approved", "Approve")
    assert office.airflow.end_of("approved") == "success"
    assert office.airflow.tasks("approved")["confirm_plan"] == "success"
    assert office.airflow.report("approved")["rows"]["group_messages"] == {"imported": 3}
    assert "Approved by " in office.airflow.task_log("approved", "approve_plan")
    assert [each["kind"] for each in office.airflow.notices("approved")] == ["approval_wanted"]


def test_rejected_plan_sends_nothing_and_fails_with_who_rejected_it(office: Office) -> None:
    office.ask("rejected", export_path=office.export("rejected"))
    before = office.writes()
    office.answer("rejected", "Reject")
    assert office.airflow.end_of("rejected") == "failed"
    assert office.writes() == before
    states = office.airflow.tasks("rejected")
    assert states["approve_plan"] == "failed"
    assert states["import_accounts"] == "upstream_failed"
    assert "The plan was rejected by `" in office.airflow.task_log("rejected", "approve_plan")
    wait(lambda: "run_failed" in kinds(office, "rejected"), seconds=180, says=office.airflow.told)
    assert kinds(office, "rejected") == {"approval_wanted", "task_failed", "run_failed"}


def test_rejected_plan_is_asked_about_again_when_its_task_is_cleared(office: Office) -> None:
    office.ask("cleared", export_path=office.export("cleared"))
    office.answer("cleared", "Reject")
    assert office.airflow.end_of("cleared") == "failed"
    office.airflow.clear("cleared", "extract.approve_plan")
    assert office.question("cleared")["response_received"] is False
    office.answer("cleared", "Approve")
    assert office.airflow.end_of("cleared") == "success"


def test_silence_fails_the_run_when_the_time_for_an_answer_is_over(office: Office) -> None:
    before = office.writes()
    conf = {"export_path": office.export("silent"), "require_approval": True}
    office.airflow.trigger("silent", source_name="silent", approval_hours=0.002, **conf)
    assert office.airflow.end_of("silent") == "failed"
    assert "Nobody approved the plan in time." in office.airflow.task_log("silent", "approve_plan")
    assert office.writes() == before


def test_plan_that_got_worse_since_it_was_approved_is_not_sent(office: Office) -> None:
    export = office.export("worse", noon=True)
    office.ask("worse", export_path=export, to=NOON)
    by_hand = ("--source", "neutral", "--source-name", "worse", "--export", export)
    office.import_by_hand("afternoon", *by_hand, "--from", NOON)
    before = office.writes()
    office.answer("worse", "Approve")
    assert office.airflow.end_of("worse") == "failed"
    assert office.airflow.tasks("worse")["confirm_plan"] == "failed"
    assert "late rows: 3 instead of 0" in office.airflow.task_log("worse", "confirm_plan")
    assert office.writes() == before


def test_run_that_needs_no_approval_skips_the_question(office: Office) -> None:
    office.airflow.trigger("plain", source_name="plain", export_path=office.export("plain"))
    assert office.airflow.end_of("plain") == "success"
    states = office.airflow.tasks("plain")
    assert (states["approve_plan"], states["confirm_plan"]) == ("skipped", "skipped")
    assert states["import_accounts"] == "success"


def test_failed_task_is_told_with_its_advice(office: Office) -> None:
    office.airflow.trigger("nowhere", export_path=str(office.folder / "nowhere"))
    assert office.airflow.end_of("nowhere") == "failed"
    told = [each for each in office.airflow.notices("nowhere") if each["kind"] == "task_failed"]
    assert any("nowhere" in each["what"] and each["what"].count("Error") for each in told), told


def test_night_that_is_not_done_by_its_hour_is_told_and_goes_on(office: Office) -> None:
    """No other run has a deadline: those of the tests before have told nothing of that kind."""
    airflow = office.airflow
    airflow.set_clock("2024-05-02T00:30:00+00:00")
    (night,) = wait(lambda: list(airflow.runs("scheduled")), seconds=120, says=airflow.told)
    wait(lambda: "deadline_missed" in kinds(office, night), seconds=120, says=airflow.told)
    late = [each for each in airflow.notices(night) if each["kind"] == "deadline_missed"]
    assert "by 2024-05-02T06:00:00" in late[0]["what"]
    manual = airflow.runs("manual")
    assert not any("deadline_missed" in kinds(office, run_id) for run_id in manual)


def kinds(office: Office, run_id: str) -> set[str]:
    """Return of which kinds people were told of a run."""
    return {each["kind"] for each in office.airflow.notices(run_id)}
