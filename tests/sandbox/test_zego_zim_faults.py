"""Scripted faults on ZIM's Actions, over real sockets."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import requests
from tests.sandbox.zim_client import Zim

from chat_sandbox import Effect

ACTION = "ImportGroupMsg"


def _stored(zim: Zim) -> int:
    return len(zim.zim.group_messages("g"))


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize("action", ["drop", "close"])
def test_a_connection_can_end_before_or_after_the_effect(
    zim_crew: Zim, action: str, effect: Effect
) -> None:
    zim_crew.sandbox.add_fault(action, api=ACTION, effect=effect, last_call=1)
    with pytest.raises(requests.ConnectionError):
        zim_crew.send(1000)
    assert _stored(zim_crew) == (effect is Effect.APPLIED)
    assert zim_crew.send(1000)["Code"] == 0
    assert _stored(zim_crew) == (2 if effect is Effect.APPLIED else 1)


def test_an_import_can_arrive_after_its_client_gave_up(zim_crew: Zim) -> None:
    zim_crew.sandbox.add_fault("apply_late", api=ACTION, seconds=5, last_call=1)
    with pytest.raises(requests.ConnectionError):
        zim_crew.send(1000)
    assert _stored(zim_crew) == 0
    zim_crew.sandbox.advance_clock(5)
    _until(lambda: _stored(zim_crew) == 1)


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize(
    ("action", "status", "body"),
    [
        ("http_error", 502, "<html>"),
        ("empty_body", 200, ""),
        ("html_body", 200, "<html>"),
        ("list_body", 200, "[]"),
        ("bare_body", 200, "{}"),
    ],
)
def test_an_answer_can_say_nothing(
    zim_crew: Zim, action: str, status: int, body: str, effect: Effect
) -> None:
    zim_crew.sandbox.add_fault(action, api=ACTION, effect=effect)
    sent = requests.models.complexjson.dumps(zim_crew.message(1000)).encode()
    response = zim_crew.raw(ACTION, sent)
    assert response.status_code == status
    assert response.text.startswith(body)
    assert _stored(zim_crew) == (effect is Effect.APPLIED)


def test_an_answer_can_break_off(zim_crew: Zim) -> None:
    zim_crew.sandbox.add_fault("truncated_body", api=ACTION, effect="applied")
    with pytest.raises(requests.RequestException):
        zim_crew.send(1000)
    assert _stored(zim_crew) == 1


def test_an_answer_can_be_slow(zim_crew: Zim) -> None:
    zim_crew.sandbox.thaw_clock()
    zim_crew.sandbox.add_fault("slow", api=ACTION, seconds=0.2, effect="applied")
    begun = time.monotonic()
    assert zim_crew.send(1000)["Code"] == 0
    assert time.monotonic() - begun >= 0.2


def test_throttling_comes_in_bursts_with_the_code_of_the_action(zim_crew: Zim) -> None:
    zim_crew.sandbox.add_fault("throttle", api=ACTION, first_call=2, last_call=3)
    assert [zim_crew.send(1000)["Code"] for _ in range(4)] == [0, 7, 7, 0]
    assert _stored(zim_crew) == 2
    zim_crew.sandbox.add_fault("throttle", api="InviteUsersIntoGroup")
    assert zim_crew.invite("bob")["Code"] == 660300006
    assert zim_crew.sandbox.stats()["apis"][ACTION]["throttled"] == 2


def test_a_throttled_call_can_have_an_http_status(zim_crew: Zim) -> None:
    zim_crew.sandbox.set_switch("zim_throttle_status", "429")
    zim_crew.sandbox.add_fault("throttle", api=ACTION)
    response = zim_crew.raw(ACTION)
    assert (response.status_code, response.json()["Code"]) == (429, 7)


@pytest.mark.parametrize("effect", list(Effect))
def test_any_code_can_be_answered(zim_crew: Zim, effect: Effect) -> None:
    zim_crew.sandbox.add_fault("error", api=ACTION, code=660000003, effect=effect)
    assert zim_crew.send(1000)["Code"] == 660000003
    assert _stored(zim_crew) == (effect is Effect.APPLIED)


@pytest.mark.parametrize("effect", list(Effect))
def test_some_items_of_a_list_can_fail(zim: Zim, effect: Effect) -> None:
    zim.sandbox.add_fault("item_error", api="UserRegister", code=660000001, effect=effect)
    reply = zim.register("dan", "eve")
    assert reply["Code"] == 0
    assert [(row["UserId"], row["SubCode"]) for row in reply["ErrorList"]] == [("eve", 660000001)]
    assert ("eve" in zim.zim.dump()["users"]) == (effect is Effect.APPLIED)


def test_all_items_of_a_list_can_fail(zim: Zim) -> None:
    zim.make_group("g")
    zim.sandbox.add_fault("item_error", api="InviteUsersIntoGroup", code=660000003, count=5)
    reply = zim.invite("bob", "cid")
    assert reply["Code"] == 660000003
    assert [row["UserId"] for row in reply["ErrorUsers"]] == ["bob", "cid"]
    assert set(zim.members()) == {"ann"}


def test_an_action_without_items_fails_as_a_whole(zim_crew: Zim) -> None:
    zim_crew.sandbox.add_fault("item_error", api=ACTION, code=1)
    assert zim_crew.send(1000)["Code"] == 1
    assert _stored(zim_crew) == 0


def test_lists_can_lack_rows_or_have_too_many(zim_crew: Zim) -> None:
    for _ in range(3):
        zim_crew.send(1000)
    zim_crew.sandbox.add_fault("fewer_rows", api="QueryGroupMsg", last_call=1)
    zim_crew.sandbox.add_fault("more_rows", api="QueryGroupMsg", last_call=1)
    assert [len(zim_crew.history()) for _ in range(3)] == [2, 4, 3]


def test_the_seq_of_an_import_can_stand_still(zim_crew: Zim) -> None:
    zim_crew.sandbox.add_fault("flat_seq", api=ACTION)
    assert [zim_crew.send(1000)["MsgSeq"] for _ in range(2)] == [1, 1]
    assert _stored(zim_crew) == 2


def test_a_success_can_be_contradicted_by_its_words(zim_crew: Zim) -> None:
    zim_crew.sandbox.add_fault("contradiction", api=ACTION)
    reply = zim_crew.send(1000)
    assert (reply["Code"], reply["Message"] == "success", "MsgSeq" in reply) == (0, False, False)


def test_faults_can_aim_at_one_group_or_one_copy(zim_crew: Zim) -> None:
    zim_crew.make_group("h")
    zim_crew.sandbox.add_fault("error", api=ACTION, group_id="g", code=1)
    zim_crew.sandbox.add_fault("error", where={"ImportedUserId": "bob"}, code=1)
    assert [zim_crew.send(1000, GroupId=group)["Code"] for group in ("g", "h")] == [1, 0]
    copies = ("ann", "bob")
    assert [zim_crew.tell(1000, ImportedUserId=copy)["Code"] for copy in copies] == [0, 1]


def test_get_actions_go_wrong_too(zim_crew: Zim) -> None:
    zim_crew.send(1000)
    fault = {"api": "ClearConversationUnread", "where": {"ConvType": 2}, "effect": "applied"}
    zim_crew.sandbox.add_fault("drop", **fault)
    with pytest.raises(requests.ConnectionError):
        zim_crew.get("ClearConversationUnread", FromUserId="cid", ConvId="g", ConvType=2)
    assert zim_crew.zim.unread("cid", group_id="g") == 0
