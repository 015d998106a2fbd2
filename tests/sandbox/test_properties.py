"""What holds for any sequence of calls, tried on the service itself, without sockets."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sandbox.client import Json, text

from chat_sandbox.clock import SandboxClock
from chat_sandbox.config import SandboxConfig
from chat_sandbox.tencent_chat.service import TencentChat
from chat_sandbox.tencent_chat.switches import SWITCHES
from chat_sandbox.vendor import Admission

NOW_MS = 1_700_000_000_000
USERS = ("ann", "bob")
APP = 1_400_000_001

_message = st.fixed_dictionaries(
    {
        "From_Account": st.sampled_from((*USERS, "nobody")),
        "SendTime": st.integers(1_699_999_000, 1_700_000_005),
        "Random": st.none() | st.integers(0, 12),
        "MsgBody": st.sampled_from(("a", "b")).map(text),
    }
)
_batch = st.fixed_dictionaries({"MsgList": st.lists(_message, min_size=1, max_size=7)})
_unread = st.fixed_dictionaries(
    {"Member_Account": st.sampled_from(USERS), "UnreadMsgNum": st.integers(0, 9)}
)
_recall = st.fixed_dictionaries({"MsgSeqList": st.just([{"MsgSeq": 1}, {"MsgSeq": 3}])})
_call = st.one_of(
    st.tuples(st.just("import_group_msg"), _batch),
    st.tuples(st.just("set_unread_msg_num"), _unread),
    st.tuples(st.just("group_msg_recall"), _recall),
    st.tuples(st.just("modify_group_base_info"), st.just({"Name": "new"})),
)
_switches = st.fixed_dictionaries(
    {}, optional={switch.name: st.sampled_from(switch.values) for switch in SWITCHES}
)


class _Service:
    """One service with a group, its recorded changes, and shorthands."""

    def __init__(self, switches: dict[str, str]) -> None:
        self.entries: list[Json] = []
        self.config = SandboxConfig(switches=switches)
        clock = SandboxClock()
        clock.freeze(frozen=True)
        clock.set_offset(NOW_MS - clock.now_ms())
        self.chat = TencentChat(self.config, clock, self.entries.append)
        self.call("multiaccount_import", {"Accounts": list(USERS)})
        group = {"GroupId": "g", "Type": "Public", "Name": "g", "CreateTime": 1_699_999_100}
        self.call("import_group", group)
        members = [{"Member_Account": user_id} for user_id in USERS]
        self.call("import_group_member", {"GroupId": "g", "MemberList": members})

    def call(self, api: str, body: Json) -> Json:
        body = {"GroupId": "g", **body}
        return self.chat.apply(Admission(api=api, app_id=APP, body=body, writes=True))

    def group(self) -> Json:
        group: Json = self.chat.dump(APP)["groups"]["g"]
        return group


@settings(max_examples=30, deadline=None, derandomize=True)
@given(calls=st.lists(_call, max_size=8), switches=_switches)
def test_seqs_rise_times_never_fall_and_unread_stays_within_the_messages(
    calls: list[tuple[str, Json]], switches: dict[str, str]
) -> None:
    service = _Service(switches)
    for api, body in calls:
        service.call(api, body)
        group = service.group()
        seqs = [message["seq"] for message in group["messages"]]
        times = [message["time"] for message in group["messages"]]
        assert seqs == sorted(set(seqs))
        assert times == sorted(times)
        assert all(0 < seq < group["next_msg_seq"] for seq in seqs)
        unread = [member["unread"] for member in group["members"].values()]
        assert all(0 <= count < group["next_msg_seq"] for count in unread)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(calls=st.lists(_call, max_size=8), switches=_switches)
def test_replaying_the_recorded_changes_makes_the_same_world(
    calls: list[tuple[str, Json]], switches: dict[str, str]
) -> None:
    service = _Service(switches)
    for api, body in calls:
        service.call(api, body)
    again = TencentChat(service.config, SandboxClock(), lambda _entry: None)
    for entry in service.entries:
        again.replay(entry)
    assert again.dump(APP) == service.chat.dump(APP)
    restored = TencentChat(service.config, SandboxClock(), lambda _entry: None)
    restored.restore(service.chat.snapshot())
    assert restored.dump(APP) == service.chat.dump(APP)
    assert restored.snapshot() == service.chat.snapshot()


@settings(max_examples=30, deadline=None, derandomize=True)
@given(batch=_batch)
def test_by_default_each_message_is_stored_once_and_strictly_later(batch: Json) -> None:
    service = _Service({})
    items = service.call("import_group_msg", batch)["ImportMsgResult"]
    assert len(items) == len(batch["MsgList"])
    stored = service.group()["messages"]
    times = [message["time"] for message in stored]
    assert times == sorted(set(times))
    reported = {item["MsgSeq"] for item in items if item["Result"] == 0}
    assert reported == {message["seq"] for message in stored}
