"""Accounts, groups, members, changes and unread numbers at ZIM: once each, whatever happens to a call."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
from tests import clocks_fast
from tests.builders_neutral import HOUR, SECOND, START_MS, NeutralExport, at
from tests.clocks_fast import FastClock
from tests.delivery.driving import PLANNED, Ended, World, assert_adds_up
from tests.delivery.zego_zim.faults import LATE, SAYS_NOTHING, SPOILED, UNLISTED, twice
from tests.delivery.zego_zim.migrating import ZimMigration, recent

from chat_migration.errors import StoppedError
from chat_sandbox import SandboxHandle

OWNER, ADMIN, MEMBER = 1, 2, 3
SMALL = {"members_per_call": 2, "accounts_per_call": 3, "retention_days": 360}
SYNC = {"sync_profiles": "after_messages"}
UNKNOWN = {**SAYS_NOTHING, **LATE}


@pytest.fixture
def zim(sandbox: SandboxHandle, tmp_path: Path) -> ZimMigration:
    """A migration into ZIM whose waits move the sandbox's clock."""
    sandbox.zim.set_rates(enabled=False)
    clock = FastClock(sandbox.advance_clock)
    return ZimMigration(sandbox=sandbox, folder=tmp_path, connection=dict(SMALL), clock=clock)


