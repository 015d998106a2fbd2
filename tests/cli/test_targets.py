"""``--target`` says where to; what is known of one app and of another lies side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import SAMPLES

import chat_sandbox
from chat_migration import stages
from chat_migration.cli.arguments import parser
from chat_migration.clock import SystemClock
from chat_migration.connection import TargetConnection
from chat_migration.errors import UsageError
from chat_migration.home import Home
from chat_migration.run import Run
from chat_migration.settings import Settings
from chat_migration.targets.vendors import VENDORS

NEUTRAL = SAMPLES / "neutral-harbour"
Typed = Callable[..., int]
Screen = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def both() -> Iterator[chat_sandbox.SandboxHandle]:
    with chat_sandbox.running(retention_days=None, zim_retention_days=None) as handle:
        yield handle


def described(sandbox: chat_sandbox.SandboxHandle) -> dict[str, str]:
    """Return the environment's connections to both halves of a sandbox."""
    app, zim = sandbox.app, sandbox.zim.app
    tencent = {
        "host": sandbox.url,
        "login": app.admin,
        "password": app.secret_key,
        "extra": {"sdk_app_id": app.sdk_app_id},
    }
    other = {
        "host": sandbox.url,
        "login": str(zim.app_id),
        "password": zim.server_secret,
        "extra": {"retention_days": 360},
    }
    return {
        "AIRFLOW_CONN_TENCENT_CHAT_DEFAULT": json.dumps(tencent),
        "AIRFLOW_CONN_ZIM_DEFAULT": json.dumps(other),
    }


@pytest.fixture
def targets(
    both: chat_sandbox.SandboxHandle, home: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, TargetConnection]:
    """Describe both targets in the environment; give their connections."""
    environ = described(both)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    return {name: kind.from_environment(environ) for name, kind in VENDORS.items()}


def extracted(run_id: str, connection: TargetConnection, home: Home) -> Run:
    """Extract the sample for a target, as a run of its own."""
    settings = Settings.load({"source": "neutral", "export_path": str(NEUTRAL)}, {})
    run = Run(run_id=run_id, settings=settings, connection=connection, home=home)
    stages.open_window(run)
    stages.extract_export(run)
    return run


def test_every_command_takes_every_target() -> None:
    commands = next(action for action in parser()._actions if action.dest == "command").choices
    for command in commands.values():
        (choice,) = [action for action in command._actions if action.dest == "target"]
        assert list(choice.choices) == list(VENDORS)


def test_help_shows_the_connection_of_every_target(typed: Typed, capsys: Screen) -> None:
    with pytest.raises(SystemExit):
        typed("--help")
    shown = capsys.readouterr().out
    for name, kind in VENDORS.items():
        assert f"--target {name}" in shown
        assert kind.variable in shown


@pytest.mark.parametrize("target", VENDORS)
def test_check_without_a_connection_names_the_variable_of_its_target(
    typed: Typed, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Screen, target: str
) -> None:
    monkeypatch.delenv(VENDORS[target].variable, raising=False)
    typed("check", "--target", target, "--source", "neutral", "--export", NEUTRAL)
    said = f"No {VENDORS[target].variable}: checked as for an empty app."
    assert said in capsys.readouterr().out
    assert not home.exists()


@pytest.mark.usefixtures("targets")
@pytest.mark.parametrize(("target", "api"), [("tencent", "import_group"), ("zim", "CreateGroup")])
def test_check_quotes_the_calls_of_its_target(
    typed: Typed, capsys: Screen, target: str, api: str
) -> None:
    typed("check", "--target", target, "--source", "neutral", "--export", NEUTRAL)
    shown = capsys.readouterr().out
    assert f" {api}" in shown
    assert "checked as for an empty app" not in shown


