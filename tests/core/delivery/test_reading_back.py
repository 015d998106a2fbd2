"""Reading a long history back keeps what is asked for, and never all of it."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from chat_migration.delivery.frontiers import Frontiers
from chat_migration.delivery.history import History
from chat_migration.delivery.rows import new_delivery
from chat_migration.delivery.stream_state import StreamState
from chat_migration.keys import message_key, vendor_random
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.moves import deliver, intend
from chat_migration.ledger.records import Delivery, Stream
from chat_migration.ledger.states import DeliveryState
from chat_migration.planning.tables import MessageReader, PlannedConversation, PlannedMessage
from chat_migration.settings import Settings
from chat_migration.targets.base import Frontier, GroupAddress, Mark, Page, StoredMessage
from chat_migration.targets.zego_zim.rules import ZimRules

GROUP = "group:quay"
PAGES, PER_PAGE = 20, 50
MANY = PAGES * PER_PAGE
RULES = ZimRules(max_message_bytes=2048, retention_days=7)


class Shown(StoredMessage, frozen=True, kw_only=True, weakref=True):
    """A message read back of which one can tell whether anybody still holds it."""


class LongGroup:
    """A group of many messages by ada, a foreign one between any two of them; slots rise by one."""

    def __init__(self, known: int) -> None:
        self.known = known
        self.alive: weakref.WeakSet[Shown] = weakref.WeakSet()
        self.most_alive = 0

    def read_group(self, _address: GroupAddress, *, since: Mark, cursor: str) -> Page:
        page = int(cursor or "0")
        newest = MANY - page * PER_PAGE
        shown = tuple(self._shown(number) for number in range(newest, newest - PER_PAGE, -1))
        self.alive.update(shown)
        self.most_alive = max(self.most_alive, len(self.alive))
        is_last = page + 1 == PAGES or shown[-1].slot < since.slot
        return Page(shown, "" if is_last else str(page + 1))

    @staticmethod
    def _shown(number: int) -> Shown:
        ours = number % 2
        return Shown(
            sender="ada" if ours else "eve", slot=number, sequence=number,
            random=random_of(number) if ours else 0,
        )  # fmt: skip


def row(number: int) -> PlannedMessage:
    name = str(number)
    return PlannedMessage(
        conversation=GROUP, message_key=message_key("s", GROUP, name), legacy_id=name, sender="ada",
        recipient="", sent_at_ms=number, order_key=f"{number:06d}", source_hash="h", rank=0, as_unread=False,
        bodies=["{}"], metadata="", outcome="", reason="", detail="", advice="", file="m.jsonl", line=1,
    )  # fmt: skip


def random_of(number: int) -> int:
    return vendor_random(row(number).message_key, 0, bits=RULES.random_bits)


def part(number: int) -> Delivery:
    return new_delivery(
        row(number), 0, slot=number, random=random_of(number), render_version=1, run_id="r"
    )


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}", "zim:1") as opened:
        yield opened


def history(ledger: Ledger, group: LongGroup) -> tuple[History, StreamState]:
    """Return the history of a group of which the ledger knows our messages up to a number."""
    ours = [part(number) for number in range(1, group.known + 1, 2)]
    ledger.advance(
        GROUP,
        [intend(each, "r") for each in ours] + [deliver(each, sequence=each.slot) for each in ours],
        stream=Stream(
            newest_sent_ms=group.known, newest_slot=group.known, confirmed_sequence=group.known
        ),
    )
    place = PlannedConversation(
        conversation=GROUP, kind="group", shard=0, first_row=0, rows=MANY, group_id="quay", topic_id="",
    )  # fmt: skip
    tools = SimpleNamespace(
        ledger=ledger, target=group, rules=RULES, settings=Settings(), run_id="r2", settle_seconds=0.0,
        caller=SimpleNamespace(call=lambda _verb, send, **_: send(), pause=lambda _seconds: None),
        lease=SimpleNamespace(worker_id=""),
    )  # fmt: skip
    state = StreamState(cast("Any", tools), place)
    newest = Frontier(address=state.address, exists=True, newest_slot=MANY, next_sequence=MANY + 1)
    reader = SimpleNamespace(rows=lambda _place: (row(number) for number in range(1, MANY, 2)))
    frontiers = SimpleNamespace(of=lambda _place: newest, forget=lambda _place: None)
    return History(state, cast("MessageReader", reader), cast("Frontiers", frontiers)), state


def test_a_message_of_long_ago_is_looked_for_in_little_memory(ledger: Ledger) -> None:
    group = LongGroup(known=MANY)
    reading, state = history(ledger, group)
    sent = msgspec.structs.replace(part(2), sender="bob")
    ledger.advance(GROUP, [intend(sent, "r")])
    reading.resolve_unresolved()
    (after,) = ledger.deliveries([sent.message_key])[sent.message_key]
    assert after.state is DeliveryState.PLANNED, "it is nowhere"
    assert group.most_alive <= 3 * PER_PAGE
    assert state.stream.confirmed_sequence == MANY


def test_what_a_late_row_might_find_there_is_compared_in_little_memory(ledger: Ledger) -> None:
    unknown = 40
    group = LongGroup(known=MANY - unknown)
    reading, state = history(ledger, group)
    reading.slots(first_ms=1)
    found = ledger.deliveries([row(number).message_key for number in range(1, MANY, 2)])
    assert len(found) == MANY // 2
    assert {parts[0].state for parts in found.values()} == {DeliveryState.DELIVERED}
    assert group.most_alive <= 3 * PER_PAGE + unknown
    assert (state.stream.foreign_slot, state.stream.confirmed_sequence) == (MANY, MANY)
