"""Rows that are too new to be sent: kept on the stage, added by the next run of their source, sent once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.builders_neutral import HOUR, MINUTE, SECOND, NeutralExport, at
from tests.delivery.driving import (
    Ended,
    Migration,
    assert_adds_up,
    said_in,
    told_between,
    unread_in,
)
from tests.delivery.interference import Killed

from chat_migration import stages
from chat_migration.errors import InterruptedRunError, UsageError
from chat_migration.home import Home
from chat_migration.ledger.ledger import Ledger
from chat_migration.stages import report as report_stage
from chat_migration.store import deferred as keeping
from chat_migration.store.stage import open_stage
from chat_sandbox import FaultAction


def people() -> NeutralExport:
    return NeutralExport().user("ada", "bob").group("quay", "ada", "bob")


def evening(migration: Migration) -> tuple[NeutralExport, int]:
    """An export with two rows of quay and one between two people that are still to come, and when they come."""
    soon = (migration.clock.now_ms() // SECOND) * SECOND + MINUTE
    export = people()
    for number in range(3):
        export.say("quay", "ada", at(number))
    export.say("quay", "bob", soon, id="new1", text="first")
    export.say("quay", "ada", soon + 200, id="new2", text="second")
    return export.tell("ada", "bob", soon, id="new3", text="hello"), soon


def morning(*ids: str) -> NeutralExport:
    """The next night's drop: people alone, and a row of another group."""
    export = NeutralExport().user("ada", "bob", *ids).group("pier", "bob", "ada")
    return export.say("pier", "bob", at(500))


def kept_on_stage(migration: Migration) -> list[Path]:
    return sorted((migration.home.stage / "deferred").glob("*/[!.]*"))


def waiting(migration: Migration) -> list[str]:
    """Return the conversations of the rows that wait."""
    assert migration.last is not None
    app = migration.last.connection.app
    with Ledger.open(migration.home.ledger_url, app) as ledger:
        return sorted(row.conversation for row in ledger.deferred("neutral"))


def assert_nothing_waits(migration: Migration) -> None:
    assert waiting(migration) == []
    assert kept_on_stage(migration) == []


def texts(ended: Ended, group: str = "quay") -> list[str]:
    return [text for _, text, _ in said_in(ended.world, group)]


