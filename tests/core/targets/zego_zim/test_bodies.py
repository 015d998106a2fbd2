"""What is sent, byte for byte reviewed: one golden file per request under ``tests/golden/zego_zim``.

After a change that is meant, write the files anew and read the difference::

    UPDATE_GOLDEN=1 .venv/bin/pytest tests/core/targets/zego_zim/test_bodies.py && git diff tests/golden
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from pydantic import SecretStr
from tests.clocks import HandClock

from chat_migration.errors import (
    CredentialsError,
    MigrationError,
    TargetUnreachableError,
    UsageError,
)
from chat_migration.model import (
    Custom,
    Element,
    Face,
    File,
    Image,
    Location,
    Sound,
    Text,
    Video,
)
from chat_migration.targets.base import (
    AccountSpec,
    Advice,
    DirectKey,
    DirectMessageOut,
    Effect,
    Failure,
    GroupAddress,
    GroupKey,
    GroupMessageOut,
    GroupSpec,
    Mark,
    MemberSpec,
    ProfileChange,
    Target,
    TopicSpec,
)
from chat_migration.targets.transport import NoReply, Reply
from chat_migration.targets.verbs import Verb
from chat_migration.targets.zego_zim.auth import Signer, signature_of
from chat_migration.targets.zego_zim.connection import ZimConnection
from chat_migration.targets.zego_zim.limits import API_OF, APIS, DAY_MS
from chat_migration.targets.zego_zim.markers import mark_of
from chat_migration.targets.zego_zim.rules import ZimRules
from chat_migration.targets.zego_zim.target import REGIONS, ZimTarget, base_url, stop_error

GOLDEN = Path(__file__).parents[3] / "golden" / "zego_zim"
RULES = ZimRules(max_message_bytes=2048, retention_days=30)
SECRET = "9193cc662a4c0ec135ec71fb57194b38"
CONNECTION = ZimConnection(
    host="singapore", app_id=12345, server_secret=SecretStr(SECRET), retention_days=30
)
NOW = HandClock().now_ms()
SLOT = NOW - DAY_MS


class Recorder:
    """A transport that keeps what is sent and gives its answers in turn, the last one again and again."""

    def __init__(self, *answers: Reply | NoReply) -> None:
        self._answers = [*answers] or [Reply(200, b'{"Code":0,"Message":"success","MsgSeq":1}')]
        self.sent: list[tuple[str, str, bytes, float]] = []
        self.closed = False

    def post(self, url: str, body: bytes, timeout_seconds: float) -> Reply | NoReply:
        return self._answer("POST", url, body, timeout_seconds)

    def get(self, url: str, timeout_seconds: float) -> Reply | NoReply:
        return self._answer("GET", url, b"", timeout_seconds)

    def _answer(self, method: str, url: str, body: bytes, seconds: float) -> Reply | NoReply:
        self.sent.append((method, url, body, seconds))
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def close(self) -> None:
        self.closed = True

    @property
    def query(self) -> dict[str, str]:
        """Return the parameters of the last URL."""
        asked = parse_qs(urlsplit(self.sent[-1][1]).query, strict_parsing=True)
        return {name: value for name, (value,) in asked.items()}


def target(recorder: Recorder, clock: HandClock | None = None, **changes: Any) -> ZimTarget:
    connection = CONNECTION.model_copy(update=changes)
    clock = clock or HandClock()
    signer = Signer(app_id=connection.app_id, server_secret=connection.server_secret, clock=clock)
    return ZimTarget(connection, recorder, signer, clock)


def group_message(*elements: Element, **reference: str) -> GroupMessageOut:
    told = {"reply_to": "", "extra": ""} | reference
    (body,) = RULES.group_bodies(elements, split=True, **told)
    return GroupMessageOut(sender="ada", slot=SLOT, random=2**62 + 1, body=body)


def copy(viewer: str, *elements: Element, **changes: Any) -> DirectMessageOut:
    (body,) = RULES.direct_bodies(elements or [Text(text="hi")], reply_to="", extra="", split=True)[
        0
    ]
    fields: dict[str, Any] = {
        "sender": "ada", "recipient": "bob", "viewer": viewer, "slot": SLOT, "sequence": 0,
        "random": 255, "body": body,
    }  # fmt: skip
    return DirectMessageOut(**fields | changes)


QUAY = GroupAddress("quay")
GROUP = GroupSpec(
    group_id="quay", type="public", name="Harbour crew é", owner_id="ada", introduction="moved",
    notification="hello", avatar_url="https://h.example/g.png", max_members=500, join="approval",
    created_s=1546300800, members=("ada", "bob", "cid"),
)  # fmt: skip
KEY = GroupKey(sender="ada", slot=SLOT, random=255, sequence=7)
TEXT_BODY = RULES.group_bodies([Text(text="new")], reply_to="m-1", extra="", split=True)[0]
CUSTOM_BODY = RULES.group_bodies([Custom(data="{}")], reply_to="", extra="", split=True)[0]
PICTURE = Image(
    url="https://h.example/i.png", width=640, height=480, size=1234, format="png", name="boat"
)
ELEMENTS: dict[str, list[Element]] = {
    "text": [Text(text='tide at six, says "é"\n日本 \U0001f600')],
    "image": [PICTURE],
    "image.least": [Image(url="https://h.example/i")],
    "file": [File(url="https://h.example/f/plan.pdf", name="plan.pdf", size=5000)],
    "sound": [Sound(url="https://h.example/s.m4a", seconds=7, size=99)],
    "video": [
        Video(
            url="https://h.example/v.mp4", seconds=12, size=7777, format="mp4",
            thumb_url="https://h.example/v.jpg", thumb_width=320, thumb_height=180,
        )
    ],
    "video.least": [Video(url="https://h.example/v.mp4")],
    "custom": [Custom(data='{"k":1}', description="card")],
    "face": [Face(index=3, data="wave")],
    "location": [Location(latitude=54.5, longitude=-0.75, description="pier")],
    "several": [Text(text="hi"), PICTURE, Custom(data='{"k":1}', description="card")],
    "several.enclosed": [Text(text="hi"), Face(index=3), Custom(data="{}", extension="x")],
}  # fmt: skip
Send = Callable[[ZimTarget], object]


def import_of(elements: list[Element], **reference: str) -> Send:
    return lambda to: to.send_group_messages(QUAY, [group_message(*elements, **reference)])


def page_after(cursor: str) -> Send:
    return lambda to: to.read_direct("ada", "bob", first_slot=1, last_slot=9, cursor=cursor)


SENT: dict[str, Send] = {
    "QueryUserInfos": lambda to: to.existing_accounts(["ada", "bob"]),
    "UserRegister": lambda to: to.import_accounts(
        [
            AccountSpec(account_id="ada", name="Ada é", avatar_url="https://h.example/a.png"),
            AccountSpec(account_id="placeholder"),
        ]
    ),
    "ModifyUserInfo": lambda to: to.change_accounts([AccountSpec(account_id="ada", name="Ada")]),
    "CreateGroup": lambda to: to.create_group(GROUP),
    "CreateGroup.least": lambda to: to.create_group(
        GroupSpec(group_id="g", type="private", name="g", owner_id="ada", created_s=1)
    ),
    "InviteUsersIntoGroup": lambda to: to.add_members(
        "quay", [MemberSpec(account_id="bob", joined_s=5)], operator="ada"
    ),
    **{f"ImportGroupMsg.{name}": import_of(elements) for name, elements in ELEMENTS.items()},
    "ImportGroupMsg.reference": import_of(ELEMENTS["text"], reply_to="m-1", extra='{"a":[1]}'),
    "ImportPeerMsg.sender": lambda to: to.send_direct_message(copy("ada")),
    "ImportPeerMsg.recipient": lambda to: to.send_direct_message(copy("bob", PICTURE)),
    "ClearConversationUnread.group": lambda to: to.clear_unread("bob", group_id="quay"),
    "ClearConversationUnread.peer": lambda to: to.clear_unread("a b#&+%", peer_id="ada"),
    "EditGroupMsgBody": lambda to: to.change_group_message(QUAY, KEY, TEXT_BODY, operator="boss"),
    "EditGroupMsgBody.custom": lambda to: to.change_group_message(
        QUAY, KEY, CUSTOM_BODY, operator="ada"
    ),
    "EditC2cMsgBody": lambda to: to.change_direct_message(copy_key("bob"), TEXT_BODY, ""),
    "RevokeGroupMessage": lambda to: to.withdraw_group_messages(QUAY, [KEY]),
    "RevokePeerMessage": lambda to: to.withdraw_direct_message(copy_key("ada")),
    "UpdateGroupData": lambda to: to.change_profile(
        ProfileChange(
            group_id="quay", type="public", name="Crew", introduction="moved", avatar_url="https://h/g"
        ),
        operator="ada",
    ),
    "TransferGroupOwner": lambda to: to.change_owner("quay", "bob", operator="ada"),
    "SetGroupMemberRole": lambda to: to.change_role("quay", "bob", "admin", operator="ada"),
    "SetGroupMemberRole.member": lambda to: to.change_role("quay", "b", "member", operator="a"),
    "KickoutGroupUser": lambda to: to.remove_members("quay", ["bob", "cid"], operator="ada"),
    "QueryGroupInfo": lambda to: to.read_profile("quay", operator="ada"),
    "QueryGroupMemberList": lambda to: to.read_members("quay"),
    "QueryGroupMemberList.next": lambda to: to.read_members("quay", cursor="2"),
    "QueryGroupMsg": lambda to: to.read_group(QUAY, since=Mark()),
    "QueryGroupMsg.next": lambda to: to.read_group(
        QUAY, since=Mark(), cursor="971503777289036700"
    ),
    "QueryGroupMsg.frontier": lambda to: to.frontiers([QUAY]),
    "QueryPeerMsg": page_after(""),
    "QueryPeerMsg.next": page_after("100"),
}  # fmt: skip


def copy_key(viewer: str) -> DirectKey:
    return DirectKey(
        sender="ada", recipient="bob", viewer=viewer, slot=SLOT, sequence=7, random=255
    )


@pytest.mark.parametrize("name", SENT)
def test_a_request_is_what_its_golden_file_says(name: str) -> None:
    recorder = Recorder()
    SENT[name](target(recorder))
    ((method, url, body, seconds),) = recorder.sent
    api = name.split(".", maxsplit=1)[0]
    assert (urlsplit(url).netloc, urlsplit(url).path) == ("zim-api-sgp.zego.im", "/")
    assert (method, recorder.query["Action"]) == (APIS[api].method, api)
    assert seconds == 10
    common = ("Action", "AppId", "SignatureNonce", "Timestamp", "SignatureVersion", "Signature")
    fields = {key: value for key, value in recorder.query.items() if key not in common}
    sent = json.loads(body) if method == "POST" else fields
    assert method == "GET" or not fields
    file = GOLDEN / f"{name}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(sent, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    assert sent == json.loads(file.read_text(encoding="utf-8"))


def test_every_action_and_every_golden_file_has_its_request() -> None:
    assert {name.split(".")[0] for name in SENT} == set(APIS)
    assert {file.stem for file in GOLDEN.iterdir()} == set(SENT)


def test_every_verb_of_the_target_is_one_action() -> None:
    assert set(API_OF.values()) == set(APIS)
    assert set(Verb) - set(API_OF) == {Verb.CREATE_TOPIC, Verb.TOPIC_FRONTIERS, Verb.SET_UNREAD}


def test_every_method_of_the_target_is_a_verb_or_makes_no_call_of_its_own() -> None:
    methods = {
        name for name, value in vars(Target).items() if not name.startswith("_") and callable(value)
    }
    frontiers = {Verb.GROUP_FRONTIERS, Verb.TOPIC_FRONTIERS}
    verbs = set(map(str, set(Verb) - frontiers)) | {"frontiers"}
    others = {
        "check", "close", "oldest_slot", "renew_signature", "stop_error",
    }  # fmt: skip
    assert methods == verbs | others
    public = {
        name
        for name, value in vars(ZimTarget).items()
        if not name.startswith("_") and (callable(value) or isinstance(value, classmethod))
    }
    assert public == methods | {"connect"}, "what delivery asks of every target, and nothing else"


@pytest.mark.parametrize("name", ["QueryGroupMsg", "ClearConversationUnread.group"])
def test_every_request_is_signed_when_it_is_sent(name: str) -> None:
    recorder, clock = Recorder(), HandClock()
    to = target(recorder, clock)
    seen = set()
    for _ in range(3):
        clock.move(700)
        SENT[name](to)
        told = recorder.query
        assert int(told["Timestamp"]) == clock.now_ms() // 1000
        assert told["Signature"] == signature_of(
            12345, told["SignatureNonce"], SECRET, int(told["Timestamp"])
        )
        seen.add(told["SignatureNonce"])
    assert len(seen) == 3


def test_a_repeat_with_the_same_signature_is_never_made() -> None:
    recorder = Recorder(Reply(200, b'{"Code":100000004}'), Reply(200, b'{"Code":100000004}'))
    to = target(recorder)
    with pytest.raises(CredentialsError, match="clock"):
        to.check()
    assert len({url for _, url, _, _ in recorder.sent}) == 2
    to.renew_signature()


# --- what needs no call -------------------------------------------------------------------------


@pytest.mark.parametrize("days", [7, 30])
def test_a_message_past_the_retention_is_refused_when_it_is_sent_and_no_earlier(days: int) -> None:
    recorder, clock = Recorder(), HandClock()
    to = target(recorder, clock, retention_days=days)
    oldest = to.oldest_slot()
    message = GroupMessageOut(sender="ada", slot=oldest, random=1, body=TEXT_BODY)
    assert to.send_group_messages(QUAY, [message]) != []
    assert to.send_direct_message(copy("ada", slot=oldest)) is not None
    assert len(recorder.sent) == 2
    clock.move(0.002)
    for told in (
        to.send_group_messages(QUAY, [message]),
        to.send_direct_message(copy("ada", slot=oldest)),
    ):
        assert isinstance(told, Failure)
        assert (told.advice, told.effect) == (Advice.TOO_OLD, Effect.NONE)
        assert "retention" in str(told)
    assert len(recorder.sent) == 2


NOT_OFFERED: dict[str, Send] = {
    "topic": lambda to: to.create_topic(
        TopicSpec(group_id="g", topic_id="t", name="t", created_s=1)
    ),
    "message-to-a-topic": lambda to: to.send_group_messages(
        GroupAddress("g", "t"), [group_message(Text(text="x"))]
    ),
    "group-without-owner": lambda to: to.create_group(
        GroupSpec(group_id="g", type="private", name="g", created_s=1)
    ),
    "unread-number": lambda to: to.set_unread("g", "ada", 3),
    "introduction": lambda to: to.change_profile(
        ProfileChange(group_id="g", type="public", introduction="x"), operator="ada"
    ),
    "edit-to-a-picture": lambda to: to.change_group_message(
        QUAY, KEY, group_message(PICTURE).body, operator="ada"
    ),
    "one-to-one-edit-to-a-picture": lambda to: to.change_direct_message(
        copy_key("ada"), group_message(PICTURE).body, ""
    ),
}


@pytest.mark.parametrize("name", NOT_OFFERED)
def test_what_zim_does_not_have_is_refused_without_a_call(name: str) -> None:
    recorder = Recorder()
    told = NOT_OFFERED[name](target(recorder))
    assert isinstance(told, Failure)
    assert (told.advice, told.code, recorder.sent) == (Advice.REJECT_ITEM, None, [])


WRONG: dict[str, Send] = {
    "no-message": lambda to: to.send_group_messages(QUAY, []),
    "two-messages": lambda to: to.send_group_messages(QUAY, [group_message(Text(text="x"))] * 2),
    "two-recalls": lambda to: to.withdraw_group_messages(QUAY, [KEY, KEY]),
    "two-groups": lambda to: to.frontiers([QUAY, QUAY]),
    "too-many-removals": lambda to: to.remove_members("g", ["u"] * 51, operator="a"),
    "too-many-first-members": lambda to: to.create_group(
        msgspec.structs.replace(GROUP, members=("u",) * 101)
    ),
    "the-operator-added": lambda to: to.add_members(
        "g", [MemberSpec(account_id="ada", joined_s=1)], operator="ada"
    ),
    "a-group-of-the-epoch": lambda to: to.create_group(
        GroupSpec(group_id="g", type="private", name="g", owner_id="ada", created_s=0)
    ),
    "a-member-of-the-epoch": lambda to: to.add_members(
        "g", [MemberSpec(account_id="bob", joined_s=0)], operator="ada"
    ),
    "a-copy-of-somebody-else": lambda to: to.send_direct_message(copy("cid")),
    "no-conversation": lambda to: to.clear_unread("ada"),
    "two-conversations": lambda to: to.clear_unread("ada", group_id="g", peer_id="bob"),
    "a-message-of-number-0": lambda to: to.send_direct_message(copy("ada", random=0)),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_no_call_can_carry_is_a_mistake_of_ours(name: str) -> None:
    recorder = Recorder()
    with pytest.raises(ValueError, match=r"\w"):
        WRONG[name](target(recorder))
    assert recorder.sent == []


# --- reading back -------------------------------------------------------------------------------


def page(*slots: int, cursor: int) -> Reply:
    """Return a page of somebody else's messages."""
    rows = [
        {
            "Sender": "ada",
            "MsgSeq": slot,
            "MsgTime": slot,
            "MsgId": slot,
            "Payload": "",
            "IsEmpty": 0,
        }
        for slot in slots
    ]
    return Reply(200, json.dumps({"Code": 0, "List": rows, "Next": cursor}).encode())


