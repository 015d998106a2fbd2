"""The command line, killed and stopped for real in the middle of its work, and started again."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.delivery.chaos import differences
from tests.delivery.driving import Migration, World, assert_holds, comparable
from tests.delivery.process_scenes import assert_whole, stop_each, strikes_in
from tests.delivery.processes import Processes, Strike, Struck, launched

import chat_sandbox

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


def town(*, rows: int = 60, direct_rows: int = 40) -> NeutralExport:
    """Enough calls for a process to be met in the middle of any stage, several times.

    Six groups of so many rows, and one conversation of two people.
    """
    people = [f"user{number}" for number in range(6)]
    export = NeutralExport().user(*people)
    for number in range(6):
        export.group(f"group{number}", *people, type="public")
        for row in range(rows):
            export.say(f"group{number}", people[row % 6], at(row // 3 + number / 10))
        for each in people:
            export.member(f"group{number}", each, unread_count=number + 2)
    for row in range(direct_rows):
        export.tell(people[row % 2], people[1 - row % 2], at(row / 3))
    return export


SIZES = {"accounts_per_call": 3, "members_per_call": 4}


def processes(folder: Path, **extra: Any) -> AbstractContextManager[Processes]:
    return launched(Processes, folder, town(), extra={**SIZES, **extra})


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
    assert differences(comparable(made.world()), clean) == []
    assert_holds(made.world(), town())
    assert_whole(made, is_call_held=is_call_held)


@pytest.mark.parametrize("life", range(LIVES))
def test_a_process_that_is_killed_again_and_again_leaves_what_a_clean_run_leaves(
    tmp_path: Path, clean: World, life: int
) -> None:
    with processes(tmp_path) as made:
        for strike in strikes_in(STAGES, kills=KILLS, often=OFTEN, life=life):
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


def test_a_process_that_is_asked_to_stop_ends_in_time_with_5_and_the_next_goes_on(
    tmp_path: Path, clean: World
) -> None:
    with processes(tmp_path) as made:
        stop_each(made, STOPPED_AT, fresh=True)
        made.run()
        assert_complete(made, clean)
