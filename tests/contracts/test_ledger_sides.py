"""What every ledger promises where each participant of a one-to-one message has a copy, and of slots."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event
from tests.contracts.test_ledger import (
    DELIVERED,
    IN_DOUBT,
    INTENT,
    PLANNED,
    REJECTED,
    STATES,
    VERBS,
    WITHDRAWN,
    G,
    delivery,
    known,
)

from chat_migration.ledger.ledger import IllegalMoveError, Ledger
from chat_migration.ledger.moves import deliver, intend
from chat_migration.ledger.overview import overview
from chat_migration.ledger.records import RECIPIENT, SENDER, SIDES, Delivery
from chat_migration.ledger.states import DeliveryState

D = "direct:ada/bob"


def copy(key: str = "k", side: str = SENDER, **changes: Any) -> Delivery:
    return delivery(key, **{"conversation": D, "recipient": "bob", "side": side} | changes)


def bring(ledger: Ledger, state: DeliveryState, each: Delivery) -> None:
    """Bring one copy into a state."""
    for verb in STATES[state]:
        ledger.advance(each.conversation, [VERBS[verb](each)])


def bring_both(
    ledger: Ledger,
    key: str,
    states: tuple[DeliveryState | None, DeliveryState | None],
    **changes: Any,
) -> None:
    """Bring the sender's and the recipient's copy into a state each; None: the ledger has not met it."""
    for side, state in zip(SIDES, states, strict=True):
        if state is not None:
            bring(ledger, state, copy(key, side, **changes))


# --- keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("side", SIDES)
def test_a_verb_moves_one_copy_and_leaves_the_other(ledger: Ledger, verb: str, side: str) -> None:
    start = {
        "intend": PLANNED,
        "change": DELIVERED,
        "refuse_change": DELIVERED,
        "withdraw": DELIVERED,
    }
    bring_both(ledger, "k", (start.get(verb, INTENT),) * 2)
    before = {each.side: each for each in known(ledger)}
    ledger.advance(D, [VERBS[verb](before[side])])
    other = RECIPIENT if side == SENDER else SENDER
    assert {each.side: each for each in known(ledger)} == {
        side: VERBS[verb](before[side]).delivery,
        other: before[other],
    }


def test_both_copies_are_written_in_one_batch_and_told_by_part_and_side(ledger: Ledger) -> None:
    rows = [copy(part=part, parts=2, side=side) for part in (1, 0) for side in SIDES]
    ledger.advance(D, [intend(each, "r") for each in rows])
    told = [(each.part, each.side) for each in known(ledger)]
    assert told == [(0, RECIPIENT), (0, SENDER), (1, RECIPIENT), (1, SENDER)]
    assert [(each.part, each.side) for each in ledger.unresolved(D)] == told
    assert known(ledger)[0].pieces == frozenset(told)


def test_one_illegal_move_undoes_the_other_copy_too(ledger: Ledger) -> None:
    bring(ledger, DELIVERED, copy())
    with pytest.raises(IllegalMoveError):
        ledger.advance(D, [intend(copy(side=RECIPIENT), "r"), intend(copy(), "r")])
    assert [each.side for each in known(ledger)] == [SENDER]


def test_a_message_with_one_delivery_for_everybody_writes_one_row(ledger: Ledger) -> None:
    ledger.advance(G, [intend(delivery(parts=2), "r"), deliver(delivery(parts=2))])
    assert [(each.part, each.side) for each in known(ledger)] == [(0, "")]
    assert known(ledger)[0].pieces == {(0, ""), (1, "")}


def test_copies_may_have_slots_and_sequences_of_their_own(ledger: Ledger) -> None:
    for side, slot, sequence in ((SENDER, 5000, 3), (RECIPIENT, 5001, 9)):
        ledger.advance(D, [deliver(copy(side=side, slot=slot), sequence=sequence)])
    assert [(each.slot, each.sequence) for each in known(ledger)] == [(5001, 9), (5000, 3)]
    assert ledger.sequences_by_slot(D, [5000, 5001]) == {5000: {3}, 5001: {9}}


# --- counting messages, not copies ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("states", "delivered"),
    [
        ((DELIVERED, DELIVERED), 1), ((DELIVERED, None), 0), ((None, DELIVERED), 0), ((DELIVERED, INTENT), 0),
        ((REJECTED, DELIVERED), 0), ((DELIVERED, WITHDRAWN), 0), ((WITHDRAWN, WITHDRAWN), 0),
    ],
)  # fmt: skip
def test_a_part_is_delivered_once_both_copies_are(
    ledger: Ledger, states: tuple[DeliveryState | None, DeliveryState | None], delivered: int
) -> None:
    bring_both(ledger, "k", states)
    bring(ledger, DELIVERED, delivery("g"))
    assert ledger.delivered_count(D) == delivered
    assert [*ledger.delivered_places(D, 0, slot_ms=1)] == [(5000, "0", "ada")] * delivered
    assert ledger.delivered_count(G) == 1


@pytest.mark.parametrize(
    ("states", "unresolved"),
    [
        ((INTENT, IN_DOUBT), 1), ((INTENT, None), 1), ((None, IN_DOUBT), 1), ((DELIVERED, IN_DOUBT), 1),
        ((INTENT, PLANNED), 1), ((DELIVERED, DELIVERED), 0), ((REJECTED, PLANNED), 0),
    ],
)  # fmt: skip
def test_a_part_is_unresolved_once_while_either_copy_is(
    ledger: Ledger, states: tuple[DeliveryState | None, DeliveryState | None], unresolved: int
) -> None:
    bring_both(ledger, "k", states)
    assert ledger.count_unresolved() == unresolved
    bring(ledger, INTENT, delivery("g"))
    assert ledger.count_unresolved() == unresolved + 1


@pytest.mark.parametrize(
    ("states", "dealt_with"),
    [
        ((DELIVERED, DELIVERED), 1), ((REJECTED, DELIVERED), 1), ((WITHDRAWN, REJECTED), 1),
        ((DELIVERED, None), 0), ((None, DELIVERED), 0), ((DELIVERED, PLANNED), 0), ((IN_DOUBT, DELIVERED), 0),
    ],
)  # fmt: skip
def test_a_message_is_dealt_with_once_both_copies_are(
    ledger: Ledger, states: tuple[DeliveryState | None, DeliveryState | None], dealt_with: int
) -> None:
    bring_both(ledger, "k", states, parts=2)
    bring_both(ledger, "k", states, parts=2, part=1)
    bring(ledger, DELIVERED, delivery("g"))
    expected = {D: 1} if dealt_with else {}
    assert ledger.rows_before([D, G], 5001) == {G: 1, **expected}
    assert ledger.rows_before([D, G], 5000) == {}


def test_places_name_a_message_once_whichever_copy_there_is(ledger: Ledger) -> None:
    bring_both(ledger, "both", (DELIVERED, DELIVERED), slot=1000)
    bring_both(ledger, "senders", (DELIVERED, None), slot=2000)
    bring_both(ledger, "recipients", (None, DELIVERED), slot=3000)
    bring_both(ledger, "half-withdrawn", (WITHDRAWN, DELIVERED), slot=4000)
    bring_both(ledger, "withdrawn", (WITHDRAWN, WITHDRAWN), slot=5000)
    told = [(slot, key) for slot, _, _, _, key in ledger.newest_places(D)]
    assert told == [
        (4000, "half-withdrawn"),
        (3000, "recipients"),
        (2000, "senders"),
        (1000, "both"),
    ]


def test_places_of_very_many_copies_come_once_each_over_several_pages(ledger: Ledger) -> None:
    rows = [copy(f"{number:04}", side, slot=number // 3) for number in range(700) for side in SIDES]
    ledger.advance(D, [deliver(each) for each in rows])
    told = [key for *_, key in ledger.newest_places(D)]
    assert told == [f"{number:04}" for number in reversed(range(700))]


@pytest.mark.parametrize(
    ("states", "shown"),
    [
        ((DELIVERED, DELIVERED), "delivered"), ((DELIVERED, None), "planned"), ((None, DELIVERED), "planned"),
        ((DELIVERED, IN_DOUBT), "in_doubt"), ((INTENT, DELIVERED), "intent"), ((PLANNED, REJECTED), "planned"),
        ((REJECTED, DELIVERED), "rejected"), ((WITHDRAWN, DELIVERED), "delivered"), ((None, IN_DOUBT), "in_doubt"),
    ],
)  # fmt: skip
def test_an_overview_counts_a_message_with_two_copies_once(
    ledger: Ledger, states: tuple[DeliveryState | None, DeliveryState | None], shown: str
) -> None:
    bring_both(ledger, "k", states)
    bring(ledger, DELIVERED, delivery("g", conversation=G))
    bring(ledger, DELIVERED, delivery("h", 1, conversation=G))
    expected = {"delivered": 2}
    expected[shown] = expected.get(shown, 0) + 1
    assert overview(ledger).counts["messages"] == expected


def test_places_from_an_instant_follow_the_unit_of_the_slots(ledger: Ledger) -> None:
    for key, sent in (("a", 1_999), ("b", 2_000), ("c", 2_001)):
        bring(ledger, DELIVERED, delivery(key, sent_at_ms=sent, slot=sent))
        bring(
            ledger, DELIVERED, delivery(f"s{key}", conversation="group:s", sent_at_ms=sent, slot=sent // 1000)
        )  # fmt: skip
    assert [sent for sent, *_ in ledger.delivered_places(G, 2_000, slot_ms=1)] == [2_000, 2_001]
    assert [sent for sent, *_ in ledger.delivered_places("group:s", 2_000)] == [2_000, 2_001]


# --- free slots ---------------------------------------------------------------------------------


def take(ledger: Ledger, slots: list[int], **changes: Any) -> None:
    given = {"conversation": G, **changes}
    ledger.advance(
        given["conversation"],
        [
            deliver(delivery(f"{given}-{number}", slot=slot, **given))
            for number, slot in enumerate(slots)
        ],
    )


@pytest.mark.parametrize(
    ("slot", "free"), [(-3, -3), (0, 0), (1, 4), (2, 4), (3, 4), (4, 4), (5, 6), (6, 6), (99, 99)]
)
def test_the_first_free_slot_is_at_or_after_the_one_asked_for(
    ledger: Ledger, slot: int, free: int
) -> None:
    take(ledger, [5, 1, 3, 2])
    take(ledger, [0, 4, 6], conversation="group:h")
    assert ledger.first_free_slot(G, slot) == free
    assert ledger.first_free_slot("group:none", slot) == slot


@pytest.mark.parametrize("state", STATES)
def test_every_delivery_but_a_rejected_one_bears_its_slot(
    ledger: Ledger, state: DeliveryState
) -> None:
    bring(ledger, state, delivery(slot=7))
    assert ledger.first_free_slot(G, 7) == (7 if state is REJECTED else 8)


def test_slots_of_another_app_are_free(ledger: Ledger, ledger_url: str) -> None:
    take(ledger, [7])
    with Ledger.open(ledger_url, "tencent:2") as other:
        assert other.first_free_slot(G, 7) == 7


def test_a_slot_of_either_copy_is_taken_unless_a_side_is_named(ledger: Ledger) -> None:
    take(ledger, [1, 2], conversation=D, side=SENDER)
    take(ledger, [2, 3], conversation=D, side=RECIPIENT)
    assert ledger.first_free_slot(D, 1) == 4
    assert ledger.first_free_slot(D, 1, side=SENDER) == 3
    assert ledger.first_free_slot(D, 1, side=RECIPIENT) == 1
    assert ledger.first_free_slot(D, 2, side=RECIPIENT) == 4


def test_what_serves_both_participants_takes_the_slot_of_either(ledger: Ledger) -> None:
    take(ledger, [1, 2], conversation=D)
    take(ledger, [3], conversation=D, side=RECIPIENT)
    assert ledger.first_free_slot(D, 1, side=SENDER) == 3
    assert ledger.first_free_slot(D, 1, side=RECIPIENT) == 4


def test_a_slot_that_very_many_share_is_taken_once(ledger: Ledger) -> None:
    take(ledger, [5] * 100 + [6] * 50 + [8])
    assert ledger.first_free_slot(G, 5) == 7


def test_a_long_run_of_taken_slots_is_walked_page_by_page(ledger: Ledger) -> None:
    take(ledger, [*range(12_000), *range(12_001, 12_100)])
    assert ledger.first_free_slot(G, 0) == 12_000
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append(statement)

    event.listen(ledger.database.engine, "before_cursor_execute", note)
    assert ledger.first_free_slot(G, 11_990) == 12_000
    assert len(asked) == 1
    assert ledger.first_free_slot(G, 0) == 12_000
    assert len(asked) < 20
