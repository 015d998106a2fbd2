"""Setting unread counts: after the last message of a group, because each import of messages resets them."""

from __future__ import annotations

from bisect import bisect_left
from functools import partial

from chat_migration.delivery.context import Tools, reporting
from chat_migration.delivery.groups import without_group
from chat_migration.delivery.holding import HeldWork, run_held
from chat_migration.delivery.tally import RowLine
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.records import GroupRecord, ReadPosition
from chat_migration.ledger.states import EntityState
from chat_migration.model import Outcome, RecordType
from chat_migration.planning.tables import PlannedMember
from chat_migration.targets.base import Advice, Effect, Failure, ItemResult
from chat_migration.targets.verbs import Verb


class UnreadCounts:
    """Sets the counts of all groups that messages were sent to since they were last set."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._rows: dict[str, dict[str, PlannedMember]] = {}
        for member in tools.plan.members():
            if member.has_read_state:
                self._rows.setdefault(member.group_id, {})[member.account_id] = member
        self._dirty = tools.ledger.dirty_groups()
        self._groups = tools.ledger.groups_by_id(sorted(self._rows)) | self._dirty

    def run(self) -> None:
        """Set what is not yet right; groups left over from an interrupted run are taken along."""
        names = self._names()
        total = sum(len(rows) for rows in self._rows.values())
        with reporting(self._tools.progress, "unread", total, "members"):
            run_held(self._tools, (self._work(name) for name in names))

    def _names(self) -> list[str]:
        """Return the groups to look at."""
        return sorted(self._dirty.keys() | self._rows.keys())

    def _work(self, group_id: str) -> HeldWork:
        group = self._groups.get(group_id)
        return HeldWork(
            conversation=group.conversation if group else f"group:{group_id}",
            run=partial(self._group, group_id),
            skip=partial(self._skip, group_id),
        )

    def _skip(self, group_id: str) -> None:
        """End the rows that are left: the run that holds the group sets its counts when it is done."""
        for row in list(self._rows.get(group_id, {}).values()):
            self._end(row, Outcome.DEFERRED, "held_elsewhere")

    def count_direct_reads(self, rows: int) -> None:
        """Count the read positions of one-to-one chats: they need no call of their own."""
        if self._tools.settings.c2c_unread == "preserve":
            self._tools.tally.count(
                RecordType.UNREAD, Outcome.IMPORTED, "set_with_the_messages", rows
            )
        elif rows:
            self._tools.tally.count(RecordType.UNREAD, Outcome.SKIPPED, "c2c_arrives_as_read", rows)

    def _group(self, group_id: str) -> None:
        known = self._groups.get(group_id)
        group = known and self._tools.ledger.group(known.conversation)
        rows = self._rows.get(group_id, {})
        for row in [row for row in rows.values() if row.outcome]:
            self._end(row, Outcome(row.outcome), row.reason)
        if group is None or group.state not in (EntityState.CREATED, EntityState.ADOPTED):
            for row in list(rows.values()):
                self._end(row, *without_group(group))
            return
        if group.type in self._tools.rules.types_without_unread:
            for row in list(rows.values()):
                self._end(row, Outcome.SKIPPED, "no_unread_in_chatrooms")
            self._tools.ledger.clean(group.conversation)
            return
        stream = self._tools.ledger.streams([group.conversation]).get(group.conversation)
        if stream is not None and stream.foreign_slot is not None:
            for row in list(rows.values()):
                self._end(row, Outcome.SKIPPED, "live_group")
            return
        self._set_group(group, rows)

    def _set_group(self, group: GroupRecord, rows: dict[str, PlannedMember]) -> None:
        positions = self._tools.ledger.positions(group.group_id)
        members = self._tools.ledger.members(group.group_id)
        # Without the mark nothing was sent, withdrawn or read since the counts were set: they are what they are.
        wanted = (
            wanted_counts(
                self._tools.ledger,
                group.conversation,
                positions,
                slot_ms=self._tools.rules.slot_ms,
            )
            if group.unread_dirty
            else {each.account_id: each.unread_set for each in positions}
        )
        complete = True
        for position in positions:
            row = rows.get(position.account_id)
            state = members[position.account_id][0] if position.account_id in members else None
            if state in (None, EntityState.REJECTED, EntityState.LEFT):
                # Who is not there yet gets a count as soon as they are.
                complete &= state is EntityState.LEFT
                if row is not None:
                    self._end(row, Outcome.SKIPPED, "no_member")
            else:
                complete &= self._one(group, position, wanted[position.account_id], row)
        if complete:
            self._tools.ledger.clean(group.conversation)

    def _one(
        self, group: GroupRecord, position: ReadPosition, count: int, row: PlannedMember | None
    ) -> bool:
        """Set one member's count if it is not right; tell whether it is right now."""
        if count == position.unread_set:
            ours = count > 0 and position.run_id == self._tools.run_id
            if row is not None:
                self._end(
                    row,
                    Outcome.IMPORTED if ours else Outcome.ALREADY_IMPORTED,
                    "" if count else "all_read",
                )
            return True
        answer = self._tools.caller.call(
            Verb.SET_UNREAD,
            lambda: self._send(group, position.account_id, count),
        )
        if isinstance(answer, Failure):
            return self._failed(answer, row)
        self._tools.ledger.record_unread(
            group.group_id, position.account_id, count, self._tools.run_id
        )
        if row is not None:
            self._end(row, Outcome.IMPORTED)
        return True

    def _send(self, group: GroupRecord, account_id: str, count: int) -> ItemResult:
        self._tools.lease.assure(group.conversation)
        return self._tools.target.set_unread(group.group_id, account_id, count)

    def _failed(self, failed: Failure, row: PlannedMember | None) -> bool:
        if failed.advice is Advice.STOP_RUN or failed.effect is Effect.UNKNOWN:
            raise self._tools.caller.stop_error(failed)
        if row is not None:
            self._end(row, Outcome.REJECTED, "unread_refused", failed)
        return False

    def _end(
        self, row: PlannedMember, outcome: Outcome, reason: str = "", failed: Failure | None = None
    ) -> None:
        self._rows[row.group_id].pop(row.account_id)
        self._tools.tally.line(
            RowLine(
                record_type=RecordType.UNREAD,
                outcome=outcome,
                reason=reason,
                file=row.file,
                line=row.line,
                id=row.legacy_id,
                conversation=row.conversation,
                code=failed.code if failed else None,
                detail=failed.text if failed else "",
            )
        )
        self._tools.progress.advance(self._tools.tally.done)


def wanted_counts(
    ledger: Ledger, conversation: str, positions: list[ReadPosition], *, slot_ms: int
) -> dict[str, int]:
    """Return account → delivered parts after the member's position that are not the member's own.

    One pass over the group's deliveries after the first unread one serves all members. No count is more than the
    group holds, and withdrawn messages are in none.
    """
    starts = [each.first_unread_ms for each in positions if each.first_unread_ms is not None]
    wanted = {each.account_id: 0 for each in positions}
    if not starts:
        return wanted
    places: list[tuple[int, str]] = []
    own: dict[str, list[tuple[int, str]]] = {}
    delivered = ledger.delivered_places(conversation, min(starts), slot_ms=slot_ms)
    for sent_at_ms, order_key, sender in delivered:
        places.append((sent_at_ms, order_key))
        own.setdefault(sender, []).append((sent_at_ms, order_key))
    for each in positions:
        if each.first_unread_ms is not None:
            start = (each.first_unread_ms, each.first_unread_order)
            mine = own.get(each.account_id, [])
            after = len(places) - bisect_left(places, start)
            wanted[each.account_id] = after - (len(mine) - bisect_left(mine, start))
    return wanted
