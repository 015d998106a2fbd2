"""A group's history arrives in ZIM once, each message at its own millisecond, whatever happens to calls and ledgers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.delivery.zego_zim.faults import LATE, PASSING, SAYS_NOTHING, SPOILED, UNLISTED
from tests.delivery.zego_zim.sending import QUAY, Scene
from tests.delivery.zego_zim.streaming import IMPORT, QUERY, KilledError, Quay, killing

from chat_migration.targets.base import Done, Failure, GroupKey
from chat_migration.targets.zego_zim.limits import DAY_MS

HERE = {("already_imported", "")}


@pytest.fixture
def quay(ready: Scene, tmp_path: Path) -> Quay:
    """The group, with an export of six rows, of which three bear one millisecond."""
    made = Quay(ready, tmp_path)
    for ms in (10, 20, 20, 20, 21, 500):
        made.say(ms, sender=("ada", "bob")[ms % 2])
    return made


CLEAN = [("m000", 10), ("m001", 20), ("m002", 21), ("m003", 22), ("m004", 23), ("m005", 500)]


def test_messages_arrive_in_order_at_their_milliseconds_and_ties_are_lifted(quay: Quay) -> None:
    assert set(quay.run().values()) == {("imported", "")}
    assert quay.held() == CLEAN
    assert (quay.calls(IMPORT), quay.calls(QUERY)) == (6, 1)


def test_a_second_run_makes_no_call(quay: Quay) -> None:
    quay.run()
    assert set(quay.run().values()) == HERE
    assert (quay.calls(IMPORT), quay.calls(QUERY)) == (6, 1)


def test_a_nightly_run_sends_what_is_new(quay: Quay) -> None:
    quay.run()
    quay.say(900)
    assert quay.run()["m006"] == ("imported", "")
    assert quay.held() == [*CLEAN, ("m006", 900)]
    assert (quay.calls(IMPORT), quay.calls(QUERY)) == (7, 2)


FAULTS = {**PASSING, **SPOILED[IMPORT]}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_an_import_costs_no_message_and_doubles_none(quay: Quay, name: str) -> None:
    _, fault = FAULTS[name]
    quay.scene.sandbox.add_fault(api=IMPORT, first_call=3, last_call=3, **fault)
    assert set(quay.run().values()) == {("imported", "")}
    quay.scene.sandbox.advance_clock(20)
    assert quay.held() == CLEAN


@pytest.mark.parametrize("name", SAYS_NOTHING)
def test_a_fault_of_the_read_back_is_not_taken_for_its_answer(quay: Quay, name: str) -> None:
    _, fault = SAYS_NOTHING[name]
    quay.scene.sandbox.add_fault("drop", api=IMPORT, first_call=3, last_call=3, effect="applied")
    quay.scene.sandbox.add_fault(api=QUERY, first_call=2, last_call=2, **fault)
    assert set(quay.run().values()) == {("imported", "")}
    assert quay.held() == CLEAN


def test_others_who_talk_while_an_answer_is_lost_are_told_apart(quay: Quay) -> None:
    for number in range(230):
        time = quay.scene.start + 1000 + number
        quay.scene.sandbox.zim.live_group_message("quay", "bob", Time=time, Text="live")
    quay.scene.sandbox.add_fault("drop", api=IMPORT, first_call=2, last_call=2, effect="applied")
    assert set(quay.run().values()) == {("imported", "")}
    assert quay.held()[:6] == CLEAN
    assert len(quay.held()) == 236


@pytest.mark.parametrize("applied", [True, False])
def test_a_refusal_that_no_page_lists_is_believed_only_after_reading_back(
    quay: Quay, *, applied: bool
) -> None:
    _, fault = UNLISTED["unlisted_code"]
    effect = {"effect": "applied"} if applied else {}
    quay.scene.sandbox.add_fault(api=IMPORT, first_call=3, last_call=3, **fault, **effect)
    outcomes = quay.run()
    if applied:
        assert quay.held() == CLEAN
        assert outcomes["m002"] == ("imported", "")
    else:
        assert quay.texts() == ["m000", "m001", "m003", "m004", "m005"]
        assert outcomes["m002"] == ("rejected", "message_refused")


@pytest.mark.parametrize("whose", ["ours", "another's"])
def test_what_is_withdrawn_before_we_can_look_is_not_sent_again(
    quay: Quay, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    """Nothing but sender and time is left of it then."""
    zim, send = quay.scene.sandbox.zim, quay.target.send_group_messages

    def sending(*args: Any, **kwargs: Any) -> Any:
        told = send(*args, **kwargs)
        if isinstance(told, Failure):
            if whose != "ours":
                zim.live_group_message("quay", "cid", Text="live")
            newest = max(zim.group_messages("quay"), key=lambda each: each["seq"])
            key = GroupKey(sender=newest["from"], slot=0, random=0, sequence=newest["seq"])
            assert quay.target.withdraw_group_messages(QUAY, [key]) == [Done()]
        return told

    monkeypatch.setattr(quay.target, "send_group_messages", sending)
    name = quay.say(3_590_000)
    quay.scene.sandbox.add_fault("drop", api=IMPORT, first_call=7, last_call=7, effect="applied")
    assert quay.run()[name] == ("imported", "")
    assert quay.calls(IMPORT) == 7


# --- rows that turn up late -------------------------------------------------------------------


def test_a_late_row_goes_to_its_own_time(quay: Quay) -> None:
    quay.run()
    for ms in (15, 20, 22, 499):
        quay.say(ms)
    outcomes = quay.run()
    late = ["m006", "m007", "m008", "m009"]
    assert [outcomes[each] for each in late] == [("imported", "late")] * 4
    expected = [*CLEAN, ("m006", 15), ("m007", 24), ("m008", 25), ("m009", 499)]
    assert quay.held() == sorted(expected, key=lambda each: each[1])
    assert set(quay.run().values()) == HERE


def test_a_late_row_does_not_take_the_frontier_back(quay: Quay) -> None:
    quay.run()
    quay.say(15)
    quay.run()
    quay.say(300)
    quay.say(600)
    outcomes = quay.run()
    assert (outcomes["m007"], outcomes["m008"]) == (("imported", "late"), ("imported", ""))


def test_late_rows_can_be_refused(quay: Quay) -> None:
    quay.settings = {"late_messages": "reject"}
    quay.run()
    quay.say(15)
    assert quay.run()["m006"] == ("late_rejected", "late")
    assert quay.held() == CLEAN


def test_who_talks_in_the_new_app_makes_no_row_late(quay: Quay) -> None:
    quay.settings = {"late_messages": "reject"}
    quay.scene.sandbox.zim.live_group_message("quay", "bob", Text="live")
    assert set(quay.run().values()) == {("imported", "")}
    assert quay.held()[:6] == CLEAN


@pytest.mark.parametrize("name", [*LATE, "connection_reset_after_effect", "connection_reset"])
def test_a_late_row_of_unknown_outcome_arrives_once(quay: Quay, name: str) -> None:
    quay.run()
    quay.say(15)
    _, fault = PASSING[name]
    quay.scene.sandbox.add_fault(api=IMPORT, first_call=7, last_call=7, **fault)
    quay.run()
    quay.scene.sandbox.advance_clock(20)
    assert quay.texts() == ["m000", "m006", "m001", "m002", "m003", "m004", "m005"]


def test_a_late_row_in_parts_stays_together_in_order(quay: Quay) -> None:
    quay.run()
    quay.say(19, "long", parts=3)
    quay.run()
    assert [each for each in quay.texts() if "long" in each] == ["long", "long.", "long.."]


# --- rows that are too old --------------------------------------------------------------------


def test_what_is_older_than_the_retention_is_refused_and_the_rest_goes_on(quay: Quay) -> None:
    old = quay.target.oldest_slot() - quay.scene.start
    quay.say(old - DAY_MS, parts=2)
    quay.say(old - 1)
    quay.say(old + DAY_MS)
    outcomes = quay.run()
    assert outcomes["m006"] == outcomes["m007"] == ("rejected", "older_than_retention")
    assert outcomes["m008"] == ("imported", "")
    assert quay.held() == [("m008", old + DAY_MS), *CLEAN]
    assert quay.calls(IMPORT) == 7
    again = quay.run()
    assert again["m006"] == again["m007"] == ("rejected", "older_than_retention")


# --- killed runs, lost ledgers ----------------------------------------------------------------


@pytest.mark.parametrize("after", range(6))
def test_a_killed_run_is_gone_on_with_wherever_it_was(
    quay: Quay, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(
            quay.target, "send_group_messages",
            killing(quay.target.send_group_messages, after=after),
        )  # fmt: skip
        with pytest.raises(KilledError):
            quay.run()
    quay.later()
    quay.run()
    assert quay.held() == CLEAN


@pytest.mark.parametrize("talking", [False, True])
@pytest.mark.parametrize("received", [False, True])
def test_an_older_copy_of_the_ledger_doubles_nothing(
    quay: Quay, *, talking: bool, received: bool
) -> None:
    if received:
        quay.scene.sandbox.zim.set_switch("zim_msg_time", "received")
    if talking:
        quay.scene.sandbox.zim.live_group_message("quay", "bob", Text="live")
    quay.run()
    kept = quay.keep()
    for ms in (15, 400, 600):
        quay.say(ms)
    quay.run()
    held = quay.held()
    late = [row for name, row in quay.rows.items() if name in ("m006", "m007")]
    quay.lose(kept)
    quay.later()
    for row in late:
        del quay.rows[row.legacy_id]
    quay.run()
    quay.rows |= {row.legacy_id: row for row in late}
    quay.run()
    assert quay.held() == held


def test_a_rebuilt_ledger_knows_everything_and_its_run_writes_nothing(quay: Quay) -> None:
    quay.run()
    for ms in (15, 20, 499):
        quay.say(ms)
    quay.say(700, parts=3)
    quay.run()
    quay.scene.sandbox.zim.live_group_message("quay", "bob", Text="live")
    before = quay.calls(IMPORT)
    quay.lose()
    found = quay.rebuild()
    assert found["group_messages"] == {"restored": len(quay.rows)}
    assert found["groups"] == {"restored": 1}
    assert set(quay.run(know_group=False).values()) == HERE
    assert quay.calls(IMPORT) == before


def test_a_long_history_is_rebuilt_page_by_page(quay: Quay) -> None:
    for number in range(240):
        quay.say(1000 + number)
    quay.run()
    quay.lose()
    before = quay.calls(QUERY)
    assert quay.rebuild()["group_messages"] == {"restored": 246}
    assert quay.calls(QUERY) - before == 1 + 3


def test_a_rebuild_does_not_bring_back_what_was_withdrawn(quay: Quay) -> None:
    """Nothing but sender and time is left of it."""
    name = quay.say(3_590_000)
    said = quay.rows[name]
    quay.run()
    quay.change(name, "")
    assert quay.run()[name] == ("withdrawn", "withdrawn")
    quay.lose()
    quay.rows[name] = said
    assert quay.rebuild()["group_messages"] == {"restored": 6, "unproved": 1}
    assert quay.run(know_group=False)[name] == ("rejected", "not_provable")


@pytest.mark.parametrize("tips", ["off", "on"])
def test_a_rebuild_takes_a_group_without_a_message_of_ours_for_ours(
    scene: Scene, tmp_path: Path, tips: str
) -> None:
    scene.sandbox.zim.set_switch("zim_tips", tips)
    scene.people("ada", "bob", "cid")
    scene.group("bob")
    quay = Quay(scene, tmp_path)
    quay.say(10)
    found = quay.rebuild()
    assert found["groups"] == {"restored": 1}
    assert found["group_messages"] == {"missing": 1}
    assert quay.run(know_group=False) == {"m000": ("imported", "")}


def test_a_rebuild_leaves_another_group_of_the_same_id_alone(scene: Scene, tmp_path: Path) -> None:
    scene.people("ada", "bob", "cid")
    scene.sandbox.zim.create_group("quay")
    scene.sandbox.zim.live_group_message("quay", "stranger", Text="hello")
    quay = Quay(scene, tmp_path)
    quay.say(10)
    assert quay.rebuild()["groups"] == {"unproved": 1}


# --- edits ------------------------------------------------------------------------------------


def test_an_edit_replaces_the_text_in_the_name_of_the_owner(quay: Quay) -> None:
    name = quay.say(3_590_000, sender="bob")
    quay.run()
    quay.change(name, "corrected")
    assert quay.run()[name] == ("updated", "")
    assert quay.held()[-1] == ("corrected", 3_590_000)


@pytest.mark.parametrize("text", ["corrected", ""])
def test_an_edit_that_comes_too_late_is_refused_once(quay: Quay, text: str) -> None:
    name = quay.say(-3 * DAY_MS)
    quay.run()
    quay.change(name, text)
    for _ in range(2):
        assert quay.run()[name] == ("rejected", "edit_refused")
    assert quay.held()[0] == (name, -3 * DAY_MS)
