"""What planning makes of the facts by which targets differ: owners, topics, first members, calls, retention, case."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders_neutral import DAY, HOUR, MINUTE, SECOND, NeutralExport, at
from tests.clocks import START_MS
from tests.core.planning.plans import TENCENT, Planner

from chat_migration.keys import hashed_id
from chat_migration.ledger.ledger import Ledger

HISTORY = START_MS - HOUR
JOINED = START_MS - HOUR // 2


@pytest.fixture
def planner(tmp_path: Path) -> Iterator[Planner]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}", "zim:1") as ledger:
        yield Planner(tmp_path / "runs", ledger)


def quay(*members: str, **fields: object) -> NeutralExport:
    """Return an export with a group that names no owner."""
    export = NeutralExport().user("ada", "bob", "eve")
    export.group("quay", **fields)
    for each in members:
        export.member("quay", each)
    return export


# --- owners -------------------------------------------------------------------------------------


def test_an_owner_who_is_a_member_stays_without_a_word(planner: Planner) -> None:
    quote = planner.quote(NeutralExport().user("ada", "bob").group("quay", "bob", "ada"))
    group = planner.group("quay")
    assert (group.owner_id, group.detail, quote.chosen_owners) == ("bob", "", 0)


@pytest.mark.parametrize(
    ("export", "owner", "said"),
    [
        pytest.param(
            quay("ada", "eve").member("quay", "eve", role="admin"), "eve", "an admin", id="admin"
        ),
        pytest.param(
            quay("ada", "bob").member("quay", "bob", joined_at=JOINED - 1),
            "bob", "who joined first", id="earliest",
        ),
        pytest.param(quay("eve", "bob"), "bob", "who joined first", id="same-time-by-id"),
        pytest.param(
            quay("bob").member("quay", "ada", joined_at=None), "bob", "joined first", id="unknown-join"
        ),
        pytest.param(quay("bob", owner_id="ada"), "bob", "`ada` is no member", id="no-member"),
        pytest.param(
            quay("ada", "bob", owner_id="ada").member("quay", "ada", left_at=at(-9)),
            "bob", "`ada` is no member", id="left",
        ),
        pytest.param(
            quay().say("quay", "eve", at(1)).say("quay", "ada", at(2)),
            "eve", "`eve` wrote first", id="sender",
        ),
    ],
)  # fmt: skip
def test_where_nobody_who_can_own_a_group_is_named_somebody_is_chosen_and_it_is_said(
    planner: Planner, export: NeutralExport, owner: str, said: str
) -> None:
    quote = planner.quote(export)
    group = planner.group("quay")
    assert (group.owner_id, group.outcome, quote.chosen_owners) == (owner, "", 1)
    assert said in group.detail
    assert owner in {each.account_id for each in planner.plan.accounts()}
    assert "1 groups name no owner among their members" in quote.text()


def test_the_chosen_owner_is_planned_as_the_owner_among_the_members(planner: Planner) -> None:
    planner.quote(quay("ada", "bob"))
    assert {each.account_id: each.role for each in planner.plan.members()} == {
        "ada": "owner",
        "bob": "member",
    }


def test_an_owner_without_any_members_beside_is_kept(planner: Planner) -> None:
    planner.quote(quay(owner_id="ada").say("quay", "bob", at(1)))
    assert (planner.group("quay").owner_id, planner.group("quay").detail) == ("ada", "")


def test_a_group_with_nobody_at_all_is_rejected(planner: Planner) -> None:
    quote = planner.quote(quay())
    group = planner.group("quay")
    assert (group.outcome, group.reason, group.owner_id) == ("rejected", "no_owner", "")
    assert group.detail
    assert group.advice
    assert quote.reasons["groups"] == {"no_owner": 1}
    assert not quote.calls.get("CreateGroup")


def test_whoever_was_chosen_once_stays_the_owner_and_nothing_is_said_twice(
    planner: Planner,
) -> None:
    planner.quote(quay("ada", "bob"))
    planner.make("quay")
    quote = planner.quote(quay("ada", "bob").member("quay", "bob", role="admin"))
    group = planner.group("quay")
    assert (group.owner_id, quote.chosen_owners) == ("ada", 0)
    assert "`ada` stays the owner" in group.detail


def test_whoever_has_left_owns_the_group_no_more(planner: Planner) -> None:
    planner.quote(quay("ada", "bob"))
    planner.make("quay")
    planner.quote(quay("ada", "bob").member("quay", "ada", left_at=at(9)))
    assert planner.group("quay").owner_id == "bob"


def test_a_later_drop_without_members_changes_no_owner(planner: Planner) -> None:
    planner.quote(quay("ada", "bob"))
    planner.make("quay")
    planner.quote(quay().say("quay", "eve", at(60)))
    assert planner.group("quay").owner_id == "ada"


def test_where_no_owner_is_needed_none_is_chosen(planner: Planner) -> None:
    quote = planner.quote(quay("ada"), TENCENT, calls_per_second=200)
    group = planner.group("quay")
    assert (group.owner_id, group.detail, group.members, group.outcome) == ("", "", [], "")
    assert quote.chosen_owners == 0


# --- topics and types ---------------------------------------------------------------------------


def test_topics_end_without_a_call_and_their_community_is_a_plain_group(planner: Planner) -> None:
    export = (
        NeutralExport()
        .user("ada")
        .group("pier", "ada", type="community", topics=[{"id": "t1", "name": "Tides"}])
    )
    export.say("pier", "ada", at(1)).say("pier", "ada", at(2), topic_id="t1", id="in-topic")
    quote = planner.quote(export)
    community, topic = planner.group("pier"), planner.group("t1")
    assert (community.outcome, community.with_topics, community.type) == ("", False, "public")
    assert (topic.outcome, topic.reason) == ("rejected", "no_topics")
    ended = {each.legacy_id: each for each in planner.messages()}["in-topic"]
    assert (ended.outcome, ended.reason, ended.bodies) == ("rejected", "no_topics", [])
    assert "no topics" in ended.detail
    assert ended.advice
    assert quote.reasons["group_messages"] == {"no_topics": 1}
    assert (quote.calls["ImportGroupMsg"], quote.calls["CreateGroup"]) == (1, 1)


def test_admins_stay_admins_in_every_group_of_a_target_without_types(planner: Planner) -> None:
    export = NeutralExport().user("ada", "bob").group("quay", "ada", "bob", type="private")
    export.member("quay", "bob", role="admin")
    planner.quote(export)
    assert [each.role for each in planner.plan.members()] == ["owner", "admin"]


# --- first members ------------------------------------------------------------------------------


def test_a_group_is_created_with_those_who_were_members_from_the_first_moment_on(
    planner: Planner,
) -> None:
    export = NeutralExport().user("ada").group("quay", "ada", created_at=HISTORY)
    export.member("quay", "whoever", joined_at=None)
    export.member("quay", "early", joined_at=HISTORY)
    export.member("quay", "just", joined_at=HISTORY + 2 * SECOND - 1)
    export.member("quay", "later", joined_at=HISTORY + 3 * SECOND)
    export.member("quay", "gone", joined_at=HISTORY, left_at=at(0))
    quote = planner.quote(export)
    group = planner.group("quay")
    assert group.created_s * 1000 == HISTORY - SECOND
    assert group.members == ["early", "whoever"]
    joined = {each.account_id: each.joined_s for each in planner.plan.members()}
    assert {joined[each] for each in group.members} == {group.created_s + 1}
    # The owner, and the two who came later.
    assert quote.calls["InviteUsersIntoGroup"] == 1


def test_no_more_first_members_than_one_call_takes_and_the_rest_is_added(planner: Planner) -> None:
    export = NeutralExport().user("ada").group("quay", created_at=HISTORY, owner_id="m000")
    for number in range(205):
        export.member("quay", f"m{number:03d}", joined_at=None)
    quote = planner.quote(export)
    assert planner.group("quay").members == [f"m{number:03d}" for number in range(1, 101)]
    assert quote.calls["InviteUsersIntoGroup"] == 2


# --- calls --------------------------------------------------------------------------------------


def talk() -> NeutralExport:
    """Return an export with a group of three, a silent one of two, and a pair."""
    export = NeutralExport().user("ada", "bob", "eve").group("quay", "ada", "bob", "eve")
    export.group("still", "ada", "bob")
    for second in range(6):
        export.say("quay", "ada", at(second))
    return export.tell("ada", "bob", at(1)).tell("bob", "ada", at(2))


def test_each_person_of_a_pair_gets_a_copy_by_a_call_of_its_own(planner: Planner) -> None:
    quote = planner.quote(talk())
    assert (quote.calls["ImportPeerMsg"], quote.calls["ImportGroupMsg"], quote.parts) == (4, 6, 8)
    assert quote.longest_chain_calls == 6


@pytest.mark.parametrize(("whose", "calls"), [("touched", 2 + 2), ("all", 2 + 2), ("none", 0)])
def test_where_counts_can_only_be_cleared_a_setting_says_whose(
    planner: Planner, whose: str, calls: int
) -> None:
    """Nothing arrives for ada, who wrote all that was said, nor in the group that is silent."""
    assert planner.quote(talk(), clear_unread=whose).calls["ClearConversationUnread"] == calls


@pytest.mark.parametrize("whose", ["touched", "all", "none"])
def test_where_counts_can_be_set_the_setting_does_nothing(planner: Planner, whose: str) -> None:
    quote = planner.quote(talk(), TENCENT, calls_per_second=200, clear_unread=whose)
    assert quote.calls["set_unread_msg_num"] == 0
    assert quote.message_apis == ["import_group_msg", "importmsg"]


def test_group_and_one_to_one_messages_take_their_time_side_by_side(planner: Planner) -> None:
    quote = planner.quote(talk(), calls_per_second=2.0, clear_unread="none")
    others = sum(count for api, count in quote.calls.items() if not api.startswith("Import"))
    assert quote.seconds_at_rate == (others + 6) / 2


# --- retention ----------------------------------------------------------------------------------


def old(*ages_ms: int) -> NeutralExport:
    """Return a group with a message of each age, as of the moment when it is planned."""
    created_at = START_MS - 400 * DAY
    export = NeutralExport().user("ada").group("quay", "ada", created_at=created_at)
    for age in ages_ms:
        export.say("quay", "ada", START_MS + HOUR - age)
    return export


def test_what_is_too_old_already_is_told_and_still_planned(planner: Planner) -> None:
    quote = planner.quote(old(8 * DAY, 7 * DAY, DAY))
    assert (quote.too_old, quote.expiring, quote.older_than_retention) == (2, 0, 0)
    assert quote.rows["group_messages"] == {"rejected": 2, "to_import": 1}
    assert quote.reasons["group_messages"] == {"older_than_retention": 2}
    assert [bool(each.bodies) and not each.outcome for each in planner.messages()] == [True] * 3
    assert "2 messages are older than the target takes and will be rejected" in quote.text()


def test_what_expires_before_its_turn_is_told(planner: Planner) -> None:
    ages = [7 * DAY - 2 * MINUTE - number for number in range(200)]
    assert planner.quote(old(*ages), calls_per_second=20.0).expiring == 0
    quote = planner.quote(old(*ages), calls_per_second=1.0)
    # A minute is left of the margin, some seconds of which pass until the first is sent.
    assert 130 <= quote.expiring <= 150
    assert quote.too_old == 0
    assert f"{quote.expiring} messages more will be too old before their turn" in quote.text()


def test_where_there_is_no_bound_nothing_expires(planner: Planner) -> None:
    quote = planner.quote(old(900 * DAY), TENCENT, calls_per_second=0.001)
    assert (quote.too_old, quote.expiring) == (0, 0)


# --- ids and texts ------------------------------------------------------------------------------


def test_ids_that_differ_in_case_only_become_two(planner: Planner) -> None:
    export = NeutralExport().user("Bob", "bob").group("Quay", "bob").group("quay", "Bob")
    planner.quote(export)
    accounts = {each.legacy_id: each.account_id for each in planner.plan.accounts()}
    groups = {each.legacy_id: each.group_id for each in planner.plan.groups()}
    assert accounts == {"Bob": "Bob", "bob": hashed_id("user", "bob", 1)}
    assert groups == {"Quay": "Quay", "quay": hashed_id("group", "quay", 1)}


@pytest.mark.parametrize(("first", "second"), [("Bob", "bob"), ("bob", "BOB"), ("bOb", "Bob")])
def test_ids_of_an_earlier_run_count_in_any_case(planner: Planner, first: str, second: str) -> None:
    planner.quote(NeutralExport().user(first))
    planner.quote(NeutralExport().user(second))
    assert [each.account_id for each in planner.plan.accounts()] == [hashed_id("user", second, 1)]
    planner.quote(NeutralExport().user(first, second))
    again = {each.legacy_id: each.account_id for each in planner.plan.accounts()}
    assert again == {first: first, second: hashed_id("user", second, 1)}


def test_where_case_makes_a_difference_both_are_kept(planner: Planner) -> None:
    planner.quote(NeutralExport().user("Bob", "bob"), TENCENT, calls_per_second=200)
    assert [each.account_id for each in planner.plan.accounts()] == ["Bob", "bob"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [("ü" * 50, "ü" * 50), ("x" * 51, "x" * 50), ("🙂" * 26, "🙂" * 25), ("日" * 50, "日" * 50)],
)
def test_a_groups_name_is_cut_by_characters_where_the_target_counts_them(
    planner: Planner, name: str, kept: str
) -> None:
    quote = planner.quote(NeutralExport().user("ada").group("quay", "ada", name=name))
    assert planner.group("quay").name == kept
    assert quote.shortened.get("group.name", 0) == (name != kept)
