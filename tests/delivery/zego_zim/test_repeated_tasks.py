"""A task that a scheduler repeats, and a run that is killed and goes on, count what one unbroken run would have."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.clocks_fast import FastClock
from tests.delivery.driving import Ended, assert_adds_up
from tests.delivery.interference import Killed
from tests.delivery.zego_zim.killing import MethodKiller
from tests.delivery.zego_zim.migrating import ZimMigration, recent

from chat_sandbox import SandboxHandle

COUNTED = ("accounts", "groups", "members", "group_messages", "c2c_messages")


@pytest.fixture
def zim(sandbox: SandboxHandle, tmp_path: Path) -> ZimMigration:
    """A migration into ZIM whose waits move the sandbox's clock; one call at a time."""
    sandbox.zim.set_rates(enabled=False)
    clock = FastClock(sandbox.advance_clock)
    return ZimMigration(
        sandbox=sandbox, folder=tmp_path, connection={"parallel_calls": 1}, clock=clock
    )


def first() -> NeutralExport:
    """Return an export whose group names no owner."""
    export = NeutralExport().user("ada", "bob").group("quay")
    for each in ("ada", "bob"):
        export.member("quay", each)
    return export.say("quay", "ada", at(100)).tell("ada", "bob", at(100))


def second(export: NeutralExport) -> NeutralExport:
    """Return it with rows that come late, one of two parts, one at a time that is taken, and one in time."""
    later, start = deepcopy(export), export.messages[0]["sent_at"]
    for text in ("late", "é" * 1500):
        later.say("quay", "bob", start - 50_000, text=text)
        later.tell("bob", "ada", start - 50_000, text=text)
    return later.say("quay", "bob", start + 1000).tell("bob", "ada", start + 1000)


def told(ended: Ended) -> dict[str, object]:
    """Return what a report counts of rows, and how far their slots were lifted."""
    assert ended.error is None, ended.error
    assert ended.report is not None
    assert_adds_up(ended.report)
    rows = {kind: ended.rows[kind] for kind in COUNTED}
    reasons = {kind: ended.reasons.get(kind) for kind in COUNTED}
    return {"rows": rows, "reasons": reasons, "slots": ended.report.slots}


def test_late_rows_and_chosen_owners_are_counted_with_their_reasons(zim: ZimMigration) -> None:
    export = recent(first(), zim.sandbox.now_ms())
    ended = zim.run(export)
    assert (ended.rows["groups"], ended.reasons["groups"]) == ({"imported": 1}, {"owner_chosen": 1})
    assert told(zim.repeat()) == told(ended)
    ended = zim.run(second(export))
    assert ended.rows["group_messages"] == {"already_imported": 1, "imported": 3}
    assert ended.reasons["group_messages"] == {"late": 2}
    assert ended.reasons["c2c_messages"] == {"late": 2}
    assert told(zim.repeat()) == told(ended)
    again = zim.run(second(export))
    assert again.writes == 0
    assert again.rows["group_messages"] == {"already_imported": 4}
    assert "group_messages" not in again.reasons


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize(
    ("method", "number"),
    [("send_group_messages", number) for number in (1, 2)]
    + [("send_direct_message", number) for number in (2, 3, 7)],
)
def test_a_task_that_was_killed_and_repeated_counts_what_an_unbroken_one_does(
    zim: ZimMigration,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    number: int,
    *,
    applied: bool,
) -> None:
    export = recent(first(), zim.sandbox.now_ms())
    told(zim.run(export))
    with monkeypatch.context() as patch:
        killer = MethodKiller(patch, zim.home.path, method, number, applied=applied)
        with pytest.raises(Killed):
            zim.run(second(export))
        killer.restore()
    ended = told(zim.repeat())
    assert ended["rows"]["group_messages"] == {"already_imported": 1, "imported": 3}  # type: ignore[index]
    for kind in ("group_messages", "c2c_messages"):
        assert ended["reasons"][kind] == {"late": 2}  # type: ignore[index]
