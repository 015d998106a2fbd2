"""Bringing changes of groups that exist over, after their messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from chat_migration.artefacts import LINES, PART, part_folders
from chat_migration.delivery.profiles import ProfileSync
from chat_migration.delivery.tally import RowLine, StagePart
from chat_migration.errors import NoticeStoredError
from chat_migration.model import Conversation, Outcome, RecordType
from chat_migration.planning.tables import Plan
from chat_migration.run import Run
from chat_migration.stages.result import StageResult, result_of
from chat_migration.stages.unread import set_unread_counts
from chat_migration.workbench import delivering

_MESSAGES = "group"
"""The stage whose parts say what became of the group messages."""
_WAITING = (Outcome.DEFERRED, Outcome.IN_DOUBT)
_PART: msgspec.json.Decoder[StagePart] = msgspec.json.Decoder(StagePart)
_LINE: msgspec.json.Decoder[RowLine] = msgspec.json.Decoder(RowLine)


def sync_group_profiles(run: Run) -> StageResult:
    """Bring leavers, roles, owners and profiles of existing groups over; without ``sync_profiles`` do nothing.

    May be repeated: what is brought over is in the ledger, and every call is one that can be made twice.

    Raises:
        NoticeStoredError: a change stored a notice in its group; the switch for that is named. The unread counts, whose
            turn would have come after this, are set all the same.
        HeldElsewhereError: another run held some of the groups; the rest is done.
    """
    if run.settings.sync_profiles == "off":
        return StageResult(stage="profiles", rows={}, seconds=0.0)
    try:
        with delivering(run, "profiles") as tools:
            unsettled = unsettled_groups(run, tools.plan)
            ProfileSync(tools, unsettled, removals=tools.sizes.removals).run()
            return result_of("profiles", tools, run)
    except NoticeStoredError:
        # Until somebody turns the switch no run comes past this, and people would see their counts of the day before.
        set_unread_counts(run)
        raise


def unsettled_groups(run: Run, plan: Plan) -> set[str]:
    """Return the groups of which this run has not dealt with every message, topics included, by conversation.

    That is told by the parts which the stage of the messages left: by its lines of what waits or is in doubt, and
    by its counts. A shard that has not counted all of its rows has dealt with none of its groups for sure.
    """
    counted: dict[int, int] = {}
    unsettled: set[str] = set()
    for folder in part_folders(run):
        part = _PART.decode((folder / PART).read_bytes())
        if part.stage == _MESSAGES:
            counted[part.shard] = sum(part.rows.get(RecordType.GROUP_MESSAGES, {}).values())
            unsettled.update(_waiting(folder / LINES))
    places = plan.conversations("group")
    rows: dict[int, int] = {}
    for each in places:
        rows[each.shard] = rows.get(each.shard, 0) + each.rows
    unsettled.update(
        each.conversation for each in places if rows[each.shard] != counted.get(each.shard, 0)
    )
    return {Conversation.group(Conversation.parse(each).first).key for each in unsettled}


def _waiting(lines: Path) -> Iterator[str]:
    """Yield the conversations of the rows that wait or are in doubt."""
    if not lines.exists():
        return
    with lines.open("rb") as file:
        for raw in file:
            line = _LINE.decode(raw)
            if line.outcome in _WAITING:
                yield line.conversation
