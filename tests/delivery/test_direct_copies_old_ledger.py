"""A ledger that is empty, or older than what the target holds, makes no run send a one-to-one message twice."""

from __future__ import annotations

import pytest
from tests.delivery.direct_scenes import Talk
from tests.delivery.zego_zim.sending import HOUR

IMPORT, READ = "ImportPeerMsg", "QueryPeerMsg"
RECENT = HOUR - 10_000
"""After the scene's start; so young a message can still be recalled."""


def ends(talk: Talk) -> list[str]:
    """Run, and return how the rows ended, by their ids, with the reasons of those that are not there."""
    told = [each for _, each in sorted(talk.run().items())]
    return [" ".join(filter(None, (each.outcome, each.reason))) for each in told]


def talk_a_while(talk: Talk, first: int = 0, count: int = 5) -> None:
    """Add rows of one to three parts, some of them at one time."""
    for number in range(first, first + count):
        texts = [f"{number} {part}" for part in range(1 + number % 3)]
        talk.say(*texts, after_ms=number // 2 * 2, sender=("ada", "bob")[number % 2])


def test_an_empty_ledger_learns_what_is_there_and_nothing_is_sent(talk: Talk) -> None:
    talk_a_while(talk)
    talk.run()
    before = {row.message_key: talk.known(row).keys() for row in talk.said}
    talk.restore()
    sent = talk.calls(IMPORT)
    assert ends(talk) == ["already_imported"] * 5
    assert talk.calls(IMPORT) == sent
    assert {row.message_key: talk.known(row).keys() for row in talk.said} == before
    talk.assert_once_in_each_copy()


def test_a_ledger_of_before_the_last_run_learns_the_rest_and_what_is_new_is_sent(
    talk: Talk,
) -> None:
    talk_a_while(talk)
    talk.run()
    talk.back_up()
    talk_a_while(talk, first=5)
    talk.run()
    talk.restore()
    talk_a_while(talk, first=10)
    assert ends(talk) == ["already_imported"] * 10 + ["imported"] * 5
    talk.assert_once_in_each_copy()


@pytest.mark.parametrize("kept", [True, False])
def test_a_run_killed_at_any_border_whose_ledger_is_lost_leaves_nothing_twice(
    talk: Talk, kept: bool
) -> None:
    talk_a_while(talk, count=2)
    talk.run()
    if kept:
        talk.back_up()
    talk_a_while(talk, first=2, count=2)
    crossings = 1
    while talk.killed_run(crossings):
        talk.restore()
        crossings += 3
    assert crossings > 10
    talk.assert_once_in_each_copy()


@pytest.mark.parametrize("copy", ["ada", "bob"])
def test_only_the_copy_that_lacks_a_message_gets_it(talk: Talk, copy: str) -> None:
    talk.say("one")
    talk.scene.sandbox.add_fault(
        "error", code=660400001, api=IMPORT, last_call=1, where={"ImportedUserId": copy}
    )
    talk.run()
    talk.restore()
    sent, there = talk.calls(IMPORT), len(talk.copy("ada")) + len(talk.copy("bob"))
    assert ends(talk) == ["imported"]
    assert talk.calls(IMPORT) == sent + 2 - there
    talk.assert_once_in_each_copy()


def test_a_row_deleted_since_is_withdrawn_although_the_ledger_did_not_know_of_it(
    talk: Talk,
) -> None:
    talk.scene.sandbox.zim.set_switch("zim_peer_ids", "shared")  # a recall reaches both copies
    row = talk.say("gone soon", after_ms=RECENT)
    talk.run()
    talk.restore()
    talk.change(row)
    talk.say("new", after_ms=RECENT + 5)
    assert ends(talk) == ["withdrawn withdrawn", "imported"]


def test_a_row_in_fewer_parts_now_is_brought_up_to_date(talk: Talk) -> None:
    talk.scene.sandbox.zim.set_switch("zim_peer_ids", "shared")
    row = talk.say("one", "two", "three", after_ms=RECENT)
    talk.run()
    talk.restore()
    talk.change(row, "only one")
    assert ends(talk) == ["updated"]


def test_each_copy_is_read_once_before_the_first_message_and_not_at_all_without_one(
    talk: Talk,
) -> None:
    talk_a_while(talk)
    talk.run()
    assert talk.calls(READ) == 2
    assert ends(talk) == ["already_imported"] * 5
    assert talk.calls(READ) == 2


def test_messages_of_others_are_left_alone_and_do_not_hide_ours(talk: Talk) -> None:
    talk.say("one")
    talk.run()
    talk.restore()
    talk.scene.sandbox.zim.live_peer_message("bob", "ada", Time=talk.scene.start + 1)
    talk.say("two", after_ms=2)
    assert ends(talk) == ["already_imported", "imported"]
    assert [len(talk.copy(each)) for each in ("ada", "bob")] == [3, 3]
