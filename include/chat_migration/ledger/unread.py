"""Read positions, and the unread counts that the target was told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, func, or_, select, update

from chat_migration.ledger import schema
from chat_migration.ledger.base import LedgerBase, chunks
from chat_migration.ledger.records import SENDER, ReadPosition
from chat_migration.ledger.sides import are_all_copies, is_first_copy
from chat_migration.ledger.states import UNREAD_UNKNOWN, DeliveryState

_NOT_WITHDRAWN = tuple(each for each in DeliveryState if each is not DeliveryState.WITHDRAWN)
_FIRST_PAGE, _LARGEST_PAGE = 250, 4000
"""Messages that are read at a time where nobody knows how many will be wanted."""


class DirectArrivals(msgspec.Struct, frozen=True, kw_only=True):
    """How many delivered parts a one-to-one conversation holds for its reader, and how many when it was cleared."""

    conversation: str
    reader: str
    peer: str
    parts: int
    cleared: int


class UnreadVerbs(LedgerBase):
    """Verbs over what members have read."""

    def record_positions(self, positions: Sequence[ReadPosition]) -> None:
        """Write how far members have read; what the target was told stays as it is.

        A group of which somebody's position is another than before is marked: its counts may not be right now.
        """
        table, groups = schema.read_positions, schema.groups

        def write(connection: Connection) -> None:
            known = _known_positions(connection, self.app_id, positions)
            changed = [
                each for each in positions if known.get(_member(each), _ALL_READ) != _place(each)
            ]
            new = [each for each in positions if _member(each) not in known]
            rows = {_member(each): msgspec.structs.asdict(each) for each in (*changed, *new)}
            self.upsert_in(connection, table, rows.values(), fixed=("unread_set", "run_id"))
            for group_ids in chunks(sorted({each.group_id for each in changed})):
                connection.execute(
                    update(groups)
                    .where(
                        groups.c.app_id == self.app_id,
                        groups.c.group_id.in_(group_ids),
                        groups.c.topic_id == "",
                    )
                    .values(unread_dirty=1)
                )

        if positions:
            self.database.write(write)

    def positions(self, group_id: str) -> list[ReadPosition]:
        """Return the read positions of one group's members, by account."""
        table = schema.read_positions
        query = (
            select(table)
            .where(table.c.app_id == self.app_id, table.c.group_id == group_id)
            .order_by(table.c.account_id)
        )
        return [
            ReadPosition(
                group_id=row.group_id,
                account_id=row.account_id,
                first_unread_ms=row.first_unread_ms,
                first_unread_order=row.first_unread_order,
                unread_set=row.unread_set,
                run_id=row.run_id,
            )
            for row in self.database.read(lambda connection: connection.execute(query).all())
        ]

    def record_unread(self, group_id: str, account_id: str, count: int, run_id: str) -> None:
        """Remember the unread count that the target now holds for a member."""
        table = schema.read_positions

        def write(connection: Connection) -> None:
            connection.execute(
                update(table)
                .where(
                    table.c.app_id == self.app_id,
                    table.c.group_id == group_id,
                    table.c.account_id == account_id,
                )
                .values(unread_set=count, run_id=run_id)
            )

        self.database.write(write)

    def record_unread_counts(self, group_id: str, counts: dict[str, int], run_id: str) -> None:
        """Remember the unread counts that the target holds for some members of one group, all at once."""
        table = schema.read_positions
        rows = [{"its_account_id": name, "its_count": count} for name, count in counts.items()]
        if not rows:
            return
        statement = (
            update(table)
            .where(
                table.c.app_id == self.app_id,
                table.c.group_id == group_id,
                table.c.account_id == bindparam("its_account_id"),
            )
            .values(unread_set=bindparam("its_count"), run_id=run_id)
        )

        def write(connection: Connection) -> None:
            connection.execute(statement, rows)

        self.database.write(write)

    def clean(self, conversation: str) -> None:
        """Take the mark off a group whose unread counts are all set."""
        table = schema.groups

        def write(connection: Connection) -> None:
            connection.execute(
                update(table)
                .where(table.c.app_id == self.app_id, table.c.conversation == conversation)
                .values(unread_dirty=0)
            )

        self.database.write(write)

    def record_cleared(self, group_id: str, account_id: str, count: int, run_id: str) -> None:
        """Remember how many parts had arrived for somebody when the target was told that all is read.

        That stands in the place of a count, where a target can set none; :func:`cleared_parts` reads it. ``group_id``
        may also be the name of a one-to-one conversation.
        """
        row = {
            "group_id": group_id,
            "account_id": account_id,
            "first_unread_ms": None,
            "first_unread_order": "",
            "unread_set": _NEVER_CLEARED - count,
            "run_id": run_id,
        }
        places = ("first_unread_ms", "first_unread_order")
        self.upsert(schema.read_positions, [row], fixed=places)

    def delivered_by(self, conversation: str) -> dict[str, int]:
        """Return sender → delivered parts of a group."""
        table = schema.deliveries
        query = (
            select(table.c.sender, func.count().label("parts"))
            .where(
                table.c.app_id == self.app_id,
                table.c.conversation == conversation,
                table.c.state == DeliveryState.DELIVERED,
            )
            .group_by(table.c.sender)
        )
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return {row.sender: int(row.parts) for row in rows}

    def direct_arrivals(self, conversations: Sequence[str]) -> list[DirectArrivals]:
        """Return what arrived for each reader of some one-to-one conversations, by conversation and reader."""
        table, positions = schema.deliveries, schema.read_positions
        rows = self.read_chunks(
            conversations,
            lambda chunk: (
                select(
                    table.c.conversation,
                    table.c.recipient,
                    table.c.sender,
                    func.count().label("parts"),
                )
                .where(
                    table.c.app_id == self.app_id,
                    table.c.conversation.in_(chunk),
                    table.c.state == DeliveryState.DELIVERED,
                    table.c.side != SENDER,
                )
                .group_by(table.c.conversation, table.c.recipient, table.c.sender)
                .order_by(table.c.conversation, table.c.recipient)
            ),
        )
        cleared = {
            (row.group_id, row.account_id): row.unread_set
            for row in self.read_chunks(
                conversations,
                lambda chunk: select(positions).where(
                    positions.c.app_id == self.app_id, positions.c.group_id.in_(chunk)
                ),
            )
        }
        return [
            DirectArrivals(
                conversation=row.conversation,
                reader=row.recipient,
                peer=row.sender,
                parts=int(row.parts),
                cleared=cleared_parts(cleared.get((row.conversation, row.recipient), 0)),
            )
            for row in rows
        ]

    def delivered_places(
        self, conversation: str, from_ms: int, *, slot_ms: int = 1000
    ) -> Iterator[tuple[int, str, str]]:
        """Yield (sent_at_ms, order_key, sender) of each delivered part at or after an instant, oldest first.

        ``slot_ms`` is how long the target's slots are.
        """
        table = schema.deliveries
        query = (
            select(table.c.sent_at_ms, table.c.order_key, table.c.sender)
            .where(
                table.c.app_id == self.app_id,
                table.c.conversation == conversation,
                table.c.state == DeliveryState.DELIVERED,
                are_all_copies(DeliveryState.DELIVERED),
                table.c.sent_at_ms >= from_ms,
                # No message of a group stands before its own slot, and there is an index of slots.
                table.c.slot >= from_ms // slot_ms,
            )
            .order_by(table.c.sent_at_ms, table.c.order_key, table.c.part)
        )
        for row in self.database.stream(query):
            yield int(row.sent_at_ms), str(row.order_key), str(row.sender)

    def newest_places(self, conversation: str) -> Iterator[tuple[int, int, str, str, str]]:
        """Yield (slot, sent_at_ms, order_key, sender, key) of each message dealt with, from the newest slot down.

        Withdrawn ones are left out; of two copies of a message one is told. They are read a page at a time, so
        whoever has seen enough stops.
        """
        slot, key, most = None, "", _FIRST_PAGE
        while page := self._places_page(conversation, slot, key, most):
            for row in page:
                yield row.slot, row.sent_at_ms, row.order_key, row.sender, row.message_key
            if len(page) < most:
                return
            slot, key = page[-1].slot, page[-1].message_key
            most = min(2 * most, _LARGEST_PAGE)

    def _places_page(
        self, conversation: str, slot: int | None, key: str, most: int
    ) -> list[Row[Any]]:
        """Return messages in slots before one, or in it with a key before another."""
        table = schema.deliveries
        query = (
            select(
                table.c.slot, table.c.sent_at_ms, table.c.order_key, table.c.sender,
                table.c.message_key,
            )
            .where(
                table.c.app_id == self.app_id,
                table.c.conversation == conversation,
                table.c.part == 0,
                table.c.state != DeliveryState.WITHDRAWN,
                is_first_copy(*_NOT_WITHDRAWN),
            )
            .order_by(table.c.slot.desc(), table.c.message_key.desc())
            .limit(most)
        )  # fmt: skip
        if slot is not None:
            query = query.where(
                table.c.slot <= slot, or_(table.c.slot < slot, table.c.message_key < key)
            )
        return self.database.read(lambda connection: list(connection.execute(query)))

    def delivered_count(self, conversation: str) -> int:
        """Return how many parts of a conversation are delivered, to both participants where each has a copy."""
        table = schema.deliveries
        query = select(func.count()).where(
            table.c.app_id == self.app_id,
            table.c.conversation == conversation,
            table.c.state == DeliveryState.DELIVERED,
            are_all_copies(DeliveryState.DELIVERED),
        )
        return int(self.database.read(lambda connection: connection.scalar(query)) or 0)


_NEVER_CLEARED = UNREAD_UNKNOWN - 1
"""What is below stands for parts that had arrived: new messages change no such number, as they do a count."""


def cleared_parts(unread_set: int) -> int:
    """Return how many parts had arrived for somebody when all was last made read, 0: that was never done."""
    return max(0, _NEVER_CLEARED - unread_set)


_ALL_READ: tuple[int | None, str] = (None, "")


def _member(position: ReadPosition) -> tuple[str, str]:
    return position.group_id, position.account_id


def _place(position: ReadPosition) -> tuple[int | None, str]:
    return position.first_unread_ms, position.first_unread_order


def _known_positions(
    connection: Connection, app_id: int, positions: Sequence[ReadPosition]
) -> dict[tuple[str, str], tuple[int | None, str]]:
    """Return (group, account) → place, of all members of the groups that some positions belong to."""
    table = schema.read_positions
    return {
        (row.group_id, row.account_id): (row.first_unread_ms, row.first_unread_order)
        for group_ids in chunks(sorted({each.group_id for each in positions}))
        for row in connection.execute(
            select(table).where(table.c.app_id == app_id, table.c.group_id.in_(group_ids))
        )
    }
