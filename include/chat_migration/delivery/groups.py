"""Creating groups and topics. Not repeatable blindly: after an unknown outcome the group is looked up."""

from __future__ import annotations

from functools import partial

import msgspec

from chat_migration.delivery.context import Tools, reporting, run_all
from chat_migration.delivery.frontiers import look_up
from chat_migration.delivery.matching import matches_plan
from chat_migration.delivery.tally import RowLine
from chat_migration.errors import UnknownLedgerError
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
                run_all(
                    (partial(self._one, each) for each in groups if bool(each.topic_id) == topics),
                    threads=self._tools.threads,
                    stop=self._tools.stop,
                )

    def _one(self, group: PlannedGroup) -> None:
        known = self._known.get(group.conversation)
        if group.outcome:
            self._end(group, Outcome(group.outcome), group.reason, detail=group.detail)
        elif not self._is_selected(group):
            self._end(group, Outcome.SKIPPED, "not_selected")
        elif (
            known is not None
            and known.state is EntityState.REJECTED
            and known.written_hash == group.written_hash
        ):
            self._end(group, Outcome.REJECTED, known.reason)
        elif known is not None and known.state in (EntityState.CREATED, EntityState.ADOPTED):
            ours = known.run_id == self._tools.run_id and known.state is EntityState.CREATED
            self._end(group, Outcome.IMPORTED if ours else Outcome.ALREADY_IMPORTED, known.reason)
        else:
            self._create(
                group, was_intended=known is not None and known.state is EntityState.INTENT
            )
        self._tools.progress.advance(self._tools.tally.done)

    def _is_selected(self, group: PlannedGroup) -> bool:
        return is_needed(self._tools.settings, Conversation.parse(group.conversation))

    def _create(self, group: PlannedGroup, *, was_intended: bool) -> None:
        if group.created_s * 1000 >= self._tools.clock.now_ms():
            self._defer(group, "too_new")
            return
        if self._quota_used is not None:
            self._defer(group, "daily_quota", self._quota_used)
            return
        self._record(group, EntityState.INTENT)
        answer = self._send(group)
        if isinstance(answer, Failure) and answer.effect is Effect.UNKNOWN:
            self._tools.clock.sleep(self._tools.settle_seconds)
            was_intended = True
            answer = self._after_unknown(group, answer)
        if isinstance(answer, Failure) and answer.code in _OVER_PLAN and group.max_members:
            # The plan may allow fewer members than asked for (unknown U18): take its own number.
            answer = self._send(msgspec.structs.replace(group, max_members=None))
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
            answer = self._tools.caller.call(api, partial(self._send_once, group), repeatable=False)
            if not (isinstance(answer, Failure) and answer.advice is Advice.QUOTA):
                return answer
            self._tools.caller.budget.slow_down(api)
        return answer

    def _send_once(self, group: PlannedGroup) -> ItemResult:
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

    def _after_unknown(self, group: PlannedGroup, failed: Failure) -> ItemResult:
        """Look the group up; one that is there is compared, one that is not is sent once more."""
        if self._look_up(group).exists:
            return _THERE
        again = self._send(group)
        if isinstance(again, Failure) and again.effect is Effect.UNKNOWN:
            raise self._tools.caller.stop_error(failed)
        return again

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
                self._adopt(group)
        elif not is_empty and same_type and matches_plan(self._tools, group.conversation):
            self._refuse_unknown_ledger()
            self._adopt(group)
        else:
            self._refuse(
                group,
                "group_exists",
                f"the app has another group `{group.group_id}`: type {found.type or '?'}, "
                f"created {found.created_s}, {'without' if is_empty else 'with'} messages; "
                f"planned: type {group.type}, created {group.created_s}",
                advice="Rename or remove one of the two; a destroyed group's id may not be usable again.",
            )

    def _adopt(self, group: PlannedGroup) -> None:
        self._record(group, EntityState.ADOPTED, "adopted")
        self._end(group, Outcome.ALREADY_IMPORTED, "adopted")

    def _refuse_unknown_ledger(self) -> None:
        if self._tools.ledger.is_empty():
            raise UnknownLedgerError(
                f"The app `{self._tools.target.app}` holds messages of this export, "
                "and this ledger knows none of them.",
                expected="The ledger that was used to import them.",
                advice="Restore that ledger, or rebuild it: "
                f"chat-migration rebuild --target tencent --export {self._tools.settings.export_path}",
                done="No message was sent.",
            )

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
        self._tools.ledger.record_group(
            GroupRecord(
                conversation=group.conversation,
                group_id=group.group_id,
                topic_id=group.topic_id,
                type=group.type,
                created_s=group.created_s,
                state=state,
                reason=reason,
                written_hash=group.written_hash,
                run_id=self._tools.run_id,
            )
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
    return Outcome.REJECTED, group.reason or "group_refused"
