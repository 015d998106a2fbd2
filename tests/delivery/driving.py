"""Running whole migrations against a sandbox, and what must come of one, computed from the export's rows."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.builders_neutral import NeutralExport, Row
from tests.clocks_fast import FastClock

from chat_migration import stages
from chat_migration.clock import Clock
from chat_migration.connection import TargetConnection
from chat_migration.errors import MigrationError
from chat_migration.home import Home
from chat_migration.ledger.shared import shared_ledger
from chat_migration.reporting.report import RunReport
from chat_migration.run import Run
from chat_migration.settings import Settings
from chat_migration.targets.tencent_chat.connection import TencentConnection
from chat_sandbox import SandboxHandle

World = dict[str, Any]
Stage = Callable[[Run], object]

SMALL = {"messages_per_call": 3, "members_per_call": 2, "accounts_per_call": 3}
"""Calls small enough for a small export to need several of each API."""
PLANNED = "planned"
"""The run whose plan :meth:`Migration.run_planned` carries out."""
QUICK = {"calls_per_second": 20_000.0, "parallel_calls": 4}


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a run ended: the error it raised or None, its report if there is one, the world, the calls."""

    error: MigrationError | None
    report: RunReport | None
    world: World
    calls: dict[str, int]
    writes: int

    @property
    def rows(self) -> dict[str, dict[str, int]]:
        """Return record type → outcome → rows of the report."""
        assert self.report is not None, self.error
        return self.report.rows

    @property
    def reasons(self) -> dict[str, dict[str, int]]:
        """Return record type → reason → rows of the report."""
        assert self.report is not None, self.error
        return self.report.reasons


@dataclass(kw_only=True)
class Migration:
    """A home, an export and a sandbox; each :meth:`run` is one run of the migrator."""

    sandbox: SandboxHandle
    folder: Path
    connection: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    clock: Clock = field(default_factory=FastClock)
    runs: int = 0
    last: Run | None = None

    @property
    def home(self) -> Home:
        return Home.from_environment({"CHAT_MIGRATION_HOME": str(self.folder / "home")})

    def prepare(self, export: NeutralExport | Path, *, run_id: str = "", **settings: Any) -> Run:
        """Return a run over an export; nothing is done yet."""
        self.runs += 1
        path = export
        if isinstance(export, NeutralExport):
            path = export.write(self.folder / f"export-{self.runs}")
        given = {"export_path": str(path), "max_rejected_ratio": 1.0, **self.settings, **settings}
        self.last = Run(
            run_id=run_id or f"run-{self.runs}",
            settings=Settings.load(given, {}),
            connection=self.connect(),
            home=self.home,
            clock=self.clock,
        )
        return self.last

    def connect(self) -> TargetConnection:
        """Return the connection of the sandbox's app."""
        app = self.sandbox.app
        connection = {
            "host": self.sandbox.url,
            "sdk_app_id": app.sdk_app_id,
            "admin": app.admin,
            "secret_key": app.secret_key,
            **QUICK,
            **self.connection,
        }
        return TencentConnection.model_validate(connection)

    def world(self) -> World:
        """Return what the target holds."""
        return self.sandbox.dump()

    def run(
        self,
        export: NeutralExport | Path,
        *,
        run_id: str = "",
        until: str = "",
        **settings: Any,
    ) -> Ended:
        """Run all stages, or those before ``until``; a run that fails still writes its report."""
        return self._ended(self.prepare(export, run_id=run_id, **settings), until=until)

    def _ended(self, run: Run, *, until: str = "", skip: Container[str] = ()) -> Ended:
        before = self.sandbox.stats()
        error: MigrationError | None = None
        # Opening the ledger anew for each stage takes a third of a small run's time.
        with shared_ledger(run.home.create().ledger_url, run.connection.app, clock=run.clock):
            try:
                for name, stage in stages_of(run):
                    if name == until:
                        break
                    if name not in skip:
                        stage(run)
            except MigrationError as raised:
                error = raised
            if not until:
                error = self._report(run, error)
        after = self.sandbox.stats()
        return Ended(
            error=error,
            report=stages.report_of(run) if (run.folder / "report.json").exists() else None,
            world=self.world(),
            calls={
                api: counts["count"] - before["apis"].get(api, {"count": 0})["count"]
                for api, counts in after["apis"].items()
            },
            writes=after["writes"] - before["writes"],
        )

    def repeat(self) -> Ended:
        """Run the stages after the plan of the last run once more, as a scheduler repeats its tasks."""
        assert self.last is not None
        return self._ended(self.last, skip=("extract", "plan"))

    def run_planned(self, planned: Path) -> Ended:
        """Run the stages after the plan, over a copy of a home in which a run was planned."""
        if not self.home.path.exists():
            shutil.copytree(planned, self.home.path)
        return self._ended(self.prepare(planned, run_id=PLANNED), skip=("extract", "plan"))

    @staticmethod
    def _report(run: Run, error: MigrationError | None) -> MigrationError | None:
        if error is None:
            try:
                stages.write_report(run)
            except MigrationError as raised:
                return raised
        elif run.noted_extracts():
            with suppress(MigrationError):
                stages.write_report(run)
        return error


def stages_of(run: Run) -> list[tuple[str, Stage]]:
    """Return the stages of a run in their order, by name."""
    shards = range(run.settings.shards)
    return [
        ("extract", stages.extract_export),
        ("plan", stages.plan_import),
        ("accounts", stages.import_accounts),
        ("groups", stages.import_group_profiles),
        ("members", stages.import_group_members),
        *(("direct", partial(stages.import_direct_messages, shard=shard)) for shard in shards),
        *(("group", partial(stages.import_group_messages, shard=shard)) for shard in shards),
        ("profiles", stages.sync_group_profiles),
        ("unread", stages.set_unread_counts),
    ]


