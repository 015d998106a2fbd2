"""What every ledger promises: atomic verbs, durable when they return, and nothing lost or doubled."""

from __future__ import annotations

import re
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import event, func, insert, inspect, select, text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError
from tests import postgresql
from tests.clocks import START_MS, HandClock

import chat_migration
from chat_migration.errors import StoppedError, UsageError
from chat_migration.keys import KEY_VERSION
from chat_migration.ledger import migrations, schema
from chat_migration.ledger.deliveries import row_of
from chat_migration.ledger.ledger import IllegalMoveError, Ledger
from chat_migration.ledger.moves import (
    Move,
    change,
    deliver,
    doubt,
    intend,
    refuse_change,
    reject,
    release,
    withdraw,
)
from chat_migration.ledger.overview import overview
from chat_migration.ledger.records import (
    Delivery,
    GroupRecord,
    MemberRecord,
    ReadPosition,
    Stream,
)
from chat_migration.ledger.shared import shared_ledger
from chat_migration.ledger.states import UNREAD_UNKNOWN, DeliveryState, EntityState

G = "group:g"
INCLUDE = str(Path(chat_migration.__file__).parents[1])
PLANNED, INTENT, IN_DOUBT, DELIVERED, REJECTED, WITHDRAWN = (
    DeliveryState.PLANNED, DeliveryState.INTENT, DeliveryState.IN_DOUBT, DeliveryState.DELIVERED,
    DeliveryState.REJECTED, DeliveryState.WITHDRAWN,
)  # fmt: skip


def delivery(key: str = "k", part: int = 0, **changes: Any) -> Delivery:
    fields: dict[str, Any] = {
        "message_key": key, "part": part, "parts": 1, "conversation": G, "sender": "ada",
        "sent_at_ms": 5000, "order_key": "0", "slot": 5, "random": 7, "source_hash": "h",
        "render_version": 1, "run_id": "r1",
    }  # fmt: skip
    return Delivery(**fields | changes)


VERBS: dict[str, Callable[[Delivery], Move]] = {
    "intend": lambda each: intend(each, "r2"),
    "deliver": lambda each: deliver(each, sequence=11, run_id="r2"),
    "release": lambda each: release(each, code=60007, reason="throttled"),
    "doubt": lambda each: doubt(each, code=None, reason="no answer"),
    "reject": lambda each: reject(each, code=80001, reason="blocked"),
    "change": lambda each: change(each, source_hash="h2", render_version=2, run_id="r2"),
    "refuse_change": lambda each: refuse_change(each, source_hash="h2", code=20026, reason="no"),
    "withdraw": lambda each: withdraw(each, source_hash="h2", run_id="r2"),
}
STATES: dict[DeliveryState, list[str]] = {
    PLANNED: ["intend", "release"],
    INTENT: ["intend"],
    IN_DOUBT: ["intend", "doubt"],
    DELIVERED: ["intend", "deliver"],
    REJECTED: ["intend", "reject"],
    WITHDRAWN: ["intend", "deliver", "withdraw"],
}
"""How a delivery gets into each state."""
LEGAL = {
    PLANNED: {"intend", "deliver", "reject"},
    INTENT: {"deliver", "release", "doubt", "reject"},
    IN_DOUBT: {"deliver", "release", "doubt", "reject"},
    DELIVERED: {"change", "refuse_change", "withdraw"},
    REJECTED: {"intend"},
    WITHDRAWN: set(),
}
AFTER = {
    "intend": INTENT,
    "deliver": DELIVERED,
    "release": PLANNED,
    "doubt": IN_DOUBT,
    "reject": REJECTED,
    "change": DELIVERED,
    "refuse_change": DELIVERED,
    "withdraw": WITHDRAWN,
}
MOVES = [(state, verb, verb in LEGAL[state]) for state in STATES for verb in VERBS]


def bring(ledger: Ledger, state: DeliveryState, **changes: Any) -> Delivery:
    """Bring a delivery into a state, and return it as the ledger knows it."""
    each = delivery(**changes)
    for verb in STATES[state]:
        ledger.advance(each.conversation, [VERBS[verb](each)])
    return known(ledger, each.message_key)[each.part]


def known(ledger: Ledger, key: str = "k") -> list[Delivery]:
    return ledger.deliveries([key]).get(key, [])


# --- moves --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "verb", "legal"), MOVES, ids=[f"{s}-{v}-{'yes' if y else 'no'}" for s, v, y in MOVES]
)
def test_a_verb_moves_only_from_the_states_that_allow_it(
    ledger: Ledger, state: DeliveryState, verb: str, *, legal: bool
) -> None:
    before = bring(ledger, state)
    assert before.state is state
    if legal:
        ledger.advance(G, [VERBS[verb](before)])
        assert known(ledger) == [VERBS[verb](before).delivery]
        assert known(ledger)[0].state is AFTER[verb]
    else:
        with pytest.raises(IllegalMoveError, match=f"`{verb}` does not fit the state of 1"):
            ledger.advance(G, [VERBS[verb](before)])
        assert known(ledger) == [before]


@pytest.mark.parametrize("verb", ["intend", "deliver", "reject"])
def test_a_message_may_begin_with_these_verbs(ledger: Ledger, verb: str) -> None:
    ledger.advance(G, [VERBS[verb](delivery())])
    assert known(ledger) == [VERBS[verb](delivery()).delivery]


@pytest.mark.parametrize("verb", ["release", "doubt"])
def test_nothing_can_be_said_of_a_call_that_was_never_made(ledger: Ledger, verb: str) -> None:
    ledger.advance(G, [intend(delivery("met"), "r")])
    with pytest.raises(IllegalMoveError, match=f"`{verb}` does not fit the state of 1"):
        ledger.advance(G, [VERBS[verb](delivery("met")), VERBS[verb](delivery())])
    assert ledger.deliveries(["k"]) == {}
    assert known(ledger, "met")[0].state is INTENT


@pytest.mark.parametrize("verb", VERBS)
def test_one_illegal_move_undoes_its_whole_batch(ledger: Ledger, verb: str) -> None:
    done = bring(ledger, WITHDRAWN)
    moves = [intend(delivery("first"), "r2"), VERBS[verb](done), deliver(delivery("last"))]
    with pytest.raises(IllegalMoveError):
        ledger.advance(G, moves, stream=Stream(newest_slot=9), dirty=True)
    assert ledger.deliveries(["first", "k", "last"]) == {"k": [done]}
    assert ledger.streams([G]) == {}


