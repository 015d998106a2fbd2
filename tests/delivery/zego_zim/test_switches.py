"""Whichever way the open questions of the vendor's pages are answered, the same history arrives, once."""

from __future__ import annotations

import pytest
from tests.delivery.zego_zim.sending import QUAY, SAID, Scene

from chat_migration.model import Text
from chat_migration.targets.base import Done, Failure, Mark
from chat_sandbox.zego_zim.switches import SWITCHES

POSITIONS = {switch.name: list(switch.values) for switch in SWITCHES}
REFUSES = {
    ("zim_free_plan_refuses", "imports"): 660000028,
    ("zim_free_plan_refuses", "groups"): 660000028,
    ("zim_plan", "signaling"): 100000017,
}
"""Positions in which nothing of a history can be moved: the run stops with this code."""


def lose_every_third(scene: Scene) -> None:
    """Let every third import be stored and not answered."""
    for api in ("ImportGroupMsg", "ImportPeerMsg"):
        for call in range(2, 40, 3):
            scene.sandbox.add_fault(
                "drop", api=api, first_call=call, last_call=call, effect="applied"
            )


CASES = [(name, position) for name in POSITIONS for position in POSITIONS[name]]


@pytest.mark.parametrize(
    ("name", "position"),
    [
        case
        for case in CASES
        if case not in REFUSES
        and case not in (("zim_payload_read_back", "absent"), ("zim_payload_read_back", "empty"))
    ],
)
def test_everything_arrives_once_although_answers_are_lost(
    scene: Scene, name: str, position: str
) -> None:
    scene.sandbox.zim.set_switch(name, position)
    lose_every_third(scene)
    told = scene.deliver()
    assert [each for each in told if isinstance(each, Failure)] == []
    scene.assert_delivered_once()


HARDEST = {
    "zim_msg_time": "received", "zim_tie_order": "early_first", "zim_peer_ids": "shared",
    "zim_prejoin_history": "seq", "zim_kilobyte": "1000", "zim_length_unit": "escaped",
    "zim_custom_fields_elsewhere": "reject", "zim_unknown_fields": "reject", "zim_payload_read_back": "truncated",
    "zim_read_delay": "2", "zim_cursor": "anchored", "zim_reinvite": "660600017", "zim_group_id_charset": "quote",
    "zim_group_name_unit": "bytes", "zim_tips": "on", "zim_throttle_code": "660300006",
    "zim_throttle_status": "429", "zim_rate_scope": "app", "zim_rate_window": "bucket",
    "zim_priority_throttling": "low_first", "zim_id_case": "insensitive", "zim_edge_spaces": "reject",
}  # fmt: skip
"""What asks most of a client, all at once."""


def test_everything_arrives_once_at_the_hardest_of_all_services_within_its_rates(
    scene: Scene,
) -> None:
    scene.sandbox.set_switches(HARDEST)
    scene.sandbox.zim.set_rates(enabled=True, per_second={"ImportGroupMsg": 4})
    lose_every_third(scene)
    assert [each for each in scene.deliver() if isinstance(each, Failure)] == []
    scene.assert_delivered_once()
    assert scene.sandbox.stats()["apis"]["ImportGroupMsg"]["throttled"] > 0


@pytest.mark.parametrize(("name", "position"), REFUSES)
def test_a_plan_without_history_stops_the_run(scene: Scene, name: str, position: str) -> None:
    scene.people("ada", "bob")
    group = (name, position) == ("zim_free_plan_refuses", "imports")
    if group:
        scene.group("bob")
    scene.sandbox.zim.set_switch(name, position)
    told = (
        scene.target.send_group_messages(QUAY, scene.outgoing()[:1]) if group else scene.join("bob")
    )
    assert isinstance(told, Failure)
    assert (told.code, told.advice.value) == (REFUSES[name, position], "stop_run")


