"""The command line on ZIM, killed and stopped for real in the middle of its work, and started again.

The vendor takes whatever it is sent, as often as it is sent. So the sandbox's journal tells more than its world: what
was imported into which copy, and how often.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.clocks_fast import FastClock
from tests.delivery.driving import World
from tests.delivery.process_scenes import stop_each, strikes_in
from tests.delivery.processes import Strike, Struck
from tests.delivery.test_killed_process import town
from tests.delivery.zego_zim.migrating import (
    ZimMigration,
    assert_zim_holds,
    comparable_zim,
    recent,
)
from tests.delivery.zego_zim.processes import (
    SIZES,
    assert_complete,
    assert_read,
    assert_writes_no_more,
    processes,
    sent_copies,
)

import chat_sandbox

LIVES, KILLS = 4, 6
"""Ledgers, and kills of each."""
STAGES = {
    "UserRegister": (1, 2),
    "CreateGroup": (1, 4),
    "InviteUsersIntoGroup": (1, 4),
    "SetGroupMemberRole": (1, 3),
    "ImportPeerMsg": (1, 8),
    "ImportGroupMsg": (1, 20),
    "ClearConversationUnread": (1, 12),
}
"""Action → (first, last) call at which a run may be struck, in the order of the stages. Enough calls are left
for each strike whatever the strikes before it left over."""
OFTEN = ("ImportGroupMsg", "ImportGroupMsg", "ImportPeerMsg")
"""Struck more often: there nothing but the reading back keeps a message from being sent twice."""


@pytest.fixture(scope="module")
def export() -> NeutralExport:
    """The other target's town, of the last days, with two admins a group and some who were there from the start."""
    made = recent(town(rows=30, direct_rows=18), now_ms=FastClock().now_ms())
    for group in made.groups:
        made.member(group["id"], "user1", joined_at=group["created_at"])
        made.member(group["id"], "user2", joined_at=group["created_at"], role="admin")
        made.member(group["id"], "user4", role="admin")
    return made


@pytest.fixture(scope="module")
def clean(export: NeutralExport, tmp_path_factory: pytest.TempPathFactory) -> World:
    """What a run that nobody disturbs leaves behind."""
    with chat_sandbox.running(zim_retention_days=None, rate_limits=False) as sandbox:
        folder = tmp_path_factory.mktemp("clean")
        ended = ZimMigration(sandbox=sandbox, folder=folder, connection=SIZES).run(export)
    assert ended.error is None
    assert_zim_holds(ended.world, export)
    assert_read(ended.world, export)
    assert set(STAGES) <= set(ended.calls)
    return comparable_zim(ended.world)


@pytest.mark.parametrize("life", range(LIVES))
def test_a_process_that_is_killed_again_and_again_leaves_what_a_clean_run_leaves(
    tmp_path: Path, export: NeutralExport, clean: World, life: int
) -> None:
    with processes(tmp_path, export) as made:
        for strike in strikes_in(STAGES, kills=KILLS, often=OFTEN, life=life):
            made.kill(strike)
        made.run()
        assert_complete(made, export, clean)
        assert_writes_no_more(made)


def test_a_process_killed_between_the_last_message_and_the_first_clearing_clears_all_later(
    tmp_path: Path, export: NeutralExport, clean: World
) -> None:
    with processes(tmp_path, export) as made:
        made.kill(Strike(api="ClearConversationUnread", kind=Struck.LOST))
        sent = sent_copies(made)
        made.run()
        assert_complete(made, export, clean)
        assert sent_copies(made) == sent


def test_a_process_killed_between_the_two_copies_of_a_message_goes_on_with_the_second_one_only(
    tmp_path: Path,
) -> None:
    chat = NeutralExport().user("ada", "bob")
    for number in range(5):
        chat.tell("ada", "bob", at(number))
    with processes(tmp_path, recent(chat, now_ms=FastClock().now_ms())) as made:
        held = []
        for kind in (Struck.ANSWERING, Struck.ON_ITS_WAY, Struck.LOST):
            # Each is met in its second call: one message is there in both copies, but for what the strike makes of it.
            made.kill(Strike(api="ImportPeerMsg", number=2, kind=kind))
            zim = made.sandbox.zim
            held.append([len(zim.peer_messages(*of)) for of in (("ada", "bob"), ("bob", "ada"))])
        assert held == [[1, 1], [2, 2], [3, 2]]
        made.run()
        assert set(sent_copies(made).values()) == {1}
        # Two for each message, and the one that was lost.
        assert made.sandbox.calls("ImportPeerMsg") == 2 * len(chat.messages) + 1
        assert_writes_no_more(made)


STOPPED_AT = [
    Strike(api="InviteUsersIntoGroup", number=3),
    Strike(api="ImportGroupMsg", number=20),
    Strike(api="ImportPeerMsg", number=5, kind=Struck.LOST),
]
"""At the last of these a process waits, much longer than it may, until the call cannot be under way any more."""
STOPPED_LATER_AT = [Strike(api="ClearConversationUnread", number=7)]


def test_a_process_that_is_asked_to_stop_ends_in_time_with_5_and_the_next_goes_on(
    tmp_path: Path, export: NeutralExport, clean: World
) -> None:
    with processes(tmp_path, export) as made:
        stop_each(made, STOPPED_AT, fresh=True)
        stop_each(made, STOPPED_LATER_AT, fresh=False)
        made.run()
        assert_complete(made, export, clean)
        assert_writes_no_more(made)
