"""Each single fault, at each API, at its first, middle and last call: the world ends as after a clean run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.delivery.conftest import harbour
from tests.delivery.driving import SMALL, Migration, World, assert_holds, comparable

from chat_sandbox import Effect, FaultAction, SandboxHandle

Fault = dict[str, Any]

APPLIED = {"effect": Effect.APPLIED}
LOST: dict[str, Fault] = {
    "connection_reset": {"action": FaultAction.DROP},
    "connection_closed": {"action": FaultAction.CLOSE},
    "gateway_502": {"action": FaultAction.HTTP_ERROR, "status": 502},
    "empty_body": {"action": FaultAction.EMPTY_BODY},
    "truncated_body": {"action": FaultAction.TRUNCATED_BODY},
    "page_of_html": {"action": FaultAction.HTML_BODY},
    "internal_error_10002": {"action": FaultAction.ERROR, "code": 10002},
    "timeout_60008": {"action": FaultAction.ERROR, "code": 60008},
    "internal_error_91000": {"action": FaultAction.ERROR, "code": 91000},
}
"""Answers that say nothing of the effect: each is tried without and with one."""
SPOILED: dict[str, Fault] = {
    "no_items": {"action": FaultAction.OMIT_ROWS},
    "fewer_items": {"action": FaultAction.FEWER_ROWS},
    "more_items": {"action": FaultAction.MORE_ROWS},
    "flat_sequences": {"action": FaultAction.FLAT_SEQ},
}
HARMLESS: dict[str, Fault] = {
    **{
        f"throttle_{code}": {"action": FaultAction.ERROR, "code": code}
        for code in (60007, 60011, 60018, 60019, 10006)
    },
    "signature_expired": {"action": FaultAction.ERROR, "code": 70001},
    "locked_70050": {"action": FaultAction.ERROR, "code": 70050},
}
LATE = {"applied_late": {"action": FaultAction.APPLY_LATE, "seconds": 2.5}}
FAULTS: dict[str, Fault] = {
    **LOST,
    **{f"{name}_after_effect": fault | APPLIED for name, fault in LOST.items()},
    **SPOILED,
    **HARMLESS,
    **LATE,
}
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
    for name in FAULTS
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
    migration.sandbox.add_fault(api=api, first_call=position, last_call=position, **FAULTS[name])
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
    migration.sandbox.add_fault(api="account_check", last_call=1, **FAULTS[name])
    ended = migration.run(harbour(), until="accounts")
    assert ended.error is None, ended.error


@pytest.mark.parametrize("name", ["connection_reset_after_effect", "no_items", "fewer_items"])
def test_members_added_by_a_call_without_an_answer_count_as_imported(
    migration: Migration, planned_harbour: Path, clean: World, name: str
) -> None:
    """A row delivered by any attempt of this run id is `imported`."""
    migration.sandbox.add_fault(
        api="import_group_member", first_call=2, last_call=2, **FAULTS[name]
    )
    ended = migration.run_planned(planned_harbour)
    assert ended.error is None
    assert ended.rows["members"] == clean["rows"]["members"]