def test_a_service_that_keeps_our_mark_to_itself_is_not_read_at_all(ready: Scene) -> None:
    """Unknown 18: without it, what is in doubt could only be sent twice or lost."""
    ready.sandbox.zim.set_switch("zim_payload_read_back", "absent")
    assert isinstance(ready.say(ready.outgoing()[0]), Done)
    told = ready.target.read_group(QUAY, since=Mark())
    assert isinstance(told, Failure)
    assert "Payload" in told.text


@pytest.mark.parametrize("position", POSITIONS["zim_too_old_time"])
def test_a_time_past_the_retention_is_never_left_to_the_service(
    ready: Scene, position: str
) -> None:
    ready.sandbox.zim.set_switch("zim_too_old_time", position)
    message = ready.outgoing()[0]
    old = type(message)(
        sender="ada", slot=ready.target.oldest_slot() - 1, random=3, body=message.body
    )
    assert isinstance(ready.say(old), Failure)
    assert ready.sandbox.zim.group_messages("quay") == []


@pytest.mark.parametrize("position", POSITIONS["zim_sender_membership"])
def test_a_sender_who_is_no_member_is_told_as_such_if_the_service_minds(
    scene: Scene, position: str
) -> None:
    """Unknown 11."""
    scene.people("ada", "bob")
    scene.group()
    scene.sandbox.zim.set_switch("zim_sender_membership", position)
    told = scene.say(scene.outgoing()[1])
    if position == "accept":
        assert isinstance(told, Done)
    else:
        assert told.advice.value == "missing_account"  # type: ignore[union-attr]


@pytest.mark.parametrize("position", POSITIONS["zim_unregistered_peer"])
def test_a_recipient_who_was_never_registered_is_told_as_such(scene: Scene, position: str) -> None:
    scene.people("ada")
    scene.sandbox.zim.set_switch("zim_unregistered_peer", position)
    told = scene.target.send_direct_message(scene.copies()[0])
    if position == "accept":
        assert isinstance(told, Done)
    else:
        assert told.advice.value == "missing_account"  # type: ignore[union-attr]


@pytest.mark.parametrize("position", POSITIONS["zim_reinvite"])
def test_who_is_a_member_already_is_found_to_be_one(ready: Scene, position: str) -> None:
    ready.sandbox.zim.set_switch("zim_reinvite", position)
    assert isinstance(ready.join("bob"), Done)


@pytest.mark.parametrize("position", POSITIONS["zim_unregistered_member"])
def test_who_cannot_be_a_member_is_not_taken_for_one(ready: Scene, position: str) -> None:
    ready.sandbox.zim.set_switch("zim_unregistered_member", position)
    told = ready.join("nobody")
    assert isinstance(told, Failure)
    assert told.code == int(position)


@pytest.mark.parametrize("position", POSITIONS["zim_moderation"])
def test_a_message_that_moderation_blocks_is_refused_alone(ready: Scene, position: str) -> None:
    ready.sandbox.zim.set_switch("zim_moderation", position)
    (body,) = ready.rules.group_bodies(
        [Text(text="sandbox-blocked-word")], reply_to="", extra="", split=True
    )
    messages = ready.outgoing()
    blocked = type(messages[0])(
        sender="ada", slot=messages[0].slot, random=messages[0].random, body=body
    )
    told = ready.say(blocked)
    if position == "off":
        assert isinstance(told, Done)
    else:
        assert (told.code, told.advice.value) == (660500005, "reject_item")  # type: ignore[union-attr]
    assert isinstance(ready.say(messages[1]), Done)


def test_an_app_with_raised_caps_takes_longer_messages(scene: Scene) -> None:
    scene.sandbox.zim.set_switch("zim_raised_caps", "on")
    raised = Scene(scene.sandbox, connection={"max_message_bytes": 32768})
    assert len(raised.outgoing()) == len(SAID) < len(scene.outgoing())
    assert not [each for each in raised.deliver() if isinstance(each, Failure)]
    raised.assert_delivered_once()
    raised.target.close()
