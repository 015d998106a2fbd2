"""What a run would change of groups that exist: their profile and owner, who is admin, who has left.

Pure questions over the plan and the ledger, asked three times: for the quote, by the stages that create (which
leave such rows alone), and by the stage that brings the changes over, while it holds the group.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Protocol

import msgspec

from chat_migration.ledger.records import GroupRecord, MemberRecord
from chat_migration.ledger.states import EntityState
from chat_migration.model import Conversation
from chat_migration.planning.selection import is_needed
from chat_migration.planning.tables import Plan, PlannedGroup, PlannedMember
from chat_migration.settings import Settings
from chat_migration.targets.rules import TargetRules
from chat_migration.targets.verbs import Verb
from chat_migration.window import Window

GROUP_CHANGED = ("profile", "owner")
"""Reasons of a group's record: what a run last brought over."""
GROUP_REFUSED = ("profile_refused", "owner_refused")
"""Reasons of a group's record: what the target refused for good. Its row stays rejected until it changes."""
ROLE_CHANGED, ROLE_REFUSED = "role", "role_refused"
REMOVED, REMOVAL_REFUSED = "removed", "removal_refused"
FIRST_MEMBER = "first_member"
"""The reason of a member who came in as a plain one; if more is stated of them, that is still to be done."""
LEFT = "left"
"""The reason with which the plan ends the row of somebody who has left."""
_IN_USE = (EntityState.CREATED, EntityState.ADOPTED)
_GROUPS_AT_ONCE = 200


class Known(Protocol):
    """What earlier runs wrote; a ledger is one."""

    def groups_of(self, conversations: Sequence[str]) -> dict[str, GroupRecord]:
        """Return the groups of some conversations that are known."""

    def members_of(self, group_ids: Sequence[str]) -> dict[str, dict[str, MemberRecord]]:
        """Return group id → account id → membership."""


class Windows(Protocol):
    """Which windows are complete; a ledger is one."""

    def window_of_run(self, run_id: str) -> Window | None:
        """Return the window that a run began with."""

    def complete_windows(self, source_name: str) -> list[Window]:
        """Return the complete windows of a source."""


class GroupChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What differs between a group's rows and what was last written of it.

    ``left`` are the rows of all who have left, ``leavers`` those of them who are still members by the ledger.
    """

    group: PlannedGroup
    record: GroupRecord
    known: dict[str, MemberRecord]
    rows: list[PlannedMember]
    profile: bool
    owner: bool
    has_admins: bool
    roles: list[PlannedMember]
    leavers: list[PlannedMember]

    @property
    def any(self) -> bool:
        """Tell whether there is something to bring over."""
        return bool(self.profile or self.owner or self.roles or self.leavers)

    @property
    def left(self) -> list[PlannedMember]:
        """Return the rows of those who have left."""
        return [each for each in self.rows if has_left(each)]


def has_left(member: PlannedMember) -> bool:
    """Tell whether a row says that somebody is no member any more."""
    return member.reason == LEFT


def is_member(known: MemberRecord | None) -> bool:
    """Tell whether somebody is a member of a group in the target, by what the ledger knows."""
    return known is not None and known.state in _IN_USE


def changes_of(
    group: PlannedGroup,
    record: GroupRecord,
    rows: list[PlannedMember],
    known: dict[str, MemberRecord],
    rules: TargetRules,
) -> GroupChanges:
    """Return what is to be brought over of one group; where its type has no admins, nobody's role changes."""
    has_admins = group.type not in rules.types_without_admins
    leavers = [
        each
        for each in rows
        if has_left(each)
        and is_member(known.get(each.account_id))
        and known[each.account_id].reason != REMOVAL_REFUSED
    ]
    roles = [each for each in rows if has_admins and _differs(each, known.get(each.account_id))]
    return GroupChanges(
        group=group,
        record=record,
        known=known,
        rows=rows,
        profile=bool(group.file) and record.written_hash != group.written_hash,
        owner=_has_other_owner(group, record),
        has_admins=has_admins,
        roles=roles,
        leavers=leavers,
    )


