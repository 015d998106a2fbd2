"""What every ledger promises of rows that wait, and of reading no more than what is asked for."""

from __future__ import annotations

from typing import Any

import pytest
from tests.contracts.test_ledger import G, delivery

from chat_migration.ledger.deferred import DeferredRow
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.moves import deliver, intend, reject, withdraw
from chat_migration.ledger.records import Delivery, GroupRecord, ReadPosition
from chat_migration.ledger.states import EntityState


def row(key: str, extract: str = "deferred/s/r1-a", **changes: Any) -> DeferredRow:
    fields: dict[str, Any] = {"conversation": G, "sent_at_ms": 5000, "run_id": "r1"}
    return DeferredRow(message_key=key, extract=extract, **fields | changes)


def group(name: str, **changes: Any) -> GroupRecord:
    fields: dict[str, Any] = {
        "conversation": f"group:{name}", "group_id": name, "type": "private", "created_s": 1,
        "state": EntityState.CREATED, "run_id": "r1",
    }  # fmt: skip
    return GroupRecord(**fields | changes)


def send(ledger: Ledger, *sent: Delivery) -> list[Delivery]:
    """Deliver some parts; return them as they are then."""
    done = []
    for each in sent:
        moved = intend(each, "r1")
        ledger.advance(each.conversation, [moved])
        move = deliver(moved.delivery, sequence=each.slot, run_id="r1")
        ledger.advance(each.conversation, [move])
        done.append(move.delivery)
    return done


# --- rows that wait -----------------------------------------------------------------------------


def test_rows_that_wait_are_listed_by_source(ledger: Ledger) -> None:
    ledger.settle_deferred("slack", [row("b"), row("a", "deferred/s/r2-b")], [])
    ledger.settle_deferred("neutral", [row("a")], [])
    assert ledger.deferred("slack") == [row("a", "deferred/s/r2-b"), row("b")]
    assert ledger.deferred_extracts("slack") == {"deferred/s/r1-a", "deferred/s/r2-b"}
    assert ledger.deferred("neutral") == [row("a")]
    assert ledger.deferred("else") == []


def test_rows_leave_the_list_as_others_come_onto_it(ledger: Ledger) -> None:
    ledger.settle_deferred("slack", [row("a"), row("b"), row("c")], [])
    ledger.settle_deferred("slack", [row("b", "x", run_id="r2"), row("d", "x")], ["a", "nobody"])
    assert ledger.deferred("slack") == [row("b", "x", run_id="r2"), row("c"), row("d", "x")]
    ledger.settle_deferred("slack", [row("b", "x", run_id="r2"), row("d", "x")], ["a"])
    assert [each.message_key for each in ledger.deferred("slack")] == ["b", "c", "d"]
    ledger.settle_deferred("slack", [], ["b", "c", "d"])
    assert (ledger.deferred("slack"), ledger.deferred_extracts("slack")) == ([], set())


def test_a_list_of_any_length_is_settled_at_once(ledger: Ledger) -> None:
    rows = [row(f"{number:05d}") for number in range(2500)]
    ledger.settle_deferred("slack", rows, [])
    assert ledger.deferred("slack") == rows
    ledger.settle_deferred("slack", [], [each.message_key for each in rows])
    assert ledger.deferred("slack") == []


def test_another_apps_rows_are_its_own(ledger: Ledger, ledger_url: str) -> None:
    ledger.settle_deferred("slack", [row("a")], [])
    with Ledger.open(ledger_url, "tencent:2") as other:
        assert other.deferred("slack") == []
        other.settle_deferred("slack", [], ["a"])
    assert ledger.deferred("slack") == [row("a")]


# --- excerpts -----------------------------------------------------------------------------------


def test_ids_are_looked_up_both_ways(ledger: Ledger) -> None:
    ledger.assign_identities("user", {"a": "A", "b": "B"})
    ledger.assign_identities("group", {"a": "G"})
    assert ledger.identities_of("user", ["a", "c"]) == {"a": "A"}
    assert ledger.identities_of("group", ["a", "b"]) == {"a": "G"}
    assert ledger.identities_taken("user", ["A", "G", "C"]) == {"A"}
    assert ledger.identities_of("user", []) == {}


