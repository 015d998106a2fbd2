"""Rows that were sent before a run's window: known ones are dealt with, waiting ones sent, all others left alone."""

from __future__ import annotations

from tests.builders_neutral import HOUR, START_MS, NeutralExport, at
from tests.delivery.driving import Migration, assert_adds_up, said_in
from tests.delivery.test_unread_nights import told


def people() -> NeutralExport:
    return NeutralExport().user("ada", "bob").group("quay", "ada", "bob")


SECOND_NIGHT = {"from": told(START_MS + HOUR)}


def test_a_row_of_an_earlier_window_that_was_never_imported_is_left_to_its_own_run(
    migration: Migration,
) -> None:
    export = people().say("quay", "ada", at(0), edited_at=at(3700))
    export.say("quay", "bob", at(3600))
    ended = migration.run(export, **SECOND_NIGHT)
    assert ended.error is None
    assert ended.rows["group_messages"] == {"skipped": 1, "imported": 1}
    assert ended.reasons["group_messages"] == {"before_window": 1}
    assert_adds_up(ended.report)
    assert len(said_in(ended.world, "quay")) == 1


def test_a_row_of_an_earlier_window_that_is_there_is_changed(migration: Migration) -> None:
    migration.run(people().say("quay", "ada", at(0)), to=told(START_MS + HOUR))
    export = people().say("quay", "ada", at(0), text="better", edited_at=at(3700))
    ended = migration.run(export, **SECOND_NIGHT)
    assert ended.error is None
    assert ended.rows["group_messages"] == {"updated": 1}
    assert ended.report is not None
    assert ended.report.quote is not None
    assert ended.report.quote.rows["group_messages"] == {"updated": 1}
    assert ended.report.quote.calls["modify_group_msg"] == ended.calls["modify_group_msg"] == 1
    assert [text for _, text, _ in said_in(ended.world, "quay")] == ["better"]


def test_the_plan_tells_what_importing_this_window_first_would_strand(
    migration: Migration,
) -> None:
    export = people()
    for number in range(3):
        export.say("quay", "ada", at(number))
    export.say("quay", "bob", at(3600))
    first = migration.run(export, **SECOND_NIGHT)
    assert first.report is not None
    assert first.report.quote is not None
    (stranded,) = first.report.quote.stranded
    assert (stranded.conversation, stranded.rows_before) == ("group:quay", 3)
    assert stranded.newest_before_ms == at(2)
    assert "group:quay: up to 3 rows before the window" in first.report.quote.text()
    late = migration.run(export)
    assert late.rows["group_messages"] == {"late_rejected": 3, "already_imported": 1}


def test_windows_in_their_order_strand_nothing(migration: Migration) -> None:
    export = people().say("quay", "ada", at(0)).say("quay", "bob", at(3600))
    migration.run(export, to=told(START_MS + HOUR))
    ended = migration.run(export, **SECOND_NIGHT)
    assert ended.report is not None
    assert ended.report.quote is not None
    assert ended.report.quote.stranded == []


def test_the_plan_of_a_second_run_says_that_all_is_there(migration: Migration) -> None:
    export = people().say("quay", "ada", at(0)).tell("ada", "bob", at(1))
    migration.run(export)
    again = migration.run(export)
    assert again.report is not None
    assert again.report.quote is not None
    assert again.report.quote.rows["group_messages"] == {"already_imported": 1}
    assert again.report.quote.rows["c2c_messages"] == {"already_imported": 1}
    assert not any(again.report.quote.calls.values())
