"""Identities, accounts, groups and members: what exists in the target, as far as we know."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Row, select

from chat_migration.ledger import schema
from chat_migration.ledger.base import LedgerBase
from chat_migration.ledger.records import GroupRecord
from chat_migration.ledger.states import EntityState


class EntityVerbs(LedgerBase):
    """Verbs over what has an id in the target."""

    def identities(self, kind: str) -> dict[str, str]:
        """Return legacy id → target id."""
        table = schema.identities
        query = select(table.c.legacy_id, table.c.target_id).where(
            table.c.app_id == self.app_id, table.c.kind == kind
        )
        with self.database.reading() as connection:
            return {row.legacy_id: row.target_id for row in connection.execute(query)}

    def assign_identities(self, kind: str, pairs: dict[str, str]) -> None:
        """Remember target ids; those known already keep theirs."""
        rows = [
            {"kind": kind, "legacy_id": legacy, "target_id": target}
            for legacy, target in pairs.items()
        ]
        self.upsert(schema.identities, rows, keep=True)

    def accounts(self) -> dict[str, tuple[EntityState, str, str, str]]:
        """Return account id → (state, written hash, reason, run id)."""
        table = schema.accounts
        query = select(table).where(table.c.app_id == self.app_id)
        with self.database.reading() as connection:
            return {
                row.account_id: (EntityState(row.state), row.written_hash, row.reason, row.run_id)
                for row in connection.execute(query)
            }

    def record_accounts(
        self, hashes: dict[str, str], state: EntityState, run_id: str, reason: str = ""
    ) -> None:
        """Write the state of some accounts: account id → hash of what is or was written."""
        self.upsert(
            schema.accounts,
            [
                {
                    "account_id": account,
                    "state": state,
                    "written_hash": written,
                    "reason": reason,
                    "run_id": run_id,
                }
                for account, written in hashes.items()
            ],
        )

    def groups(self) -> dict[str, GroupRecord]:
        """Return the groups and topics by conversation."""
        with self.database.reading() as connection:
            rows = connection.execute(
                select(schema.groups).where(schema.groups.c.app_id == self.app_id)
            )
            return {row.conversation: _group(row) for row in rows}

    def record_group(self, group: GroupRecord) -> None:
        """Write a group's state. Creation time and ``unread_dirty`` of a known one stay as they are."""
        row = msgspec.structs.asdict(group) | {"unread_dirty": int(group.unread_dirty)}
        self.upsert(schema.groups, [row], fixed=("created_s", "unread_dirty"))

    def members(self, group_id: str) -> dict[str, tuple[EntityState, str, str]]:
        """Return account id → (state, reason, run id) of one group's members."""
        table = schema.members
        query = select(table).where(table.c.app_id == self.app_id, table.c.group_id == group_id)
        with self.database.reading() as connection:
            return {
                row.account_id: (EntityState(row.state), row.reason, row.run_id)
                for row in connection.execute(query)
            }

    def record_members(
        self,
        group_id: str,
        roles: dict[str, str],
        state: EntityState,
        run_id: str,
        reason: str = "",
    ) -> None:
        """Write the state of some members of one group: account id → role."""
        self.upsert(
            schema.members,
            [
                {"group_id": group_id, "account_id": account, "state": state, "role": role,
                 "reason": reason, "run_id": run_id}
                for account, role in roles.items()
            ],
        )  # fmt: skip


def _group(row: Row[Any]) -> GroupRecord:
    fields = {name: value for name, value in row._asdict().items() if name != "app_id"}
    return GroupRecord(
        **fields | {"state": EntityState(row.state), "unread_dirty": bool(row.unread_dirty)}
    )
