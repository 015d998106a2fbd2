"""What the ledger and the clock say about planned rows: the part of a quote that a row alone cannot tell.

Delivery decides again, from the target's own frontier, when a conversation is streamed; this tells beforehand
what it will most likely decide.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from chat_migration.clock import Clock
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.records import Delivery, MemberRecord, Stream
from chat_migration.ledger.states import DeliveryState, EntityState
from chat_migration.model import Conversation, Outcome, RecordType
from chat_migration.planning.changes import FIRST_MEMBER, all_changes, calls_for
from chat_migration.planning.expiry import Expiry
from chat_migration.planning.quote import QuoteCounter, Stranded
from chat_migration.planning.selection import is_needed
from chat_migration.planning.slots import Slots
from chat_migration.planning.tables import (
    Plan,
    PlannedConversation,
    PlannedGroup,
    PlannedMember,
    PlannedMessage,
)
from chat_migration.planning.unread_forecast import UnreadForecast
from chat_migration.settings import Settings
from chat_migration.targets.rules import TargetRules
from chat_migration.targets.sizes import BatchSizes
from chat_migration.targets.verbs import Verb

Judge = Callable[[PlannedMessage, Sequence[Delivery]], tuple[str, str] | None]
"""Takes a row and what the ledger knows of it, and returns the (outcome, reason) that it will most likely have; None:
some of it is still to be sent."""

TO_IMPORT = "to_import"
NOW_MARGIN_MS = 5000
"""A slot must be at least this far in the past. The target's clock defines "now" (unknown U2)."""
_CHUNK = 1000
_SENDING = (Verb.SEND_GROUP_MESSAGES, Verb.SEND_DIRECT_MESSAGE)
_BEFORE_MESSAGES = (
    Verb.EXISTING_ACCOUNTS, Verb.IMPORT_ACCOUNTS, Verb.CREATE_GROUP, Verb.CREATE_TOPIC, Verb.ADD_MEMBERS,
    Verb.CHANGE_ROLE,
)  # fmt: skip


