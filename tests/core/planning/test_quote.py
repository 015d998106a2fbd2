"""The quote adds up, the plan comes back from the disk as it was written."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from chat_migration.errors import UsageError
from chat_migration.planning import tables
from chat_migration.planning.quote import Quote, QuoteCounter
from chat_migration.planning.tables import (
    MessageReader,
    Plan,
    PlannedConversation,
    PlannedMember,
    PlannedMessage,
    TableWriter,
)

RATES = {"importmsg": 100.0, "import_group_msg": 100.0, "import_group": 50.0}


def test_an_empty_plan_costs_nothing() -> None:
    quote = QuoteCounter().quote({})
    assert (quote.rows, quote.calls, quote.seconds_at_rate) == ({}, {}, 0)
    assert quote.text() == "calls: none\ntime at the rate limit: 0:00:00"


def test_rows_and_reasons_add_up() -> None:
    counter = QuoteCounter()
    counter.count("groups", "to_import", rows=3).count("groups", "rejected", "avchatroom")
    counter.count("groups", "rejected", "avchatroom", rows=2).count("members", "to_import")
    quote = counter.quote({})
    assert quote.rows == {"groups": {"to_import": 3, "rejected": 3}, "members": {"to_import": 1}}
    assert quote.reasons == {"groups": {"avchatroom": 3}}


def test_both_message_types_run_side_by_side_and_the_rest_in_turn() -> None:
    counter = QuoteCounter()
    counter.message_apis = frozenset({"importmsg", "import_group_msg"})
    counter.calls.update({"importmsg": 1000, "import_group_msg": 3000, "import_group": 100})
    assert counter.quote(RATES).seconds_at_rate == 30 + 2


def test_the_longest_conversation_is_named() -> None:
    counter = QuoteCounter()
    counter.chains.update({"group:a": 3, "group:b": 1200})
    quote = counter.quote({})
    assert (quote.longest_chain, quote.longest_chain_calls) == ("group:b", 1200)
    assert "longest chain: 1,200 calls one after the other in group:b" in quote.text()


def test_a_quote_tells_people_what_to_expect() -> None:
    counter = QuoteCounter().count("c2c_messages", "to_import", rows=12300)
    counter.calls["importmsg"] = 12300
    counter.late_rows, counter.deferred_groups, counter.older_than_retention = 1, 2, 3
    told = counter.quote(RATES).text()
    for line in ("c2c_messages: 12,300 to_import", "calls: importmsg 12,300", "limit: 0:02:03"):
        assert line in told
    assert [line.split()[1] for line in told.splitlines() if line.startswith("note:")] == [
        "1",
        "2",
        "3",
    ]


def test_a_quote_survives_json() -> None:
    counter = QuoteCounter().count("groups", "to_import")
    counter.placeholders["accounts"] = counter.parts = 7
    quote = counter.quote({})
    assert Quote.model_validate_json(quote.model_dump_json()) == quote


# --- the plan on disk ---------------------------------------------------------------------------


def planned(number: int) -> PlannedMessage:
    return PlannedMessage(
        conversation="group:g", message_key=f"{number:032x}", legacy_id=str(number), sender="ada",
        recipient="", sent_at_ms=number, order_key="", source_hash="", rank=0, as_unread=False,
        bodies=["[]", "é"], metadata="", outcome="", reason="", detail="", advice="", file="f",
        line=number,
    )  # fmt: skip


def place(first_row: int, rows: int, *, kind: str = "group", shard: int = 0) -> PlannedConversation:
    return PlannedConversation(
        conversation=f"{kind}:{first_row}", kind=kind, shard=shard, first_row=first_row,
        rows=rows, group_id="", topic_id="",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("first", "rows"),
    [(0, 0), (0, 3), (0, 10), (2, 2), (3, 3), (4, 5), (9, 1)],
    ids=["none", "one-block", "all", "over-a-border", "second-block", "to-the-end", "last-row"],
)
def test_a_conversation_is_read_wherever_its_rows_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, rows: int
) -> None:
    monkeypatch.setattr(tables, "ROW_GROUP", 3)
    monkeypatch.setattr(tables, "_CACHED_GROUPS", 1)
    writer = TableWriter(tmp_path / "plan" / "group-00.parquet", PlannedMessage)
    for number in range(10):
        writer.add(planned(number))
    writer.close()
    reader = MessageReader(tmp_path / "plan" / "group-00.parquet")
    read = [[*reader.rows(place(first, rows))] for _ in range(2)]
    reader.close()
    assert read == [[planned(number) for number in range(first, first + rows)]] * 2


@pytest.mark.parametrize(
    "first_unread_ms", [None, 0, -5, 2**53 + 1], ids=["none", "zero", "negative", "large"]
)
def test_rows_come_back_as_they_were_written(tmp_path: Path, first_unread_ms: int | None) -> None:
    member = PlannedMember(
        group_id="g", account_id="ü\0", conversation="group:g", legacy_id="", role="owner",
        joined_s=1, has_read_state=True, first_unread_ms=first_unread_ms, first_unread_order="",
        outcome="", reason="", file="", line=0,
    )  # fmt: skip
    plan = Plan(tmp_path)
    writer = TableWriter(plan.table("members"), PlannedMember)
    writer.add(member)
    writer.close()
    assert [*plan.members()] == [member]


def test_an_empty_table_is_a_table(tmp_path: Path) -> None:
    plan = Plan(tmp_path)
    TableWriter(plan.table("groups"), tables.PlannedGroup).close()
    assert [*plan.groups()] == []


@pytest.mark.parametrize(
    "kind",
    [
        tables.PlannedAccount,
        tables.PlannedGroup,
        PlannedMember,
        PlannedMessage,
        PlannedConversation,
    ],
    ids=lambda kind: kind.__name__,
)
def test_a_table_has_its_records_fields_and_the_plans_version(
    tmp_path: Path, kind: type[msgspec.Struct]
) -> None:
    TableWriter(tmp_path / "t.parquet", kind).close()
    schema = pq.read_schema(tmp_path / "t.parquet")
    assert tuple(schema.names) == kind.__struct_fields__
    assert schema.metadata[b"plan_version"] == b"2"


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        pytest.param({}, ["group:0", "topic:4", "direct:0", "group:9"], id="all"),
        pytest.param({"kind": "direct"}, ["direct:0"], id="one-to-one"),
        pytest.param({"kind": "group"}, ["group:0", "topic:4", "group:9"], id="groups-and-topics"),
        pytest.param({"kind": "group", "shard": 1}, ["group:9"], id="shard"),
    ],
)
def test_a_shard_streams_its_own_conversations_in_order(
    tmp_path: Path, chosen: dict[str, object], expected: list[str]
) -> None:
    plan = Plan(tmp_path)
    writer = TableWriter(plan.table("conversations"), PlannedConversation)
    for each in (
        place(0, 4),
        place(4, 2, kind="topic"),
        place(0, 1, kind="direct"),
        place(9, 1, shard=1),
    ):
        writer.add(each)
    writer.close()
    assert [each.conversation for each in plan.conversations(**chosen)] == expected


def test_a_plan_is_there_once_its_quote_is(tmp_path: Path) -> None:
    plan = Plan(tmp_path)
    with pytest.raises(UsageError, match="holds no plan"):
        plan.require()
    plan.quote_path.write_text("{}")
    assert plan.require() is plan
