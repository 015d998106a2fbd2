"""Two command lines at once on one export, ledger and target: one of them does each piece of work."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.delivery.driving import World
from tests.delivery.processes import HELD_SECONDS, Command, Processes
from tests.delivery.test_killed_process import SIZES, assert_complete, town
from tests.delivery.test_killed_process import clean as clean  # noqa: PLC0414 - the same fixture

import chat_sandbox
from chat_sandbox import Effect, FaultAction

QUICK_LEASE = {
    "chat_migration.delivery.holding:LEASE_SECONDS": 1.0,
    "chat_migration.delivery.holding:SKEW_SECONDS": 0.2,
    "chat_migration.workbench:CALL_MARGIN_SECONDS": 0.2,
}
"""A lease of ten seconds and a grace of three, which follow from the connection's timeout."""


@contextmanager
def processes(folder: Path, **extra: Any) -> Iterator[Processes]:
    state = folder / "sandbox"
    with chat_sandbox.launch(retention_days=None, rate_limits=False, state_dir=state) as sandbox:
        export = town().write(folder / "export")
        with Processes(sandbox=sandbox, folder=folder, export=export, extra=SIZES | extra) as made:
            yield made


def assert_sent_once(made: Processes, *, in_flight: int = 0) -> None:
    """Assert by the sandbox's journal that no message ever came in twice.

    A one-to-one message that was ``in_flight`` may be repeated: its key is the vendor's own.
    """
    sent: Counter[object] = Counter()
    direct: Counter[object] = Counter()
    for journal in (made.folder / "sandbox").glob("journal-*.jsonl"):
        for line in journal.read_text().splitlines():
            entry = json.loads(line)
            body = entry["body"]
            if entry["op"] == "import_group_msg":
                sent.update((body["GroupId"], each["Random"]) for each in body["MsgList"])
            elif entry["op"] == "importmsg":
                direct[body["From_Account"], body["MsgRandom"]] += 1
    assert len(sent) + len(direct) == len(town().messages)
    assert set(sent.values()) == {1}
    assert direct.total() - len(direct) <= in_flight


@pytest.mark.parametrize("wait", [0, 60])
def test_two_runs_that_start_together_send_each_message_once(
    tmp_path: Path, clean: World, wait: int
) -> None:
    with processes(tmp_path) as made:
        both = [made.start(lease_wait_seconds=wait) for _ in range(2)]
        for each in both:
            # Without waiting, each of them may meet what the other one holds at that moment.
            assert made.ended(each) in ((0,) if wait else (0, 4)), each.told()
        made.run()
        assert_complete(made, clean)
        assert_sent_once(made)


def writes_begun(made: Processes) -> Counter[str]:
    """Return how many writes of each API came in, those included that are still held."""
    apis = made.sandbox.stats()["apis"]
    return Counter(
        {
            api: of["count"]
            for api, of in apis.items()
            if api.startswith(("import", "set_", "multi"))
        }
    )


def all_calls_held(made: Processes) -> Command:
    """Start a process and return it when each of its threads waits for the answer of a call that took effect."""
    held = [
        made.sandbox.add_fault(
            FaultAction.SLOW, api=api, effect=Effect.APPLIED, first_call=first, seconds=HELD_SECONDS
        )
        for api, first in (("import_group_msg", 9), ("importmsg", 5))
    ]
    process = made.start(constants=QUICK_LEASE)
    made.until(process, lambda: [each["fired"] for each in made.sandbox.faults()] == [4, 1])
    for fault in held:
        made.sandbox.remove_fault(fault)
    return process


def pause(process: Command, ledger: Path) -> None:
    """Stop a process at a moment at which it does not hold the ledger's write lock."""
    while True:
        process.signal(signal.SIGSTOP)
        with closing(sqlite3.connect(ledger, timeout=0.2, isolation_level=None)) as database:
            try:
                database.execute("BEGIN IMMEDIATE")
                database.execute("ROLLBACK")
            except sqlite3.OperationalError:
                process.signal(signal.SIGCONT)
            else:
                return


def test_a_run_that_was_paused_past_its_lease_sends_nothing_of_what_another_one_took_over(
    tmp_path: Path, clean: World
) -> None:
    with processes(tmp_path, timeout_seconds=3.1) as made:
        paused = all_calls_held(made)
        pause(paused, made.home / "ledger.sqlite")
        other = made.start(constants=QUICK_LEASE, lease_wait_seconds=60)
        assert made.ended(other) == 0, other.told()
        # The calls that are held count as running all the time.
        assert_complete(made, clean, is_call_held=True)
        sent = writes_begun(made)
        made.let_go()
        paused.signal(signal.SIGCONT)
        assert made.ended(paused) == 4, paused.told()
        assert writes_begun(made) == sent
        assert_sent_once(made, in_flight=1)
        made.run()
        assert_complete(made, clean, is_call_held=True)
