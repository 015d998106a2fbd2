"""Drops that name only what changed: what a run leaves to a later one comes in though no later drop names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.builders_neutral import HOUR, MINUTE, SECOND, START_MS, NeutralExport, at
from tests.delivery.driving import Ended, Migration, assert_adds_up, said_in, unread_in
from tests.delivery.interference import Killed
from tests.delivery.test_deferred import AT_THE_END, assert_nothing_waits, kept_on_stage

from chat_migration import stages
from chat_migration.errors import UsageError
from chat_sandbox import FaultAction

Change = Callable[[NeutralExport], object]

CHANGES: dict[str, tuple[Change, dict[str, str]]] = {
    "leaver": (lambda drop: drop.member("pier", "cid", left_at=at(50)), {"members": "removed"}),
    "role": (lambda drop: drop.member("pier", "cid", role="admin"), {"members": "role"}),
    "profile": (lambda drop: drop.groups.append(row_of_pier(name="New")), {"groups": "profile"}),
    "owner": (lambda drop: drop.groups.append(row_of_pier(owner_id="bob")), {"groups": "owner"}),
}
"""A change of the group → how it is named in the next night's drop, and the reason that its row ends with at last."""


@pytest.fixture
def nightly(migration: Migration) -> Migration:
    """A migration that brings changes over, of a public group of three."""
    migration.sandbox.set_switch("tips", "off")
    migration.settings["sync_profiles"] = "after_messages"
    export = NeutralExport().user("ada", "bob", "cid", "dee")
    export.group("pier", "ada", "bob", "cid", type="public").say("pier", "ada", at(1))
    assert ended_well(migration.run(export)).rows["members"] == {"imported": 3}
    return migration


def row_of_pier(**fields: str) -> dict[str, object]:
    stated = {"name": "PIER", "type": "public", "owner_id": "ada", "created_at": START_MS - HOUR}
    return {"id": "pier", **stated, **fields}


def ended_well(ended: Ended) -> Ended:
    assert ended.error is None, ended.error
    assert ended.report is not None
    assert_adds_up(ended.report)
    return ended


