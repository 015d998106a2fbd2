"""Who is a member of a group in the target."""

from __future__ import annotations

from chat_migration.delivery.context import Tools
from chat_migration.targets.base import Failure, StoredMember
from chat_migration.targets.verbs import Verb


def list_members(
    tools: Tools, group_id: str, *, community: bool = False
) -> dict[str, StoredMember] | Failure:
    """Return the members of a group by account, or why the target does not show them."""
    listed: dict[str, StoredMember] = {}
    cursor = ""
    while True:
        page = tools.caller.call(
            Verb.READ_MEMBERS,
            lambda cursor=cursor: tools.target.read_members(  # type: ignore[misc]
                group_id, community=community, cursor=cursor
            ),
        )
        if isinstance(page, Failure):
            return page
        listed |= {each.account_id: each for each in page.members}
        if not page.cursor or page.cursor == cursor:
            return listed
        cursor = page.cursor


def owner_among(listed: dict[str, StoredMember]) -> str:
    """Return who of a group's members owns it, "" if nobody does."""
    return next((each.account_id for each in listed.values() if each.role == "owner"), "")
