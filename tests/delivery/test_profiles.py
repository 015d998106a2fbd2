"""Night after night: joiners come in with the members, everything else of a group after its messages."""

from __future__ import annotations

import json
from copy import deepcopy

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.delivery.driving import Ended, Migration, World, assert_adds_up, said_in, unread_in
from tests.delivery.interference import Killed, Killer

from chat_migration import stages
from chat_migration.delivery.holding import Lease
from chat_migration.delivery.tips import NOTICES
from chat_migration.errors import HeldElsewhereError, NoticeStoredError, StoppedError
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.records import Worker
from chat_migration.process import this_process
from chat_migration.targets.tencent_chat.limits import API_OF
from chat_sandbox import FaultAction

SYNC = {"sync_profiles": "after_messages"}
CHANGES = (
    "delete_group_member", "modify_group_member_info", "change_group_owner", "modify_group_base_info",
)  # fmt: skip

NOTICE_OF = {API_OF[verb]: notice for verb, notice in NOTICES.items()}


@pytest.fixture
def silent(migration: Migration) -> Migration:
    """A migration into an app whose notices are switched off, as it should be."""
    migration.sandbox.set_switch("tips", "off")
    migration.settings |= SYNC
    return migration


def pier(*, kind: str = "public") -> NeutralExport:
    """One group of four: ada owns it, bob is an admin; a few messages."""
    export = NeutralExport().user("ada", "bob", "cid", "dee")
    export.group("pier", "ada", "bob", "cid", "dee", type=kind, introduction="moored")
    export.member("pier", "bob", role="admin")
    for number in range(4):
        export.say("pier", ("ada", "bob", "cid", "dee")[number], at(number * 10))
    return export


def later(export: NeutralExport) -> NeutralExport:
    """The export of the next night: the same rows, to be changed by the test."""
    return deepcopy(export)


def changes_in(ended: Ended) -> dict[str, int]:
    """Return the calls of a run that change groups that exist."""
    return {api: ended.calls[api] for api in CHANGES if ended.calls.get(api)}


def roles_in(world: World, group_id: str = "pier") -> dict[str, str]:
    members = world["groups"][group_id]["members"]
    return {user: member["role"] for user, member in sorted(members.items())}


def run_twice(migration: Migration, export: NeutralExport) -> Ended:
    """Run an export, assert that all adds up and that a second run writes nothing; return the first."""
    ended = migration.run(export)
    assert ended.error is None, ended.error
    assert ended.report is not None
    assert ended.report.complete
    assert_adds_up(ended.report)
    again = migration.run(export)
    assert again.error is None, again.error
    assert again.report is not None
    assert_adds_up(again.report)
    assert again.writes == 0, again.calls
    assert again.world == ended.world
    return ended


# --- joiners, leavers, returners ----------------------------------------------------------------


@pytest.mark.parametrize("sync", ["off", "after_messages"])
def test_who_joins_later_is_added_whatever_the_setting(silent: Migration, sync: str) -> None:
    export = pier().user("eve")
    silent.settings["sync_profiles"] = sync
    run_twice(silent, export)
    joined = later(export).member("pier", "eve", joined_at=at(100)).say("pier", "eve", at(110))
    ended = run_twice(silent, joined)
    assert ended.rows["members"] == {"already_imported": 4, "imported": 1}
    assert ended.calls["import_group_member"] == 1
    assert ended.world["groups"]["pier"]["members"]["eve"]["join_time"] == at(100) // 1000
    assert changes_in(ended) == {}


