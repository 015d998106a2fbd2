"""Making the plan of a run: one pass over the staged rows, in the order in which they will be sent."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import pyarrow as pa

from chat_migration.errors import UsageError
from chat_migration.ledger.ledger import Ledger
from chat_migration.model import Conversation, Outcome, Topic
from chat_migration.planning.forecast import Forecast
from chat_migration.planning.groups import (
    GroupPlanner,
    GroupRow,
    group_rows,
    plan_members,
    topics_of,
    with_first_members,
)
from chat_migration.planning.identities import remember
from chat_migration.planning.messages import COLUMNS, Blocked, MessagePlanner, StagedMessage
from chat_migration.planning.people import assign_accounts, plan_accounts
from chat_migration.planning.positions import counted_positions
from chat_migration.planning.quote import Quote, QuoteCounter
from chat_migration.planning.selection import is_selected
from chat_migration.planning.staged import CarriedRows, Staged
from chat_migration.planning.tables import (
    Plan,
    PlannedConversation,
    PlannedGroup,
    PlannedMessage,
    TableWriter,
)
from chat_migration.settings import Settings
from chat_migration.store.extract import Extract
from chat_migration.targets.rules import TargetRules

_FREE: Blocked = ("", "", "", "")
_BEFORE_WINDOW: Blocked = (
    Outcome.SKIPPED,
    "before_window",
    "sent before this run's window, changed in it, and never imported",
    "",
)
_CHUNK = 1000


class PlanBuilder:
    """Builds one plan. The ledger is read, and gets the ids that this plan gives away; nothing is sent."""

    def __init__(
        self,
        extracts: Sequence[Extract],
        plan: Plan,
        *,
        settings: Settings,
        rules: TargetRules,
        ledger: Ledger,
        forecast: Forecast,
        advance: Callable[[int], None],
        carried: CarriedRows | None = None,
        begin_ms: int | None = None,
        left_before_ms: int | None = None,
    ) -> None:
        """Prepare to build; nothing is read yet.

        ``extracts`` are the run's own, ``carried`` the rows that earlier runs deferred. Rows sent before
        ``begin_ms`` are not the run's, unless the ledger knows them: they were staged for a change of theirs.
        Rows before ``left_before_ms`` may be missing in the target. None: there are none of these.
        """
        self._extracts, self._plan, self._settings = extracts, plan, settings
        self._rules, self._ledger, self._forecast = rules, ledger, forecast
        self._advance = advance
        self._counter: QuoteCounter = forecast.counter
        self._carried, self._begin_ms = carried, begin_ms
        self._left_before_ms = left_before_ms
        self._users: dict[str, str] = {}

    def build(self, rates: dict[str, float]) -> Quote:
        """Write the plan and return its quote. A plan that is there already is replaced."""
        shutil.rmtree(self._plan.folder, ignore_errors=True)
        self._plan.folder.mkdir(parents=True, mode=0o700)
        staged = Staged(self._extracts, self._carried, temp=self._plan.folder / "temp")
        try:
            self._require_carried(staged)
            self._count_extraction(staged)
            groups = self._people_and_groups(staged)
            self._messages(staged, groups)
            self._strand(staged)
        finally:
            staged.close()
            shutil.rmtree(self._plan.folder / "temp", ignore_errors=True)
        self._forecast.finish(self._plan, rates)
        quote = self._counter.quote(rates)
        partial = self._plan.quote_path.with_suffix(".partial")
        partial.write_text(quote.model_dump_json(indent=2), encoding="utf-8")
        partial.rename(self._plan.quote_path)
        return quote

    def _require_carried(self, staged: Staged) -> None:
        """Make sure that every row which earlier runs deferred is there.

        Raises:
            UsageError: some are on no extract any more.
        """
        keys, lost = (self._carried.keys, self._carried.lost) if self._carried else ([], 0)
        if not keys and not lost:
            return
        found = {key for (key,) in staged.rows("SELECT message_key FROM messages WHERE is_carried")}
        if missing := len(set(keys) - found) + lost:
            raise UsageError(
                f"{missing} rows that an earlier run deferred are not on the stage any more.",
                expected="The folder `deferred` of the stage stays until their rows are sent.",
                advice="Put it back, or give a `from` before that run's last hours: what the export still holds "
                "is read again.",
            )

    def _count_extraction(self, staged: Staged) -> None:
        self._counter.carried = staged.carried_rows()
        for extract in self._extracts:
            for ended in extract.manifest.ended:
                self._counter.count(ended.record_type, ended.outcome, ended.reason, ended.rows)

    def _strand(self, staged: Staged) -> None:
        """Note what would be left behind. Extracts that say nothing of what lies outside the window count as whole."""
        outside: Iterator[tuple[str, int, int | None]] = iter(())
        if self._left_before_ms is not None and staged.has_table("outside"):
            outside = staged.rows(
                "SELECT conversation, rows_before, newest_before_ms FROM outside WHERE rows_before > 0"
            )
        self._forecast.strand(outside, self._left_before_ms)

    # --- people and groups ----------------------------------------------------------------------

    def _people_and_groups(self, staged: Staged) -> dict[str, PlannedGroup]:
        conversations = [
            Conversation.parse(key)
            for (key,) in staged.rows("SELECT DISTINCT conversation FROM messages")
        ]
        staged.add(
            "conversation_groups",
            pa.table(
                {
                    "group_id": pa.array(
                        sorted({each.first for each in conversations if not each.is_direct}),
                        pa.string(),
                    )
                }
            ),
        )
        self._users, fresh = assign_accounts(staged, self._ledger, self._rules)
        remember(self._ledger, "user", fresh, self._users, folds_case=self._rules.folds_case)
        self._users |= fresh
        plan_accounts(staged, self._users, self._rules, self._plan, self._counter)
        groups = self._plan_groups(staged, conversations)
        by_legacy = {each.legacy_id: each for each in groups.values() if not each.topic_id}
        counted = counted_positions(staged, self._ledger, self._users, slot_ms=self._rules.slot_ms)
        plan_members(staged, by_legacy, self._users, self._plan, counted, rules=self._rules)
        return groups

    def _plan_groups(
        self, staged: Staged, conversations: list[Conversation]
    ) -> dict[str, PlannedGroup]:
        named: dict[str, set[str]] = defaultdict(set)
        for each in conversations:
            if each.kind == "topic":
                named[each.first].add(each.second)
        rows = list(group_rows(staged))
        topics: dict[str, list[Topic]] = {
            row.id: found for row in rows if (found := topics_of(row, named))
        }
        firsts = dict(
            staged.rows(
                "SELECT conversation, min(sent_at_ms) FROM messages WHERE conversation LIKE 'topic:%' GROUP BY 1"
            )
        )
        starts = [
            each.manifest.first_message_ms
            for each in self._extracts
            if each.manifest.first_message_ms is not None
        ]
        planner = GroupPlanner(
            self._rules,
            users=self._users,
            identities=self._ledger,
            known=self._ledger.groups_of([*_keys_of(rows, topics)]),
            earliest_ms=min(starts, default=None),
            counter=self._counter,
        )
        planner.assign_ids(rows, topics)
        remember(
            self._ledger,
            "group",
            planner.new_groups,
            planner.known_ids,
            folds_case=self._rules.folds_case,
        )
        self._ledger.assign_identities("topic", planner.new_topics)
        planner.choose_owners(staged, rows, self._ledger)
        planned: dict[str, PlannedGroup] = {}
        for row in rows:
            group = planner.group(row, topics.get(row.id, []))
            planned[group.conversation] = group
            self._counter.placeholders["groups"] += 0 if row.file else 1
            for topic in topics.get(row.id, []):
                first = firsts.get(Conversation.topic(row.id, topic.id).key)
                child = planner.topic(group, topic, first)
                planned[child.conversation] = child
        writer = TableWriter(self._plan.table("groups"), PlannedGroup)
        in_order = sorted(
            planned.values(), key=lambda each: (bool(each.topic_id), each.conversation)
        )
        for group in with_first_members(staged, in_order, self._users, self._rules.first_members):
            writer.add(group)
        writer.close()
        return planned

    # --- messages -------------------------------------------------------------------------------

    def _messages(self, staged: Staged, groups: dict[str, PlannedGroup]) -> None:
        avchatrooms = {
            legacy
            for (legacy,) in staged.rows(
                "SELECT id FROM problems WHERE record_type = 'groups' AND reason = 'avchatroom_group'"
            )
        }
        conversations = self._shard(staged, groups)
        reads = {
            (user, peer): read
            for user, peer, read in staged.rows(
                "SELECT user_id, peer_id, last_read_at_ms FROM direct_reads"
            )
        }
        self._counter.direct_reads = len(reads)
        planner = MessagePlanner(self._rules, self._settings, self._users)
        done = 0
        for kind in ("direct", "group"):
            for shard in range(self._settings.shards):
                here = {
                    each.conversation: each
                    for each in conversations
                    if each.shard == shard and (each.kind == "direct") == (kind == "direct")
                }
                writer = TableWriter(self._plan.messages_path(kind, shard), PlannedMessage)
                for conversation, rows in self._ordered(staged, kind, shard):
                    place = here[conversation]
                    blocked = self._blocked(place, groups, avchatrooms)
                    planned = (
                        planner.plan(
                            row,
                            place,
                            _BEFORE_WINDOW if is_foreign else blocked,
                            as_unread=self._as_unread(row, reads),
                        )
                        for row, is_foreign in self._with_origin(rows)
                    )
                    for message in self._forecast.watch(place, planned):
                        writer.add(message)
                        done += 1
                        if done % 1000 == 0:
                            self._advance(done)
                writer.close()
        self._advance(done)

    def _shard(self, staged: Staged, groups: dict[str, PlannedGroup]) -> list[PlannedConversation]:
        """Spread the conversations over shards: longest first, each to the shard with the least rows so far."""
        counts = staged.rows(
            "SELECT conversation, count(*) FROM messages GROUP BY 1 ORDER BY 2 DESC, 1"
        )
        load = {kind: [0] * self._settings.shards for kind in ("direct", "group")}
        planned: list[PlannedConversation] = []
        for key, rows in counts:
            kind = Conversation.parse(key).kind
            loads = load["direct" if kind == "direct" else "group"]
            shard = min(range(len(loads)), key=loads.__getitem__)
            group = groups.get(key)
            planned.append(
                PlannedConversation(
                    conversation=key,
                    kind=kind,
                    shard=shard,
                    first_row=loads[shard],
                    rows=rows,
                    group_id=group.group_id if group else "",
                    topic_id=group.topic_id if group else "",
                )
            )
            loads[shard] += rows
        writer = TableWriter(self._plan.table("conversations"), PlannedConversation)
        for each in planned:
            writer.add(each)
        writer.close()
        staged.add(
            "places",
            pa.table(
                {
                    "conversation": pa.array([each.conversation for each in planned], pa.string()),
                    "kind": pa.array(
                        ["direct" if each.kind == "direct" else "group" for each in planned],
                        pa.string(),
                    ),
                    "shard": pa.array([each.shard for each in planned], pa.int64()),
                    "first_row": pa.array([each.first_row for each in planned], pa.int64()),
                }
            ),
        )
        return planned

    def _ordered(
        self, staged: Staged, kind: str, shard: int
    ) -> Iterator[tuple[str, Iterator[StagedMessage]]]:
        """Yield each conversation of a shard with its rows, oldest first."""
        columns = ", ".join(f"messages.{name}" for name in COLUMNS)
        rows = staged.rows(
            f"SELECT {columns} FROM messages JOIN places USING (conversation) "  # noqa: S608 - constant text
            "WHERE places.kind = ? AND shard = ? "
            "ORDER BY first_row, messages.sent_at_ms, messages.order_key, messages.message_key",
            (kind, shard),
        )
        return _by_conversation(StagedMessage(*values) for values in rows)

    def _blocked(
        self, place: PlannedConversation, groups: dict[str, PlannedGroup], avchatrooms: set[str]
    ) -> Blocked:
        conversation = Conversation.parse(place.conversation)
        if not is_selected(self._settings, conversation):
            return (
                Outcome.SKIPPED,
                "not_selected",
                "left out by `conversations` or `exclude_conversations`",
                "",
            )
        if conversation.is_direct:
            return _FREE
        if conversation.first in avchatrooms:
            return Outcome.REJECTED, "avchatroom_group", "live-broadcast groups take no history", ""
        group = groups[place.conversation]
        if not group.outcome:
            return _FREE
        return group.outcome, group.reason, group.detail, group.advice

    def _with_origin(self, rows: Iterator[StagedMessage]) -> Iterator[tuple[StagedMessage, bool]]:
        """Yield each row, and whether it belongs to an earlier window that never came to be."""
        begin_ms = self._begin_ms
        if begin_ms is None:
            yield from ((row, False) for row in rows)
            return
        while chunk := list(islice(rows, _CHUNK)):
            early = [
                row.message_key for row in chunk if row.sent_at_ms < begin_ms and not row.is_carried
            ]
            foreign = set(early) - self._ledger.deliveries(early).keys() if early else set()
            yield from ((row, row.message_key in foreign) for row in chunk)

    def _as_unread(self, row: StagedMessage, reads: dict[tuple[str, str], int]) -> bool:
        """Tell whether a one-to-one message is newer than what its recipient has read."""
        if self._settings.c2c_unread != "preserve" or not row.recipient_id:
            return False
        read = reads.get((row.recipient_id, row.sender_id))
        return read is not None and row.sent_at_ms > read


def _keys_of(rows: list[GroupRow], topics: dict[str, list[Topic]]) -> Iterator[str]:
    """Yield the conversations of groups and of their topics."""
    for row in rows:
        yield Conversation.group(row.id).key
        yield from (Conversation.topic(row.id, each.id).key for each in topics.get(row.id, []))


def _by_conversation(
    rows: Iterator[StagedMessage],
) -> Iterator[tuple[str, Iterator[StagedMessage]]]:
    """Group rows that follow each other; each group must be used up before the next."""
    pending: list[StagedMessage] = []

    def run(first: StagedMessage) -> Iterator[StagedMessage]:
        yield first
        for row in rows:
            if row.conversation != first.conversation:
                pending.append(row)
                return
            yield row

    for row in rows:
        pending.append(row)
        while pending:
            first = pending.pop()
            group = run(first)
            yield first.conversation, group
            for _ in group:
                pass


__all__ = ["PlanBuilder", "Quote"]
