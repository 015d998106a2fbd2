"""Bringing changes of groups that exist over, after their messages: owner, roles, leavers, profile.

Every call here is repeatable: a role, an owner and a profile are set, and who is no member counts as removed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Literal

import msgspec

from chat_migration.delivery.context import Tools, reporting
from chat_migration.delivery.holding import HeldWork, run_held
from chat_migration.delivery.listing import list_members, owner_among
from chat_migration.delivery.operators import operator_of
from chat_migration.delivery.settling import ChangedRows, Verdict, was_changed
from chat_migration.delivery.tips import TipGuard, read_profile
from chat_migration.errors import StoppedError
from chat_migration.ledger.records import Stream
from chat_migration.ledger.states import EntityState
from chat_migration.model import Outcome
from chat_migration.planning.changes import (
    REMOVAL_REFUSED,
    REMOVED,
    ROLE_CHANGED,
    ROLE_REFUSED,
    GroupChanges,
    all_changes,
    changes_of,
    has_left,
    is_member,
    tells_the_past,
)
from chat_migration.planning.tables import PlannedGroup, PlannedMember
from chat_migration.targets.base import (
    Advice,
    Effect,
    Failure,
    ItemResult,
    ProfileChange,
    StoredProfile,
)
from chat_migration.targets.verbs import Verb

_log = logging.getLogger(__name__)

_IN_USE = (EntityState.CREATED, EntityState.ADOPTED)


class ProfileSync:
    """Brings over what differs in the groups of one plan, many groups side by side, one call at a time in each.

    Args:
        unsettled: the groups' conversations of which some message of this run is not dealt with yet: nothing of
            them is changed, because a change may store a notice that makes those messages late.
        removals: members that one call removes.
    """

    def __init__(self, tools: Tools, unsettled: Collection[str], *, removals: int) -> None:
        self._tools, self._unsettled, self._removals = tools, unsettled, removals
        self._rows = ChangedRows(tools)
        self._guard = TipGuard(tools)

    def run(self) -> None:
        """Make the calls, groups that are live already first: a notice costs nothing more there.

        Raises:
            StoppedError: a call stored a notice; see :mod:`chat_migration.delivery.tips`.
            HeldElsewhereError: another run held some of the groups; the rest is done.
        """
        tools = self._tools
        changes = self._to_bring_over()
        tools.tally.begin_work(len(changes))
        live = tools.ledger.streams([each.group.conversation for each in changes])
        changes.sort(key=lambda each: not _is_live(live.get(each.group.conversation)))
        with reporting(tools.progress, "changes of groups", len(changes), "groups"):
            run_held(tools, (self._work(each) for each in changes))

    def _to_bring_over(self) -> list[GroupChanges]:
        """Return the groups with changes; the rows of all others end here."""
        tools = self._tools
        found: list[GroupChanges] = []
        seen: set[str] = set()
        is_past = tells_the_past(tools.settings, tools.run_id, tools.ledger)
        for each in all_changes(tools.plan, tools.settings, tools.ledger, tools.rules):
            seen.add(each.group.group_id)
            if each.any and not is_past:
                found.append(each)
            else:
                self._rows.end(each, each)
        for row in tools.plan.members():
            if has_left(row) and row.group_id not in seen:
                self._rows.end_elsewhere(row)
        return found

    def _work(self, changes: GroupChanges) -> HeldWork:
        return HeldWork(
            conversation=changes.group.conversation,
            run=partial(self._one, changes),
            skip=partial(self._skip, changes),
        )

    def _one(self, planned: GroupChanges) -> None:
        """Bring one group's changes over, as the ledger knows them while we hold the group."""
        tools, conversation = self._tools, planned.group.conversation
        changes = changes_now(tools, planned)
        if changes.record.state not in _IN_USE:
            self._rows.end(planned, planned)
        elif conversation in self._unsettled or tools.ledger.unresolved(conversation):
            self._rows.end(planned, changes, waiting="messages_first")
        else:
            GroupSync(tools, self._guard, self._rows, changes, removals=self._removals).run()
        tools.tally.end_work()
        tools.progress.advance(1)

    def _skip(self, changes: GroupChanges) -> None:
        self._rows.end(changes, changes, waiting="held_elsewhere")
        self._tools.tally.end_work()