@pytest.mark.parametrize("verb", ["intend", "doubt"])
def test_one_delivery_twice_in_a_batch_is_illegal_where_twice_in_a_row_is(
    ledger: Ledger, verb: str
) -> None:
    bring(ledger, INTENT)
    moves = [VERBS[verb](delivery())] * 2
    if verb == "doubt":
        ledger.advance(G, moves)
    else:
        with pytest.raises(IllegalMoveError):
            ledger.advance(G, moves)
    assert known(ledger)[0].state is (IN_DOUBT if verb == "doubt" else INTENT)


def test_moves_of_a_batch_happen_in_their_order(ledger: Ledger) -> None:
    each = delivery()
    ledger.advance(
        G, [intend(each, "r"), doubt(each, code=None, reason=""), deliver(each, sequence=3)]
    )
    assert (known(ledger)[0].state, known(ledger)[0].sequence) == (DELIVERED, 3)


def test_keys_are_written_once_and_never_change(ledger: Ledger) -> None:
    bring(ledger, PLANNED)
    other = delivery(
        random=99, parts=9, sender="eve", recipient="x", sent_at_ms=1, order_key="z", slot=77,
        sequence=5, source_hash="h2", render_version=4, late=True, conversation="group:other",
    )  # fmt: skip
    ledger.advance(G, [intend(other, "r2")])
    kept, moved = delivery(), msgspec.structs.replace(other, state=INTENT, attempts=1, run_id="r2")
    assert known(ledger) == [
        msgspec.structs.replace(
            moved, random=kept.random, sender=kept.sender, recipient="",
            sent_at_ms=kept.sent_at_ms, order_key=kept.order_key, conversation=G,
        )
    ]  # fmt: skip


def test_every_field_of_a_delivery_comes_back(ledger: Ledger) -> None:
    full = delivery(
        "ключ", 255, parts=256, conversation="direct:a/b", sender="é\0", recipient="b", sequence=0,
        sent_at_ms=-1, slot=2**40, random=2**32 - 1, late=True, order_key="1\uffff", code=-5, reason="r",
    )  # fmt: skip
    ledger.advance("direct:a/b", [intend(full, "r2")])
    assert known(ledger, "ключ") == [
        msgspec.structs.replace(full, state=INTENT, attempts=1, run_id="r2")
    ]


@pytest.mark.parametrize("how", [{}, {"late": True}, {"went_back": True}], ids=str)
@pytest.mark.parametrize("verb", ["deliver", "release", "doubt"])
def test_how_a_part_came_late_is_remembered(
    ledger: Ledger, how: dict[str, bool], verb: str
) -> None:
    each = bring(ledger, INTENT, **how)
    assert each == msgspec.structs.replace(delivery(**how), state=INTENT, attempts=1, run_id="r2")
    ledger.advance(G, [VERBS[verb](each)])
    (after,) = known(ledger)
    assert (after.late, after.went_back) == (each.late, each.went_back)
    again = delivery(late=False, went_back=False)
    if verb == "release":
        ledger.advance(G, [intend(again, "r3")])
        assert (known(ledger)[0].late, known(ledger)[0].went_back) == (False, False)


def test_attempts_and_codes_are_those_of_the_last_move(ledger: Ledger) -> None:
    each = delivery()
    for attempt in (1, 2, 3):
        ledger.advance(G, [intend(each, f"r{attempt}")])
        each = known(ledger)[0]
        assert (each.attempts, each.run_id) == (attempt, f"r{attempt}")
        ledger.advance(G, [release(each, code=60007, reason="throttled")])
        each = known(ledger)[0]
        assert (each.code, each.reason) == (60007, "throttled")
    ledger.advance(G, [deliver(each, sequence=1)])
    assert (known(ledger)[0].code, known(ledger)[0].reason) == (None, "")


def test_a_delivery_keeps_the_sequence_that_we_chose(ledger: Ledger) -> None:
    chosen = delivery(sequence=513)
    ledger.advance(G, [intend(chosen, "r"), deliver(chosen)])
    assert known(ledger)[0].sequence == 513


def test_moves_bear_the_time_of_the_clock(ledger: Ledger, clock: HandClock) -> None:
    bring(ledger, INTENT)
    clock.move(60)
    ledger.advance(G, [deliver(delivery())])
    with ledger.database.reading() as connection:
        assert connection.scalar(select(schema.deliveries.c.updated_at_ms)) == START_MS + 60_000


def test_no_move_at_all_changes_nothing(ledger: Ledger) -> None:
    ledger.advance(G, [])
    assert ledger.is_empty()
    assert ledger.streams([G]) == {}


# --- looking up ---------------------------------------------------------------------------------


def test_lookups_of_more_keys_than_one_list_holds_find_them_all(ledger: Ledger) -> None:
    keys = [f"{number:032x}" for number in range(1203)]
    rows = [
        delivery(key, part, random=number, slot=number)
        for number, key in enumerate(keys)
        for part in (1, 0)
    ]
    ledger.advance(G, [intend(each, "r") for each in rows])
    found = ledger.deliveries([*reversed(keys), "missing"])
    assert set(found) == set(keys)
    assert {tuple(each.part for each in parts) for parts in found.values()} == {(0, 1)}
    assert ledger.taken_randoms(G, range(-5, 2000)) == set(range(1203))
    assert ledger.sequences_by_slot(G, range(2000)) == {number: {0} for number in range(1203)}
    assert ledger.count_unresolved() == 2406


def test_streams_of_many_conversations_are_found(ledger: Ledger) -> None:
    names = [f"group:{number}" for number in range(1001)]
    rows = [
        {"conversation": name, **msgspec.structs.asdict(Stream(newest_slot=3))} for name in names
    ]
    ledger.upsert(schema.streams, rows)
    assert ledger.streams([*names, "group:none"]) == dict.fromkeys(names, Stream(newest_slot=3))


def test_nothing_is_found_of_nothing(ledger: Ledger) -> None:
    assert ledger.deliveries([]) == ledger.streams([]) == ledger.sequences_by_slot(G, []) == {}
    assert ledger.taken_randoms(G, []) == set()
    assert [*ledger.delivered_places(G, 0)] == ledger.unresolved(G) == []
    assert (ledger.delivered_count(G), ledger.count_unresolved(), ledger.is_empty()) == (0, 0, True)


