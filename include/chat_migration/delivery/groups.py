"""Creating groups and topics. Not repeatable blindly: after an unknown outcome the group is looked up."""

from __future__ import annotations

from functools import partial

import msgspec

from chat_migration.delivery.context import Tools, reporting
from chat_migration.delivery.frontiers import look_up
from chat_migration.delivery.holding import HeldWork, run_held
from chat_migration.delivery.listing import list_members, owner_among
from chat_migration.delivery.lost_ledger import unknown_ledger
from chat_migration.delivery.matching import matches_plan
from chat_migration.delivery.settling import shown_reason, was_changed
from chat_migration.delivery.tally import RowLine
from chat_migration.delivery.tips import read_profile
from chat_migration.delivery.waiting import is_past
from chat_migration.ledger.records import GroupRecord
from chat_migration.ledger.states import EntityState
from chat_migration.model import Conversation, Outcome, RecordType
from chat_migration.planning.changes import FIRST_MEMBER
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
from chat_migration.targets.verbs import Verb

OWNER_CHOSEN = "owner_chosen"
"""The reason of a group whose rows name nobody who can own it, and which has got an owner all the same."""
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
            self._end(
                group,
                Outcome(group.outcome),
                group.reason,
                detail=group.detail,
                advice=group.advice,
            )
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
        if isinstance(answer, Failure) and answer.over_plan and group.max_members:
            # The plan may allow fewer members than asked for (unknown U18): take its own number.
            answer, again = self._send_for_sure(msgspec.structs.replace(group, max_members=None))
            was_unknown |= again
        if isinstance(answer, Failure) and answer.advice is Advice.SMALLER_BATCH and group.members:
            answer, again = self._send_without_members(group, answer)
            was_unknown |= again
        was_intended |= was_unknown
        if isinstance(answer, Done):
            if not was_unknown:
                self._record_first_members(group, answer)
            self._is_made(group)
        elif answer.advice is Advice.EXISTS:
            self._exists(group, was_intended=was_intended)
        elif answer.advice is Advice.QUOTA:
            self._quota_used = answer
            self._defer(group, "daily_quota", answer)
        else:
            self._refuse(group, "group_refused", answer.text, answer)

    def _send_without_members(
        self, group: PlannedGroup, failed: Failure
    ) -> tuple[ItemResult, bool]:
        """Create a group whose first members are too many at once; they are added later, like all others."""
        alone = msgspec.structs.replace(group, members=())
        answer, was_unknown = self._send_for_sure(alone)
        if isinstance(answer, Done):
            refused = tuple((each, failed) for each in group.members)
            answer = msgspec.structs.replace(answer, refused=refused)
        return answer, was_unknown

    def _is_made(self, group: PlannedGroup) -> None:
        """Record a group of ours that is there, and say whether its owner was chosen for it."""
        reason = OWNER_CHOSEN if group.detail else ""
        self._record(group, EntityState.CREATED, reason)
        self._end(group, Outcome.IMPORTED, reason, detail=group.detail)

    def _record_first_members(self, group: PlannedGroup, done: Done) -> None:
        """Remember who was in the group from its creation on; whoever was refused is added as others are."""
        refused = {name for name, _ in done.refused}
        there = [each for each in group.members if each not in refused]
        self._tools.ledger.record_members(
            group.group_id,
            dict.fromkeys(there, "member"),
            EntityState.CREATED,
            self._tools.run_id,
            FIRST_MEMBER,
        )

    def _defer(self, group: PlannedGroup, reason: str, failed: Failure | None = None) -> None:
        """Leave a group, and with it its rows, to a later run."""
        self._record(group, EntityState.DEFERRED, reason)
        self._end(group, Outcome.DEFERRED, reason, failed)

    def _send(self, group: PlannedGroup) -> ItemResult:
        verb = Verb.CREATE_TOPIC if group.topic_id else Verb.CREATE_GROUP
        for _ in range(_QUOTA_TRIES):
            answer = self._tools.caller.call(verb, partial(self._send_once, group))
            if not (isinstance(answer, Failure) and answer.advice is Advice.QUOTA):
                return answer
            self._tools.caller.slow_down(verb)
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
                members=tuple(group.members),
            )
        )

    def _send_for_sure(self, group: PlannedGroup) -> tuple[ItemResult, bool]:
        """Return what became of the group, and whether that had to be looked up.

        After an unknown outcome the group is looked up; one that is not there is sent again, without first
        members: they may be why nothing came of it, and are added later all the same.

        Raises:
            StoppedError: that happened several times, one after the other.
        """
        answer, was_unknown = self._send(group), False
        for _ in range(_UNKNOWN_TRIES):
            if not (isinstance(answer, Failure) and answer.effect is Effect.UNKNOWN):
                return answer, was_unknown
            was_unknown = True
            self._tools.caller.pause(self._tools.settle_seconds)
            group = msgspec.structs.replace(group, members=[])
            answer = self._there(group) if self._frontier(group).exists else self._send(group)
        if isinstance(answer, Failure) and answer.effect is Effect.UNKNOWN:
            raise self._tools.caller.stop_error(answer)
        return answer, was_unknown

    def _there(self, group: PlannedGroup) -> Failure:
        """Return the answer to creating a group that is there."""
        verb = Verb.CREATE_TOPIC if group.topic_id else Verb.CREATE_GROUP
        return Failure(
            api=self._tools.rules.api_of[verb],
            code=None,
            text="the group is there",
            advice=Advice.EXISTS,
            effect=Effect.NONE,
        )

    def _frontier(self, group: PlannedGroup) -> Frontier:
        address = GroupAddress(group.group_id, group.topic_id)
        verb = Verb.TOPIC_FRONTIERS if group.topic_id else Verb.GROUP_FRONTIERS
        return look_up(self._tools, verb, [address])[0]

    def _look_up(self, group: PlannedGroup) -> Frontier:
        """Return a group as the target shows it; what its frontier does not tell stands in its profile."""
        found = self._frontier(group)
        if group.topic_id or not found.exists or found.created_s:
            return found
        profile = read_profile(self._tools, group.group_id, operator=group.owner_id)
        return msgspec.structs.replace(
            found, name=profile.name, created_s=profile.created_s, owner_id=profile.owner_id
        )

    def _exists(self, group: PlannedGroup, *, was_intended: bool) -> None:
        """Decide about a group that is there already: ours, plainly the same, or somebody else's."""
        found = self._look_up(group)
        same_type = bool(group.topic_id) or found.type.lower() in ("", group.type)
        # Where no type is told, the name speaks for it; a full group is known by its messages.
        same_name = bool(group.topic_id or found.type) or found.name == group.name
        is_empty = found.newest_slot is None
        is_planned = same_type and same_name and found.created_s == group.created_s
        # A notice of its creation makes a group that is ours not empty, which is no harm where messages may be late.
        is_ours = was_intended and (is_empty or self._tools.rules.late_goes_to_its_time)
        if is_planned and is_ours:
            self._is_made(group)
        elif is_planned and is_empty:
            self._adopt(group, found)
        elif not is_empty and same_type and matches_plan(self._tools, group.conversation):
            self._refuse_unknown_ledger()
            self._adopt(group, found)
        elif not found.exists:
            self._refuse(
                group,
                "group_exists",
                f"the app says that there is a group `{group.group_id}`, and shows none: it was dismissed",
                advice="A dismissed group's id is gone for ever: give the group another id in the export, or use "
                "another app.",
            )
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
        owner_id = found.owner_id or self._listed_owner(group)
        is_same = (found.name, owner_id) == (group.name, group.owner_id) or group.topic_id
        record = self._record_of(group, EntityState.ADOPTED, "adopted")
        self._tools.ledger.record_group(
            msgspec.structs.replace(
                record,
                written_hash=record.written_hash if is_same else "",
                owner_id=owner_id,
            )
        )
        self._end(group, Outcome.ALREADY_IMPORTED, "adopted")

    def _listed_owner(self, group: PlannedGroup) -> str:
        """Return who owns a group of which only the list of members tells it."""
        if group.topic_id or not self._tools.rules.needs_owner:
            return ""
        listed = list_members(self._tools, group.group_id)
        if isinstance(listed, Failure):
            raise self._tools.caller.stop_error(listed)
        return owner_among(listed)

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


def without_group(group: GroupRecord | None) -> tuple[Outcome, str]:
    """Return how the rows of a group end that is not in the target: ``group`` is what the ledger knows of it."""
    if group is None:
        return Outcome.SKIPPED, "not_selected"
    if group.state is EntityState.DEFERRED:
        return Outcome.DEFERRED, group.reason
    if group.state is EntityState.INTENT:
        return Outcome.DEFERRED, "held_elsewhere"
    return Outcome.REJECTED, group.reason or "group_refused"
