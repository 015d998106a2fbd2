"""Killing a run into ZIM at one call of a target's method, and putting back what was on disk then."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.delivery.interference import Killed, copy_home

from chat_migration.targets.zego_zim.target import ZimTarget


class MethodKiller:
    """Kills the process at the n-th call of a method, before it leaves or after its effect."""

    def __init__(
        self, patch: pytest.MonkeyPatch, home: Path, method: str, number: int, *, applied: bool
    ) -> None:
        self._home, self._copy = home, home.with_name("home-when-killed")
        self._left = number
        send = getattr(ZimTarget, method)

        def killing(target: ZimTarget, *args: Any, **kwargs: Any) -> Any:
            self._left -= 1
            if self._left:
                return send(target, *args, **kwargs)
            if applied:
                send(target, *args, **kwargs)
            copy_home(self._home, self._copy)
            raise Killed

        patch.setattr(ZimTarget, method, killing)

    def restore(self) -> None:
        """Put the home back as it was when the process was killed."""
        assert self._left <= 0, "it was never killed"
        shutil.rmtree(self._home)
        self._copy.rename(self._home)