def test_unresolved_deliveries_come_in_the_order_of_their_slots(ledger: Ledger) -> None:
    for state, key, slot in (
        (IN_DOUBT, "d", 3), (INTENT, "c", 9), (INTENT, "a", 5), (IN_DOUBT, "b", 5),
        (DELIVERED, "x", 1), (PLANNED, "y", 2), (REJECTED, "z", 4),
    ):  # fmt: skip
        bring(ledger, state, key=key, slot=slot)
    bring(ledger, INTENT, key="elsewhere", conversation="group:h")
    assert [each.message_key for each in ledger.unresolved(G)] == ["d", "a", "b", "c"]
    assert ledger.count_unresolved() == 5
    assert not ledger.is_empty()


def test_a_random_is_taken_within_its_conversation_whatever_the_state(ledger: Ledger) -> None:
    for number, state in enumerate(STATES):
        bring(ledger, state, key=f"k{number}", random=number + 1)
    bring(ledger, DELIVERED, key="other", random=99, conversation="group:h")
    assert ledger.taken_randoms(G, [1, 2, 3, 4, 5, 6, 7, 99]) == {1, 2, 3, 4, 5, 6}


def test_who_is_there_is_told_by_name_whatever_else_has_that_number(ledger: Ledger) -> None:
    for number, state in enumerate(STATES):
        bring(ledger, state, key=f"k{number}", random=number + 1, slot=10 + number, sender=state)
    bring(ledger, DELIVERED, key="other", random=99, conversation="group:h")
    there = {(state, number + 1, 10 + number) for number, state in enumerate(STATES)
             if state in (DELIVERED, WITHDRAWN)}  # fmt: skip
    assert ledger.names_there(G, [1, 2, 3, 4, 5, 6, 7, 99]) == there
    assert ledger.names_there(G, []) == set()


def test_sequences_are_told_by_slot(ledger: Ledger) -> None:
    for key, slot, sequence in (("a", 5, 0), ("b", 5, 256), ("c", 6, 1), ("d", 7, None)):
        bring(ledger, INTENT, key=key, slot=slot, sequence=sequence)
    bring(ledger, INTENT, key="e", slot=5, sequence=512, conversation="group:h")
    assert ledger.sequences_by_slot(G, [5, 6, 7, 8]) == {5: {0, 256}, 6: {1}, 7: {0}}


def test_delivered_places_come_oldest_first_by_the_contracts_order(ledger: Ledger) -> None:
    places = [
        (7000, "0000001", "ada"), (5000, "1\uffff", "bob"), (5000, "1é", "cid"), (5000, "0000001", "dee"),
        (5000, "1\U00010000", "fay"), (4999, "1z", "eve"),
    ]  # fmt: skip
    for number, (sent, order, sender) in enumerate(places):
        bring(ledger, DELIVERED, key=str(number), sent_at_ms=sent, order_key=order, sender=sender)
    bring(ledger, INTENT, key="not-yet", sent_at_ms=6000)
    told = [*ledger.delivered_places(G, 5000)]
    assert [sender for *_, sender in told] == ["dee", "cid", "bob", "fay", "ada"]
    assert told[-1] == (7000, "0000001", "ada")
    assert ledger.delivered_count(G) == 6


# --- frontiers ----------------------------------------------------------------------------------


def test_a_frontier_is_written_over_as_a_whole(ledger: Ledger) -> None:
    first = Stream(
        newest_sent_ms=5000, newest_order="0", newest_slot=5, confirmed_sequence=3, foreign_slot=9
    )
    ledger.advance(G, [deliver(delivery())], stream=first)
    assert ledger.streams([G]) == {G: first}
    ledger.advance(G, [], stream=Stream())
    assert ledger.streams([G]) == {G: Stream()}


def test_a_frontier_stays_where_none_is_given(ledger: Ledger) -> None:
    ledger.advance(G, [], stream=Stream(newest_slot=5))
    ledger.advance(G, [deliver(delivery())])
    assert ledger.streams([G])[G].newest_slot == 5


# --- identities, accounts, groups, members ------------------------------------------------------


def test_a_target_id_is_kept_for_ever(ledger: Ledger) -> None:
    ledger.assign_identities("user", {"ü": "m1", "a": "a"})
    ledger.assign_identities("user", {"ü": "other", "b": "b"})
    ledger.assign_identities("group", {"ü": "m1"})
    ledger.assign_identities("user", {})
    assert ledger.identities("user") == {"ü": "m1", "a": "a", "b": "b"}
    assert ledger.identities("group") == {"ü": "m1"}


def test_two_legacy_ids_never_share_a_target_id(ledger: Ledger) -> None:
    ledger.assign_identities("user", {"a": "x"})
    with pytest.raises(IntegrityError):
        ledger.assign_identities("user", {"c": "c", "b": "x"})
    assert ledger.identities("user") == {"a": "x"}


def test_accounts_take_their_last_state(ledger: Ledger) -> None:
    ledger.record_accounts({"a": "h1", "b": "h2"}, EntityState.INTENT, "r1")
    ledger.record_accounts({"a": "h3"}, EntityState.REJECTED, "r2", "refused")
    ledger.record_accounts({}, EntityState.CREATED, "r3")
    assert ledger.accounts() == {
        "a": (EntityState.REJECTED, "h3", "refused", "r2"),
        "b": (EntityState.INTENT, "h2", "", "r1"),
    }


def group(**changes: Any) -> GroupRecord:
    fields: dict[str, Any] = {
        "conversation": G, "group_id": "g", "type": "public", "created_s": 100,
        "state": EntityState.INTENT, "run_id": "r1",
    }  # fmt: skip
    return GroupRecord(**fields | changes)


def test_a_group_keeps_its_creation_time_and_its_mark(ledger: Ledger) -> None:
    ledger.record_group(group(unread_dirty=True))
    changed = group(
        created_s=1, state=EntityState.CREATED, reason="x", written_hash="h", run_id="r2"
    )
    ledger.record_group(changed)
    assert ledger.groups() == {
        G: msgspec.structs.replace(changed, created_s=100, unread_dirty=True)
    }


def test_a_group_that_is_recorded_anew_takes_creation_time_and_mark(ledger: Ledger) -> None:
    ledger.record_group(group(state=EntityState.INTENT, created_s=5, unread_dirty=False))
    ledger.record_group(group(created_s=9, unread_dirty=True), anew=True)
    known = ledger.group(G)
    assert known is not None
    assert (known.created_s, known.unread_dirty) == (9, True)


def test_topics_stand_beside_their_group_and_share_no_id(ledger: Ledger) -> None:
    ledger.record_group(group())
    ledger.record_group(group(conversation="topic:g/t", topic_id="t"))
    with pytest.raises(IntegrityError):
        ledger.record_group(group(conversation="group:copy"))
    assert set(ledger.groups()) == {G, "topic:g/t"}