def test_who_left_is_removed_after_the_messages_and_stays_away(silent: Migration) -> None:
    export = pier()
    run_twice(silent, export)
    left = later(export).member("pier", "dee", left_at=at(200)).say("pier", "dee", at(150))
    ended = run_twice(silent, left)
    assert changes_in(ended) == {"delete_group_member": 1}
    assert ended.rows["members"] == {"already_imported": 3, "updated": 1}
    assert ended.reasons["members"] == {"removed": 1}
    assert "dee" not in ended.world["groups"]["pier"]["members"]
    assert said_in(ended.world, "pier")[-1] == ("dee", "text 5", at(150) // 1000)
    order = [call["api"] for call in silent.sandbox.stats()["recent_calls"]]
    assert order.index("delete_group_member") > order.index("import_group_msg")
    again = silent.run(left)
    assert again.rows["members"] == {"already_imported": 4}
    assert again.reasons["members"] == {"removed": 1}


def test_without_the_setting_nobody_is_removed(silent: Migration) -> None:
    export = pier()
    silent.settings["sync_profiles"] = "off"
    run_twice(silent, export)
    ended = run_twice(silent, later(export).member("pier", "dee", left_at=at(200)))
    assert ended.writes == 0
    assert ended.rows["members"] == {"already_imported": 3, "skipped": 1}
    assert ended.reasons["members"] == {"left": 1}


def test_absence_removes_nobody(silent: Migration) -> None:
    export = pier()
    run_twice(silent, export)
    fewer = later(export)
    fewer.members = [row for row in fewer.members if row["user_id"] != "dee"]
    ended = run_twice(silent, fewer)
    assert ended.writes == 0
    assert "dee" in ended.world["groups"]["pier"]["members"]


@pytest.mark.parametrize("keeps", ["nothing", "role_and_unread"])
def test_who_comes_back_has_the_new_join_time_role_and_unread_count(
    silent: Migration, keeps: str
) -> None:
    """Whatever the app keeps of a removed member (unknown U46)."""
    silent.sandbox.set_switch("reimport_keeps", keeps)
    export = pier().member("pier", "bob", unread_count=2)
    run_twice(silent, export)
    left = later(export).member("pier", "bob", left_at=at(200))
    assert changes_in(run_twice(silent, left)) == {"delete_group_member": 1}
    back = later(left).member(
        "pier", "bob", joined_at=at(300), left_at=None, role="member", unread_count=1
    )
    ended = run_twice(silent, back)
    bob = ended.world["groups"]["pier"]["members"]["bob"]
    assert (bob["join_time"], bob["role"]) == (at(300) // 1000, "Member")
    assert unread_in(ended.world, "pier") == {"bob": 1}
    assert ended.rows["members"] == {"already_imported": 3, "imported": 1}


def test_who_was_never_a_member_here_is_not_removed(silent: Migration) -> None:
    ended = run_twice(silent, pier().member("pier", "dee", left_at=at(5)))
    assert changes_in(ended) == {}
    assert ended.rows["members"] == {"imported": 3, "skipped": 1}
    assert [each["reason"] for each in rejected(silent)] == ["left"]


def rejected(migration: Migration) -> list[World]:
    """Return the lines of the last run's rejected.jsonl."""
    assert migration.last is not None
    lines = (migration.last.folder / "rejected.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in lines.splitlines()]


def test_many_leavers_go_a_hundred_a_call(silent: Migration) -> None:
    names = [f"user{number:03d}" for number in range(230)]
    export = NeutralExport().user("ada", *names).group("pier", "ada", *names)
    silent.connection |= {"members_per_call": 20, "accounts_per_call": 100}
    run_twice(silent, export)
    gone = later(export)
    for name in names:
        gone.member("pier", name, left_at=at(10))
    ended = run_twice(silent, gone)
    assert changes_in(ended) == {"delete_group_member": 3}
    assert list(ended.world["groups"]["pier"]["members"]) == ["ada"]


def test_only_groups_with_new_members_are_held(
    silent: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = pier().user("eve").group("quay", "ada", "bob").group("reef", "cid", "dee")
    run_twice(silent, export)
    held: list[str] = []
    take = Lease.take

    def taking(self: Lease, conversations: list[str]) -> object:
        held.extend(conversations)
        return take(self, conversations)

    monkeypatch.setattr(Lease, "take", taking)
    ended = silent.run(later(export).member("quay", "eve"), until="direct")
    assert ended.error is None
    assert ended.calls["import_group_member"] == 1
    assert held == ["group:quay"]


# --- roles and owners ---------------------------------------------------------------------------


def test_roles_are_set_one_a_call(silent: Migration) -> None:
    export = pier()
    run_twice(silent, export)
    swapped = later(export).member("pier", "bob", role="member").member("pier", "cid", role="admin")
    ended = run_twice(silent, swapped)
    assert changes_in(ended) == {"modify_group_member_info": 2}
    assert roles_in(ended.world) == {
        "ada": "Owner", "bob": "Member", "cid": "Admin", "dee": "Member",
    }  # fmt: skip
    assert ended.rows["members"] == {"already_imported": 2, "updated": 2}
    assert ended.reasons["members"] == {"role": 2}


def test_a_type_without_admins_has_no_role_changes(silent: Migration) -> None:
    export = pier(kind="private")
    run_twice(silent, export)
    ended = run_twice(silent, later(export).member("pier", "cid", role="admin"))
    assert ended.writes == 0


@pytest.mark.parametrize("becomes", ["Member", "Admin"])
@pytest.mark.parametrize("stays", ["admin", "member"])
def test_the_previous_owner_has_the_role_of_their_row(
    silent: Migration, becomes: str, stays: str
) -> None:
    """Whatever the app makes of a previous owner (unknown U47)."""
    silent.sandbox.set_switch("previous_owner_role", becomes)
    export = pier()
    run_twice(silent, export)
    swapped = later(export).member("pier", "ada", role=stays).member("pier", "bob", role="owner")
    swapped.groups[0]["owner_id"] = "bob"
    ended = run_twice(silent, swapped)
    assert changes_in(ended) == {"change_group_owner": 1, "modify_group_member_info": 1}
    assert roles_in(ended.world) == {
        "ada": stays.title(), "bob": "Owner", "cid": "Member", "dee": "Member",
    }  # fmt: skip
    assert ended.rows["groups"] == {"updated": 1}
    assert ended.reasons["groups"] == {"owner": 1}
    back = run_twice(silent, export)
    assert roles_in(back.world)["ada"] == "Owner"
    assert roles_in(back.world)["bob"] == "Admin"


def test_an_owner_who_leaves_hands_over_first(silent: Migration) -> None:
    export = pier()
    run_twice(silent, export)
    gone = later(export).member("pier", "ada", left_at=at(100)).member("pier", "bob", role="owner")
    gone.groups[0]["owner_id"] = "bob"
    ended = run_twice(silent, gone)
    assert changes_in(ended) == {"change_group_owner": 1, "delete_group_member": 1}
    assert roles_in(ended.world) == {"bob": "Owner", "cid": "Member", "dee": "Member"}


def test_an_owner_who_leaves_without_an_heir_stays_and_is_named(silent: Migration) -> None:
    export = pier()
    run_twice(silent, export)
    gone = later(export).member("pier", "ada", left_at=at(100)).member("pier", "dee", left_at=at(9))
    ended = run_twice(silent, gone)
    assert ended.rows["members"] == {"already_imported": 2, "rejected": 1, "updated": 1}
    assert ended.reasons["members"] == {"owner_cannot_leave": 1, "removed": 1}
    assert roles_in(ended.world) == {"ada": "Owner", "bob": "Admin", "cid": "Member"}


def test_an_owner_who_is_no_member_is_named_and_not_called_for(silent: Migration) -> None:
    export = pier().user("eve")
    run_twice(silent, export)
    wrong = later(export)
    wrong.groups[0] |= {"owner_id": "eve", "name": "PIER 2"}
    ended = run_twice(silent, wrong)
    assert changes_in(ended) == {"modify_group_base_info": 1}
    assert ended.rows["groups"] == {"rejected": 1}
    assert ended.reasons["groups"] == {"owner_not_member": 1}
    assert ended.world["groups"]["pier"]["owner"] == "ada"
    assert ended.world["groups"]["pier"]["name"] == "PIER 2"
    right = run_twice(silent, later(wrong).member("pier", "eve"))
    assert changes_in(right) == {"change_group_owner": 1, "modify_group_member_info": 1}
    assert right.rows["groups"] == {"updated": 1}


# --- profiles -----------------------------------------------------------------------------------


def test_a_changed_profile_is_written_without_what_the_row_does_not_state(
    silent: Migration,
) -> None:
    export = pier()
    export.groups[0] |= {"notification": "mind the gap", "join": "approval", "max_members": 50}
    run_twice(silent, export)
    renamed = later(export)
    renamed.groups[0] |= {"name": "Pier Nine", "join": "free", "max_members": 60}
    del renamed.groups[0]["introduction"]
    ended = run_twice(silent, renamed)
    assert changes_in(ended) == {"modify_group_base_info": 1}
    group = ended.world["groups"]["pier"]
    assert {name: group[name] for name in group if name in SHOWN} == {
        "name": "Pier Nine",
        "introduction": "moored",
        "notification": "mind the gap",
        "apply_join_option": "FreeAccess",
        "max_members": 60,
    }
    assert ended.rows["groups"] == {"updated": 1}
    assert ended.reasons["groups"] == {"profile": 1}


SHOWN = ("name", "introduction", "notification", "apply_join_option", "max_members")


def test_what_the_app_has_as_the_row_says_needs_no_call(silent: Migration) -> None:
    export = pier()
    run_twice(silent, export)
    unstated = later(export)
    del unstated.groups[0]["introduction"]
    ended = run_twice(silent, unstated)
    assert ended.writes == 0
    assert ended.rows["groups"] == {"already_imported": 1}


def test_more_members_than_the_plan_allows_do_not_keep_the_rest_of_the_profile_back(
    silent: Migration,
) -> None:
    silent.sandbox.set_switch("plan", "pro")
    export = pier()
    run_twice(silent, export)
    grown = later(export)
    grown.groups[0] |= {"name": "Pier Nine", "max_members": 6000}
    ended = run_twice(silent, grown)
    assert ended.world["groups"]["pier"]["name"] == "Pier Nine"
    assert changes_in(ended) == {"modify_group_base_info": 2}


def test_a_refused_profile_stays_refused_without_a_call_until_it_changes(
    silent: Migration,
) -> None:
    export = pier()
    run_twice(silent, export)
    silent.sandbox.add_fault(
        FaultAction.ERROR, code=80001, api="modify_group_base_info", first_call=1, last_call=1
    )
    renamed = later(export)
    renamed.groups[0]["name"] = "Bad"
    ended = run_twice(silent, renamed)
    assert ended.rows["groups"] == {"rejected": 1}
    assert ended.reasons["groups"] == {"profile_refused": 1}
    again = silent.run(renamed)
    assert again.rows["groups"] == {"rejected": 1}
    renamed.groups[0]["name"] = "Good"
    assert run_twice(silent, renamed).world["groups"]["pier"]["name"] == "Good"


def test_an_adopted_group_is_changed_only_as_far_as_its_rows_say(silent: Migration) -> None:
    """The app's own group has texts that the row does not state, and members that no row names."""
    theirs = NeutralExport().user("ada", "bob", "zoe")
    theirs.group("pier", "zoe", type="public", name="Old pier", introduction="ours")
    elsewhere = Migration(sandbox=silent.sandbox, folder=silent.folder / "elsewhere")
    assert elsewhere.run(theirs).error is None
    export = NeutralExport().user("ada", "bob").group("pier", "ada", "bob", type="public")
    ended = run_twice(silent, export)
    group = ended.world["groups"]["pier"]
    assert (group["name"], group["introduction"], group["owner"]) == ("PIER", "ours", "ada")
    assert roles_in(ended.world) == {"ada": "Owner", "bob": "Member", "zoe": "Member"}
    assert ended.rows["groups"] == {"updated": 1}


# --- what is not touched ------------------------------------------------------------------------


def changed(export: NeutralExport) -> NeutralExport:
    """The next night's export with a change of every kind."""
    night = later(export)
    night.groups[0] |= {"name": "Pier Nine", "owner_id": "bob"}
    night.member("pier", "ada", role="member").member("pier", "bob", role="owner")
    return night.member("pier", "cid", role="admin").member("pier", "dee", left_at=at(500))


EVERY_CHANGE = {
    "change_group_owner": 1, "modify_group_member_info": 2, "delete_group_member": 1,
    "modify_group_base_info": 1,
}  # fmt: skip


@pytest.mark.parametrize("kind", ["public", "chatroom", "community"])
def test_every_kind_of_change_in_one_night(silent: Migration, kind: str) -> None:
    export = pier(kind=kind)
    run_twice(silent, export)
    planned = silent.prepare(changed(export))
    stages.extract_export(planned)
    stages.plan_import(planned)
    quoted = stages.quote_of(planned).calls
    ended = run_twice(silent, changed(export))
    assert changes_in(ended) == EVERY_CHANGE
    assert {api: quoted[api] for api in EVERY_CHANGE} == {
        **EVERY_CHANGE, "modify_group_base_info": 0,
    }, "at least: that the owner changes may be all that differs"  # fmt: skip
    assert ended.rows["groups"] == {"updated": 1}
    assert ended.rows["members"] == {"already_imported": 1, "updated": 3}
    assert rejected(silent) == []


def test_a_group_with_a_message_that_waits_is_left_to_the_next_run(silent: Migration) -> None:
    export = pier()
    run_twice(silent, export)
    night = changed(export)
    night.say("pier", "bob", silent.clock.now_ms() + 60_000)
    ended = silent.run(night)
    assert ended.error is None
    assert changes_in(ended) == {}
    assert ended.rows["groups"] == {"deferred": 1}
    assert ended.rows["members"] == {"already_imported": 2, "deferred": 2}
    assert ended.reasons["members"] == {"messages_first": 2}
    assert_adds_up(ended.report)  # type: ignore[arg-type]
    silent.clock.sleep(200)
    assert changes_in(silent.run(night)) == EVERY_CHANGE


def test_a_rejected_group_is_left_alone(silent: Migration) -> None:
    export = pier()
    run_twice(silent, export)
    silent.sandbox.add_fault(FaultAction.ERROR, code=10010, api="import_group_msg")
    ended = silent.run(changed(export).say("pier", "ada", at(900)))
    assert ended.error is None
    assert changes_in(ended) == {}
    assert ended.rows["members"] == {"already_imported": 3, "skipped": 1}
    assert_adds_up(ended.report)  # type: ignore[arg-type]


def test_a_pilot_changes_only_what_it_selects(silent: Migration) -> None:
    export = pier().group("quay", "ada", "bob")
    run_twice(silent, export)
    night = changed(export)
    night.groups[1]["name"] = "QUAY 2"
    night.user("eve").member("pier", "eve")
    ended = silent.run(night, conversations=["quay"])
    assert ended.error is None
    assert ended.rows["groups"] == {"skipped": 1, "updated": 1}
    assert ended.rows["members"] == {"already_imported": 5, "skipped": 2}
    assert changes_in(ended) == {"modify_group_base_info": 1}
    assert ended.calls.get("import_group_member", 0) == 0
    assert_adds_up(ended.report)  # type: ignore[arg-type]


def test_a_placeholder_group_says_nothing_of_its_profile(silent: Migration) -> None:
    export = NeutralExport().user("ada", "bob").member("wreck", "ada").say("wreck", "ada", at(1))
    run_twice(silent, export)
    ended = run_twice(silent, later(export).member("wreck", "ada", left_at=at(50)))
    assert changes_in(ended) == {"delete_group_member": 1}


def test_the_drop_of_an_earlier_night_brings_nothing_back(silent: Migration) -> None:
    """Taken again after later nights: who left stays away, the newer name stays."""
    export = pier()
    drops = silent.folder / "drops"
    for day, night in ((1, export), (2, changed(export))):
        night.write(drops / f"2024-05-{day:02d}")
        window = {"from": f"2024-05-{day:02d}", "to": f"2024-05-{day + 1:02d}"}
        ended = silent.run(drops / "{date}", **window)
        assert ended.error is None, ended.error
    world = ended.world
    again = silent.run(drops / "{date}", **{"from": "2024-05-01", "to": "2024-05-02"})
    assert again.error is None
    assert again.writes == 0, again.calls
    assert again.world == world
    assert again.rows["members"] == {"already_imported": 3, "skipped": 1}
    assert_adds_up(again.report)  # type: ignore[arg-type]


# --- notices ------------------------------------------------------------------------------------

ONE_CHANGE = {
    "delete_group_member": lambda night: night.member("pier", "dee", left_at=at(500)),
    "modify_group_member_info": lambda night: night.member("pier", "cid", role="admin"),
    "change_group_owner": lambda night: night.groups[0].update(owner_id="bob"),
    "modify_group_base_info": lambda night: night.groups[0].update(name="Pier Nine"),
}


@pytest.mark.parametrize("api", ONE_CHANGE)
def test_a_stored_notice_stops_the_run_with_the_name_of_its_switch(
    silent: Migration, api: str
) -> None:
    silent.sandbox.set_switch("tips", "stored")
    silent.sandbox.set_switch("silence_suppresses_tip", "no")
    export = pier().group("quay", "ada", "bob", type="public")
    run_twice(silent, export)
    night = later(export)
    ONE_CHANGE[api](night)
    night.groups[1]["name"] = "QUAY 2"
    silent.connection["parallel_calls"] = 1
    ended = silent.run(night)
    assert isinstance(ended.error, StoppedError)
    said = str(ended.error)
    assert f"`{api}` stored a message in group `pier`" in said
    assert "groups of type Public" in said
    assert NOTICE_OF[api] in said
    assert changes_in(ended) == {api: 1}, "no further change of that type"
    assert ended.report is not None
    assert "profiles" in ended.report.unfinished
    assert not ended.report.complete
    stream = ledger_of(silent).streams(["group:pier"])["group:pier"]
    newest = ended.world["groups"]["pier"]["messages"][-1]["time"]
    assert stream.foreign_slot == newest
    silent.sandbox.set_switch("tips", "off")
    done = run_twice(silent, night)
    assert changes_in(done)["modify_group_base_info"] == 1
    assert done.world["groups"]["quay"]["name"] == "QUAY 2"
    late = silent.run(later(night).say("pier", "ada", at(800)))
    assert late.rows["group_messages"]["late_rejected"] == 1, "the notice made it late"


def test_a_stored_notice_keeps_nobody_from_the_right_unread_count(silent: Migration) -> None:
    silent.sandbox.set_switch("tips", "stored")
    export = pier().group("quay", "ada", "bob", "cid", type="private").say("quay", "ada", at(5))
    run_twice(silent, export)
    night = later(export)
    ONE_CHANGE["modify_group_base_info"](night)
    night.member("quay", "bob", unread_count=1)
    ended = silent.run(night)
    assert isinstance(ended.error, NoticeStoredError)
    assert unread_in(ended.world, "quay") == {"bob": 1}


def test_each_later_run_tries_again_where_it_costs_nothing_more(silent: Migration) -> None:
    silent.sandbox.set_switch("tips", "stored")
    silent.connection["parallel_calls"] = 1
    export = pier().group("quay", "ada", "bob", type="public")
    run_twice(silent, export)
    night = changed(export)
    night.groups[1]["name"] = "QUAY 2"
    for _ in range(2):
        ended = silent.run(night)
        assert isinstance(ended.error, StoppedError)
        assert sum(changes_in(ended).values()) == 1
        assert ended.world["groups"]["quay"]["name"] == "QUAY"


def test_notices_of_one_type_do_not_keep_the_other_types_back(silent: Migration) -> None:
    """Meeting groups store none of admins; what is proven of one type says nothing of another."""
    silent.sandbox.set_switch("tips", "stored")
    silent.connection["parallel_calls"] = 1
    export = pier(kind="chatroom")
    run_twice(silent, export)
    ended = run_twice(silent, later(export).member("pier", "cid", role="admin"))
    assert changes_in(ended) == {"modify_group_member_info": 1}


# --- what goes wrong ----------------------------------------------------------------------------

POINTS = [(api, applied) for api in CHANGES for applied in (False, True)]


@pytest.mark.parametrize(("api", "applied"), POINTS)
@pytest.mark.parametrize("same_run_id", [True, False])
def test_a_kill_at_any_change_is_made_good_by_the_next_run(
    silent: Migration,
    monkeypatch: pytest.MonkeyPatch,
    api: str,
    *,
    applied: bool,
    same_run_id: bool,
) -> None:
    silent.connection["parallel_calls"] = 1
    export = pier()
    run_twice(silent, export)
    with monkeypatch.context() as patch:
        killer = Killer(patch, silent.home.path, api, 1, applied=applied)
        with pytest.raises(Killed):
            silent.run(changed(export), run_id="struck")
        killer.restore()
    ended = silent.repeat() if same_run_id else silent.run(changed(export))
    assert ended.error is None, ended.error
    assert roles_in(ended.world) == {"ada": "Member", "bob": "Owner", "cid": "Admin"}
    assert ended.world["groups"]["pier"]["name"] == "Pier Nine"
    assert ended.report is not None
    assert ended.report.complete
    assert_adds_up(ended.report)
    if same_run_id:
        assert ended.rows["groups"] == {"updated": 1}
        assert ended.rows["members"] == {"already_imported": 1, "updated": 3}
    assert silent.run(changed(export)).writes == 0


@pytest.mark.parametrize("api", CHANGES)
def test_a_group_that_is_gone_is_named_and_the_others_go_on(silent: Migration, api: str) -> None:
    export = pier().group("quay", "ada", "bob")
    run_twice(silent, export)
    night = changed(export)
    night.groups[1]["name"] = "QUAY 2"
    silent.sandbox.add_fault(FaultAction.ERROR, code=10010, api=api, first_call=1, last_call=1)
    silent.connection["parallel_calls"] = 1
    ended = silent.run(night)
    assert ended.error is None, ended.error
    assert_adds_up(ended.report)  # type: ignore[arg-type]
    assert "group_refused" in {**ended.reasons["members"], **ended.reasons["groups"]}


@pytest.mark.parametrize("code", [10004, 10007])
def test_one_member_who_cannot_be_removed_is_found_among_many(silent: Migration, code: int) -> None:
    export = pier()
    run_twice(silent, export)
    night = later(export)
    for name in ("bob", "cid", "dee"):
        night.member("pier", name, left_at=at(500))
    silent.sandbox.add_fault(
        FaultAction.ERROR, code=code, api="delete_group_member", first_call=1, last_call=2
    )
    ended = silent.run(night)
    assert ended.rows["members"] == {"already_imported": 1, "rejected": 1, "updated": 2}
    assert ended.reasons["members"] == {"removal_refused": 1, "removed": 2}
    again = silent.run(night)
    assert again.writes == 0
    assert again.rows["members"] == {"already_imported": 3, "rejected": 1}


def test_what_another_run_holds_is_deferred_and_the_run_says_so(silent: Migration) -> None:
    export = pier()
    run_twice(silent, export)
    ledger = ledger_of(silent)
    worker = Worker(
        worker_id="w", run_id="other", stage="group-00", process=this_process(),
        started_at_ms=0, lease_until_ms=silent.clock.now_ms() + 10**9, grace_ms=0,
    )  # fmt: skip
    ledger.enlist(worker)
    assert ledger.hold("w", ["group:pier"]) == {}
    ended = silent.run(changed(export), lease_wait_seconds=0)
    assert isinstance(ended.error, HeldElsewhereError)
    assert changes_in(ended) == {}
    ledger.dismiss("w")
    assert changes_in(silent.run(changed(export))) == EVERY_CHANGE


def ledger_of(migration: Migration) -> Ledger:
    assert migration.last is not None
    run = migration.last
    return Ledger.open(run.home.ledger_url, run.connection.app)
