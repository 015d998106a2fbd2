"""Edits and deletions of delivered messages: the vendor's own calls, once, and nothing more the next night."""

from __future__ import annotations

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.delivery.changing import (
    LATER,
    assert_shows,
    changed_jetty,
    delete,
    edit,
    jetty,
    row_of,
    seen_between,
    seen_in,
)
from tests.delivery.driving import (
    Ended,
    Migration,
    assert_adds_up,
    comparable,
    expected_unread,
    unread_in,
)

EDITS = ("modify_group_msg", "group_msg_recall", "modify_c2c_msg", "admin_msgwithdraw")


@pytest.fixture(autouse=True)
def _one_source(migration: Migration) -> None:
    """Let all exports be of one source."""
    migration.settings["source_name"] = "old"


def run(migration: Migration, export: NeutralExport, **options: object) -> Ended:
    """Run to the end, which must be a complete one that adds up."""
    ended = migration.run(export, **options)  # type: ignore[arg-type]
    assert ended.error is None, ended.error
    assert ended.report is not None
    assert ended.report.in_doubt == 0
    assert_adds_up(ended.report)
    return ended


def edits_of(ended: Ended) -> dict[str, int]:
    return {api: ended.calls[api] for api in EDITS if ended.calls.get(api)}


def test_edits_and_deletions_of_both_kinds_come_over_once(migration: Migration) -> None:
    run(migration, jetty())
    ended = run(migration, changed_jetty())
    assert_shows(ended.world, changed_jetty(), before=jetty())
    assert edits_of(ended) == {
        "modify_group_msg": 3, "group_msg_recall": 3, "modify_c2c_msg": 2, "admin_msgwithdraw": 1,
    }  # fmt: skip
    assert ended.rows["group_messages"] == {"already_imported": 5, "updated": 3, "withdrawn": 3}
    assert ended.rows["c2c_messages"] == {"already_imported": 1, "updated": 2, "withdrawn": 1}
    again = run(migration, changed_jetty())
    assert again.writes == 0
    assert again.rows["group_messages"] == {"already_imported": 11}
    assert again.reasons["group_messages"] == {"withdrawn": 3}
    assert comparable(again.world) == comparable(ended.world)


def test_the_same_run_says_the_same_of_what_an_earlier_attempt_did(migration: Migration) -> None:
    run(migration, jetty())
    ended = run(migration, changed_jetty())
    again = migration.repeat()
    assert again.error is None
    assert again.writes == 0
    assert again.rows["group_messages"] == ended.rows["group_messages"]
    assert again.rows["c2c_messages"] == ended.rows["c2c_messages"]


def test_what_is_edited_before_its_import_comes_in_its_last_form_and_what_is_deleted_never(
    migration: Migration,
) -> None:
    ended = run(migration, changed_jetty())
    assert edits_of(ended) == {}
    texts = [text for (_, text, _), _ in seen_in(ended.world, "jetty")]
    assert "text 2, edited" in texts
    assert "text 4" not in texts
    assert ended.rows["group_messages"] == {"imported": 8, "skipped": 3}
    assert ended.rows["c2c_messages"] == {"imported": 3, "skipped": 1}
    assert run(migration, changed_jetty()).writes == 0


def test_an_edit_of_an_edit_and_then_a_deletion_all_come_over(migration: Migration) -> None:
    run(migration, jetty())
    for night, text in enumerate(("one", "two", "text 2")):
        ended = run(migration, edit(jetty(), "m0002", text))
        assert edits_of(ended) == {"modify_group_msg": 1}, night
        assert seen_in(ended.world, "jetty")[1][0][1] == text
    ended = run(migration, delete(jetty(), "m0002"))
    assert edits_of(ended) == {"group_msg_recall": 1}
    assert seen_in(ended.world, "jetty")[1][1] is True


def test_new_rows_and_edits_of_one_conversation_come_in_one_run(migration: Migration) -> None:
    run(migration, jetty())
    more = changed_jetty()
    for number in range(4):
        more.say("jetty", "ada", at(100 + number))
    before = jetty()
    before.messages += more.messages[-4:]
    ended = run(migration, more)
    assert_shows(ended.world, more, before=before)
    assert ended.rows["group_messages"]["imported"] == 4