def test_members_are_kept_by_group(ledger: Ledger) -> None:
    ledger.record_members("g", {"a": "owner", "b": "member"}, EntityState.CREATED, "r1")
    ledger.record_members("h", {"a": "member"}, EntityState.CREATED, "r1")
    ledger.record_members("g", {"b": "member"}, EntityState.REJECTED, "r2", "full")
    assert ledger.members("g") == {
        "a": (EntityState.CREATED, "", "r1"),
        "b": (EntityState.REJECTED, "full", "r2"),
    }
    assert ledger.members("none") == {}


def test_members_of_several_groups_are_read_at_once_with_their_roles(ledger: Ledger) -> None:
    ledger.record_members("g", {"a": "owner", "b": "member"}, EntityState.CREATED, "r1")
    ledger.record_members("h", {"a": "admin"}, EntityState.LEFT, "r2", "removed")
    assert ledger.members_of(["g", "h", "none"]) == {
        "g": {
            "a": MemberRecord(state=EntityState.CREATED, role="owner", run_id="r1"),
            "b": MemberRecord(state=EntityState.CREATED, role="member", run_id="r1"),
        },
        "h": {
            "a": MemberRecord(state=EntityState.LEFT, role="admin", reason="removed", run_id="r2")
        },
        "none": {},
    }
    assert ledger.members_of([]) == {}


def test_a_role_is_written_without_touching_anything_else_of_a_member(ledger: Ledger) -> None:
    ledger.record_members("g", {"a": "owner", "b": "member"}, EntityState.ADOPTED, "r1", "why")
    ledger.record_roles("g", {"a": "", "b": "owner", "stranger": "admin"})
    ledger.record_roles("g", {})
    kept = {"state": EntityState.ADOPTED, "reason": "why", "run_id": "r1"}
    assert ledger.members_of(["g"])["g"] == {
        "a": MemberRecord(role="", **kept),
        "b": MemberRecord(role="owner", **kept),
    }


def test_forgotten_unread_counts_mark_the_group_and_leave_the_others(ledger: Ledger) -> None:
    ledger.record_group(group())
    ledger.record_positions(
        [ReadPosition(group_id="g", account_id=each, first_unread_ms=None) for each in "ab"]
    )
    ledger.record_unread_counts("g", {"a": 3, "b": 4}, "r1")
    ledger.clean(G)
    ledger.forget_unread(G, "g", [])
    assert not ledger.groups()[G].unread_dirty
    ledger.forget_unread(G, "g", ["a"])
    assert ledger.groups()[G].unread_dirty
    counts = {each.account_id: each.unread_set for each in ledger.positions("g")}
    assert counts == {"a": UNREAD_UNKNOWN, "b": 4}


# --- unread -------------------------------------------------------------------------------------


def position(account: str, **changes: Any) -> ReadPosition:
    fields: dict[str, Any] = {"group_id": "g", "account_id": account, "first_unread_ms": 5000}
    return ReadPosition(**fields | changes)


def test_an_import_that_begins_makes_the_counts_of_its_group_unknown(ledger: Ledger) -> None:
    ledger.record_group(group())
    ledger.record_positions([position("a"), position("b"), position("a", group_id="h")])
    for account in "ab":
        ledger.record_unread("g", account, 7, "r1")
    ledger.record_unread("h", "a", 7, "r1")
    ledger.advance(G, [intend(delivery(), "r2")], dirty=True)
    assert ledger.groups()[G].unread_dirty
    assert [each.unread_set for each in ledger.positions("g")] == [UNREAD_UNKNOWN, UNREAD_UNKNOWN]
    assert [each.unread_set for each in ledger.positions("h")] == [7]


def test_a_message_that_landed_makes_unknown_counts_zero(ledger: Ledger) -> None:
    ledger.record_group(group())
    ledger.record_positions([position("a"), position("b")])
    ledger.record_unread("g", "a", 7, "r1")
    ledger.advance(G, [], dirty=True)
    ledger.advance(G, [], landed=True)
    assert [each.unread_set for each in ledger.positions("g")] == [0, 0]


def test_a_count_that_was_set_under_the_mark_is_unknown_once_more_messages_are_sent(
    ledger: Ledger,
) -> None:
    ledger.record_group(group())
    ledger.record_positions([position("a")])
    ledger.advance(G, [], dirty=True)
    ledger.record_unread("g", "a", 3, "r2")
    ledger.advance(G, [], dirty=True)
    assert ledger.positions("g")[0].unread_set == UNREAD_UNKNOWN


def test_the_mark_goes_when_every_count_is_set_and_comes_back(ledger: Ledger) -> None:
    ledger.record_group(group())
    ledger.record_group(group(conversation="group:h", group_id="h", unread_dirty=True))
    ledger.record_positions([position("a")])
    ledger.advance(G, [], dirty=True)
    ledger.record_unread("g", "a", 3, "r1")
    ledger.clean(G)
    assert {name: each.unread_dirty for name, each in ledger.groups().items()} == {
        G: False, "group:h": True,
    }  # fmt: skip
    ledger.advance(G, [], dirty=True)
    assert ledger.groups()[G].unread_dirty
    assert ledger.positions("g")[0].unread_set == UNREAD_UNKNOWN


def test_moves_without_messages_leave_the_mark_off(ledger: Ledger) -> None:
    ledger.record_group(group())
    ledger.advance(G, [reject(delivery(), code=1, reason="x")])
    there = bring(ledger, DELIVERED, key="there")
    ledger.advance(G, [VERBS["change"](there)])
    ledger.advance(G, [VERBS["refuse_change"](there)])
    assert not ledger.groups()[G].unread_dirty


def test_a_withdrawal_asks_for_a_recount_and_leaves_what_the_target_was_told(
    ledger: Ledger,
) -> None:
    ledger.record_group(group())
    ledger.record_group(group(conversation="group:h", group_id="h"))
    ledger.record_positions([position("a")])
    ledger.record_unread("g", "a", 3, "r1")
    ledger.clean(G)
    bring(ledger, WITHDRAWN)
    assert {name: each.unread_dirty for name, each in ledger.groups().items()} == {
        G: True, "group:h": False,
    }  # fmt: skip
    assert ledger.positions("g")[0].unread_set == 3


def test_a_withdrawn_part_counts_for_nobody_and_keeps_its_place(ledger: Ledger) -> None:
    bring(ledger, DELIVERED, key="seen", sequence=3)
    bring(ledger, WITHDRAWN, key="gone", part=0, sequence=4)
    assert [sender for *_, sender in ledger.delivered_places(G, 0)] == ["ada"]
    assert ledger.delivered_count(G) == 1
    assert ledger.taken_randoms(G, [7]) == {7}
    assert ledger.count_unresolved() == 0


