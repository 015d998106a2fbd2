"""Clearing unread counts, where a target can do nothing else with them.

What is imported counts as unread for everybody who did not send it. A member of whom the export says that exactly
that is unread is left as they are; for everybody else all is made read, also for those who should have some unread:
a whole history shown as unread is worse.

What the ledger keeps of a reader is how many parts had arrived for them when they were last cleared. So nobody is
cleared twice, and whatever an interrupted run left is done by the next one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from itertools import groupby

from chat_migration.delivery.context import Tools
from chat_migration.delivery.holding import HeldWork, run_held
from chat_migration.delivery.unread import UnreadCounts, wanted_counts
from chat_migration.ledger.records import GroupRecord, ReadPosition
from chat_migration.ledger.states import EntityState
from chat_migration.ledger.unread import DirectArrivals, cleared_parts
from chat_migration.model import Outcome, RecordType
from chat_migration.planning.changes import existing_groups
from chat_migration.planning.tables import PlannedMember
from chat_migration.targets.base import Failure, ItemResult
from chat_migration.targets.verbs import Verb

_log = logging.getLogger(__name__)

ALL_READ, CLEARED, LEFT_UNREAD = "all_read", "cleared", "left_unread"
"""Reasons: all is read, as the export says; all was made read, though some should not be; what is unread is right."""
NOT_CLEARED = "clear_unread_none"
_IN_USE = (EntityState.CREATED, EntityState.ADOPTED)
_CONVERSATIONS_AT_ONCE = 200


class UnreadClearing(UnreadCounts):
    """Clears what was imported, in the conversations that the setting ``clear_unread`` names."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._extent = tools.settings.clear_unread
        if self._extent == "all":
            known = existing_groups(tools.plan, tools.settings, tools.ledger)
            self._groups |= {name: record for name, (_, record) in known.items()}

    def run(self) -> None:
        """Clear what is not yet cleared; what is left over from an interrupted run is taken along."""
        if self._extent == "none":
            self._leave_all()
            return
        super().run()
        run_held(self._tools, self._direct_works())

    def _leave_all(self) -> None:
        for row in [row for rows in self._rows.values() for row in rows.values()]:
            if row.outcome:
                self._end(row, Outcome(row.outcome), row.reason)
            else:
                self._end(row, Outcome.SKIPPED, NOT_CLEARED)

    def count_direct_reads(self, rows: int) -> None:
        """Count the read positions of one-to-one chats: how far somebody has read cannot be told to the target."""
        reason = NOT_CLEARED if self._extent == "none" else "c2c_arrives_as_read"
        if rows:
            self._tools.tally.count(RecordType.UNREAD, Outcome.SKIPPED, reason, rows)

    # --- groups ---------------------------------------------------------------------------------

    def _names(self) -> list[str]:
        return sorted(self._groups.keys() | self._rows.keys())

    def _set_group(self, group: GroupRecord, rows: dict[str, PlannedMember]) -> None:
        """Clear the members of one group; whoever is none yet has nothing unread when they join."""
        ledger = self._tools.ledger
        positions = {each.account_id: each for each in ledger.positions(group.group_id)}
        members = {
            name for name, (state, *_) in ledger.members(group.group_id).items() if state in _IN_USE
        }
        members |= {group.owner_id} - {""}
        if group.unread_dirty or self._extent == "all":
            self._clear_members(group, sorted(members), positions)
            ledger.clean(group.conversation)
        for account, row in list(rows.items()):
            if account in members:
                position = positions.get(account)
                ours = position is not None and position.run_id == self._tools.run_id
                self._end(row, Outcome.IMPORTED if ours else Outcome.ALREADY_IMPORTED)
            else:
                self._end(row, Outcome.SKIPPED, "no_member")

    def _clear_members(
        self, group: GroupRecord, members: list[str], positions: dict[str, ReadPosition]
    ) -> None:
        ledger, rows = self._tools.ledger, self._rows.get(group.group_id, {})
        wanted = wanted_counts(
            ledger, group.conversation, list(positions.values()), slot_ms=self._tools.rules.slot_ms
        )
        sent = ledger.delivered_by(group.conversation)
        total = sum(sent.values())
        for account in members:
            position = positions.get(account) or ReadPosition(
                group_id=group.group_id, account_id=account, first_unread_ms=None
            )
            arrived = total - sent.get(account, 0)
            self._member(group, position, arrived, wanted.get(account, 0), rows.get(account))

    def _member(
        self,
        group: GroupRecord,
        position: ReadPosition,
        arrived: int,
        wanted: int,
        row: PlannedMember | None,
    ) -> None:
        """Clear one member, unless nothing has arrived since, or exactly that is to be unread."""
        ledger, run_id, account = self._tools.ledger, self._tools.run_id, position.account_id
        cleared = cleared_parts(position.unread_set)
        is_done = position.run_id not in ("", run_id)
        reason, failed = CLEARED if wanted else ALL_READ, None
        if arrived <= cleared:
            is_done |= not position.run_id
        elif wanted == arrived - cleared:
            reason = LEFT_UNREAD
            if group.unread_dirty:
                is_done = False
                ledger.record_cleared(group.group_id, account, cleared, run_id)
        else:
            is_done = False
            failed = self._clear(group.conversation, account, group_id=group.group_id)
            ledger.record_cleared(group.group_id, account, arrived, run_id)
        if row is None:
            return
        if failed is not None:
            self._end(row, Outcome.REJECTED, "unread_refused", failed)
        else:
            self._end(row, Outcome.ALREADY_IMPORTED if is_done else Outcome.IMPORTED, reason)

    # --- one-to-one conversations ---------------------------------------------------------------

    def _direct_works(self) -> Iterator[HeldWork]:
        """Yield the conversations in which something has arrived since they were cleared."""
        names = [each.conversation for each in self._tools.plan.conversations("direct")]
        for start in range(0, len(names), _CONVERSATIONS_AT_ONCE):
            chunk = names[start : start + _CONVERSATIONS_AT_ONCE]
            arrivals = filter(_is_open, self._tools.ledger.direct_arrivals(chunk))
            for name, _ in groupby(arrivals, key=lambda each: each.conversation):
                yield HeldWork(
                    conversation=name, run=partial(self._direct, name), skip=lambda: None
                )

    def _direct(self, conversation: str) -> None:
        """Clear the copies of the people to whom something was sent; a conversation that is live is left alone."""
        ledger = self._tools.ledger
        stream = ledger.streams([conversation]).get(conversation)
        if stream is not None and stream.foreign_slot is not None:
            return
        for each in filter(_is_open, ledger.direct_arrivals([conversation])):
            self._clear(conversation, each.reader, peer_id=each.peer)
            ledger.record_cleared(conversation, each.reader, each.parts, self._tools.run_id)

    def _clear(
        self, conversation: str, account: str, *, group_id: str = "", peer_id: str = ""
    ) -> Failure | None:
        """Make one call; return why it is refused for good.

        Raises:
            StoppedError: nobody knows what became of it; the next run makes it again.
        """

        def send() -> ItemResult:
            self._tools.lease.assure(conversation)
            return self._tools.target.clear_unread(account, group_id=group_id, peer_id=peer_id)

        answer = self._tools.caller.call(Verb.CLEAR_UNREAD, send)
        if not isinstance(answer, Failure):
            return None
        self._failed(answer, None)
        _log.warning("%s: %s", conversation, answer)
        return answer


def _is_open(arrivals: DirectArrivals) -> bool:
    return arrivals.parts > arrivals.cleared
