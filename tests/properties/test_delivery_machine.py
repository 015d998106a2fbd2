"""Delivery and ledger against what an app really holds: any answers, any kills, in any order.

The model is the app itself (``delivery_doubles.FakeTarget``), which takes everything twice if it is sent twice.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.clocks import START_MS, HandClock
from tests.properties.delivery_doubles import (
    LATEST_EFFECT_SECONDS,
    FakeTarget,
    Fuse,
    Killed,
    NoBudget,
    Script,
    TimeOrderedTarget,
    fused,
    never,
    unreachable,
)

from chat_migration.delivery.calls import Caller, CallStatistics
from chat_migration.delivery.context import Tools
from chat_migration.delivery.direct_messages import DirectStream
from chat_migration.delivery.frontiers import Frontiers
from chat_migration.delivery.group_messages import GroupStream
from chat_migration.delivery.holding import Lease
from chat_migration.delivery.rows import KeyConflicts
from chat_migration.delivery.tally import RowLine, Tally
from chat_migration.errors import TargetUnreachableError
from chat_migration.keys import content_hash, message_key, order_key, vendor_random
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.records import GroupRecord
from chat_migration.ledger.states import DeliveryState, EntityState
from chat_migration.planning.tables import (
    MessageReader,
    Plan,
    PlannedConversation,
    PlannedMessage,
)
from chat_migration.progress import NoProgress
from chat_migration.settings import Settings
from chat_migration.stop import StopSignal
from chat_migration.targets.base import Target
from chat_migration.targets.rules import TargetRules
from chat_migration.targets.sizes import BatchSizes
from chat_migration.targets.tencent_chat.rules import TencentRules

GROUPS = ("group:g", "group:h")
DIRECT = "direct:ada/bob"
PLACES = (*GROUPS, DIRECT)
DAY_SECONDS = 86_400
SETTLE_SECONDS = 5.0
LEASE_IS_OVER_SECONDS = 120.0
"""After so long nobody holds anything any more."""
MOST_PARTS = 4
THERE = ("imported", "already_imported", "updated", "withdrawn")
ABSENT = ("late_rejected", "skipped")
STAYS = ("edit_too_long", "withdrawn_before")
"""Why a row that is there is rejected all the same."""

places = st.sampled_from(PLACES)
REACHED = (DeliveryState.DELIVERED, DeliveryState.WITHDRAWN)

steps = st.lists(st.sampled_from([0, 0, 1, 2, 5]), min_size=1, max_size=9)
"""Seconds from each new row to the next; none makes a burst."""
scripts = st.lists(
    st.builds(
        Script,
        answer=st.sampled_from(
            ["lost", "lost", "busy", "truth", "truth", "last_refused", "throttled", "not_sent"]
        ),
        landing=st.sampled_from([None, None, 0, 1, 2]),
        late=st.booleans(),
    ),
    max_size=4,
)
"""At most four calls in a row go wrong: a message that never arrives is given up after six."""
crossings = st.none() | st.integers(0, 60)


class Rows:
    """The rows of an export, as a plan hands them out."""

    def __init__(self) -> None:
        self.of: dict[str, list[PlannedMessage]] = {name: [] for name in PLACES}
        self.versions = 0

    def add(self, place: str, second: int, parts: int) -> PlannedMessage:
        number = sum(len(rows) for rows in self.of.values())
        sent_at_ms = START_MS + second * 1000 + number % 7
        legacy = f"m{number:05d}"
        one, other = ("ada", "bob") if number % 3 else ("bob", "ada")
        row = PlannedMessage(
            conversation=place, message_key=message_key("s", place, legacy), legacy_id=legacy, sender=one,
            recipient=other if place == DIRECT else "", sent_at_ms=sent_at_ms, order_key=order_key(legacy),
            source_hash=content_hash(legacy), rank=0, as_unread=False, bodies=_bodies(legacy, parts),
            metadata="", outcome="", reason="", detail="", advice="", file="f", line=number,
        )  # fmt: skip
        self.of[place].append(row)
        self.of[place].sort(key=_order)
        return row

    def change(self, row: PlannedMessage, parts: int) -> PlannedMessage:
        """Let a row say something else, in so many parts; none: it is deleted."""
        self.versions += 1
        content = f"{row.legacy_id} version {self.versions}"
        fields: dict[str, Any] = {"outcome": "skipped", "reason": "deleted"}
        changed = msgspec.structs.replace(
            row,
            source_hash=content_hash(content),
            bodies=_bodies(content, parts),
            **({"outcome": "", "reason": ""} if parts else fields),
        )
        rows = self.of[row.conversation]
        rows[rows.index(row)] = changed
        return changed

    def rows(self, place: PlannedConversation) -> Iterator[PlannedMessage]:
        """Yield the rows of a conversation, oldest first, each with its rank in its second."""
        ranks: Counter[int] = Counter()
        for row in self.of[place.conversation]:
            second = row.sent_at_ms // 1000
            yield _with_rank(row, ranks[second])
            ranks[second] += 1

    def planned(self) -> list[PlannedConversation]:
        return [
            PlannedConversation(
                conversation=name, kind="direct" if name == DIRECT else "group", shard=0, first_row=0,
                rows=len(rows), group_id="" if name == DIRECT else name[-1], topic_id="",
            )
            for name, rows in self.of.items()
        ]  # fmt: skip


def _bodies(content: str, parts: int) -> list[str]:
    text = '[{"MsgType":"TIMTextElem","MsgContent":{"Text":"%s part %d"}}]'
    return [text % (content, part) for part in range(parts)]


def _order(row: PlannedMessage) -> tuple[int, str]:
    return row.sent_at_ms, row.order_key


def _with_rank(row: PlannedMessage, rank: int) -> PlannedMessage:
    fields = {name: getattr(row, name) for name in row.__struct_fields__}
    return PlannedMessage(**fields | {"rank": rank})


class Listing(Tally):
    """A tally that keeps the outcome of each row."""

    def __init__(self, lines: Path, outcomes: dict[str, tuple[str, str]]) -> None:
        super().__init__(lines)
        self._outcomes = outcomes

    def line(self, line: RowLine) -> None:
        assert line.id not in self._outcomes, "a row ends once"
        self._outcomes[line.id] = (line.outcome, line.reason)
        super().line(line)


class DeliveryMachine(RuleBasedStateMachine):
    """Runs the streams of growing exports against an app, kills them, and looks at what the app holds."""

    app_rules: TargetRules = TencentRules(admin="admin", max_body_bytes=12_000)
    run_settings = Settings()
    app: type[FakeTarget] = FakeTarget
    messages_per_call = 3

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="delivery-machine-"))
        self.clock = HandClock(START_MS + 30 * DAY_SECONDS * 1000, moved=self.moved)
        self.fuse = Fuse()
        self.target = self.app(self.fuse)
        self.export = Rows()
        self.lives = self.runs = 0
        self.end = dict.fromkeys(PLACES, 0)
        self.promised: dict[str, str] = {}
        self.strangers: set[str] = set()
        self.older: Path | None = None
        self.forgotten: set[str] = set()
        self.outcomes: dict[str, tuple[str, str]] = {}

    def moved(self) -> None:
        self.target.tick(self.clock.monotonic())

    @property
    def file(self) -> Path:
        return self.folder / f"{self.lives}.sqlite"

    def reopen(self) -> None:
        self.ledger = fused(
            Ledger.open(f"sqlite:///{self.file}", "tencent:1", clock=self.clock), self.fuse
        )

    @initialize()
    def begin(self) -> None:
        self.reopen()
        for name in GROUPS:
            self.ledger.record_group(
                GroupRecord(
                    conversation=name, group_id=name[-1], type="private", created_s=1, state=EntityState.CREATED,
                    run_id="r",
                )
            )  # fmt: skip
        self.older = self.copied("first")

    def copied(self, name: str) -> Path:
        """Copy the ledger as it is committed at this instant."""
        copy = self.folder / f"{name}.sqlite"
        copy.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.file)) as source, closing(sqlite3.connect(copy)) as into:
            source.backup(into)
        return copy

    # --- what happens ---------------------------------------------------------------------------

    @rule(place=places, steps=steps, parts=st.sampled_from([1, 1, 1, 2, 4]))
    def export_more(self, place: str, steps: list[int], parts: int) -> None:
        """The next export holds newer rows; a one-to-one second is never added to later."""
        self.end[place] += 1
        for number, step in enumerate(steps):
            self.end[place] += step
            row = self.export.add(place, self.end[place], parts if number == 0 else 1)
            if place == DIRECT or (
                place not in self.strangers
                and _order(row) == max(map(_order, self.export.of[place]))
            ):
                self.promised[row.message_key] = place

    @rule(place=st.sampled_from(GROUPS), back=st.integers(1, 20))
    def export_an_older_row(self, place: str, back: int) -> None:
        """A row turns up that stood in no export before; it may come too late."""
        self.export.add(place, max(0, self.end[place] - back), 1)

    @rule(place=places, number=st.integers(0, 50), parts=st.integers(0, MOST_PARTS))
    def change_a_row(self, place: str, number: int, parts: int) -> None:
        """A row is edited, deleted, or there again. A new export takes longer than a call can hang."""
        rows = self.export.of[place]
        if rows:
            changed = self.export.change(rows[number % len(rows)], parts)
            if not parts:
                self.promised.pop(changed.message_key, None)
            self.clock.move(LATEST_EFFECT_SECONDS)

    @rule(place=st.sampled_from(GROUPS), ahead=st.integers(0, 3))
    def write_a_foreign_message(self, place: str, ahead: int) -> None:
        """Somebody talks in the new app."""
        newest = self.target.newest_slot(place[-1]) or START_MS // 1000
        self.target.store(place[-1], "eve", newest + ahead, 7)
        self.strangers.add(place)
        for row in self.export.of[place]:
            self.promised.pop(row.message_key, None)

    @rule()
    def keep_a_copy_of_the_ledger(self) -> None:
        self.older = self.copied("older")

    @precondition(lambda self: self.older is not None)
    @rule()
    def restore_the_copy(self) -> None:
        assert self.older is not None
        self.ledger.close()
        self.lives += 1
        shutil.copy(self.older, self.file)
        self.reopen()
        self.clock.move(LEASE_IS_OVER_SECONDS)
        # What was sent since the copy is recognised; what it said then is told by nobody.
        for rows in self.export.of.values():
            self.forgotten.update(row.message_key for row in rows if not self.is_known(row))

    def is_known(self, row: PlannedMessage) -> bool:
        parts = self.ledger.deliveries([row.message_key]).get(row.message_key, [])
        return any(each.state in REACHED for each in parts)

    @rule(scripts=scripts, kill_at=crossings, same_run=st.booleans())
    def run(self, scripts: list[Script], kill_at: int | None, *, same_run: bool) -> None:
        """One run, with what goes wrong at its first calls, killed at a border or not."""
        self.runs += not same_run
        self.target.scripts.extend(scripts)
        self.fuse.arm(kill_at)
        try:
            self.complete(f"r{self.runs}")
        except Killed:
            self.after_a_kill()
        except TargetUnreachableError:
            # The first calls of the run were all lost: the next run goes on.
            pass
        finally:
            self.fuse.arm(None)
            self.target.scripts.clear()

    def after_a_kill(self) -> None:
        """Go on with what was committed; what the dead process had sent may still arrive."""
        grave = self.copied("grave")
        self.fuse.arm(None)
        self.ledger.close()
        self.lives += 1
        grave.rename(self.file)
        self.reopen()
        self.clock.move(LEASE_IS_OVER_SECONDS)

    def complete(self, run_id: str) -> None:
        """Stream all conversations to their end and check what the run says of its rows."""
        self.outcomes = {}
        with Listing(self.folder / "lines.jsonl", self.outcomes) as tally:
            tools = self.tools(run_id, tally)
            with tools.lease:
                self.stream(tools)
        self.check_a_complete_run(tally)

    def stream(self, tools: Tools) -> None:
        planned = self.export.planned()
        reader = cast("MessageReader", self.export)
        frontiers = Frontiers(tools, planned, per_call=50)
        conflicts = KeyConflicts(0)
        for place in planned:
            assert tools.lease.take([place.conversation]) == {}
            if place.kind == "direct":
                DirectStream(tools, place, reader, conflicts=conflicts).run()
            else:
                GroupStream(tools, place, reader, frontiers=frontiers, conflicts=conflicts).run()
            tools.lease.give_back(place.conversation)

    def tools(self, run_id: str, tally: Tally) -> Tools:
        stop = StopSignal()
        caller = Caller(
            budget=NoBudget(stop), clock=self.clock, stop=stop, statistics=CallStatistics(),
            api_of=self.app_rules.api_of, renew_signature=never, stop_error=unreachable,
        )  # fmt: skip
        lease = Lease(self.ledger, self.clock, run_id=run_id, stage="group", call_seconds=10)
        return Tools(
            run_id=run_id, settings=self.run_settings, plan=Plan(self.folder), ledger=self.ledger,
            target=cast("Target", self.target), rules=self.app_rules, caller=caller,
            lease=lease, tally=tally, clock=self.clock,
            sizes=BatchSizes(messages=self.messages_per_call, members=1, accounts=1),
            progress=NoProgress(), stop=stop, threads=1, started=0.0, settle_seconds=SETTLE_SECONDS,
        )  # fmt: skip

    # --- what must hold -------------------------------------------------------------------------

    def check_a_complete_run(self, tally: Tally) -> None:
        assert self.ledger.count_unresolved() == 0
        counted = sum(sum(of.values()) for of in tally.rows.values())
        assert counted == sum(len(rows) for rows in self.export.of.values())
        held = self.held()
        for place, rows in self.export.of.items():
            for row in rows:
                there = [held[place, row.sender, each] for each in self.randoms(row)]
                assert there == sorted(there, reverse=True), (
                    "the parts of a row come in their order"
                )
                if row.message_key in self.promised:
                    assert there[0] == 1, row.legacy_id
                self.check_outcome(row, is_there=there[0] == 1)

    def check_outcome(self, row: PlannedMessage, *, is_there: bool) -> None:
        """Assert that a run said of a row what people see."""
        outcome, reason = self.outcomes[row.legacy_id]
        if row.message_key in self.forgotten:
            return
        if outcome == "rejected":
            assert reason in STAYS
            assert is_there
        else:
            assert outcome in (THERE if is_there else ABSENT)
        seen = self.seen(row)
        if not row.bodies or reason == "withdrawn_before":
            assert seen == []
        elif reason == "edit_too_long":
            assert 0 < len(seen) < len(row.bodies)
        elif is_there:
            assert seen == row.bodies

    def seen(self, row: PlannedMessage) -> list[str]:
        """Return what people see of a row, part by part."""
        randoms = self.randoms(row)
        if row.conversation == DIRECT:
            found = {
                each.random: each.body
                for name, each in self.target.direct.items()
                if each.sender == row.sender and name not in self.target.withdrawn
            }
        else:
            group_id = row.conversation[-1]
            found = {
                each.random: self.target.texts[group_id, each.sequence]
                for each in self.target.groups.get(group_id, [])
                if each.sender == row.sender and not each.withdrawn
            }
        return [found[each] for each in randoms if each in found]

    def held(self) -> Counter[tuple[str, str, int]]:
        """Return how often the app holds what: by conversation, sender and random."""
        held: Counter[tuple[str, str, int]] = Counter()
        for group_id, messages in self.target.groups.items():
            held.update((f"group:{group_id}", each.sender, each.random) for each in messages)
        held.update((DIRECT, each.sender, each.random) for each in self.target.direct.values())
        return held

    def randoms(self, row: PlannedMessage) -> list[int]:
        bits = self.app_rules.random_bits
        return [vendor_random(row.message_key, part, bits=bits) for part in range(MOST_PARTS)]

    @invariant()
    def nothing_is_there_twice(self) -> None:
        assert [each for each, count in self.held().items() if count > 1 and each[1] != "eve"] == []

    @invariant()
    def everything_is_in_its_order(self) -> None:
        for place in GROUPS:
            order = {
                (row.sender, random): (*_order(row), part)
                for row in self.export.of[place]
                for part, random in enumerate(self.randoms(row))
            }
            ours = [
                (order[each.sender, each.random], each.slot)
                for each in self.target.groups.get(place[-1], [])
                if each.sender != "eve"
            ]
            self.check_places(ours)
            slots = [slot for _, slot in ours]
            assert len(slots) == len(set(slots))
        for row in self.export.of[DIRECT]:
            for each in self.target.direct.values():
                if each.random in self.randoms(row):
                    assert (each.sender, each.slot) == (row.sender, row.sent_at_ms // 1000)

    def check_places(self, ours: list[tuple[tuple[int, str, int], int]]) -> None:
        """Assert of (order of a part, slot), as they were stored, that each message is in its place."""
        assert ours == sorted(ours)

    @invariant()
    def the_ledger_believes_in_nothing_that_is_not_there(self) -> None:
        held = self.held()
        for place, rows in self.export.of.items():
            known = self.ledger.deliveries([row.message_key for row in rows])
            for parts in known.values():
                for part in parts:
                    if part.state in REACHED:
                        assert held[place, part.sender, part.random] == 1

    @invariant()
    def no_frontier_is_ahead_of_the_truth(self) -> None:
        for place, stream in self.ledger.streams(GROUPS).items():
            messages = self.target.groups.get(place[-1], [])
            assert stream.confirmed_sequence <= len(messages)
            assert (stream.newest_slot or 0) <= (self.target.newest_slot(place[-1]) or 0)
            there = {(each.sender, each.random) for each in messages}
            newest = [
                row for row in self.export.of[place] if (row.sender, self.randoms(row)[0]) in there
            ]
            if stream.newest_sent_ms is not None:
                assert (stream.newest_sent_ms, stream.newest_order) <= max(map(_order, newest))

    def teardown(self) -> None:
        """Whatever happened: the next undisturbed run completes, and the one after it sends nothing."""
        self.runs += 1
        self.complete(f"r{self.runs}")
        writes = self.target.writes
        self.complete(f"r{self.runs + 1}")
        assert self.target.writes == writes
        for check in (
            self.nothing_is_there_twice,
            self.everything_is_in_its_order,
            self.the_ledger_believes_in_nothing_that_is_not_there,
            self.no_frontier_is_ahead_of_the_truth,
        ):
            cast("Any", check)()
        self.ledger.close()
        shutil.rmtree(self.folder)


class _TimeOrderedRules(TencentRules):
    """Rules of an app to whose groups late messages come at their time, one a call."""

    late_goes_to_its_time = True
    random_bits = 63


class TimeOrderedMachine(DeliveryMachine):
    """The same against an app that orders a group by time: no row is ever too late."""

    app_rules = _TimeOrderedRules(admin="admin", max_body_bytes=12_000)
    run_settings = Settings(late_messages="append")
    app = TimeOrderedTarget
    messages_per_call = 1

    def check_places(self, ours: list[tuple[tuple[int, str, int], int]]) -> None:
        for (sent_at_ms, _, part), slot in ours:
            assert slot >= sent_at_ms // 1000 + part

    def check_outcome(self, row: PlannedMessage, *, is_there: bool) -> None:
        if row.bodies and row.message_key not in self.forgotten:
            assert is_there
        super().check_outcome(row, is_there=is_there)


for machine, examples in ((DeliveryMachine, 25), (TimeOrderedMachine, 15)):
    machine.TestCase.settings = settings(
        max_examples=examples,
        stateful_step_count=20,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
TestDelivery = DeliveryMachine.TestCase
TestDeliveryByTime = TimeOrderedMachine.TestCase