def test_an_undone_batch_leaves_the_counts(ledger: Ledger) -> None:
    ledger.record_group(group())
    ledger.record_positions([position("a")])
    ledger.record_unread("g", "a", 3, "r1")
    ledger.clean(G)
    done = bring(ledger, DELIVERED)
    with pytest.raises(IllegalMoveError):
        ledger.advance(G, [intend(done, "r2")], dirty=True)
    assert (ledger.groups()[G].unread_dirty, ledger.positions("g")[0].unread_set) == (False, 3)


def test_a_group_that_the_ledger_does_not_know_cannot_be_marked(ledger: Ledger) -> None:
    ledger.advance(G, [intend(delivery(), "r")], dirty=True)
    ledger.clean(G)
    assert ledger.groups() == {}


def test_the_counts_of_many_members_are_recorded_at_once(ledger: Ledger) -> None:
    ledger.record_positions([position("ada"), position("bob"), position("cid")])
    ledger.record_unread_counts("g", {"ada": 4, "cid": UNREAD_UNKNOWN, "nobody": 1}, "r7")
    told = {each.account_id: (each.unread_set, each.run_id) for each in ledger.positions("g")}
    assert told == {"ada": (4, "r7"), "bob": (0, ""), "cid": (UNREAD_UNKNOWN, "r7")}
    ledger.record_unread_counts("g", {}, "r8")
    assert {each.run_id for each in ledger.positions("g")} == {"r7", ""}


def test_it_is_known_whether_a_conversation_has_parts_rejected_for_a_reason(
    ledger: Ledger,
) -> None:
    ledger.advance(G, [reject(delivery(), code=None, reason="blocked")])
    assert ledger.has_rejected(G, "blocked")
    assert not ledger.has_rejected(G, "other")
    assert not ledger.has_rejected("group:h", "blocked")
    ledger.advance(G, [intend(delivery(), "r2")])
    assert not ledger.has_rejected(G, "blocked")


def test_a_run_without_a_window_completes_none(ledger: Ledger) -> None:
    ledger.begin_run("r1", "slack", None, None)
    ledger.finish_run("r1", complete=True, source_name="slack", window=None)
    with ledger.database.reading() as connection:
        assert connection.execute(select(schema.windows)).all() == []
        assert [row.state for row in connection.execute(select(schema.runs))] == ["complete"]


def test_a_new_position_leaves_what_the_target_was_told(ledger: Ledger) -> None:
    ledger.record_positions([position("b"), position("a", first_unread_order="1x")])
    ledger.record_unread("g", "a", 3, "r1")
    ledger.record_positions([position("a", first_unread_ms=None, unread_set=9, run_id="r9")])
    assert ledger.positions("g") == [
        position("a", first_unread_ms=None, unread_set=3, run_id="r1"),
        position("b"),
    ]


# --- runs ---------------------------------------------------------------------------------------


def test_a_complete_run_completes_its_window(ledger: Ledger, clock: HandClock) -> None:
    ledger.begin_run("r1", "slack", 0, 5000)
    clock.move(60)
    ledger.begin_run("r1", "slack", 0, 9999)
    ledger.finish_run("r1", complete=True, source_name="slack", window=(0, 5000))
    ledger.begin_run("r2", "slack", None, None)
    ledger.finish_run("r2", complete=False, source_name="slack", window=(None, None))
    with ledger.database.reading() as connection:
        windows = connection.execute(select(schema.windows)).all()
    assert [tuple(each) for each in windows] == [
        (ledger.app_id, "slack", "r1", 0, 5000, START_MS + 60_000)
    ]
    lines = {each.run_id: (each.state, each.seconds) for each in overview(ledger).runs}
    assert lines == {"r1": ("complete", "60"), "r2": ("incomplete", "0")}


def test_an_overview_counts_what_is_there(ledger: Ledger) -> None:
    bring(ledger, IN_DOUBT)
    ledger.record_group(group())
    told = overview(ledger)
    assert told.counts == {
        "accounts": {}, "groups": {"intent": 1}, "members": {}, "messages": {"in_doubt": 1},
    }  # fmt: skip
    assert told.unresolved == 1


def test_apps_share_a_database_and_nothing_else(ledger_url: str, ledger: Ledger) -> None:
    bring(ledger, INTENT)
    ledger.record_group(group())
    ledger.advance(G, [], stream=Stream(newest_slot=5))
    with Ledger.open(ledger_url, "tencent:2") as other:
        assert other.is_empty()
        assert (known(other), other.groups(), other.streams([G])) == ([], {}, {})
        assert (other.unresolved(G), other.taken_randoms(G, [7])) == ([], set())
        bring(other, DELIVERED)
    assert known(ledger)[0].state is INTENT


# --- many writers, many processes, crashes ------------------------------------------------------


def test_everything_that_many_threads_write_is_there(ledger_url: str, ledger: Ledger) -> None:
    def write(thread: int) -> None:
        for number in range(12):
            ledger.advance(G, [intend(delivery(f"{thread}-{number}"), "r")])
            assert known(ledger, f"{thread}-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    ledger.close()
    with Ledger.open(ledger_url, "tencent:1") as again:
        assert again.count_unresolved() == 96


def waiting_together(ledger: Ledger, verbs: list[Callable[[], object]]) -> list[object]:
    """Have several threads wait with one verb each for the next transaction; return what each got."""
    begun, go, results = threading.Event(), threading.Event(), [None] * len(verbs)

    def run(place: int) -> None:
        try:
            results[place] = verbs[place]()
        except Exception as error:
            results[place] = error

    def hold(_: object) -> None:
        begun.set()
        go.wait(10)

    first = threading.Thread(target=ledger.database.write, args=(hold,))
    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(verbs))]
    first.start()
    begun.wait(10)
    for thread in threads:
        thread.start()
    while len(ledger.database._waiting) < len(verbs):
        first.join(0.001)
    go.set()
    for thread in (first, *threads):
        thread.join()
    return results


def test_verbs_that_wait_together_are_committed_together(ledger: Ledger) -> None:
    commits: list[object] = []
    event.listen(ledger.database._writer, "commit", commits.append)
    verbs = [lambda n=n: ledger.advance(G, [intend(delivery(str(n)), "r")]) for n in range(20)]
    assert waiting_together(ledger, verbs) == [None] * 20
    assert ledger.count_unresolved() == 20
    assert len(commits) == 2


