"""Changes of groups that exist already, on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.builders_neutral import NeutralExport, at

import chat_sandbox


@pytest.mark.parametrize(
    ("setting", "members"), [("off", {"ada", "bob"}), ("after_messages", {"ada"})]
)
def test_leavers_are_removed_when_that_is_asked_for(
    typed: Callable[..., int],
    target: None,
    sandbox: chat_sandbox.SandboxHandle,
    tmp_path: Path,
    setting: str,
    members: set[str],
) -> None:
    export = NeutralExport().user("ada", "bob").group("g", "ada", "bob").say("g", "ada", at(0))
    assert typed("run", "--export", export.write(tmp_path / "first")) == 0
    export.member("g", "bob", left_at=at(10))
    words = ("--param", f"sync_profiles={setting}")
    assert typed("run", "--export", export.write(tmp_path / "second"), *words) == 0
    assert set(sandbox.dump()["groups"]["g"]["members"]) == members