@pytest.mark.parametrize(
    ("since", "cursor"),
    [
        pytest.param(Mark(), "7", id="everything"),
        pytest.param(Mark(slot=SLOT), "7", id="down-to-its-time"),
        pytest.param(Mark(slot=SLOT + 1), "", id="past-its-time"),
        pytest.param(Mark(sequence=2**40), "7", id="no-time"),
        pytest.param(Mark(sequence=2**40, slot=SLOT), "7", id="past-its-number"),
    ],
)
def test_a_group_is_read_down_to_a_time_whatever_the_numbers_are(since: Mark, cursor: str) -> None:
    """A late message has a high number at an old time."""
    recorder = Recorder(page(SLOT + 1, SLOT, cursor=7))
    told = target(recorder).read_group(QUAY, since=since, cursor="")
    assert not isinstance(told, Failure)
    assert (len(told.messages), told.cursor) == (2, cursor)


def test_a_copy_is_looked_through_down_to_the_messages_time_and_no_further() -> None:
    pages = [page(SLOT + 9 - n, cursor=n + 1) for n in range(10)]
    recorder = Recorder(*pages, page(SLOT - 1, cursor=11))
    to, cursor = target(recorder), ""
    found: list[int] = []
    for _ in range(11):
        told = to.read_direct("bob", "ada", first_slot=SLOT, last_slot=SLOT, cursor=cursor)
        assert not isinstance(told, Failure)
        found += [each.slot for each in told.messages]
        cursor = told.cursor
    assert (found, cursor) == ([SLOT], "")
    asked = [json.loads(body) for _, _, body, _ in recorder.sent]
    assert [each["Next"] for each in asked] == list(range(11))
    assert {(each["FromUserId"], each["ToUserId"]) for each in asked} == {("bob", "ada")}


