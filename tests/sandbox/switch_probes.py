"""For every switch a probe: what a client sees, and what it sees in each position.

A probe sets up its own little world and returns one value that differs between the positions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.sandbox.client import IMAGE, LONG_AGO, Json, Tencent, text

BIG_RANDOM = 0xFFFF_FFF0
DAY = 86_400
EMPTY_SIZE = len('[{"MsgType":"TIMTextElem","MsgContent":{"Text":""}}]')


@dataclass(frozen=True)
class Probe:
    """How to look at a switch, and what is seen by position."""

    look: Callable[[Tencent], Any]
    sees: Mapping[str, Any]


def _crew(client: Tencent, **fields: Any) -> None:
    client.make_group("g", **{"Owner_Account": "ann", **fields})
    client.join("g", "bob")


def _codes(reply: Json) -> list[int]:
    return [item["Result"] for item in reply.get("ImportMsgResult", [])]


def ties(client: Tencent) -> Any:
    _crew(client)
    first = client.results("g", client.message(50), client.message(50))
    return first + client.results("g", client.message(50))


def create_time_bound(client: Tencent) -> Any:
    client.make_group("g")
    joined = client.join("g", {"Member_Account": "bob", "JoinTime": client.now - LONG_AGO})
    return joined + client.results("g", client.message(LONG_AGO))


def now_bound(client: Tencent) -> Any:
    client.make_group("g")
    joined = client.join("g", {"Member_Account": "bob", "JoinTime": client.now})
    return joined + client.results("g", client.message(0))


def batch_after_failure(client: Tencent) -> Any:
    _crew(client)
    batch = [client.message(50), client.message(60), client.message(40)]
    return client.results("g", *batch), len(client.history("g"))


def dedup_scope(client: Tencent) -> Any:
    _crew(client)
    client.make_group("h")
    client.results("g", client.message(50, Random=5))
    client.results("g", client.message(40, Random=5, From_Account="bob"))
    client.results("g", client.message(30, Random=5, content="other"))
    client.results("h", client.message(30, Random=5))
    return len(client.history("g")), len(client.history("h"))


def dedup_clock(client: Tencent) -> Any:
    _crew(client)
    client.results("g", client.message(1000, Random=5))
    client.results("g", client.message(500, Random=5))
    at_once = len(client.history("g"))
    client.sandbox.advance_clock(400)
    client.results("g", client.message(1300, Random=5))
    return at_once, len(client.history("g"))


def dedup_result(client: Tencent) -> Any:
    _crew(client)
    client.results("g", client.message(60), client.message(50, Random=5))
    reply = client.send("g", client.message(40, Random=5), client.message(30))
    return [(item["MsgSeq"], item["Result"]) for item in reply["ImportMsgResult"]]


def failed_item_seq(client: Tencent) -> Any:
    _crew(client)
    items = client.send("g", client.message(0), client.message(40))["ImportMsgResult"]
    return [item.get("MsgSeq") for item in items], client.info("g")["NextMsgSeq"]


def failed_items(client: Tencent) -> Any:
    _crew(client)
    return _codes(client.send("g", client.message(0), client.message(40)))


def top_level_when_all_fail(client: Tencent) -> Any:
    _crew(client)
    reply = client.send("g", client.message(0))
    return reply["ErrorCode"], reply["ActionStatus"], _codes(reply)


def undocumented_item_code(client: Tencent) -> Any:
    _crew(client)
    return client.results("g", client.message(50), client.message(40), client.message(30))


def expired_history(client: Tencent) -> Any:
    client.make_group("g", CreateTime=client.now - 10 * DAY)
    results = client.results("g", client.message(5 * DAY), client.message(40))
    told = client.tell(5 * DAY)
    reply = client.group("group_msg_get_simple", {"GroupId": "g", "ReqMsgNumber": 20})
    rows = [row["IsPlaceMsg"] for row in reply["RspMsgList"]]
    return results, rows, reply["IsFinished"], told, client.roam()["MsgCnt"]


def placeholder_row(client: Tencent) -> Any:
    client.make_group("g", CreateTime=client.now - 10 * DAY)
    client.results("g", client.message(5 * DAY, Random=9))
    row = client.history("g")[0]
    return row["From_Account"], row["MsgRandom"], row["MsgTimeStamp"] > 0, row["MsgSeq"]


def media_in_group(client: Tencent) -> Any:
    _crew(client)
    code = client.send("g", client.message(50, MsgBody=[IMAGE]))["ErrorCode"]
    client.results("g", client.message(40))
    edit = {"GroupId": "g", "MsgSeq": client.info("g")["NextMsgSeq"] - 1, "MsgBody": [IMAGE]}
    return code, client.code("openim/modify_group_msg", edit)


def cloud_custom_data_in_group(client: Tencent) -> Any:
    _crew(client)
    code = client.send("g", client.message(50, CloudCustomData="d"))["ErrorCode"]
    messages = client.sandbox.dump()["groups"]["g"]["messages"]
    return code, [message["cloud_custom_data"] for message in messages]


def unimported_sender(client: Tencent) -> Any:
    _crew(client)
    return client.results("g", client.message(50, From_Account="nobody"))


def non_member_sender(client: Tencent) -> Any:
    _crew(client)
    return client.results("g", client.message(50, From_Account="cid"))


def oversize_group_message(client: Tencent) -> Any:
    _crew(client)
    reply = client.send("g", client.message(50, content="x" * 13_000), client.message(40))
    return reply["ErrorCode"], _codes(reply)


def group_size_basis(client: Tencent) -> Any:
    _crew(client)
    return client.results("g", client.message(50, content="x" * 12_000))


def message_bytes(client: Tencent) -> Any:
    _crew(client)
    sizes = (8000, 12_000, 12_288, 12_289)
    batch = [
        client.message(50 - number, content="x" * (size - EMPTY_SIZE))
        for number, size in enumerate(sizes)
    ]
    return client.results("g", *batch)


def _topic(client: Tencent) -> str:
    client.make_group("@TGS#_c", Type="Community", SupportTopic=1, Owner_Account="ann")
    body = {"GroupId": "@TGS#_c", "TopicName": "t", "CreateTime": client.now - LONG_AGO}
    topic: str = client.group("import_topic", body)["TopicId"]
    return topic


def topic_timeline(client: Tencent) -> Any:
    topic = _topic(client)
    client.results("@TGS#_c", client.message(50))
    items = client.send("@TGS#_c", client.message(60), client.message(40), TopicId=topic)
    return [(item["MsgSeq"], item["Result"]) for item in items["ImportMsgResult"]]


def topic_resets_group_unread(client: Tencent) -> Any:
    topic = _topic(client)
    client.fill("@TGS#_c", 3)
    client.set_unread("@TGS#_c", "ann", 2)
    client.results("@TGS#_c", client.message(50), TopicId=topic)
    return client.unread("@TGS#_c", "ann")


def unread_zeroed_by(client: Tencent) -> Any:
    _crew(client)
    client.fill("g", 3)
    client.set_unread("g", "bob", 2)
    client.results("g", client.message(0))
    return client.unread("g", "bob")


def zero_random(client: Tencent) -> Any:
    _crew(client)
    client.results("g", client.message(50, Random=0), client.message(40, Random=0))
    return len(client.history("g")), client.history("g")[0]["MsgRandom"] == 0


def random_sign(client: Tencent) -> Any:
    _crew(client)
    client.results("g", client.message(50, Random=BIG_RANDOM))
    client.tell(MsgRandom=BIG_RANDOM)
    row = client.roam()["MsgList"][0]
    return client.history("g")[0]["MsgRandom"], row["MsgRandom"]


def group_page_bytes(client: Tencent) -> Any:
    _crew(client)
    client.results("g", *[client.message(50 - n, content="x" * 6000) for n in range(5)])
    return len(client.history("g"))


def exists_code(client: Tencent) -> Any:
    _crew(client)
    mine = client.make_group("g", Owner_Account="ann")["ErrorCode"]
    return mine, client.make_group("g", Owner_Account="bob")["ErrorCode"]


def destroyed_id(client: Tencent) -> Any:
    _crew(client)
    client.group("destroy_group", {"GroupId": "g"})
    return client.make_group("g")["ErrorCode"]


def create_time_range(client: Tencent) -> Any:
    times = (0, -5, client.now + 60, client.now)
    return [
        client.make_group(f"g{number}", CreateTime=time)["ErrorCode"]
        for number, time in enumerate(times)
    ]


def initial_members(client: Tencent) -> Any:
    code = client.make_group("g", MemberList=[{"Member_Account": "bob"}])["ErrorCode"]
    groups = client.sandbox.dump()["groups"]
    return code, sorted(groups["g"]["members"]) if "g" in groups else None


def default_max_members(client: Tencent) -> Any:
    client.make_group("g")
    client.make_group("@TGS#_c", Type="Community")
    groups = client.sandbox.dump()["groups"]
    return groups["g"]["max_members"], groups["@TGS#_c"]["max_members"]


def over_max_members(client: Tencent) -> Any:
    code = client.make_group("g", MaxMemberCount=7000)["ErrorCode"]
    groups = client.sandbox.dump()["groups"]
    return code, groups["g"]["max_members"] if "g" in groups else None


def member_batch_cap(client: Tencent) -> Any:
    client.make_group("g")
    codes = []
    for count in (21, 101, 301, 501):
        rows = [{"Member_Account": f"u{number}"} for number in range(count)]
        body = {"GroupId": "g", "MemberList": rows}
        codes.append(client.group("import_group_member", body)["ErrorCode"])
    return codes


def over_member_batch(client: Tencent) -> Any:
    client.make_group("g")
    rows = [{"Member_Account": f"u{number}"} for number in range(21)]
    return client.group("import_group_member", {"GroupId": "g", "MemberList": rows})["ErrorCode"]


def rejoin_updates(client: Tencent) -> Any:
    _crew(client)
    client.fill("g", 3)
    row = {"Member_Account": "bob", "Role": "Admin", "JoinTime": client.now - 9, "UnreadMsgNum": 2}
    results = client.join("g", row, {"Member_Account": "ann", "UnreadMsgNum": 1})
    members = client.sandbox.dump()["groups"]["g"]["members"]
    bob = members["bob"]
    return results, bob["role"], bob["join_time"] == client.now - 9, bob["unread"]


def reimport_keeps(client: Tencent) -> Any:
    _crew(client)
    client.fill("g", 3)
    client.set_unread("g", "bob", 2)
    body: Json = {"GroupId": "g", "MemberToDel_Account": ["bob"], "Silence": 1}
    client.group("delete_group_member", body)
    results = client.join("g", {"Member_Account": "bob", "JoinTime": client.now - 9})
    bob = client.sandbox.dump()["groups"]["g"]["members"]["bob"]
    return results, bob["unread"], bob["join_time"] == client.now - 9


def missing_account_in_members(client: Tencent) -> Any:
    client.make_group("g")
    rows = [{"Member_Account": "bob"}, {"Member_Account": "nobody"}]
    reply = client.group("import_group_member", {"GroupId": "g", "MemberList": rows})
    return reply["ErrorCode"], [row["Result"] for row in reply.get("MemberList", [])]


def admin_in_work_group(client: Tencent) -> Any:
    client.make_group("g", Type="Private")
    results = client.join("g", {"Member_Account": "bob", "Role": "Admin"})
    members = client.sandbox.dump()["groups"]["g"]["members"]
    return results, members.get("bob", {}).get("role")


def owner_join_time(client: Tencent) -> Any:
    _crew(client)
    return client.now - client.sandbox.dump()["groups"]["g"]["members"]["ann"]["join_time"]


def unread_clamp_basis(client: Tencent) -> Any:
    _crew(client)
    client.fill("g", 3)
    client.sandbox.live_message("g", IsTip=True)
    client.set_unread("g", "bob", 9)
    return client.unread("g", "bob")


def import_topic_path(client: Tencent) -> Any:
    body = {"GroupId": "@TGS#_c", "TopicName": "t"}
    client.make_group("@TGS#_c", Type="Community", SupportTopic=1)
    services = ("group_open_http_svc", "million_group_open_http_svc")
    return [client.code(f"{service}/import_topic", body) for service in services]


def community_feature(client: Tencent) -> Any:
    return client.make_group("@TGS#_c", Type="Community")["ErrorCode"]


def missing_group_code(client: Tencent) -> Any:
    return client.send("none", client.message(50))["ErrorCode"]


def tips(client: Tencent) -> Any:
    _crew(client)
    client.group("modify_group_base_info", {"GroupId": "g", "Name": "new"})
    return client.info("g")["NextMsgSeq"]


def silence_suppresses_tip(client: Tencent) -> Any:
    _crew(client)
    body = {"GroupId": "g", "MemberToDel_Account": ["bob"], "Silence": 1}
    client.group("delete_group_member", body)
    return client.info("g")["NextMsgSeq"]


def remove_owner(client: Tencent) -> Any:
    _crew(client)
    body = {"GroupId": "g", "MemberToDel_Account": ["ann"], "Silence": 1}
    code = client.group("delete_group_member", body)["ErrorCode"]
    return code, client.info("g")["Owner_Account"]


def previous_owner_role(client: Tencent) -> Any:
    _crew(client)
    client.group("change_group_owner", {"GroupId": "g", "NewOwner_Account": "bob"})
    return client.sandbox.dump()["groups"]["g"]["members"]["ann"]["role"]


def new_owner_not_member(client: Tencent) -> Any:
    _crew(client)
    body = {"GroupId": "g", "NewOwner_Account": "cid"}
    return client.group("change_group_owner", body)["ErrorCode"]


def c2c_size_basis(client: Tencent) -> Any:
    filled = 12_000 - EMPTY_SIZE
    return [
        client.tell(MsgBody=text("x" * size), MsgSeq=size)
        for size in (filled - 100, filled, 11_960, 12_001)
    ]


def duplicate_c2c_reply(client: Tencent) -> Any:
    client.tell()
    return client.tell(), client.roam()["MsgCnt"]


def c2c_dedup_lifetime(client: Tencent) -> Any:
    client.tell(MsgTimeStamp=client.now - 50)
    sent = client.now - 50
    client.sandbox.advance_clock(301)
    client.tell(MsgTimeStamp=sent)
    return client.roam()["MsgCnt"]


def self_chat(client: Tencent) -> Any:
    return client.tell(To_Account="ann")


def unimported_c2c_sender(client: Tencent) -> Any:
    return client.tell(From_Account="nobody")


def c2c_out_of_order(client: Tencent) -> Any:
    client.tell(50)
    return client.tell(60, MsgSeq=2), client.tell(50, MsgSeq=2)


def c2c_msg_key(client: Tencent) -> Any:
    client.tell()
    row = client.roam()["MsgList"][0]
    return row["MsgKey"] == f"1_11_{row['MsgTimeStamp']}"


def c2c_key_direction(client: Tencent) -> Any:
    client.tell()
    key = client.roam()["MsgList"][0]["MsgKey"]
    body = {"From_Account": "bob", "To_Account": "ann", "MsgKey": key}
    return client.code("openim/admin_msgwithdraw", body)


def _modify_first(client: Tencent, **fields: Any) -> int:
    body = {"GroupId": "g", "MsgSeq": 1, "MsgBody": text("edited"), **fields}
    return client.code("openim/modify_group_msg", body)


def _recall(client: Tencent, seq: int = 1) -> int:
    body = {"GroupId": "g", "MsgSeqList": [{"MsgSeq": seq}]}
    return int(client.group("group_msg_recall", body)["RecallRetList"][0]["RetCode"])


def modify_imported(client: Tencent) -> Any:
    _crew(client)
    client.results("g", client.message(50))
    client.tell()
    key = client.roam()["MsgList"][0]["MsgKey"]
    body = {"From_Account": "ann", "To_Account": "bob", "MsgKey": key, "CloudCustomData": "x"}
    live = client.sandbox.live_message("g")["MsgSeq"]
    peer = client.code("openim/modify_c2c_msg", body)
    return _modify_first(client), peer, _modify_first(client, MsgSeq=live)


def recall_imported(client: Tencent) -> Any:
    _crew(client)
    client.results("g", client.message(50))
    client.tell()
    key = client.roam()["MsgList"][0]["MsgKey"]
    body = {"From_Account": "ann", "To_Account": "bob", "MsgKey": key}
    return _recall(client), client.code("openim/admin_msgwithdraw", body)


def _with_expired(client: Tencent) -> None:
    client.make_group("g", CreateTime=client.now - 10 * DAY)
    client.results("g", client.message(5 * DAY))


def modify_expired(client: Tencent) -> Any:
    _with_expired(client)
    return _modify_first(client)


def modify_missing(client: Tencent) -> Any:
    _crew(client)
    return _modify_first(client)


def oversize_modify(client: Tencent) -> Any:
    _crew(client)
    client.results("g", client.message(50))
    return _modify_first(client, MsgBody=text("x" * 13_000))


def modify_empty(client: Tencent) -> Any:
    _crew(client)
    client.results("g", client.message(50))
    return _modify_first(client, MsgBody=None)


def group_custom_data_read_back(client: Tencent) -> Any:
    _crew(client)
    client.results("g", client.message(50))
    _modify_first(client, CloudCustomData="d")
    return client.history("g")[0].get("CloudCustomData")


def modify_touches(client: Tencent) -> Any:
    _crew(client)
    client.fill("g", 3)
    client.set_unread("g", "bob", 2)
    _modify_first(client)
    return client.unread("g", "bob")


def recalled_again(client: Tencent) -> Any:
    _crew(client)
    client.results("g", client.message(50))
    return _recall(client), _recall(client)


def recall_expired(client: Tencent) -> Any:
    _with_expired(client)
    return _recall(client)


def recall_tip(client: Tencent) -> Any:
    _crew(client)
    client.sandbox.live_message("g", IsTip=True)
    return _recall(client), len(client.history("g"))


def throttle_code(client: Tencent) -> Any:
    client.sandbox.set_rates(enabled=True, per_second={"get_group_info": 1})
    return [client.group("get_group_info", {"GroupIdList": ["g"]})["ErrorCode"] for _ in "12"]


def rate_window(client: Tencent) -> Any:
    client.sandbox.set_rates(enabled=True, per_second={"get_group_info": 20})
    passed = []
    for pause in (1.9 - client.sandbox.now_ms() % 1000 / 1000, 0.2):
        client.sandbox.advance_clock(pause)
        calls = [client.group("get_group_info", {"GroupIdList": ["g"]}) for _ in range(25)]
        passed.append(sum(call["ErrorCode"] == 0 for call in calls))
    return passed


def moderation(client: Tencent) -> Any:
    _crew(client)
    word = "a sandbox-blocked-word"
    results = client.results("g", client.message(50, content=word), client.message(40))
    return results, client.tell(MsgBody=text(word)), _modify_first(client, MsgBody=text(word))


def invalid_unicode(client: Tencent) -> Any:
    _crew(client)
    seen = []
    for age, broken in ((50, b"\\ud83d!"), (40, b"\xff!")):
        head = b'{"GroupId":"g","MsgList":[{"From_Account":"ann","SendTime":%d,"Random":%d,'
        tail = b'"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"%s"}}]}]}'
        data = head % (client.now - age, age) + tail % broken
        seen.append(client.raw("group_open_http_svc/import_group_msg", data).json()["ErrorCode"])
    return seen, [row["MsgBody"][0]["MsgContent"]["Text"] for row in client.history("g")]


def empty_text(client: Tencent) -> Any:
    _crew(client)
    return client.send("g", client.message(50, content=""))["ErrorCode"], client.tell(
        MsgBody=text("")
    )


def empty_body(client: Tencent) -> Any:
    _crew(client)
    return client.send("g", client.message(50, MsgBody=[]))["ErrorCode"], client.tell(MsgBody=[])


def nul_text(client: Tencent) -> Any:
    _crew(client)
    code = client.send("g", client.message(50, content="a\0b"))["ErrorCode"]
    return code, [row["MsgBody"][0]["MsgContent"]["Text"] for row in client.history("g")]


def unknown_app_code(client: Tencent) -> Any:
    return client.call("im_open_login_svc/account_check", {}, sdkappid=7)["ErrorCode"]


def plan(client: Tencent) -> Any:
    rows = [{"UserID": f"u{number}"} for number in range(98)]
    accounts = client.login("multiaccount_import", {"AccountList": rows})["ErrorCode"]
    return accounts, client.make_group("g", MaxMemberCount=3000)["ErrorCode"]


ACCEPT, REFUSE = 0, 10004
PROBES: Mapping[str, Probe] = {
    "ties": Probe(
        ties,
        {
            "reject": [0, REFUSE, REFUSE],
            "accept_in_request": [0, 0, REFUSE],
            "accept": [0, 0, 0],
        },
    ),
    "create_time_bound": Probe(
        create_time_bound, {"exclusive": [0, REFUSE], "inclusive": [1, ACCEPT]}
    ),
    "now_bound": Probe(now_bound, {"exclusive": [0, REFUSE], "inclusive": [1, ACCEPT]}),
    "batch_after_failure": Probe(
        batch_after_failure,
        {
            "continue": ([0, REFUSE, 0], 2),
            "stop": ([0, REFUSE, REFUSE], 1),
            "atomic": ([REFUSE, REFUSE, REFUSE], 0),
        },
    ),
    "dedup_scope": Probe(
        dedup_scope,
        {"group": (1, 1), "group_sender": (2, 1), "group_content": (2, 1), "app": (1, 0)},
    ),
    "dedup_clock": Probe(dedup_clock, {"arrival": (1, 2), "send_time": (2, 2), "either": (1, 1)}),
    "dedup_result": Probe(
        dedup_result,
        {
            "original_seq": [(2, 0), (3, 0)],
            "zero_seq": [(0, 0), (3, 0)],
            "time_invalid": [(0, REFUSE), (3, 0)],
            "omitted": [(3, 0)],
        },
    ),
    "failed_item_seq": Probe(
        failed_item_seq,
        {"zero": ([0, 1], 2), "absent": ([None, 1], 2), "burned": ([1, 2], 3)},
    ),
    "failed_items": Probe(failed_items, {"listed": [REFUSE, 0], "omitted": [0]}),
    "top_level_when_all_fail": Probe(
        top_level_when_all_fail,
        {"ok": (0, "OK", [REFUSE]), "10004": (REFUSE, "FAIL", [REFUSE])},
    ),
    "undocumented_item_code": Probe(
        undocumented_item_code,
        {"off": [0, 0, 0], "10002": [0, 0, 10002], "10023": [0, 0, 10023]},
    ),
    "expired_history": Probe(
        expired_history,
        {
            "placeholder": ([0, 0], [0, 1], 1, 0, 0),
            "hidden": ([0, 0], [0], 2, 0, 0),
            "reject": ([REFUSE, 0], [0], 1, 90026, 0),
            "visible": ([0, 0], [0, 0], 1, 0, 1),
        },
    ),
    "placeholder_row": Probe(
        placeholder_row, {"full": ("ann", 9, True, 1), "bare": ("", 0, False, 1)}
    ),
    "media_in_group": Probe(media_in_group, {"reject": (REFUSE, 90002), "accept": (0, 0)}),
    "cloud_custom_data_in_group": Probe(
        cloud_custom_data_in_group,
        {"ignore": (0, [""]), "reject": (REFUSE, []), "store": (0, ["d"])},
    ),
    "unimported_sender": Probe(unimported_sender, {"accept": [0], "reject": [10019]}),
    "non_member_sender": Probe(non_member_sender, {"accept": [0], "reject": [10007]}),
    "oversize_group_message": Probe(
        oversize_group_message, {"item_80002": (0, [80002, 0]), "request_10020": (10020, [])}
    ),
    "group_size_basis": Probe(group_size_basis, {"msgbody": [80002], "elements": [0]}),
    "message_bytes": Probe(
        message_bytes,
        {
            "8000": [0, 80002, 80002, 80002],
            "12000": [0, 0, 80002, 80002],
            "12288": [0, 0, 0, 80002],
        },
    ),
    "topic_timeline": Probe(
        topic_timeline, {"own": [(1, 0), (2, 0)], "shared": [(0, REFUSE), (2, 0)]}
    ),
    "topic_resets_group_unread": Probe(topic_resets_group_unread, {"no": 2, "yes": 0}),
    "unread_zeroed_by": Probe(unread_zeroed_by, {"any_call": 0, "stored_message": 2}),
    "zero_random": Probe(zero_random, {"keep": (1, True), "replace": (2, False)}),
    "random_sign": Probe(random_sign, {"unsigned": (BIG_RANDOM, BIG_RANDOM), "signed": (-16, -16)}),
    "group_page_bytes": Probe(group_page_bytes, {"65536": 5, "13000": 2}),
    "exists_code": Probe(
        exists_code, {"10021": (10021, 10021), "10025": (10025, 10025), "by_owner": (10025, 10021)}
    ),
    "destroyed_id": Probe(destroyed_id, {"reusable": 0, "taken": 10021}),
    "create_time_range": Probe(
        create_time_range, {"any": [0, 0, 0, 0], "past": [REFUSE, REFUSE, REFUSE, 0]}
    ),
    "initial_members": Probe(
        initial_members,
        {"ignore": (0, []), "accept": (0, ["bob"]), "reject": (REFUSE, None)},
    ),
    "default_max_members": Probe(
        default_max_members, {"2000": (2000, 2000), "plan": (6000, 100_000)}
    ),
    "over_max_members": Probe(
        over_max_members, {"10004": (10004, None), "10038": (10038, None), "clamp": (0, 6000)}
    ),
    "member_batch_cap": Probe(
        member_batch_cap,
        {
            "20": [10005, 10005, 10005, 10005],
            "100": [0, 10005, 10005, 10005],
            "300": [0, 0, 10005, 10005],
            "500": [0, 0, 0, 10005],
        },
    ),
    "over_member_batch": Probe(over_member_batch, {"10005": 10005, "10004": 10004}),
    "rejoin_updates": Probe(
        rejoin_updates,
        {"nothing": ([2, 2], "Member", False, 0), "all": ([2, 2], "Admin", True, 2)},
    ),
    "reimport_keeps": Probe(
        reimport_keeps, {"nothing": ([1], 0, True), "role_and_unread": ([1], 2, True)}
    ),
    "missing_account_in_members": Probe(
        missing_account_in_members, {"result_0": (0, [1, 0]), "10019": (10019, [])}
    ),
    "admin_in_work_group": Probe(
        admin_in_work_group,
        {"accept": ([1], "Admin"), "as_member": ([1], "Member"), "result_0": ([0], None)},
    ),
    "owner_join_time": Probe(owner_join_time, {"now": 0, "create_time": LONG_AGO}),
    "unread_clamp_basis": Probe(unread_clamp_basis, {"messages": 3, "seq": 4}),
    "import_topic_path": Probe(
        import_topic_path,
        {"both": [0, 0], "group": [0, 10003], "million_group": [10003, 0]},
    ),
    "community_feature": Probe(community_feature, {"on": 0, "off": 11000}),
    "missing_group_code": Probe(missing_group_code, {"10010": 10010, "10015": 10015}),
    "tips": Probe(tips, {"stored": 2, "off": 1}),
    "silence_suppresses_tip": Probe(silence_suppresses_tip, {"yes": 1, "no": 2}),
    "remove_owner": Probe(remove_owner, {"10007": (10007, "ann"), "accept": (0, "")}),
    "previous_owner_role": Probe(previous_owner_role, {"Member": "Member", "Admin": "Admin"}),
    "new_owner_not_member": Probe(new_owner_not_member, {"10004": 10004, "10007": 10007}),
    "c2c_size_basis": Probe(
        c2c_size_basis,
        {
            "request": [93000, 93000, 93000, 93000],
            "msgbody": [0, 0, 93000, 93000],
            "elements": [0, 0, 0, 93000],
        },
    ),
    "duplicate_c2c_reply": Probe(duplicate_c2c_reply, {"ok": (0, 1), "90010": (90010, 1)}),
    "c2c_dedup_lifetime": Probe(c2c_dedup_lifetime, {"durable": 1, "five_minutes": 2}),
    "self_chat": Probe(self_chat, {"accept": 0, "90012": 90012}),
    "unimported_c2c_sender": Probe(
        unimported_c2c_sender, {"90048": 90048, "90008": 90008, "accept": 0}
    ),
    "c2c_out_of_order": Probe(c2c_out_of_order, {"accept": (0, 0), "90006": (90006, 0)}),
    "c2c_msg_key": Probe(c2c_msg_key, {"triple": True, "opaque": False}),
    "c2c_key_direction": Probe(c2c_key_direction, {"strict": 20022, "either": 0}),
    "modify_imported": Probe(modify_imported, {"accept": (0, 0, 0), "20026": (20026, 20026, 0)}),
    "recall_imported": Probe(recall_imported, {"accept": (0, 0), "missing": (10030, 20022)}),
    "modify_expired": Probe(modify_expired, {"20026": 20026, "ok_without_effect": 0}),
    "modify_missing": Probe(
        modify_missing, {"20026": 20026, "10004": 10004, "ok_without_effect": 0}
    ),
    "oversize_modify": Probe(oversize_modify, {"80002": 80002, "93000": 93000}),
    "modify_empty": Probe(modify_empty, {"90001": 90001, "ok": 0}),
    "group_custom_data_read_back": Probe(
        group_custom_data_read_back, {"absent": None, "present": "d"}
    ),
    "modify_touches": Probe(modify_touches, {"nothing": 2, "unread": 0}),
    "recalled_again": Probe(recalled_again, {"0": (0, 0), "10030": (0, 10030)}),
    "recall_expired": Probe(recall_expired, {"10031": 10031, "10030": 10030}),
    "recall_tip": Probe(recall_tip, {"10032": (10032, 1), "10030": (10030, 1), "0": (0, 1)}),
    "throttle_code": Probe(
        throttle_code,
        {code: [0, int(code)] for code in ("60007", "60011", "60018", "60019", "10006")},
    ),
    "rate_window": Probe(rate_window, {"sliding": [20, 0], "fixed": [20, 20], "bucket": [2, 2]}),
    "moderation": Probe(moderation, {"off": ([0, 0], 0, 0), "on": ([80001, 0], 80001, 80001)}),
    "invalid_unicode": Probe(
        invalid_unicode,
        {"reject": ([60003, 60003], []), "replace": ([0, 0], ["\ufffd!", "\ufffd!"])},
    ),
    "empty_text": Probe(empty_text, {"accept": (0, 0), "reject": (REFUSE, 90002)}),
    "empty_body": Probe(empty_body, {"accept": (0, 0), "reject": (REFUSE, 90002)}),
    "nul_text": Probe(
        nul_text, {"accept": (0, ["a\0b"]), "reject": (REFUSE, []), "truncate": (0, ["a"])}
    ),
    "unknown_app_code": Probe(unknown_app_code, {"70020": 70020, "60006": 60006}),
    "plan": Probe(
        plan,
        {
            "unlimited": (0, 0),
            "trial": (70398, REFUSE),
            "standard": (0, REFUSE),
            "pro": (0, REFUSE),
            "pro_plus": (0, 0),
            "enterprise": (0, 0),
        },
    ),
}
