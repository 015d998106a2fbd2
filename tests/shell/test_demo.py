"""The demo's own parts: its environment, its ports, its lock, its tables."""

from __future__ import annotations

import importlib
import os
import socket
import sys
from pathlib import Path

import pytest
from rich.console import Console

from chat_migration.targets.tencent_chat.connection import TencentConnection
from chat_migration.targets.vendors import VENDORS
from chat_migration.targets.zego_zim.connection import ZimConnection

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def common(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("demo_common")


@pytest.fixture
def demo(common):
    return importlib.import_module("demo")


def test_environment_has_a_connection_that_the_command_line_takes_too(common, tmp_path):
    env = common.environment(tmp_path, "http://127.0.0.1:9700")
    connection = TencentConnection.from_environment(env)
    assert (connection.host, connection.sdk_app_id) == ("http://127.0.0.1:9700", common.SDK_APP_ID)


def test_environment_has_the_other_target_too_within_what_the_sandbox_keeps(common, tmp_path):
    connection = ZimConnection.from_environment(
        common.environment(tmp_path, "http://127.0.0.1:9700")
    )
    assert (connection.app_id, connection.host) == (common.ZIM_APP_ID, "http://127.0.0.1:9700")
    assert connection.retention_days == common.ZIM_RETENTION_DAYS


@pytest.mark.parametrize(("target", "is_copy"), [("tencent", False), ("zim", True)])
def test_target_with_a_retention_gets_copies_that_are_recent_enough(
    demo, tmp_path, target, is_copy
):
    path = demo.EXPORTS["neutral"]
    export = demo._export(path, target, tmp_path)
    assert (export == demo.REPOSITORY / path) != is_copy
    assert export.is_relative_to(tmp_path) == is_copy


def test_every_target_has_its_dag(demo):
    assert set(demo.DAGS) == set(VENDORS)
    assert all((demo.REPOSITORY / "dags" / f"{each}.py").exists() for each in demo.DAGS.values())


def test_environment_keeps_nothing_inherited_that_would_change_the_result(
    common, tmp_path, monkeypatch
):
    monkeypatch.setenv("CHAT_MIGRATION_CONFIG", "/somewhere.yaml")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    env = common.environment(tmp_path, "http://127.0.0.1:9700")
    assert not {"CHAT_MIGRATION_CONFIG", "AIRFLOW__CORE__EXECUTOR"} & set(env)


def test_busy_port_is_replaced(common):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert common.free_port(port) not in {0, port}


def test_free_port_is_taken_as_asked(common):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    assert common.free_port(port) == port


def test_second_demo_in_one_home_is_refused(common, tmp_path):
    with (
        common.held(tmp_path),
        pytest.raises(common.DemoError, match="already running"),
        common.held(tmp_path),
    ):
        pass


def test_server_that_ends_is_reported_with_its_log(common, tmp_path):
    log = tmp_path / "server.log"
    command = [sys.executable, "-c", "raise SystemExit(3)"]
    with (
        common.logged(log) as output,
        common.process(command, output, os.environ.copy()) as server,
        pytest.raises(common.DemoError, match=r"exit code 3.*server\.log"),
    ):
        common.wait_for(lambda: False, server, "The server", log, seconds=20)


def test_failing_airflow_command_is_reported_with_its_error_and_log(demo, tmp_path, monkeypatch):
    (tmp_path / "airflow").write_text(
        "#!/bin/sh\necho 'x.errors.UsageError: Give export_path.'; exit 1\n"
    )
    (tmp_path / "airflow").chmod(0o755)
    monkeypatch.setattr(demo, "BIN", tmp_path)
    with pytest.raises(demo.DemoError, match=r"(?s)UsageError: Give export_path\..*demo\.log"):
        demo._airflow(["dags", "test"], os.environ.copy(), tmp_path / "demo.log")


def test_summary_shows_rows_calls_times_and_where_to_look(demo, tmp_path):
    report = {
        "rows": {"accounts": {"imported": 12, "rejected": 0}, "groups": {"imported": 2}},
        "calls": {"import_group": {"count": 2, "throttled": 1, "retried": 1, "peak_per_second": 2}},
        "seconds": {"extract": 1.25},
    }
    moved = demo.Import(source="slack", report=report, folder=tmp_path, writes=14, seconds=20)
    console = Console(record=True, width=120)
    demo._summarise(console, [moved], "zim")
    shown = console.export_text()
    for expected in (
        "imported",
        "12",
        "2 (2)",
        "extract 1.2",
        "14 write calls",
        str(tmp_path),
        "make demo TARGET=zim",
        "make up",
    ):
        assert expected in shown
    assert "rejected  " not in shown.splitlines()[2]
