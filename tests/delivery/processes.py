"""The command line as real processes against a sandbox in a process of its own, and moments to strike them.

A moment is a call, counted at the sandbox, never a time: the call is held there, and so the process that made it
is certainly met in the middle of it, on a machine of any speed. :class:`Processes` are Tencent's; each other target has
a class of its own that says how it is called and what it holds.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import reduce
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from tests.builders_neutral import NeutralExport
from tests.delivery.driving import World

import chat_sandbox
from chat_migration.connection import TargetConnection
from chat_migration.targets.tencent_chat.connection import TencentConnection
from chat_sandbox import Effect, FaultAction, SandboxHandle

ROOT = Path(__file__).resolve().parents[2]
GIVE_UP_SECONDS = 90.0
_POLL_SECONDS = 0.005
HELD_SECONDS = GIVE_UP_SECONDS
"""How long a call is held that somebody lets go, which moves the sandbox's clock by so much. ZIM takes no signature that
is ten minutes off, so a test lets go six times at most."""
Constants = Mapping[str, Any]
"""Some of the program's own constants and what they are to be, by ``module:name`` or ``module:class.name``."""


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

    def pause(self, ledger: Path) -> None:
        """Stop it at a moment at which it does not hold the ledger's write lock."""
        while True:
            self.signal(signal.SIGSTOP)
            with closing(sqlite3.connect(ledger, timeout=0.2, isolation_level=None)) as database:
                try:
                    database.execute("BEGIN IMMEDIATE")
                    database.execute("ROLLBACK")
                except sqlite3.OperationalError:
                    self.signal(signal.SIGCONT)
                else:
                    return


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
    """Forked from a process that has loaded everything: a second less each, and no other difference."""

    def __init__(
        self,
        arguments: list[str],
        environment: dict[str, str],
        output: Path,
        constants: Constants,
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
    arguments: list[str], environment: dict[str, str], output: str, constants: Constants
) -> None:
    """Do in a forked process what ``python -m chat_migration`` does."""
    written = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(written, stream)
    faulthandler.enable(all_threads=True)
    os.environ |= environment
    for name, value in constants.items():
        module, _, path = name.partition(":")
        *within, constant = path.split(".")
        setattr(reduce(getattr, within, importlib.import_module(module)), constant, value)
    sys.exit(importlib.import_module("chat_migration.cli.main").main(arguments))


@dataclass(kw_only=True)
class Processes:
    """The processes of one test; they share a home, an export and a sandbox.

    Attributes:
        extra: extras of the connection.
        params: settings of every run.
        constants: what is replaced in every process that is not a fresh one.
    """

    kind: ClassVar[type[TargetConnection]] = TencentConnection
    """The target: its name, and where it finds its connection."""
    sandbox: SandboxHandle
    folder: Path
    export: Path
    extra: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    constants: Constants = field(default_factory=dict)
    started: list[Command] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.started:
            process.kill()

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def ledger(self) -> Path:
        return self.home / "ledger.sqlite"

    # --- what differs from target to target -----------------------------------------------------

    @property
    def app(self) -> str:
        """Return the name of the app in the ledger."""
        return f"tencent:{self.sandbox.app.sdk_app_id}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what no process may say: the key, and the name under which what is signed with it travels."""
        return self.sandbox.app.secret_key, "usersig="

    def connection(self) -> dict[str, Any]:
        """Return the connection's fields as Airflow names them, but for host and type."""
        app = self.sandbox.app
        return {
            "login": app.admin,
            "password": app.secret_key,
            "extra": {"sdk_app_id": app.sdk_app_id},
        }

    def world(self) -> World:
        """Return what the target holds."""
        return self.sandbox.dump()

    # --- starting and ending --------------------------------------------------------------------

    def start(
        self, *, fresh: bool = False, constants: Constants | None = None, **params: Any
    ) -> Command:
        """Start ``chat-migration run``."""
        connection = self.connection()
        connection |= {"conn_type": self.kind.conn_type, "host": self.sandbox.url}
        connection["extra"] |= {"parallel_calls": 4, **self.extra}
        environment = {
            "PYTHONFAULTHANDLER": "1",
            "PYTHONPATH": str(ROOT / "include"),
            "CHAT_MIGRATION_HOME": str(self.home),
            self.kind.variable: json.dumps(connection),
        }
        arguments = ["run", "--target", self.kind.target, "--source", "neutral"]
        arguments += ["--export", str(self.export), "--run-id", f"run-{len(self.started)}"]
        for name, value in {"max_rejected_ratio": 0, **self.params, **params}.items():
            arguments += ["--param", f"{name}={value}"]
        output = self.folder / f"output-{len(self.started)}"
        if fresh:
            self.started.append(FreshCommand(arguments, environment, output))
        else:
            chosen = {**self.constants, **(constants or {})}
            self.started.append(ForkedCommand(arguments, environment, output, chosen))
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

    def met_in_all(self, held: Mapping[str, tuple[int, int]], **options: Any) -> Command:
        """Start a process and return it when each of its threads waits for the answer of a call that took effect.

        Args:
            held: API → number of its first call that is held, and how many threads make such calls.
        """
        faults = [
            self.sandbox.add_fault(
                FaultAction.SLOW,
                api=api,
                effect=Effect.APPLIED,
                first_call=first,
                seconds=HELD_SECONDS,
            )
            for api, (first, _) in held.items()
        ]
        process = self.start(**options)
        threads = [count for _, count in held.values()]
        self.until(process, lambda: [each["fired"] for each in self.sandbox.faults()] == threads)
        for fault in faults:
            self.sandbox.remove_fault(fault)
        return process

    def let_go(self) -> None:
        """Let all calls that are held go on, and wait until they are over."""
        self.sandbox.advance_clock(HELD_SECONDS)
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while not all(call["result"] for call in self.sandbox.stats()["recent_calls"]):
            assert time.monotonic() < deadline, "a call is still held"
            time.sleep(_POLL_SECONDS)

    def arm(self, strike: Strike, *, seconds: float) -> int:
        """Hold the call of a strike at the sandbox for some seconds; return the fault's id."""
        once: dict[str, Any] = {
            "api": strike.api,
            "first_call": strike.number,
            "last_call": strike.number,
        }
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

    # --- what came of it ------------------------------------------------------------------------

    def writes(self) -> int:
        """Return how many calls that write came in, those included that are still held."""
        return int(self.sandbox.stats()["writes"])

    def written(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield API and body of each write that the sandbox carried out, as its journal tells it."""
        for journal in (self.folder / STATE).glob("journal-*.jsonl"):
            for line in journal.read_text().splitlines():
                entry = json.loads(line)
                yield entry["op"], entry["body"]

    def reports(self) -> list[dict[str, Any]]:
        """Return the reports of all runs, oldest first."""
        files = sorted(self.home.glob("runs/*/report.json"), key=lambda each: each.stat().st_mtime)
        found = []
        for each in files:
            with suppress(FileNotFoundError):
                found.append(json.loads(each.read_text()))
        return found


P = TypeVar("P", bound=Processes)
STATE = "sandbox"
"""The folder of a sandbox's journal, within that of the test."""


@contextmanager
def launched(kind: type[P], folder: Path, export: NeutralExport, **fields: Any) -> Iterator[P]:
    """Give the processes of one test, with a sandbox that keeps a journal and messages for ever."""
    with (
        chat_sandbox.launch(
            retention_days=None,
            zim_retention_days=None,
            rate_limits=False,
            state_dir=folder / STATE,
        ) as sandbox,
        kind(
            sandbox=sandbox, folder=folder, export=export.write(folder / "export"), **fields
        ) as made,
    ):
        yield made
