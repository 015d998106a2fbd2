"""Several messages of one call that the service refuses: each is found, in order, and nothing else is lost.

The sandbox itself refuses them for their size: the whole request or the single item, as its switches say.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.delivery.driving import Migration, Said, assert_adds_up, by_group, said_in

TOO_LARGE = "x" * 12_500
CALL = 7
ROWS = 9
"""A full call and the beginning of another."""
LIMIT_OF_OURS = {"messages_per_call": CALL, "max_body_bytes": 20_000, "parallel_calls": 1}

REFUSALS = [
    {"oversize_group_message": "request_10020"},
    {"oversize_group_message": "item_80002"},
    {"oversize_group_message": "item_80002", "batch_after_failure": "stop"},
    {"oversize_group_message": "item_80002", "batch_after_failure": "atomic"},
    {"oversize_group_message": "item_80002", "failed_item_seq": "burned"},
    {"oversize_group_message": "item_80002", "top_level_when_all_fail": "10004"},
]
POISON = [(1,), (4,), (7,), (1, 2), (6, 7), (1, 4, 7), (7, 8), (2, 3, 5, 9), (1, 2, 3, 4, 5, 6, 7), tuple(range(1, 10))]  # fmt: skip


def crew(poisonous: Iterable[int]) -> NeutralExport:
    export = NeutralExport().user("ada", "bob").group("quay", "ada", "bob")
    for number in range(1, ROWS + 1):
        text = TOO_LARGE if number in poisonous else f"text {number}"
        export.say("quay", ("ada", "bob")[number % 2], at(number * 10), text=text)
    return export


def expected(export: NeutralExport) -> list[Said]:
    """Return the rows that can be sent, each at its own second."""
    return [
        (row["sender_id"], row["text"], row["sent_at"] // 1000)
        for row in by_group(export)["quay"]
        if row["text"] != TOO_LARGE
    ]


@pytest.mark.parametrize("switches", REFUSALS, ids=lambda each: "-".join(each.values()))
@pytest.mark.parametrize("poisonous", POISON, ids=str)
def test_each_refused_message_of_a_call_is_found_and_the_others_stand_in_order(
    migration: Migration, switches: dict[str, str], poisonous: tuple[int, ...]
) -> None:
    migration.connection |= LIMIT_OF_OURS
    migration.sandbox.set_switches(switches)
    export = crew(poisonous)
    ended = migration.run(export)
    assert ended.error is None, ended.error
    assert said_in(ended.world, "quay") == expected(export)
    rows = ended.rows["group_messages"]
    assert rows.get("rejected", 0) == len(poisonous)
    assert rows.get("imported", 0) == ROWS - len(poisonous)
    assert ended.report is not None
    assert ended.report.in_doubt == 0
    assert_adds_up(ended.report)
    assert ended.calls["import_group_msg"] <= 4 * ROWS
    again = migration.repeat()
    assert again.writes == 0
    assert again.rows["group_messages"] == rows


@pytest.mark.parametrize("split", [True, False], ids=["split", "reject"])
def test_a_late_message_that_only_its_prefix_makes_too_large(
    migration: Migration, *, split: bool
) -> None:
    """`oversize_text=reject` holds for what is appended late as well."""
    migration.connection["max_body_bytes"] = 1000
    settings = {"oversize_text": "split" if split else "reject", "late_messages": "append"}
    export = NeutralExport().user("ada").group("quay", "ada").say("quay", "ada", at(100))
    assert migration.run(export, **settings).error is None
    text = "y" * 935
    ended = migration.run(export.say("quay", "ada", at(50), text=text), **settings)
    assert ended.error is None
    texts = [said for _, said, _ in said_in(ended.world, "quay")]
    if split:
        assert len(texts) == 3
        assert "".join(texts[1:]).endswith("] " + text)
        assert ended.rows["group_messages"] == {"already_imported": 1, "late_appended": 1}
    else:
        assert texts == ["text 1"]
        assert ended.rows["group_messages"] == {"already_imported": 1, "rejected": 1}
        assert ended.reasons["group_messages"]["oversize"] == 1