def test_accounts_and_groups_are_found_among_many(ledger: Ledger) -> None:
    ledger.record_accounts({f"u{number}": "h" for number in range(1200)}, EntityState.CREATED, "r1")
    assert ledger.accounts_known([f"u{number}" for number in range(0, 3000, 3)]) == {
        f"u{number}" for number in range(0, 1200, 3)
    }
    ledger.record_group(group("g"))
    ledger.record_group(group("h", unread_dirty=True))
    ledger.record_group(group("h", conversation="topic:h/t", topic_id="t", unread_dirty=True))
    assert ledger.groups_of(["group:g", "topic:h/t", "group:x"]).keys() == {"group:g", "topic:h/t"}
    assert ledger.groups_by_id(["g", "h", "x"]).keys() == {"g", "h"}
    assert ledger.groups_by_id(["h"])["h"].topic_id == ""
    assert ledger.dirty_groups().keys() == {"h"}


def test_rows_before_an_instant_are_those_dealt_with(ledger: Ledger) -> None:
    sent = send(
        ledger,
        delivery("a", sent_at_ms=1000, slot=1, random=1),
        delivery("b", sent_at_ms=2000, slot=2, random=2),
        delivery("b", part=1, sent_at_ms=2000, slot=3, random=3),
        delivery("c", sent_at_ms=9000, slot=9, random=4),
        delivery("e", conversation="group:h", sent_at_ms=1000, slot=1, random=1),
    )
    ledger.advance(G, [withdraw(sent[0], source_hash="h", run_id="r2")])
    ledger.advance(G, [reject(delivery("d", sent_at_ms=500, random=5), code=1, reason="no")])
    ledger.advance(G, [intend(delivery("f", sent_at_ms=600, random=6), "r1")])
    assert ledger.rows_before([G, "group:h", "group:x"], 9000) == {G: 3, "group:h": 1}
    assert ledger.rows_before([G], 500) == {}


# --- read positions -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "is_marked"),
    [
        (None, 5000, True),
        (None, None, False),
        (5000, 5000, False),
        (5000, 6000, True),
        (5000, None, True),
    ],
)
def test_a_group_is_marked_when_somebodys_position_moves(
    ledger: Ledger, before: int | None, after: int | None, *, is_marked: bool
) -> None:
    ledger.record_group(group("g"))
    ledger.record_group(group("h"))
    stay = ReadPosition(group_id="h", account_id="b", first_unread_ms=1)
    ledger.record_positions(
        [ReadPosition(group_id="g", account_id="a", first_unread_ms=before), stay]
    )
    for name in "gh":
        ledger.clean(f"group:{name}")
    ledger.record_positions(
        [ReadPosition(group_id="g", account_id="a", first_unread_ms=after), stay]
    )
    assert set(ledger.dirty_groups()) == ({"g"} if is_marked else set())
    assert ledger.positions("g")[0].first_unread_ms == after


def test_the_newest_messages_come_first_page_by_page_without_those_withdrawn(
    ledger: Ledger,
) -> None:
    moves = [
        intend(
            delivery(
                f"k{number:04d}", sent_at_ms=number * 500, slot=number // 2, random=number + 1
            ),
            "r1",
        )
        for number in range(1000)
    ]
    ledger.advance(G, moves)
    gone = deliver(moves[990].delivery, sequence=1, run_id="r1")
    ledger.advance(G, [gone])
    ledger.advance(G, [withdraw(gone.delivery, source_hash="h", run_id="r2")])
    places = list(ledger.newest_places(G))
    assert [key for *_, key in places] == [
        f"k{number:04d}" for number in range(999, -1, -1) if number != 990
    ]
    assert places[0] == (499, 499_500, "0", "ada", "k0999")