class Forecast:
    """Watches planned messages go by and counts what will become of them."""

    def __init__(
        self,
        ledger: Ledger,
        settings: Settings,
        clock: Clock,
        sizes: BatchSizes,
        rules: TargetRules,
        *,
        retention_days: int | None,
        judge: Judge,
    ) -> None:
        """Prepare to watch; nothing is read yet.

        ``retention_days`` is how long the app shows what it has taken, if that is known. What it takes at all, the
        rules say.
        """
        self._judge, self._rules = judge, rules
        self._ledger, self._settings, self._sizes = ledger, settings, sizes
        self._now_ms = clock.now_ms()
        self._oldest_ms = (
            None if retention_days is None else self._now_ms - retention_days * 86_400_000
        )
        self._expiry = Expiry(rules, self._now_ms)
        self._knows_nothing = ledger.is_empty()
        self.counter = QuoteCounter()
        takes_late = takes_late_rows(settings, rules)
        self.counter.late_to_their_time = takes_late and rules.late_goes_to_its_time
        self.counter.append_late = takes_late and not rules.late_goes_to_its_time
        self.counter.message_apis = frozenset(rules.api_of[verb] for verb in _SENDING)
        self._late: dict[str, int] = {}
        self._appended_to: set[str] = set()
        self._unread = UnreadForecast(settings, rules)
        self._new_groups: dict[str, int] = {}
        self._absent_groups: set[str] = set()

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
        arrivals, readers = self._unread.arrivals(place.conversation, stream), set()
        slots = Slots(
            None if direct else stream.newest_slot,
            slot_ms=self._rules.slot_ms,
            keep_ties=direct or self._settings.same_second == "keep",
        )
        if self._rules.late_goes_to_its_time:
            # What others write is in nobody's way there.
            stream = msgspec.structs.replace(stream, foreign_slot=None)
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
                if outcome == TO_IMPORT:
                    parts += len(row.bodies)
                    readers.add(row.recipient)
                    arrivals.add(row)
                    self._expiry.add(row, direct=direct)
                recalled += self._change_calls(row, there, outcome, direct=direct)
                self.counter.count(kind, outcome, reason)
                yield row
        self._calls(place, parts, recalled, direct=direct)
        if direct:
            self._call(Verb.CLEAR_UNREAD, self._unread.of_pair(place.conversation, readers))
        else:
            self._late[place.conversation] = self.counter.late_rows - late_before
            if parts:
                self._appended_to.add(place.conversation)
        self.counter.deferred_groups += deferred

    def _outcome(
        self, row: PlannedMessage, stream: Stream, slots: Slots, *, direct: bool
    ) -> tuple[str, str]:
        if row.outcome:
            return row.outcome, row.reason
        if self._expiry.is_too_old(row):
            self.counter.too_old += 1
            return Outcome.REJECTED, "older_than_retention"
        if self._is_invisible(row):
            self.counter.older_than_retention += 1
        if not direct and is_late(row, stream, self._rules.slot_ms):
            self.counter.late_rows += 1
            if not takes_late_rows(self._settings, self._rules):
                return Outcome.LATE_REJECTED, "late"
            if self._rules.late_goes_to_its_time:
                return TO_IMPORT, ""
        for _ in row.bodies:
            instant_ms = slots.take(row.sent_at_ms) * self._rules.slot_ms
            if instant_ms > self._now_ms - NOW_MARGIN_MS:
                return Outcome.DEFERRED, "too_new"
        return TO_IMPORT, ""

    def _is_invisible(self, row: PlannedMessage) -> bool:
        """Tell whether the app takes a row but may not show it."""
        is_bound = self._expiry.oldest_slot is not None
        return not is_bound and self._oldest_ms is not None and row.sent_at_ms < self._oldest_ms

    def _change_calls(
        self, row: PlannedMessage, known: Sequence[Delivery], outcome: str, *, direct: bool
    ) -> int:
        """Count the calls that an edit takes; return how many parts are to be withdrawn."""
        live = [each for each in known if each.state is DeliveryState.DELIVERED]
        if outcome == Outcome.WITHDRAWN:
            return len(live)
        if outcome != Outcome.UPDATED:
            return 0
        copies = self._rules.direct_copies if direct else 1
        changed = min(len(live), len(row.bodies) * copies)
        self._call(Verb.CHANGE_DIRECT_MESSAGE if direct else Verb.CHANGE_GROUP_MESSAGE, changed)
        return len(live) - changed

    def _call(self, verb: Verb, calls: int) -> None:
        """Count calls; what the target has no API for is never called."""
        if verb in self._rules.api_of:
            self.counter.calls[self._rules.api_of[verb]] += calls

    def _calls(
        self, place: PlannedConversation, parts: int, recalled: int, *, direct: bool
    ) -> None:
        if direct:
            calls = parts * self._rules.direct_copies
            self._call(Verb.SEND_DIRECT_MESSAGE, calls)
            self._call(Verb.WITHDRAW_DIRECT_MESSAGE, recalled)
        else:
            calls = math.ceil(parts / self._sizes.messages)
            self._call(Verb.SEND_GROUP_MESSAGES, calls)
            recalls = math.ceil(recalled / self._sizes.withdrawals)
            self._call(Verb.WITHDRAW_GROUP_MESSAGES, recalls)
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

    def finish(self, plan: Plan, rates: Mapping[str, float]) -> None:
        """Count accounts, groups, members and unread counts of a finished plan, and their calls.

        ``rates`` are the calls per second of each API.
        """
        self._accounts(plan)
        self._groups(plan)
        self._members(plan)
        calls, api_of = self.counter.calls, self._rules.api_of
        before = {api_of[verb] for verb in _BEFORE_MESSAGES if verb in api_of}
        lead_ms = sum(1000 * calls[api] / rates[api] for api in before if calls[api])
        self.counter.expiring = self._expiry.too_late(rates, self._sizes, lead_ms)
        self._changes(plan)

    def _accounts(self, plan: Plan) -> None:
        accounts = plan.accounts()
        while batch := list(islice(accounts, self._sizes.accounts)):
            known = self._ledger.accounts_known([each.account_id for each in batch])
            is_asked = any(each.account_id not in known for each in batch)
            self._call(Verb.EXISTING_ACCOUNTS, int(is_asked))
            self._call(Verb.IMPORT_ACCOUNTS, int(is_asked))
            for account in batch:
                if account.file:
                    there = account.account_id in known
                    self.counter.count(
                        RecordType.ACCOUNTS, Outcome.ALREADY_IMPORTED if there else TO_IMPORT
                    )

    def _groups(self, plan: Plan) -> None:
        groups = plan.groups()
        while chunk := list(islice(groups, _CHUNK)):
            known = self._ledger.groups_of([each.conversation for each in chunk])
            for group in chunk:
                there = group.conversation in known
                outcome, reason = self._outcome_of_group(group, there=there)
                if group.file and not group.topic_id:
                    self.counter.count(RecordType.GROUPS, outcome, reason)
                if outcome == TO_IMPORT:
                    self._call(Verb.CREATE_TOPIC if group.topic_id else Verb.CREATE_GROUP, 1)
                if not group.topic_id:
                    self._note_group(group, outcome)

    def _outcome_of_group(self, group: PlannedGroup, *, there: bool) -> tuple[str, str]:
        if group.outcome:
            return group.outcome, group.reason
        if not is_needed(self._settings, Conversation.parse(group.conversation)):
            return Outcome.SKIPPED, "not_selected"
        return (Outcome.ALREADY_IMPORTED if there else TO_IMPORT), ""

    def _note_group(self, group: PlannedGroup, outcome: str) -> None:
        if outcome not in (TO_IMPORT, Outcome.ALREADY_IMPORTED):
            self._absent_groups.add(group.group_id)
            return
        self._unread.group(group)
        if outcome == TO_IMPORT:
            self._new_groups[group.group_id] = len(group.members)

    def _members(self, plan: Plan) -> None:
        pending: Counter[str] = Counter()
        members = plan.members()
        while chunk := list(islice(members, _CHUNK)):
            known = self._ledger.members_of(sorted({each.group_id for each in chunk}))
            for member in chunk:
                found = known[member.group_id].get(member.account_id)
                pending[member.group_id] += self._member(member, found)
        self._call(Verb.CLEAR_UNREAD, self._unread.of_owners())
        pending.subtract(self._new_groups)
        batches = (math.ceil(max(0, count) / self._sizes.members) for count in pending.values())
        self._call(Verb.ADD_MEMBERS, sum(batches))

    def _member(self, member: PlannedMember, known: MemberRecord | None) -> int:
        """Count one member; return 1 if a call has to add them or brings them in with their group."""
        there = known is not None and known.state is not EntityState.LEFT
        outcome, reason = member.outcome, member.reason
        if not outcome and member.group_id in self._absent_groups:
            outcome, reason = Outcome.SKIPPED, "not_selected"
        self.counter.count(
            RecordType.MEMBERS,
            outcome or (Outcome.ALREADY_IMPORTED if there else TO_IMPORT),
            reason,
        )
        if outcome:
            return 0
        is_new_group = member.group_id in self._new_groups
        calls = self._unread.of_member(member, there=there, is_new_group=is_new_group)
        self._call(Verb.SET_UNREAD if self._rules.sets_unread else Verb.CLEAR_UNREAD, calls)
        waits = known is not None and known.reason == FIRST_MEMBER
        if member.role == "admin" and not self._rules.adds_roles and (waits or not there):
            self._call(Verb.CHANGE_ROLE, 1)
        # Where an answer does not tell members, the owner is taken for one without a call.
        is_owner = member.role == "owner" and not self._rules.tells_members
        return int(not there and not is_owner)

    def _changes(self, plan: Plan) -> None:
        """Count the calls that bring changes of existing groups over, where that is asked for."""
        if self._settings.sync_profiles == "off":
            return
        for changes in all_changes(plan, self._settings, self._ledger, self._rules):
            calls = calls_for(changes, removals_per_call=self._sizes.removals)
            for verb, count in calls.items():
                self._call(verb, count)


def takes_late_rows(settings: Settings, rules: TargetRules) -> bool:
    """Tell whether late rows are sent at all: at their own time, or at the end."""
    if settings.late_messages == "auto":
        return rules.late_goes_to_its_time
    return settings.late_messages == "append"


def is_late(row: PlannedMessage, stream: Stream, slot_ms: int) -> bool:
    """Tell whether a row's true time lies before what its group holds already.

    Judged by true times: before the newest row delivered to the conversation, or in or before the slot of a
    message that is not ours. A row only overtaken by our own lifted slots is not late.
    """
    if stream.foreign_slot is not None and row.sent_at_ms // slot_ms <= stream.foreign_slot:
        return True
    if stream.newest_sent_ms is None:
        return False
    return (row.sent_at_ms, row.order_key) < (stream.newest_sent_ms, stream.newest_order)
