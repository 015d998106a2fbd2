"""Read positions, and the unread counts that the target was told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from sqlalchemy import Connection, func, select, update

from chat_migration.ledger import schema
from chat_migration.ledger.base import LedgerBase
from chat_migration.ledger.records import ReadPosition
from chat_migration.ledger.states import DeliveryState


class UnreadVerbs(LedgerBase):
    """Verbs over what members have read."""

    def record_positions(self, positions: Sequence[ReadPosition]) -> None:
        """Write how far members have read; what the target was told stays as it is."""
        self.upsert(
            schema.read_positions,
            [msgspec.structs.asdict(each) for each in positions],
            fixed=("unread_set", "run_id"),
        )

    def positions(self, group_id: str) -> list[ReadPosition]:
        """Return the read positions of one group's members, by account."""
        table = schema.read_positions
        query = (
            select(table)
            .where(table.c.app_id == self.app_id, table.c.group_id == group_id)
            .order_by(table.c.account_id)
        )
        with self.database.reading() as connection:
            return [
                ReadPosition(
                    group_id=row.group_id,
                    account_id=row.account_id,
                    first_unread_ms=row.first_unread_ms,
                    first_unread_order=row.first_unread_order,
                    unread_set=row.unread_set,
                    run_id=row.run_id,
                )
                for row in connection.execute(query)
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

    def delivered_places(self, conversation: str, from_ms: int) -> Iterator[tuple[int, str, str]]:
        """Yield (sent_at_ms, order_key, sender) of each delivered part at or after an instant, oldest first."""
        table = schema.deliveries
        query = (
            select(table.c.sent_at_ms, table.c.order_key, table.c.sender)
            .where(
                table.c.app_id == self.app_id,
                table.c.conversation == conversation,
                table.c.state == DeliveryState.DELIVERED,
                table.c.sent_at_ms >= from_ms,
            )
            .order_by(table.c.sent_at_ms, table.c.order_key, table.c.part)
        )
        with self.database.reading() as connection:
            for row in connection.execute(query):
                yield int(row.sent_at_ms), str(row.order_key), str(row.sender)

    def delivered_count(self, conversation: str) -> int:
        """Return how many parts of a conversation are delivered."""
        table = schema.deliveries
        query = select(func.count()).where(
            table.c.app_id == self.app_id,
            table.c.conversation == conversation,
            table.c.state == DeliveryState.DELIVERED,
        )
        with self.database.reading() as connection:
            return int(connection.scalar(query) or 0)