def test_the_next_run_sends_them_though_its_own_drop_lacks_them(migration: Migration) -> None:
    export, soon = evening(migration)
    first = migration.run(export)
    assert first.error is None
    assert first.rows["group_messages"] == {"imported": 3, "deferred": 2}
    assert first.rows["c2c_messages"] == {"deferred": 1}
    assert waiting(migration) == ["direct:ada/bob", "group:quay", "group:quay"]
    migration.clock.sleep(120)
    second = migration.run(morning())
    assert second.error is None
    assert second.rows["group_messages"] == {"imported": 3}
    assert second.rows["c2c_messages"] == {"imported": 1}
    assert_adds_up(second.report)
    assert [(text, when) for _, text, when in said_in(second.world, "quay")][3:] == [
        ("first", soon // 1000),
        ("second", soon // 1000 + 1),
    ]
    assert [text for _, text, _ in told_between(second.world, "ada", "bob")] == ["hello"]
    assert_nothing_waits(migration)


def test_a_run_over_the_same_export_sends_them_once(migration: Migration) -> None:
    export, _ = evening(migration)
    migration.run(export)
    migration.clock.sleep(120)
    second = migration.run(export)
    assert second.error is None
    assert second.rows["group_messages"] == {"already_imported": 3, "imported": 2}
    assert_adds_up(second.report)
    assert texts(second)[3:] == ["first", "second"]
    assert_nothing_waits(migration)
    third = migration.run(export)
    assert third.rows["group_messages"] == {"already_imported": 5}


def test_they_wait_on_while_they_are_too_new(migration: Migration) -> None:
    export, _ = evening(migration)
    migration.run(export)
    before = kept_on_stage(migration)
    again = migration.run(morning())
    assert again.error is None
    assert again.rows["group_messages"] == {"imported": 1, "deferred": 2}
    assert_adds_up(again.report)
    assert kept_on_stage(migration) == before
    assert len(waiting(migration)) == 3
    migration.clock.sleep(120)
    last = migration.run(morning())
    assert texts(last)[3:] == ["first", "second"]
    assert_nothing_waits(migration)


def test_a_row_stays_behind_those_of_its_conversation_that_wait(migration: Migration) -> None:
    """The next drop holds a row of the same group that is newer; its order is that of one run."""
    export, soon = evening(migration)
    migration.run(export)
    migration.clock.sleep(120)
    later = people().say("quay", "bob", soon + 50, id="new1b", text="between")
    later.say("quay", "bob", soon + 5 * SECOND, id="new4", text="third")
    ended = migration.run(later)
    assert ended.error is None
    assert texts(ended)[3:] == ["first", "between", "second", "third"]
    assert ended.rows["group_messages"] == {"imported": 4}
    assert_adds_up(ended.report)


def test_an_edit_of_a_waiting_row_is_what_is_sent(migration: Migration) -> None:
    export, soon = evening(migration)
    migration.run(export)
    migration.clock.sleep(120)
    edited = morning().say(
        "quay", "bob", soon, id="new1", text="better", edited_at=soon + 30 * SECOND
    )
    ended = migration.run(edited)
    assert ended.error is None
    assert texts(ended)[3:] == ["better", "second"]
    assert_adds_up(ended.report)
    assert_nothing_waits(migration)


def test_a_waiting_row_that_was_edited_and_waits_again_keeps_the_edit(migration: Migration) -> None:
    export, soon = evening(migration)
    migration.run(export)
    edited = people().say("quay", "bob", soon, id="new1", text="better", edited_at=soon + SECOND)
    migration.run(edited)
    assert len(kept_on_stage(migration)) == 2
    migration.clock.sleep(120)
    stale = morning().say("quay", "bob", soon, id="new1", text="first")
    ended = migration.run(stale)
    assert ended.error is None
    assert texts(ended)[3:] == ["better", "second"]
    assert_adds_up(ended.report)
    assert_nothing_waits(migration)


def test_a_waiting_row_that_was_deleted_is_never_sent(migration: Migration) -> None:
    export, soon = evening(migration)
    migration.run(export)
    migration.clock.sleep(120)
    ended = migration.run(morning().say("quay", "bob", soon, id="new1", deleted_at=soon + SECOND))
    assert ended.error is None
    assert texts(ended)[3:] == ["second"]
    assert ended.reasons["group_messages"] == {"deleted": 1}
    assert_adds_up(ended.report)
    assert_nothing_waits(migration)


def test_a_group_that_only_its_waiting_rows_name_is_made_as_its_row_says(
    migration: Migration,
) -> None:
    """The daily quota kept the group from being made, so its rows wait, and with them its profile and members."""
    migration.sandbox.add_fault(FaultAction.ERROR, api="import_group", code=10006)
    export = people().user("cid", name="Cid the Third").member("quay", "cid", unread_count=1)
    export.groups[0].update(type="public", name="The Quay")
    first = migration.run(export.say("quay", "ada", at(0)).say("quay", "bob", at(1)))
    assert first.reasons["group_messages"] == {"daily_quota": 2}
    migration.sandbox.clear_faults()
    second = migration.run(morning())
    assert second.error is None
    quay = second.world["groups"]["quay"]
    assert (quay["type"], quay["name"]) == ("Public", "The Quay")
    assert set(quay["members"]) == {"ada", "bob", "cid"}
    assert unread_in(second.world, "quay") == {"cid": 1}
    assert second.rows["groups"] == {"imported": 2}
    assert_adds_up(second.report)
    assert_nothing_waits(migration)
    third = migration.run(morning())
    assert third.rows["members"] == {"already_imported": 2}


def test_a_pilot_leaves_the_rows_of_other_conversations_where_they_are(
    migration: Migration,
) -> None:
    export, _ = evening(migration)
    migration.run(export)
    migration.clock.sleep(120)
    pilot = migration.run(export, conversations=["ada/bob"])
    assert pilot.error is None
    assert pilot.rows["c2c_messages"] == {"imported": 1}
    assert_adds_up(pilot.report)
    assert waiting(migration) == ["group:quay", "group:quay"]
    ended = migration.run(morning())
    assert texts(ended)[3:] == ["first", "second"]
    assert_nothing_waits(migration)


def test_a_dry_run_counts_them_and_adds_none(migration: Migration) -> None:
    export, _ = evening(migration)
    migration.run(export)
    run = migration.prepare(morning(), dry_run=True)
    result = stages.plan_import(run)
    assert "3 messages deferred by earlier runs come in addition" in result.summary
    assert result.rows["group_messages"] == {"to_import": 1}
    assert len(waiting(migration)) == 3


def test_waiting_rows_that_are_gone_from_the_stage_stop_the_plan(migration: Migration) -> None:
    export, _ = evening(migration)
    migration.run(export)
    for folder in kept_on_stage(migration):
        keeping_away = folder.with_name(f".{folder.name}")
        folder.rename(keeping_away)
    refused = migration.run(morning())
    assert isinstance(refused.error, UsageError)
    assert "3 rows that an earlier run deferred" in refused.error.what
    migration.clock.sleep(120)
    ended = migration.run(export)
    assert ended.error is None
    assert texts(ended)[3:] == ["first", "second"]
    assert waiting(migration) == []


# --- crashes ------------------------------------------------------------------------------------

AT_THE_END = (
    (Ledger, "settle_deferred"),
    (keeping, "keep"),
    (keeping, "drop_unused"),
    (report_stage, "finish"),
)
"""What the end of a run does, one after the other; a crash is before or after each of these."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("where", "name"), AT_THE_END, ids=[name for _, name in AT_THE_END])
@pytest.mark.parametrize("crashing", [1, 2], ids=["as_they_are_kept", "as_they_are_sent"])
def test_a_crash_at_the_end_of_a_run_loses_no_row_and_doubles_none(
    migration: Migration,
    monkeypatch: pytest.MonkeyPatch,
    where: object,
    name: str,
    *,
    after: bool,
    crashing: int,
) -> None:
    export, _ = evening(migration)
    exports = [export, morning(), morning(), export]
    for number, each in enumerate(exports, 1):
        with monkeypatch.context() as patch, suppress(Killed):
            if number == crashing:
                patch.setattr(where, name, killing(getattr(where, name), after=after))
            migration.run(each)
        migration.clock.sleep(0 if number == crashing == 1 else 120)
        if number == crashing == 1:
            # The night that was cut off is not complete: it is read again before the next one.
            migration.run(export)
            migration.clock.sleep(120)
    ended = migration.run(export)
    assert ended.error is None
    assert texts(ended)[3:] == ["first", "second"]
    assert [text for _, text, _ in told_between(ended.world, "ada", "bob")] == ["hello"]
    assert waiting(migration) == []


def test_a_report_that_is_written_again_changes_nothing(migration: Migration) -> None:
    export, _ = evening(migration)
    migration.run(export)
    before = (waiting(migration), kept_on_stage(migration))
    assert migration.last is not None
    stages.write_report(migration.last)
    assert (waiting(migration), kept_on_stage(migration)) == before


def killing(real: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    """Return a function that kills the process before or after it did its work."""

    def killed(*args: Any, **kwargs: Any) -> None:
        if after:
            real(*args, **kwargs)
        raise Killed

    return killed


# --- wait_deferred ------------------------------------------------------------------------------


def test_a_run_that_is_told_to_wait_sends_them_itself(migration: Migration) -> None:
    export, soon = evening(migration)
    ended = migration.run(export, wait_deferred=True)
    assert ended.error is None
    assert ended.rows["group_messages"] == {"imported": 5}
    assert ended.rows["c2c_messages"] == {"imported": 1}
    assert said_in(ended.world, "quay")[3:] == [
        ("bob", "first", soon // 1000),
        ("ada", "second", soon // 1000 + 1),
    ]
    assert migration.clock.now_ms() >= soon + 6 * SECOND
    assert_nothing_waits(migration)


def test_what_bears_a_time_of_another_day_is_not_waited_for(migration: Migration) -> None:
    far = migration.clock.now_ms() + 30 * HOUR
    ended = migration.run(people().say("quay", "ada", far), wait_deferred=True)
    assert ended.error is None
    assert ended.reasons["group_messages"] == {"too_new": 1}
    assert migration.clock.now_ms() < far


def test_a_stop_ends_the_wait(migration: Migration) -> None:
    export, _ = evening(migration)
    run = migration.prepare(export, wait_deferred=True)
    sleep = migration.clock.sleep

    def stop_at_first_wait(seconds: float) -> None:
        run.stop.set()
        sleep(seconds)

    migration.clock.sleep = stop_at_first_wait  # type: ignore[method-assign]
    ended = migration._ended(run)
    assert isinstance(ended.error, InterruptedRunError)
    migration.clock.sleep = sleep  # type: ignore[method-assign]
    again = migration.run(export, wait_deferred=True)
    assert again.error is None
    assert texts(again)[3:] == ["first", "second"]


# --- a stage on an object store -----------------------------------------------------------------


class Shared(Migration):
    """A migration whose stage lies behind a URL."""

    @property
    def home(self) -> Home:
        stage = f"memory://{self.folder.name}"
        return Home.from_environment(
            {"CHAT_MIGRATION_HOME": str(self.folder / "home"), "CHAT_MIGRATION_STAGE": stage}
        )


def test_they_wait_behind_a_url_as_in_a_folder(migration: Migration) -> None:
    shared = Shared(
        sandbox=migration.sandbox,
        folder=migration.folder,
        connection=migration.connection,
        clock=migration.clock,
    )
    export, _ = evening(shared)
    shared.run(export)
    stage = open_stage(shared.home, shared.clock)
    (kept,) = stage.names(keeping.folder_of("neutral"))
    shared.clock.sleep(120)
    ended = shared.run(morning())
    assert ended.error is None
    assert texts(ended)[3:] == ["first", "second"]
    assert waiting(shared) == stage.names(keeping.folder_of("neutral")) == []
    assert stage.find(kept) is None
    stage.remove(kept)