def test_a_withdrawn_message_that_is_there_again_stays_away(migration: Migration) -> None:
    run(migration, jetty())
    run(migration, changed_jetty())
    ended = run(migration, edit(jetty(), "m0004", "I am back"))
    assert ended.reasons["group_messages"] == {"withdrawn_before": 3}
    assert ended.rows["group_messages"]["rejected"] == 3
    assert ended.rows["c2c_messages"]["rejected"] == 1
    # The edits of the night before are taken back, by their own calls.
    assert edits_of(ended) == {"modify_group_msg": 3, "modify_c2c_msg": 2}
    assert seen_in(ended.world, "jetty")[3][1] is True
    assert run(migration, edit(jetty(), "m0004", "I am back")).writes == 0


def test_a_message_of_which_another_id_is_told_now_is_neither_changed_nor_withdrawn(
    migration: Migration,
) -> None:
    run(migration, jetty())
    export = changed_jetty()
    for message_id in ("m0002", "m0004"):
        row_of(export, message_id)["sent_at"] += 60_000
    ended = run(migration, export)
    assert ended.reasons["group_messages"]["key_conflict"] == 2
    assert [gone for _, gone in seen_in(ended.world, "jetty")][3] is False
    assert seen_in(ended.world, "jetty")[1][0][1] == "text 2"


def test_another_setting_is_no_edit(migration: Migration) -> None:
    run(migration, jetty(), oversize_text="split")
    assert run(migration, jetty(), oversize_text="reject").writes == 0


def test_a_pilot_that_leaves_a_conversation_out_changes_nothing_in_it(migration: Migration) -> None:
    run(migration, jetty())
    ended = run(migration, changed_jetty(), exclude_conversations=["jetty"])
    assert edits_of(ended) == {
        "modify_group_msg": 1, "group_msg_recall": 1, "modify_c2c_msg": 2, "admin_msgwithdraw": 1,
    }  # fmt: skip
    assert [gone for _, gone in seen_in(ended.world, "jetty")] == [False] * 8


# --- parts --------------------------------------------------------------------------------------

LONG = "abcdefghij" * 100
SMALL_BODIES = {"max_body_bytes": 1000}
"""A connection whose app takes short messages: a long text goes in parts."""


def long_export(text: str, **fields: object) -> NeutralExport:
    export = NeutralExport().user("ada", "bob").group("jetty", "ada", "bob")
    export.say("jetty", "ada", at(0)).say("jetty", "ada", at(1), text=text, **fields)
    export.say("jetty", "bob", at(30))
    return export.tell("ada", "bob", at(1), text=text, **fields).tell("bob", "ada", at(30))


def test_a_shorter_text_takes_the_first_parts_and_the_others_are_recalled(
    migration: Migration,
) -> None:
    migration.connection |= SMALL_BODIES
    run(migration, long_export(LONG * 2))
    ended = run(migration, long_export(LONG, edited_at=LATER))
    for seen in (seen_in(ended.world, "jetty")[1:], seen_between(ended.world, "ada", "bob")):
        shown = "".join(text for (_, text, _), gone in seen[:-1] if not gone)
        assert shown == LONG
        assert sum(gone for _, gone in seen) > 0
    assert ended.rows["group_messages"] == {"already_imported": 2, "updated": 1}
    assert ended.calls["group_msg_recall"] == 1
    assert run(migration, long_export(LONG, edited_at=LATER)).writes == 0
    ended = run(migration, long_export("short", edited_at=LATER))
    assert [text for (_, text, _), gone in seen_in(ended.world, "jetty") if not gone] == [
        "text 1", "short", "text 3",
    ]  # fmt: skip
    ended = run(migration, long_export("short", deleted_at=LATER))
    assert [text for (_, text, _), gone in seen_in(ended.world, "jetty") if not gone] == [
        "text 1", "text 3",
    ]  # fmt: skip
    assert ended.rows["c2c_messages"] == {"already_imported": 1, "withdrawn": 1}


def test_a_text_of_more_parts_than_before_changes_nothing(migration: Migration) -> None:
    migration.connection |= SMALL_BODIES
    before = run(migration, long_export(LONG))
    ended = run(migration, long_export(LONG * 2, edited_at=LATER))
    assert ended.writes == 0
    assert ended.reasons["group_messages"] == {"edit_too_long": 1}
    assert ended.reasons["c2c_messages"] == {"edit_too_long": 1}
    assert comparable(ended.world) == comparable(before.world)