@pytest.fixture(scope="session")
def planned_crew(shared_sandbox: SandboxHandle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the import of :func:`crew` is planned and nothing is sent."""
    shared_sandbox.reset()
    shared_sandbox.zim.set_rates(enabled=False)
    there = ZimMigration(
        sandbox=shared_sandbox,
        folder=tmp_path_factory.mktemp("crew"),
        connection=dict(SMALL),
    )
    export = recent(crew(), shared_sandbox.now_ms())
    assert there.run(export, run_id=PLANNED, until="accounts").error is None
    return there.home.path


def crew() -> NeutralExport:
    """A group of six: bob and dee are there from its beginning, bob and cid are admins."""
    export = NeutralExport().user("ada", "bob", "cid", "dee", "eve", "fay")
    export.group("pier", "ada", "bob", "cid", "dee", "eve", "fay", type="public")
    for early in ("bob", "dee"):
        export.member("pier", early, joined_at=START_MS - HOUR)
    for admin in ("bob", "cid"):
        export.member("pier", admin, role="admin")
    return export


ROLES = {"ada": OWNER, "bob": ADMIN, "cid": ADMIN, "dee": MEMBER, "eve": MEMBER, "fay": MEMBER}


def roles_in(world: World, group_id: str = "pier") -> dict[str, int]:
    members = world["groups"][group_id]["members"]
    return {name: member["role"] for name, member in members.items()}


def unread_in(world: World, group_id: str = "pier") -> dict[str, int]:
    members = world["groups"][group_id]["members"]
    return {name: member["unread"] for name, member in members.items() if member["unread"]}


def spoken(export: NeutralExport) -> NeutralExport:
    """Let bob, cid and dee say two things each in the group, and ada tell bob something."""
    for number in range(6):
        export.say("pier", ("bob", "cid", "dee")[number % 3], at(10 * number))
    return (
        export.tell("ada", "bob", at(100)).tell("bob", "ada", at(110)).tell("ada", "bob", at(120))
    )


def settled(ended: Ended) -> Ended:
    """Return a run that ended well and whose rows add up."""
    assert ended.error is None, ended.error
    assert ended.report is not None
    assert_adds_up(ended.report)
    return ended


# --- groups and members -------------------------------------------------------------------------


def test_first_members_come_with_their_group_and_admins_are_named_afterwards(
    zim: ZimMigration, planned_crew: Path
) -> None:
    ended = settled(zim.run_planned(planned_crew))
    assert roles_in(ended.world) == ROLES
    group = ended.world["groups"]["pier"]
    joined = {name: member["join_time"] for name, member in group["members"].items()}
    assert {joined["bob"], joined["dee"], joined["ada"]} == {group["create_time"]}
    assert joined["cid"] == group["create_time"] + SECOND + HOUR // 2
    assert ended.calls["InviteUsersIntoGroup"] == 2
    assert ended.calls["SetGroupMemberRole"] == 2
    assert "QueryGroupMemberList" not in ended.calls
    assert ended.rows["members"] == {"imported": 6}
    assert settled(zim.repeat()).rows["members"] == {"imported": 6}


def test_a_second_run_writes_nothing(zim: ZimMigration) -> None:
    export = recent(spoken(crew()), zim.sandbox.now_ms())
    settled(zim.run(export))
    again = settled(zim.run(export))
    assert again.writes == 0
    assert again.rows["members"] == {"already_imported": 6}


@pytest.mark.parametrize(
    ("api", "name"),
    [
        (api, name)
        for api in ("CreateGroup", "InviteUsersIntoGroup", "SetGroupMemberRole")
        for name in {**UNKNOWN, **SPOILED.get(api, {})}
    ],
)
def test_an_unknown_outcome_leaves_one_group_and_everybody_in_it_once(
    zim: ZimMigration, planned_crew: Path, api: str, name: str
) -> None:
    _, fault = {**UNKNOWN, **SPOILED.get(api, {})}[name]
    zim.sandbox.add_fault(api=api, last_call=1, **fault)
    ended = settled(zim.run_planned(planned_crew))
    zim.sandbox.advance_clock(20)
    assert zim.sandbox.faults()[0]["fired"] == 1
    assert list(ended.world["groups"]) == ["pier"]
    assert roles_in(zim.world()) == ROLES
    assert ended.rows["groups"] == {"imported": 1}
    assert ended.rows["members"] == {"imported": 6}


@pytest.mark.parametrize("name", twice(UNLISTED))
def test_a_member_is_refused_only_where_the_list_does_not_show_them(
    zim: ZimMigration, planned_crew: Path, name: str
) -> None:
    _, fault = twice(UNLISTED)[name]
    zim.sandbox.add_fault(api="InviteUsersIntoGroup", last_call=1, **fault)
    ended = settled(zim.run_planned(planned_crew))
    assert roles_in(ended.world) == ROLES
    assert ended.rows["members"] == {"imported": 6}


@pytest.mark.parametrize("position", ["660000015", "660600017", "nothing", "update"])
def test_a_run_that_was_cut_off_goes_on_with_who_is_there_already(
    zim: ZimMigration, planned_crew: Path, position: str
) -> None:
    zim.sandbox.zim.set_switch("zim_reinvite", position)
    for api in ("InviteUsersIntoGroup", "SetGroupMemberRole"):
        zim.sandbox.add_fault("error", api=api, code=3, effect="applied", last_call=1)
    assert isinstance(zim.run_planned(planned_crew).error, StoppedError)
    zim.sandbox.clear_faults()
    zim.sandbox.add_fault("error", api="SetGroupMemberRole", code=3, effect="applied", last_call=1)
    assert isinstance(zim.repeat().error, StoppedError)
    zim.sandbox.clear_faults()
    ended = settled(zim.repeat())
    assert roles_in(ended.world) == ROLES
    assert ended.rows["members"] == {"imported": 6}


@pytest.mark.parametrize("position", ["made", "not_made"])
def test_first_members_who_are_all_refused_cost_no_group(
    zim: ZimMigration, planned_crew: Path, position: str
) -> None:
    zim.sandbox.zim.set_switch("zim_all_members_fail", position)
    zim.connection |= {"accounts_per_call": 1, "parallel_calls": 1}
    # The second rule does not see the call that the first one spoils.
    for call in (list(ROLES).index("bob") + 1, list(ROLES).index("dee")):
        zim.sandbox.add_fault(
            "item_error", api="UserRegister", code=660700006, first_call=call, last_call=call
        )
    ended = settled(zim.run_planned(planned_crew))
    assert roles_in(ended.world) == {
        name: role for name, role in ROLES.items() if name not in ("bob", "dee")
    }
    assert ended.rows["groups"] == {"imported": 1}
    assert ended.rows["members"]["rejected"] == 2
    assert ended.reasons["members"] == {"member_refused": 2}


@pytest.mark.parametrize(
    "theirs",
    [{}, {"GroupName": "PIER"}, {"CreateGroupTime": 1}],
    ids=["nothing-alike", "same-name", "another-time"],
)
def test_a_group_of_somebody_else_is_refused_with_its_rows(
    zim: ZimMigration, planned_crew: Path, theirs: World
) -> None:
    zim.sandbox.zim.create_group("pier", **theirs)
    ended = settled(zim.run_planned(planned_crew))
    assert ended.rows["groups"] == {"rejected": 1}
    assert ended.rows["members"] == {"rejected": 6}
    assert ended.reasons["groups"] == {"group_exists": 1}
    assert roles_in(ended.world) == {"stranger": OWNER}


@pytest.mark.parametrize("tips", ["off", "on"])
def test_a_group_that_was_begun_is_ours(zim: ZimMigration, planned_crew: Path, tips: str) -> None:
    zim.sandbox.zim.set_switch("zim_tips", tips)
    zim.sandbox.add_fault("error", api="CreateGroup", code=3, effect="applied", last_call=1)
    assert isinstance(zim.run_planned(planned_crew).error, StoppedError)
    ended = settled(zim.repeat())
    assert ended.rows["groups"] == {"imported": 1}
    assert roles_in(ended.world) == ROLES


def test_the_members_of_one_group_are_added_a_second_apart(
    zim: ZimMigration, planned_crew: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks_fast, "_REPORTED_AT", 0.0)
    zim.clock = FastClock(zim.sandbox.advance_clock, hurry=1.0)
    zim.connection["members_per_call"] = 1
    zim.sandbox.zim.set_rates(enabled=True, per_second={})
    ended = settled(zim.run_planned(planned_crew))
    assert ended.calls["InviteUsersIntoGroup"] == 3
    assert ended.report is not None
    assert ended.report.calls["InviteUsersIntoGroup"].throttled == 0


def test_an_admin_who_is_refused_is_a_member_and_stays_rejected(
    zim: ZimMigration, planned_crew: Path
) -> None:
    zim.sandbox.add_fault("error", api="SetGroupMemberRole", code=660600032)
    ended = settled(zim.run_planned(planned_crew))
    assert roles_in(ended.world)["bob"] == MEMBER
    assert ended.rows["members"] == {"imported": 4, "rejected": 2}
    assert ended.reasons["members"] == {"admin_refused": 2}
    again = settled(zim.repeat())
    assert again.rows["members"] == {"imported": 4, "rejected": 2}
    assert again.writes == 0


# --- accounts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", ["adopt", "overwrite"])
def test_an_account_that_is_there_is_overwritten_only_where_that_was_asked_for(
    zim: ZimMigration, policy: str
) -> None:
    zim.sandbox.zim.create_group("theirs", GroupOwner="ada")
    export = recent(crew(), zim.sandbox.now_ms())
    ended = settled(zim.run(export, existing_accounts=policy))
    assert ended.world["users"]["ada"]["name"] == ("Ada" if policy == "overwrite" else "")
    assert ended.calls.get("ModifyUserInfo", 0) == (policy == "overwrite")
    assert settled(zim.run(export, existing_accounts=policy)).writes == 0


def test_an_overwriting_that_was_cut_off_is_finished_by_the_next_run(zim: ZimMigration) -> None:
    zim.sandbox.zim.create_group("theirs", GroupOwner="ada")
    export = recent(crew(), zim.sandbox.now_ms())
    zim.sandbox.add_fault("error", api="ModifyUserInfo", code=3, last_call=1)
    stopped = zim.run(export, existing_accounts="overwrite")
    assert isinstance(stopped.error, StoppedError)
    ended = settled(zim.run(export, existing_accounts="overwrite"))
    assert ended.world["users"]["ada"]["name"] == "Ada"


def test_an_account_that_fails_for_the_moment_is_registered_all_the_same(
    zim: ZimMigration, planned_crew: Path
) -> None:
    zim.sandbox.add_fault("item_error", api="UserRegister", code=660000001, last_call=1)
    ended = settled(zim.run_planned(planned_crew))
    assert ended.rows["accounts"] == {"imported": 6}
    assert {name: user["name"] for name, user in ended.world["users"].items()} == {
        name: name.title() for name in ROLES
    }


# --- changes of groups that exist ---------------------------------------------------------------


def test_a_night_brings_owner_roles_leavers_and_profile_over_once(zim: ZimMigration) -> None:
    zim.settings |= SYNC
    export = recent(spoken(crew()), zim.sandbox.now_ms())
    settled(zim.run(export))
    night = deepcopy(export)
    night.groups[0] |= {
        "name": "Pier 9", "owner_id": "cid", "introduction": "not kept", "notification": "tide",
        "join_option": "closed", "max_members": 40,
    }  # fmt: skip
    night.member("pier", "ada", role="member").member("pier", "cid", role="owner")
    night.member("pier", "dee", role="admin").member("pier", "bob", role="member")
    night.member("pier", "fay", left_at=night.messages[-1]["sent_at"])
    ended = settled(zim.run(night))
    group = ended.world["groups"]["pier"]
    assert roles_in(ended.world) == {
        "ada": MEMBER, "bob": MEMBER, "cid": OWNER, "dee": ADMIN, "eve": MEMBER,
    }  # fmt: skip
    assert (group["name"], group["notice"], group["owner"]) == ("Pier 9", "tide", "cid")
    assert ended.rows["groups"] == {"updated": 1}
    again = settled(zim.run(night))
    assert again.writes == 0
    assert again.world == ended.world


@pytest.mark.parametrize("name", ["connection_reset", "connection_reset_after_effect", "busy_1"])
@pytest.mark.parametrize(
    "api", ["TransferGroupOwner", "SetGroupMemberRole", "KickoutGroupUser", "UpdateGroupData"]
)
def test_a_change_of_unknown_outcome_is_made_once_more(
    zim: ZimMigration, api: str, name: str
) -> None:
    zim.settings |= SYNC
    export = recent(crew(), zim.sandbox.now_ms())
    settled(zim.run(export))
    night = deepcopy(export)
    night.groups[0] |= {"name": "Pier 9", "owner_id": "cid"}
    night.member("pier", "ada", role="member").member("pier", "cid", role="owner")
    night.member("pier", "fay", left_at=night.groups[0]["created_at"] + HOUR)
    zim.sandbox.add_fault(api=api, last_call=1, **SAYS_NOTHING[name][1])
    ended = settled(zim.run(night))
    assert roles_in(ended.world) == {
        "ada": MEMBER, "bob": ADMIN, "cid": OWNER, "dee": MEMBER, "eve": MEMBER,
    }  # fmt: skip
    assert ended.world["groups"]["pier"]["name"] == "Pier 9"


# --- unread -------------------------------------------------------------------------------------


def cleared_in(ended: Ended) -> int:
    return ended.calls.get("ClearConversationUnread", 0)


def test_what_a_run_brought_is_read_unless_exactly_that_should_be_unread(
    zim: ZimMigration,
) -> None:
    export = spoken(crew())
    export.member("pier", "ada", unread_count=99).member("pier", "cid", unread_count=1)
    export.member("pier", "dee", unread_count=0)
    export = recent(export, zim.sandbox.now_ms())
    ended = settled(zim.run(export))
    assert unread_in(ended.world) == {"ada": 6}
    assert [side["unread"] for side in ended.world["sides"]] == [0, 0]
    assert cleared_in(ended) == 5 + 2
    assert ended.rows["unread"] == {"imported": 3}
    assert ended.reasons["unread"] == {"left_unread": 1, "cleared": 1, "all_read": 1}
    again = settled(zim.run(export))
    assert again.writes == 0
    assert again.rows["unread"] == {"already_imported": 3}


@pytest.mark.parametrize("extent", ["touched", "all"])
def test_only_what_arrived_since_is_cleared_in_a_later_night(
    zim: ZimMigration, extent: str
) -> None:
    export = recent(spoken(crew().group("quay", "eve", "fay")), zim.sandbox.now_ms())
    export.say("quay", "eve", export.messages[0]["sent_at"])
    first = settled(zim.run(export, clear_unread=extent))
    assert cleared_in(first) == 6 + 1 + 2
    night = deepcopy(export)
    night.say("pier", "bob", export.messages[-2]["sent_at"] + 1000)
    ended = settled(zim.run(night, clear_unread=extent))
    assert cleared_in(ended) == 5
    assert unread_in(ended.world) == {}


def test_nothing_is_cleared_where_that_is_not_wanted_and_a_later_run_may(zim: ZimMigration) -> None:
    export = spoken(crew()).member("pier", "dee", unread_count=0)
    export = recent(export, zim.sandbox.now_ms())
    ended = settled(zim.run(export, clear_unread="none"))
    assert cleared_in(ended) == 0
    assert ended.rows["unread"] == {"skipped": 1}
    assert unread_in(ended.world) == {
        "ada": 6, "bob": 4, "cid": 4, "dee": 4, "eve": 6, "fay": 6,
    }  # fmt: skip
    ended = settled(zim.run(export))
    assert unread_in(ended.world) == {}
    assert cleared_in(ended) == 6 + 2


@pytest.mark.parametrize("api", ["ImportPeerMsg", "ImportGroupMsg", "ClearConversationUnread"])
def test_what_an_interrupted_run_left_unread_is_cleared_by_the_next(
    zim: ZimMigration, api: str
) -> None:
    export = recent(spoken(crew()), zim.sandbox.now_ms())
    zim.sandbox.add_fault("error", api=api, code=3, first_call=3, last_call=3, effect="applied")
    assert isinstance(zim.run(export).error, StoppedError)
    ended = settled(zim.run(export))
    assert unread_in(ended.world) == {}
    assert [side["unread"] for side in ended.world["sides"]] == [0, 0]
    assert settled(zim.run(export)).writes == 0


def test_a_group_that_is_live_is_left_alone(zim: ZimMigration) -> None:
    export = recent(spoken(crew()), zim.sandbox.now_ms())
    settled(zim.run(export))
    zim.sandbox.zim.live_group_message("pier", "ada")
    night = deepcopy(export)
    night.say("pier", "bob", export.messages[5]["sent_at"] + 1000)
    ended = settled(zim.run(night))
    assert cleared_in(ended) == 0
    assert unread_in(ended.world)["cid"] == 2


def test_somebody_whose_conversation_the_service_does_not_find_is_named(zim: ZimMigration) -> None:
    export = spoken(crew()).member("pier", "dee", unread_count=0)
    export = recent(export, zim.sandbox.now_ms())
    zim.sandbox.add_fault(
        "error", api="ClearConversationUnread", code=660800002, where={"FromUserId": "dee"}
    )
    ended = settled(zim.run(export))
    assert ended.rows["unread"] == {"rejected": 1}
    assert settled(zim.run(export)).writes == 0


def test_who_becomes_an_admin_later_is_left_alone_unless_changes_are_brought_over(
    zim: ZimMigration,
) -> None:
    export = recent(crew(), zim.sandbox.now_ms())
    settled(zim.run(export))
    later = deepcopy(export)
    for row in later.members:
        row["role"] = "admin"
    ended = settled(zim.run(later))
    assert ended.writes == 0
    assert roles_in(ended.world) == ROLES


def test_first_members_who_are_too_many_are_added_by_calls_of_their_own(zim: ZimMigration) -> None:
    zim.sandbox.add_fault("error", api="CreateGroup", code=660600016, last_call=1)
    ended = settled(zim.run(recent(crew(), zim.sandbox.now_ms())))
    assert roles_in(ended.world) == ROLES
    assert ended.rows["members"] == {"imported": 6}
    assert ended.calls["CreateGroup"] == 2
