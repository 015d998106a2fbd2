"""Every Action over sockets: what it does, and what is told of it when anything goes wrong, as the table says."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.delivery.zego_zim.faults import (
    PASSING,
    REFUSED_FOR_GOOD,
    SPOILED,
    UNLISTED,
    Fault,
    twice,
)
from tests.delivery.zego_zim.sending import QUAY, Scene

from chat_migration.errors import CredentialsError, TargetUnreachableError
from chat_migration.targets.base import (
    AccountSpec,
    DirectKey,
    Done,
    Effect,
    Failure,
    Frontier,
    GroupKey,
    GroupSpec,
    Mark,
    MemberPage,
    MemberSpec,
    Page,
    ProfileChange,
)
from chat_migration.targets.zego_zim.limits import APIS
from chat_migration.targets.zego_zim.outcomes import Symptom, advice_for, effect_of

Make = Callable[[Scene], Any]

MADE: dict[str, Make] = {
    "QueryUserInfos": lambda on: on.target.existing_accounts(["ada", "nobody"]),
    "UserRegister": lambda on: on.target.import_accounts([AccountSpec(account_id="dee", name="D")]),
    "ModifyUserInfo": lambda on: on.target.change_accounts([AccountSpec(account_id="ada", name="A")]),
    "CreateGroup": lambda on: on.target.create_group(
        GroupSpec(group_id="pier", type="private", name="p", owner_id="ada", created_s=on.start // 1000)
    ),
    "InviteUsersIntoGroup": lambda on: on.target.add_members(
        "quay", [MemberSpec(account_id="cid", joined_s=on.start // 1000)], operator="ada"
    ),
    "ImportGroupMsg": lambda on: on.target.send_group_messages(QUAY, on.outgoing()[:1], above=1),
    "ImportPeerMsg": lambda on: on.target.send_direct_message(on.copies()[0]),
    "ClearConversationUnread": lambda on: on.target.clear_unread("bob", group_id="quay"),
    "EditGroupMsgBody": lambda on: on.target.change_group_message(
        QUAY, group_key(on), on.outgoing()[0].body, operator="ada"
    ),
    "EditC2cMsgBody": lambda on: on.target.change_direct_message(
        copy_key(on), on.outgoing()[0].body, ""
    ),
    "RevokeGroupMessage": lambda on: on.target.withdraw_group_messages(QUAY, [group_key(on)])[0],  # type: ignore[index]
    "RevokePeerMessage": lambda on: on.target.withdraw_direct_message(copy_key(on)),
    "UpdateGroupData": lambda on: on.target.change_profile(
        ProfileChange(group_id="quay", type="public", name="new"), operator="ada"
    ),
    "TransferGroupOwner": lambda on: on.target.change_owner("quay", "bob", operator="ada"),
    "SetGroupMemberRole": lambda on: on.target.change_role("quay", "bob", "admin", operator="ada"),
    "KickoutGroupUser": lambda on: on.target.remove_members("quay", ["bob"], operator="ada"),
    "QueryGroupInfo": lambda on: on.target.read_profile("quay", operator="ada"),
    "QueryGroupMemberList": lambda on: on.target.read_members("quay"),
    "QueryGroupMsg": lambda on: on.target.read_group(QUAY, since=Mark()),
    "QueryPeerMsg": lambda on: on.target.read_direct("ada", "bob", first_slot=1, last_slot=on.start),
}  # fmt: skip
SLOWEST = {"applied_late"}


def group_key(on: Scene) -> GroupKey:
    first = on.outgoing(first=-10)[0]
    return GroupKey(sender="ada", slot=first.slot, random=first.random, sequence=1)


def copy_key(on: Scene) -> DirectKey:
    return DirectKey(
        sender="ada", recipient="bob", viewer="ada", slot=on.start, sequence=1, random=9
    )


@pytest.fixture
def spoken(ready: Scene) -> Scene:
    """A scene in which one message was said and one told."""
    (first,) = ready.outgoing(first=-10)[:1]
    assert isinstance(ready.say(first), Done)
    assert isinstance(ready.tell(ready.copies()[2]), Done)
    return ready


def faults_of(api: str) -> dict[str, tuple[Symptom, Fault]]:
    # A call that only reads cannot be late; the sandbox's clock stands still meanwhile.
    return {**PASSING, **twice(UNLISTED), **REFUSED_FOR_GOOD, **SPOILED.get(api, {})}


def test_every_action_is_tried() -> None:
    assert set(MADE) == set(APIS)


@pytest.mark.parametrize(("api", "name"), [(api, name) for api in APIS for name in faults_of(api)])
def test_what_is_told_of_a_call_gone_wrong_is_what_the_table_says(
    spoken: Scene, api: str, name: str
) -> None:
    symptom, fault = faults_of(api)[name]
    spoken.sandbox.add_fault(api=api, last_call=1, **fault)
    told = MADE[api](spoken)
    assert spoken.sandbox.faults()[-1]["fired"] == 1
    assert isinstance(told, Failure), told
    assert (told.api, told.advice, told.effect) == (
        api,
        advice_for(api, symptom),
        effect_of(api, symptom),
    )


@pytest.mark.parametrize("api", APIS)
def test_a_call_that_is_not_answered_in_time_may_have_been_applied(spoken: Scene, api: str) -> None:
    impatient = Scene(spoken.sandbox, connection={"timeout_seconds": 0.2})
    impatient.start = spoken.start
    spoken.sandbox.add_fault("slow", api=api, last_call=1, seconds=1, effect="applied")
    began = time.monotonic()
    told = MADE[api](impatient)
    assert time.monotonic() - began < 0.9
    assert isinstance(told, Failure)
    assert told.effect is effect_of(api, Symptom.NO_REPLY)
    assert told.advice is advice_for(api, Symptom.NO_REPLY)
    impatient.target.close()


@pytest.mark.parametrize("api", APIS)
def test_a_call_whose_connection_is_refused_had_no_effect(spoken: Scene, api: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    elsewhere = Scene(spoken.sandbox, connection={"host": nobody})
    told = MADE[api](elsewhere)
    assert isinstance(told, Failure)
    assert (told.effect, told.advice) == (Effect.NONE, advice_for(api, Symptom.NOT_SENT))
    elsewhere.target.close()


# --- what each does when all goes well ----------------------------------------------------------

EDITS = ("EditGroupMsgBody", "EditC2cMsgBody")
DONE = [api for api, limit in APIS.items() if limit.writes and api not in EDITS]


@pytest.mark.parametrize("api", [api for api in DONE if not api.startswith("Revoke")])
def test_a_write_is_done_and_its_repeat_harms_nothing_where_the_table_says_so(
    spoken: Scene, api: str
) -> None:
    told = MADE[api](spoken)
    assert isinstance(told[0] if isinstance(told, list) else told, Done), told
    once = spoken.world()
    again = MADE[api](spoken)
    if api in ("ImportGroupMsg", "ImportPeerMsg"):
        assert spoken.world() != once, "every import is another message: hence the read-back"
    else:
        assert spoken.world() == once, again


def test_reads_tell_what_is_there(spoken: Scene) -> None:
    assert MADE["QueryUserInfos"](spoken) == {"ada": True, "nobody": False}
    page = MADE["QueryGroupMemberList"](spoken)
    assert isinstance(page, MemberPage)
    assert [(each.account_id, each.role) for each in page.members] == [
        ("ada", "owner"),
        ("bob", "member"),
    ]
    profile = MADE["QueryGroupInfo"](spoken)
    assert (profile.exists, profile.notification) == (True, "hello")
    assert profile.created_s == spoken.start // 1000 - 60
    assert spoken.target.read_profile("nowhere", operator="ada").exists is False  # type: ignore[union-attr]
    assert MADE["QueryPeerMsg"](spoken) == Page(())
    assert spoken.has(spoken.copies()[2])


def test_a_frontier_is_the_newest_message_and_a_missing_group_is_missing(spoken: Scene) -> None:
    (first,) = spoken.outgoing(first=-10)[:1]
    told = Frontier(address=QUAY, exists=True, newest_slot=first.slot, next_sequence=2)
    assert spoken.target.frontiers([QUAY]) == [told]
    spoken.sandbox.zim.live_group_message("quay", "bob", Text="live", Time=spoken.start)
    (after,) = spoken.target.frontiers([QUAY])  # type: ignore[misc]
    assert (after.newest_slot, after.next_sequence) == (spoken.start, 3)


def test_a_recent_message_is_withdrawn_once_and_an_old_one_never(ready: Scene) -> None:
    now = ready.sandbox.now_ms()
    recent = ready.outgoing()[0]
    recent = type(recent)(sender="ada", slot=now - 1000, random=5, body=recent.body)
    assert isinstance(ready.say(recent), Done)
    key = GroupKey(sender="ada", slot=recent.slot, random=5, sequence=1)
    assert ready.target.withdraw_group_messages(QUAY, [key]) == [Done()]
    (again,) = ready.target.withdraw_group_messages(QUAY, [key])  # type: ignore[misc]
    assert again.advice.value == "exists"  # type: ignore[union-attr]
    (stored,) = ready.history()
    assert (stored.withdrawn, stored.sequence) == (True, 1)
    assert isinstance(ready.say(ready.outgoing()[1]), Done)
    (old,) = ready.target.withdraw_group_messages(  # type: ignore[misc]
        QUAY, [GroupKey(sender="bob", slot=1, random=1, sequence=2)]
    )
    assert (old.code, old.advice.value) == (660000024, "missing_message")  # type: ignore[union-attr]


def test_unread_numbers_are_cleared_for_one_person_and_one_conversation(spoken: Scene) -> None:
    zim = spoken.sandbox.zim
    assert zim.unread("bob", group_id="quay") == 1
    assert spoken.target.clear_unread("bob", group_id="quay") == Done()
    assert zim.unread("bob", group_id="quay") == 0
    assert zim.unread("ada", peer="bob") == 1
    assert spoken.target.clear_unread("ada", peer_id="bob") == Done()
    assert zim.unread("ada", peer="bob") == 0
    none = spoken.target.clear_unread("cid", peer_id="bob")
    assert isinstance(none, Failure)
    assert none.code == 660800002


def test_first_members_who_cannot_join_are_named(ready: Scene) -> None:
    spec = GroupSpec(
        group_id="pier", type="private", name="p", owner_id="ada", created_s=ready.start // 1000,
        members=("ada", "bob", "nobody"),
    )  # fmt: skip
    made = ready.target.create_group(spec)
    assert [name for name, _ in made.refused] == ["nobody"]  # type: ignore[union-attr]
    assert set(ready.world()["groups"]["pier"]["members"]) == {"ada", "bob"}


def test_ids_with_signs_that_urls_reserve_arrive_whole(scene: Scene) -> None:
    strange = "a&b=c#d%2+?;"
    scene.people("ada", strange)
    scene.group(strange)
    assert isinstance(scene.say(scene.outgoing()[0]), Done)
    assert scene.target.clear_unread(strange, group_id="quay") == Done()


# --- access -------------------------------------------------------------------------------------


def test_the_check_proves_app_and_secret(scene: Scene) -> None:
    scene.target.check()


@pytest.mark.parametrize(
    "wrong",
    [pytest.param({"app_id": 7}, id="app"), pytest.param({"server_secret": None}, id="secret")],
)
def test_a_wrong_app_or_secret_stops_with_one_sentence(scene: Scene, wrong: dict[str, Any]) -> None:
    from pydantic import SecretStr

    secret = "0123456789abcdef0123456789abcdef"
    changes = {
        **wrong,
        **({"server_secret": SecretStr(secret)} if "server_secret" in wrong else {}),
    }
    refused = Scene(scene.sandbox, connection=changes)
    with pytest.raises(CredentialsError) as caught:
        refused.target.check()
    assert secret not in str(caught.value)
    refused.target.close()


def test_a_clock_that_is_eleven_minutes_off_is_told_as_such(scene: Scene) -> None:
    scene.sandbox.set_clock_offset(660)
    with pytest.raises(CredentialsError, match="clock"):
        scene.target.check()


def test_an_address_where_nobody_answers_is_unreachable(scene: Scene) -> None:
    scene.sandbox.add_fault("http_error", api="*")
    with pytest.raises(TargetUnreachableError):
        scene.target.check()


@pytest.mark.parametrize("api", ["ImportGroupMsg", "ClearConversationUnread"])
@pytest.mark.parametrize("action", ["drop", "http_error", "throttle", "empty_body"])
def test_neither_secret_nor_signature_is_in_what_is_logged_or_told(
    spoken: Scene, caplog: pytest.LogCaptureFixture, api: str, action: str
) -> None:
    made: list[str] = []
    signed = spoken.target._signer.signed

    def remember(action: str) -> dict[str, str | int]:
        told = signed(action)
        made.append(str(told["Signature"]))
        return told

    spoken.target._signer.signed = remember  # type: ignore[method-assign]
    spoken.sandbox.add_fault(action, api=api, last_call=1)
    with caplog.at_level("DEBUG"):
        told = MADE[api](spoken)
        MADE[api](spoken)
    # The sandbox runs in this process, and its server logs what it is asked.
    ours = [each for each in caplog.records if not each.name.startswith("uvicorn")]
    logged = " ".join(each.getMessage() for each in ours)
    shown = f"{logged} {told!r} {told} {spoken.target!r} {vars(spoken.target)!r}"
    assert "Signature=***" in logged, "the HTTP library logs URLs"
    assert len(made) == 2
    assert [each for each in made if each in shown] == []
    assert spoken.sandbox.zim.app.server_secret not in shown