def _differs(member: PlannedMember, known: MemberRecord | None) -> bool:
    """Tell whether somebody's role is to be set; an owner's is never."""
    return (
        known is not None
        and is_member(known)
        and not member.outcome
        and member.role != "owner"
        and known.role not in (member.role, "owner")
    )


def _has_other_owner(group: PlannedGroup, record: GroupRecord) -> bool:
    """Tell whether the rows name another owner; of groups from before owners were kept, the hash has to tell."""
    if not group.owner_id:
        return False
    if not record.owner_id:
        return record.written_hash != group.written_hash
    return record.owner_id != group.owner_id


def existing_groups(
    plan: Plan, settings: Settings, known: Known
) -> dict[str, tuple[PlannedGroup, GroupRecord]]:
    """Return the groups of a plan, by group id, that are in use in the target and not left out by a pilot."""
    found: dict[str, tuple[PlannedGroup, GroupRecord]] = {}
    groups = (
        each
        for each in plan.groups()
        if not each.topic_id
        and not each.outcome
        and is_needed(settings, Conversation.parse(each.conversation))
    )
    while chunk := list(islice(groups, _GROUPS_AT_ONCE)):
        records = known.groups_of([each.conversation for each in chunk])
        for group in chunk:
            record = records.get(group.conversation)
            if record is not None and record.state in _IN_USE:
                found[group.group_id] = group, record
    return found


def all_changes(
    plan: Plan, settings: Settings, known: Known, rules: TargetRules
) -> Iterator[GroupChanges]:
    """Yield each existing group of a plan with what is to be brought over of it, which may be nothing."""
    groups = existing_groups(plan, settings, known)
    without_rows = dict(groups)
    by_group = groupby(plan.members(), key=lambda each: each.group_id)
    rows = ((name, list(of_group)) for name, of_group in by_group if name in groups)
    while chunk := dict(islice(rows, _GROUPS_AT_ONCE)):
        members = known.members_of(list(chunk))
        for name, of_group in chunk.items():
            without_rows.pop(name)
            yield changes_of(*groups[name], of_group, members[name], rules)
    yield from (changes_of(*each, [], {}, rules) for each in without_rows.values())


def tells_the_past(settings: Settings, run_id: str, windows: Windows) -> bool:
    """Tell whether the export of this run shows groups and members as they were before what is complete already.

    The drop of one night holds them as of that night. Taken again later, by a backfill or a repeated run, it must
    not bring back who has left since, or an old name.
    """
    if "{" not in settings.export_path:
        return False
    window = windows.window_of_run(run_id)
    if window is None or window.end_ms is None:
        return False
    ends = [each.end_ms for each in windows.complete_windows(settings.name_of_source)]
    return any(end is not None and end > window.end_ms for end in ends)


def calls_for(changes: GroupChanges, *, removals_per_call: int) -> Mapping[Verb, int]:
    """Return the calls that it takes to bring the changes of one group over, at least."""
    if not changes.any:
        return {}
    return {
        Verb.READ_PROFILE: 1,
        Verb.CHANGE_OWNER: int(changes.owner),
        Verb.CHANGE_ROLE: len(changes.roles) + _former_owners(changes),
        Verb.REMOVE_MEMBERS: math.ceil(len(changes.leavers) / removals_per_call),
        # Of another owner the hash differs in any case.
        Verb.CHANGE_PROFILE: int(changes.profile and not changes.owner),
    }


def _former_owners(changes: GroupChanges) -> int:
    """Return how many members get a role because they own the group no more."""
    owner = changes.record.owner_id if changes.owner and changes.has_admins else ""
    return sum(
        bool(owner) and each.account_id == owner and not each.outcome for each in changes.rows
    )
