"""A one-to-one message of which each of the two people has a copy is in each of them once, whatever happens."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from tests.delivery.direct_scenes import SETTLE_SECONDS, Talk
from tests.delivery.zego_zim.faults import LATE, REFUSED, SAYS_NOTHING, UNLISTED, twice
from tests.delivery.zego_zim.sending import HOUR

from chat_migration.delivery.direct_copies import key_of
from chat_migration.delivery.fruitless import MOST_ALONE, MOST_ATTEMPTS
from chat_migration.errors import StoppedError, TargetUnreachableError
from chat_migration.ledger.states import DeliveryState
from chat_migration.settings import Settings
from chat_migration.targets.base import Done

RECENT = HOUR - 10_000
"""After the scene's start; so young a message can still be recalled."""
IMPORT = "ImportPeerMsg"
LOOKS = 2
"""Reads before the first message: what each copy holds that the ledger does not know."""
DONE = ("imported", "")


def spoil(talk: Talk, fault: dict[str, Any], *, copy: str, calls: int = 1) -> None:
    """Let the first imports into one person's copy go wrong."""
    talk.scene.sandbox.add_fault(
        api=IMPORT, first_call=1, last_call=calls, where={"ImportedUserId": copy}, **fault
    )


def ends(talk: Talk, **settings: Any) -> list[tuple[str, str]]:
    """Run, and return how the rows ended, by their ids."""
    if settings:
        talk.settings = Settings(**settings)
    return [(each.outcome, each.reason) for _, each in sorted(talk.run().items())]


def test_every_message_is_in_both_copies_once_and_a_second_run_sends_nothing(talk: Talk) -> None:
    talk.say("tide at six")
    talk.say("a", "b", "c", after_ms=5, sender="bob")
    talk.say("é 日本", after_ms=1000)
    assert ends(talk) == [DONE] * 3
    talk.assert_once_in_each_copy()
    assert talk.calls(IMPORT) == 10
    calls = talk.statistics.snapshot()
    assert ends(talk) == [("already_imported", "")] * 3
    assert talk.statistics.snapshot() == calls


def test_the_senders_copy_is_sent_before_the_recipients_part_by_part(talk: Talk) -> None:
    row = talk.say("one", "two", sender="bob")
    spoil(talk, {"action": "error", "code": 660400001}, copy="ada", calls=2)
    assert ends(talk) == [("rejected", "message_refused")]
    assert (len(talk.copy("bob")), len(talk.copy("ada"))) == (1, 0)
    assert {piece: each.state.value for piece, each in talk.known(row).items()} == {
        (0, "sender"): "delivered", (0, "recipient"): "rejected",
    }  # fmt: skip


# --- unknown outcomes ---------------------------------------------------------------------------


@pytest.mark.parametrize("copy", ["ada", "bob"])
@pytest.mark.parametrize("name", [*SAYS_NOTHING, *LATE, *REFUSED])
def test_a_call_gone_wrong_leaves_one_message_in_each_copy(
    talk: Talk, name: str, copy: str
) -> None:
    _, fault = {**SAYS_NOTHING, **LATE, **REFUSED}[name]
    talk.say("first")
    talk.say("second", after_ms=10, sender="bob")
    spoil(talk, fault, copy=copy)
    assert ends(talk) == [DONE] * 2
    talk.scene.sandbox.advance_clock(20)
    talk.assert_once_in_each_copy()


@pytest.mark.parametrize("name", twice(UNLISTED))
@pytest.mark.parametrize("copy", ["ada", "bob"])
def test_a_code_that_no_page_lists_is_looked_into_once_and_never_sent_again(
    talk: Talk, name: str, copy: str
) -> None:
    talk.say("first")
    talk.say("second", after_ms=10)
    spoil(talk, twice(UNLISTED)[name][1], copy=copy)
    if "after_effect" in name:
        assert ends(talk) == [DONE] * 2
        talk.assert_once_in_each_copy()
    else:
        assert ends(talk) == [("rejected", "message_refused"), DONE]
    assert talk.calls("QueryPeerMsg") == LOOKS + 1


def test_what_never_arrives_stops_the_run_and_is_given_up_by_the_next(talk: Talk) -> None:
    talk.say("first")
    talk.say("second", after_ms=10)
    spoil(talk, {"action": "drop"}, copy="bob", calls=MOST_ATTEMPTS)
    with pytest.raises(TargetUnreachableError):
        talk.run()
    assert talk.calls("QueryPeerMsg") == LOOKS + MOST_ALONE
    assert ends(talk) == [("rejected", "message_refused"), DONE]
    assert (len(talk.copy("ada")), len(talk.copy("bob"))) == (2, 1)


def test_nothing_is_sent_again_while_its_copy_cannot_be_read(talk: Talk) -> None:
    row = talk.say("first")
    spoil(talk, {"action": "drop", "effect": "applied"}, copy="ada")
    talk.scene.sandbox.add_fault(
        "drop", api="QueryPeerMsg", first_call=LOOKS + 1, last_call=LOOKS + 8
    )
    with pytest.raises(StoppedError):
        talk.run()
    assert talk.known(row)[0, "sender"].state is DeliveryState.IN_DOUBT
    talk.scene.sandbox.clear_faults()
    assert ends(talk) == [DONE]
    talk.assert_once_in_each_copy()