def test_a_bad_verb_does_not_spoil_its_neighbours(ledger: Ledger) -> None:
    done = bring(ledger, DELIVERED)
    good = [lambda n=n: ledger.advance(G, [intend(delivery(str(n)), "r")]) for n in range(6)]
    bad = [
        lambda: ledger.advance(G, [intend(done, "r")]),
        lambda: ledger.record_group(group(group_id=None)),
        lambda: ledger.database.write(lambda _: 1 / 0),
    ]
    results = waiting_together(ledger, [*good[:3], *bad, *good[3:]])
    assert [type(each).__name__ for each in results] == [
        *["NoneType"] * 3, "IllegalMoveError", "IntegrityError", "ZeroDivisionError", *["NoneType"] * 3,
    ]  # fmt: skip
    assert ledger.count_unresolved() == 6
    assert known(ledger) == [done]


def test_a_verb_returns_what_it_found(ledger: Ledger) -> None:
    counted = ledger.database.write(
        lambda connection: connection.scalar(select(func.count()).select_from(schema.apps))
    )
    assert counted == 1


WRITER = f"""
import sys, time
sys.path[:0] = [{INCLUDE!r}]
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.moves import intend
from chat_migration.ledger.records import Delivery
with Ledger.open(sys.argv[1], "tencent:1") as ledger:
    for number in range(int(sys.argv[2])):
        row = Delivery(message_key=f"theirs-{{number}}", part=0, parts=1, conversation="group:g", sender="s",
            sent_at_ms=1, order_key="", slot=1, random=1, source_hash="", render_version=1, run_id="r")
        ledger.advance("group:g", [intend(row, "r")])
        print(row.message_key, flush=True)
"""


def another_process(url: str, rows: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, url, str(rows)], stdout=subprocess.PIPE, text=True
    )


def test_two_processes_write_to_one_ledger(ledger_url: str, ledger: Ledger) -> None:
    with another_process(ledger_url, 40) as other:
        for number in range(40):
            ledger.advance(G, [intend(delivery(f"ours-{number}"), "r")])
        told = other.stdout.read().split() if other.stdout else []
    assert other.returncode == 0
    assert len(told) == 40
    assert ledger.count_unresolved() == 80


def test_what_a_killed_process_was_told_is_there_is_there(ledger_url: str) -> None:
    with another_process(ledger_url, 100_000) as other:
        assert other.stdout
        told = [other.stdout.readline().strip() for _ in range(25)]
        other.send_signal(signal.SIGKILL)
        told += other.stdout.read().split()
    with Ledger.open(ledger_url, "tencent:1") as ledger:
        found = ledger.deliveries(told)
        assert {parts[0].state for parts in found.values()} == {INTENT}
        assert len(found) == len(told) >= 25
        assert ledger.count_unresolved() - len(told) <= 1


def test_a_closed_ledger_refuses_and_loses_nothing(ledger_url: str, ledger: Ledger) -> None:
    bring(ledger, IN_DOUBT)
    ledger.close()
    ledger.close()
    with pytest.raises(StoppedError, match="closed"):
        ledger.advance(G, [])
    with Ledger.open(ledger_url, "tencent:1") as again:
        assert [each.state for each in again.unresolved(G)] == [IN_DOUBT]


def test_stages_side_by_side_share_one_open_ledger(ledger_url: str, clock: HandClock) -> None:
    with shared_ledger(ledger_url, "tencent:1", clock=clock) as one:
        with shared_ledger(ledger_url, "tencent:1", clock=clock) as other:
            assert other is one
        bring(one, INTENT)
        with shared_ledger(ledger_url, "tencent:2", clock=clock) as third:
            assert third is not one
    with pytest.raises(StoppedError):
        one.advance(G, [])
    with shared_ledger(ledger_url, "tencent:1", clock=clock) as fresh:
        assert known(fresh)[0].state is INTENT


# --- versions -----------------------------------------------------------------------------------


def store_version(ledger: Ledger, name: str, value: int) -> None:
    ledger.database.write(
        lambda connection: connection.execute(
            update(schema.meta).where(schema.meta.c.name == name).values(value=str(value))
        )
    )
    ledger.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("schema_version", schema.SCHEMA_VERSION + 1, id="newer-schema"),
        pytest.param("key_version", KEY_VERSION + 1, id="newer-keys"),
        pytest.param("key_version", KEY_VERSION - 1, id="older-keys"),
    ],
)
def test_a_ledger_of_another_version_is_refused_untouched(
    ledger_url: str, ledger: Ledger, name: str, value: int
) -> None:
    store_version(ledger, name, value)
    for _ in range(2):
        with pytest.raises(UsageError, match=f"{value}.*Use the version of chat-migration"):
            Ledger.open(ledger_url, "tencent:1")


