"""Unread counts: right after each run, whatever broke off between the last message and the last count."""

from __future__ import annotations

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.delivery.driving import Migration, unread_in
from tests.delivery.interference import Killed, Killer

from chat_migration.errors import MigrationError
from chat_sandbox import FaultAction


def crew(rows: int = 6) -> NeutralExport:
    """Rows of ada; bob has three unread, cid two."""
    export = NeutralExport().user("ada", "bob", "cid").group("quay", "ada", "bob", "cid")
    for number in range(rows):
        export.say("quay", "ada", at(number * 10))
    export.member("quay", "bob", unread_count=3)
    return export.member("quay", "cid", unread_count=2)


def test_a_run_that_ends_before_the_counts_is_made_good_by_the_next(migration: Migration) -> None:
    migration.run(crew(), until="unread")
    ended = migration.run(crew())
    assert ended.error is None
    assert unread_in(ended.world, "quay") == {"bob": 3, "cid": 2}
    assert ended.calls.get("import_group_msg", 0) == 0


def test_counts_set_before_a_kill_are_set_again_once_more_messages_came(
    migration: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bob's count was set, cid's not, then the process died; the next export holds one more of bob's rows."""
    migration.connection["parallel_calls"] = 1
    with monkeypatch.context() as patch:
        killer = Killer(patch, migration.home.path, "set_unread_msg_num", 2, applied=False)
        with pytest.raises(Killed):
            migration.run(crew())
        killer.restore()
    ended = migration.run(crew().say("quay", "bob", at(100)))
    assert ended.error is None
    assert unread_in(ended.world, "quay") == {"bob": 3, "cid": 2}


def test_a_count_that_was_refused_is_set_by_the_next_run_beside_new_messages(
    migration: Migration,
) -> None:
    migration.connection["parallel_calls"] = 1
    migration.sandbox.add_fault(
        FaultAction.ERROR, api="set_unread_msg_num", code=10004, first_call=2, last_call=2
    )
    first = migration.run(crew())
    assert first.rows["unread"] == {"imported": 1, "rejected": 1}
    ended = migration.run(crew().say("quay", "bob", at(100)))
    assert ended.error is None
    assert unread_in(ended.world, "quay") == {"bob": 3, "cid": 2}


def test_a_member_who_has_read_everything_since_gets_zero(migration: Migration) -> None:
    migration.run(crew())
    ended = migration.run(crew().member("quay", "bob", unread_count=0))
    assert ended.error is None
    assert unread_in(ended.world, "quay") == {"cid": 2}
    assert ended.calls["set_unread_msg_num"] == 1


def test_a_member_who_has_read_everything_gets_zero_though_a_new_message_was_refused(
    migration: Migration,
) -> None:
    """The import that was refused reset nothing in the target, whatever the ledger thought."""
    migration.run(crew())
    migration.sandbox.set_switches({"moderation": "on", "unread_zeroed_by": "stored_message"})
    export = crew().member("quay", "bob", unread_count=0)
    export.say("quay", "ada", at(100), text="sandbox-blocked-word")
    ended = migration.run(export)
    assert ended.rows["group_messages"]["rejected"] == 1
    assert "bob" not in unread_in(ended.world, "quay")


def test_counts_follow_the_export_from_run_to_run(migration: Migration) -> None:
    for rows, unread in ((3, 1), (5, 4), (5, 4), (9, 2)):
        export = crew(rows).member("quay", "bob", unread_count=unread)
        ended = migration.run(export)
        assert ended.error is None
        assert unread_in(ended.world, "quay") == {"bob": unread, "cid": 2}


@pytest.mark.parametrize("basis", ["messages", "seq"])
def test_a_count_above_what_the_group_holds_is_capped(migration: Migration, basis: str) -> None:
    migration.sandbox.set_switch("unread_clamp_basis", basis)
    ended = migration.run(crew().member("quay", "bob", unread_count=1000))
    assert ended.error is None
    assert unread_in(ended.world, "quay") == {"bob": 6, "cid": 2}


def test_own_messages_and_members_who_left_are_never_unread(migration: Migration) -> None:
    export = crew(2)
    for number in range(5):
        export.say("quay", ("bob", "cid")[number % 2], at(50 + number))
    export.member("quay", "bob", unread_count=None, last_read_at=at(0))
    del next(each for each in export.members if each["user_id"] == "bob")["unread_count"]
    export.member("quay", "cid", left_at=at(60))
    ended = migration.run(export)
    assert ended.error is None
    assert unread_in(ended.world, "quay") == {"bob": 3}
    assert set(ended.world["groups"]["quay"]["members"]) == {"ada", "bob"}


def test_members_without_read_state_have_read_everything(migration: Migration) -> None:
    ended = migration.run(crew())
    assert ended.world["groups"]["quay"]["members"]["ada"]["unread"] == 0


def test_an_interrupted_stage_of_counts_goes_on_with_the_missing_ones(
    migration: Migration,
) -> None:
    migration.connection["parallel_calls"] = 1
    migration.sandbox.add_fault(FaultAction.DROP, api="set_unread_msg_num", first_call=2)
    broken = migration.run(crew())
    assert isinstance(broken.error, MigrationError)
    migration.sandbox.clear_faults()
    ended = migration.run(crew())
    assert ended.calls["set_unread_msg_num"] == 1
    assert unread_in(ended.world, "quay") == {"bob": 3, "cid": 2}
