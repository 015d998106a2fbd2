"""What the ledger knows of some ids only: a nightly run asks for its own, not for everything that was ever imported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, select

from chat_migration.ledger import schema
from chat_migration.ledger.base import LedgerBase
from chat_migration.ledger.entities import group_of_row
from chat_migration.ledger.records import GroupRecord
from chat_migration.ledger.sides import are_all_copies
from chat_migration.ledger.states import DeliveryState


class ExcerptVerbs(LedgerBase):
    """Verbs that read what belongs to a list of ids, some hundreds a query."""

    def identities_of(self, kind: str, legacy_ids: Sequence[str]) -> dict[str, str]:
        """Return legacy id → target id of those that have one."""
        table = schema.identities
        rows = self.read_chunks(
            legacy_ids,
            lambda chunk: select(table.c.legacy_id, table.c.target_id).where(
                table.c.app_id == self.app_id, table.c.kind == kind, table.c.legacy_id.in_(chunk)
            ),
        )
        return {row.legacy_id: row.target_id for row in rows}

    def identities_taken(self, kind: str, target_ids: Sequence[str]) -> set[str]:
        """Return those of some target ids that belong to a legacy id already."""
        table = schema.identities
        rows = self.read_chunks(
            target_ids,
            lambda chunk: select(table.c.target_id).where(
                table.c.app_id == self.app_id, table.c.kind == kind, table.c.target_id.in_(chunk)
            ),
        )
        return {row.target_id for row in rows}

    def accounts_known(self, account_ids: Sequence[str]) -> set[str]:
        """Return those of some accounts that the ledger knows, in whatever state."""
        table = schema.accounts
        rows = self.read_chunks(
            account_ids,
            lambda chunk: select(table.c.account_id).where(
                table.c.app_id == self.app_id, table.c.account_id.in_(chunk)
            ),
        )
        return {row.account_id for row in rows}

    def groups_of(self, conversations: Sequence[str]) -> dict[str, GroupRecord]:
        """Return those of some groups and topics that the ledger knows, by conversation."""
        table = schema.groups
        rows = self.read_chunks(
            conversations,
            lambda chunk: select(table).where(
                table.c.app_id == self.app_id, table.c.conversation.in_(chunk)
            ),
        )
        return {row.conversation: group_of_row(row) for row in rows}

    def groups_by_id(self, group_ids: Sequence[str]) -> dict[str, GroupRecord]:
        """Return those of some groups that the ledger knows, by target id; no topics."""
        table = schema.groups
        rows = self.read_chunks(
            group_ids,
            lambda chunk: select(table).where(
                table.c.app_id == self.app_id, table.c.group_id.in_(chunk), table.c.topic_id == ""
            ),
        )
        return {row.group_id: group_of_row(row) for row in rows}

    def dirty_groups(self) -> dict[str, GroupRecord]:
        """Return the groups whose unread counts may not be right in the target, by target id; no topics."""
        table = schema.groups
        query = select(table).where(
            table.c.app_id == self.app_id, table.c.unread_dirty == 1, table.c.topic_id == ""
        )
        rows: Sequence[Row[Any]] = self.database.read(
            lambda connection: connection.execute(query).all()
        )
        return {row.group_id: group_of_row(row) for row in rows}

    def rows_before(self, conversations: Sequence[str], before_ms: int) -> dict[str, int]:
        """Return how many messages of each conversation, sent before an instant, the ledger has dealt with.

        Delivered, refused by the target or withdrawn: none of these would be stranded. A message with a copy for
        each participant is dealt with when both copies are. Conversations without any are missing.
        """
        table = schema.deliveries
        dealt = (DeliveryState.DELIVERED, DeliveryState.REJECTED, DeliveryState.WITHDRAWN)
        rows = self.read_chunks(
            conversations,
            lambda chunk: (
                select(table.c.conversation, func.count().label("messages"))
                .where(
                    table.c.app_id == self.app_id,
                    table.c.conversation.in_(chunk),
                    table.c.part == 0,
                    table.c.sent_at_ms < before_ms,
                    table.c.state.in_(dealt),
                    are_all_copies(*dealt),
                )
                .group_by(table.c.conversation)
            ),
        )
        return {row.conversation: int(row.messages) for row in rows}
