"""For every switch of ZIM a probe: what a client sees, and what it sees in each position."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.sandbox.zim_client import DAY, LONG_AGO, Json, Zim, image

GONE = 8 * DAY
"""An age past the seven days of retention."""


@dataclass(frozen=True)
class Probe:
    """How to look at a switch, and what is seen by position."""

    look: Callable[[Zim], Any]
    sees: Mapping[str, Any]


def _crew(zim: Zim) -> None:
    zim.make_group("g", "bob", "cid")


def _ages(zim: Zim) -> list[int]:
    return [zim.now - row["MsgTime"] for row in zim.history()]


def _codes(zim: Zim, count: int, action: str, body: Json) -> list[int]:
    return [zim.code(action, body) for _ in range(count)]


def duplicate_import(zim: Zim) -> Any:
    _crew(zim)
    seqs = [zim.send(1000)["MsgSeq"] for _ in range(2)]
    ids = [zim.tell(1000)["MsgId"] for _ in range(2)]
    return seqs, len(set(ids))


def too_old_time(zim: Zim) -> Any:
    _crew(zim)
    code = zim.send(GONE)["Code"]
    return code, [zim.now - message["time"] for message in zim.zim.group_messages("g")]


def future_time(zim: Zim) -> Any:
    _crew(zim)
    return zim.send(-5000)["Code"], _ages(zim)


def msg_time(zim: Zim) -> Any:
    _crew(zim)
    zim.send(1000)
    return _ages(zim)


def out_of_order(zim: Zim) -> Any:
    _crew(zim)
    zim.send(1000)
    return zim.send(2000)["Code"], _ages(zim)


def tie_order(zim: Zim) -> Any:
    _crew(zim)
    for _ in range(3):
        zim.send(1000)
    return [row["MsgSeq"] for row in zim.history()]


def peer_ids(zim: Zim) -> Any:
    zim.tell(2000, "one")
    first, second = zim.tell(1000, "two"), zim.tell(1000, "two", ImportedUserId="bob")
    return first["MsgId"] == second["MsgId"], first["MsgSeq"], second["MsgSeq"]


def import_unread(zim: Zim) -> Any:
    _crew(zim)
    zim.send(1000)
    zim.tell(1000, ImportedUserId="bob")
    return zim.zim.unread("cid", group_id="g"), zim.zim.unread("bob", peer="ann")


def sender_membership(zim: Zim) -> Any:
    zim.make_group("g")
    return zim.send(1000)["Code"]


def prejoin_history(zim: Zim) -> Any:
    zim.make_group("g")
    zim.send(3000)
    zim.invite({"UserId": "bob", "EnterGroupTime": zim.now - LONG_AGO}, "cid")
    zim.send(1000)
    body = {"FromUserId": "ann", "GroupId": "g"}
    number = zim.post("QueryGroupInfo", body)["LimitInfo"]["NumberMessage"]
    return zim.members()["bob"]["visible"], zim.members()["cid"]["visible"], number


def kilobyte(zim: Zim) -> Any:
    _crew(zim)
    return [
        zim.send(1000, "x" * size, MessageBody={"Message": "x" * size})["Code"]
        for size in (2000, 2048)
    ]


def length_unit(zim: Zim) -> Any:
    _crew(zim)
    texts = ("ü" * 2000, "\n" * 1999 + "x", "x" * 2048)
    return [zim.send(1000, MessageBody={"Message": text})["Code"] for text in texts]


def raised_caps(zim: Zim) -> Any:
    _crew(zim)
    body = {"Message": "x" * 32_768, "ExtendedData": "x" * 32_768}
    return zim.send(1000, MessageBody=body)["Code"]


def _send_image(zim: Zim, **fields: Any) -> int:
    _crew(zim)
    body = {"Message": image(**fields)}
    return int(zim.send(1000, MessageType=11, MessageBody=body)["Code"])


def odd_numbers(zim: Zim) -> Any:
    return _send_image(zim, Size=0, Origin={"Url": "https://x", "Width": 0.5, "Height": 0})


def media_redirect(zim: Zim) -> Any:
    url = "https://sandbox-unreachable.example/a"
    return _send_image(zim, Origin={"Url": url, "Width": 1, "Height": 1})


def custom_fields_elsewhere(zim: Zim) -> Any:
    _crew(zim)
    return zim.send(1000, SubMsgType=3)["Code"], zim.send(1000, SearchedContent="x")["Code"]


def unknown_fields(zim: Zim) -> Any:
    _crew(zim)
    body = {"Message": "hi", "Colour": "red"}
    return zim.send(1000, Colour="red")["Code"], zim.send(1000, MessageBody=body)["Code"]


def blank_message(zim: Zim) -> Any:
    _crew(zim)
    code = zim.send(1000, " \n")["Code"]
    zim.send(500, " hi ")
    return code, [row["MsgBody"] for row in zim.history()]


def payload_read_back(zim: Zim) -> Any:
    _crew(zim)
    zim.send(1000, MessageBody={"Message": "m", "ExtendedData": '{"id":1}' + "x" * 60})
    payload = zim.history()[0].get("Payload")
    return payload if payload is None else (payload[:5], len(payload))


def unregistered_peer(zim: Zim) -> Any:
    return zim.tell(1000, ToUserId="nobody")["Code"]


def self_chat(zim: Zim) -> Any:
    return zim.tell(1000, ToUserId="ann")["Code"]


def moderation(zim: Zim) -> Any:
    _crew(zim)
    return zim.send(1000, "a sandbox-blocked-word here")["Code"]


def read_delay(zim: Zim) -> Any:
    _crew(zim)
    zim.send(1000)
    seen = [len(zim.history())]
    zim.sandbox.advance_clock(2)
    return [*seen, len(zim.history())]


def cursor(zim: Zim) -> Any:
    _crew(zim)
    for age in (3000, 2000, 1000):
        zim.send(age, str(age))
    first = zim.post("QueryGroupMsg", {"GroupId": "g", "Limit": 2})
    zim.send(500, "500")
    rows = first["List"] + zim.history(Limit=2, Next=first["Next"])
    return [row["MsgBody"] for row in rows]


def delete_conv(zim: Zim) -> Any:
    zim.tell(1000)
    zim.post("DeleteConv", {"FromUserId": "ann", "ConvId": "bob", "ConvType": 0})
    return len(zim.roam())


def dismissed_group(zim: Zim) -> Any:
    zim.make_group("g")
    zim.get("DismissGroup", FromUserId="ann", GroupId="g")
    return zim.make_group("g")["Code"]


def reinvite(zim: Zim) -> Any:
    _crew(zim)
    reply = zim.invite("bob")
    moved = zim.members()["bob"]["join_time"] == zim.now
    return reply["Code"], [row["SubCode"] for row in reply["ErrorUsers"]], moved


def unregistered_member(zim: Zim) -> Any:
    made = zim.make_group("g", "bob", "nobody")["ErrorUsers"][0]["SubCode"]
    return made, zim.invite("cid", "nobody")["ErrorUsers"][0]["SubCode"]


def all_members_fail(zim: Zim) -> Any:
    reply = zim.make_group("g", "nobody")
    return reply["Code"] != 0, "g" in zim.zim.dump()["groups"]


def group_name_unit(zim: Zim) -> Any:
    return zim.make_group("g", GroupName="ü" * 50)["Code"]


def group_id_charset(zim: Zim) -> Any:
    return zim.make_group("a-b")["Code"], zim.make_group("a'b")["Code"]


def group_list_delay(zim: Zim) -> Any:
    _crew(zim)
    return zim.get("QueryAppGroupList", Limit=1)["TotalCount"]


def tips(zim: Zim) -> Any:
    zim.make_group("g", "bob")
    zim.invite("cid")
    spot = {"FromUserId": "ann", "ConvId": "g", "ConvType": 2, "MsgSeqList": [1, 2]}
    types = [row["MsgType"] for row in zim.post("QueryMessagesByMsgSeq", spot)["MessageList"]]
    return types, zim.history(), zim.send(1000)["MsgSeq"], zim.zim.unread("cid", group_id="g")


def throttle_code(zim: Zim) -> Any:
    zim.zim.set_rates(enabled=True)
    return _codes(zim, 21, "QueryGroupMsg", {})[-1]


def throttle_status(zim: Zim) -> Any:
    zim.zim.set_rates(enabled=True)
    return [zim.raw("QueryGroupMsg").status_code for _ in range(21)][-1]


def rate_scope(zim: Zim) -> Any:
    zim.sandbox.advance_clock(5)
    zim.zim.set_rates(enabled=True)
    _codes(zim, 20, "ImportGroupMsg", {})
    return zim.code("ImportPeerMsg", {}), zim.code("QueryGroupMsg", {})


def rate_window(zim: Zim) -> Any:
    zim.sandbox.advance_clock(1 - zim.now % 1000 / 1000 + 5.9)
    zim.zim.set_rates(enabled=True)
    burst = _codes(zim, 20, "QueryPeerMsg", {}).count(7)
    zim.sandbox.advance_clock(0.2)
    return burst, _codes(zim, 20, "QueryPeerMsg", {}).count(7)


def priority_throttling(zim: Zim) -> Any:
    zim.zim.set_rates(enabled=True)
    low = _codes(zim, 11, "ImportGroupMsg", {"Priority": 1})[-1]
    return low, zim.code("ImportGroupMsg", {"Priority": 2})


def id_case(zim: Zim) -> Any:
    return zim.register("Ann")["Code"], zim.make_group("g", "BOB")["Code"]


def edge_spaces(zim: Zim) -> Any:
    codes = [row["SubCode"] for row in zim.register(" ann", "dan")["ErrorList"]]
    return codes, " ann" in zim.zim.dump()["users"]


def free_plan_refuses(zim: Zim) -> Any:
    return zim.make_group("g")["Code"], zim.tell(1000)["Code"], zim.code("QueryPeerMsg", {})


def nonce_replay(zim: Zim) -> Any:
    query = zim.signed()
    body = json.dumps({"UserIds": ["ann"]}).encode()
    return [zim.raw("QueryUserInfos", body, **query).json()["Code"] for _ in range(2)]


def plan(zim: Zim) -> Any:
    strangers = [f"u{number}" for number in range(98)]
    refused = len(zim.register(*strangers)["ErrorList"])
    reply = zim.make_group("g", Attributes=[{"Key": "k", "Value": "v"}])["Code"]
    zim.make_group("h")
    info = zim.post("QueryGroupInfo", {"FromUserId": "ann", "GroupId": "h"})
    return refused, reply, info.get("LimitInfo", {}).get("MemberCountLimit")


FREE, TOO_LARGE, BAD = 660000028, 660400001, 660000002

PROBES: Mapping[str, Probe] = {
    "zim_duplicate_import": Probe(
        duplicate_import, {"stored": ([1, 2], 2), "suppressed": ([1, 1], 1)}
    ),
    "zim_too_old_time": Probe(
        too_old_time,
        {
            "660000002": (660000002, []),
            "2": (2, []),
            "clamp": (0, [7 * DAY]),
            "now": (0, [0]),
            "accept": (0, [GONE]),
        },
    ),
    "zim_future_time": Probe(
        future_time, {"660800046": (660800046, []), "660000002": (BAD, []), "now": (0, [0])}
    ),
    "zim_msg_time": Probe(msg_time, {"sent": [1000], "received": [0]}),
    "zim_out_of_order": Probe(
        out_of_order,
        {"accept": (0, [1000, 2000]), "lift": (0, [1000, 1000]), "660000002": (BAD, [1000])},
    ),
    "zim_tie_order": Probe(tie_order, {"late_first": [3, 2, 1], "early_first": [1, 2, 3]}),
    "zim_peer_ids": Probe(
        peer_ids, {"own": (False, 2, 1), "one_counter": (False, 2, 3), "shared": (True, 2, 2)}
    ),
    "zim_import_unread": Probe(import_unread, {"raise": (1, 1), "none": (0, 0)}),
    "zim_sender_membership": Probe(sender_membership, {"accept": 0, "660600024": 660600024}),
    "zim_prejoin_history": Probe(
        prejoin_history, {"time": (2, 0, 0), "seq": (1, 1, 0), "visible": (2, 2, 2)}
    ),
    "zim_kilobyte": Probe(kilobyte, {"1024": [0, 0], "1000": [0, TOO_LARGE]}),
    "zim_length_unit": Probe(
        length_unit,
        {"utf8": [TOO_LARGE, 0, 0], "utf16": [0, 0, 0], "escaped": [TOO_LARGE, TOO_LARGE, 0]},
    ),
    "zim_raised_caps": Probe(raised_caps, {"off": TOO_LARGE, "on": 0}),
    "zim_odd_numbers": Probe(odd_numbers, {"reject": BAD, "accept": 0}),
    "zim_media_redirect": Probe(media_redirect, {"off": 0, "resolve": 660600022}),
    "zim_custom_fields_elsewhere": Probe(
        custom_fields_elsewhere, {"ignore": (0, 0), "reject": (BAD, BAD)}
    ),
    "zim_unknown_fields": Probe(unknown_fields, {"ignore": (0, 0), "reject": (BAD, BAD)}),
    "zim_blank_message": Probe(
        blank_message,
        {"reject": (BAD, [" hi "]), "accept": (0, [" hi ", " \n"]), "trim": (BAD, ["hi"])},
    ),
    "zim_payload_read_back": Probe(
        payload_read_back,
        {
            "verbatim": ('{"id"', 68),
            "url_encoded": ("%7B%2", 78),
            "truncated": ('{"id"', 64),
            "empty": ("", 0),
            "absent": None,
        },
    ),
    "zim_unregistered_peer": Probe(
        unregistered_peer, {"660500002": 660500002, "660700012": 660700012, "accept": 0}
    ),
    "zim_self_chat": Probe(self_chat, {"660000002": BAD, "accept": 0}),
    "zim_moderation": Probe(moderation, {"off": 0, "on": 660500005}),
    "zim_read_delay": Probe(read_delay, {"0": [1, 1], "2": [0, 1]}),
    "zim_cursor": Probe(
        cursor, {"offset": ["1000", "2000", "2000", "3000"], "anchored": ["1000", "2000", "3000"]}
    ),
    "zim_delete_conv": Probe(delete_conv, {"keep": 1, "clear": 0}),
    "zim_dismissed_group": Probe(
        dismissed_group, {"660600011": 660600011, "660600009": 660600009, "reusable": 0}
    ),
    "zim_reinvite": Probe(
        reinvite,
        {
            "660000015": (660000015, [660000015], False),
            "660600017": (660600017, [660600017], False),
            "nothing": (0, [], False),
            "update": (0, [], True),
        },
    ),
    "zim_unregistered_member": Probe(
        unregistered_member,
        {
            "660000015": (660000015, 660000015),
            "660700012": (660700012, 660700012),
            "660600017": (660600017, 660600017),
        },
    ),
    "zim_all_members_fail": Probe(
        all_members_fail, {"made": (True, True), "not_made": (True, False)}
    ),
    "zim_group_name_unit": Probe(group_name_unit, {"characters": 0, "bytes": BAD}),
    "zim_group_id_charset": Probe(group_id_charset, {"dash": (0, BAD), "quote": (BAD, 0)}),
    "zim_group_list_delay": Probe(group_list_delay, {"60": 0, "0": 1}),
    "zim_tips": Probe(tips, {"off": ([], [], 1, 1), "on": ([32, 32], [], 3, 1)}),
    "zim_throttle_code": Probe(
        throttle_code, {"7": 7, "660300005": 660300005, "660300006": 660300006}
    ),
    "zim_throttle_status": Probe(throttle_status, {"200": 200, "429": 429}),
    "zim_rate_scope": Probe(
        rate_scope,
        {"action": (BAD, BAD), "imports": (7, BAD), "app": (7, 7)},
    ),
    "zim_rate_window": Probe(
        rate_window, {"sliding": (0, 20), "fixed": (0, 0), "bucket": (18, 18)}
    ),
    "zim_priority_throttling": Probe(
        priority_throttling, {"none": (BAD, BAD), "low_first": (7, BAD)}
    ),
    "zim_id_case": Probe(id_case, {"sensitive": (0, 660000015), "insensitive": (660700002, 0)}),
    "zim_edge_spaces": Probe(
        edge_spaces,
        {"keep": ([], True), "trim": ([660700002], False), "reject": ([BAD], False)},
    ),
    "zim_free_plan_refuses": Probe(
        free_plan_refuses,
        {"nothing": (0, 0, BAD), "imports": (0, FREE, BAD), "groups": (FREE, 0, BAD)},
    ),
    "zim_nonce_replay": Probe(nonce_replay, {"reject": [0, 100000009], "accept": [0, 0]}),
    "zim_plan": Probe(
        plan,
        {
            "unlimited": (0, 0, 6000),
            "free": (1, 660600019, 20),
            "signaling": (0, 100000017, None),
            "pro": (0, 0, 200),
            "enterprise": (0, 0, 2000),
        },
    ),
}