def test_a_text_that_cannot_be_sent_leaves_the_old_one(migration: Migration) -> None:
    migration.connection |= SMALL_BODIES
    run(migration, long_export("old"))
    ended = run(migration, long_export(LONG, edited_at=LATER), oversize_text="reject")
    assert ended.writes == 0
    assert ended.reasons["group_messages"] == {"oversize": 1}
    ended = run(migration, long_export("  ", edited_at=LATER))
    assert ended.reasons["c2c_messages"] == {"empty": 1}
    assert seen_between(ended.world, "ada", "bob")[0][0][1] == "old"


def test_a_message_of_many_parts_is_withdrawn_ten_at_a_time(migration: Migration) -> None:
    migration.connection |= SMALL_BODIES | {"max_body_bytes": 550}
    first = run(migration, long_export(LONG * 5))
    parts = len(seen_in(first.world, "jetty")) - 2
    assert parts > 10
    ended = run(migration, long_export(LONG * 5, deleted_at=LATER))
    assert edits_of(ended) == {
        "group_msg_recall": -(-parts // 10),
        "admin_msgwithdraw": len(seen_between(first.world, "ada", "bob")) - 1,
    }
    assert [gone for _, gone in seen_in(ended.world, "jetty")] == [False, *[True] * parts, False]


def test_a_message_appended_late_keeps_its_time_in_the_text(migration: Migration) -> None:
    export = jetty()
    late = export.messages.pop(1)
    run(migration, export)
    ended = run(migration, jetty(), late_messages="append")
    assert ended.rows["group_messages"]["late_appended"] == 1
    changed = edit(jetty(), late["id"], "much later")
    ended = run(migration, changed)
    assert edits_of(ended) == {"modify_group_msg": 1}
    assert seen_in(ended.world, "jetty")[-1][0][1] == "[2024-05-01 09:30 UTC] much later"
    assert run(migration, changed).rows["group_messages"]["late_appended"] == 1
    ended = run(migration, delete(changed, late["id"]))
    assert seen_in(ended.world, "jetty")[-1][1] is True


def test_metadata_goes_along_with_a_one_to_one_edit(migration: Migration) -> None:
    run(migration, jetty())
    export = jetty()
    row_of(export, "m0013").update(reply_to="m0012", edited_at=LATER)
    run(migration, export)
    (conversation,) = migration.sandbox.dump()["conversations"]
    assert "m0012" in conversation["messages"][1]["cloud_custom_data"]
    run(migration, edit(jetty(), "m0013"))
    (conversation,) = migration.sandbox.dump()["conversations"]
    assert conversation["messages"][1]["cloud_custom_data"] == ""


# --- unread, frontier ---------------------------------------------------------------------------


def test_what_is_withdrawn_is_unread_for_nobody(migration: Migration) -> None:
    def export() -> NeutralExport:
        return without_count(jetty()).member("jetty", "bob", last_read_at=at(8))

    first = run(migration, export())
    assert unread_in(first.world, "jetty") == expected_unread(export(), "jetty") == {"bob": 3}
    changed = delete(edit(export(), "m0004"), "m0006")
    ended = run(migration, changed)
    assert unread_in(ended.world, "jetty") == {"bob": 2}
    assert ended.calls["set_unread_msg_num"] == 1
    assert run(migration, changed).writes == 0


def without_count(export: NeutralExport) -> NeutralExport:
    for member in export.members:
        member.pop("unread_count", None)
    return export


def test_a_withdrawn_message_keeps_its_slot_and_its_number(migration: Migration) -> None:
    run(migration, jetty())
    last = delete(jetty(), "m0008")
    run(migration, last)
    last.say("jetty", "ada", at(21)).say("jetty", "bob", at(22))
    ended = run(migration, last)
    assert ended.rows["group_messages"]["imported"] == 2
    seconds = [second for (_, _, second), _ in seen_in(ended.world, "jetty")]
    assert seconds == sorted(set(seconds))
    assert "late_rejected" not in ended.rows["group_messages"]
    assert run(migration, last).writes == 0
