"""The command line: what is typed, what is shown, how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import SAMPLES, connection

import chat_sandbox

SLACK = SAMPLES / "slack-houstondatavis"
NEUTRAL = SAMPLES / "neutral-harbour"
Typed = Callable[..., int]


def report_of(home: Path) -> dict:
    """Return the only run's report."""
    (path,) = home.glob("runs/*/report.json")
    return json.loads(path.read_text())


def test_check_lists_problems_with_file_and_line_and_quotes_the_import(
    typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("check", "--source", "neutral", "--export", NEUTRAL) == 0
    shown = capsys.readouterr().out
    assert "messages/2024-05-01.jsonl:42: skipped: duplicate" in shown
    assert "c2c_messages: 2 skipped, 45 to_import" in shown


def test_check_calls_nothing_and_writes_nothing(
    typed: Typed, target: None, sandbox: chat_sandbox.SandboxHandle, home: Path
) -> None:
    assert typed("check", "--source", "slack", "--export", SLACK) == 0
    assert sandbox.stats()["calls"] == 0
    assert not home.exists()


def test_check_ends_with_1_when_too_many_rows_are_rejected(typed: Typed, tmp_path: Path) -> None:
    rows = [
        '{"id": "1", "group_id": "g", "sender_id": "u", "sent_at": 1714555800000, "text": "hi"}'
    ]
    (tmp_path / "messages.jsonl").write_text("\n".join([*rows, '{"id": "2"}']))
    assert typed("check", "--export", tmp_path) == 1


def test_run_imports_everything_and_a_second_run_writes_nothing(
    typed: Typed, target: None, sandbox: chat_sandbox.SandboxHandle
) -> None:
    words = ("run", "--source", "neutral", "--export", NEUTRAL)
    assert typed(*words) == 0
    world = sandbox.dump()
    sandbox.reset_stats()
    assert typed(*words) == 0
    assert sandbox.stats()["writes"] == 0
    assert sandbox.dump() == world


def test_the_report_adds_up_to_the_rows_read(typed: Typed, target: None, home: Path) -> None:
    assert typed("run", "--source", "slack", "--export", SLACK) == 0
    report = report_of(home)
    assert {kind: sum(of.values()) for kind, of in report["rows"].items()} == {
        "accounts": 71, "groups": 16, "members": 317, "c2c_messages": 0, "group_messages": 1382, "unread": 0,
    }  # fmt: skip


def test_a_dry_run_writes_nothing_anywhere(
    typed: Typed, target: None, sandbox: chat_sandbox.SandboxHandle, home: Path
) -> None:
    assert typed("run", "--source", "slack", "--export", SLACK, "--dry-run") == 0
    assert sandbox.stats()["calls"] == 0
    assert not home.exists()


def test_more_rejected_rows_than_allowed_end_with_1_and_everything_else_is_imported(
    typed: Typed, target: None, home: Path, tmp_path: Path
) -> None:
    good = '{"id": "%d", "group_id": "g", "sender_id": "u", "sent_at": 1714555800000, "text": "hi"}'
    (tmp_path / "messages.jsonl").write_text("\n".join([good % 1, "{", good % 2]))
    assert typed("run", "--export", tmp_path / "messages.jsonl") == 2
    assert typed("run", "--export", _folder(tmp_path)) == 1
    assert report_of(home)["rows"]["group_messages"] == {"rejected": 1, "imported": 2}
    (line,) = [
        json.loads(text)
        for text in next(home.glob("runs/*/rejected.jsonl")).read_text().splitlines()
    ]
    assert (line["file"], line["line"]) == ("messages.jsonl", 2)


def _folder(path: Path) -> Path:
    folder = path / "export"
    folder.mkdir()
    return (path / "messages.jsonl").rename(folder / "messages.jsonl").parent


@pytest.mark.parametrize(
    ("words", "found"),
    [
        pytest.param(("--source", "neutral", "--export", SLACK), "use the source `slack`", id="wrong reader"),
        pytest.param(("--source", "slack", "--export", NEUTRAL), "neutral-harbour", id="no Slack export"),
        pytest.param(("--export", "/nowhere/at/all"), "/nowhere/at/all", id="no such path"),
        pytest.param(("--export", NEUTRAL, "--param", "shards=0"), "shards", id="bad value"),
        pytest.param(("--export", NEUTRAL, "--param", "colour=red"), "colour", id="unknown setting"),
        pytest.param(("--export", NEUTRAL, "--from", "yesterday"), "yesterday", id="bad instant"),
        pytest.param(("--export", NEUTRAL, "--from", "2024-05-02", "--to", "2024-05-01"), "empty", id="empty window"),
        pytest.param(("--export", NEUTRAL, "--param", "c2c_unread=preserve"), "allow_push", id="needs a second word"),
    ],
)  # fmt: skip
def test_wrong_usage_and_unreadable_exports_end_with_2_before_any_call(
    words, found, typed, target, sandbox, capsys
) -> None:
    assert typed("run", *words) == 2
    assert found in capsys.readouterr().err
    assert sandbox.stats()["calls"] == 0


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        pytest.param({"password": "not-the-secret"}, "70009", id="wrong secret"),
        pytest.param({"extra": {"sdk_app_id": 1400009999}}, "70020", id="wrong app"),
        pytest.param({"login": "somebody"}, "60010", id="no admin"),
        pytest.param({"host": "http://127.0.0.1:1"}, "refused", id="nobody there"),
    ],
)
def test_a_refused_connection_ends_with_3_and_one_clear_message(
    changes: dict[str, object],
    found: str,
    typed: Typed,
    home: Path,
    sandbox: chat_sandbox.SandboxHandle,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TENCENT_CHAT_DEFAULT", connection(sandbox, **changes))
    assert typed("run", "--source", "slack", "--export", SLACK) == 3
    error = capsys.readouterr().err
    assert error.count("chat-migration: ") == 1
    assert found in error
    assert not list(home.glob("runs/*"))


def test_no_connection_is_explained_by_an_example(
    typed: Typed, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("run", "--export", NEUTRAL) == 2
    assert '"sdk_app_id": 1400000000' in capsys.readouterr().err


def test_status_shows_runs_and_states(
    typed: Typed, target: None, capsys: pytest.CaptureFixture[str]
) -> None:
    typed("run", "--source", "neutral", "--export", NEUTRAL, "--run-id", "first")
    assert typed("status") == 0
    shown = capsys.readouterr().out
    assert "first" in shown
    assert "messages: 142 delivered" in shown


def test_status_without_a_ledger_says_where_it_looked(
    typed: Typed, target: None, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("status") == 2
    assert str(home) in capsys.readouterr().err


def test_no_file_that_a_failed_run_leaves_holds_the_secret_or_a_signature(
    typed: Typed,
    target: None,
    sandbox: chat_sandbox.SandboxHandle,
    home: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sandbox.add_fault("error", api="import_group", code=60020)
    assert typed("run", "--source", "slack", "--export", SLACK) == 3
    shown = "".join(capsys.readouterr()).encode()
    left = [file.read_bytes() for file in home.rglob("*") if file.is_file()]
    assert len(left) > 5
    for content in (shown, *left):
        assert sandbox.app.secret_key.encode() not in content
        assert b"usersig=" not in content.lower()
        assert b"eJw" not in content


def test_home_and_stage_are_readable_by_their_owner_alone(
    typed: Typed, target: None, home: Path
) -> None:
    typed("run", "--source", "neutral", "--export", NEUTRAL)
    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / "stage").stat().st_mode & 0o777 == 0o700
    assert (home / "ledger.sqlite").stat().st_mode & 0o777 == 0o600
