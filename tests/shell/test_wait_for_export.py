"""WaitForExportOperator: it waits in the triggerer, and goes on or fails with what is missing."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import TaskDeferred

from chat_migration import stages
from chat_migration.errors import ExportMissingError, StageUnreachableError
from chat_migration.settings import Settings
from chat_migration_airflow.operators.arrival import WaitForExportOperator
from chat_migration_airflow.operators.base import MigrationOperator
from chat_migration_airflow.triggers import arrival
from chat_migration_airflow.triggers.arrival import ExportArrivalTrigger

WINDOW = {"from": "2024-05-01", "to": "2024-05-03"}


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    connection = {
        "conn_type": "tencent_chat",
        "host": "http://127.0.0.1:1",
        "login": "administrator",
        "password": "secret-key-of-the-test",
        "extra": {"sdk_app_id": 1400000001},
    }
    monkeypatch.setenv("AIRFLOW_CONN_TENCENT_CHAT_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("CHAT_MIGRATION_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture
def drops(tmp_path):
    return tmp_path / "drops"


def deliver(drops, *days):
    for day in days:
        (drops / day).mkdir(parents=True)
        (drops / day / "messages.jsonl").write_text("")


def context(drops, **params):
    run = SimpleNamespace(
        dag_id="import_to_tencent_chat",
        run_id="manual__1",
        run_type=SimpleNamespace(value="manual"),
        data_interval_start=datetime(2024, 5, 1, tzinfo=UTC),
        data_interval_end=datetime(2024, 5, 2, tzinfo=UTC),
    )
    return {"dag_run": run, "params": {"export_path": f"{drops}/{{date}}/", **WINDOW, **params}}


def operator():
    return WaitForExportOperator(task_id="wait_for_export")


def deferred(drops, **params):
    with pytest.raises(TaskDeferred) as raised:
        operator().execute(context(drops, **params))
    return raised.value


def fired(trigger):
    """Run a trigger, as another process would make it; return its one event."""
    path, kwargs = trigger.serialize()
    assert path == "chat_migration_airflow.triggers.arrival.ExportArrivalTrigger"
    again = ExportArrivalTrigger(**json.loads(json.dumps(kwargs)))
    again.poll_seconds = 0.01

    async def first():
        return [event.payload async for event in again.run()]

    (event,) = asyncio.run(first())
    return json.loads(json.dumps(event))


def test_export_that_is_there_is_not_waited_for(drops):
    deliver(drops, "2024-05-01", "2024-05-02")
    done = operator().execute(context(drops, wait_for_export_seconds=60))
    assert done["rows"] == {}


def test_without_seconds_to_wait_it_looks_once_and_fails(drops):
    deliver(drops, "2024-05-01")
    with pytest.raises(ExportMissingError, match=r"lacks `2024-05-02`"):
        operator().execute(context(drops))


def test_export_without_a_template_is_taken_as_it_is(drops):
    operator().execute(context(drops, export_path=str(drops)))


def test_it_waits_without_a_worker_and_goes_on_when_the_drop_is_there(drops):
    deliver(drops, "2024-05-01")
    waiting = deferred(drops, wait_for_export_seconds=600)
    assert waiting.method_name == "execute_complete"
    deliver(drops, "2024-05-02")
    event = fired(waiting.trigger)
    done = operator().execute_complete(context(drops, wait_for_export_seconds=600), event)
    assert done["rows"] == {}


def test_at_the_deadline_it_fails_with_what_is_missing(drops):
    deliver(drops, "2024-05-01")
    event = fired(deferred(drops, wait_for_export_seconds=0.05).trigger)
    with pytest.raises(ExportMissingError, match=r"lacks `2024-05-02`"):
        operator().execute_complete(context(drops, wait_for_export_seconds=0.05), event)


def test_at_the_deadline_a_gap_that_is_allowed_is_left_out(drops):
    deliver(drops, "2024-05-01")
    given = {"wait_for_export_seconds": 0.05, "allow_gap": True}
    event = fired(deferred(drops, **given).trigger)
    assert operator().execute_complete(context(drops, **given), event)["rows"] == {}


def test_reading_afterwards_does_not_wait_another_time(drops, monkeypatch):
    """The deadline is one for the run, not one for each of its tasks."""
    deliver(drops, "2024-05-01")
    given = {"wait_for_export_seconds": 0.05, "allow_gap": True}
    event = fired(deferred(drops, **given).trigger)
    waits = operator()
    waits.execute_complete(context(drops, **given), event)
    asked = []
    monkeypatch.setattr(
        stages.extract, "wait_for", lambda *_, **given: asked.append(given["wait_seconds"])
    )
    run = waits._run
    stages.extract._waited_for(run, stages.extract.Wanted.by(run.settings, run.window.window))
    assert asked == [0]


def test_stability_that_the_trigger_saw_counts_for_the_task(drops, monkeypatch):
    """Files whose times lie in the future are stable once two looks say so."""
    import os

    deliver(drops, "2024-05-01", "2024-05-02")
    ahead = time.time() + 3600
    for day in ("2024-05-01", "2024-05-02"):
        os.utime(drops / day / "messages.jsonl", (ahead, ahead))
    given = {"wait_for_export_seconds": 600, "stable_seconds": 0.2}
    event = fired(deferred(drops, **given).trigger)
    assert operator().execute_complete(context(drops, **given), event)["rows"] == {}


def test_store_that_does_not_answer_for_a_while_is_asked_again(drops, monkeypatch):
    deliver(drops, "2024-05-01")
    trigger = deferred(drops, wait_for_export_seconds=600).trigger
    deliver(drops, "2024-05-02")
    real, failures = arrival.look, [StageUnreachableError("away"), StageUnreachableError("away")]

    def look(*given):
        if failures:
            raise failures.pop()
        return real(*given)

    monkeypatch.setattr(arrival, "look", look)
    assert set(fired(trigger)["watch"]) == {f"{drops}/2024-05-01/", f"{drops}/2024-05-02/"}
    assert failures == []


def test_dry_run_waits_as_well(drops):
    deferred(drops, wait_for_export_seconds=60, dry_run=True)


def test_operator_only_stores_its_arguments_and_says_what_a_retry_does():
    made = WaitForExportOperator(task_id="t", conn_id="other")
    assert made.hook.conn_id == "other"
    assert set(MigrationOperator.template_fields) <= set(made.template_fields)
    assert "A retry" in WaitForExportOperator.__doc__
    assert Settings().wait_for_export_seconds == 0
