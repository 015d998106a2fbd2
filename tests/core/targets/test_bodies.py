"""What is sent, byte for byte reviewed: one golden file per request under ``tests/golden/tencent_chat``.

After a change that is meant, write the files anew and read the difference::

    UPDATE_GOLDEN=1 .venv/bin/pytest tests/core/targets/test_bodies.py && git diff tests/golden
"""

from __future__ import annotations

import json
import os
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
    DirectKey,
    DirectMessageOut,
    Failure,
    GroupAddress,
    GroupKey,
    GroupMessageOut,
    GroupSpec,
    Mark,
    MemberSpec,
    Page,
    ProfileChange,
    TopicSpec,
)
from chat_migration.targets.tencent_chat.auth import Signer
from chat_migration.targets.tencent_chat.connection import TencentConnection
from chat_migration.targets.tencent_chat.limits import APIS
from chat_migration.targets.tencent_chat.rules import TencentRules
from chat_migration.targets.tencent_chat.target import TencentTarget, base_url, stop_error
from chat_migration.targets.transport import NoReply, Reply

GOLDEN = Path(__file__).parents[2] / "golden" / "tencent_chat"
RULES = TencentRules(admin="administrator", max_body_bytes=12000)
SECRET = "5bd2850fff3ecb11d7c805251c51ee46"
CONNECTION = TencentConnection(
    host="singapore", sdk_app_id=1400000000, admin="boss@x", secret_key=SecretStr(SECRET)
)

EVERY: list[Element] = [
    Text(text='tide at six, says "é"\n日本 \U0001f600'),
    Face(index=3, data="wave"),
    Location(latitude=54.5, longitude=-0.75, description="pier"),
    Custom(data='{"k":1}', description="card", extension="x"),
    Image(url="https://h.example/i.png", width=640, height=480, size=1234, format="png", name="boat"),
    Sound(url="https://h.example/s.aac", seconds=7, size=99),
    File(url="https://h.example/f/plan.pdf", name="plan.pdf", size=5000),
    Video(
        url="https://h.example/v.mp4", seconds=12, size=7777, format="mp4",
        thumb_url="https://h.example/v.jpg", thumb_width=320, thumb_height=180, thumb_size=55,
        thumb_format="jpg",
    ),
]  # fmt: skip


class Recorder:
    """A transport that keeps what is posted and gives its answers in turn, the last one again and again."""

    def __init__(self, *answers: Reply | NoReply) -> None:
        self._answers = [*answers] or [Reply(200, b'{"ActionStatus":"OK","ErrorCode":0}')]
        self.posted: list[tuple[str, bytes, float]] = []
        self.closed = False

    def post(self, url: str, body: bytes, timeout_seconds: float) -> Reply | NoReply:
        """Keep it."""
        self.posted.append((url, body, timeout_seconds))
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def close(self) -> None:
        """Keep that too."""
        self.closed = True


def target(recorder: Recorder, **changes: Any) -> TencentTarget:
    connection = CONNECTION.model_copy(update=changes)
    signer = Signer(
        sdk_app_id=connection.sdk_app_id, admin=connection.admin, secret_key=connection.secret_key,
        clock=HandClock(),
    )  # fmt: skip
    return TencentTarget(connection, recorder, signer)


def direct(**changes: Any) -> DirectMessageOut:
    (body,), metadata = RULES.direct_bodies(EVERY, reply_to="m-1", extra='{"a":[1]}', split=True)
    fields: dict[str, Any] = {
        "sender": "ada", "recipient": "bob", "slot": 1546390000, "sequence": 513,
        "random": 2**32 - 1, "body": body, "metadata": metadata,
    }  # fmt: skip
    return DirectMessageOut(**fields | changes)


def group_message(elements: list[Element], slot: int, **reference: str) -> GroupMessageOut:
    (body,) = RULES.group_bodies(
        elements,
        split=True,
        reply_to=reference.get("reply_to", ""),
        extra=reference.get("extra", ""),
    )
    return GroupMessageOut(sender="ada", slot=slot, random=slot % 97 + 1, body=body)


def said(sequence: int) -> GroupKey:
    return GroupKey(sender="ada", slot=1546390000, random=7, sequence=sequence)


GROUP = GroupSpec(
    group_id="quay", type="public", name="Harbour crew é", owner_id="ada", introduction="moved",
    notification="hello", avatar_url="https://h.example/g.png", max_members=500, join="approval",
    created_s=1546300800,
)  # fmt: skip
KEY = DirectKey(sender="ada", recipient="bob", slot=1546390000, sequence=513, random=2**32 - 1)
Send = Callable[[TencentTarget], object]