def test_an_older_schema_is_brought_up_to_date_once(
    ledger_url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    current = schema.SCHEMA_VERSION
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", current + 2)
    monkeypatch.setitem(migrations.STEPS, current, lambda _: steps.append("first"))
    monkeypatch.setitem(migrations.STEPS, current + 1, lambda _: steps.append("second"))
    ledger.close()
    for _ in range(2):
        Ledger.open(ledger_url, "tencent:1").close()
    assert steps == ["first", "second"]


def test_a_step_that_fails_leaves_the_old_schema(
    ledger_url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(connection: Any) -> None:
        connection.execute(insert(schema.meta), [{"name": "half", "value": "1"}])
        raise ZeroDivisionError

    ledger.close()
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
        patched.setitem(migrations.STEPS, schema.SCHEMA_VERSION, half)
        with pytest.raises(ZeroDivisionError):
            Ledger.open(ledger_url, "tencent:1")
    with Ledger.open(ledger_url, "tencent:1") as again, again.database.reading() as connection:
        names = set(connection.scalars(select(schema.meta.c.name)))
    assert names == {"schema_version", "key_version"}


def lay_old(ledger_url: str, version: int) -> None:
    """Write a ledger as an older version left it."""
    kept = 3 if version == 3 else 1
    script = (Path(__file__).parent / f"ledger_v{kept}.sql").read_text(encoding="utf-8")
    if ledger_url.startswith("sqlite"):
        file = Path(str(make_url(ledger_url).database))
        file.parent.mkdir(exist_ok=True)
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(script)
    else:
        script = script.replace(" WITHOUT ROWID", "").replace(
            "id INTEGER NOT NULL, name", "id SERIAL, name"
        )
        if kept == 3:
            script = script.replace(" TEXT", ' TEXT COLLATE "C"')
        with postgresql.connect(ledger_url) as server:
            server.execute(script)
    if version == 2:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(migrations, "SCHEMA_VERSION", 2)
            Ledger.open(ledger_url, "tencent:1").close()


def shape_of(ledger: Ledger) -> dict[str, Any]:
    """Return columns with their types, keys and indexes of each table."""

    def read(connection: Any) -> dict[str, Any]:
        there = inspect(connection)
        return {
            name: (
                {each["name"]: (str(each["type"]), each["nullable"]) for each in there.get_columns(name)},
                there.get_pk_constraint(name)["constrained_columns"],
                {each["name"]: each["column_names"] for each in there.get_indexes(name)},
            )
            for name in schema.metadata.tables
        }  # fmt: skip

    return ledger.database.read(read)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_ledger_of_an_older_version_keeps_everything(ledger_url: str, version: int) -> None:
    lay_old(ledger_url, version)
    for _ in range(2):
        with Ledger.open(ledger_url, "tencent:1") as ledger:
            assert ledger.identities("user") == {"Ä": "m1", "a": "a"}
            assert ledger.groups()[G].unread_dirty
            assert ledger.streams([G])[G].confirmed_sequence == 11
            assert [order for _, order, _ in ledger.delivered_places(G, 0)] == ["1B", "1b"]
            assert [each.message_key for each in ledger.unresolved(G)] == ["k3"]
            assert {each.side for key in ("k1", "k2", "k3") for each in known(ledger, key)} == {""}
            assert (ledger.delivered_count(G), ledger.count_unresolved()) == (2, 1)
            versions = ledger.database.read(lambda it: it.execute(select(schema.meta)).all())
            shape = shape_of(ledger)
        assert dict(tuple(each) for each in versions)["schema_version"] == str(
            schema.SCHEMA_VERSION
        )
    with postgresql_or_file(ledger_url) as fresh_url, Ledger.open(fresh_url, "tencent:1") as fresh:
        assert shape == shape_of(fresh)


def test_the_fourth_version_keeps_every_field_of_a_delivery(ledger_url: str) -> None:
    lay_old(ledger_url, 3)
    endings: list[dict[str, Any]] = [
        {"state": WITHDRAWN},
        {"state": REJECTED, "code": -5, "reason": "no"},
    ]
    with Ledger.open(ledger_url, "tencent:1") as ledger:
        assert ledger.deliveries(["k2", "k4"]) == {
            "k2": [
                delivery(
                    "k2", sender="bob", order_key="1B", slot=6, sequence=12, random=8, state=DELIVERED,
                    attempts=1, changed_run_id="r2",
                )
            ],
            "k4": [
                delivery(
                    "k4", part, parts=2, conversation="direct:a/b", sender="a", recipient="b", sent_at_ms=7000,
                    order_key="1d", slot=7, sequence=256 + part, random=9, attempts=2, late=True, **ending,
                )
                for part, ending in enumerate(endings)
            ],
        }  # fmt: skip
        assert known(ledger, "k3")[0].code == 3_000_000_000
        assert [each.message_key for each in ledger.deferred("slack")] == ["k9"]
        ledger.advance("direct:a/b", [intend(known(ledger, "k4")[1], "r3")])
        copy = delivery("k5", side="sender")
        ledger.advance(G, [deliver(copy), deliver(msgspec.structs.replace(copy, side="recipient"))])
        assert [each.side for each in known(ledger, "k5")] == ["recipient", "sender"]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_step_that_fails_late_leaves_the_older_ledger_as_it_was(
    ledger_url: str, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_old(ledger_url, version)
    step = migrations.STEPS[3]

    def fail_late(connection: Any) -> None:
        step(connection)
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setitem(migrations.STEPS, 3, fail_late)
        with pytest.raises(ZeroDivisionError):
            Ledger.open(ledger_url, "tencent:1")
    with Ledger.open(ledger_url, "tencent:1") as ledger:
        assert [each.message_key for each in ledger.unresolved(G)] == ["k3"]


@pytest.mark.parametrize("analysed", [False, True], ids=["never-analysed", "analysed"])
def test_an_upgraded_file_needs_no_analysis_either(file: Path, *, analysed: bool) -> None:
    url = f"sqlite:///{file}"
    lay_old(url, 3)
    if analysed:
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("ANALYZE")
    with Ledger.open(url, "tencent:1") as ledger:
        fill(ledger, 120, 60)
        assert_no_table_is_read(ledger)


@contextmanager
def postgresql_or_file(url: str) -> Iterator[str]:
    """Give the URL of another empty ledger of the same kind."""
    if url.startswith("sqlite"):
        yield url.replace("ledger.sqlite", "fresh.sqlite")
        return
    with postgresql.new_schema(url) as fresh:
        yield fresh


# --- questions about one conversation ------------------------------------------------------------


BIG = ("deliveries", "members", "read_positions")
"""The tables that :func:`fill` makes so large that no planner has a good reason to read them."""


def fill(ledger: Ledger, conversations: int, each: int) -> None:
    """Write many conversations of some messages, members and read positions each."""
    names = [f"group:{number}" for number in range(conversations)]
    ledger.upsert(
        schema.deliveries,
        [
            row_of(
                delivery(
                    f"{name}-{number}", conversation=name, slot=number, random=number,
                    state=INTENT if number < 2 else DELIVERED,
                )
            )
            | {"updated_at_ms": 1}
            for name in names
            for number in range(each)
        ],
    )  # fmt: skip
    ledger.upsert(
        schema.streams,
        [{"conversation": name, **msgspec.structs.asdict(Stream())} for name in names],
    )
    ledger.upsert(
        schema.groups,
        [
            msgspec.structs.asdict(group(conversation=name, group_id=name, unread_dirty=0))
            for name in names
        ],
    )
    ledger.record_positions(
        [position(f"m{number}", group_id=name) for name in names for number in range(8)]
    )
    ledger.upsert(
        schema.members,
        [
            {"group_id": name, "account_id": f"m{number}", "state": "created", "role": "", "reason": "",
             "run_id": "r"}
            for name in names
            for number in range(8)
        ],
    )  # fmt: skip


def ask_about_one(ledger: Ledger, name: str) -> None:
    """Use every verb that concerns one conversation or a few messages."""
    known = ledger.deliveries([f"{name}-{number}" for number in range(7)])
    ledger.unresolved(name)
    ledger.taken_randoms(name, range(7))
    ledger.names_there(name, range(7))
    ledger.sequences_by_slot(name, range(7))
    ledger.streams([name])
    ledger.members(name)
    ledger.positions(name)
    list(ledger.delivered_places(name, 0))
    list(ledger.newest_places(name))
    ledger.delivered_count(name)
    ledger.rows_before([name], 3)
    ledger.first_free_slot(name, 0)
    ledger.first_free_slot(name, 0, side="sender")
    ledger.record_unread(name, "m1", 1, "r")
    ledger.clean(name)
    open_one = known[f"{name}-0"][0]
    ledger.advance(
        name, [doubt(open_one, code=1, reason="")], stream=Stream(), dirty=True, landed=True
    )
    ledger.advance(name, [deliver(open_one, sequence=1)])


def test_a_question_about_one_conversation_never_reads_a_whole_table(ledger: Ledger) -> None:
    fill(ledger, 120, 60)
    ledger.database.write(lambda it: it.exec_driver_sql("ANALYZE"))
    assert_no_table_is_read(ledger)


def test_a_new_file_needs_no_analysis_for_that(sqlite_ledger: Ledger) -> None:
    fill(sqlite_ledger, 120, 60)
    assert_no_table_is_read(sqlite_ledger)


def assert_no_table_is_read(ledger: Ledger) -> None:
    """Have the database explain each statement of those verbs: all use an index, beyond its first column."""
    asked: dict[str, Any] = {}

    def note(_c: Any, _k: Any, statement: str, given: Any, _x: Any, many: bool) -> None:
        asked[statement] = given[0] if many else given

    engines = (ledger.database.engine, ledger.database._writer)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    ask_about_one(ledger, "group:7")
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)
    is_sqlite = ledger.database.engine.dialect.name == "sqlite"
    plans = {}
    with ledger.database._writer.connect() as connection:
        for statement, given in asked.items():
            if statement.split()[0] in ("SELECT", "UPDATE", "INSERT", "DELETE"):
                explain = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN "
                rows = connection.exec_driver_sql(explain + statement, given).all()
                plans[statement] = [str(row[-1]) for row in rows]
        connection.rollback()
    assert len(plans) > 12
    whole = re.compile(rf"(SCAN|Seq Scan on) ({'|'.join(BIG)})\b")
    by_app_alone = re.compile(r"\(app_id=\?\)|Index Cond: \(app_id = \d+\)$")
    guilty = {
        statement: plan
        for statement, plan in plans.items()
        if any(whole.search(line) or by_app_alone.search(line) for line in plan)
    }
    assert guilty == {}


# --- opening ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "mysql://me:hunter2@host/db", "sqlite://", "sqlite:///:memory:",
     "postgresql+psycopg://me:hunter2@host:port/db", "oracle+x://me:hunter2@host/db"],
)  # fmt: skip
def test_a_url_that_no_ledger_can_have_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(
        UsageError, match="CHAT_MIGRATION_LEDGER_URL.*sqlite:.*postgresql"
    ) as raised:
        Ledger.open(url, "tencent:1")
    assert "hunter2" not in "".join(traceback.format_exception(raised.value))


