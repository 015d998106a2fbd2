"""Deliveries and streams: what was sent of which message, and how far each conversation is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Update,
    bindparam,
    func,
    or_,
    select,
    update,
)

from chat_migration.ledger import schema
from chat_migration.ledger.base import execute_all, insert_into
from chat_migration.ledger.holds import HoldVerbs
from chat_migration.ledger.moves import Move
from chat_migration.ledger.records import Delivery, Stream
from chat_migration.ledger.sides import is_first_copy
from chat_migration.ledger.states import (
    ALLOWED,
    BEGINNING,
    UNREAD_UNKNOWN,
    UNRESOLVED,
    DeliveryState,
)
from chat_migration.model import Conversation

_MOVED = (
    "state", "slot", "sequence", "code", "reason", "attempts", "late", "parts", "source_hash",
    "render_version", "run_id", "changed_run_id", "updated_at_ms",
)  # fmt: skip
"""What a move may change. Keys never change; a slot, and the number of parts, only when a row that never arrived
as a whole is planned anew."""


_APPENDED, _WENT_BACK = 1, 2
"""Values of the column ``late``; 0: in time."""
_FIRST_RUN, _LONGEST_RUN = 16, 4000
"""Taken slots that are read at a time where nobody knows how many lie side by side."""


class IllegalMoveError(RuntimeError):
    """A verb was used on a delivery whose state does not allow it: a bug, never bad input."""


class DeliveryVerbs(HoldVerbs):
    """Verbs over the parts of messages."""

    def is_empty(self) -> bool:
        """Tell whether no message was ever sent to this app by this ledger."""
        query = (
            select(schema.deliveries.c.part)
            .where(schema.deliveries.c.app_id == self.app_id)
            .limit(1)
        )
        return self.database.read(lambda connection: connection.execute(query).first()) is None

    def deliveries(self, message_keys: Sequence[str]) -> dict[str, list[Delivery]]:
        """Return what is known of some messages: key → its deliveries, by part, then by side."""
        table = schema.deliveries
        found: dict[str, list[Delivery]] = {}
        for row in self.read_chunks(
            message_keys,
            lambda chunk: (
                select(table)
                .where(table.c.app_id == self.app_id, table.c.message_key.in_(chunk))
                .order_by(table.c.message_key, table.c.part, table.c.side)
            ),
        ):
            found.setdefault(row.message_key, []).append(_delivery(row))
        return found

    def unresolved(self, conversation: str) -> list[Delivery]:
        """Return the deliveries of a conversation whose outcome is unknown, in the order of their slots."""
        table = schema.deliveries
        query = (
            select(table)
            .where(
                table.c.app_id == self.app_id,
                table.c.conversation == conversation,
                _is_unresolved(),
            )
            .order_by(table.c.slot, table.c.message_key, table.c.part, table.c.side)
        )
        return [
            _delivery(row) for row in self.database.read(lambda each: each.execute(query).all())
        ]

    def count_unresolved(self) -> int:
        """Return how many parts of this app's messages have an unknown outcome, but for those in flight.

        What a worker that is alive holds is its own to resolve. Two copies of one part are one part.
        """
        table, holds = schema.deliveries, schema.holds
        held = select(holds.c.conversation).where(
            holds.c.app_id == self.app_id, holds.c.worker_id.in_(self.workers_alive())
        )
        query = select(func.count()).where(
            table.c.app_id == self.app_id,
            _is_unresolved(),
            table.c.conversation.not_in(held),
            is_first_copy(*UNRESOLVED),
        )
        return int(self.database.read(lambda connection: connection.scalar(query)) or 0)

    def has_rejected(self, conversation: str, reason: str) -> bool:
        """Tell whether a part of a conversation was rejected for some reason."""
        table = schema.deliveries
        query = (
            select(table.c.part)
            .where(
                table.c.app_id == self.app_id,
                table.c.conversation == conversation,
                table.c.state == DeliveryState.REJECTED,
                table.c.reason == reason,
            )
            .limit(1)
        )
        return self.database.read(lambda connection: connection.execute(query).first()) is not None

    def taken_randoms(self, conversation: str, candidates: Sequence[int]) -> set[int]:
        """Return those of some ``Random`` candidates that a message of the conversation has already."""
        table = schema.deliveries
        rows = self.read_chunks(
            candidates,
            lambda chunk: select(table.c.random).where(
                table.c.app_id == self.app_id,
                table.c.conversation == conversation,
                table.c.random.in_(chunk),
            ),
        )
        return {int(row.random) for row in rows}

    def names_there(
        self, conversation: str, randoms: Sequence[int], *, side: str = ""
    ) -> set[tuple[str, int, int]]:
        """Return (sender, random, slot) of the messages of a conversation that were delivered, of some randoms.

        ``side``: of the copies of that side.
        """
        table = schema.deliveries
        rows = self.read_chunks(
            randoms,
            lambda chunk: select(table.c.sender, table.c.random, table.c.slot).where(
                table.c.app_id == self.app_id,
                table.c.conversation == conversation,
                table.c.random.in_(chunk),
                table.c.side == side,
                table.c.state.in_((DeliveryState.DELIVERED, DeliveryState.WITHDRAWN)),
            ),
        )
        return {(row.sender, int(row.random), int(row.slot)) for row in rows}

    def sequences_by_slot(self, conversation: str, slots: Sequence[int]) -> dict[int, set[int]]:
        """Return slot → the sequences taken in it, for one-to-one conversations."""
        table = schema.deliveries
        taken: dict[int, set[int]] = {}
        for row in self.read_chunks(
            slots,
            lambda chunk: select(table.c.slot, table.c.sequence).where(
                table.c.app_id == self.app_id,
                table.c.conversation == conversation,
                table.c.slot.in_(chunk),
            ),
        ):
            taken.setdefault(int(row.slot), set()).add(int(row.sequence or 0))
        return taken

    def first_free_slot(self, conversation: str, slot: int, *, side: str = "") -> int:
        """Return the first slot at or after one that no delivery of a conversation bears.

        A rejected delivery bears none: it is not in the target. ``side`` leaves the other side's copies out of
        account. A run of taken slots is walked some thousands at a time, so its length costs time, not memory.
        """
        table = schema.deliveries
        query = (
            select(table.c.slot)
            .where(
                table.c.app_id == self.app_id,
                table.c.conversation == conversation,
                table.c.slot >= bindparam("its_slot"),
                table.c.state != DeliveryState.REJECTED,
            )
            .order_by(table.c.slot)
            .limit(bindparam("most"))
        )
        if side:
            query = query.where(table.c.side.in_((side, "")))

        def walk(connection: Connection) -> int:
            free, most = slot, _FIRST_RUN
            while True:
                given = {"its_slot": free, "most": most}
                taken = connection.scalars(query, given).all()
                for each in taken:
                    if each > free:
                        return free
                    free = each + 1
                if len(taken) < most:
                    return free
                most = min(2 * most, _LONGEST_RUN)

        return self.database.read(walk)

    def advance(
        self,
        conversation: str,
        moves: Sequence[Move],
        *,
        stream: Stream | None = None,
        dirty: bool = False,
        landed: bool = False,
        holder: str = "",
    ) -> None:
        """Apply several moves of one conversation, and its frontier, in one transaction.

        ``dirty`` says that messages are about to be sent, ``landed`` that one arrived: what the target holds of
        the group's unread counts is unknown after the first, and 0 after the second. A withdrawal marks the group
        for a recount by itself. ``holder`` is the worker that must still hold the conversation.

        Raises:
            LostHoldError: another worker has taken the conversation over; nothing is written then.
            IllegalMoveError: a delivery's state does not allow its move; nothing is written then.
        """
        now = self._clock.now_ms()

        def apply(connection: Connection) -> None:
            if holder:
                self.require_hold(connection, conversation, holder)
            for verb, deliveries in _by_verb(moves):
                self._move(connection, verb, deliveries, now)
            if stream is not None:
                row = {"conversation": conversation, **msgspec.structs.asdict(stream)}
                self.upsert_in(connection, schema.streams, [row])
            if dirty:
                self._mark_dirty(connection, conversation)
            elif any(move.verb == "withdraw" for move in moves):
                self._mark_recount(connection, conversation)
            if landed:
                self._reset_unread(connection, conversation)

        self.database.write(apply)

    def _move(
        self, connection: Connection, verb: str, deliveries: list[Delivery], now: int
    ) -> None:
        rows = [row_of(each) | {"app_id": self.app_id, "updated_at_ms": now} for each in deliveries]
        if verb in BEGINNING:
            written = execute_all(connection, _written(verb, connection.dialect.name), rows)
        else:
            written = execute_all(connection, _moved(verb), [_keyed(row) for row in rows])
        if written != len(rows):
            raise IllegalMoveError(
                f"`{verb}` does not fit the state of {len(rows) - written} deliveries"
            )

    def _mark_dirty(self, connection: Connection, conversation: str) -> None:
        """Messages are about to be sent: the counts that the target holds are no longer known."""
        positions = schema.read_positions
        self._mark_recount(connection, conversation)
        place = Conversation.parse(conversation)
        if place.kind == "topic":
            # Whether the messages of a topic reset the counts of its community is unknown (U13).
            conversation = Conversation.group(place.first).key
            self._mark_recount(connection, conversation)
        connection.execute(
            self._positions(conversation)
            .where(positions.c.unread_set > 0)
            .values(unread_set=UNREAD_UNKNOWN)
        )

    def _mark_recount(self, connection: Connection, conversation: str) -> None:
        """What counts as unread may have changed; what the target was told stays."""
        groups = schema.groups
        connection.execute(
            update(groups)
            .where(groups.c.app_id == self.app_id, groups.c.conversation == conversation)
            .values(unread_dirty=1)
        )

    def _reset_unread(self, connection: Connection, conversation: str) -> None:
        """A message arrived, and with it the target set all counts of the group to 0; of a topic nobody knows."""
        if Conversation.parse(conversation).kind == "topic":
            return
        unread_set = schema.read_positions.c.unread_set
        connection.execute(
            self._positions(conversation).where(unread_set == UNREAD_UNKNOWN).values(unread_set=0)
        )

    def _positions(self, conversation: str) -> Update:
        groups, positions = schema.groups, schema.read_positions
        group_id = select(groups.c.group_id).where(
            groups.c.app_id == self.app_id, groups.c.conversation == conversation
        )
        return update(positions).where(
            positions.c.app_id == self.app_id, positions.c.group_id == group_id.scalar_subquery()
        )

    def streams(self, conversations: Sequence[str]) -> dict[str, Stream]:
        """Return the frontiers of some conversations; those never sent to are missing."""
        table = schema.streams
        rows = self.read_chunks(
            conversations,
            lambda chunk: select(table).where(
                table.c.app_id == self.app_id, table.c.conversation.in_(chunk)
            ),
        )
        return {row.conversation: _stream(row) for row in rows}


@cache
def _written(verb: str, dialect: str) -> Any:
    """Return the statement that makes a delivery, or moves the one that is there."""
    table = schema.deliveries
    statement = insert_into(table, dialect)
    return statement.on_conflict_do_update(
        index_elements=[column.name for column in table.primary_key],
        set_={name: statement.excluded[name] for name in _MOVED},
        where=_allows(verb),
    )


@cache
def _moved(verb: str) -> Update:
    """Return the statement that moves a delivery that is there; see :func:`_keyed` for its parameters."""
    table = schema.deliveries
    return (
        update(table)
        .where(*(column == bindparam(f"its_{column.name}") for column in table.primary_key))
        .where(_allows(verb))
        .values({name: bindparam(f"new_{name}") for name in _MOVED})
    )


def _keyed(row: dict[str, Any]) -> dict[str, Any]:
    keys = {f"its_{column.name}": row[column.name] for column in schema.deliveries.primary_key}
    return keys | {f"new_{name}": row[name] for name in _MOVED}


def _is_unresolved() -> ColumnElement[bool]:
    """Return the condition of the index of unresolved deliveries, in the very words that the index has."""
    given: BindParameter[tuple[str, ...]] = bindparam(
        "unresolved", UNRESOLVED, expanding=True, literal_execute=True
    )
    return schema.deliveries.c.state.in_(given)


def _allows(verb: str) -> ColumnElement[bool]:
    # Not IN: an expanding list cannot be part of a statement that is executed for many rows at once.
    return or_(*(schema.deliveries.c.state == state for state in ALLOWED[verb]))


def _by_verb(moves: Sequence[Move]) -> Iterator[tuple[str, list[Delivery]]]:
    """Group neighbouring moves of one verb, which go to the database together; the order stays."""
    run: list[Delivery] = []
    verb = ""
    for move in moves:
        if move.verb != verb and run:
            yield verb, run
            run = []
        verb = move.verb
        run.append(move.delivery)
    if run:
        yield verb, run


def _delivery(row: Row[Any]) -> Delivery:
    fields = {
        name: value
        for name, value in row._asdict().items()
        if name not in ("app_id", "updated_at_ms")
    }
    late = {"late": row.late == _APPENDED, "went_back": row.late == _WENT_BACK}
    return Delivery(**fields | late | {"state": DeliveryState(row.state)})


def row_of(delivery: Delivery) -> dict[str, Any]:
    """Return a delivery as the table has it."""
    fields = msgspec.structs.asdict(delivery)
    went_back = fields.pop("went_back")
    return fields | {"late": _WENT_BACK if went_back else int(delivery.late)}


def _stream(row: Row[Any]) -> Stream:
    return Stream(
        newest_sent_ms=row.newest_sent_ms,
        newest_order=row.newest_order,
        newest_slot=row.newest_slot,
        confirmed_sequence=row.confirmed_sequence,
        foreign_slot=row.foreign_slot,
    )
