"""Read positions of members whose unread count reaches back behind what the run's own extract holds.

The extract says how many messages are unread, not where the first of them stands. Here it is looked up: the n-th
newest message not by that member, by true time, over what earlier runs dealt with (the ledger) and the run's own
rows together. That is the place which one run over the whole export would have found, but for messages older than
the window that were refused before anything was sent: no ledger remembers those.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from itertools import groupby
from typing import Any, Protocol

from chat_migration.model import Conversation
from chat_migration.planning.staged import Staged

Place = tuple[int, str]
"""(``sent_at_ms``, ``order_key``) of a message."""
Member = tuple[str, str]
"""(legacy group id, legacy user id)."""
BEFORE_ALL: Place = (0, "")
"""The position of a member who has read nothing."""


class History(Protocol):
    """What earlier runs dealt with; a ledger is one."""

    def newest_places(self, conversation: str) -> Iterator[tuple[int, int, str, str, str]]:
        """Yield (slot, ``sent_at_ms``, ``order_key``, sender, message key) of each message, the newest slot first.

        No message's slot is before that of its true time.
        """


_PENDING = """
    SELECT group_id, user_id, unread_count FROM members
    WHERE unread_count > 0 AND first_unread_ms IS NULL AND left_at_ms IS NULL ORDER BY group_id
"""
_ROWS = """
    SELECT conversation, sent_at_ms, order_key, sender_id, message_key, kind = 'message' AND deleted_at_ms IS NULL
    FROM messages WHERE conversation IN (FROM pending_conversations) ORDER BY conversation
"""


def counted_positions(
    staged: Staged, history: History, users: dict[str, str], *, slot_ms: int
) -> dict[Member, Place]:
    """Return the positions of the members of whom only a count is known.

    ``users`` is legacy id → account id, as senders stand in the history; ``slot_ms`` how long its slots are.
    """
    pending: dict[str, dict[str, int]] = defaultdict(dict)
    if not staged.has_column("members", "unread_count"):
        return {}
    for group, user, count in staged.rows(_PENDING):
        pending[Conversation.group(group).key][user] = count
    staged.add_ids("pending_conversations", pending)
    found: dict[Member, Place] = {}
    with_rows: set[str] = set()
    for key, rows in groupby(staged.rows(_ROWS), key=lambda row: row[0]):
        with_rows.add(key)
        found |= _of_group(key, pending[key], history, users, list(rows), slot_ms=slot_ms)
    for key in pending.keys() - with_rows:
        found |= _of_group(key, pending[key], history, users, [], slot_ms=slot_ms)
    return found


def _of_group(
    key: str,
    counts: dict[str, int],
    history: History,
    users: dict[str, str],
    rows: list[tuple[Any, ...]],
    *,
    slot_ms: int,
) -> dict[Member, Place]:
    """Return the positions of one group's members."""
    group, accounts = Conversation.parse(key).first, {users[user]: user for user in counts}
    wanted = {account: counts[user] for account, user in accounts.items()}
    ours = {row[4] for row in rows}
    own = [
        ((sent, order), users[sender])
        for _, sent, order, sender, _, is_counted in rows
        if is_counted
    ]
    earlier = (each for each in history.newest_places(key) if each[4] not in ours)
    places = nth_newest_of_others(newest_first(own, earlier, slot_ms), wanted)
    return {(group, accounts[account]): place for account, place in places.items()}


def nth_newest_of_others(
    rows: Iterable[tuple[Place, str]], wanted: dict[str, int]
) -> dict[str, Place]:
    """Return account → the place of the n-th newest message that is not its own, of rows from the newest on.

    Who has no more than n such messages has read nothing: before all. So one message more is looked for. ``due``
    has, by number of rows seen, the accounts that are done then; an own message puts one off by one.
    """
    found = dict.fromkeys(wanted, BEFORE_ALL)
    at = {account: count + 1 for account, count in wanted.items()}
    due: dict[int, set[str]] = defaultdict(set)
    for account, number in at.items():
        due[number].add(account)
    passed: list[tuple[Place, str]] = []
    for seen, (place, sender) in enumerate(rows, 1):
        if sender in at:
            due[at[sender]].discard(sender)
            at[sender] += 1
            due[at[sender]].add(sender)
        for account in due.pop(seen, ()):
            found[account] = next(where for where, by in reversed(passed) if by != account)
            del at[account]
        if not at:
            break
        passed.append((place, sender))
    return found


def newest_first(
    own: Iterable[tuple[Place, str]],
    earlier: Iterator[tuple[int, int, str, str, str]],
    slot_ms: int,
) -> Iterator[tuple[Place, str]]:
    """Merge rows by true time, newest first, reading no more of the earlier ones than needed.

    All that is still to come stands in a slot at or before that of the last one read, and was sent no later.
    """
    heap = [_Newest(place, sender) for place, sender in own]
    heapify(heap)
    for slot, sent, order, sender, _ in earlier:
        while heap and heap[0].place[0] // slot_ms > slot:
            yield heappop(heap).row
        heappush(heap, _Newest((sent, order), sender))
    while heap:
        yield heappop(heap).row


class _Newest:
    """A row in a heap whose first is the newest."""

    __slots__ = ("place", "sender")

    def __init__(self, place: Place, sender: str) -> None:
        self.place, self.sender = place, sender

    def __lt__(self, other: _Newest) -> bool:
        return self.place > other.place

    @property
    def row(self) -> tuple[Place, str]:
        """Return (place, sender)."""
        return self.place, self.sender
