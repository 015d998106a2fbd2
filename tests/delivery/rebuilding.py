"""Losing a ledger and rebuilding it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.builders_neutral import HOUR, START_MS, NeutralExport, at
from tests.delivery.conftest import harbour
from tests.delivery.driving import Ended, Migration, World, assert_adds_up

from chat_migration import rebuild, stages
from chat_migration.errors import MigrationError
from chat_migration.ledger.shared import shared_ledger
from chat_migration.rebuild import RebuildReport
from chat_migration.run import Run

CREATED_S = (START_MS - HOUR) // 1000
"""When the groups of these exports were created."""


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """How a rebuild ended."""

    run: Run
    error: MigrationError | None
    report: RebuildReport
    calls: dict[str, int]
    writes: int

    @property
    def rows(self) -> dict[str, dict[str, int]]:
        """Return record type → what was found → rows."""
        return self.report.rows


def lose_ledger(migration: Migration) -> None:
    """Remove everything that this machine remembers."""
    shutil.rmtree(migration.home.path)


def rebuild_ledger(
    migration: Migration, export: NeutralExport | Path, *, run_id: str = "", **settings: Any
) -> Rebuilt:
    """Rebuild the ledger from an export; its calls are counted."""
    run = migration.prepare(export, run_id=run_id or f"rebuild-{migration.runs + 1}", **settings)
    before = migration.sandbox.stats()
    error: MigrationError | None = None
    with shared_ledger(run.home.create().ledger_url, run.connection.app, clock=run.clock):
        stages.extract_export(run)
        stages.plan_import(run)
        try:
            stages.rebuild_ledger(run)
        except MigrationError as raised:
            error = raised
    after = migration.sandbox.stats()
    report = rebuild.report_of(run)
    assert report is not None
    return Rebuilt(
        run=run,
        error=error,
        report=report,
        calls={
            api: counts["count"] - before["apis"].get(api, {"count": 0})["count"]
            for api, counts in after["apis"].items()
        },
        writes=after["writes"] - before["writes"],
    )


def city() -> NeutralExport:
    """An export of everything that a ledger remembers: split texts, a community with topics, both directions at once."""
    export = harbour()
    topics = [{"id": "tides", "name": "Tides", "created_at": START_MS - HOUR // 2}]
    export.group("reef", "ada", "bob", type="community", topics=topics)
    for number in range(5):
        export.say("reef", "ada", at(200 + number), topic_id="tides")
    export.say("reef", "bob", at(210)).say("reef", "bob", at(211))
    export.say("pier", "bob", at(70), text="é" * 13_000).say("pier", "ada", at(80))
    export.tell("dee", "bob", at(300), text="ü" * 14_000)
    for number in range(6):
        export.tell(*(("dee", "bob"), ("bob", "dee"))[number % 2], at(301 + number / 10))
    return export.member("reef", "bob", unread_count=1)


def outcomes(ended: Ended) -> dict[str, set[str]]:
    return {kind: set(of) for kind, of in ended.rows.items() if of}


def assert_known(ended: Ended, before: World) -> None:
    """Assert that a run wrote nothing, because everything is there."""
    assert ended.error is None, ended.error
    assert ended.writes == 0
    assert ended.world == before
    assert set().union(*outcomes(ended).values()) == {"already_imported"}
    assert ended.report is not None
    assert_adds_up(ended.report)


def lines_of(rebuilt: Rebuilt) -> list[dict[str, Any]]:
    text = (rebuilt.run.folder / "unproved.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def ledger_of(migration: Migration) -> dict[str, list[tuple[Any, ...]]]:
    """Return what the ledger says, without who wrote it when."""
    said = {
        "identities": "kind, legacy_id, target_id",
        "accounts": "account_id",
        "groups": "conversation, group_id, topic_id, type, created_s, "
        "CASE topic_id WHEN '' THEN unread_dirty END",
        "members": "group_id, account_id, role",
        "read_positions": "group_id, account_id, first_unread_ms, first_unread_order, unread_set",
        "streams": "conversation, newest_sent_ms, newest_order, newest_slot, confirmed_sequence, foreign_slot",
        "deliveries": "message_key, part, side, parts, conversation, sender, recipient, sent_at_ms, order_key, "
        "slot, sequence, random, source_hash, render_version, state, late",
    }
    connection = sqlite3.connect(migration.home.path / "ledger.sqlite")
    try:
        return {
            table: connection.execute(
                f"SELECT {columns} FROM {table} ORDER BY {columns}"
            ).fetchall()
            for table, columns in said.items()
        }
    finally:
        connection.close()
