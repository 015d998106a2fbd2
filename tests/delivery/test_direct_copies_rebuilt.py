"""A lost ledger of one-to-one messages is restored copy by copy, and what a copy lacks is sent by the next run."""

from __future__ import annotations

from typing import Any, cast

import pytest
from tests.delivery.direct_scenes import PLACE, Talk

from chat_migration.delivery.direct_copies import key_of
from chat_migration.delivery.tally import Tally
from chat_migration.ledger.records import Delivery
from chat_migration.planning.tables import PlannedConversation
from chat_migration.rebuild.direct_history import DirectHistory
from chat_migration.rebuild.findings import Findings
from chat_migration.rebuild.ground import Evidence, Ground, Shelf
from chat_migration.rebuild.row_index import Rows


class _Shelf:
    """The plan's messages of one conversation."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk

    def reader(self, place: PlannedConversation) -> Any:
        del place
        return self._talk.reader

    def rows(self, place: PlannedConversation) -> Rows:
        return lambda: self._talk.reader.rows(place)


def lose_ledger(talk: Talk) -> dict[str, list[Delivery]]:
    """Remove the ledger; return what it knew."""
    known = talk.ledger.deliveries([row.message_key for row in talk.said])
    talk.ledger.close()
    (talk.folder / "ledger.sqlite").unlink()
    talk.open()
    return known


def rebuild(talk: Talk, retention_days: int | None = None) -> dict[str, int]:
    """Restore the ledger; return what was found of how many rows."""
    with (
        Findings(talk.folder / "unproved.jsonl") as findings,
        Tally(talk.folder / "lines.jsonl") as tally,
    ):
        tools = talk.tools("rebuilt", tally)
        ground = Ground(
            tools=tools, findings=findings, shelf=cast("Shelf", _Shelf(talk)), evidence=Evidence(exists=False),
            retention_days=retention_days, accounts={"ada", "bob"},
        )  # fmt: skip
        with tools.lease:
            assert tools.lease.take([PLACE]) == {}
            DirectHistory(ground, talk.place).run()
            tools.lease.give_back(PLACE)
    return dict(findings.rows["c2c_messages"])


def told(known: dict[str, list[Delivery]]) -> set[tuple[Any, ...]]:
    return {
        (each.message_key, each.part, each.side, each.slot, each.sequence, each.random, each.state)
        for parts in known.values()
        for each in parts
    }


def test_each_copy_is_restored_with_the_slot_and_the_number_that_it_has(talk: Talk) -> None:
    talk.say("one")
    talk.say("two", "three", sender="bob")
    talk.say("four", after_ms=500)
    talk.say("five", after_ms=500, sender="bob")
    talk.run()
    before = lose_ledger(talk)
    assert rebuild(talk) == {"restored": 4}
    assert told(talk.ledger.deliveries([row.message_key for row in talk.said])) == told(before)
    sent = talk.calls("ImportPeerMsg")
    assert {line.outcome for line in talk.run().values()} == {"already_imported"}
    assert talk.calls("ImportPeerMsg") == sent


@pytest.mark.parametrize("copy", ["ada", "bob"])
def test_a_copy_that_lacks_a_message_gets_it_from_the_next_run(talk: Talk, copy: str) -> None:
    talk.say("one")
    talk.say("two", after_ms=10, sender="bob")
    talk.scene.sandbox.add_fault(
        "error", code=660400001, api="ImportPeerMsg", last_call=1, where={"ImportedUserId": copy}
    )
    talk.run()
    lose_ledger(talk)
    assert rebuild(talk) == {"restored": 1, "missing": 1}
    talk.run()
    for row in talk.said:
        assert {each.state.value for each in talk.known(row).values()} == {"delivered"}
    assert [len(talk.copy(each)) for each in ("ada", "bob")] == [2, 2]


def test_what_may_have_been_withdrawn_in_one_copy_is_not_sent_into_it_again(talk: Talk) -> None:
    row = talk.say("one", after_ms=3_600_000 - 10_000)
    talk.say("two", after_ms=3_600_000 - 9_000)
    talk.run()
    key = talk.known(row)[0, "sender"]
    lose_ledger(talk)
    talk.scene.target.withdraw_direct_message(key_of(key))
    assert rebuild(talk) == {"restored": 1, "unproved": 1}
    (first, second) = (line for _, line in sorted(talk.run().items()))
    assert (first.outcome, first.reason) == ("rejected", "not_provable")
    assert "the recipient's copy is there" in first.detail
    assert second.outcome == "already_imported"
    assert [len(talk.copy(each)) for each in ("ada", "bob")] == [2, 2]


def test_messages_of_others_are_foreign_in_both_copies(talk: Talk) -> None:
    talk.say("one")
    talk.run()
    talk.scene.sandbox.zim.live_peer_message("bob", "ada", Time=talk.scene.start)
    lose_ledger(talk)
    assert rebuild(talk) == {"restored": 1}