class GroupSync:
    """Brings the changes of one group over, while it is held."""

    def __init__(
        self,
        tools: Tools,
        guard: TipGuard,
        rows: ChangedRows,
        changes: GroupChanges,
        *,
        removals: int,
    ) -> None:
        self._tools, self._guard, self._rows = tools, guard, rows
        self._before, self._removals = changes, removals
        self._group_id, self._conversation = changes.group.group_id, changes.group.conversation
        self._operator = operator_of(tools, changes.record)
        self._found = StoredProfile(exists=False)
        self._verdicts: dict[str, Verdict] = {}

    def run(self) -> None:
        """Owner first, because an owner can neither be removed nor demoted; then roles, leavers, profile.

        Raises:
            StoppedError: what was made until then is recorded, and its rows end.
        """
        try:
            self._bring_over()
        except StoppedError:
            self._rows.end(self._before, self._now(), self._verdicts)
            raise
        self._rows.end(self._before, self._now(), self._verdicts)

    def _bring_over(self) -> None:
        found = read_profile(self._tools, self._group_id, operator=self._operator)
        self._found = msgspec.structs.replace(found, owner_id=self._owner_of(found))
        if not self._found.exists:
            self._refuse_all("group_gone", self._found.failure)
            return
        try:
            if self._before.owner:
                self._owner()
            for member in self._now().roles:
                self._role(member)
            self._leavers()
            if self._now().profile:
                self._profile()
        except _GroupRefusedError as refused:
            self._refuse_all("group_refused", refused.failure)

    def _owner_of(self, found: StoredProfile) -> str:
        """Return who owns the group: where its profile does not tell, the list of members does."""
        if found.owner_id or not found.exists or not self._tools.rules.needs_owner:
            return found.owner_id
        if not self._before.owner:
            return self._operator
        listed = list_members(self._tools, self._group_id)
        if isinstance(listed, Failure):
            raise self._tools.caller.stop_error(listed)
        self._operator = owner_among(listed) or self._operator
        return self._operator

    def _now(self) -> GroupChanges:
        return changes_now(self._tools, self._before)

    def _refuse_all(self, reason: str, failed: Failure | None) -> None:
        """End everything that is left: nothing can be changed in this group."""
        now, verdict = self._now(), Verdict(Outcome.REJECTED, reason, failed)
        for each in (*now.roles, *now.leavers):
            self._verdicts.setdefault(each.account_id, verdict)
        if now.profile or now.owner:
            self._verdicts.setdefault("", verdict)

    def _call(
        self, verb: Verb, send: Callable[[], ItemResult], done: Callable[[], object]
    ) -> Failure | None:
        """Make one change and record it; return why it is refused, None if it is made.

        Raises:
            StoppedError: nobody knows whether it is made (the next run makes it again), or it stored a notice.
        """

        def held() -> ItemResult:
            self._tools.lease.assure(self._conversation)
            return send()

        with self._guard.watching(self._before.record, verb) as watch:
            answer = self._tools.caller.call(verb, held)
            if not isinstance(answer, Failure):
                done()
                watch.made = True
                return None
        if answer.effect is Effect.UNKNOWN:
            raise self._tools.caller.stop_error(answer)
        if answer.advice is Advice.STOP_CONVERSATION:
            raise _GroupRefusedError(answer)
        _log.warning("%s: %s", self._conversation, answer)
        return answer

    # --- owner ----------------------------------------------------------------------------------

    def _owner(self) -> None:
        """Give the group to its new owner, who must be a member."""
        wanted = self._before.group.owner_id
        if self._found.owner_id == wanted:
            self._owner_is(wanted)
            return
        has_gone = any(each.account_id == wanted and has_left(each) for each in self._before.rows)
        if has_gone or not is_member(self._before.known.get(wanted)):
            self._verdicts[""] = Verdict(Outcome.REJECTED, "owner_not_member")
            return
        self._note(reason="owner")
        failed = self._call(
            Verb.CHANGE_OWNER,
            lambda: self._tools.target.change_owner(
                self._group_id, wanted, operator=self._operator
            ),
            lambda: self._owner_is(wanted),
        )
        if failed is not None:
            self._note(reason="owner_refused", owner_id=wanted)
            self._verdicts[""] = Verdict(Outcome.REJECTED, "owner_refused", failed)

    def _owner_is(self, wanted: str) -> None:
        """Record the new owner. What the one before is now, only the target knows: their role is set anew.

        Source: unknown U47 of the vendor's pages.
        """
        before = self._before.record.owner_id or self._found.owner_id
        roles = {wanted: "owner"} | ({before: ""} if before not in ("", wanted) else {})
        self._tools.ledger.record_roles(self._group_id, roles)
        self._note(owner_id=wanted)
        self._found = msgspec.structs.replace(self._found, owner_id=wanted)
        self._operator = wanted

    def _note(self, *, reason: str = "", **changes: str) -> None:
        """Write some fields of the group's record; a reason makes them this run's."""
        ledger = self._tools.ledger
        record = ledger.group(self._conversation) or self._before.record
        if reason:
            changes |= {"reason": reason, "run_id": self._tools.run_id}
        ledger.record_group(msgspec.structs.replace(record, **changes))

    # --- members --------------------------------------------------------------------------------

    def _role(self, member: PlannedMember) -> None:
        account = member.account_id
        role: Literal["admin", "member"] = "admin" if member.role == "admin" else "member"
        if account == self._found.owner_id:
            self._tools.ledger.record_roles(self._group_id, {account: "owner"})
            return
        failed = self._call(
            Verb.CHANGE_ROLE,
            lambda: self._tools.target.change_role(
                self._group_id, account, role, operator=self._operator
            ),
            lambda: self._record_role(account, role, ROLE_CHANGED),
        )
        if failed is not None:
            self._record_role(account, role, ROLE_REFUSED)
            self._verdicts[account] = Verdict(Outcome.REJECTED, ROLE_REFUSED, failed)

    def _record_role(self, account: str, role: str, reason: str) -> None:
        """Write a role; somebody whom this very run has added stays so in its counts."""
        ledger, run_id = self._tools.ledger, self._tools.run_id
        known = self._before.known[account]
        is_new = known.run_id == run_id and not was_changed(known.reason)
        if is_new and reason == ROLE_CHANGED:
            ledger.record_roles(self._group_id, {account: role})
        else:
            ledger.record_members(self._group_id, {account: role}, known.state, run_id, reason)

    def _leavers(self) -> None:
        leavers = [each.account_id for each in self._now().leavers]
        if self._found.owner_id in leavers:
            # Source: delete_group_member (1047/34949), unknown U43: an owner is not removed.
            leavers.remove(self._found.owner_id)
            cannot = Verdict(Outcome.REJECTED, "owner_cannot_leave")
            self._verdicts[self._found.owner_id] = cannot
        for start in range(0, len(leavers), self._removals):
            self._remove(leavers[start : start + self._removals])

    def _remove(self, accounts: list[str]) -> None:
        """Remove some members; a call that is refused is halved until it shows whom it is about."""
        failed = self._call(
            Verb.REMOVE_MEMBERS,
            lambda: self._tools.target.remove_members(
                self._group_id, accounts, operator=self._operator
            ),
            lambda: self._record_left(accounts, EntityState.LEFT, REMOVED),
        )
        if failed is None:
            return
        if len(accounts) > 1:
            middle = len(accounts) // 2
            self._remove(accounts[:middle])
            self._remove(accounts[middle:])
            return
        self._record_left(accounts, None, REMOVAL_REFUSED)
        self._verdicts[accounts[0]] = Verdict(Outcome.REJECTED, REMOVAL_REFUSED, failed)

    def _record_left(self, accounts: list[str], state: EntityState | None, reason: str) -> None:
        """Write that members are gone, or, without a state, that one could not be removed."""
        known = self._before.known
        self._tools.ledger.record_members(
            self._group_id,
            {each: known[each].role for each in accounts},
            state or known[accounts[0]].state,
            self._tools.run_id,
            reason,
        )

    # --- profile --------------------------------------------------------------------------------

    def _profile(self) -> None:
        """Write the fields that the row states and the target holds otherwise."""
        group = self._before.group
        change = difference(group, self._found, self._tools.rules.group_fields)
        if change is None:
            self._note(written_hash=group.written_hash)
            return
        self._note(reason="profile")
        failed = self._write_profile(change)
        if failed is not None and failed.over_plan and change.max_members:
            # The plan may allow fewer members than the row states (unknown U18).
            without = msgspec.structs.replace(change, max_members=None)
            failed = self._write_profile(without)
        if failed is not None:
            self._note(reason="profile_refused", written_hash=group.written_hash)
            self._verdicts[""] = Verdict(Outcome.REJECTED, "profile_refused", failed)

    def _write_profile(self, change: ProfileChange) -> Failure | None:
        return self._call(
            Verb.CHANGE_PROFILE,
            lambda: self._tools.target.change_profile(change, operator=self._operator),
            lambda: self._note(written_hash=self._before.group.written_hash),
        )


