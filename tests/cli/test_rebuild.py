"""``chat-migration rebuild``: what it shows, what it leaves behind, how it ends."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import SAMPLES

import chat_sandbox

NEUTRAL = SAMPLES / "neutral-harbour"
Typed = Callable[..., int]


def report_of(home: Path) -> dict:
    (path,) = home.glob("runs/*/rebuild.json")
    return json.loads(path.read_text())


def test_the_printed_command_restores_a_lost_ledger_and_the_next_run_writes_nothing(
    typed: Typed, target: None, sandbox: chat_sandbox.SandboxHandle, home: Path, capsys
) -> None:
    words = (
        "run",
        "--export",
        NEUTRAL,
        "--source-name",
        "old harbour",
        "--param",
        "oversize_text=reject",
    )
    assert typed(*words) == 0
    world = sandbox.dump()
    shutil.rmtree(home)
    capsys.readouterr()
    assert typed(*words) == 3
    (told,) = re.findall(r"chat-migration (rebuild .*)$", capsys.readouterr().err, re.MULTILINE)
    sandbox.reset_stats()
    assert typed(*shlex.split(told)) == 0
    assert sandbox.stats()["writes"] == 0
    shown = capsys.readouterr().out
    assert "none of them a write" in shown
    assert len(shown.splitlines()) < 25
    report = report_of(home)
    assert report["complete"]
    assert report["unproved_rows"] == report["foreign_messages"] == 0
    assert typed(*words) == 0
    assert sandbox.stats()["writes"] == 0
    assert sandbox.dump() == world


def test_what_cannot_be_proved_ends_with_1_and_is_listed(
    typed: Typed, target: None, sandbox: chat_sandbox.SandboxHandle, home: Path, capsys
) -> None:
    assert typed("run", "--export", NEUTRAL, "--source-name", "one") == 0
    shutil.rmtree(home)
    sandbox.reset_stats()
    assert typed("rebuild", "--export", NEUTRAL, "--source-name", "other") == 1
    assert sandbox.stats()["writes"] == 0
    assert "--source-name" in capsys.readouterr().err
    (path,) = home.glob("runs/*/unproved.jsonl")
    assert path.stat().st_mode & 0o077 == 0
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == report_of(home)["lines"] > 0
    assert all(line["reason"] and line["advice"] for line in lines)


def test_the_window_of_the_settings_file_does_not_narrow_a_rebuild(
    typed: Typed, target: None, sandbox: chat_sandbox.SandboxHandle, home: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert typed("run", "--export", NEUTRAL) == 0
    shutil.rmtree(home)
    file = tmp_path / "settings.yaml"
    file.write_text("from: 2024-05-02\ndry_run: true\n")
    monkeypatch.setenv("CHAT_MIGRATION_CONFIG", str(file))
    assert typed("rebuild", "--export", NEUTRAL) == 0
    monkeypatch.delenv("CHAT_MIGRATION_CONFIG")
    sandbox.reset_stats()
    assert typed("run", "--export", NEUTRAL) == 0
    assert sandbox.stats()["writes"] == 0


@pytest.mark.parametrize(
    "words",
    [("--export", "/nowhere/at/all"), (), ("--export", NEUTRAL, "--param", "shards=0")],
    ids=["no such path", "no export", "bad value"],
)
def test_wrong_usage_ends_with_2_before_any_call(
    typed: Typed, target: None, sandbox: chat_sandbox.SandboxHandle, words: tuple[object, ...]
) -> None:
    assert typed("rebuild", *words) == 2
    assert sandbox.stats()["calls"] == 0


def test_a_target_that_refuses_the_secret_ends_with_3(
    typed: Typed, target: None, sandbox: chat_sandbox.SandboxHandle, home: Path
) -> None:
    sandbox.add_fault("error", code=70009)
    assert typed("rebuild", "--export", NEUTRAL) == 3
    assert list(home.glob("runs/*/rebuild.json")) == []


def test_the_help_says_what_it_does_and_how_it_ends(typed: Typed, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        typed("rebuild", "--help")
    assert ended.value.code == 0
    told = capsys.readouterr().out
    for word in ("source-name", "unproved.jsonl", "exit codes: 0 restored", "oversize_text="):
        assert word in told
    assert "--dry-run" not in told
    assert "--from" not in told
