"""Each single fault, at each API, at its first, middle and last call: the world ends as after a clean run.

A larger export than that of ``test_outcomes_table``, and other positions; a part of the cases is run each time.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.delivery.conftest import harbour
from tests.delivery.driving import SMALL, Migration, World, assert_holds, comparable
from tests.delivery.faults import SILENT, of_api

from chat_sandbox import SandboxHandle

CALLS = {
    "account_check": 2,
    "multiaccount_import": 2,
    "import_group": 3,
    "import_group_member": 5,
    "import_group_msg": 9,
    "importmsg": 7,
    "get_group_info": 1,
    "set_unread_msg_num": 4,
}
"""API → calls of a clean run after its plan."""
EVERY = 13
"""Each so many-th case of the matrix is run; 1 runs all of them (about three minutes)."""
MATRIX = [
    (api, name, position)
    for api, count in CALLS.items()
    for name in of_api(api)
    if name not in SILENT
    for position in sorted({1, (count + 1) // 2, count})
][::EVERY]
ONE_BY_ONE = SMALL | {"parallel_calls": 1}
"""Calls come in one order only, so that the n-th is the same in each run."""


@pytest.fixture(scope="module")
def clean(
    shared_sandbox: SandboxHandle, planned_harbour: Path, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """The world and the counted rows of a clean run."""
    shared_sandbox.reset()
    shared_sandbox.set_rates(enabled=False)
    folder = tmp_path_factory.mktemp("clean")
    migration = Migration(sandbox=shared_sandbox, folder=folder, connection=ONE_BY_ONE)
    ended = migration.run_planned(planned_harbour)
    assert ended.error is None
    assert ended.calls == CALLS
    return comparable(ended.world) | {"rows": ended.rows}


@pytest.mark.parametrize(("api", "name", "position"), MATRIX)
def test_a_single_fault_leaves_the_world_of_a_clean_run(
    migration: Migration,
    planned_harbour: Path,
    clean: World,
    api: str,
    name: str,
    position: int,
) -> None:
    migration.connection |= ONE_BY_ONE
    migration.sandbox.add_fault(
        api=api, first_call=position, last_call=position, **of_api(api)[name][1]
    )
    ended = migration.run_planned(planned_harbour)
    assert ended.error is None, ended.error
    assert migration.sandbox.faults()[0]["fired"] == 1
    assert_holds(ended.world, harbour())
    assert comparable(ended.world) | {"rows": ended.rows} == clean


@pytest.mark.parametrize(
    "name", ["gateway_502", "connection_reset", "throttle_60007", "signature_expired"]
)
def test_a_passing_fault_of_the_very_first_call_does_not_end_the_run(
    migration: Migration, name: str
) -> None:
    migration.sandbox.add_fault(
        api="account_check", last_call=1, **of_api("account_check")[name][1]
    )
    ended = migration.run(harbour(), until="accounts")
    assert ended.error is None, ended.error


@pytest.mark.parametrize("name", ["connection_reset_after_effect", "no_items", "fewer_items"])
def test_members_added_by_a_call_without_an_answer_count_as_imported(
    migration: Migration, planned_harbour: Path, clean: World, name: str
) -> None:
    """A row delivered by any attempt of this run id is `imported`."""
    _, fault = of_api("import_group_member")[name]
    migration.sandbox.add_fault(api="import_group_member", first_call=2, last_call=2, **fault)
    ended = migration.run_planned(planned_harbour)
    assert ended.error is None
    assert ended.rows["members"] == clean["rows"]["members"]
