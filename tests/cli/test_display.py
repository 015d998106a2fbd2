"""What a person at a terminal sees while a command works."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from tests.cli.conftest import SAMPLES

from chat_migration.cli.display import Bars, TerminalProgress


@pytest.fixture
def screen() -> Console:
    """A terminal that is written to a text, and never refreshed but by what is done."""
    return Console(file=io.StringIO(), force_terminal=True, width=110, legacy_windows=False)


def drawn(screen: Console) -> list[str]:
    """Return the lines that have been drawn, without colours and bars."""
    assert isinstance(screen.file, io.StringIO)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.file.getvalue())
    return [" ".join(re.sub(r"[━╸╺]+", "", line).split()) for line in re.split(r"[\r\n]+", plain)]


def test_bar_shows_what_and_how_many_of_how_many(screen: Console) -> None:
    progress = TerminalProgress(Bars(screen))
    progress.begin("accounts", 71, "accounts")
    progress.end()
    assert any(line.startswith("accounts 0/71 accounts") for line in drawn(screen))


def test_bar_without_a_total_counts(screen: Console) -> None:
    progress = TerminalProgress(Bars(screen))
    progress.begin("extract", None, "rows")
    progress.advance(1140)
    progress.end()
    assert any("1140/? rows" in line for line in drawn(screen))


def test_note_stands_in_place_of_the_name_whatever_is_in_it(screen: Console) -> None:
    progress = TerminalProgress(Bars(screen))
    progress.begin("group messages", 9, "messages")
    progress.note("waiting for [bold]1 conversation")
    progress.end()
    assert any(line.startswith("waiting for [bold]1 conversation") for line in drawn(screen))


def test_what_goes_on_stays_in_sight_when_what_began_before_it_ends(screen: Console) -> None:
    bars = Bars(screen)
    first, second = TerminalProgress(bars), TerminalProgress(bars)
    first.begin("one-to-one messages", 30, "messages")
    second.begin("group messages", 60, "messages")
    first.end()
    before = len(drawn(screen))
    second.advance(59)
    second.end()
    shown = drawn(screen)[before:]
    assert any(line.startswith("group messages 59/60 messages") for line in shown)
    assert not any("one-to-one" in line for line in shown)


def test_bars_can_be_shown_again_after_the_last_one_ended(screen: Console) -> None:
    progress = TerminalProgress(Bars(screen))
    for name in ("accounts", "groups"):
        progress.begin(name, 5, name)
        progress.end()
    assert any(line.startswith("groups 0/5 groups") for line in drawn(screen))


def test_command_works_on_a_terminal(home: Path) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "chat_migration", "check"]
    with subprocess.Popen(
        [*command, "--source", "neutral", "--export", str(SAMPLES / "neutral-harbour")],
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=subprocess.STDOUT,
        env=os.environ | {"TERM": "xterm", "CHAT_MIGRATION_HOME": str(home)},
    ) as running:
        os.close(follower)
        shown = b"".join(iter(lambda: _read(leader), b""))
    os.close(leader)
    assert running.returncode == 0, shown.decode()
    assert "146/146" in shown.decode()
    assert "longest chain" in shown.decode()


def _read(leader: int) -> bytes:
    """Return what a terminal was sent; nothing when its last writer is gone."""
    try:
        return os.read(leader, 65536)
    except OSError:
        return b""
