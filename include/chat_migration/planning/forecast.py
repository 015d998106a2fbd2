"""What the ledger and the clock say about planned rows: the part of a quote that a row alone cannot tell.

Delivery decides again, from the target's own frontier, when a conversation is streamed; this tells beforehand
what it will most likely decide.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

from chat_migration.clock import Clock
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.records import Delivery, Stream
from chat_migration.ledger.states import DeliveryState, EntityState
from chat_migration.model import Outcome, RecordType
from chat_migration.planning.changes import all_changes, calls_for
from chat_migration.planning.quote import QuoteCounter, Stranded
from chat_migration.planning.slots import Slots
from chat_migration.planning.tables import Plan, PlannedConversation, PlannedMessage
from chat_migration.settings import Settings

Judge = Callable[[PlannedMessage, Sequence[Delivery]], tuple[str, str] | None]
"""Takes a row and what the ledger knows of it, and returns the (outcome, reason) that it will most likely have; None:
some of it is still to be sent."""

TO_IMPORT = "to_import"
NOW_MARGIN_MS = 5000
"""A slot must be at least this far in the past. The target's clock defines "now" (unknown U2)."""
_CHUNK = 1000


REMOVED_AT_ONCE = 100
"""Members that one call removes. Source: "Deleting Group Members" (1047/34949)."""
RECALLED_AT_ONCE = 10
"""Group messages that one call withdraws. Source: "Recalling Group Messages" (1047/34965)."""


class BatchSizes:
    """How many items one call takes."""

    def __init__(self, *, messages: int, members: int, accounts: int) -> None:
        self.messages, self.members, self.accounts = messages, members, accounts


