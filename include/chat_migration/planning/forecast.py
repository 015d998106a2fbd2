"""What the ledger and the clock say about planned rows: the part of a quote that a row alone cannot tell.

Delivery decides again, from the target's own frontier, when a conversation is streamed; this tells beforehand
what it will most likely decide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

from chat_migration.clock import Clock
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.records import Stream
from chat_migration.ledger.states import DeliveryState
from chat_migration.model import Outcome, RecordType
from chat_migration.planning.quote import QuoteCounter
from chat_migration.planning.slots import Slots
from chat_migration.planning.tables import Plan, PlannedConversation, PlannedMessage
from chat_migration.settings import Settings

TO_IMPORT = "to_import"
NOW_MARGIN_MS = 5000
"""A slot must be at least this far in the past. The target's clock defines "now" (unknown U2)."""
_CHUNK = 1000


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
    ) -> None:
        self._ledger, self._settings, self._sizes = ledger, settings, sizes
        self._now_ms = clock.now_ms()
        self._oldest_ms = (
            None if retention_days is None else self._now_ms - retention_days * 86_400_000
        )
        self._knows_nothing = ledger.is_empty()
        self.counter = QuoteCounter()

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
        parts = 0
        deferred = False
        while chunk := list(islice(rows, _CHUNK)):
            known = {} if self._knows_nothing else self._known([row.message_key for row in chunk])
            for row in chunk:
                outcome, reason = self._outcome(
                    row, known.get(row.message_key), stream, slots, direct=direct
                )
                deferred = deferred or outcome == Outcome.DEFERRED
                parts += len(row.bodies) if outcome == TO_IMPORT else 0
                self.counter.count(kind, outcome, reason)
                yield row
        self._calls(place, parts, direct=direct)
        self.counter.deferred_groups += deferred

    def _known(self, keys: list[str]) -> dict[str, DeliveryState]:
        return {key: parts[-1].state for key, parts in self._ledger.deliveries(keys).items()}

    def _outcome(
        self,
        row: PlannedMessage,
        known: DeliveryState | None,
        stream: Stream,
        slots: Slots,
        *,
        direct: bool,
    ) -> tuple[str, str]:
        if row.outcome:
            return row.outcome, row.reason
        if known is DeliveryState.DELIVERED:
            return Outcome.ALREADY_IMPORTED, ""
        if known is DeliveryState.REJECTED:
            return Outcome.REJECTED, "rejected_before"
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

    def _calls(self, place: PlannedConversation, parts: int, *, direct: bool) -> None:
        if not parts:
            return
        calls = parts if direct else math.ceil(parts / self._sizes.messages)
        self.counter.calls["importmsg" if direct else "import_group_msg"] += calls
        self.counter.chains[place.conversation] = calls
        self.counter.parts += parts

    def finish(self, plan: Plan) -> None:
        """Count accounts, groups, members and unread counts of a finished plan, and their calls."""
        self._accounts(plan)
        self._groups(plan)
        self._members(plan)

    def _accounts(self, plan: Plan) -> None:
        known = self._ledger.accounts()
        new = 0
        for account in plan.accounts():
            there = account.account_id in known
            new += not there
            if account.file:
                self.counter.count(
                    RecordType.ACCOUNTS, Outcome.ALREADY_IMPORTED if there else TO_IMPORT
                )
        calls = math.ceil(new / self._sizes.accounts)
        self.counter.calls["account_check"] += calls
        self.counter.calls["multiaccount_import"] += calls

    def _groups(self, plan: Plan) -> None:
        known = self._ledger.groups()
        for group in plan.groups():
            there = group.conversation in known
            if group.file and not group.topic_id:
                outcome = group.outcome or (Outcome.ALREADY_IMPORTED if there else TO_IMPORT)
                self.counter.count(RecordType.GROUPS, outcome, group.reason)
            if not there and not group.outcome:
                self.counter.calls["import_topic" if group.topic_id else "import_group"] += 1

    def _members(self, plan: Plan) -> None:
        of_group, known, pending = "", set[str](), 0
        for member in plan.members():
            if member.group_id != of_group:
                self.counter.calls["import_group_member"] += math.ceil(
                    pending / self._sizes.members
                )
                of_group, pending = member.group_id, 0
                known = set(self._ledger.members(of_group)) if of_group else set()
            there = member.account_id in known
            self.counter.count(
                RecordType.MEMBERS,
                member.outcome or (Outcome.ALREADY_IMPORTED if there else TO_IMPORT),
                member.reason,
            )
            if not member.outcome and not there:
                pending += 1
                self.counter.calls["set_unread_msg_num"] += member.first_unread_ms is not None
        self.counter.calls["import_group_member"] += math.ceil(pending / self._sizes.members)


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
