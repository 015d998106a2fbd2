"""What the app holds already: groups and accounts of ours, of the same shape, of somebody else."""

from __future__ import annotations

import shutil

import pytest
from tests.builders_neutral import HOUR, START_MS, NeutralExport, at
from tests.delivery.conftest import harbour
from tests.delivery.driving import (
    Migration,
    assert_adds_up,
    assert_holds,
    by_group,
    expected_group,
    said_in,
)
from tests.delivery.interference import copy_home

from chat_migration.errors import StoppedError, TargetUnreachableError, UnknownLedgerError
from chat_sandbox import Effect, FaultAction, SandboxHandle

CREATED_S = (START_MS - HOUR) // 1000


def crew(rows: int = 8) -> NeutralExport:
    """One group of two with some rows."""
    export = NeutralExport().user("ada", "bob").group("quay", "ada", "bob")
    for number in range(rows):
        export.say("quay", ("ada", "bob")[number % 2], at(number * 10))
    return export


def import_account(sandbox: SandboxHandle, migration: Migration, user: str, nick: str) -> None:
    """Create an account as somebody else would: by a migration of its own, from another home."""
    elsewhere = Migration(sandbox=sandbox, folder=migration.folder / "elsewhere")
    export = NeutralExport().user(user, name=nick)
    assert elsewhere.run(export).error is None


def nick_of(world: dict[str, dict[str, dict[str, str]]], user: str) -> str:
    return world["accounts"][user]["Tag_Profile_IM_Nick"]


# --- groups -------------------------------------------------------------------------------------


def test_an_empty_group_of_the_same_type_and_creation_time_is_used(migration: Migration) -> None:
    migration.sandbox.create_group("quay", Type="Private", Name="OTHER", CreateTime=CREATED_S)
    ended = migration.run(crew())
    assert ended.error is None
    assert ended.rows["groups"] == {"already_imported": 1}
    assert said_in(ended.world, "quay") == expected_group(crew().messages)
    assert ended.world["groups"]["quay"]["name"] == "OTHER"


@pytest.mark.parametrize(
    "differing", [{"Type": "Public"}, {"CreateTime": CREATED_S - 5}, {"Type": "ChatRoom"}]
)
def test_a_group_of_somebody_else_is_refused_with_all_its_rows(
    migration: Migration, differing: dict[str, object]
) -> None:
    group = {"Type": "Private", "CreateTime": CREATED_S} | differing
    migration.sandbox.create_group("quay", Name="theirs", **group)
    ended = migration.run(crew())
    assert ended.rows["groups"] == {"rejected": 1}
    assert ended.rows["members"] == {"rejected": 2}
    assert ended.rows["group_messages"] == {"rejected": 8}
    assert ended.reasons["group_messages"] == {"group_exists": 8}
    assert said_in(ended.world, "quay") == []
    assert ended.world["groups"]["quay"]["members"] == {}
    again = migration.run(crew())
    assert again.writes == 0
    assert again.rows["group_messages"] == {"rejected": 8}


@pytest.mark.parametrize("effect_unknown_by", ["http_error", "drop"])
def test_a_group_of_somebody_else_is_not_taken_for_ours_after_an_unknown_outcome(
    migration: Migration, effect_unknown_by: str
) -> None:
    migration.sandbox.create_group("quay", Type="Public", Name="theirs", CreateTime=CREATED_S)
    migration.sandbox.add_fault(effect_unknown_by, api="import_group", last_call=1)
    ended = migration.run(crew())
    assert said_in(ended.world, "quay") == []
    assert ended.world["groups"]["quay"]["members"] == {}
    assert ended.rows["groups"] == {"rejected": 1}


def test_a_group_of_somebody_else_is_not_taken_for_ours_after_a_run_that_broke_off(
    migration: Migration,
) -> None:
    migration.sandbox.create_group("quay", Type="Public", Name="theirs", CreateTime=CREATED_S)
    migration.sandbox.add_fault(FaultAction.HTTP_ERROR, api="get_group_info")
    broken = migration.run(crew())
    assert isinstance(broken.error, TargetUnreachableError)
    migration.sandbox.clear_faults()
    ended = migration.run(crew())
    assert said_in(ended.world, "quay") == []
    assert ended.world["groups"]["quay"]["members"] == {}
    assert ended.rows["groups"] == {"rejected": 1}


