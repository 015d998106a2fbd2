"""The command line as real processes against a sandbox in a process of its own, and moments to strike them.

A moment is a call, counted at the sandbox, never a time: the call is held there, and so the process that made it
is certainly met in the middle of it, on a machine of any speed.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

from chat_sandbox import Effect, FaultAction, SandboxHandle

ROOT = Path(__file__).resolve().parents[2]
GIVE_UP_SECONDS = 90.0
_POLL_SECONDS = 0.005
HELD_SECONDS = 3600.0


class Struck(StrEnum):
    """How the call stands at the moment of the strike."""

    ANSWERING = "answering"
    """It has taken effect; its answer never arrives."""
    ON_ITS_WAY = "on_its_way"
    """It takes effect after the process is gone."""
    LOST = "lost"
    """It never takes effect; the process knows only that the connection broke."""


@dataclass(frozen=True, kw_only=True)
class Strike:
    """The moment of the ``number``-th call of an API from now on."""

    api: str
    number: int = 1
    kind: Struck = Struck.ANSWERING

    def __str__(self) -> str:
        return f"{self.api}-{self.number}-{self.kind}"


class Command:
    """One run of the command line in a process of its own, with the few verbs that tests need."""

    def __init__(self, output: Path) -> None:
        self.output = output

    @property
    def pid(self) -> int:
        raise NotImplementedError

    def wait(self, seconds: float | None = None) -> int | None:
        """Wait for the end and return the exit code, or None if it is not there in time."""
        raise NotImplementedError

    def told(self) -> str:
        """Return what it has written so far."""
        return self.output.read_text()

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it with SIGKILL, if it is still there."""
        if self.wait(0) is None:
            self.signal(signal.SIGKILL)
            self.wait()


class FreshCommand(Command):
    """Started as a shell does."""

    def __init__(self, arguments: list[str], environment: dict[str, str], output: Path) -> None:
        super().__init__(output)
        command = [sys.executable, "-m", "chat_migration", *arguments]
        with output.open("wb") as written:
            self._process = subprocess.Popen(
                command,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, seconds: float | None = None) -> int | None:
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


class ForkedCommand(Command):
    """Forked from a process that has loaded everything: a second less each, and no other difference.

    ``constants`` replaces some of the program's own, by ``module:name``.
    """

    def __init__(
        self,
        arguments: list[str],
        environment: dict[str, str],
        output: Path,
        constants: dict[str, Any],
    ) -> None:
        super().__init__(output)
        output.touch()
        self._process = _forking().Process(
            target=_run_command, args=(arguments, environment, str(output), constants)
        )
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def wait(self, seconds: float | None = None) -> int | None:
        self._process.join(seconds)
        return self._process.exitcode


def _forking() -> multiprocessing.context.ForkServerContext:
    """Return the context of a fork server that has loaded the program."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["chat_migration.cli.main", "matplotlib.figure"])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join((str(ROOT / "include"), str(ROOT)))
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before
    return context


def _run_command(
    arguments: list[str], environment: dict[str, str], output: str, constants: dict[str, Any]
) -> None:
    """Do in a forked process what ``python -m chat_migration`` does."""
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(written, stream)
    faulthandler.enable(all_threads=True)
    os.environ |= environment
    for name, value in constants.items():
        module, _, constant = name.partition(":")
        setattr(importlib.import_module(module), constant, value)
    sys.exit(importlib.import_module("chat_migration.cli.main").main(arguments))


@dataclass(kw_only=True)
class Processes:
    """The processes of one test; they share a home, an export and a sandbox."""

    sandbox: SandboxHandle
    folder: Path
    export: Path
    extra: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    started: list[Command] = field(default_factory=list)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.started:
            process.kill()

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def start(
        self, *, fresh: bool = False, constants: dict[str, Any] | None = None, **params: Any
    ) -> Command:
        """Start ``chat-migration run``."""
        app = self.sandbox.app
        connection = {
            "conn_type": "tencent_chat",
            "host": self.sandbox.url,
            "login": app.admin,
            "password": app.secret_key,
            "extra": {"sdk_app_id": app.sdk_app_id, "parallel_calls": 4, **self.extra},
        }
        environment = {
            "PYTHONFAULTHANDLER": "1",
            "PYTHONPATH": str(ROOT / "include"),
            "CHAT_MIGRATION_HOME": str(self.home),
            "AIRFLOW_CONN_TENCENT_CHAT_DEFAULT": json.dumps(connection),
        }
        arguments = ["run", "--target", "tencent", "--source", "neutral"]
        arguments += ["--export", str(self.export), "--run-id", f"run-{len(self.started)}"]
        for name, value in {"max_rejected_ratio": 0, **self.params, **params}.items():
            arguments += ["--param", f"{name}={value}"]
        output = self.folder / f"output-{len(self.started)}"
        if fresh:
            self.started.append(FreshCommand(arguments, environment, output))
        else:
            self.started.append(ForkedCommand(arguments, environment, output, constants or {}))
        return self.started[-1]

    def ended(self, process: Command, seconds: float = GIVE_UP_SECONDS) -> int:
        """Wait for the end of a process and return its exit code."""
        code = process.wait(seconds)
        assert code is not None, f"still there after {seconds} s: {process.told()}"
        return code

    def run(self) -> None:
        """Run to the end, which must be a complete one."""
        process = self.start()
        assert self.ended(process) == 0, process.told()

    def until(self, process: Command, reached: Callable[[], bool]) -> None:
        """Wait for something to happen while a process works; it must not end before."""
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while not reached():
            assert process.wait(0) is None, process.told()
            assert time.monotonic() < deadline, process.told()
            time.sleep(_POLL_SECONDS)

    def met(self, strike: Strike, *, seconds: float = HELD_SECONDS, **options: Any) -> Command:
        """Start a process and return it in the middle of the call, which is held for so long."""
        fault = self.arm(strike, seconds=seconds)
        process = self.start(**options)
        self.until(process, lambda: self.has_fired(fault))
        self.sandbox.remove_fault(fault)
        return process

    def kill(self, strike: Strike) -> None:
        """Start a process and kill it in the middle of the call."""
        self.met(strike).kill()
        self.let_go()

    def let_go(self) -> None:
        """Let all calls that are held go on."""
        self.sandbox.advance_clock(HELD_SECONDS)

    def arm(self, strike: Strike, *, seconds: float) -> int:
        """Hold the call of a strike at the sandbox for some seconds; return the fault's id."""
        once = {"api": strike.api, "first_call": strike.number, "last_call": strike.number}
        match strike.kind:
            case Struck.LOST:
                return self.sandbox.add_fault(FaultAction.DROP, effect=Effect.NONE, **once)
            case Struck.ON_ITS_WAY:
                effect = Effect.NONE
            case Struck.ANSWERING:
                effect = Effect.APPLIED
        return self.sandbox.add_fault(FaultAction.SLOW, effect=effect, seconds=seconds, **once)

    def has_fired(self, fault: int) -> bool:
        return any(each["id"] == fault and each["fired"] for each in self.sandbox.faults())

    def reports(self) -> list[dict[str, Any]]:
        """Return the reports of all runs, oldest first."""
        files = sorted(self.home.glob("runs/*/report.json"), key=lambda each: each.stat().st_mtime)
        found = []
        for each in files:
            with suppress(FileNotFoundError):
                found.append(json.loads(each.read_text()))
        return found
