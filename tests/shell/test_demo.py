"""The demo's own parts: its environment, its ports, its lock, its tables."""

from __future__ import annotations

import importlib
import io
import os
import socket
import sys
from pathlib import Path

import pytest
from rich.console import Console
from tests.clocks import HandClock

from chat_migration.progress import LogProgress
from chat_migration.settings import CONFIG_VARIABLE
from chat_migration.target_settings import settings_for
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


@pytest.fixture
def exports(common):
    return importlib.import_module("demo_exports")


@pytest.fixture
def up(common):
    return importlib.import_module("demo_up")


@pytest.fixture
def watched(common):
    """Return what a person sees of some lines of a log, without a terminal."""
    progress = importlib.import_module("demo_progress")

    def show(*lines, every_seconds=0.0):
        console = Console(record=True, width=200, force_terminal=False, file=io.StringIO())
        with progress.Watch(console, "samples/one", every_seconds=every_seconds) as watch:
            for line in lines:
                watch.line(line)
        return console.export_text().splitlines()

    return show


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
    common, exports, tmp_path, target, is_copy
):
    export = Path(exports.settings_of(target, "neutral", tmp_path)["export_path"])
    assert (export == common.REPOSITORY / exports.EXPORTS["neutral"]) != is_copy
    assert export.is_relative_to(tmp_path) == is_copy
    assert (export / "users.jsonl").exists()


@pytest.mark.parametrize("target", VENDORS)
def test_form_that_says_nothing_moves_what_the_demo_moves(up, exports, tmp_path, target):
    file = up._settings_file(tmp_path)
    wanted = exports.settings_of(target, "neutral", tmp_path)
    found = settings_for(target, {}, {CONFIG_VARIABLE: str(file)})
    assert {name: getattr(found, name) for name in wanted} == wanted
    # Everything else is left to the defaults.
    assert found.model_fields_set == set(wanted)


def test_settings_file_that_is_there_stays_as_its_user_wants_it(up, tmp_path):
    (tmp_path / "settings.yaml").write_text("source: slack\n")
    assert up._settings_file(tmp_path).read_text() == "source: slack\n"


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


def test_lines_of_a_command_are_told_while_it_runs_and_kept_in_the_log(demo, tmp_path, monkeypatch):
    (tmp_path / "airflow").write_text("#!/bin/sh\necho first; cat told; echo second\n")
    (tmp_path / "airflow").chmod(0o755)
    monkeypatch.setattr(demo, "BIN", tmp_path)
    monkeypatch.setattr(demo, "REPOSITORY", tmp_path)
    os.mkfifo(tmp_path / "told")
    heard = []

    def told(line):
        heard.append(line)
        if line == "first\n":
            # The command waits for this: it is still running when its first line is told.
            (tmp_path / "told").write_text("answer\n")

    log = tmp_path / "demo.log"
    assert demo._airflow(["dags", "test"], os.environ.copy(), log, told) == log.read_text()
    assert heard == ["first\n", "answer\n", "second\n"]


def test_person_sees_which_stage_it_is_how_far_and_how_long_still(watched):
    assert watched(
        "[time] {base.py:92} INFO - import_group_members: run manual__2026-05-01 · window everything",
        "[time] {progress.py:86} INFO - group messages: 89 of 1140 messages (8 %), 18 messages/s, ETA 0:00:59",
        "[time] {base.py:80} INFO - accounts: 71 imported",
    ) == [
        "samples/one: import group members",
        "samples/one: group messages: 89 of 1140 (8 %), ETA 0:00:59",
    ]


@pytest.mark.parametrize(
    ("quoted", "said"),
    [
        ("0:00:19", []),
        ("0:01:52", ["samples/one: 0:01:52 at the app's rate, by the quote"]),
    ],
    ids=["short", "long"],
)
def test_how_long_it_takes_is_said_before_it_is_sent_if_that_is_long(watched, quoted, said):
    assert watched(f"INFO - time at the rate limit: {quoted}") == said


def test_without_a_terminal_a_line_comes_now_and_then(watched):
    lines = [f"groups: {done} of 16 groups (0 %), 9 groups/s, ETA 0:00:01" for done in range(16)]
    assert watched(*lines, every_seconds=60) == []


def test_on_a_terminal_one_line_changes_and_is_gone_at_the_end(common):
    progress = importlib.import_module("demo_progress")
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, color_system=None, width=80)
    with progress.Watch(console, "samples/one") as watch:
        watch.line("groups: 3 of 16 groups (19 %), 9 groups/s, ETA 0:00:01")
    assert "one: groups: 3 of 16 (19 %), ETA 0:00:01 0:00:00" in file.getvalue()
    erased = "\x1b[2K"
    assert file.getvalue().endswith(erased)


def test_what_tasks_log_is_what_the_demo_looks_for(watched, caplog):
    clock = HandClock()
    progress = LogProgress(clock=clock, every_seconds=0)
    with caplog.at_level("INFO"):
        progress.begin("one-to-one messages", 90, "messages")
        clock.move(10)
        progress.advance(30)
    (shown,) = watched(*caplog.messages)
    assert shown == ("samples/one: one-to-one messages: 30 of 90 (33 %), ETA 0:00:20")


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
