"""Standing between the migrator and its sockets: kills at an exact call, answers that no sandbox gives."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chat_migration.targets.transport import HttpTransport, NoReply, Reply

Answer = Reply | NoReply
Hook = Callable[[str, int, dict[str, Any], Callable[[], Answer]], Answer]
"""Takes API, the call's number for that API from 1, its body and the function that sends it."""


class Killed(BaseException):
    """The process is gone: nobody catches this, and what its ``finally`` blocks write is thrown away."""


def intercept(monkeypatch: pytest.MonkeyPatch, hook: Hook) -> None:
    """Let a hook stand between every call and the socket."""
    send = HttpTransport.post
    numbers: Counter[str] = Counter()

    def post(self: HttpTransport, url: str, body: bytes, timeout_seconds: float) -> Answer:
        api = url.partition("?")[0].rpartition("/")[2]
        numbers[api] += 1
        return hook(
            api, numbers[api], json.loads(body), lambda: send(self, url, body, timeout_seconds)
        )

    monkeypatch.setattr(HttpTransport, "post", post)


class Killer:
    """Kills the process at one call, before the request leaves or after its effect, and restores what was on disk."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, home: Path, api: str, number: int, *, applied: bool
    ) -> None:
        self._home, self._api, self._number, self._applied = home, api, number, applied
        self._copy = home.with_name("home-when-killed")
        self.has_struck = False
        intercept(monkeypatch, self._hook)

    def _hook(
        self, api: str, number: int, _body: dict[str, Any], send: Callable[[], Answer]
    ) -> Answer:
        if (api, number) != (self._api, self._number):
            return send()
        if self._applied:
            send()
        copy_home(self._home, self._copy)
        self.has_struck = True
        raise Killed

    def restore(self) -> None:
        """Put the home back as it was when the process was killed."""
        assert self.has_struck
        shutil.rmtree(self._home)
        self._copy.rename(self._home)


def copy_home(home: Path, copy: Path) -> None:
    """Copy a home as a crash would leave it: the ledger as committed, all other files as they are."""
    shutil.copytree(home, copy, ignore=lambda _, names: {n for n in names if "ledger" in n})
    source, target = (
        sqlite3.connect(home / "ledger.sqlite"),
        sqlite3.connect(copy / "ledger.sqlite"),
    )
    with source, target:
        source.backup(target)
    source.close()
    target.close()