def too_new(migration: Migration, message_id: str = "new") -> NeutralExport:
    """A drop of nothing but a message that has to wait."""
    soon = (migration.clock.now_ms() // SECOND) * SECOND + MINUTE
    return NeutralExport().say("pier", "ada", soon, id=message_id, text=message_id)


def nothing() -> NeutralExport:
    return NeutralExport().user("ada")


def roles(ended: Ended) -> dict[str, str]:
    members = ended.world["groups"]["pier"]["members"]
    return {user: member["role"] for user, member in sorted(members.items())}


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("nights", [1, 2])
def test_a_change_that_waits_for_messages_comes_after_them(
    nightly: Migration, kind: str, nights: int
) -> None:
    change, reasons = CHANGES[kind]
    drop = too_new(nightly)
    change(drop)
    held = ended_well(nightly.run(drop))
    assert {"messages_first": 1} in (held.reasons.get("groups"), held.reasons.get("members"))
    before = kept_on_stage(nightly)
    for _ in range(nights - 1):
        again = ended_well(nightly.run(nothing()))
        assert again.rows["group_messages"] == {"deferred": 1}
        assert kept_on_stage(nightly) == before
    nightly.clock.sleep(120)
    ended = ended_well(nightly.run(nothing()))
    for table, reason in reasons.items():
        assert ended.rows[table] == {"updated": 1}
        assert ended.reasons[table] == {reason: 1}
    assert [text for _, text, _ in said_in(ended.world, "pier")][1:] == ["new"]
    assert_nothing_waits(nightly)
    last = ended_well(nightly.run(nothing()))
    assert last.writes == 0
    assert last.rows["members"] == last.rows["groups"] == {}


def test_who_joins_too_late_for_a_run_joins_with_the_next(nightly: Migration) -> None:
    now = nightly.clock.now_ms()
    first = ended_well(nightly.run(NeutralExport().member("pier", "dee", joined_at=now)))
    assert first.reasons["members"] == {"too_new": 1}
    nightly.clock.sleep(120)
    ended = ended_well(nightly.run(nothing()))
    assert ended.rows["members"] == {"imported": 1}
    assert ended.world["groups"]["pier"]["members"]["dee"]["join_time"] == now // 1000
    assert_nothing_waits(nightly)


def test_a_change_that_a_later_drop_takes_back_is_not_made(nightly: Migration) -> None:
    drop = too_new(nightly).member("pier", "cid", left_at=at(50))
    ended_well(nightly.run(drop))
    back = ended_well(nightly.run(NeutralExport().member("pier", "cid")))
    assert back.rows["members"] == {"already_imported": 1}
    nightly.clock.sleep(120)
    ended = ended_well(nightly.run(nothing()))
    assert roles(ended) == {"ada": "Owner", "bob": "Member", "cid": "Member"}
    assert_nothing_waits(nightly)


def test_of_a_change_that_is_held_twice_the_later_one_is_made(nightly: Migration) -> None:
    for name in ("first", "second"):
        drop = too_new(nightly, name)
        drop.groups.append(row_of_pier(name=name))
        ended_well(nightly.run(drop))
    ended_well(nightly.run(nothing()))
    nightly.clock.sleep(200)
    ended = ended_well(nightly.run(nothing()))
    assert ended.world["groups"]["pier"]["name"] == "second"
    assert_nothing_waits(nightly)


def test_the_read_state_of_a_held_member_is_that_of_its_own_night(nightly: Migration) -> None:
    drop = too_new(nightly).member("pier", "cid", role="admin", unread_count=1)
    ended_well(nightly.run(drop))
    nightly.clock.sleep(120)
    ended = ended_well(nightly.run(nothing().say("pier", "bob", nightly.clock.now_ms() - MINUTE)))
    assert roles(ended)["cid"] == "Admin"
    assert unread_in(ended.world, "pier") == {"cid": 2}


def test_a_group_without_messages_that_the_quota_kept_out_comes_with_the_next_run(
    nightly: Migration,
) -> None:
    nightly.sandbox.add_fault(FaultAction.ERROR, api="import_group", code=10006)
    export = NeutralExport().user("ada", "bob").group("quay", "ada", "bob", type="public")
    first = ended_well(nightly.run(export))
    assert first.rows["groups"] == {"deferred": 1}
    assert first.rows["members"] == {"deferred": 2}
    nightly.sandbox.clear_faults()
    ended = ended_well(nightly.run(nothing().say("quay", "bob", at(100), id="q1")))
    assert ended.rows["groups"] == {"imported": 1}
    assert ended.rows["members"] == {"imported": 2}
    quay = ended.world["groups"]["quay"]
    assert (quay["type"], quay["owner"], sorted(quay["members"])) == (
        "Public",
        "ada",
        ["ada", "bob"],
    )
    assert_nothing_waits(nightly)


def test_what_was_unread_before_the_quota_let_a_group_in_stays_unread(
    nightly: Migration, tmp_path: Path
) -> None:
    """The next night's drop has more messages, and does not say again how many are unread."""
    nightly.sandbox.add_fault(FaultAction.ERROR, api="import_group", code=10006)
    export = NeutralExport().user("ada", "bob").group("quay", "ada", "bob")
    for number in range(3):
        export.say("quay", "ada", at(number), id=f"q{number}")
    export.member("quay", "bob", unread_count=1).write(tmp_path / "drops" / "2024-05-01")
    more = nothing().say("quay", "ada", at(86_400), id="q3").say("quay", "ada", at(86_401), id="q4")
    more.write(tmp_path / "drops" / "2024-05-02")
    template, days = tmp_path / "drops" / "{date}", ["2024-05-01", "2024-05-02", "2024-05-03"]
    first = ended_well(nightly.run(template, **{"from": days[0], "to": days[1]}))
    assert first.rows["group_messages"] == {"deferred": 3}
    nightly.sandbox.clear_faults()
    ended = ended_well(nightly.run(template, **{"from": days[1], "to": days[2]}))
    assert unread_in(ended.world, "quay") == {"bob": 3}


def test_who_leaves_before_the_quota_lets_a_group_in_is_never_added(nightly: Migration) -> None:
    nightly.sandbox.add_fault(FaultAction.ERROR, api="import_group", code=10006)
    export = NeutralExport().user("ada", "bob").group("quay", "ada", "bob")
    ended_well(nightly.run(export))
    left = ended_well(nightly.run(NeutralExport().member("quay", "bob", left_at=at(50))))
    assert left.rows["members"] == {"deferred": 1, "skipped": 1}
    nightly.sandbox.clear_faults()
    ended = ended_well(nightly.run(nothing()))
    assert sorted(ended.world["groups"]["quay"]["members"]) == ["ada"]
    assert_nothing_waits(nightly)


def test_a_pilot_of_others_leaves_a_held_change_where_it_is(nightly: Migration) -> None:
    ended_well(nightly.run(too_new(nightly).member("pier", "cid", left_at=at(50))))
    nightly.clock.sleep(120)
    named = NeutralExport().member("pier", "cid", left_at=at(50)).tell("ada", "bob", at(2), id="d1")
    pilot = ended_well(nightly.run(named, conversations=["ada/bob"]))
    assert "cid" in roles(pilot)
    ended = ended_well(nightly.run(nothing()))
    assert "cid" not in roles(ended)
    assert_nothing_waits(nightly)


def test_a_run_over_an_older_drop_makes_no_held_change_and_loses_none(
    nightly: Migration, tmp_path: Path
) -> None:
    drops = {"2024-05-02": nothing(), "2024-05-03": too_new(nightly)}
    drops["2024-05-03"].member("pier", "cid", left_at=at(50))
    for date, drop in drops.items():
        drop.write(tmp_path / "drops" / date)
    template = tmp_path / "drops" / "{date}"
    days = ["2024-05-02", "2024-05-03", "2024-05-04"]
    ended_well(nightly.run(template, **{"from": days[1], "to": days[2]}))
    nightly.clock.sleep(120)
    older = ended_well(nightly.run(template, **{"from": days[0], "to": days[1]}))
    assert older.rows["group_messages"] == {"imported": 1}
    assert "cid" in roles(older)
    ended = ended_well(nightly.run(nothing()))
    assert "cid" not in roles(ended)
    assert_nothing_waits(nightly)


def test_held_changes_that_are_gone_from_the_stage_stop_the_plan(nightly: Migration) -> None:
    now = nightly.clock.now_ms()
    ended_well(nightly.run(NeutralExport().member("pier", "dee", joined_at=now)))
    for folder in kept_on_stage(nightly):
        folder.rename(folder.with_name(f".{folder.name}"))
    refused = nightly.run(nothing())
    assert isinstance(refused.error, UsageError)
    assert "1 rows that an earlier run deferred" in refused.error.what


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("where", "name"), AT_THE_END, ids=[name for _, name in AT_THE_END])
def test_a_crash_at_the_end_of_a_run_loses_no_held_change(
    nightly: Migration, monkeypatch: pytest.MonkeyPatch, where: object, name: str, *, after: bool
) -> None:
    really = getattr(where, name)

    def crashes(*args: object, **kwargs: object) -> object:
        if after:
            really(*args, **kwargs)
        raise Killed

    drop = too_new(nightly).member("pier", "cid", left_at=at(50))
    with monkeypatch.context() as patch:
        patch.setattr(where, name, crashes)
        with pytest.raises(Killed):
            nightly.run(drop)
    assert nightly.last is not None
    stages.write_report(nightly.last)
    nightly.clock.sleep(120)
    ended = ended_well(nightly.run(nothing()))
    assert "cid" not in roles(ended)
    assert_nothing_waits(nightly)