def test_a_message_among_many_newer_ones_is_found_one_turn_of_the_budget_a_page(talk: Talk) -> None:
    talk.say("first")
    for number in range(230):
        talk.scene.sandbox.zim.live_peer_message("bob", "ada", Time=talk.scene.start + 1 + number)
    spoil(talk, {"action": "drop", "effect": "applied"}, copy="ada")
    assert ends(talk) == [DONE]
    assert talk.calls("QueryPeerMsg") == (LOOKS + 1) * 3
    assert [len(talk.copy(each)) for each in ("ada", "bob")] == [231, 231]


@pytest.mark.parametrize("switch", [("zim_msg_time", "received"), ("zim_out_of_order", "lift"), ("zim_peer_ids", "shared")])  # fmt: skip
def test_it_is_found_wherever_the_service_puts_it(talk: Talk, switch: tuple[str, str]) -> None:
    talk.scene.sandbox.zim.set_switch(*switch)
    talk.say("second", after_ms=2000)
    assert ends(talk) == [DONE]
    talk.say("first")
    spoil(talk, {"action": "drop", "effect": "applied"}, copy="bob")
    assert ends(talk, late_messages="append") == [("already_imported", ""), ("imported", "late")]
    assert [len(talk.copy(each)) for each in ("ada", "bob")] == [2, 2]


def test_what_may_be_a_message_withdrawn_since_is_never_sent_again(talk: Talk) -> None:
    row = talk.say("first", after_ms=RECENT)
    talk.say("second", after_ms=RECENT + 1000)
    spoil(talk, {"action": "drop", "effect": "applied"}, copy="ada")
    talk.scene.sandbox.add_fault(
        "drop", api="QueryPeerMsg", first_call=LOOKS + 1, last_call=LOOKS + 8
    )
    with pytest.raises(StoppedError):
        talk.run()
    talk.scene.sandbox.clear_faults()
    known = talk.known(row)[0, "sender"]
    key = msgspec.structs.replace(key_of(known), sequence=talk.copy("ada")[0]["seq"])
    assert talk.scene.target.withdraw_direct_message(key) == Done()
    assert ends(talk) == [("in_doubt", "unknown_outcome"), DONE]
    assert talk.known(row)[0, "sender"].state is DeliveryState.IN_DOUBT
    assert talk.known(row)[0, "sender"].attempts == known.attempts
    assert len(talk.copy("ada")) == 2
    talk.scene.clock.sleep(8 * 86_400)
    assert ends(talk) == [("rejected", "older_than_retention"), ("already_imported", "")]
    assert talk.ledger.count_unresolved() == 0


# --- kills --------------------------------------------------------------------------------------


def test_killed_at_any_border_each_copy_has_each_message_once(talk: Talk) -> None:
    crossings = kills = 0
    while True:
        talk.say("one", after_ms=10 * crossings)
        talk.say("two", "three", after_ms=10 * crossings + 1, sender="bob")
        killed = talk.killed_run(crossings)
        assert {outcome for outcome, _ in ends(talk)} <= {"imported", "already_imported"}
        talk.assert_once_in_each_copy()
        crossings, kills = crossings + 1, kills + killed
        if not killed:
            break
    assert kills > 12


