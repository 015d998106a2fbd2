"""Without a key that the service knows, every message arrives once: whatever happens to the calls."""

from __future__ import annotations

import random
import time

import pytest
from tests.delivery.zego_zim.faults import LATE, PASSING, SAYS_NOTHING, SPOILED, UNLISTED, twice
from tests.delivery.zego_zim.sending import QUAY, Scene

from chat_migration.targets.base import Advice, Done, Effect, Failure
from chat_migration.targets.zego_zim.limits import BACKEND_TIMEOUT_SECONDS, DAY_MS
from chat_migration.targets.zego_zim.outcomes import is_repeatable

IMPORTS = ["ImportGroupMsg", "ImportPeerMsg"]
WRITES = ["UserRegister", "CreateGroup", "InviteUsersIntoGroup", *IMPORTS]
READS = ["QueryGroupMsg", "QueryPeerMsg"]


def is_over(scene: Scene) -> bool:
    return all(call["result"] != "" for call in scene.sandbox.stats()["recent_calls"])


def let_everything_end(scene: Scene) -> None:
    scene.sandbox.advance_clock(20)
    deadline = time.monotonic() + 20
    while not is_over(scene):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_clean_run_delivers_everything_once(scene: Scene) -> None:
    assert all(isinstance(each, Done) for each in scene.deliver())
    scene.assert_delivered_once()
    apis = scene.sandbox.stats()["apis"]
    assert (apis["ImportGroupMsg"]["count"], apis["ImportPeerMsg"]["count"]) == (10, 3)


CASES = [
    (api, name) for api in WRITES for name in {**PASSING, **SPOILED.get(api, {})}
]  # fmt: skip


@pytest.mark.parametrize(("api", "name"), CASES)
def test_a_fault_of_a_write_costs_no_message_and_doubles_none(
    scene: Scene, api: str, name: str
) -> None:
    _, fault = {**PASSING, **SPOILED.get(api, {})}[name]
    scene.sandbox.add_fault(api=api, first_call=2 if api in IMPORTS else 1, last_call=2, **fault)
    assert all(isinstance(each, Done) for each in scene.deliver())
    let_everything_end(scene)
    scene.assert_delivered_once()
    assert set(scene.world()["groups"]["quay"]["members"]) == {"ada", "bob", "cid"}


@pytest.mark.parametrize("name", [*SAYS_NOTHING, *SPOILED["QueryGroupMsg"]])
@pytest.mark.parametrize(("api", "read"), [*zip(IMPORTS, READS, strict=True)])
def test_a_fault_of_the_read_back_is_not_taken_for_its_answer(
    scene: Scene, api: str, read: str, name: str
) -> None:
    _, fault = {**SAYS_NOTHING, **SPOILED[read]}[name]
    scene.sandbox.add_fault("drop", api=api, first_call=2, last_call=2, effect="applied")
    scene.sandbox.add_fault(api=read, last_call=2, **fault)
    assert all(isinstance(each, Done) for each in scene.deliver())
    scene.assert_delivered_once()


@pytest.mark.parametrize("api", IMPORTS)
@pytest.mark.parametrize("name", twice(UNLISTED))
def test_a_code_that_no_page_lists_is_looked_into_and_never_repeated(
    scene: Scene, api: str, name: str
) -> None:
    _, fault = twice(UNLISTED)[name]
    scene.sandbox.add_fault(api=api, first_call=2, last_call=2, **fault)
    told = scene.deliver()
    failed = [each for each in told if isinstance(each, Failure)]
    if "after_effect" in name:
        assert failed == []
        scene.assert_delivered_once()
    else:
        assert [each.advice.value for each in failed] == ["reject_item"]


@pytest.mark.parametrize("api", IMPORTS)
def test_a_message_that_arrives_late_but_within_the_wait_is_not_sent_again(
    scene: Scene, api: str
) -> None:
    _, fault = LATE["applied_late"]
    assert fault["seconds"] < BACKEND_TIMEOUT_SECONDS
    scene.sandbox.add_fault(api=api, first_call=1, last_call=1, **fault)
    scene.deliver()
    let_everything_end(scene)
    scene.assert_delivered_once()
    expected = 10 if api == "ImportGroupMsg" else 3
    assert scene.sandbox.stats()["apis"][api]["count"] == expected


