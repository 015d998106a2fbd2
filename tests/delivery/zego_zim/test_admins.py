"""Admins are named in a call of their own: whatever cuts a run off between the two calls, they are named in the end."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
from tests.builders_neutral import NeutralExport
from tests.clocks_fast import FastClock
from tests.delivery.driving import PLANNED
from tests.delivery.interference import Killed
from tests.delivery.rebuilding import lose_ledger, rebuild_ledger
from tests.delivery.zego_zim.killing import MethodKiller
from tests.delivery.zego_zim.migrating import ZimMigration, recent
from tests.delivery.zego_zim.test_people import (
    ADMIN,
    MEMBER,
    ROLES,
    SMALL,
    crew,
    roles_in,
    settled,
    spoken,
)

from chat_sandbox import SandboxHandle

POINTS = [
    (method, number, applied)
    for method, numbers in {"create_group": (1,), "add_members": (1, 2), "change_role": (1, 2)}.items()
    for number in numbers
    for applied in (False, True)
]  # fmt: skip
UNNAMED = {name: MEMBER if role == ADMIN else role for name, role in ROLES.items()}


@pytest.fixture
def zim(sandbox: SandboxHandle, tmp_path: Path) -> ZimMigration:
    """A migration into ZIM whose waits move the sandbox's clock; one call at a time."""
    sandbox.zim.set_rates(enabled=False)
    clock = FastClock(sandbox.advance_clock)
    connection = {**SMALL, "parallel_calls": 1}
    return ZimMigration(sandbox=sandbox, folder=tmp_path, connection=connection, clock=clock)


def cut_off(zim: ZimMigration, export: NeutralExport) -> None:
    """Import everything but the admins' roles, then lose the ledger."""
    zim.sandbox.add_fault("error", api="SetGroupMemberRole", code=660600032)
    ended = settled(zim.run(export))
    assert roles_in(ended.world) == UNNAMED
    zim.sandbox.clear_faults()
    lose_ledger(zim)


@pytest.mark.parametrize(("method", "number", "applied"), POINTS)
@pytest.mark.parametrize("same_run", [True, False], ids=["repeated", "next-run"])
def test_a_run_that_was_killed_at_any_call_names_its_admins_the_next_time(
    zim: ZimMigration,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    number: int,
    *,
    applied: bool,
    same_run: bool,
) -> None:
    export = recent(crew(), zim.sandbox.now_ms())
    with monkeypatch.context() as patch:
        killer = MethodKiller(patch, zim.home.path, method, number, applied=applied)
        with pytest.raises(Killed):
            zim.run(export, run_id=PLANNED)
        killer.restore()
    ended = settled(zim.repeat() if same_run else zim.run(export))
    assert roles_in(ended.world) == ROLES
    if same_run:
        assert ended.rows["members"] == {"imported": 6}
        assert "members" not in ended.reasons
    assert settled(zim.run(export)).writes == 0


def test_an_import_that_lost_its_ledger_before_anything_was_said_names_its_admins(
    zim: ZimMigration,
) -> None:
    export = recent(crew(), zim.sandbox.now_ms())
    cut_off(zim, export)
    ended = settled(zim.run(export))
    assert roles_in(ended.world) == ROLES
    assert ended.rows["members"] == {"already_imported": 4, "imported": 2}
    assert settled(zim.run(export)).writes == 0


@pytest.mark.parametrize("talked", [False, True])
def test_a_rebuilt_ledger_knows_who_waits_for_a_role(zim: ZimMigration, *, talked: bool) -> None:
    export = recent(spoken(crew()) if talked else crew(), zim.sandbox.now_ms())
    cut_off(zim, export)
    rebuilt = rebuild_ledger(zim, export)
    assert rebuilt.error is None
    assert rebuilt.rows["members"] == {"restored": 4, "missing": 2}
    assert rebuilt.report.reasons["members"] == {"not_admin_yet": 2}
    ended = settled(zim.run(export))
    assert roles_in(ended.world) == ROLES
    assert ended.rows["members"] == {"already_imported": 4, "imported": 2}
    assert settled(zim.run(export)).writes == 0


def test_where_people_talk_already_a_rebuilt_ledger_takes_roles_as_they_are(
    zim: ZimMigration,
) -> None:
    export = recent(spoken(crew()), zim.sandbox.now_ms())
    settled(zim.run(export))
    zim.sandbox.zim.live_group_message("pier", "ada")
    demoted = deepcopy(export)
    demoted.member("pier", "bob", role="member")
    settled(zim.run(demoted, sync_profiles="after_messages"))
    lose_ledger(zim)
    rebuilt = rebuild_ledger(zim, export)
    assert rebuilt.rows["members"] == {"restored": 6}
    assert roles_in(settled(zim.run(export)).world) == {**ROLES, "bob": MEMBER}
