"""A process that is killed at any call, before or after its effect: the next run ends as if nothing had been."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.delivery.conftest import harbour
from tests.delivery.driving import Migration, assert_adds_up, assert_holds
from tests.delivery.interference import Killed, Killer

POINTS = [
    (api, number, applied)
    for api, numbers in {
        "multiaccount_import": (1, 2),
        "import_group": (1, 3),
        "import_group_member": (1, 3, 5),
        "importmsg": (1, 4, 7),
        "import_group_msg": (1, 2, 5, 6, 9),
        "set_unread_msg_num": (1, 2, 4),
    }.items()
    for number in numbers
    for applied in (False, True)
]


CASES = [
    (*point, same)
    for number, point in enumerate(POINTS)
    for same in (True, False)
    if same == (number % 3 > 0)
]


@pytest.mark.parametrize(("api", "number", "applied", "same_run_id"), CASES)
def test_a_kill_at_any_call_is_made_good_by_the_next_run(
    migration: Migration,
    planned_harbour: Path,
    monkeypatch: pytest.MonkeyPatch,
    api: str,
    number: int,
    *,
    applied: bool,
    same_run_id: bool,
) -> None:
    migration.connection["parallel_calls"] = 1
    export = harbour()
    with monkeypatch.context() as patch:
        killer = Killer(patch, migration.home.path, api, number, applied=applied)
        with pytest.raises(Killed):
            migration.run_planned(planned_harbour)
        killer.restore()
    ended = migration.run_planned(planned_harbour) if same_run_id else migration.run(export)
    assert ended.error is None, ended.error
    assert_holds(ended.world, export)
    assert ended.report is not None
    assert ended.report.in_doubt == 0
    assert_adds_up(ended.report)
    if same_run_id:
        outcomes = {kind: set(of) for kind, of in ended.rows.items() if kind != "unread"}
        assert outcomes == {kind: {"imported"} for kind in outcomes}
    else:
        assert migration.repeat().writes == 0
