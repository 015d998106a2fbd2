"""How the rows of groups and members end whose changes a run brings over.

The stages that create have counted them already: a member who is there as ``already_imported``, one who has left as
``skipped``. What the later stage makes of a row is counted *instead*, so that each row ends once, whatever happens
to either stage.
"""

from __future__ import annotations

import msgspec

from chat_migration.delivery.context import Tools
from chat_migration.delivery.tally import RowLine
from chat_migration.ledger.records import GroupRecord, MemberRecord
from chat_migration.ledger.states import EntityState
from chat_migration.model import Outcome, RecordType
from chat_migration.planning.changes import (
    FIRST_MEMBER,
    GROUP_CHANGED,
    GROUP_REFUSED,
    LEFT,
    REMOVAL_REFUSED,
    REMOVED,
    ROLE_CHANGED,
    ROLE_REFUSED,
    GroupChanges,
    has_left,
    is_member,
)
from chat_migration.planning.tables import PlannedMember
from chat_migration.targets.base import Failure

_OF_LATER_STAGE = frozenset(
    (*GROUP_CHANGED, *GROUP_REFUSED, ROLE_CHANGED, ROLE_REFUSED, REMOVED, REMOVAL_REFUSED)
)
ADMIN_REFUSED = "admin_refused"
"""The reason of a member who could be added, but not made an admin."""
_ADVICE = {
    "owner_not_member": "Add the new owner to the group's members in the export.",
    "owner_cannot_leave": "Name another owner of the group in the export first.",
    "owner_refused": "Check in the console who owns the group; name another owner in the export.",
    "profile_refused": "Correct the group's row in the export.",
    ROLE_REFUSED: "Check in the console that the member is in the group.",
    REMOVAL_REFUSED: "Remove the member in the console, if they are still there.",
    "messages_first": "The next run takes it, once every message of the group is dealt with.",
    "held_elsewhere": "Run again when the other run has ended.",
}


def shown_reason(reason: str) -> str:
    """Return the reason under which a stage that creates counts what the ledger knows already."""
    return "" if reason in (*_OF_LATER_STAGE, FIRST_MEMBER) else reason


def was_changed(reason: str) -> bool:
    """Tell whether a record was last written by the stage that brings changes over, not by one that creates."""
    return reason in _OF_LATER_STAGE


class Verdict(msgspec.Struct, frozen=True):
    """How a row ends, and the answer that made it so."""

    outcome: Outcome
    reason: str
    failed: Failure | None = None


class ChangedRows:
    """Ends the rows of a run's groups and members once their changes are dealt with."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def end(
        self,
        before: GroupChanges,
        now: GroupChanges,
        verdicts: dict[str, Verdict] | None = None,
        waiting: str = "",
    ) -> None:
        """End the rows of one group.

        Args:
            before: what was to be brought over.
            now: what is left of it.
            verdicts: how rows end of which the ledger does not tell: by account, the group's own under "".
            waiting: why what is left is left to a later run; "": it is not, the stage is cut off.
        """
        told = dict(verdicts or {})
        if waiting:
            later = Verdict(Outcome.DEFERRED, waiting)
            pending = [each.account_id for each in (*now.roles, *now.leavers)]
            pending += [""] if now.profile or now.owner else []
            told = dict.fromkeys(pending, later) | told
        self._group(before, now, told.get(""))
        for row in now.rows:
            known = now.known.get(row.account_id)
            verdict = told.get(row.account_id)
            if has_left(row):
                self._left(row, self._verdict_of_left(known, verdict))
            elif is_member(known):
                self._present(row, before.known.get(row.account_id), known, verdict)

    def end_elsewhere(self, row: PlannedMember) -> None:
        """End the row of somebody who has left a group that is not there, or left out."""
        self._left(row, Verdict(Outcome.SKIPPED, LEFT))

    def _group(self, before: GroupChanges, now: GroupChanges, verdict: Verdict | None) -> None:
        verdict = _verdict_of_group(now, self._tools.run_id, verdict)
        group = now.group
        if verdict is None or not group.file:
            return
        line = self._line(RecordType.GROUPS, verdict, group.file, group.line, group.legacy_id)
        self._tools.tally.correct(
            msgspec.structs.replace(line, conversation=group.conversation),
            self._counted(before.record),
            shown_reason(before.record.reason),
        )

    def _verdict_of_left(self, known: MemberRecord | None, verdict: Verdict | None) -> Verdict:
        if verdict is not None:
            return verdict
        if known is not None and known.state is EntityState.LEFT:
            ours = known.run_id == self._tools.run_id
            return Verdict(Outcome.UPDATED if ours else Outcome.ALREADY_IMPORTED, REMOVED)
        if known is not None and is_member(known) and known.reason == REMOVAL_REFUSED:
            return Verdict(Outcome.REJECTED, REMOVAL_REFUSED)
        return Verdict(Outcome.SKIPPED, LEFT)

    def _left(self, row: PlannedMember, verdict: Verdict) -> None:
        self._tools.tally.correct(self._member_line(row, verdict), Outcome.SKIPPED, LEFT)

    def _present(
        self,
        row: PlannedMember,
        before: MemberRecord | None,
        known: MemberRecord | None,
        verdict: Verdict | None,
    ) -> None:
        """Count a present member otherwise, where the role was changed or is still to be."""
        if known is None or before is None or row.outcome:
            return
        if verdict is None and known.reason == ROLE_REFUSED:
            verdict = Verdict(Outcome.REJECTED, ROLE_REFUSED)
        if (
            verdict is None
            and known.reason == ROLE_CHANGED
            and known.run_id == self._tools.run_id
            and known.role == row.role
        ):
            verdict = Verdict(Outcome.UPDATED, ROLE_CHANGED)
        if verdict is not None and self._counted(before) is Outcome.ALREADY_IMPORTED:
            self._tools.tally.correct(
                self._member_line(row, verdict),
                Outcome.ALREADY_IMPORTED,
                shown_reason(before.reason),
            )

    def _counted(self, record: GroupRecord | MemberRecord) -> Outcome:
        """Return how a stage that creates has counted what the ledger knows."""
        if record.reason == ADMIN_REFUSED:
            return Outcome.REJECTED
        is_new = record.state is EntityState.CREATED and not was_changed(record.reason)
        ours = is_new and record.run_id == self._tools.run_id
        return Outcome.IMPORTED if ours else Outcome.ALREADY_IMPORTED

    def _member_line(self, row: PlannedMember, verdict: Verdict) -> RowLine:
        line = self._line(RecordType.MEMBERS, verdict, row.file, row.line, row.legacy_id)
        return msgspec.structs.replace(line, conversation=row.conversation)

    @staticmethod
    def _line(kind: RecordType, verdict: Verdict, file: str, line: int, legacy_id: str) -> RowLine:
        return RowLine(
            record_type=kind,
            outcome=verdict.outcome,
            reason=verdict.reason,
            file=file,
            line=line,
            id=legacy_id,
            code=verdict.failed.code if verdict.failed else None,
            detail=verdict.failed.text if verdict.failed else "",
            advice=_ADVICE.get(verdict.reason, ""),
        )


def _verdict_of_group(now: GroupChanges, run_id: str, verdict: Verdict | None) -> Verdict | None:
    """Return how a group's row ends, None: as it was counted."""
    reason = now.record.reason
    if verdict is not None:
        return verdict
    if reason in GROUP_REFUSED:
        return Verdict(Outcome.REJECTED, reason)
    is_open = now.profile or now.owner
    if reason in GROUP_CHANGED and now.record.run_id == run_id and not is_open:
        return Verdict(Outcome.UPDATED, reason)
    return None
