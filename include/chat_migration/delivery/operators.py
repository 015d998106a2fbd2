"""In whose name a group is changed, where the target wants to know."""

from __future__ import annotations

from chat_migration.delivery.context import Tools
from chat_migration.ledger.records import GroupRecord


def operator_of(tools: Tools, record: GroupRecord) -> str:
    """Return the owner of a group as the ledger knows them, else the planned one; "" where a group needs none."""
    if record.owner_id or not tools.rules.needs_owner:
        return record.owner_id
    groups = (each for each in tools.plan.groups() if each.conversation == record.conversation)
    return next((each.owner_id for each in groups), "")
