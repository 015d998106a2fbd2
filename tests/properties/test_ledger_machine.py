"""The ledger against a dictionary: any verbs in any order, closed or killed between any two of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests import postgresql
from tests.clocks import HandClock

from chat_migration.ledger.ledger import IllegalMoveError, Ledger
from chat_migration.ledger.moves import Move, deliver, doubt, intend, reject, release
from chat_migration.ledger.records import SIDES, Delivery, GroupRecord, ReadPosition, Stream
from chat_migration.ledger.states import UNREAD_UNKNOWN, UNRESOLVED, DeliveryState, EntityState

ALLOWED = {
    "intend": {None, "planned", "rejected"},
    "deliver": {None, "planned", "intent", "in_doubt"},
    "release": {"intent", "in_doubt"},
    "doubt": {"intent", "in_doubt"},
    "reject": {None, "planned", "intent", "in_doubt"},
}
"""From which states a verb moves; None: the ledger has not met the message."""
GROUPS = ["group:g", "group:h"]
DIRECT = "direct:a/b"
CONVERSATIONS = [*GROUPS, DIRECT]
Name = tuple[str, str]
"""The key of a message, and whose copy of it."""
MOVED = (
    "state",
    "slot",
    "sequence",
    "code",
    "reason",
    "attempts",
    "late",
    "source_hash",
    "render_version",
    "run_id",
)

verbs = st.sampled_from(sorted(ALLOWED))
keys = st.sampled_from(
    [(f"{conversation}/{number}", "") for conversation in GROUPS for number in range(3)]
    + [(f"{DIRECT}/{number}", side) for number in range(2) for side in SIDES]
)
small = st.integers(0, 3)
groups = st.sampled_from(GROUPS)


def name_of(each: Delivery) -> Name:
    """Return what a delivery of these tests, which have one part, is known by."""
    return each.message_key, each.side


class LedgerMachine(RuleBasedStateMachine):
    """Does everything twice: in the ledger and in dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-machine-"))
        self.home = self.folder / "0"
        self.lives = 0
        self.known: dict[Name, Delivery] = {}
        self.streams: dict[str, Stream] = {}
        self.dirty: dict[str, bool] = {}
        self.unread: dict[tuple[str, str], int] = {}
        self.positions: dict[tuple[str, str], int] = {}
        self.identities: dict[str, str] = {}

    def opened(self) -> Ledger:
        return Ledger.open(
            f"sqlite:///{self.home / 'ledger.sqlite'}", "tencent:1", clock=HandClock()
        )

    @initialize()
    def begin(self) -> None:
        self.ledger = self.opened()

    # --- what is done -----------------------------------------------------------------------------

    def move(self, verb: str, name: Name, slot: int, sequence: int | None) -> Move:
        key, side = name
        fresh = Delivery(
            message_key=key, part=0, side=side, parts=1, conversation=key.rpartition("/")[0], sender=key[-1],
            sent_at_ms=ord(key[-1]), order_key=key, slot=slot, random=ord(key[-1]), source_hash=str(slot),
            render_version=1, run_id="r",
        )  # fmt: skip
        known = msgspec.structs.replace(self.known.get(name, fresh), slot=slot)
        made = {
            "intend": lambda: intend(known, f"r{slot}"),
            "deliver": lambda: deliver(known, sequence=sequence),
            "release": lambda: release(known, code=slot, reason="release"),
            "doubt": lambda: doubt(known, code=None, reason="doubt"),
            "reject": lambda: reject(known, code=slot, reason="reject"),
        }
        return made[verb]()

    def expected(self, known: dict[Name, Delivery], move: Move) -> Delivery | None:
        """Return what a move makes of a delivery, or None if it is illegal."""
        before = known.get(name_of(move.delivery))
        if (before and before.state.value) not in ALLOWED[move.verb]:
            return None
        if before is None:
            return move.delivery
        changes = {name: getattr(move.delivery, name) for name in MOVED}
        return msgspec.structs.replace(before, **changes)

    @rule(
        moves=st.lists(st.tuples(verbs, keys, small, st.none() | small), min_size=1, max_size=4),
        group=groups,
        stream=st.none()
        | st.builds(Stream, newest_slot=st.none() | small, confirmed_sequence=small),
        mark=st.booleans(),
        landed=st.booleans(),
    )
    def advance(
        self,
        moves: list[tuple[str, Name, int, int | None]],
        group: str,
        stream: Stream | None,
        *,
        mark: bool,
        landed: bool,
    ) -> None:
        made = [self.move(*each) for each in moves]
        after, legal = dict(self.known), True
        for each in made:
            result = self.expected(after, each)
            legal = legal and result is not None
            after[name_of(each.delivery)] = result or each.delivery
        if not legal:
            with pytest.raises(IllegalMoveError):
                self.ledger.advance(group, made, stream=stream, dirty=mark, landed=landed)
            return
        self.ledger.advance(group, made, stream=stream, dirty=mark, landed=landed)
        self.known = after
        if stream is not None:
            self.streams[group] = stream
        if mark and group in self.dirty:
            self.dirty[group] = True
            self.change_counts(group, lambda count: UNREAD_UNKNOWN if count > 0 else count)
        if landed and group in self.dirty:
            self.change_counts(group, lambda count: 0 if count == UNREAD_UNKNOWN else count)

    def change_counts(self, group: str, change: Callable[[int], int]) -> None:
        for owner, count in self.unread.items():
            if owner[0] == group:
                self.unread[owner] = change(count)

    @rule(group=groups)
    def record_group(self, group: str) -> None:
        self.ledger.record_group(
            GroupRecord(
                conversation=group, group_id=group, type="public", created_s=1,
                state=EntityState.CREATED, run_id="r",
            )
        )  # fmt: skip
        self.dirty.setdefault(group, False)

    @rule(group=groups, account=st.sampled_from("ab"), count=small)
    def tell_unread(self, group: str, account: str, count: int) -> None:
        position = ReadPosition(group_id=group, account_id=account, first_unread_ms=count)
        self.ledger.record_positions([position])
        if self.positions.get((group, account)) != count and group in self.dirty:
            self.dirty[group] = True
        self.positions[group, account] = count
        self.ledger.record_unread(group, account, count, "r")
        self.unread[group, account] = count

    @rule(group=groups)
    def clean(self, group: str) -> None:
        self.ledger.clean(group)
        if group in self.dirty:
            self.dirty[group] = False

    @rule(legacy=st.sampled_from("xyz"), attempt=small)
    def assign(self, legacy: str, attempt: int) -> None:
        self.ledger.assign_identities("user", {legacy: f"{legacy}{attempt}"})
        self.identities.setdefault(legacy, f"{legacy}{attempt}")

    @rule()
    def close_and_open(self) -> None:
        self.ledger.close()
        self.ledger = self.opened()

    @rule()
    def be_killed_and_open(self) -> None:
        """Go on with the files as they lie at this instant, not closed."""
        self.lives += 1
        grave, self.home = self.home, self.folder / str(self.lives)
        self.home.mkdir()
        for name in ("ledger.sqlite", "ledger.sqlite-wal"):
            if (grave / name).exists():
                shutil.copy(grave / name, self.home / name)
        self.ledger.close()
        self.ledger = self.opened()

    # --- what must hold ---------------------------------------------------------------------------

    @invariant()
    def deliveries_are_those_that_were_acknowledged(self) -> None:
        found = self.ledger.deliveries([key for key, _ in self.known])
        told = {name_of(each): each for parts in found.values() for each in parts}
        assert told == self.known
        assert self.ledger.is_empty() is (not self.known)

    @invariant()
    def open_questions_are_those_of_intents_and_doubts(self) -> None:
        unresolved = {name for name, each in self.known.items() if each.state in UNRESOLVED}
        told = [each for name in CONVERSATIONS for each in self.ledger.unresolved(name)]
        assert {name_of(each) for each in told} == unresolved
        assert self.ledger.count_unresolved() == len({key for key, _ in unresolved})

    @invariant()
    def conversations_add_up(self) -> None:
        for conversation in CONVERSATIONS:
            there = {
                name: each for name, each in self.known.items() if each.conversation == conversation
            }
            delivered = {
                key
                for key, side in there
                if all(
                    (copy := there.get((key, each))) and copy.state is DeliveryState.DELIVERED
                    for each in (SIDES if side else ("",))
                )
            }
            assert self.ledger.delivered_count(conversation) == len(delivered)
            assert self.ledger.taken_randoms(conversation, range(128)) == {
                each.random for each in there.values()
            }
            places = [key for *_, key in self.ledger.newest_places(conversation)]
            assert sorted(places) == sorted({key for key, _ in there})

    @invariant()
    def free_slots_are_those_that_nothing_in_the_target_may_bear(self) -> None:
        for conversation in CONVERSATIONS:
            for sides in (("", *SIDES), *(("", each) for each in SIDES)):
                taken = {
                    each.slot
                    for each in self.known.values()
                    if each.conversation == conversation
                    and each.side in sides
                    and each.state is not DeliveryState.REJECTED
                }
                side = sides[1] if len(sides) == 2 else ""
                for slot in (0, 2):
                    free = next(each for each in range(slot, 6) if each not in taken)
                    assert self.ledger.first_free_slot(conversation, slot, side=side) == free

    @invariant()
    def frontiers_marks_counts_and_ids_are_the_last_ones(self) -> None:
        assert self.ledger.streams(GROUPS) == self.streams
        assert {
            name: each.unread_dirty for name, each in self.ledger.groups().items()
        } == self.dirty
        told = [each for group in GROUPS for each in self.ledger.positions(group)]
        assert {(each.group_id, each.account_id): each.unread_set for each in told} == self.unread
        assert self.ledger.identities("user") == self.identities

    def teardown(self) -> None:
        self.ledger.close()
        shutil.rmtree(self.folder)


LedgerMachine.TestCase.settings = settings(
    max_examples=10,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestLedger = LedgerMachine.TestCase


class ServedLedgerMachine(LedgerMachine):
    """The same on a PostgreSQL server that throws its clients out instead of a machine that dies."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.url = self.stack.enter_context(postgresql.new_database())

    def opened(self) -> Ledger:
        return Ledger.open(self.url, "tencent:1", clock=HandClock())

    @rule()
    def be_killed_and_open(self) -> None:
        """Lose every connection between two verbs."""
        postgresql.terminate(self.url)

    def teardown(self) -> None:
        super().teardown()
        self.stack.close()


ServedLedgerMachine.TestCase.settings = settings(LedgerMachine.TestCase.settings, max_examples=5)
TestServedLedger = ServedLedgerMachine.TestCase