class Forecast:
    """Watches planned messages go by and counts what will become of them."""

    def __init__(
        self,
        ledger: Ledger,
        settings: Settings,
        clock: Clock,
        sizes: BatchSizes,
        *,
        retention_days: int | None,
        judge: Judge,
    ) -> None:
        self._judge = judge
        self._ledger, self._settings, self._sizes = ledger, settings, sizes
        self._now_ms = clock.now_ms()
        self._oldest_ms = (
            None if retention_days is None else self._now_ms - retention_days * 86_400_000
        )
        self._knows_nothing = ledger.is_empty()
        self.counter = QuoteCounter()
        self.counter.append_late = settings.late_messages == "append"
        self._late: dict[str, int] = {}
        self._appended_to: set[str] = set()

    def watch(
        self, place: PlannedConversation, rows: Iterator[PlannedMessage]
    ) -> Iterator[PlannedMessage]:
        """Yield the rows of one conversation unchanged, counting them."""
        direct = place.kind == "direct"
        stream = (
            Stream()
            if self._knows_nothing
            else self._ledger.streams([place.conversation]).get(place.conversation, Stream())
        )
        slots = Slots(
            None if direct else stream.newest_slot,
            keep_ties=direct or self._settings.same_second == "keep",
        )
        kind = RecordType.C2C_MESSAGES if direct else RecordType.GROUP_MESSAGES
        parts = recalled = 0
        late_before = self.counter.late_rows
        deferred = False
        while chunk := list(islice(rows, _CHUNK)):
            keys = [row.message_key for row in chunk]
            known = {} if self._knows_nothing else self._ledger.deliveries(keys)
            for row in chunk:
                there = known.get(row.message_key, [])
                judged = self._judge(row, there) if there else None
                outcome, reason = judged or self._outcome(row, stream, slots, direct=direct)
                deferred = deferred or outcome == Outcome.DEFERRED
                parts += len(row.bodies) if outcome == TO_IMPORT else 0
                recalled += self._change_calls(row, there, outcome, direct=direct)
                self.counter.count(kind, outcome, reason)
                yield row
        self._calls(place, parts, recalled, direct=direct)
        if not direct:
            self._late[place.conversation] = self.counter.late_rows - late_before
            if parts:
                self._appended_to.add(place.conversation)
        self.counter.deferred_groups += deferred

    def _outcome(
        self, row: PlannedMessage, stream: Stream, slots: Slots, *, direct: bool
    ) -> tuple[str, str]:
        if row.outcome:
            return row.outcome, row.reason
        if self._oldest_ms is not None and row.sent_at_ms < self._oldest_ms:
            self.counter.older_than_retention += 1
        if not direct and is_late(row, stream):
            self.counter.late_rows += 1
            if self._settings.late_messages == "reject":
                return Outcome.LATE_REJECTED, "late"
        for _ in row.bodies:
            if slots.take(row.sent_at_ms) * 1000 > self._now_ms - NOW_MARGIN_MS:
                return Outcome.DEFERRED, "too_new"
        return TO_IMPORT, ""

    def _change_calls(
        self, row: PlannedMessage, known: Sequence[Delivery], outcome: str, *, direct: bool
    ) -> int:
        """Count the calls that an edit takes; return how many parts are to be withdrawn."""
        live = [each for each in known if each.state is DeliveryState.DELIVERED]
        if outcome == Outcome.WITHDRAWN:
            return len(live)
        if outcome != Outcome.UPDATED:
            return 0
        changed = min(len(live), len(row.bodies))
        self.counter.calls["modify_c2c_msg" if direct else "modify_group_msg"] += changed
        return len(live) - changed

    def _calls(
        self, place: PlannedConversation, parts: int, recalled: int, *, direct: bool
    ) -> None:
        calls = parts if direct else math.ceil(parts / self._sizes.messages)
        self.counter.calls["importmsg" if direct else "import_group_msg"] += calls
        recalls = recalled if direct else math.ceil(recalled / RECALLED_AT_ONCE)
        self.counter.calls["admin_msgwithdraw" if direct else "group_msg_recall"] += recalls
        if calls:
            self.counter.chains[place.conversation] = calls
        self.counter.parts += parts

    def strand(self, outside: Iterable[tuple[str, int, int | None]], before_ms: int | None) -> None:
        """Note the groups of which an import of this window now would leave rows behind.

        A target that only appends takes nothing older once newer rows are there: of a group that gets rows now,
        what lies before the window and is not there; of any group, the rows that are late already.

        Args:
            outside: (conversation, rows before the window, when the newest of them was sent) as the export says.
            before_ms: where the window begins; None: nothing lies before it.
        """
        before = {
            conversation: (rows, newest_ms)
            for conversation, rows, newest_ms in outside
            if rows and before_ms is not None and conversation in self._appended_to
        }
        there = self._ledger.rows_before(sorted(before), before_ms or 0)
        for conversation in sorted(before.keys() | self._late.keys()):
            rows, newest_ms = before.get(conversation, (0, None))
            missing = max(0, rows - there.get(conversation, 0))
            late = self._late.get(conversation, 0)
            if missing or late:
                self.counter.stranded.append(
                    Stranded(
                        conversation=conversation,
                        rows_before=missing,
                        newest_before_ms=newest_ms if missing else None,
                        late_rows=late,
                    )
                )

    def finish(self, plan: Plan) -> None:
        """Count accounts, groups, members and unread counts of a finished plan, and their calls."""
        self._accounts(plan)
        self._groups(plan)
        self._members(plan)
        self._changes(plan)

    def _accounts(self, plan: Plan) -> None:
        new = 0
        accounts = plan.accounts()
        while chunk := list(islice(accounts, _CHUNK)):
            known = self._ledger.accounts_known([each.account_id for each in chunk])
            new += len(chunk) - len(known)
            for account in chunk:
                if account.file:
                    there = account.account_id in known
                    self.counter.count(
                        RecordType.ACCOUNTS, Outcome.ALREADY_IMPORTED if there else TO_IMPORT
                    )
        calls = math.ceil(new / self._sizes.accounts)
        self.counter.calls["account_check"] += calls
        self.counter.calls["multiaccount_import"] += calls

    def _groups(self, plan: Plan) -> None:
        groups = plan.groups()
        while chunk := list(islice(groups, _CHUNK)):
            known = self._ledger.groups_of([each.conversation for each in chunk])
            for group in chunk:
                there = group.conversation in known
                if group.file and not group.topic_id:
                    outcome = group.outcome or (Outcome.ALREADY_IMPORTED if there else TO_IMPORT)
                    self.counter.count(RecordType.GROUPS, outcome, group.reason)
                if not there and not group.outcome:
                    self.counter.calls["import_topic" if group.topic_id else "import_group"] += 1

    def _members(self, plan: Plan) -> None:
        pending: Counter[str] = Counter()
        members = plan.members()
        while chunk := list(islice(members, _CHUNK)):
            known = self._ledger.members_of(sorted({each.group_id for each in chunk}))
            for member in chunk:
                found = known[member.group_id].get(member.account_id)
                there = found is not None and found.state is not EntityState.LEFT
                self.counter.count(
                    RecordType.MEMBERS,
                    member.outcome or (Outcome.ALREADY_IMPORTED if there else TO_IMPORT),
                    member.reason,
                )
                if member.outcome:
                    continue
                pending[member.group_id] += not there
                # Each message resets the counts of its group.
                is_reset = not there or member.conversation in self._appended_to
                self.counter.calls["set_unread_msg_num"] += (
                    is_reset and member.first_unread_ms is not None
                )
        self.counter.calls["import_group_member"] += sum(
            math.ceil(count / self._sizes.members) for count in pending.values()
        )

    def _changes(self, plan: Plan) -> None:
        """Count the calls that bring changes of existing groups over, where that is asked for."""
        if self._settings.sync_profiles == "off":
            return
        for changes in all_changes(plan, self._settings, self._ledger):
            self.counter.calls.update(calls_for(changes, removals_per_call=REMOVED_AT_ONCE))


def is_late(row: PlannedMessage, stream: Stream) -> bool:
    """Tell whether a row's true time lies before what its group holds already.

    Judged by true times: before the newest row delivered to the conversation, or in or before the second of a
    message that is not ours. A row only overtaken by our own lifted slots is not late.
    """
    if stream.foreign_slot is not None and row.sent_at_ms // 1000 <= stream.foreign_slot:
        return True
    if stream.newest_sent_ms is None:
        return False
    return (row.sent_at_ms, row.order_key) < (stream.newest_sent_ms, stream.newest_order)