def test_a_message_stands_in_a_stretch_by_the_time_of_its_mark() -> None:
    stored = {
        "Sender": "ada", "MsgSeq": 3, "MsgTime": SLOT + 5, "MsgId": "9", "IsEmpty": 0,
        "Payload": mark_of(255, SLOT),
    }  # fmt: skip
    recorder = Recorder(Reply(200, json.dumps({"Code": 0, "List": [stored], "Next": 0}).encode()))
    told = target(recorder).read_direct("ada", "bob", first_slot=SLOT, last_slot=SLOT)
    assert not isinstance(told, Failure)
    (found,) = told.messages
    assert (found.slot, found.random, found.sequence, found.key) == (SLOT, 255, 3, "9")


# --- the target itself --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "url"),
    [
        *((name, f"https://{host}") for name, host in REGIONS.items()),
        ("Hong Kong", "https://zim-api-hkg.zego.im"),
        ("zim-api.zego.im/", "https://zim-api.zego.im"),
        ("localhost:9700", "https://localhost:9700"),
        (" http://127.0.0.1:9700/ ", "http://127.0.0.1:9700"),
    ],
)
def test_a_host_is_a_region_a_name_or_a_url(host: str, url: str) -> None:
    assert base_url(host) == url


def test_a_region_that_is_none_is_told_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="singapore"):
        base_url("atlantis")