SENT: dict[str, Send] = {
    "multiaccount_import": lambda to: to.import_accounts(
        [
            AccountSpec(account_id="ada", name="Ada é", avatar_url="https://h.example/a.png"),
            AccountSpec(account_id="placeholder"),
        ]
    ),
    "account_check": lambda to: to.existing_accounts(["ada", "bob"]),
    "import_group": lambda to: to.create_group(GROUP),
    "import_group.least": lambda to: to.create_group(
        GroupSpec(group_id="g", type="private", name="g", created_s=1)
    ),
    "import_group.community": lambda to: to.create_group(
        GroupSpec(
            group_id="@TGS#_h", type="community", name="h", join="free", created_s=1, with_topics=True
        )
    ),
    "import_topic": lambda to: to.create_topic(
        TopicSpec(group_id="@TGS#_h", topic_id="@TGS#_h@TOPIC#_t", name="Tides", created_s=2)
    ),
    "import_group_member": lambda to: to.add_members(
        "quay",
        [
            MemberSpec(account_id="ada", role="owner", joined_s=1546300801),
            MemberSpec(account_id="bob", role="admin", joined_s=1546300900),
            MemberSpec(account_id="cid", joined_s=1546387200),
        ],
    ),
    "import_group_msg": lambda to: to.send_group_messages(
        GroupAddress("quay"),
        [
            group_message(EVERY[:3], 1546387300),
            group_message(EVERY, 1546387301, reply_to="m-1", extra='{"a":[1]}'),
            group_message([Text(text="a"), Text(text="b")], 1546387302, reply_to="m-2"),
        ],
        refresh_conversation=True,
    ),
    "import_group_msg.topic": lambda to: to.send_group_messages(
        GroupAddress("@TGS#_h", "@TGS#_h@TOPIC#_t"),
        [group_message([Text(text="a")], 5)],
        refresh_conversation=False,
    ),
    "importmsg": lambda to: to.send_direct_message(direct()),
    "importmsg.unread": lambda to: to.send_direct_message(
        direct(as_unread=True, metadata="", body='[{"MsgType":"TIMTextElem","MsgContent":{"Text":"x"}}]')
    ),
    "modify_group_msg": lambda to: to.change_group_message(
        GroupAddress("quay"), said(17), group_message(EVERY[:2], 1).body
    ),
    "modify_group_msg.topic": lambda to: to.change_group_message(
        GroupAddress("@TGS#_h", "@TGS#_h@TOPIC#_t"), said(3), group_message([Text(text="a")], 1).body
    ),
    "group_msg_recall": lambda to: to.withdraw_group_messages(GroupAddress("quay"), [said(17), said(19)]),
    "group_msg_recall.topic": lambda to: to.withdraw_group_messages(
        GroupAddress("@TGS#_h", "@TGS#_h@TOPIC#_t"), [said(3)]
    ),
    "modify_c2c_msg": lambda to: to.change_direct_message(
        KEY, direct().body, direct().metadata
    ),
    "modify_c2c_msg.looked_up": lambda to: to.change_direct_message(
        msgspec.structs.replace(KEY, text="41_7_9"), '[{"MsgType":"TIMTextElem","MsgContent":{"Text":"x"}}]', ""
    ),
    "admin_msgwithdraw": lambda to: to.withdraw_direct_message(KEY),
    "admin_getroammsg": lambda to: to.read_direct(
        "ada", "bob", first_slot=1546300800, last_slot=1546390000, cursor=""
    ),
    "admin_getroammsg.next": lambda to: to.read_direct(
        "ada", "bob", first_slot=1546300800, last_slot=1546390000, cursor="1546389999 2_3_1546389999"
    ),
    "get_group_member_info": lambda to: to.read_members("quay", community=False, cursor=""),
    "get_group_member_info.next": lambda to: to.read_members("quay", community=False, cursor="100"),
    "get_group_member_info.community": lambda to: to.read_members(
        "@TGS#_h", community=True, cursor="n-2"
    ),
    "set_unread_msg_num": lambda to: to.set_unread("quay", "bob", 3),
    "get_group_info.profile": lambda to: to.read_profile("quay"),
    "modify_group_base_info": lambda to: to.change_profile(
        ProfileChange(
            group_id="quay", type="public", name="Harbour crew é", introduction="moved",
            notification="hello", avatar_url="https://h.example/g.png", max_members=500, join="approval",
        )
    ),
    "modify_group_base_info.community": lambda to: to.change_profile(
        ProfileChange(group_id="@TGS#_h", type="community", name="h", join="free")
    ),
    "modify_group_member_info": lambda to: to.change_role("quay", "bob", "admin"),
    "modify_group_member_info.member": lambda to: to.change_role("quay", "bob", "member"),
    "change_group_owner": lambda to: to.change_owner("quay", "bob"),
    "delete_group_member": lambda to: to.remove_members("quay", ["bob", "cid"]),
    "get_group_info": lambda to: to.frontiers([GroupAddress("quay"), GroupAddress("pier")]),
    "get_topic": lambda to: to.frontiers([GroupAddress("@TGS#_h", "@TGS#_h@TOPIC#_t")]),
    "group_msg_get_simple": lambda to: to.read_group(GroupAddress("quay"), since=Mark(), cursor="140"),
    "group_msg_get_simple.newest": lambda to: to.read_group(
        GroupAddress("@TGS#_h", "@TGS#_h@TOPIC#_t"), since=Mark()
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SENT)
def test_a_request_is_the_reviewed_one(name: str) -> None:
    recorder = Recorder()
    SENT[name](target(recorder))
    ((url, body, _),) = recorder.posted
    request = {"path": urlsplit(url).path, "body": json.loads(body)}
    told = json.dumps(request, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    reviewed = GOLDEN / f"{name}.json"
    if os.environ.get("UPDATE_GOLDEN"):
        reviewed.write_text(told, encoding="utf-8")
    assert told == reviewed.read_text(encoding="utf-8")


def test_every_reviewed_file_is_a_request_and_every_api_has_one() -> None:
    assert {file.stem for file in GOLDEN.glob("*.json")} == set(SENT)
    assert {name.split(".")[0] for name in SENT} == set(APIS)


@pytest.mark.parametrize("name", SENT)
def test_a_request_goes_to_its_path_with_the_admins_signature(name: str) -> None:
    recorder = Recorder()
    SENT[name](target(recorder, host="https://h.example/", timeout_seconds=12.5))
    ((url, _, timeout),) = recorder.posted
    parts = urlsplit(url)
    query = parse_qs(parts.query, strict_parsing=True)
    assert (parts.scheme, parts.netloc, timeout) == ("https", "h.example", 12.5)
    assert parts.path == "/" + APIS[name.split(".", maxsplit=1)[0]].path
    assert (query["sdkappid"], query["identifier"], query["contenttype"]) == (
        ["1400000000"], ["boss@x"], ["json"],
    )  # fmt: skip
    assert 0 <= int(query["random"][0]) < 2**32
    assert query["usersig"][0].startswith("eJ")
    assert SECRET not in url


def test_a_body_is_sent_as_the_bytes_that_were_measured() -> None:
    recorder = Recorder()
    message = direct()
    target(recorder).send_direct_message(message)
    assert message.body.encode() in recorder.posted[0][1]


def test_each_request_has_a_random_of_its_own() -> None:
    recorder = Recorder()
    to = target(recorder)
    for _ in range(20):
        to.set_unread("quay", "bob", 3)
    assert len({parse_qs(urlsplit(url).query)["random"][0] for url, _, _ in recorder.posted}) == 20


def test_the_path_of_topics_can_be_changed() -> None:
    recorder = Recorder()
    SENT["import_topic"](target(recorder, import_topic_path="v4/other/import_topic"))
    assert urlsplit(recorder.posted[0][0]).path == "/v4/other/import_topic"


def test_more_groups_than_one_call_takes_are_a_bug() -> None:
    with pytest.raises(ValueError, match="51 groups in one call, 50 are allowed"):
        target(Recorder()).frontiers([GroupAddress(str(number)) for number in range(51)])


def test_more_recalls_than_one_call_takes_are_a_bug() -> None:
    with pytest.raises(ValueError, match="11 recalls in one call, 10 are allowed"):
        target(Recorder()).withdraw_group_messages(
            GroupAddress("quay"), [said(each) for each in range(1, 12)]
        )


def test_more_removals_than_one_call_takes_are_a_bug() -> None:
    with pytest.raises(ValueError, match="101 members in one call, 100 are allowed"):
        target(Recorder()).remove_members("quay", [str(number) for number in range(101)])


def test_closing_the_target_closes_its_connections() -> None:
    recorder = Recorder()
    target(recorder).close()
    assert recorder.closed


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("singapore", "https://adminapisgp.im.qcloud.com"),
        (" Silicon Valley ", "https://adminapiusa.im.qcloud.com"),
        ("china", "https://console.tim.qq.com"),
        ("adminapiksa.im.qcloud.com", "https://adminapiksa.im.qcloud.com"),
        ("localhost:9700", "https://localhost:9700"),
        ("http://127.0.0.1:9700/", "http://127.0.0.1:9700"),
    ],
)
def test_a_host_is_a_region_a_name_or_a_url(host: str, url: str) -> None:
    assert base_url(host) == url


