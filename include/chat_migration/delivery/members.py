"""Adding members with their past join times. Repeatable: a member who is there stays as they are."""

from __future__ import annotations

from functools import partial
from itertools import groupby, islice

from chat_migration.delivery.context import Tools, reporting, run_all
from chat_migration.delivery.groups import without_group
from chat_migration.delivery.tally import RowLine
from chat_migration.ledger.records import ReadPosition
from chat_migration.ledger.states import EntityState
from chat_migration.model import Outcome, RecordType
from chat_migration.planning.tables import PlannedMember
from chat_migration.targets.base import Advice, Failure, ItemResult, MemberSpec

_NOW_MARGIN_S = 5


class MemberImport:
    """Adds the members of one plan, many groups side by side, one call at a time in each."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._groups = {
            each.group_id: each for each in tools.ledger.groups().values() if not each.topic_id
        }
        self._batch = tools.sizes.members

    def run(self) -> None:
        """Add whoever is missing, and remember how far each member has read."""
        members = self._tools.plan.members()
        by_group = groupby(members, key=lambda each: each.group_id)
        with reporting(self._tools.progress, "members", 0, "members"):
            run_all(
                (partial(self._group, group_id, list(rows)) for group_id, rows in by_group),
                threads=self._tools.threads,
                stop=self._tools.stop,
            )

    def _group(self, group_id: str, members: list[PlannedMember]) -> None:
        group = self._groups.get(group_id)
        usable = group is not None and group.state in (EntityState.CREATED, EntityState.ADOPTED)
        known = self._tools.ledger.members(group_id) if usable else {}
        missing: list[PlannedMember] = []
        for member in members:
            if member.outcome:
                self._end(member, Outcome(member.outcome), member.reason)
            elif not usable:
                self._end(member, *without_group(group))
            elif (
                member.account_id in known and known[member.account_id][0] is not EntityState.INTENT
            ):
                self._known_member(member, *known[member.account_id])
            elif member.joined_s > self._latest_join():
                self._end(member, Outcome.DEFERRED, "too_new")
            else:
                missing.append(member)
        if usable:
            self._remember_positions(members)
        intended = {
            account for account, (state, _, _) in known.items() if state is EntityState.INTENT
        }
        remaining = iter(missing)
        while batch := list(islice(remaining, self._batch)):
            self._add(group_id, batch, intended)
        self._tools.progress.advance(self._tools.tally.done)

    def _latest_join(self) -> int:
        """Return the latest join time that the target is sure to take: it must be in its past."""
        return self._tools.clock.now_ms() // 1000 - _NOW_MARGIN_S

    def _known_member(
        self, member: PlannedMember, state: EntityState, reason: str, run_id: str
    ) -> None:
        if state is EntityState.REJECTED:
            self._end(member, Outcome.REJECTED, reason)
        elif state is EntityState.CREATED and run_id == self._tools.run_id:
            self._end(member, Outcome.IMPORTED, reason)
        else:
            self._end(member, Outcome.ALREADY_IMPORTED, reason)

    def _remember_positions(self, members: list[PlannedMember]) -> None:
        self._tools.ledger.record_positions(
            [
                ReadPosition(
                    group_id=each.group_id,
                    account_id=each.account_id,
                    first_unread_ms=each.first_unread_ms,
                    first_unread_order=each.first_unread_order,
                )
                for each in members
                if each.has_read_state and not each.outcome
            ]
        )

    def _add(self, group_id: str, members: list[PlannedMember], intended: set[str]) -> None:
        ledger, run_id = self._tools.ledger, self._tools.run_id
        roles = {each.account_id: each.role for each in members}
        ledger.record_members(group_id, roles, EntityState.INTENT, run_id)
        specs = [
            MemberSpec(
                account_id=each.account_id,
                role="admin" if each.role == "admin" else "member",
                joined_s=each.joined_s,
            )
            for each in members
        ]
        answer = self._tools.caller.call(
            "import_group_member",
            lambda: self._tools.target.add_members(group_id, specs),
            repeatable=True,
        )
        if isinstance(answer, Failure):
            self._whole_call_failed(group_id, members, answer, intended)
            return
        for member, result in zip(members, answer, strict=True):
            self._settle(group_id, member, result, intended)

    def _settle(
        self, group_id: str, member: PlannedMember, result: ItemResult, intended: set[str]
    ) -> None:
        ledger, run_id = self._tools.ledger, self._tools.run_id
        roles = {member.account_id: member.role}
        if isinstance(result, Failure):
            ledger.record_members(group_id, roles, EntityState.REJECTED, run_id, "member_refused")
            self._end(member, Outcome.REJECTED, "member_refused", result)
            return
        group = self._groups[group_id]
        # Nobody but us adds members to a group that we made: who is there was added by a call whose answer was lost.
        ours = (
            not result.was_there
            or group.state is EntityState.CREATED
            or member.account_id in intended
        )
        if ours:
            ledger.record_members(group_id, roles, EntityState.CREATED, run_id)
            self._end(member, Outcome.IMPORTED)
        else:
            ledger.record_members(group_id, roles, EntityState.ADOPTED, run_id, "already_member")
            self._end(member, Outcome.ALREADY_IMPORTED, "already_member")

    def _whole_call_failed(
        self, group_id: str, members: list[PlannedMember], failed: Failure, intended: set[str]
    ) -> None:
        """Shrink the batch where the app takes fewer members a call; find the one member that is refused."""
        if (
            failed.advice in (Advice.SMALLER_BATCH, Advice.REJECT_ITEM, Advice.MISSING_ACCOUNT)
            and len(members) > 1
        ):
            if failed.advice is Advice.SMALLER_BATCH:
                self._batch = max(1, min(self._batch, len(members) // 2))
            middle = len(members) // 2
            self._add(group_id, members[:middle], intended)
            self._add(group_id, members[middle:], intended)
            return
        if failed.advice in (Advice.TRY_AGAIN, Advice.STOP_RUN):
            raise self._tools.caller.stop_error(failed)
        for member in members:
            self._settle(group_id, member, failed, intended)

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