@pytest.mark.parametrize("seed", range(4))
def test_kills_and_lost_answers_in_any_order_double_nothing(talk: Talk, seed: int) -> None:
    chance = random.Random(seed)
    faults = {**SAYS_NOTHING, **LATE, **REFUSED}
    for api in (IMPORT, "QueryPeerMsg"):
        for call in chance.sample(range(1, 16), 4):
            _, fault = faults[chance.choice([*faults])]
            talk.scene.sandbox.add_fault(api=api, first_call=call, last_call=call, **fault)
    for number in range(6):
        texts = ["a", "b"][: 1 + number % 2]
        talk.say(*texts, after_ms=number // 2, sender=chance.choice(["ada", "bob"]))
    for _ in range(3):
        talk.killed_run(chance.randrange(4, 30))
    assert {outcome for outcome, _ in ends(talk)} <= {"imported", "already_imported"}
    talk.scene.sandbox.advance_clock(20)
    talk.assert_once_in_each_copy()


def test_a_killed_runs_messages_are_looked_up_even_if_no_row_names_them_any_more(
    talk: Talk,
) -> None:
    row = talk.say("one")
    assert talk.killed_run(8)
    talk.said.clear()
    talk.run()
    assert talk.ledger.count_unresolved() == 0
    assert talk.known(row)


# --- slots --------------------------------------------------------------------------------------


def test_ties_are_lifted_to_the_next_free_millisecond_and_keep_it(talk: Talk) -> None:
    rows = [talk.say(f"{number}", sender=("ada", "bob")[number % 2]) for number in range(4)]
    rows += [talk.say("a", "b", after_ms=1), talk.say("c", after_ms=2)]
    assert ends(talk) == [DONE] * 6
    talk.assert_once_in_each_copy()
    start = talk.scene.start
    slots = [sorted({each.slot - start for each in talk.known(row).values()}) for row in rows]
    assert slots == [[0], [1], [2], [3], [4, 5], [6]]
    assert talk.lifted == 6
    late = talk.say("late")
    assert ends(talk, late_messages="append")[-1] == ("imported", "late")
    assert {each.slot - start for each in talk.known(late).values()} == {7}
    assert ends(talk)[-1] == ("already_imported", "")


def test_late_rows_go_to_their_true_time_or_are_refused_as_asked(talk: Talk) -> None:
    talk.say("newer", after_ms=1000, legacy="z")
    assert ends(talk) == [DONE]
    talk.say("older", legacy="a")
    assert ends(talk, late_messages="reject") == [
        ("late_rejected", "late"), ("already_imported", ""),
    ]  # fmt: skip
    assert ends(talk, late_messages="auto") == [("imported", "late"), ("already_imported", "")]
    talk.assert_once_in_each_copy()


# --- what is too old ----------------------------------------------------------------------------


def test_what_the_app_would_not_keep_is_refused_without_a_call(talk: Talk) -> None:
    row = talk.say("old", "and more", after_ms=-8 * 86_400_000)
    talk.say("new")
    assert ends(talk) == [("rejected", "older_than_retention"), DONE]
    assert talk.calls(IMPORT) == 2
    states = {piece: (each.state.value, each.reason) for piece, each in talk.known(row).items()}
    assert states == dict.fromkeys(
        [(part, side) for part in (0, 1) for side in ("sender", "recipient")],
        ("rejected", "older_than_retention"),
    )
    assert ends(talk)[0] == ("rejected", "older_than_retention")


def test_a_row_that_grows_too_old_between_its_copies_says_which_one_is_there(talk: Talk) -> None:
    talk.say("old", after_ms=talk.scene.target.oldest_slot() - talk.scene.start + 2000)
    spoil(talk, {"action": "drop"}, copy="bob")
    (line,) = talk.run().values()
    assert (line.outcome, line.reason) == ("rejected", "older_than_retention")
    assert "the sender's copy is there" in line.detail
    assert (len(talk.copy("ada")), len(talk.copy("bob"))) == (1, 0)
    (again,) = talk.run().values()
    assert (again.reason, again.detail) == (line.reason, line.detail)
    assert SETTLE_SECONDS > 2


# --- changes ------------------------------------------------------------------------------------


def test_an_edit_reaches_both_copies(talk: Talk) -> None:
    row = talk.say("old", "old too")
    talk.run()
    talk.change(row, "new", "new too")
    assert ends(talk) == [("updated", "")]
    for viewer in ("ada", "bob"):
        assert [each["body"] for each in talk.copy(viewer)] == ["new", "new too"]
    calls = talk.statistics.snapshot()
    assert ends(talk) == [("already_imported", "")]
    assert talk.statistics.snapshot() == calls


def test_an_edit_of_a_row_that_is_in_one_copy_only_changes_that_and_sends_the_other(
    talk: Talk,
) -> None:
    row = talk.say("old")
    spoil(talk, {"action": "error", "code": 660400001}, copy="bob")
    assert ends(talk) == [("rejected", "message_refused")]
    talk.change(row, "new")
    talk.run()
    for viewer in ("ada", "bob"):
        assert [each["body"] for each in talk.copy(viewer)] == ["new"]


def test_an_edit_past_its_time_is_refused_and_not_asked_for_again(talk: Talk) -> None:
    row = talk.say("old", after_ms=-2 * 86_400_000)
    talk.run()
    talk.change(row, "new")
    assert ends(talk) == [("rejected", "edit_refused")]
    calls = talk.statistics.snapshot()
    assert ends(talk) == [("rejected", "edit_refused")]
    assert talk.statistics.snapshot() == calls
    assert [each["body"] for each in talk.copy("ada")] == ["old"]


def test_a_recall_takes_both_copies_where_it_reaches_both(talk: Talk) -> None:
    talk.scene.sandbox.zim.set_switch("zim_peer_ids", "shared")
    row = talk.say("old", after_ms=RECENT)
    talk.run()
    talk.change(row)
    assert ends(talk) == [("withdrawn", "withdrawn")]
    assert [each["recalled"] for who in ("ada", "bob") for each in talk.copy(who)] == [True, True]
    assert talk.calls("RevokePeerMessage") == 1
    assert {each.state.value for each in talk.known(row).values()} == {"withdrawn"}


def test_a_recall_that_leaves_the_recipients_copy_is_no_withdrawal(talk: Talk) -> None:
    row = talk.say("old", after_ms=RECENT)
    talk.run()
    talk.change(row)
    assert ends(talk) == [("rejected", "edit_refused")]
    states = {side: each.state.value for (_, side), each in talk.known(row).items()}
    assert states == {"sender": "withdrawn", "recipient": "delivered"}


def test_a_recall_past_its_time_is_refused(talk: Talk) -> None:
    row = talk.say("old")
    talk.run()
    talk.change(row)
    assert ends(talk) == [("rejected", "edit_refused")]
    assert talk.calls("RevokePeerMessage") == 1
