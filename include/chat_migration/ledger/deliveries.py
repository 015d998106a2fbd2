"""Deliveries and streams: what was sent of which message, and how far each conversation is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Update, func, or_, select, update

from chat_migration.ledger import schema
from chat_migration.ledger.base import LedgerBase, chunks, insert_into
from chat_migration.ledger.moves import Move
from chat_migration.ledger.records import Delivery, Stream
from chat_migration.ledger.states import ALLOWED, UNREAD_UNKNOWN, UNRESOLVED, DeliveryState

_MOVED = (
    "state", "slot", "sequence", "code", "reason", "attempts", "late", "source_hash",
    "render_version", "run_id", "updated_at_ms",
)  # fmt: skip
"""What a move may change. Keys never change; a slot only when a row that never arrived is planned anew."""


class IllegalMoveError(RuntimeError):
    """A verb was used on a delivery whose state does not allow it: a bug, never bad input."""


class DeliveryVerbs(LedgerBase):
    """Verbs over the parts of messages."""

    def is_empty(self) -> bool:
        """Tell whether no message was ever sent to this app by this ledger."""
        query = (
            select(schema.deliveries.c.part)
            .where(schema.deliveries.c.app_id == self.app_id)
            .limit(1)
        )
        with self.database.reading() as connection:
            return connection.execute(query).first() is None

    def deliveries(self, message_keys: Sequence[str]) -> dict[str, list[Delivery]]:
        """Return what is known of some messages: key → its parts in order."""
        table = schema.deliveries
        found: dict[str, list[Delivery]] = {}
        with self.database.reading() as connection:
            for chunk in chunks(message_keys):
                query = (
                    select(table)
                    .where(table.c.app_id == self.app_id, table.c.message_key.in_(chunk))
                    .order_by(table.c.message_key, table.c.part)
                )
                for row in connection.execute(query):
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
                table.c.state.in_(UNRESOLVED),
            )
            .order_by(table.c.slot, table.c.message_key, table.c.part)
        )
        with self.database.reading() as connection:
            return [_delivery(row) for row in connection.execute(query)]

    def count_unresolved(self) -> int:
        """Return how many deliveries of this app have an unknown outcome."""
        table = schema.deliveries
        query = select(func.count()).where(
            table.c.app_id == self.app_id, table.c.state.in_(UNRESOLVED)
        )
        with self.database.reading() as connection:
            return int(connection.scalar(query) or 0)

    def taken_randoms(self, conversation: str, candidates: Sequence[int]) -> set[int]:
        """Return those of some ``Random`` candidates that a message of the conversation has already."""
        table = schema.deliveries
        taken: set[int] = set()
        with self.database.reading() as connection:
            for chunk in chunks(candidates):
                query = select(table.c.random).where(
                    table.c.app_id == self.app_id,
                    table.c.conversation == conversation,
                    table.c.random.in_(chunk),
                )
                taken.update(int(value) for value in connection.scalars(query))
        return taken

    def sequences_by_slot(self, conversation: str, slots: Sequence[int]) -> dict[int, set[int]]:
        """Return slot → the sequences taken in it, for one-to-one conversations."""
        table = schema.deliveries
        taken: dict[int, set[int]] = {}
        with self.database.reading() as connection:
            for chunk in chunks(slots):
                query = select(table.c.slot, table.c.sequence).where(
                    table.c.app_id == self.app_id,
                    table.c.conversation == conversation,
                    table.c.slot.in_(chunk),
                )
                for slot, sequence in connection.execute(query):
                    taken.setdefault(int(slot), set()).add(int(sequence or 0))
        return taken

    def advance(
        self,
        conversation: str,
        moves: Sequence[Move],
        *,
        stream: Stream | None = None,
        dirty: bool = False,
        landed: bool = False,
    ) -> None:
        """Apply several moves of one conversation, and its frontier, in one transaction.

        ``dirty`` says that messages are about to be sent, ``landed`` that one arrived: what the target holds of
        the group's unread counts is unknown after the first, and 0 after the second.

        Raises:
            IllegalMoveError: a delivery's state does not allow its move; nothing is written then.
        """
        now = self._clock.now_ms()

        def apply(connection: Connection) -> None:
            for verb, deliveries in _by_verb(moves):
                self._move(connection, verb, deliveries, now)
            if stream is not None:
                row = {"conversation": conversation, **msgspec.structs.asdict(stream)}
                self.upsert_in(connection, schema.streams, [row])
            if dirty:
                self._mark_dirty(connection, conversation)
            if landed:
                self._reset_unread(connection, conversation)

        self.database.write(apply)

    def _move(
        self, connection: Connection, verb: str, deliveries: list[Delivery], now: int
    ) -> None:
        table = schema.deliveries
        rows = [
            msgspec.structs.asdict(each)
            | {"app_id": self.app_id, "late": int(each.late), "updated_at_ms": now}
            for each in deliveries
        ]
        statement = insert_into(table, connection)
        statement = statement.on_conflict_do_update(
            index_elements=[column.name for column in table.primary_key],
            set_={name: statement.excluded[name] for name in _MOVED},
            # Not IN: an expanding list cannot be part of a statement that is executed for many rows at once.
            where=or_(*(table.c.state == state for state in ALLOWED[verb])),
        )
        if connection.dialect.name == "sqlite":
            before = connection.connection.dbapi_connection.total_changes  # type: ignore[union-attr]
            connection.execute(statement, rows)
            written = connection.connection.dbapi_connection.total_changes - before  # type: ignore[union-attr]
        else:
            written = sum(connection.execute(statement, [row]).rowcount for row in rows)
        if written != len(rows):
            raise IllegalMoveError(
                f"`{verb}` does not fit the state of {len(rows) - written} deliveries"
            )

    def _mark_dirty(self, connection: Connection, conversation: str) -> None:
        """Messages are about to be sent: the counts that the target holds are no longer known."""
        groups, positions = schema.groups, schema.read_positions
        connection.execute(
            update(groups)
            .where(groups.c.app_id == self.app_id, groups.c.conversation == conversation)
            .values(unread_dirty=1)
        )
        connection.execute(
            self._positions(conversation)
            .where(positions.c.unread_set > 0)
            .values(unread_set=UNREAD_UNKNOWN)
        )

    def _reset_unread(self, connection: Connection, conversation: str) -> None:
        """A message arrived, and with it the target set all counts of the group to 0."""
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
        found: dict[str, Stream] = {}
        with self.database.reading() as connection:
            for chunk in chunks(conversations):
                query = select(table).where(
                    table.c.app_id == self.app_id, table.c.conversation.in_(chunk)
                )
                for row in connection.execute(query):
                    found[row.conversation] = _stream(row)
        return found


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
    return Delivery(**fields | {"late": bool(row.late), "state": DeliveryState(row.state)})


def _stream(row: Row[Any]) -> Stream:
    return Stream(
        newest_sent_ms=row.newest_sent_ms,
        newest_order=row.newest_order,
        newest_slot=row.newest_slot,
        confirmed_sequence=row.confirmed_sequence,
        foreign_slot=row.foreign_slot,
    )