# --- worlds -------------------------------------------------------------------------------------


def comparable(world: World) -> World:
    """Return a world without what may differ between two right runs: when owners were added, and seqs."""
    return {
        "accounts": world["accounts"],
        "groups": {
            name: {
                **{
                    key: value
                    for key, value in group.items()
                    if key not in ("next_msg_seq", "messages", "members", "topics")
                },
                "messages": [_without_seq(each) for each in group["messages"]],
                "members": {
                    user: {
                        key: value
                        for key, value in member.items()
                        if key != "join_time" or member["role"] != "Owner"
                    }
                    for user, member in group["members"].items()
                },
                "topics": {
                    topic_id: {
                        **{key: value for key, value in topic.items() if key != "next_msg_seq"},
                        "messages": [_without_seq(each) for each in topic["messages"]],
                    }
                    for topic_id, topic in group["topics"].items()
                },
            }
            for name, group in world["groups"].items()
        },
        "conversations": world["conversations"],
    }


def _without_seq(message: World) -> World:
    return {key: value for key, value in message.items() if key != "seq"}


Said = tuple[str, str, int]
"""(sender, text, second) of a message."""


def said_in(world: World, group_id: str, topic_id: str = "") -> list[Said]:
    """Return what a group or topic holds, in the order of its seqs, which must rise."""
    group = world["groups"][group_id]
    messages = (group["topics"][topic_id] if topic_id else group)["messages"]
    seqs = [each["seq"] for each in messages]
    assert seqs == sorted(set(seqs))
    return [(each["from"], text_of(each["body"]), each["time"]) for each in messages]


def told_between(world: World, one: str, other: str) -> list[Said]:
    """Return what two people told each other, in the order in which clients show it."""
    for conversation in world["conversations"]:
        if set(conversation["accounts"]) == {one, other}:
            ordered = sorted(conversation["messages"], key=lambda each: (each["time"], each["seq"]))
            return [(each["from"], text_of(each["body"]), each["time"]) for each in ordered]
    return []


def text_of(body: list[World]) -> str:
    """Return the joined texts of a message."""
    return "".join(each["MsgContent"]["Text"] for each in body if each["MsgType"] == "TIMTextElem")


def unread_in(world: World, group_id: str) -> dict[str, int]:
    """Return the members with unread messages, and how many."""
    members = world["groups"][group_id]["members"]
    return {user: member["unread"] for user, member in members.items() if member["unread"]}


# --- what must come of an export, from its rows alone -------------------------------------------


def by_group(export: NeutralExport) -> dict[str, list[Row]]:
    """Return the group messages of an export by group, oldest first; ids here sort as they are."""
    found: dict[str, list[Row]] = defaultdict(list)
    for row in sorted(export.messages, key=lambda each: (each["sent_at"], each["id"])):
        if "group_id" in row:
            found[row["group_id"]].append(row)
    return dict(found)


def expected_group(rows: Iterable[Row], *, newest: int = 0) -> list[Said]:
    """Return what a group must hold: slot = max(second, slot before + 1)."""
    said: list[Said] = []
    for row in rows:
        newest = max(row["sent_at"] // 1000, newest + 1)
        said.append((row["sender_id"], row["text"], newest))
    return said


def expected_direct(export: NeutralExport, one: str, other: str) -> list[Said]:
    """Return what a one-to-one conversation must hold: true seconds, by instant, then id."""
    rows = [
        row
        for row in export.messages
        if {row["sender_id"], row.get("recipient_id")} == {one, other}
    ]
    rows.sort(key=lambda each: (each["sent_at"], each["id"]))
    return [(row["sender_id"], row["text"], row["sent_at"] // 1000) for row in rows]


def expected_unread(export: NeutralExport, group_id: str) -> dict[str, int]:
    """Return each member's unread count: stated, or messages of others after the stated instant."""
    rows = by_group(export).get(group_id, [])
    counts: dict[str, int] = {}
    for member in export.members:
        if member["group_id"] != group_id or member.get("left_at"):
            continue
        others = [row for row in rows if row["sender_id"] != member["user_id"]]
        if "unread_count" in member:
            counts[member["user_id"]] = min(member["unread_count"], len(others))
        elif "last_read_at" in member:
            after = [row for row in others if row["sent_at"] > member["last_read_at"]]
            counts[member["user_id"]] = len(after)
    return {user: count for user, count in counts.items() if count}


def pairs_of(export: NeutralExport) -> set[tuple[str, str]]:
    """Return the pairs of people who wrote to each other."""
    return {
        (min(row["sender_id"], row["recipient_id"]), max(row["sender_id"], row["recipient_id"]))
        for row in export.messages
        if "recipient_id" in row
    }


def assert_holds(world: World, export: NeutralExport) -> None:
    """Assert that a world holds exactly the messages and unread counts of an export of plain texts."""
    groups = by_group(export)
    for group_id, rows in groups.items():
        assert said_in(world, group_id) == expected_group(rows), group_id
        assert unread_in(world, group_id) == expected_unread(export, group_id), group_id
    for group_id, group in world["groups"].items():
        assert group_id in groups or group["messages"] == []
    pairs = pairs_of(export)
    for one, other in pairs:
        assert told_between(world, one, other) == expected_direct(export, one, other)
    assert len(world["conversations"]) == len(pairs)


def assert_adds_up(report: RunReport) -> None:
    """Assert that the outcomes of each record type add up to the rows read."""
    for kind, read in report.rows_read.items():
        assert (
            sum(report.rows[kind].values()) + (report.outside_window if kind == "messages" else 0)
            == read
        ), (kind, report.rows[kind], read)
