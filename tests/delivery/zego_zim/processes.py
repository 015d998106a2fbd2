"""The command line as real processes on ZIM, and what must come of them where the vendor knows no repeat."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tests.builders_neutral import NeutralExport
from tests.delivery.chaos import differences
from tests.delivery.driving import World
from tests.delivery.process_scenes import assert_whole
from tests.delivery.processes import Constants, Processes, launched
from tests.delivery.zego_zim.migrating import (
    RETENTION_DAYS,
    assert_zim_holds,
    comparable_zim,
    marks_of,
)

from chat_migration.connection import TargetConnection
from chat_migration.targets.zego_zim.connection import ZimConnection

SIZES = {"accounts_per_call": 3, "members_per_call": 2, "retention_days": RETENTION_DAYS}
NO_WAITS: Constants = {
    "chat_migration.connection:SETTLE_MARGIN_SECONDS": 0.1,
    "chat_migration.targets.zego_zim.connection:ZimConnection.backend_timeout_seconds": 0.1,
    "chat_migration.targets.zego_zim.rules:ZimRules.seconds_between_member_calls": 0.0,
}
"""The sandbox does at once what the vendor may take seconds for, and has no rate for one group's members here."""


@dataclass(kw_only=True)
class ZimProcesses(Processes):
    """The processes of one test on ZIM."""

    kind: ClassVar[type[TargetConnection]] = ZimConnection

    @property
    def app(self) -> str:
        return f"zim:{self.sandbox.zim.app.app_id}"

    @property
    def secrets(self) -> tuple[str, ...]:
        return self.sandbox.zim.app.server_secret, "Signature="

    def connection(self) -> dict[str, Any]:
        app = self.sandbox.zim.app
        # No pace of ours: the vendor's 20 calls a second would make the tests minutes long.
        extra = {"calls_per_second": 20_000, **SIZES}
        return {"login": str(app.app_id), "password": app.server_secret, "extra": extra}

    def world(self) -> World:
        return self.sandbox.zim.dump()


def processes(
    folder: Path, export: NeutralExport, **extra: Any
) -> AbstractContextManager[ZimProcesses]:
    """Give the processes of one test, whose waits for the vendor are short."""
    return launched(ZimProcesses, folder, export, extra=extra, constants=NO_WAITS)


def sent_copies(made: ZimProcesses) -> Counter[tuple[str, ...]]:
    """Return how often each message was imported into each place, by the sandbox's journal."""
    sent: Counter[tuple[str, ...]] = Counter()
    place: tuple[str, ...]
    for api, body in made.written():
        if api == "ImportGroupMsg":
            place = (body["GroupId"],)
        elif api == "ImportPeerMsg":
            place = (body["FromUserId"], body["ToUserId"], body["ImportedUserId"])
        else:
            continue
        (mark,) = marks_of([{"payload": body["MessageBody"]["ExtendedData"]}])
        sent[*place, mark] += 1
    return sent


def assert_complete(
    made: ZimProcesses, export: NeutralExport, clean: World, *, is_call_held: bool = False
) -> None:
    """Assert that the last run was complete, and that the target is as a clean run leaves it.

    Each message was imported once into its group, or once into each copy: one more could not be taken back.
    """
    world = made.world()
    differing = differences(comparable_zim(world), clean)
    assert not differing, differing
    assert_zim_holds(world, export)
    assert_read(world, export)
    sent = sent_copies(made)
    assert set(sent.values()) == {1}
    assert len(sent) == sum(2 if "recipient_id" in row else 1 for row in export.messages)
    assert_whole(made, is_call_held=is_call_held)


def assert_read(world: World, export: NeutralExport) -> None:
    """Assert that all history is read, but for those who have as much unread as the export says."""
    wanted = {
        (row["group_id"], row["user_id"]): row.get("unread_count", 0) for row in export.members
    }
    for group_id, group in world["groups"].items():
        for user_id, member in group["members"].items():
            assert member["unread"] in (0, wanted[group_id, user_id]), (group_id, user_id)
    assert {side["unread"] for side in world["sides"]} == {0}


def assert_writes_no_more(made: ZimProcesses) -> None:
    """Assert that a further run finds nothing to do."""
    before = made.writes()
    made.run()
    assert made.writes() == before
