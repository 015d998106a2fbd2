"""What every ledger promises about who may write to a conversation: one worker at a time, and never a lost one."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from sqlalchemy import select
from tests.clocks import START_MS, HandClock

from chat_migration.ledger import schema
from chat_migration.ledger.holds import LostHoldError
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.moves import deliver, intend
from chat_migration.ledger.records import Delivery, Worker
from chat_migration.ledger.states import DeliveryState
from chat_migration.process import ProcessName, this_process

G, H = "group:g", "group:h"
LEASE_MS, GRACE_MS = 30_000, 17_000


def worker(name: str, **changes: object) -> Worker:
    fields: dict[str, object] = {
        "worker_id": name, "run_id": f"run of {name}", "stage": "group-00",
        "process": ProcessName("elsewhere", "1@2"), "started_at_ms": START_MS,
        "lease_until_ms": START_MS + LEASE_MS, "grace_ms": GRACE_MS,
    }  # fmt: skip
    return Worker(**fields | changes)  # type: ignore[arg-type]


def delivery() -> Delivery:
    return Delivery(
        message_key="k", part=0, parts=1, conversation=G, sender="ada", sent_at_ms=5000,
        order_key="0", slot=5, random=7, source_hash="h", render_version=1, run_id="r",
    )  # fmt: skip


def two(ledger: Ledger, **changes: object) -> None:
    """Enlist `first`, which holds G, and `second`."""
    ledger.enlist(worker("first", **changes))
    ledger.enlist(worker("second"))
    assert ledger.hold("first", [G]) == {}


def test_a_worker_takes_what_is_free_and_is_told_who_holds_the_rest(ledger: Ledger) -> None:
    two(ledger)
    assert ledger.hold("second", [H, G]) == {G: worker("first")}
    assert ledger.hold("first", [H]) == {H: worker("second")}


def test_holding_again_what_is_held_changes_nothing(ledger: Ledger) -> None:
    two(ledger)
    assert ledger.hold("first", [G]) == {}
    assert ledger.renew("first", START_MS + LEASE_MS) == {G}


def test_what_is_given_back_is_free(ledger: Ledger) -> None:
    two(ledger)
    ledger.release_holds("first", [G, H])
    assert ledger.hold("second", [G]) == {}


def test_giving_back_does_not_take_a_hold_from_another_worker(ledger: Ledger) -> None:
    two(ledger)
    ledger.release_holds("second", [G])
    assert ledger.hold("second", [G]) == {G: worker("first")}


def test_what_an_ended_worker_held_is_free_at_once(ledger: Ledger) -> None:
    two(ledger)
    ledger.dismiss("first")
    assert ledger.hold("second", [G]) == {}
    assert [(each.worker_id, held) for each, held in ledger.workers()] == [("second", 1)]


def test_a_silent_worker_loses_its_holds_after_lease_and_grace_and_not_before(
    ledger: Ledger, clock: HandClock
) -> None:
    two(ledger)
    clock.move((LEASE_MS + GRACE_MS - 1) / 1000)
    assert set(ledger.hold("second", [G])) == {G}
    clock.move(0.001)
    assert ledger.hold("second", [G]) == {}


def test_a_renewed_lease_keeps_its_holds(ledger: Ledger, clock: HandClock) -> None:
    two(ledger)
    clock.move(20)
    assert ledger.renew("first", clock.now_ms() + LEASE_MS) == {G}
    clock.move((LEASE_MS + GRACE_MS - 1) / 1000)
    assert set(ledger.hold("second", [G])) == {G}


def test_a_worker_that_comes_back_learns_what_it_has_lost(ledger: Ledger, clock: HandClock) -> None:
    two(ledger)
    ledger.hold("first", [H])
    clock.move((LEASE_MS + GRACE_MS) / 1000)
    ledger.hold("second", [G])
    assert ledger.renew("first", clock.now_ms() + LEASE_MS) == {H}


def test_a_move_of_a_lost_conversation_writes_nothing(ledger: Ledger, clock: HandClock) -> None:
    two(ledger)
    ledger.advance(G, [intend(delivery(), "r")], holder="first")
    clock.move((LEASE_MS + GRACE_MS) / 1000)
    ledger.hold("second", [G])
    sent = ledger.unresolved(G)[0]
    with pytest.raises(LostHoldError):
        ledger.advance(G, [deliver(sent, sequence=1)], holder="first")
    assert [each.state for each in ledger.unresolved(G)] == [DeliveryState.INTENT]
    ledger.advance(G, [deliver(sent, sequence=1)], holder="second")
    assert ledger.unresolved(G) == []


def test_a_move_needs_a_hold_at_all(ledger: Ledger) -> None:
    ledger.enlist(worker("first"))
    with pytest.raises(LostHoldError):
        ledger.advance(G, [intend(delivery(), "r")], holder="first")
    assert ledger.is_empty()


def test_what_an_abandoned_worker_had_in_flight_is_in_doubt_and_stays_held(ledger: Ledger) -> None:
    two(ledger)
    ledger.advance(G, [intend(delivery(), "r")], holder="first")
    assert ledger.abandon("second") == 0
    assert ledger.abandon("first") == 1
    assert [each.state for each in ledger.unresolved(G)] == [DeliveryState.IN_DOUBT]
    assert set(ledger.hold("second", [G])) == {G}


def test_the_holds_of_a_process_that_ended_on_this_machine_are_free_at_once(
    ledger: Ledger,
) -> None:
    program = "import msgspec, chat_migration.process as p; print(msgspec.json.encode(p.this_process()).decode())"
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    ).stdout
    ended = msgspec.json.decode(printed, type=ProcessName)
    two(ledger, process=ended)
    assert ledger.hold("second", [G]) == {}


def test_the_holds_of_a_living_process_are_not_free(ledger: Ledger) -> None:
    two(ledger, process=this_process())
    assert set(ledger.hold("second", [G])) == {G}


def test_a_process_number_used_again_is_another_process() -> None:
    here = this_process()
    number = here.process.partition("@")[0]
    assert not here.is_gone
    assert ProcessName(here.machine, f"{number}@1.00").is_gone
    assert not ProcessName("another machine", f"{number}@1.00").is_gone
    assert not ProcessName("", f"{number}@1.00").is_gone
    assert not ProcessName(here.machine, "unreadable").is_gone


def test_workers_long_gone_are_forgotten_when_another_begins(
    ledger: Ledger, clock: HandClock
) -> None:
    two(ledger)
    ledger.enlist(worker("third"))
    clock.move((LEASE_MS + GRACE_MS + 1) / 1000)
    ledger.enlist(worker("fourth", lease_until_ms=clock.now_ms() + LEASE_MS))
    assert {each.worker_id: held for each, held in ledger.workers()} == {"first": 1, "fourth": 0}


def test_of_many_that_take_the_same_conversations_at_once_each_has_one_holder(
    ledger: Ledger, ledger_url: str, clock: HandClock
) -> None:
    names = [f"group:{number}" for number in range(40)]
    workers = [f"w{number}" for number in range(6)]
    for name in workers:
        ledger.enlist(worker(name))

    def race(name: str) -> set[str]:
        with Ledger.open(ledger_url, "tencent:1", clock=clock) as own:
            return set(names) - {each for one in names for each in own.hold(name, [one])}

    with ThreadPoolExecutor(len(workers)) as pool:
        taken = dict(zip(workers, pool.map(race, workers), strict=True))
    table = schema.holds
    with ledger.database.reading() as connection:
        rows = connection.execute(select(table.c.conversation, table.c.worker_id)).all()
    assert sorted(row.conversation for row in rows) == sorted(names)
    for name in workers:
        assert taken[name] == {row.conversation for row in rows if row.worker_id == name}


def test_holds_of_one_app_are_nothing_to_another(ledger: Ledger, ledger_url: str) -> None:
    two(ledger)
    with Ledger.open(ledger_url, "tencent:2") as other:
        other.enlist(worker("second"))
        assert other.hold("second", [G]) == {}
        other.dismiss("first")
    assert ledger.renew("first", START_MS) == {G}


def test_what_a_living_worker_has_in_flight_is_not_in_doubt(
    ledger: Ledger, clock: HandClock
) -> None:
    two(ledger)
    ledger.advance(G, [intend(delivery(), "r")], holder="first")
    assert ledger.count_unresolved() == 0
    clock.move((LEASE_MS + GRACE_MS) / 1000)
    assert ledger.count_unresolved() == 1


def test_what_an_ended_worker_had_in_flight_is_in_doubt(ledger: Ledger) -> None:
    two(ledger)
    ledger.advance(G, [intend(delivery(), "r")], holder="first")
    ledger.dismiss("first")
    assert ledger.count_unresolved() == 1
