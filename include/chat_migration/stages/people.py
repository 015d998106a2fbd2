"""Creating accounts, groups and memberships."""

from __future__ import annotations

from chat_migration.delivery.accounts import AccountImport
from chat_migration.delivery.groups import GroupImport
from chat_migration.delivery.members import MemberImport
from chat_migration.run import Run
from chat_migration.stages.result import StageResult, result_of
from chat_migration.workbench import delivering


def import_accounts(run: Run) -> StageResult:
    """Create the accounts of everybody who appears anywhere."""
    with delivering(run, "accounts") as tools:
        AccountImport(tools).run()
        return result_of("accounts", tools, run)


def import_group_profiles(run: Run) -> StageResult:
    """Create the groups and topics."""
    with delivering(run, "groups") as tools:
        GroupImport(tools).run()
        return result_of("groups", tools, run)


def import_group_members(run: Run) -> StageResult:
    """Add the members to the groups."""
    with delivering(run, "members") as tools:
        MemberImport(tools).run()
        return result_of("members", tools, run)
