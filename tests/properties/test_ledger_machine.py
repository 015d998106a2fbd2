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
from chat_migration.ledger.records import Delivery, GroupRecord, ReadPosition, Stream
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
    [f"{conversation}/{number}" for conversation in GROUPS for number in range(3)]
)
small = st.integers(0, 3)
groups = st.sampled_from(GROUPS)


class LedgerMachine(RuleBasedStateMachine):
    """Does everything twice: in the ledger and in dictionaries."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-machine-"))
        self.home = self.folder / "0"
        self.lives = 0
        self.known: dict[str, Delivery] = {}
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

    def move(self, verb: str, key: str, slot: int, sequence: int | None) -> Move:
        fresh = Delivery(
            message_key=key, part=0, parts=1, conversation=key.split("/", maxsplit=1)[0], sender=key[-1],
            sent_at_ms=ord(key[-1]), order_key=key, slot=slot, random=ord(key[-1]), source_hash=str(slot),
            render_version=1, run_id="r",
        )  # fmt: skip
        known = msgspec.structs.replace(self.known.get(key, fresh), slot=slot)
        made = {
            "intend": lambda: intend(known, f"r{slot}"),
            "deliver": lambda: deliver(known, sequence=sequence),
            "release": lambda: release(known, code=slot, reason="release"),
            "doubt": lambda: doubt(known, code=None, reason="doubt"),
            "reject": lambda: reject(known, code=slot, reason="reject"),
        }
        return made[verb]()

    def expected(self, known: dict[str, Delivery], move: Move) -> Delivery | None:
        """Return what a move makes of a delivery, or None if it is illegal."""
        before = known.get(move.delivery.message_key)
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
        moves: list[tuple[str, str, int, int | None]],
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
            after[each.delivery.message_key] = result or each.delivery
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
        found = self.ledger.deliveries(list(self.known))
        assert {key: parts[0] for key, parts in found.items()} == self.known
        assert self.ledger.is_empty() is (not self.known)

    @invariant()
    def open_questions_are_those_of_intents_and_doubts(self) -> None:
        unresolved = {key for key, each in self.known.items() if each.state in UNRESOLVED}
        told = [each for group in GROUPS for each in self.ledger.unresolved(group)]
        assert {each.message_key for each in told} == unresolved
        assert self.ledger.count_unresolved() == len(unresolved)

    @invariant()
    def conversations_add_up(self) -> None:
        for group in GROUPS:
            of_group = [each for each in self.known.values() if each.conversation == group]
            delivered = [each for each in of_group if each.state is DeliveryState.DELIVERED]
            assert self.ledger.delivered_count(group) == len(delivered)
            assert self.ledger.taken_randoms(group, range(128)) == {
                each.random for each in of_group
            }

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