@pytest.mark.parametrize("code", ["10021", "10025", "by_owner"])
def test_a_ledger_that_knows_nothing_of_what_it_finds_stops_the_run(
    migration: Migration, code: str
) -> None:
    migration.sandbox.set_switch("exists_code", code)
    first = migration.run(harbour())
    shutil.rmtree(migration.home.path)
    ended = migration.run(harbour())
    assert isinstance(ended.error, UnknownLedgerError)
    assert ended.error.exit_code == 3
    assert "rebuild" in str(ended.error)
    assert ended.calls.get("import_group_msg", 0) == 0
    assert ended.calls.get("importmsg", 0) == 0
    assert ended.world["groups"] == first.world["groups"]
    assert ended.world["conversations"] == first.world["conversations"]


def test_messages_that_an_older_copy_of_the_ledger_does_not_know_are_recognised(
    migration: Migration,
) -> None:
    """The ledger was restored from a backup made before the last run."""
    export = harbour()
    early = harbour()
    early.messages = [row for row in early.messages if row["sent_at"] < at(30)]
    migration.run(early)
    backup = migration.folder / "backup"
    copy_home(migration.home.path, backup)
    assert migration.run(export).error is None
    shutil.rmtree(migration.home.path)
    backup.rename(migration.home.path)
    ended = migration.run(export)
    assert ended.error is None
    assert_holds(ended.world, export)
    assert ended.rows["group_messages"] == {"already_imported": 24}
    assert ended.calls.get("import_group_msg", 0) == 0


def test_a_group_of_ours_that_this_ledger_lost_is_adopted_with_its_messages(
    migration: Migration,
) -> None:
    """Another home imported the group; this home's ledger knows other groups only."""
    elsewhere = Migration(
        sandbox=migration.sandbox,
        folder=migration.folder / "elsewhere",
        connection=migration.connection,
    )
    half = crew()
    del half.messages[5:]
    assert elsewhere.run(half).error is None
    other = NeutralExport().user("ada").group("pier", "ada").say("pier", "ada", at(5))
    assert migration.run(other).error is None
    ended = migration.run(crew())
    assert ended.error is None
    assert said_in(ended.world, "quay") == expected_group(crew().messages)
    assert ended.rows["group_messages"] == {"already_imported": 5, "imported": 3}
    assert migration.run(crew()).writes == 0


# --- accounts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "nick"), [("adopt", "Theirs"), ("overwrite", "Ada")])
def test_an_existing_account_keeps_its_profile_unless_it_is_to_be_overwritten(
    migration: Migration, policy: str, nick: str
) -> None:
    import_account(migration.sandbox, migration, "ada", "Theirs")
    ended = migration.run(crew(), existing_accounts=policy)
    assert ended.error is None
    assert nick_of(ended.world, "ada") == nick
    assert nick_of(ended.world, "bob") == "Bob"
    assert ended.report is not None
    assert_adds_up(ended.report)
    assert migration.run(crew(), existing_accounts=policy).writes == 0


def test_existing_accounts_are_refused_before_anything_is_created(migration: Migration) -> None:
    import_account(migration.sandbox, migration, "bob", "Theirs")
    ended = migration.run(crew(), existing_accounts="refuse")
    assert isinstance(ended.error, StoppedError)
    assert ended.error.exit_code == 3
    assert "bob" in str(ended.error)
    assert ended.writes == 0
    assert set(ended.world["accounts"]) == {"bob"}


@pytest.mark.parametrize("action", [FaultAction.FEWER_ROWS, FaultAction.OMIT_ROWS])
def test_an_account_that_the_answer_leaves_out_is_not_overwritten(
    migration: Migration, action: FaultAction
) -> None:
    import_account(migration.sandbox, migration, "bob", "Theirs")
    # The first call is the check of the credentials.
    migration.sandbox.add_fault(action, api="account_check", first_call=2, last_call=2)
    ended = migration.run(crew())
    assert ended.error is None
    assert nick_of(ended.world, "bob") == "Theirs"


def test_the_row_of_a_refused_account_is_counted_once_when_profiles_are_overwritten(
    migration: Migration,
) -> None:
    import_account(migration.sandbox, migration, "ada", "Theirs")
    migration.sandbox.add_fault(
        FaultAction.ERROR, api="multiaccount_import", code=70402, effect=Effect.NONE
    )
    ended = migration.run(crew(), existing_accounts="overwrite")
    assert ended.report is not None
    assert_adds_up(ended.report)


def test_the_admin_s_identifier_is_nobody_s_id(migration: Migration) -> None:
    admin = migration.sandbox.app.admin
    export = NeutralExport().user(admin, "bob").group("quay", admin, "bob")
    export.say("quay", admin, at(1)).tell(admin, "bob", at(2))
    ended = migration.run(export)
    assert ended.error is None
    assert admin not in ended.world["groups"]["quay"]["members"]
    assert [sender for sender, *_ in said_in(ended.world, "quay")] != [admin]
    assert by_group(export)["quay"][0]["sender_id"] == admin