@pytest.mark.parametrize("host", ["", "atlantis", "sgp"])
def test_a_host_that_is_no_region_is_answered_with_the_regions(host: str) -> None:
    with pytest.raises(UsageError, match="frankfurt, jakarta"):
        base_url(host)


def answering(**fields: Any) -> Reply:
    return Reply(200, json.dumps({"ErrorCode": 0} | fields).encode())


def roaming(*randoms: int, complete: int) -> Reply:
    rows = [
        {"From_Account": "ada", "MsgTimeStamp": 1546390000, "MsgSeq": 513, "MsgRandom": random}
        for random in randoms
    ]
    return answering(MsgList=rows, Complete=complete, LastMsgTime=1546390000, LastMsgKey="key")


@pytest.mark.parametrize(
    ("pages", "there"),
    [
        pytest.param([roaming(5, 2**32 - 1, complete=1)], True, id="there"),
        pytest.param([roaming(5, -1, complete=0)], True, id="signed-and-more-to-come"),
        pytest.param([roaming(5, complete=1)], False, id="not-there"),
        pytest.param(
            [roaming(5, complete=0), roaming(2**32 - 1, complete=1)], True, id="second-page"
        ),
        pytest.param([roaming(5, complete=0), roaming(complete=0)], False, id="nothing-more"),
    ],
)
def test_a_one_to_one_message_is_found_by_its_triple(pages: list[Reply], *, there: bool) -> None:
    recorder = Recorder(*pages)
    to, cursor = target(recorder), ""
    found: set[tuple[int, int, int]] = set()
    for _ in pages:
        page = to.read_direct("ada", "bob", first_slot=KEY.slot, last_slot=KEY.slot, cursor=cursor)
        assert isinstance(page, Page)
        found |= {(each.slot, each.sequence, each.random) for each in page.messages}
        cursor = page.cursor
    assert ((KEY.slot, KEY.sequence, KEY.random) in found) is there
    asked = [json.loads(body) for _, body, _ in recorder.posted]
    assert [each.get("LastMsgKey") for each in asked] == [None, "key"][: len(pages)]


