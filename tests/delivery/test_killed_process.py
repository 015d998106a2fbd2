"""The command line, killed and stopped for real in the middle of its work, and started again."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.delivery.chaos import differences
from tests.delivery.driving import Migration, World, assert_holds, comparable
from tests.delivery.processes import Processes, Strike, Struck

import chat_sandbox
from chat_migration.ledger.ledger import Ledger

LIVES, KILLS = 4, 5
"""Ledgers, and kills of each: twenty in all."""
STAGES = {
    "account_check": (1, 2),
    "multiaccount_import": (1, 2),
    "import_group": (1, 3),
    "import_group_member": (1, 5),
    "importmsg": (1, 12),
    "import_group_msg": (1, 8),
    "set_unread_msg_num": (1, 12),
}
"""API → (first, last) call at which a run may be struck, in the order of the stages. Enough calls are left
for each strike whatever the strikes before it left over."""
OFTEN = ("import_group_msg", "import_group_msg", "importmsg")
"""Struck more often: only there something may be sent twice."""


def town() -> NeutralExport:
    """Enough calls for a process to be met in the middle of any stage, several times."""
    people = [f"user{number}" for number in range(6)]
    export = NeutralExport().user(*people)
    for number in range(6):
        export.group(f"group{number}", *people, type="public")
        for row in range(60):
            export.say(f"group{number}", people[row % 6], at(row // 3 + number / 10))
        for each in people:
            export.member(f"group{number}", each, unread_count=number + 2)
    for row in range(40):
        export.tell(people[row % 2], people[1 - row % 2], at(row / 3))
    return export


SIZES = {"accounts_per_call": 3, "members_per_call": 4}


def strikes(seed: int) -> list[Strike]:
    """Return the moments of one ledger's life, in the order of the stages."""
    chance = random.Random(seed)
    names = [*chance.sample(sorted(STAGES), KILLS - len(OFTEN)), *OFTEN]
    made = []
    for api in sorted(names, key=list(STAGES).index):
        kinds = [Struck.ANSWERING, Struck.ON_ITS_WAY, Struck.LOST]
        made.append(Strike(api=api, number=chance.randint(*STAGES[api]), kind=chance.choice(kinds)))
    return made


@contextmanager
def processes(folder: Path) -> Iterator[Processes]:
    with chat_sandbox.launch(retention_days=None, rate_limits=False) as sandbox:
        export = town().write(folder / "export")
        with Processes(sandbox=sandbox, folder=folder, export=export, extra=SIZES) as made:
            yield made


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> World:
    """What a run that nobody disturbs leaves behind."""
    with chat_sandbox.running(retention_days=None, rate_limits=False) as sandbox:
        folder = tmp_path_factory.mktemp("clean")
        migration = Migration(sandbox=sandbox, folder=folder, connection=SIZES)
        ended = migration.run(town())
    assert ended.error is None
    assert_holds(ended.world, town())
    return comparable(ended.world)


def assert_complete(made: Processes, clean: World, *, is_call_held: bool = False) -> None:
    """Assert that the last run was complete, and that the target is as a clean run leaves it."""
    assert differences(comparable(made.sandbox.dump()), clean) == []
    assert_holds(made.sandbox.dump(), town())
    assert is_call_held or made.sandbox.stats()["overlaps"] == {}
    report = made.reports()[-1]
    assert report["complete"]
    assert report["in_doubt"] == 0
    assert {kind: sum(of.values()) for kind, of in report["rows"].items()} == report["rows_read"]
    app = f"tencent:{made.sandbox.app.sdk_app_id}"
    with Ledger.open(f"sqlite:///{made.home / 'ledger.sqlite'}", app) as ledger:
        assert ledger.count_unresolved() == 0
    for process in made.started:
        assert made.sandbox.app.secret_key not in process.told()


@pytest.mark.parametrize("seed", range(LIVES))
def test_a_process_that_is_killed_again_and_again_leaves_what_a_clean_run_leaves(
    tmp_path: Path, clean: World, seed: int
) -> None:
    with processes(tmp_path) as made:
        for strike in strikes(seed):
            made.kill(strike)
        made.run()
        assert_complete(made, clean)


def test_a_process_killed_between_the_last_message_and_the_first_count_sets_all_counts_later(
    tmp_path: Path, clean: World
) -> None:
    with processes(tmp_path) as made:
        made.kill(Strike(api="set_unread_msg_num", kind=Struck.LOST))
        sent = made.sandbox.calls("import_group_msg")
        made.run()
        assert_complete(made, clean)
        assert made.sandbox.calls("import_group_msg") == sent


STOPPED_AT = [
    Strike(api="import_group_member", number=3),
    Strike(api="import_group_msg", number=20),
    Strike(api="import_group_msg", number=5, kind=Struck.LOST),
    Strike(api="set_unread_msg_num", number=7),
]
CALL_SECONDS, STOP_SECONDS = 0.5, 10.0


def test_a_process_that_is_asked_to_stop_ends_in_time_with_5_and_the_next_goes_on(
    tmp_path: Path, clean: World
) -> None:
    with processes(tmp_path) as made:
        for strike in STOPPED_AT:
            process = made.met(strike, seconds=CALL_SECONDS, fresh=True)
            process.signal(signal.SIGTERM)
            asked = time.monotonic()
            assert made.ended(process) == 5, process.told()
            assert time.monotonic() - asked < STOP_SECONDS
        made.run()
        assert_complete(made, clean)