def lay_text(file: Path) -> None:
    file.write_text("this is no database, whatever its name says" * 40)


def lay_folder(file: Path) -> None:
    file.mkdir()


def lay_parent(file: Path) -> None:
    file.parent.rmdir()
    file.parent.write_text("a file where a folder is needed")


def lay_strange_tables(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE groups (name TEXT)")
        connection.commit()


def lay_strange_meta(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE meta (key TEXT)")
        connection.commit()


def lay_empty_meta(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE meta (name TEXT, value TEXT)")
        connection.commit()


@pytest.mark.parametrize(
    "lay",
    [lay_text, lay_folder, lay_parent, lay_strange_tables, lay_strange_meta, lay_empty_meta],
)
def test_what_is_no_ledger_is_refused_as_it_is(tmp_path: Path, lay: Callable[[Path], None]) -> None:
    file = tmp_path / "home" / "ledger.sqlite"
    file.parent.mkdir()
    lay(file)
    before = tables_of(file)
    with pytest.raises(UsageError) as raised:
        Ledger.open(f"sqlite:///{file}", "tencent:1")
    assert "sqlalche" not in str(raised.value)
    assert tables_of(file) == before


def tables_of(file: Path) -> list[tuple[str]]:
    """Return the tables of a file, if it is a database."""
    if not file.is_file():
        return []
    with closing(sqlite3.connect(file)) as connection, suppress(sqlite3.DatabaseError):
        return connection.execute("SELECT name FROM sqlite_master").fetchall()
    return []


def test_a_database_of_others_is_refused_as_it_is(postgresql_url: str) -> None:
    with postgresql.connect(postgresql_url) as connection:
        connection.execute("CREATE TABLE groups (name TEXT)")
    with pytest.raises(UsageError, match="`groups`.*a database of its own"):
        Ledger.open(postgresql_url, "tencent:1")


# --- SQLite -------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "ledger.sqlite"


@pytest.fixture
def sqlite_ledger(file: Path) -> Any:
    with Ledger.open(f"sqlite:///{file}", "tencent:1") as opened:
        yield opened


def test_files_of_a_new_ledger_are_its_owners_alone(sqlite_ledger: Ledger, file: Path) -> None:
    bring(sqlite_ledger, INTENT)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in file.parent.iterdir()}
    assert modes == dict.fromkeys(
        ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"], 0o600
    )
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_plain_sql_shell_reads_an_open_ledger(sqlite_ledger: Ledger, file: Path) -> None:
    bring(sqlite_ledger, IN_DOUBT)
    shell = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    rows = shell.execute(
        "SELECT apps.name, conversation, message_key, state, slot FROM deliveries"
        " JOIN apps ON apps.id = deliveries.app_id"
    ).fetchall()
    versions = dict(shell.execute("SELECT name, value FROM meta").fetchall())
    shell.close()
    assert rows == [("tencent:1", "group:g", "k", "in_doubt", 5)]
    assert versions == {
        "schema_version": str(schema.SCHEMA_VERSION), "key_version": str(KEY_VERSION),
    }  # fmt: skip


@pytest.mark.parametrize("engine", ["engine", "_writer"], ids=["readers", "writer"])
def test_commits_reach_the_disk_before_a_verb_returns(sqlite_ledger: Ledger, engine: str) -> None:
    with getattr(sqlite_ledger.database, engine).connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2


def test_a_reader_sees_one_state_while_others_write(sqlite_ledger: Ledger) -> None:
    bring(sqlite_ledger, INTENT)
    counted = select(func.count()).select_from(schema.deliveries)
    with sqlite_ledger.database.reading() as connection:
        before = connection.scalar(counted)
        bring(sqlite_ledger, INTENT, key="another")
        assert (before, connection.scalar(counted)) == (1, 1)
    assert sqlite_ledger.count_unresolved() == 2
