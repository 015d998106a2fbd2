"""Creating groups and topics. Not repeatable blindly: after an unknown outcome the group is looked up."""

from __future__ import annotations

from functools import partial

import msgspec

from chat_migration.delivery.context import Tools, reporting
from chat_migration.delivery.frontiers import look_up
from chat_migration.delivery.holding import HeldWork, run_held
from chat_migration.delivery.lost_ledger import unknown_ledger
from chat_migration.delivery.matching import matches_plan
from chat_migration.delivery.settling import shown_reason, was_changed
from chat_migration.delivery.tally import RowLine
from chat_migration.delivery.waiting import is_past
from chat_migration.ledger.records import GroupRecord
from chat_migration.ledger.states import EntityState
from chat_migration.model import Conversation, Outcome, RecordType
from chat_migration.planning.selection import is_needed
from chat_migration.planning.tables import PlannedGroup
from chat_migration.targets.base import (
    Advice,
    Done,
    Effect,
    Failure,
    Frontier,
    GroupAddress,
    GroupSpec,
    ItemResult,
    TopicSpec,
)

_QUOTA_TRIES = 3
_UNKNOWN_TRIES = 5


class GroupImport:
    """Creates the groups of one plan, then the topics."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._known = tools.ledger.groups()
        self._quota_used: Failure | None = None

    def run(self) -> None:
        """Create what is missing; an existing group is used only where it is ours or plainly the same.

        Raises:
            UnknownLedgerError: the target holds messages of these groups that this ledger never sent.
        """
        groups = list(self._tools.plan.groups())
        total = sum(bool(each.file) and not each.topic_id for each in groups)
        with reporting(self._tools.progress, "groups", total, "groups"):
            for topics in (False, True):
                here = [each for each in groups if bool(each.topic_id) == topics]
                for group in here:
                    if not self._is_to_create(group):
                        self._one(group, self._known.get(group.conversation))
                run_held(
                    self._tools, (self._work(each) for each in here if self._is_to_create(each))
                )

    def _is_to_create(self, group: PlannedGroup) -> bool:
        known = self._known.get(group.conversation)
        return (
            not group.outcome
            and self._is_selected(group)
            and (known is None or known.state not in _SETTLED or _is_changed(group, known))
        )

    def _work(self, group: PlannedGroup) -> HeldWork:
        return HeldWork(
            conversation=group.conversation,
            run=lambda: self._one(group, self._tools.ledger.group(group.conversation)),
            skip=lambda: self._end(group, Outcome.DEFERRED, "held_elsewhere"),
        )

    def _one(self, group: PlannedGroup, known: GroupRecord | None) -> None:
        """Create a group, or end it as the ledger says."""
        if group.outcome:
            self._end(group, Outcome(group.outcome), group.reason, detail=group.detail)
        elif not self._is_selected(group):
            self._end(group, Outcome.SKIPPED, "not_selected")
        elif (
            known is not None
            and known.state is EntityState.REJECTED
            and not _is_changed(group, known)
        ):
            self._end(group, Outcome.REJECTED, known.reason)
        elif known is not None and known.state in (EntityState.CREATED, EntityState.ADOPTED):
            is_new = known.state is EntityState.CREATED and not was_changed(known.reason)
            ours = is_new and known.run_id == self._tools.run_id
            outcome = Outcome.IMPORTED if ours else Outcome.ALREADY_IMPORTED
            self._end(group, outcome, shown_reason(known.reason))
        else:
            self._create(
                group, was_intended=known is not None and known.state is EntityState.INTENT
            )
        self._tools.progress.advance(self._tools.tally.done)

    def _is_selected(self, group: PlannedGroup) -> bool:
        return is_needed(self._tools.settings, Conversation.parse(group.conversation))

    def _create(self, group: PlannedGroup, *, was_intended: bool) -> None:
        instant_ms = group.created_s * 1000
        if instant_ms >= self._tools.clock.now_ms() and not is_past(self._tools, instant_ms):
            self._defer(group, "too_new")
            return
        if self._quota_used is not None:
            self._defer(group, "daily_quota", self._quota_used)
            return
        self._record(group, EntityState.INTENT)
        answer, was_unknown = self._send_for_sure(group)
        if isinstance(answer, Failure) and answer.code in _OVER_PLAN and group.max_members:
            # The plan may allow fewer members than asked for (unknown U18): take its own number.
            answer, again = self._send_for_sure(msgspec.structs.replace(group, max_members=None))
            was_unknown |= again
        was_intended |= was_unknown
        if isinstance(answer, Done):
            self._record(group, EntityState.CREATED)
            self._end(group, Outcome.IMPORTED)
        elif answer.advice is Advice.EXISTS:
            self._exists(group, was_intended=was_intended)
        elif answer.advice is Advice.QUOTA:
            self._quota_used = answer
            self._defer(group, "daily_quota", answer)
        else:
            self._refuse(group, "group_refused", answer.text, answer)

    def _defer(self, group: PlannedGroup, reason: str, failed: Failure | None = None) -> None:
        """Leave a group, and with it its rows, to a later run."""
        self._record(group, EntityState.DEFERRED, reason)
        self._end(group, Outcome.DEFERRED, reason, failed)

    def _send(self, group: PlannedGroup) -> ItemResult:
        api = "import_topic" if group.topic_id else "import_group"
        for _ in range(_QUOTA_TRIES):
            answer = self._tools.caller.call(api, partial(self._send_once, group))
            if not (isinstance(answer, Failure) and answer.advice is Advice.QUOTA):
                return answer
            self._tools.caller.budget.slow_down(api)
        return answer

    def _send_once(self, group: PlannedGroup) -> ItemResult:
        self._tools.lease.assure(group.conversation)
        target = self._tools.target
        if group.topic_id:
            return target.create_topic(
                TopicSpec(
                    group_id=group.group_id,
                    topic_id=group.topic_id,
                    name=group.name,
                    created_s=group.created_s,
                )
            )
        return target.create_group(
            GroupSpec(
                group_id=group.group_id,
                type=group.type,  # type: ignore[arg-type]
                name=group.name,
                owner_id=group.owner_id,
                introduction=group.introduction,
                notification=group.notification,
                avatar_url=group.avatar_url,
                max_members=group.max_members,
                join=group.join,  # type: ignore[arg-type]
                created_s=group.created_s,
                with_topics=group.with_topics,
            )
        )

    def _send_for_sure(self, group: PlannedGroup) -> tuple[ItemResult, bool]:
        """Return what became of the group, and whether that had to be looked up.

        After an unknown outcome the group is looked up; one that is not there is sent again.

        Raises:
            StoppedError: that happened several times, one after the other.
        """
        answer, was_unknown = self._send(group), False
        for _ in range(_UNKNOWN_TRIES):
            if not (isinstance(answer, Failure) and answer.effect is Effect.UNKNOWN):
                return answer, was_unknown
            was_unknown = True
            self._tools.caller.pause(self._tools.settle_seconds)
            answer = _THERE if self._look_up(group).exists else self._send(group)
        if isinstance(answer, Failure) and answer.effect is Effect.UNKNOWN:
            raise self._tools.caller.stop_error(answer)
        return answer, was_unknown

    def _look_up(self, group: PlannedGroup) -> Frontier:
        address = GroupAddress(group.group_id, group.topic_id)
        api = "get_topic" if group.topic_id else "get_group_info"
        return look_up(self._tools, api, [address])[0]

    def _exists(self, group: PlannedGroup, *, was_intended: bool) -> None:
        """Decide about a group that is there already: ours, plainly the same, or somebody else's."""
        found = self._look_up(group)
        same_type = bool(group.topic_id) or found.type.lower() == group.type
        is_empty = found.newest_slot is None
        if is_empty and same_type and found.created_s == group.created_s:
            if was_intended:
                self._record(group, EntityState.CREATED)
                self._end(group, Outcome.IMPORTED)
            else:
                self._adopt(group, found)
        elif not is_empty and same_type and matches_plan(self._tools, group.conversation):
            self._refuse_unknown_ledger()
            self._adopt(group, found)
        else:
            self._refuse(
                group,
                "group_exists",
                f"the app has another group `{group.group_id}`: type {found.type or '?'}, "
                f"created {found.created_s}, {'without' if is_empty else 'with'} messages; "
                f"planned: type {group.type}, created {group.created_s}",
                advice="Rename or remove one of the two; a destroyed group's id may not be usable again.",
            )

    def _adopt(self, group: PlannedGroup, found: Frontier) -> None:
        """Use a group that is there. What differs in it was never written, so it counts as a change to bring over."""
        is_same = (found.name, found.owner_id) == (group.name, group.owner_id) or group.topic_id
        record = self._record_of(group, EntityState.ADOPTED, "adopted")
        self._tools.ledger.record_group(
            msgspec.structs.replace(
                record,
                written_hash=record.written_hash if is_same else "",
                owner_id=found.owner_id,
            )
        )
        self._end(group, Outcome.ALREADY_IMPORTED, "adopted")

    def _refuse_unknown_ledger(self) -> None:
        if self._tools.ledger.is_empty():
            raise unknown_ledger(self._tools)

    def _refuse(
        self,
        group: PlannedGroup,
        reason: str,
        detail: str,
        failed: Failure | None = None,
        advice: str = "",
    ) -> None:
        self._record(group, EntityState.REJECTED, reason)
        self._end(group, Outcome.REJECTED, reason, failed, detail=detail, advice=advice)

    def _record(self, group: PlannedGroup, state: EntityState, reason: str = "") -> None:
        self._tools.ledger.record_group(self._record_of(group, state, reason))

    def _record_of(self, group: PlannedGroup, state: EntityState, reason: str = "") -> GroupRecord:
        """Return a group's record, with the owner and the hash of what is or is to be written."""
        return GroupRecord(
            conversation=group.conversation,
            group_id=group.group_id,
            topic_id=group.topic_id,
            type=group.type,
            created_s=group.created_s,
            state=state,
            reason=reason,
            written_hash=group.written_hash,
            run_id=self._tools.run_id,
            owner_id="" if group.topic_id else group.owner_id,
        )

    def _end(
        self,
        group: PlannedGroup,
        outcome: Outcome,
        reason: str = "",
        failed: Failure | None = None,
        *,
        detail: str = "",
        advice: str = "",
    ) -> None:
        if not group.file or group.topic_id:
            return
        self._tools.tally.line(
            RowLine(
                record_type=RecordType.GROUPS,
                outcome=outcome,
                reason=reason,
                file=group.file,
                line=group.line,
                id=group.legacy_id,
                conversation=group.conversation,
                code=failed.code if failed else None,
                detail=detail or (failed.text if failed else ""),
                advice=advice or ("Correct the group's row in the export." if failed else ""),
            )
        )


def _is_changed(group: PlannedGroup, known: GroupRecord) -> bool:
    """Tell whether a refused group was corrected in the export since."""
    return known.state is EntityState.REJECTED and known.written_hash != group.written_hash


_SETTLED = (EntityState.CREATED, EntityState.ADOPTED, EntityState.REJECTED)

_OVER_PLAN = (10004, 10014, 10038)
"""Codes with which a group of more members than the plan allows may be refused."""

_THERE = Failure(
    api="import_group",
    code=None,
    text="the group is there",
    advice=Advice.EXISTS,
    effect=Effect.NONE,
)


def without_group(group: GroupRecord | None) -> tuple[Outcome, str]:
    """Return how the rows of a group end that is not in the target: ``group`` is what the ledger knows of it."""
    if group is None:
        return Outcome.SKIPPED, "not_selected"
    if group.state is EntityState.DEFERRED:
        return Outcome.DEFERRED, group.reason
    if group.state is EntityState.INTENT:
        return Outcome.DEFERRED, "held_elsewhere"
    return Outcome.REJECTED, group.reason or "group_refused"