@pytest.mark.usefixtures("targets")
def test_a_missing_connection_is_that_of_the_target_asked_for(
    typed: Typed, monkeypatch: pytest.MonkeyPatch, capsys: Screen
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_ZIM_DEFAULT")
    assert typed("run", "--target", "zim", "--export", NEUTRAL) == 2
    assert "AIRFLOW_CONN_ZIM_DEFAULT" in capsys.readouterr().err


@pytest.mark.usefixtures("targets")
def test_an_app_that_refuses_the_secret_stops_the_run_before_anything_is_sent(
    typed: Typed,
    both: chat_sandbox.SandboxHandle,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Screen,
) -> None:
    wrong = json.loads(described(both)["AIRFLOW_CONN_ZIM_DEFAULT"]) | {"password": "0" * 32}
    monkeypatch.setenv("AIRFLOW_CONN_ZIM_DEFAULT", json.dumps(wrong))
    both.reset_stats()
    assert typed("run", "--target", "zim", "--source", "neutral", "--export", NEUTRAL) == 3
    assert "ServerSecret" in capsys.readouterr().err
    assert both.stats()["writes"] == 0


@pytest.mark.usefixtures("targets")
@pytest.mark.parametrize("command", ["check", "run", "rebuild"])
def test_a_section_of_the_settings_file_is_for_its_target_alone(
    typed: Typed,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: Screen,
    command: str,
) -> None:
    file = tmp_path / "settings.yaml"
    nowhere = tmp_path / "of-zim"
    file.write_text(f"export_path: {tmp_path / 'of-all'}\nzim:\n  export_path: {nowhere}\n")
    monkeypatch.setenv("CHAT_MIGRATION_CONFIG", str(file))
    for target, looked_for in (("tencent", "of-all"), ("zim", "of-zim")):
        assert typed(command, "--target", target) == 2
        assert looked_for in capsys.readouterr().err
        assert typed(command, "--target", target, "--export", tmp_path / "typed") == 2
        assert "typed" in capsys.readouterr().err
    file.write_text("zim:\n  colour: red\n")
    assert typed(command, "--target", "zim") == 2
    assert "`colour` in section `zim:` of" in capsys.readouterr().err


@pytest.mark.usefixtures("targets")
@pytest.mark.parametrize(
    ("target", "asked", "advice"),
    [
        ("zim", "c2c_unread=preserve", "use `clear_unread`"),
        ("tencent", "clear_unread=all", "Leave `clear_unread` out"),
    ],
)
def test_what_a_target_cannot_do_is_refused_before_anything_is_read(
    typed: Typed,
    both: chat_sandbox.SandboxHandle,
    home: Path,
    capsys: Screen,
    target: str,
    asked: str,
    advice: str,
) -> None:
    both.reset_stats()
    words = ("--target", target, "--export", NEUTRAL, "--param", asked)
    for command in ("check", "run"):
        assert typed(command, *words, "--param", "allow_push=true") == 2
        assert advice in capsys.readouterr().err
    assert both.stats()["calls"] == 0
    assert not home.exists()


def test_both_targets_work_from_one_extract(targets: dict[str, TargetConnection]) -> None:
    home = Home.from_environment()
    found = [extracted(f"into-{name}", each, home) for name, each in targets.items()]
    assert found[0].noted_extracts() == found[1].noted_extracts()
    assert len(list((home.stage / "neutral").glob("[!.]*"))) == 1


def test_one_export_goes_into_both_apps_once_and_one_ledger_knows_both(
    typed: Typed,
    both: chat_sandbox.SandboxHandle,
    targets: dict[str, TargetConnection],
    tmp_path: Path,
    capsys: Screen,
) -> None:
    yesterday = SystemClock().now_ms() - 86_400_000
    rows = [
        {"id": "1", "group_id": "crew", "sender_id": "ann", "sent_at": yesterday, "text": "Hello"},
        {"id": "2", "group_id": "crew", "sender_id": "bob", "sent_at": yesterday + 9, "text": "Hi"},
        {
            "id": "3",
            "recipient_id": "ann",
            "sender_id": "bob",
            "sent_at": yesterday,
            "text": "You?",
        },
    ]
    export = tmp_path / "export"
    export.mkdir()
    (export / "messages.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    words = ("run", "--source", "neutral", "--export", export, "--target")
    for target in targets:
        assert typed(*words, target) == 0
    both.reset_stats()
    for target in targets:
        assert typed(*words, target) == 0
    assert both.stats()["writes"] == 0
    capsys.readouterr()
    assert typed("status") == 0
    shown = capsys.readouterr().out
    assert all(f"app: {each.app}" in shown for each in targets.values())
    home = Home.from_environment()
    assert len(list((home.stage / "neutral").glob("[!.]*"))) == 1
    zim = both.zim.dump()["groups"]["crew"]["messages"]
    assert len(zim) == len(both.dump()["groups"]["crew"]["messages"]) == 2
    assert len(both.zim.peer_messages("ann", "bob")) == 1


def test_what_is_staged_is_not_replaced_while_the_other_target_reads_it(
    targets: dict[str, TargetConnection],
) -> None:
    home = Home.from_environment()
    (extract,) = extracted("into-tencent", targets["tencent"], home).noted_extracts()
    before = {file: file.stat().st_ino for file in extract.rglob("*")}
    extracted("into-zim", targets["zim"], home)
    assert {file: file.stat().st_ino for file in extract.rglob("*")} == before


def test_the_id_of_a_run_into_one_app_is_refused_for_another(
    targets: dict[str, TargetConnection],
) -> None:
    home = Home.from_environment()
    extracted("pilot", targets["tencent"], home)
    with pytest.raises(UsageError, match="`pilot` goes into `tencent:"):
        extracted("pilot", targets["zim"], home)
    assert extracted("pilot", targets["tencent"], home).noted_app == targets["tencent"].app


def test_status_shows_every_app_that_the_environment_describes(
    typed: Typed,
    targets: dict[str, TargetConnection],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Screen,
) -> None:
    home = Home.from_environment()
    for name, each in targets.items():
        extracted(f"into-{name}", each, home)
    assert typed("status") == 0
    shown = capsys.readouterr().out
    for name, each in targets.items():
        assert f"app: {each.app}" in shown
        assert f"into-{name}" in shown
    assert typed("status", "--target", "zim") == 0
    alone = capsys.readouterr().out
    assert "into-zim" in alone
    assert "into-tencent" not in alone
    monkeypatch.delenv("AIRFLOW_CONN_TENCENT_CHAT_DEFAULT")
    assert typed("status") == 0
    assert capsys.readouterr().out == alone


def test_status_without_a_connection_names_the_variables(
    typed: Typed, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Screen
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_ZIM_DEFAULT", raising=False)
    assert typed("status") == 2
    shown = capsys.readouterr().err
    assert all(kind.variable in shown for kind in VENDORS.values())
