"""Who owns a group whose rows name nobody who can: the same for every run over the same export.

For targets that create no group without an owner. Somebody who is named and is a member stays; otherwise whoever
earlier runs made the owner; otherwise an admin, or who joined first; and where nobody is a member, who wrote first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec
import pyarrow as pa

from chat_migration.ledger.records import GroupRecord, MemberRecord
from chat_migration.ledger.states import EntityState
from chat_migration.model import Conversation
from chat_migration.planning.staged import Staged

_IN_USE = (EntityState.CREATED, EntityState.ADOPTED)
_HOW = ("its owner by the list of members", "an admin", "who joined first")
"""What somebody is who becomes the owner, by the order in which members are considered."""


class Owner(msgspec.Struct, frozen=True):
    """The account that owns a group; ``detail`` tells how that came, "" where the export says so itself."""

    account_id: str
    detail: str = ""


class Ownerless(msgspec.Struct, frozen=True):
    """A group that needs an owner: its legacy and target ids, and who is named, "" for nobody."""

    legacy_id: str
    group_id: str
    named: str


class Members(Protocol):
    """Who is a member by what earlier runs did; a ledger is one."""

    def members_of(self, group_ids: Sequence[str]) -> dict[str, dict[str, MemberRecord]]:
        """Return group id → account id → membership."""


class _Staged(msgspec.Struct, frozen=True):
    """What the export says, by legacy group id.

    ``is_there`` is (group, user) → whether they are a member still, of those who were asked about.
    """

    is_there: dict[tuple[str, str], bool]
    best: dict[str, tuple[str, int]]
    wrote_first: dict[str, str]
    with_row: set[str]


def choose_owners(
    staged: Staged,
    groups: Sequence[Ownerless],
    users: Mapping[str, str],
    known: Mapping[str, GroupRecord],
    members: Members,
) -> dict[str, Owner]:
    """Return the owner of each group by its legacy id; groups of which nobody is known are left out.

    ``users`` is legacy id → account id, ``known`` conversation → what earlier runs made.
    """
    kept = _kept_owners(groups, users, known)
    export = _look(staged, groups, kept)
    there = [each.group_id for each in groups if each.legacy_id in kept]
    enrolled = members.members_of(there)
    chosen: dict[str, Owner] = {}
    for each in groups:
        joined = {
            account
            for account, record in enrolled.get(each.group_id, {}).items()
            if record.state in _IN_USE
        }
        found = _choose(each, export, users, kept.get(each.legacy_id), joined)
        if found is not None:
            chosen[each.legacy_id] = found
    return chosen


def _kept_owners(
    groups: Iterable[Ownerless], users: Mapping[str, str], known: Mapping[str, GroupRecord]
) -> dict[str, tuple[str, str]]:
    """Return legacy group id → (account id, legacy id or "") of the owner, of the groups that are there."""
    records = {each.legacy_id: known.get(Conversation.group(each.legacy_id).key) for each in groups}
    owners = {
        group: record.owner_id
        for group, record in records.items()
        if record is not None and record.state in _IN_USE
    }
    asked = set(owners.values())
    names = {account: legacy for legacy, account in users.items() if account in asked}
    return {group: (account, names.get(account, "")) for group, account in owners.items()}


def _choose(
    group: Ownerless,
    export: _Staged,
    users: Mapping[str, str],
    kept: tuple[str, str] | None,
    joined: set[str],
) -> Owner | None:
    """Return the owner of one group; ``kept`` is the present one, ``joined`` who is a member by now."""

    def is_there(legacy: str) -> bool | None:
        """Tell whether somebody is a member still; None: the export does not say."""
        return export.is_there.get((group.legacy_id, legacy))

    named = group.named
    if named and _may_own(group, export, users, joined):
        return Owner(users[named])
    why = _why(named)
    if kept is not None and kept[0] and is_there(kept[1]) is not False:
        return Owner(kept[0], f"{why}; `{kept[1] or kept[0]}` stays the owner")
    if group.legacy_id in export.best:
        legacy, how = export.best[group.legacy_id]
        return Owner(users[legacy], f"{why}; `{legacy}` becomes it: {_HOW[how]}")
    if writer := export.wrote_first.get(group.legacy_id, ""):
        return Owner(
            users[writer], f"{why}, and it has no members; `{writer}` wrote first and becomes it"
        )
    if named and is_there(named) is None:
        return Owner(users[named])
    return None


def _may_own(group: Ownerless, export: _Staged, users: Mapping[str, str], joined: set[str]) -> bool:
    """Tell whether who is named is a member; where nobody is one, who is known at all will do."""
    is_there = export.is_there.get((group.legacy_id, group.named))
    if is_there is not None:
        return is_there
    is_empty = not joined and group.legacy_id not in export.best
    return users[group.named] in joined or (is_empty and group.named in export.with_row)


def _why(named: str) -> str:
    return (
        f"the owner `{named}` is no member of the group" if named else "the export names no owner"
    )


def _look(
    staged: Staged, groups: Sequence[Ownerless], kept: Mapping[str, tuple[str, str]]
) -> _Staged:
    asked = [(each.legacy_id, each.named) for each in groups if each.named]
    asked += [(group, legacy) for group, (_, legacy) in kept.items() if legacy]
    columns = {
        "group_id": pa.array([group for group, _ in asked], pa.string()),
        "user_id": pa.array([user for _, user in asked], pa.string()),
    }
    staged.add("asked_owners", pa.table(columns))
    is_there = {
        (group, user): bool(there)
        for group, user, there in staged.rows(
            "SELECT group_id, user_id, left_at_ms IS NULL FROM members SEMI JOIN asked_owners "
            "USING (group_id, user_id)"
        )
    }
    best = {group: (user, int(how)) for group, user, how in staged.rows(_BEST)}
    empty = [each.legacy_id for each in groups if each.legacy_id not in best]
    staged.add_ids("without_members", (Conversation.group(each).key for each in empty))
    wrote_first = {
        Conversation.parse(key).first: sender for key, sender in staged.rows(_WROTE_FIRST)
    }
    with_row = {user for (user,) in staged.rows(_WITH_ROW)}
    return _Staged(is_there, best, wrote_first, with_row)


_BEST = """
    SELECT group_id, user_id, if(role = 'owner', 0, if(role = 'admin', 1, 2)) AS how
    FROM members WHERE left_at_ms IS NULL
    QUALIFY row_number() OVER (PARTITION BY group_id ORDER BY how, joined_at_ms NULLS LAST, user_id) = 1
"""
_WROTE_FIRST = """
    SELECT conversation, sender_id FROM messages WHERE conversation IN (FROM without_members)
    QUALIFY row_number() OVER (
        PARTITION BY conversation ORDER BY kind <> 'message', sent_at_ms, order_key, message_key
    ) = 1
"""
_WITH_ROW = "SELECT id FROM users WHERE id IN (SELECT user_id FROM asked_owners)"