# --- drops without the group's row ----------------------------------------------------------------


def test_members_of_a_group_whose_row_a_drop_lacks_get_the_roles_that_they_have(
    nightly: Migration,
) -> None:
    drop = NeutralExport().user("dee").member("pier", "dee", role="admin", joined_at=at(30))
    ended = ended_well(nightly.run(drop.member("pier", "bob", role="admin")))
    assert ended.rows["members"] == {"imported": 1, "updated": 1}
    assert roles(ended) == {"ada": "Owner", "bob": "Admin", "cid": "Member", "dee": "Admin"}


def test_messages_of_a_topic_need_no_row_of_their_community(migration: Migration) -> None:
    topics = [{"id": "tides", "name": "Tides", "created_at": at(-1800)}]
    export = NeutralExport().user("ada", "bob")
    export.group("reef", "ada", "bob", type="community", topics=topics)
    ended_well(migration.run(export.say("reef", "ada", at(1), topic_id="tides")))
    drop = NeutralExport().say("reef", "bob", at(60), id="n1", text="known", topic_id="tides")
    drop.say("reef", "bob", at(70), id="n2", text="new", topic_id="shoals")
    ended = ended_well(migration.run(drop))
    assert ended.rows["group_messages"] == {"imported": 2}
    held = ended.world["groups"]["@TGS#_reef"]["topics"]
    assert {topic["name"]: len(topic["messages"]) for topic in held.values()} == {
        "Tides": 2,
        "shoals": 1,
    }