def test_closing_closes_the_connections() -> None:
    recorder = Recorder()
    target(recorder).close()
    assert recorder.closed


PROVEN = [
    b'{"Code":0,"Result":[{"UserId":"chat.migration"}],"ErrorList":[]}',
    b'{"Code":0,"Result":[],"ErrorList":[{"UserId":"chat.migration","SubCode":660700012}]}',
    b'{"Code":660700012,"ErrorList":[{"UserId":"chat.migration","SubCode":660700012}]}',
    b'{"Code":660700012}',
]


@pytest.mark.parametrize("answer", PROVEN)
def test_the_check_needs_no_user_to_exist(answer: bytes) -> None:
    recorder = Recorder(Reply(200, answer))
    target(recorder).check()
    assert recorder.query["Action"] == "QueryUserInfos"


def test_the_check_signs_again_once() -> None:
    recorder = Recorder(Reply(200, b'{"Code":100000005}'), Reply(200, PROVEN[0]))
    target(recorder).check()
    assert len(recorder.sent) == 2


@pytest.mark.parametrize(
    ("answer", "error", "told"),
    [
        pytest.param(Reply(200, b'{"Code":3}'), CredentialsError, "ServerSecret", id="secret"),
        pytest.param(Reply(200, b'{"Code":100000001}'), CredentialsError, "AppId", id="app"),
        pytest.param(Reply(200, b'{"Code":100000005}'), CredentialsError, "clock", id="signature"),
        pytest.param(
            Reply(200, b'{"Code":1}'), TargetUnreachableError, "run again later", id="busy"
        ),
        pytest.param(Reply(502, b"<html>"), TargetUnreachableError, "network", id="gateway"),
        pytest.param(NoReply("refused", sent=False), TargetUnreachableError, "host", id="nobody"),
    ],
)
def test_what_stops_a_run_is_one_sentence_without_a_secret(
    answer: Reply | NoReply, error: type[MigrationError], told: str
) -> None:
    recorder = Recorder(answer)
    to = target(recorder)
    with pytest.raises(error, match=told) as caught:
        to.check()
    assert "app `12345`" in str(caught.value)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(to)
    assert SECRET not in shown
    assert recorder.query["Signature"] not in shown


@pytest.mark.parametrize("advice", list(Advice))
def test_every_failure_can_stop_a_run(advice: Advice) -> None:
    for code in (None, 5):
        failure = Failure(
            api="UserRegister", code=code, text="text", advice=advice, effect=Effect.NONE
        )
        assert stop_error(failure, CONNECTION, done="Nothing.").exit_code == 3