class _GroupRefusedError(Exception):
    """The target changes nothing in this group."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


def changes_now(tools: Tools, changes: GroupChanges) -> GroupChanges:
    """Return what is left to bring over of a group, by what the ledger knows now."""
    group = changes.group
    record = tools.ledger.group(group.conversation) or changes.record
    known = tools.ledger.members_of([group.group_id])[group.group_id]
    return changes_of(group, record, changes.rows, known, tools.rules)


def difference(
    group: PlannedGroup, found: StoredProfile, fields: Collection[str]
) -> ProfileChange | None:
    """Return the fields that a group's row states and the target holds otherwise, None if there are none.

    ``fields`` are those that the target keeps.

    What the row does not state stays as it is, also where it was stated once.
    """

    def other(stated: str, there: str) -> str:
        return stated if stated != there else ""

    limit = group.max_members if group.stated_members is not None else None
    join = None if group.type == "community" or group.join == found.join else group.join
    changed: dict[str, Any] = {
        "name": other(group.name, found.name),
        "introduction": other(group.introduction, found.introduction),
        "notification": other(group.notification, found.notification),
        "avatar_url": other(group.avatar_url, found.avatar_url),
        "max_members": None if limit == found.max_members else limit,
        "join": join,
    }
    change = ProfileChange(
        group_id=group.group_id,
        type=group.type,  # type: ignore[arg-type]
        **{name: value for name, value in changed.items() if name in fields},
    )
    nothing = ProfileChange(group_id=change.group_id, type=change.type)
    return None if change == nothing else change


def _is_live(stream: Stream | None) -> bool:
    return stream is not None and stream.foreign_slot is not None
