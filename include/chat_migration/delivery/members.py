"""Adding members with their past join times. Repeatable: a member who is there stays as they are.

Where the target does not tell a member who is there from one whom it refuses, the list of members decides. Where
members are added without roles, whoever is to be more than a plain member is made so in a call of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby, islice

from chat_migration.delivery.context import Tools, reporting
from chat_migration.delivery.frontiers import look_up
from chat_migration.delivery.groups import without_group
from chat_migration.delivery.holding import HeldWork, run_held
from chat_migration.delivery.items import call_for_all
from chat_migration.delivery.listing import list_members
from chat_migration.delivery.operators import operator_of
from chat_migration.delivery.settling import (
    ADMIN_REFUSED,
    shown_reason,
    was_changed,
)
from chat_migration.delivery.tally import RowLine
from chat_migration.ledger.records import GroupRecord, MemberRecord, ReadPosition
from chat_migration.ledger.states import EntityState
from chat_migration.model import Conversation, Outcome, RecordType
from chat_migration.planning.changes import FIRST_MEMBER, LEFT, has_left, tells_the_past
from chat_migration.planning.selection import is_needed
from chat_migration.planning.tables import PlannedMember
from chat_migration.targets.base import (
    Advice,
    Done,
    Effect,
    Failure,
    GroupAddress,
    ItemResult,
    MemberSpec,
    StoredMember,
)
from chat_migration.targets.verbs import Verb

_NOW_MARGIN_S = 5
_GROUPS_AT_ONCE = 200


class MemberImport:
    """Adds the members of one plan, many groups side by side, one call at a time in each."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._batch = tools.sizes.members
        self._brings_over = tools.settings.sync_profiles != "off"
        self._tells_the_past = tells_the_past(tools.settings, tools.run_id, tools.ledger)

    def run(self) -> None:
        """Add whoever is missing, and remember how far each member has read.

        Only the groups are held that somebody is to be added to, or of which somebody has read on.
        """
        with reporting(self._tools.progress, "members", 0, "members"):
            run_held(self._tools, self._works())

    def _works(self) -> Iterator[HeldWork]:
        """Yield the groups with something to do; the rows of all others end here."""
        ledger = self._tools.ledger
        by_group = groupby(self._tools.plan.members(), key=lambda each: each.group_id)
        rows = ((name, list(of_group)) for name, of_group in by_group)
        while chunk := list(islice(rows, _GROUPS_AT_ONCE)):
            names = [name for name, _ in chunk if name]
            groups, known = ledger.groups_by_id(names), ledger.members_of(names)
            for name, members in chunk:
                group = groups.get(name)
                if self._is_to_do(group, members, known.get(name, {})):
                    yield HeldWork(
                        conversation=members[0].conversation,
                        run=partial(self._group, name, members),
                        skip=partial(self._skip, members),
                    )
                else:
                    self._end_known(group, members, known.get(name, {}))

    def _is_to_do(
        self,
        group: GroupRecord | None,
        members: list[PlannedMember],
        known: dict[str, MemberRecord],
    ) -> bool:
        if group is None or not _is_usable(group):
            return False
        if any(self._is_missing(each, known.get(each.account_id)) for each in members):
            return True
        if any(_stays_plain(each, known.get(each.account_id)) for each in members):
            return True
        positions = positions_of(members)
        if not positions:
            return False
        there = {each.account_id: each for each in self._tools.ledger.positions(group.group_id)}
        return any(not _is_same(each, there.get(each.account_id)) for each in positions)

    def _is_missing(self, member: PlannedMember, known: MemberRecord | None) -> bool:
        """Tell whether somebody is to be added: never was a member, was about to become one, or is back."""
        if member.outcome or not self._is_selected(member):
            return False
        if known is not None and known.state is EntityState.LEFT:
            return not self._tells_the_past
        return known is None or known.state is EntityState.INTENT or _waits_for_role(member, known)

    def _is_selected(self, member: PlannedMember) -> bool:
        return is_needed(self._tools.settings, Conversation.parse(member.conversation))

    def _skip(self, members: list[PlannedMember]) -> None:
        for member in members:
            self._end(member, Outcome.DEFERRED, "held_elsewhere")

    def _group(self, group_id: str, members: list[PlannedMember]) -> None:
        """Add the members of one group who are missing, while it is held."""
        ledger = self._tools.ledger
        group = ledger.group(members[0].conversation)
        known = ledger.members_of([group_id])[group_id]
        missing = [each for each in members if self._is_missing(each, known.get(each.account_id))]
        if group is None or not _is_usable(group):
            missing = []
        late = [each for each in missing if each.joined_s > self._latest_join()]
        gone = {each.account_id for each in missing}
        self._let_be_plain(group_id, members, known)
        self._end_known(group, [each for each in members if each.account_id not in gone], known)
        for member in late:
            self._end(member, Outcome.DEFERRED, "too_new")
        if group is not None and _is_usable(group):
            self._tools.ledger.record_positions(positions_of(members))
            joiners = _Joiners(group, known, operator_of(self._tools, group))
            remaining = iter(self._join([each for each in missing if each not in late], joiners))
            while batch := list(islice(remaining, self._batch)):
                self._add(joiners, batch)
        self._tools.progress.advance(self._tools.tally.done)

    def _let_be_plain(
        self, group_id: str, members: list[PlannedMember], known: dict[str, MemberRecord]
    ) -> None:
        """Record that nothing is left to do for first members: who becomes an admin later is a change."""
        plain = {
            each.account_id: known[each.account_id].run_id
            for each in members
            if _stays_plain(each, known.get(each.account_id))
        }
        for run_id in {*plain.values()}:
            roles = {name: "member" for name, its_run in plain.items() if its_run == run_id}
            self._tools.ledger.record_members(group_id, roles, EntityState.CREATED, run_id)

    def _end_known(
        self,
        group: GroupRecord | None,
        members: list[PlannedMember],
        known: dict[str, MemberRecord],
    ) -> None:
        """End the rows that need no call."""
        for member in members:
            found = known.get(member.account_id)
            if member.outcome:
                self._end_planned(member)
            elif group is None or not _is_usable(group):
                self._end(member, *without_group(group))
            elif found is None or found.state is EntityState.INTENT:
                self._end(member, Outcome.SKIPPED, "not_selected")
            else:
                self._known_member(member, found)
        self._tools.progress.advance(self._tools.tally.done)

    def _end_planned(self, member: PlannedMember) -> None:
        """End a row as the plan says; what becomes of somebody who has left, a later stage may tell otherwise."""
        if has_left(member) and self._brings_over:
            self._tools.tally.count(RecordType.MEMBERS, Outcome(member.outcome), member.reason)
        else:
            self._end(member, Outcome(member.outcome), member.reason)

    def _latest_join(self) -> int:
        """Return the latest join time that the target is sure to take: it must be in its past."""
        return self._tools.clock.now_ms() // 1000 - _NOW_MARGIN_S

    def _known_member(self, member: PlannedMember, known: MemberRecord) -> None:
        is_new = known.state is EntityState.CREATED and not was_changed(known.reason)
        if known.state is EntityState.REJECTED:
            self._end(member, Outcome.REJECTED, known.reason)
        elif known.state is EntityState.LEFT:
            # The export is older than the night on which they left.
            self._end(member, Outcome.SKIPPED, LEFT)
        elif known.reason == ADMIN_REFUSED:
            self._end(member, Outcome.REJECTED, known.reason)
        elif is_new and known.run_id == self._tools.run_id:
            self._end(member, Outcome.IMPORTED, shown_reason(known.reason))
        else:
            self._end(member, Outcome.ALREADY_IMPORTED, shown_reason(known.reason))

    def _join(self, members: list[PlannedMember], joiners: _Joiners) -> list[PlannedMember]:
        """Return who is to be added by a call; settle those who are in the group without one."""
        if self._tools.rules.tells_members:
            return members
        group = joiners.group
        may_be_there = group.state is EntityState.ADOPTED or any(map(joiners.was_begun, members))
        listed = self._listed(group) if may_be_there else {}
        left_as_members = self._left_as_members(joiners, members, listed)
        for member in members:
            known = joiners.known.get(member.account_id)
            if _waits_for_role(member, known) or member.account_id in left_as_members:
                self._settle(joiners, member, Done())
            elif member.account_id == joiners.operator or member.account_id in listed:
                self._settle(joiners, member, Done(was_there=True))
        return [each for each in members if each.account_id not in joiners.settled]

    def _left_as_members(
        self,
        joiners: _Joiners,
        members: list[PlannedMember],
        listed: dict[str, StoredMember],
    ) -> set[str]:
        """Return who is to be an admin and is a plain member, in a group to which nothing was said yet.

        A run of which the ledger does not know, because it was lost, has added them and was cut off before it named
        them. Where people talk already, somebody may have been dismissed, which an import leaves as it is.
        """
        found = {
            each.account_id
            for each in members
            if self._needs_role(joiners, each)
            and each.account_id in listed
            and listed[each.account_id].role == "member"
        }
        if joiners.group.state is not EntityState.ADOPTED or not found:
            return set()
        address = GroupAddress(joiners.group.group_id)
        (frontier,) = look_up(self._tools, Verb.GROUP_FRONTIERS, [address])
        return found if frontier.newest_slot is None else set()

    def _add(self, joiners: _Joiners, members: list[PlannedMember]) -> None:
        ledger, run_id, group = self._tools.ledger, self._tools.run_id, joiners.group
        roles = {each.account_id: joiners.role_of(each) for each in members}
        ledger.record_members(group.group_id, roles, EntityState.INTENT, run_id)
        back = [each.account_id for each in members if joiners.is_back(each)]
        ledger.forget_unread(group.conversation, group.group_id, back)
        specs = [
            MemberSpec(
                account_id=each.account_id,
                role="admin" if each.role == "admin" else "member",
                joined_s=each.joined_s,
            )
            for each in members
        ]
        answer = call_for_all(self._tools, Verb.ADD_MEMBERS, specs, partial(self._send, joiners))
        if isinstance(answer, Failure):
            self._whole_call_failed(joiners, members, answer)
            return
        results = {each.account_id: one for each, one in zip(members, answer, strict=True)}
        there = self._found(joiners, {name for name, one in results.items() if self._is_open(one)})
        for member in members:
            name = member.account_id
            self._settle(joiners, member, Done(was_there=True) if name in there else results[name])

    def _send(self, joiners: _Joiners, specs: Sequence[MemberSpec]) -> list[ItemResult] | Failure:
        """Make one call, not sooner after the one before than the target allows for one group."""
        clock = self._tools.clock
        self._tools.caller.pause(joiners.next_call - clock.monotonic())
        try:
            return self._tools.target.add_members(
                joiners.group.group_id, specs, operator=joiners.operator
            )
        finally:
            joiners.next_call = clock.monotonic() + self._tools.rules.seconds_between_member_calls

    # --- who is there ---------------------------------------------------------------------------

    def _is_open(self, result: ItemResult) -> bool:
        """Tell whether a failure leaves open whether somebody is a member."""
        if self._tools.rules.tells_members or not isinstance(result, Failure):
            return False
        return result.advice is Advice.READ_BACK or result.effect is Effect.UNKNOWN

    def _found(self, joiners: _Joiners, names: set[str]) -> set[str]:
        """Return who of some accounts is a member; who is missing is looked for again when all calls are over."""
        if not names:
            return set()
        there = names & self._listed(joiners.group).keys()
        if there != names:
            self._tools.caller.pause(self._tools.settle_seconds)
            there = names & self._listed(joiners.group).keys()
        return there

    def _listed(self, group: GroupRecord) -> dict[str, StoredMember]:
        listed = list_members(self._tools, group.group_id, community=group.type == "community")
        if isinstance(listed, Failure):
            raise self._tools.caller.stop_error(listed)
        return listed

    # --- what became of them --------------------------------------------------------------------

    def _settle(self, joiners: _Joiners, member: PlannedMember, result: ItemResult) -> None:
        ledger, run_id, group_id = self._tools.ledger, self._tools.run_id, joiners.group.group_id
        roles = {member.account_id: joiners.role_of(member)}
        joiners.settled.add(member.account_id)
        if isinstance(result, Failure):
            ledger.record_members(group_id, roles, EntityState.REJECTED, run_id, "member_refused")
            self._end(member, Outcome.REJECTED, "member_refused", result)
            return
        # Nobody but us adds members to a group that we made: who is there was added by a call whose answer was lost.
        ours = (
            not result.was_there
            or joiners.group.state is EntityState.CREATED
            or joiners.was_begun(member)
        )
        if ours and self._needs_role(joiners, member):
            self._set_role(joiners, member)
        elif ours:
            ledger.record_members(group_id, roles, EntityState.CREATED, run_id)
            self._end(member, Outcome.IMPORTED)
        else:
            # Whatever role they have there was not written by us, and an import leaves it as it is (unknown U20).
            role = {member.account_id: "" if member.role == "admin" else member.role}
            ledger.record_members(group_id, role, EntityState.ADOPTED, run_id, "already_member")
            self._end(member, Outcome.ALREADY_IMPORTED, "already_member")

    def _needs_role(self, joiners: _Joiners, member: PlannedMember) -> bool:
        return (
            member.role == "admin"
            and not self._tools.rules.adds_roles
            and member.account_id != joiners.operator
        )

    def _set_role(self, joiners: _Joiners, member: PlannedMember) -> None:
        """Make a new member an admin; a run that is cut off before leaves that to the next one."""
        group_id, account = joiners.group.group_id, member.account_id
        record = partial(
            self._tools.ledger.record_members,
            group_id,
            state=EntityState.CREATED,
            run_id=self._tools.run_id,
        )
        record(roles={account: "member"}, reason=FIRST_MEMBER)
        answer = self._tools.caller.call(
            Verb.CHANGE_ROLE,
            lambda: self._tools.target.change_role(
                group_id, account, "admin", operator=joiners.operator
            ),
        )
        if not isinstance(answer, Failure):
            record(roles={account: "admin"})
            self._end(member, Outcome.IMPORTED)
        elif answer.effect is Effect.UNKNOWN:
            raise self._tools.caller.stop_error(answer)
        else:
            record(roles={account: "member"}, reason=ADMIN_REFUSED)
            self._end(member, Outcome.REJECTED, ADMIN_REFUSED, answer)

    def _whole_call_failed(
        self, joiners: _Joiners, members: list[PlannedMember], failed: Failure
    ) -> None:
        """Shrink the batch where the app takes fewer members a call; find the one member that is refused."""
        if self._is_open(failed):
            there = self._found(joiners, {each.account_id for each in members})
            for member in [each for each in members if each.account_id in there]:
                self._settle(joiners, member, Done(was_there=True))
            members = [each for each in members if each.account_id not in there]
        if (
            failed.advice in (Advice.SMALLER_BATCH, Advice.REJECT_ITEM, Advice.MISSING_ACCOUNT)
            and len(members) > 1
        ):
            if failed.advice is Advice.SMALLER_BATCH:
                self._batch = max(1, min(self._batch, len(members) // 2))
            middle = len(members) // 2
            self._add(joiners, members[:middle])
            self._add(joiners, members[middle:])
            return
        if failed.advice in (Advice.TRY_AGAIN, Advice.STOP_RUN):
            raise self._tools.caller.stop_error(failed)
        for member in members:
            self._settle(joiners, member, failed)

    def _end(
        self,
        member: PlannedMember,
        outcome: Outcome,
        reason: str = "",
        failed: Failure | None = None,
    ) -> None:
        self._tools.tally.line(
            RowLine(
                record_type=RecordType.MEMBERS,
                outcome=outcome,
                reason=reason,
                file=member.file,
                line=member.line,
                id=member.legacy_id,
                conversation=member.conversation,
                code=failed.code if failed else None,
                detail=failed.text if failed else "",
                advice="Check the member's account and the group's size limit." if failed else "",
            )
        )


@dataclass
class _Joiners:
    """The members of one group who are added, and what the ledger knew of them before.

    ``next_call`` is when the next call for the group may begin, by the monotonic clock.
    """

    group: GroupRecord
    known: dict[str, MemberRecord]
    operator: str
    next_call: float = 0.0
    settled: set[str] = field(default_factory=set)

    def was_begun(self, member: PlannedMember) -> bool:
        """Tell whether an earlier attempt was about to add somebody."""
        known = self.known.get(member.account_id)
        return known is not None and known.state is EntityState.INTENT

    def is_back(self, member: PlannedMember) -> bool:
        """Tell whether somebody had left."""
        known = self.known.get(member.account_id)
        return known is not None and known.state is EntityState.LEFT

    def role_of(self, member: PlannedMember) -> str:
        """Return the role to remember: "" where the target may keep the one from before they had left.

        Source: unknown U46 of the vendor's pages.
        """
        known = self.known.get(member.account_id)
        is_unsure = self.is_back(member) or (self.was_begun(member) and not (known and known.role))
        return "" if is_unsure and known and known.role != member.role else member.role


def _waits_for_role(member: PlannedMember, known: MemberRecord | None) -> bool:
    """Tell whether somebody came into the group as a plain member and is to be more."""
    return known is not None and known.reason == FIRST_MEMBER and member.role == "admin"


def _is_usable(group: GroupRecord) -> bool:
    return group.state in (EntityState.CREATED, EntityState.ADOPTED)


def _is_same(position: ReadPosition, known: ReadPosition | None) -> bool:
    """Tell whether the ledger has a member's position as it is."""
    return known is not None and (
        (position.first_unread_ms, position.first_unread_order)
        == (known.first_unread_ms, known.first_unread_order)
    )


def positions_of(members: list[PlannedMember]) -> list[ReadPosition]:
    """Return how far the members have read of whom the export says it."""
    return [
        ReadPosition(
            group_id=each.group_id,
            account_id=each.account_id,
            first_unread_ms=each.first_unread_ms,
            first_unread_order=each.first_unread_order,
        )
        for each in members
        if each.has_read_state and not each.outcome
    ]


def _stays_plain(member: PlannedMember, known: MemberRecord | None) -> bool:
    """Tell whether somebody came into the group as the plain member who they are to be."""
    return known is not None and known.reason == FIRST_MEMBER and member.role != "admin"