# --- proving the connection ---------------------------------------------------------------------


def answered(code: int) -> Reply:
    return Reply(200, b'{"ActionStatus":"FAIL","ErrorCode":%d}' % code)


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        pytest.param(answered(70009), CredentialsError, "SecretKey is wrong", id="wrong-secret"),
        pytest.param(answered(70003), CredentialsError, "70003", id="malformed"),
        pytest.param(answered(60010), CredentialsError, "no app admin", id="no-admin"),
        pytest.param(answered(70050), CredentialsError, "lock the app for a minute", id="locked"),
        pytest.param(answered(70001), CredentialsError, "machine's clock", id="expired-at-once"),
        pytest.param(answered(60007), TargetUnreachableError, "call budget", id="throttled"),
        pytest.param(answered(60008), TargetUnreachableError, "run again later", id="fault"),
        pytest.param(Reply(502, b"<html>"), TargetUnreachableError, "status 502", id="gateway"),
        pytest.param(NoReply("the connection was refused", sent=False), TargetUnreachableError,
                     "the connection was refused", id="refused"),
    ],
)  # fmt: skip
def test_a_connection_that_does_not_work_says_why(
    answer: Reply | NoReply, kind: type[MigrationError], said: str
) -> None:
    with pytest.raises(kind, match=said) as caught:
        target(Recorder(answer)).check()
    assert "adminapisgp.im.qcloud.com" in str(caught.value)
    assert "1400000000" in str(caught.value)
    assert SECRET not in repr(caught.value)


def test_a_connection_that_works_passes() -> None:
    row = {"UserID": "boss@x", "ResultCode": 0, "AccountStatus": "Imported"}
    recorder = Recorder(answering(ResultItem=[row]))
    target(recorder).check()
    assert json.loads(recorder.posted[0][1]) == {"CheckItem": [{"UserID": "boss@x"}]}


def test_what_was_done_is_told_when_a_run_stops() -> None:
    failed = target(Recorder(answered(60020))).set_unread("g", "a", 1)
    assert isinstance(failed, Failure)
    error = stop_error(failed, CONNECTION, done="12 rows are recorded.")
    assert str(error).endswith("12 rows are recorded.")
