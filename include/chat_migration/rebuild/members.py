"""Who is a member of our groups, and what their unread counts say about how far the lost run was."""

from __future__ import annotations

from functools import partial
from itertools import groupby

from chat_migration.delivery.frontiers import look_up
from chat_migration.delivery.holding import HeldWork, run_held
from chat_migration.delivery.listing import list_members
from chat_migration.delivery.members import positions_of
from chat_migration.delivery.unread import wanted_counts
from chat_migration.ledger.records import GroupRecord, ReadPosition
from chat_migration.ledger.states import UNREAD_UNKNOWN, EntityState
from chat_migration.model import RecordType
from chat_migration.planning.changes import FIRST_MEMBER
from chat_migration.planning.tables import PlannedMember
from chat_migration.rebuild.findings import Found
from chat_migration.rebuild.ground import Ground
from chat_migration.rebuild.groups import OURS
from chat_migration.targets.base import Failure, GroupAddress, StoredMember
from chat_migration.targets.verbs import Verb

_KNOWN = (EntityState.CREATED, EntityState.ADOPTED)
_KIND = RecordType.MEMBERS


class MemberRebuild:
    """Restores memberships, read positions and the unread counts that were set, group by group."""

    def __init__(self, ground: Ground) -> None:
        self._ground, self._tools = ground, ground.tools

    def run(self) -> None:
        """List the members of every group of ours about which the ledger does not know everything."""
        by_group = groupby(self._tools.plan.members(), key=lambda each: each.group_id)
        run_held(self._tools, (self._work(name, list(rows)) for name, rows in by_group))
        if self._tools.rules.sets_unread:
            self._clean_without_members()

    def _clean_without_members(self) -> None:
        """Take the mark off groups of which nobody's unread count is known, so that none is ever set."""
        ledger = self._tools.ledger
        for group in ledger.groups().values():
            is_dirty = group.unread_dirty and group.state in OURS and not group.topic_id
            if is_dirty and not ledger.positions(group.group_id):
                ledger.clean(group.conversation)

    def _work(self, group_id: str, members: list[PlannedMember]) -> HeldWork:
        return HeldWork(
            conversation=members[0].conversation,
            run=partial(self._group, group_id, members),
            skip=partial(self._count, members, Found.HELD),
        )

    def _group(self, group_id: str, members: list[PlannedMember]) -> None:
        wanted = [each for each in members if not each.outcome]
        self._count([each for each in members if each.outcome], Found.NOT_SENT)
        group = self._tools.ledger.group(members[0].conversation)
        if group is None or group.state not in OURS:
            refused = group is not None and group.state is EntityState.REJECTED
            self._count(wanted, Found.NOT_SENT if refused else Found.MISSING)
            return
        known = {
            name
            for name, (state, *_) in self._tools.ledger.members(group_id).items()
            if state in _KNOWN
        }
        if not group.unread_dirty and known.issuperset(each.account_id for each in wanted):
            self._count(wanted, Found.KNOWN)
            return
        listed = self._list(group)
        if listed is None:
            self._count(wanted, Found.UNPROVED, "unreadable")
            return
        self._restore(group, wanted, known, listed)
        self._note_leavers(group, [each for each in members if each.reason == "left"], listed)
        if group.unread_dirty:
            self._unread(group, positions_of(wanted), listed)

    def _count(self, members: list[PlannedMember], found: Found, reason: str = "") -> None:
        self._ground.findings.count(_KIND, found, len(members), reason)
        self._tools.progress.advance(self._ground.findings.done)

    # --- who is there ---------------------------------------------------------------------------

    def _list(self, group: GroupRecord) -> dict[str, StoredMember] | None:
        """Return the group's members by account, or None if the target does not show them."""
        listed = list_members(self._tools, group.group_id, community=group.type == "community")
        return None if isinstance(listed, Failure) else listed

    def _restore(
        self,
        group: GroupRecord,
        wanted: list[PlannedMember],
        known: set[str],
        listed: dict[str, StoredMember],
    ) -> None:
        there = {
            each.account_id: str(listed[each.account_id].role)
            for each in wanted
            if each.account_id in listed and each.account_id not in known
        }
        record = partial(
            self._tools.ledger.record_members,
            group.group_id,
            state=EntityState.ADOPTED,
            run_id=self._tools.run_id,
        )
        waiting = self._left_as_members(
            group, [each for each in wanted if each.account_id in there], there
        )
        record(
            roles={name: role for name, role in there.items() if name not in waiting},
            reason="rebuilt",
        )
        record(roles=dict.fromkeys(waiting, "member"), reason=FIRST_MEMBER)
        restored = [each for each in wanted if each.account_id in there.keys() - waiting]
        self._count(restored, Found.RESTORED)
        self._count(
            [each for each in wanted if each.account_id in waiting], Found.MISSING, "not_admin_yet"
        )
        self._count([each for each in wanted if each.account_id in known], Found.KNOWN)
        self._count(
            [each for each in wanted if each.account_id not in known | there.keys()], Found.MISSING
        )

    def _left_as_members(
        self, group: GroupRecord, wanted: list[PlannedMember], there: dict[str, str]
    ) -> set[str]:
        """Return who is to be an admin and is a plain member: the lost run was cut off before it named them.

        Only where members are added without their roles. In a live group somebody may have been dismissed, which an
        import leaves as it is.
        """
        stream = self._tools.ledger.streams([group.conversation]).get(group.conversation)
        is_live = stream is not None and stream.foreign_slot is not None
        if self._tools.rules.adds_roles or is_live:
            return set()
        return {
            each.account_id
            for each in wanted
            if each.role == "admin" and there[each.account_id] == "member"
        }

    def _note_leavers(
        self, group: GroupRecord, left: list[PlannedMember], listed: dict[str, StoredMember]
    ) -> None:
        """Remember who has left the legacy group and is still in this one, so that a later run can remove them."""
        there = {
            each.account_id: str(listed[each.account_id].role)
            for each in left
            if each.account_id in listed
        }
        self._tools.ledger.record_members(
            group.group_id, there, EntityState.ADOPTED, self._tools.run_id, "rebuilt"
        )

    # --- what they have read --------------------------------------------------------------------

    def _unread(
        self, group: GroupRecord, stated: list[ReadPosition], listed: dict[str, StoredMember]
    ) -> None:
        """Remember the unread counts that were set; where that cannot be told, the next run sets them.

        A run sets them member by member in the order of their ids, after the last message, and every import of
        messages resets them all. A count above 0 therefore proves that those of all members before it were set
        too: who has less than that has read since, and is left alone.
        """
        ledger = self._tools.ledger
        ledger.record_positions(stated)
        stream = ledger.streams([group.conversation]).get(group.conversation)
        if group.type in self._tools.rules.types_without_unread:
            ledger.clean(group.conversation)
            return
        if stream is not None and stream.foreign_slot is not None:
            self._ground.findings.count(
                RecordType.UNREAD, Found.NOT_SENT, len(stated), "live_group"
            )
            return
        if not self._tools.rules.sets_unread:
            # Nobody tells what was cleared; the group keeps its mark, and the next run clears it.
            self._ground.findings.count(
                RecordType.UNREAD, Found.MISSING, len(stated), "not_set_yet"
            )
            return
        positions = [each for each in ledger.positions(group.group_id) if each.account_id in listed]
        wanted = wanted_counts(
            ledger, group.conversation, positions, slot_ms=self._tools.rules.slot_ms
        )
        counts = self._counts(group, positions, listed)
        settled = _last_set(positions, counts) if counts is not None else -1
        told: dict[str, int] = {}
        for place, each in enumerate(positions):
            found = UNREAD_UNKNOWN if counts is None else counts[each.account_id]
            was_set = place <= settled and 0 <= found <= wanted[each.account_id]
            told[each.account_id] = wanted[each.account_id] if was_set else found
        ledger.record_unread_counts(group.group_id, told, self._tools.run_id)
        right = {name for name, count in told.items() if count == wanted[name]}
        if right.issuperset(each.account_id for each in (*positions, *stated)):
            ledger.clean(group.conversation)
        done = sum(each.account_id in right for each in stated)
        findings = self._ground.findings
        findings.count(RecordType.UNREAD, Found.RESTORED, done)
        findings.count(RecordType.UNREAD, Found.MISSING, len(stated) - done, "not_set_yet")

    def _counts(
        self, group: GroupRecord, positions: list[ReadPosition], listed: dict[str, StoredMember]
    ) -> dict[str, int] | None:
        """Return the unread counts that the target holds, or None if it does not tell them all.

        The newest sequence less the one that a member has read up to. Source: get_group_member_info (1047/34948).
        """
        (found,) = look_up(self._tools, Verb.GROUP_FRONTIERS, [GroupAddress(group.group_id)])
        read = {each.account_id: listed[each.account_id].read_sequence for each in positions}
        if not found.exists or None in read.values():
            return None
        newest = found.next_sequence - 1
        return {name: max(0, newest - (sequence or 0)) for name, sequence in read.items()}


def _last_set(positions: list[ReadPosition], counts: dict[str, int]) -> int:
    """Return the place of the last member whose count is above 0, or -1."""
    return max(
        (place for place, each in enumerate(positions) if counts[each.account_id] > 0), default=-1
    )
