"""Sending one shard of the messages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial

from chat_migration.delivery.context import reporting
from chat_migration.delivery.direct_messages import DirectStream
from chat_migration.delivery.frontiers import Frontiers
from chat_migration.delivery.group_messages import GroupStream
from chat_migration.delivery.holding import HeldWork, run_held
from chat_migration.delivery.rows import KeyConflicts
from chat_migration.planning.tables import MessageReader, PlannedConversation
from chat_migration.run import Run
from chat_migration.stages.result import StageResult, result_of
from chat_migration.workbench import delivering


def import_direct_messages(run: Run, shard: int = 0) -> StageResult:
    """Send one shard of the one-to-one messages."""
    with delivering(run, "direct", shard) as tools:
        places = tools.plan.conversations("direct", shard)
        conflicts = KeyConflicts(run.settings.max_key_conflicts)
        total = sum(each.rows for each in places)
        with (
            closing(MessageReader(tools.plan.messages_path("direct", shard))) as reader,
            reporting(tools.progress, "one-to-one messages", total, "messages"),
        ):
            run_held(
                tools,
                (
                    _streaming(
                        place, partial(DirectStream, tools, place, reader, conflicts=conflicts)
                    )
                    for place in places
                ),
            )
        return result_of("direct", tools, run)


def import_group_messages(run: Run, shard: int = 0) -> StageResult:
    """Send one shard of the group messages."""
    with delivering(run, "group", shard) as tools:
        places = tools.plan.conversations("group", shard)
        conflicts = KeyConflicts(run.settings.max_key_conflicts)
        total = sum(each.rows for each in places)
        frontiers = Frontiers(tools, places, per_call=tools.sizes.frontiers)
        with (
            closing(MessageReader(tools.plan.messages_path("group", shard))) as reader,
            reporting(tools.progress, "group messages", total, "messages"),
        ):
            run_held(
                tools,
                (
                    _streaming(
                        place,
                        partial(
                            GroupStream,
                            tools,
                            place,
                            reader,
                            frontiers=frontiers,
                            conflicts=conflicts,
                        ),
                    )
                    for place in places
                ),
            )
        return result_of("group", tools, run)


def _streaming(
    place: PlannedConversation, make: Callable[[], DirectStream | GroupStream]
) -> HeldWork:
    """Return the streaming of one conversation; what the ledger knows of it is read when it is held."""
    made: list[DirectStream | GroupStream] = []

    def stream() -> DirectStream | GroupStream:
        if not made:
            made.append(make())
        return made[0]

    return HeldWork(
        conversation=place.conversation,
        run=lambda: stream().run(),
        skip=lambda: stream().skip(),
    )
