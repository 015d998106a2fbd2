"""Messages that are there are changed and withdrawn, each copy by itself, for as long as the service permits."""

from __future__ import annotations

import msgspec
import pytest
from tests.delivery.zego_zim.sending import QUAY, Scene

from chat_migration.model import Custom, Element, Text
from chat_migration.targets.base import (
    Advice,
    DirectKey,
    DirectMessageOut,
    Done,
    Failure,
    GroupKey,
    GroupMessageOut,
)
from chat_migration.targets.zego_zim.limits import DAY_MS


def body(scene: Scene, *elements: Element, reply_to: str = "") -> str:
    (made,) = scene.rules.group_bodies(elements, reply_to=reply_to, extra="", split=True)
    return made


def said(scene: Scene, *elements: Element, age_ms: int = 1000) -> GroupKey:
    """Say something in the group and return its key."""
    slot = scene.sandbox.now_ms() - age_ms
    message = GroupMessageOut(sender="bob", slot=slot, random=77, body=body(scene, *elements))
    told = scene.say(message)
    assert isinstance(told, Done)
    return GroupKey(sender="bob", slot=slot, random=77, sequence=told.sequence or 0)


@pytest.mark.parametrize("operator", ["bob", "ada"])
def test_an_edit_replaces_text_and_reference_and_keeps_the_mark(
    ready: Scene, operator: str
) -> None:
    key = said(ready, Text(text="old"))
    new = body(ready, Text(text="new"), reply_to="m-1")
    for _ in range(2):
        told = ready.target.change_group_message(QUAY, key, new, operator=operator)
        assert told == Done()
    (held,) = ready.sandbox.zim.group_messages("quay")
    assert (held["body"], "m-1" in held["payload"]) == ("new", True)
    (stored,) = ready.history()
    assert (stored.random, stored.slot, stored.sequence) == (key.random, key.slot, key.sequence)


def test_an_edit_of_a_custom_message_is_one(ready: Scene) -> None:
    key = said(ready, Custom(data="{}"))
    new = body(ready, Custom(data='{"k":2}'))
    assert ready.target.change_group_message(QUAY, key, new, operator="bob") == Done()
    (held,) = ready.sandbox.zim.group_messages("quay")
    assert (held["type"], held["sub_type"], held["body"]) == (200, 0, '{"k":2}')


def test_a_message_does_not_change_its_type(ready: Scene) -> None:
    key = said(ready, Text(text="old"))
    told = ready.target.change_group_message(
        QUAY, key, body(ready, Custom(data="{}")), operator="bob"
    )
    assert isinstance(told, Failure)
    assert told.advice is Advice.REJECT_ITEM


@pytest.mark.parametrize(("age_ms", "is_late"), [(DAY_MS - 60_000, False), (DAY_MS + 1, True)])
def test_an_edit_past_its_time_is_refused(ready: Scene, age_ms: int, *, is_late: bool) -> None:
    key = said(ready, Text(text="old"), age_ms=age_ms)
    told = ready.target.change_group_message(
        QUAY, key, body(ready, Text(text="new")), operator="bob"
    )
    if is_late:
        assert isinstance(told, Failure)
        assert (told.advice, told.code) == (Advice.MISSING_MESSAGE, 661000001)
    else:
        assert told == Done()


def test_a_message_that_is_not_there_cannot_be_changed(ready: Scene) -> None:
    key = GroupKey(sender="bob", slot=1, random=1, sequence=9)
    told = ready.target.change_group_message(
        QUAY, key, body(ready, Text(text="new")), operator="bob"
    )
    assert isinstance(told, Failure)
    assert told.advice is Advice.MISSING_MESSAGE


@pytest.mark.parametrize("viewer", ["ada", "bob"])
def test_each_copy_of_a_one_to_one_message_is_changed_by_itself(ready: Scene, viewer: str) -> None:
    slot = ready.sandbox.now_ms() - 1000
    for owner in ("ada", "bob"):
        message = DirectMessageOut(
            sender="ada", recipient="bob", viewer=owner, slot=slot, sequence=0, random=5,
            body=body(ready, Text(text="old")),
        )  # fmt: skip
        assert ready.tell(message) == Done(sequence=1)
    key = DirectKey(sender="ada", recipient="bob", viewer=viewer, slot=slot, sequence=1, random=5)
    assert ready.target.change_direct_message(key, body(ready, Text(text="new")), "") == Done()
    found = {
        owner: ready.sandbox.zim.peer_messages(owner, peer)[0]["body"]
        for owner, peer in (("ada", "bob"), ("bob", "ada"))
    }
    assert found == {"ada": "old", "bob": "old", viewer: "new"}
    shown = msgspec.structs.replace(message, viewer=viewer)
    assert [each.random for each in ready.copy_at(shown)] == [5], "its mark stays"