@pytest.mark.parametrize("seed", range(6))
def test_any_number_of_faults_in_any_order_doubles_nothing(scene: Scene, seed: int) -> None:
    chance = random.Random(seed)
    names = [*PASSING]
    for api in [*WRITES, *READS, "QueryGroupInfo", "QueryGroupMemberList"]:
        calls = range(1, 14)
        for call in chance.sample(calls, 4):
            _, fault = PASSING[chance.choice(names)]
            scene.sandbox.add_fault(api=api, first_call=call, last_call=call, **fault)
    assert all(isinstance(each, Done) for each in scene.deliver())
    let_everything_end(scene)
    scene.assert_delivered_once()


def test_each_copy_has_a_state_of_its_own(scene: Scene) -> None:
    """The copy whose call failed is found missing or there, whatever the other one holds."""
    scene.people("ada", "bob")
    of_ada, of_bob, _ = scene.copies()
    assert isinstance(scene.tell(of_ada), Done)
    assert scene.has(of_bob) is False
    scene.sandbox.add_fault("drop", api="ImportPeerMsg", last_call=1, effect="applied")
    told = scene.target.send_direct_message(of_bob)
    assert isinstance(told, Failure)
    assert told.effect is Effect.UNKNOWN
    assert scene.has(of_bob) is True
    assert len(scene.sandbox.zim.peer_messages("ada", "bob")) == 1


def test_a_message_among_many_newer_ones_is_found(ready: Scene) -> None:
    first = ready.outgoing()[0]
    ready.sandbox.add_fault("drop", api="ImportGroupMsg", last_call=1, effect="applied")
    told = ready.target.send_group_messages(QUAY, [first])
    assert isinstance(told, Failure)
    for number in range(230):
        ready.sandbox.zim.live_group_message("quay", "bob", Time=first.slot + 1 + number)
    assert ready._found_in_group(first) == 1
    assert len(ready.history()) == 231


def test_a_late_message_goes_to_its_true_time_and_is_found_there(ready: Scene) -> None:
    messages = ready.outgoing()
    for each in messages[1:4]:
        assert isinstance(ready.say(each), Done)
    ready.sandbox.add_fault("drop", api="ImportGroupMsg", last_call=1, effect="applied")
    assert isinstance(ready.say(messages[0]), Done)
    assert [each.random for each in ready.history()][::-1] == [each.random for each in messages[:4]]
    held = ready.sandbox.zim.group_messages("quay")
    assert [each["time"] for each in held] == [each.slot for each in messages[:4]]


def test_milliseconds_are_kept(ready: Scene) -> None:
    message = ready.outgoing()[0]
    assert message.slot % 1000 == ready.start % 1000 + 7 - (1000 if ready.start % 1000 > 992 else 0)
    assert isinstance(ready.say(message), Done)
    (held,) = ready.sandbox.zim.group_messages("quay")
    assert held["time"] == message.slot


def test_history_that_outlives_the_retention_while_the_job_runs_is_refused_by_us(
    ready: Scene,
) -> None:
    oldest = ready.target.oldest_slot()
    message = ready.outgoing()[0]
    old = type(message)(sender="ada", slot=oldest + 500, random=3, body=message.body)
    assert isinstance(ready.say(old), Done)
    ready.clock.sleep(5)
    before = ready.sandbox.stats()["apis"]["ImportGroupMsg"]["count"]
    told = ready.say(old)
    assert isinstance(told, Failure)
    assert (told.advice, told.effect) == (Advice.TOO_OLD, Effect.NONE)
    assert ready.sandbox.stats()["apis"]["ImportGroupMsg"]["count"] == before
    assert ready.target.oldest_slot() - oldest >= 5_000
    assert ready.sandbox.now_ms() - oldest < 7 * DAY_MS


def test_only_imports_and_new_groups_are_never_repeated_blindly() -> None:
    assert [api for api in WRITES if not is_repeatable(api)] == ["CreateGroup", *IMPORTS]
