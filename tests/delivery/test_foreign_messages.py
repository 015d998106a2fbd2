"""Groups that others write to: their messages stay, ours that are older are late, unread is left alone."""

from __future__ import annotations

from typing import Any

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.delivery.driving import Migration, said_in, unread_in
from tests.delivery.interference import intercept


def crew(rows: int = 12, step: int = 10) -> NeutralExport:
    export = NeutralExport().user("ada", "bob").group("quay", "ada", "bob")
    for number in range(rows):
        export.say("quay", "ada", at(number * step))
    return export.member("quay", "bob", unread_count=2)


def test_rows_older_than_a_foreign_message_are_late_and_unread_is_left_alone(
    migration: Migration,
) -> None:
    migration.run(crew(4))
    migration.sandbox.live_message("quay", From_Account="bob", Text="live", Time=at(55) // 1000)
    ended = migration.run(crew(8))
    assert ended.error is None
    assert ended.rows["group_messages"] == {
        "already_imported": 4,
        "late_rejected": 2,
        "imported": 2,
    }
    texts = [text for _, text, _ in said_in(ended.world, "quay")]
    assert texts == ["text 1", "text 2", "text 3", "text 4", "live", "text 7", "text 8"]
    assert ended.reasons["unread"] == {"live_group": 1}


def test_late_rows_are_appended_with_their_time_in_the_text(migration: Migration) -> None:
    migration.run(crew(4))
    migration.sandbox.live_message("quay", From_Account="bob", Text="live", Time=at(55) // 1000)
    ended = migration.run(crew(8), late_messages="append")
    assert ended.rows["group_messages"] == {
        "already_imported": 4,
        "late_appended": 2,
        "imported": 2,
    }
    assert said_in(ended.world, "quay")[4:] == [
        ("bob", "live", at(55) // 1000),
        ("ada", "[2024-05-01 09:30 UTC] text 5", at(56) // 1000),
        ("ada", "[2024-05-01 09:30 UTC] text 6", at(57) // 1000),
        ("ada", "text 7", at(60) // 1000),
        ("ada", "text 8", at(70) // 1000),
    ]
    assert migration.run(crew(8), late_messages="append").writes == 0


@pytest.mark.parametrize("late_messages", ["reject", "append"])
@pytest.mark.parametrize(
    "switch", [{}, {"batch_after_failure": "stop"}, {"batch_after_failure": "atomic"}]
)
def test_a_foreign_message_in_the_middle_of_a_stream_makes_the_older_rest_late(
    migration: Migration,
    monkeypatch: pytest.MonkeyPatch,
    late_messages: str,
    switch: dict[str, str],
) -> None:
    migration.sandbox.set_switches(switch)

    def hook(api: str, number: int, body: dict[str, Any], send: Any) -> Any:
        if api == "import_group_msg" and number == 3:
            migration.sandbox.live_message(
                "quay", From_Account="bob", Text="live", Time=at(75) // 1000
            )
        return send()

    intercept(monkeypatch, hook)
    ended = migration.run(crew(), late_messages=late_messages)
    assert ended.error is None
    late = {"reject": "late_rejected", "append": "late_appended"}[late_messages]
    assert ended.rows["group_messages"] == {"imported": 10, late: 2}
    said = said_in(ended.world, "quay")
    assert [text for _, text, _ in said if not text.startswith("[")] == [
        *(f"text {number}" for number in range(1, 7)),
        "live",
        *(f"text {number}" for number in range(9, 13)),
    ]
    assert len(said) == (11 if late_messages == "reject" else 13)
    assert ended.reasons["unread"] == {"live_group": 1}
    assert migration.repeat().writes == 0


def test_a_late_row_of_the_export_is_rejected_each_time_without_a_call(
    migration: Migration,
) -> None:
    late = crew(6)
    early = crew(6)
    del early.messages[2]
    migration.run(early)
    ended = migration.run(late)
    assert ended.rows["group_messages"] == {"already_imported": 5, "late_rejected": 1}
    assert ended.reasons["group_messages"] == {"late": 1}
    assert ended.writes == 0
    assert migration.run(late).rows["group_messages"] == ended.rows["group_messages"]


def test_a_late_row_is_appended_once_and_unread_counts_are_set_again(migration: Migration) -> None:
    late = crew(6)
    early = crew(6)
    del early.messages[2]
    migration.run(early)
    ended = migration.run(late, late_messages="append")
    assert ended.rows["group_messages"] == {"already_imported": 5, "late_appended": 1}
    assert said_in(ended.world, "quay")[-1] == (
        "ada",
        "[2024-05-01 09:30 UTC] text 3",
        at(51) // 1000,
    )
    assert unread_in(ended.world, "quay") == {"bob": 2}
    again = migration.run(late, late_messages="append")
    assert again.writes == 0
    assert len(said_in(again.world, "quay")) == 6


def test_a_row_only_overtaken_by_our_own_lifted_slots_is_not_late(migration: Migration) -> None:
    burst = NeutralExport().user("ada").group("quay", "ada")
    for number in range(10):
        burst.say("quay", "ada", at(number / 100))
    early = NeutralExport().user("ada").group("quay", "ada")
    early.messages = burst.messages[:9]
    migration.run(early)
    burst.say("quay", "ada", at(3))
    ended = migration.run(burst)
    assert ended.rows["group_messages"] == {"already_imported": 9, "imported": 2}
    assert [second for *_, second in said_in(ended.world, "quay")] == [
        at(0) // 1000 + number for number in range(11)
    ]


def test_a_tip_of_the_service_counts_as_foreign(migration: Migration) -> None:
    migration.run(crew(4))
    migration.sandbox.live_message("quay", IsTip=True, Time=at(45) // 1000)
    ended = migration.run(crew(6))
    assert ended.rows["group_messages"] == {
        "already_imported": 4,
        "late_rejected": 1,
        "imported": 1,
    }


def test_one_to_one_rows_go_to_their_true_time_however_late(migration: Migration) -> None:
    export = NeutralExport().user("ada", "bob")
    for number in range(6):
        export.tell(("ada", "bob")[number % 2], ("bob", "ada")[number % 2], at(number / 4))
    early = NeutralExport().user("ada", "bob")
    early.messages = [row for place, row in enumerate(export.messages) if place not in (0, 3)]
    migration.run(early)
    ended = migration.run(export)
    assert ended.rows["c2c_messages"] == {"already_imported": 4, "imported": 2}
    (conversation,) = ended.world["conversations"]
    assert len(conversation["messages"]) == 6
    assert len({(each["seq"], each["time"]) for each in conversation["messages"]}) == 6
