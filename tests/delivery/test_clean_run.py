"""A run without trouble: everything arrives once, in order, and a second run calls nothing that writes."""

from __future__ import annotations

from tests.builders_neutral import HOUR, START_MS
from tests.delivery.conftest import harbour
from tests.delivery.driving import Migration, assert_adds_up, assert_holds, said_in, unread_in


def test_every_message_arrives_once_in_order_with_its_unread_counts(migration: Migration) -> None:
    export = harbour()
    ended = migration.run(export)
    assert ended.error is None
    assert_holds(ended.world, export)
    assert unread_in(ended.world, "quay") == {"bob": 3, "cid": 4}
    assert unread_in(ended.world, "pier") == {"ada": 4, "cid": 5}


def test_what_stands_in_the_target_are_the_rows_and_nothing_else(migration: Migration) -> None:
    ended = migration.run(harbour())
    said = [said for group in ("quay", "pier", "wreck") for said in said_in(ended.world, group)]
    assert len(said) == 24
    assert sorted(int(text.removeprefix("text ")) for _, text, _ in said) == list(range(1, 25))


def test_members_have_their_roles_and_join_times(migration: Migration) -> None:
    ended = migration.run(harbour())
    joined = (START_MS - HOUR // 2) // 1000
    for group_id, owner, admins in (("quay", "ada", set[str]()), ("pier", "bob", {"cid"})):
        group = ended.world["groups"][group_id]
        assert group["create_time"] == (START_MS - HOUR) // 1000
        assert group["owner"] == owner
        for user, member in group["members"].items():
            if user == owner:
                assert member["role"] == "Owner"
            else:
                assert member["role"] == ("Admin" if user in admins else "Member")
                assert member["join_time"] == joined
    assert set(ended.world["groups"]["quay"]["members"]) == {"ada", "bob", "cid", "dee", "eve"}


def test_whoever_has_no_row_of_their_own_gets_a_placeholder(migration: Migration) -> None:
    ended = migration.run(harbour())
    assert set(ended.world["accounts"]) == {"ada", "bob", "cid", "dee", "eve"}
    wreck = ended.world["groups"]["wreck"]
    assert (wreck["type"], wreck["name"], wreck["members"]) == ("Private", "wreck", {})
    assert wreck["create_time"] == said_in(ended.world, "wreck")[0][2] - 1
    assert ended.report is not None
    assert ended.report.placeholders == {"accounts": 1, "groups": 1}


def test_the_report_s_counts_add_up_to_the_rows_read(migration: Migration) -> None:
    ended = migration.run(harbour())
    assert ended.report is not None
    assert_adds_up(ended.report)
    assert ended.report.complete
    assert ended.rows == {
        "accounts": {"imported": 4},
        "groups": {"imported": 2},
        "members": {"imported": 8},
        "c2c_messages": {"imported": 7},
        "group_messages": {"imported": 24},
        "unread": {"imported": 4, "already_imported": 1},
    }
    # quay: 10.0 … 10.4 become 10 … 14; 60.0 … 60.3 become 60 … 63, and 61 follows as 64.
    assert ended.report.slots.lifted == 8
    assert ended.report.slots.max_drift_seconds == 4


def test_a_second_run_writes_nothing_and_finds_everything_there(migration: Migration) -> None:
    first = migration.run(harbour())
    second = migration.run(harbour())
    assert second.error is None
    assert second.writes == 0
    assert second.world == first.world
    assert second.report is not None
    assert_adds_up(second.report)
    assert {kind: set(of) for kind, of in second.rows.items()} == {
        kind: {"already_imported"} for kind in second.rows
    }


def test_the_rows_of_an_attempt_that_is_repeated_under_one_run_id_stay_imported(
    migration: Migration,
) -> None:
    first = migration.run(harbour(), run_id="nightly")
    again = migration.run(harbour(), run_id="nightly")
    assert again.writes == 0
    assert again.rows == first.rows


def test_the_last_call_of_each_group_refreshes_its_conversation_and_no_other(
    migration: Migration,
) -> None:
    """`RecentContactFlag` stands in one call of each group; a community's has none."""
    export = harbour()
    export.group("town", "ada", type="community").say("town", "ada", START_MS)
    ended = migration.run(export)
    assert ended.error is None
    assert len(said_in(ended.world, "@TGS#_town")) == 1
