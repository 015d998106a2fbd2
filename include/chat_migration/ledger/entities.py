"""Identities, accounts, groups and members: what exists in the target, as far as we know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, select, update

from chat_migration.ledger import schema
from chat_migration.ledger.base import LedgerBase
from chat_migration.ledger.records import GroupRecord, MemberRecord
from chat_migration.ledger.states import UNREAD_UNKNOWN, EntityState

_ROWS_AT_ONCE = 20_000


class EntityVerbs(LedgerBase):
    """Verbs over what has an id in the target."""

    def identities(self, kind: str) -> dict[str, str]:
        """Return legacy id → target id."""
        table = schema.identities
        query = select(table.c.legacy_id, table.c.target_id).where(
            table.c.app_id == self.app_id, table.c.kind == kind
        )
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return {row.legacy_id: row.target_id for row in rows}

    def assign_identities(self, kind: str, pairs: dict[str, str]) -> None:
        """Remember target ids; those known already keep theirs.

        Very many are written in several transactions, so that other writers get their turn in between.
        """
        rows = [
            {"kind": kind, "legacy_id": legacy, "target_id": target}
            for legacy, target in pairs.items()
        ]
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            self.upsert(schema.identities, rows[start : start + _ROWS_AT_ONCE], keep=True)

    def accounts(self) -> dict[str, tuple[EntityState, str, str, str]]:
        """Return account id → (state, written hash, reason, run id)."""
        table = schema.accounts
        query = select(table).where(table.c.app_id == self.app_id)
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return {
            row.account_id: (EntityState(row.state), row.written_hash, row.reason, row.run_id)
            for row in rows
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
        query = select(schema.groups).where(schema.groups.c.app_id == self.app_id)
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return {row.conversation: group_of_row(row) for row in rows}

    def group(self, conversation: str) -> GroupRecord | None:
        """Return one group or topic, or None if the ledger does not know it."""
        table = schema.groups
        query = select(table).where(
            table.c.app_id == self.app_id, table.c.conversation == conversation
        )
        row = self.database.read(lambda connection: connection.execute(query).first())
        return None if row is None else group_of_row(row)

    def record_group(self, group: GroupRecord, *, anew: bool = False) -> None:
        """Write a group's state; of a known one creation time and ``unread_dirty`` stay, unless ``anew``."""
        row = msgspec.structs.asdict(group) | {"unread_dirty": int(group.unread_dirty)}
        self.upsert(schema.groups, [row], fixed=() if anew else ("created_s", "unread_dirty"))

    def members(self, group_id: str) -> dict[str, tuple[EntityState, str, str]]:
        """Return account id → (state, reason, run id) of one group's members."""
        table = schema.members
        query = select(table).where(table.c.app_id == self.app_id, table.c.group_id == group_id)
        rows = self.database.read(lambda connection: connection.execute(query).all())
        return {row.account_id: (EntityState(row.state), row.reason, row.run_id) for row in rows}

    def members_of(self, group_ids: Sequence[str]) -> dict[str, dict[str, MemberRecord]]:
        """Return group id → account id → membership, for each of some groups."""
        table = schema.members
        found: dict[str, dict[str, MemberRecord]] = {each: {} for each in group_ids}
        for row in self.read_chunks(
            group_ids,
            lambda chunk: select(table).where(
                table.c.app_id == self.app_id, table.c.group_id.in_(chunk)
            ),
        ):
            found[row.group_id][row.account_id] = MemberRecord(
                state=EntityState(row.state), role=row.role, reason=row.reason, run_id=row.run_id
            )
        return found

    def forget_unread(self, conversation: str, group_id: str, accounts: Sequence[str]) -> None:
        """Say that nobody knows the unread counts of some members of a group: they are set anew, the others stay."""
        groups, positions = schema.groups, schema.read_positions
        rows = [{"its_account_id": name} for name in accounts]
        if not rows:
            return
        forgotten = (
            update(positions)
            .where(
                positions.c.app_id == self.app_id,
                positions.c.group_id == group_id,
                positions.c.account_id == bindparam("its_account_id"),
            )
            .values(unread_set=UNREAD_UNKNOWN)
        )
        marked = (
            update(groups)
            .where(groups.c.app_id == self.app_id, groups.c.conversation == conversation)
            .values(unread_dirty=1)
        )

        def write(connection: Connection) -> None:
            connection.execute(forgotten, rows)
            connection.execute(marked)

        self.database.write(write)

    def record_roles(self, group_id: str, roles: dict[str, str]) -> None:
        """Write the roles of some members, account id → role; who is no member by the ledger is left out."""
        table = schema.members
        rows = [{"its_account_id": name, "its_role": role} for name, role in roles.items()]
        if not rows:
            return
        statement = (
            update(table)
            .where(
                table.c.app_id == self.app_id,
                table.c.group_id == group_id,
                table.c.account_id == bindparam("its_account_id"),
            )
            .values(role=bindparam("its_role"))
        )

        def write(connection: Connection) -> None:
            connection.execute(statement, rows)

        self.database.write(write)

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


def group_of_row(row: Row[Any]) -> GroupRecord:
    """Return a row of the table ``groups`` as a record."""
    fields = {name: value for name, value in row._asdict().items() if name != "app_id"}
    return GroupRecord(
        **fields | {"state": EntityState(row.state), "unread_dirty": bool(row.unread_dirty)}
    )
