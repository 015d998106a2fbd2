"""Whose unread counts a run will set or clear: from what it brings into each group, one small summary a group.

Which calls that takes depends on the first and the last message of somebody else, and on the place up to which a
member has read. Nothing else of the messages is kept.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from chat_migration.ledger.records import Stream
from chat_migration.planning.tables import PlannedGroup, PlannedMember, PlannedMessage
from chat_migration.settings import Settings
from chat_migration.targets.rules import TargetRules

Place = tuple[int, str]
"""When a message was sent, epoch milliseconds, and its order among those of that moment."""


class Arrivals(msgspec.Struct, kw_only=True):
    """What a run brings into one group: the first and the last message, and those of somebody else than their senders.

    ``newest`` is where the newest message stands of what the group held before; None: it held nothing.
    """

    newest: Place | None
    first: tuple[Place, str] | None = None
    first_of_others: tuple[Place, str] | None = None
    last: tuple[Place, str] | None = None
    last_of_others: tuple[Place, str] | None = None

    def add(self, row: PlannedMessage) -> None:
        """Note one message; they come oldest first."""
        here = (row.sent_at_ms, row.order_key), row.sender
        if self.first is None:
            self.first = here
        elif self.first_of_others is None and self.first[1] != row.sender:
            self.first_of_others = here
        if self.last is not None and self.last[1] != row.sender:
            self.last_of_others = self.last
        self.last = here

    def first_for(self, account: str) -> Place | None:
        """Return where the first message stands that is not somebody's own."""
        return _not_by(account, self.first, self.first_of_others)

    def last_for(self, account: str) -> Place | None:
        """Return where the last message stands that is not somebody's own."""
        return _not_by(account, self.last, self.last_of_others)


def _not_by(account: str, *candidates: tuple[Place, str] | None) -> Place | None:
    return next((each[0] for each in candidates if each is not None and each[1] != account), None)


class UnreadForecast:
    """Counts the calls that set or clear unread counts."""

    def __init__(self, settings: Settings, rules: TargetRules) -> None:
        self._rules = rules
        self._clears = not rules.sets_unread and settings.clear_unread != "none"
        self._arrivals: dict[str, Arrivals] = {}
        self._left_alone: set[str] = set()
        self._owners: dict[str, PlannedGroup] = {}

    # --- what arrives ---------------------------------------------------------------------------

    def arrivals(self, conversation: str, stream: Stream) -> Arrivals:
        """Return what to note a conversation's messages in; a live one's counts are left alone."""
        newest = None
        if stream.newest_sent_ms is not None:
            newest = stream.newest_sent_ms, stream.newest_order
        if stream.foreign_slot is not None:
            self._left_alone.add(conversation)
        return self._arrivals.setdefault(conversation, Arrivals(newest=newest))

    def of_pair(self, conversation: str, readers: Iterable[str]) -> int:
        """Return the calls for a one-to-one conversation: one for each reader for whom something arrives."""
        self._arrivals.pop(conversation, None)
        is_live = conversation in self._left_alone
        return len({*readers}) if self._clears and not is_live else 0

    # --- who reads it ---------------------------------------------------------------------------

    def group(self, group: PlannedGroup) -> None:
        """Note a group that will be there, whose owner is a member even where no row says so."""
        if group.type in self._rules.types_without_unread:
            self._left_alone.add(group.conversation)
        if self._clears and group.owner_id:
            self._owners[group.group_id] = group

    def of_member(self, member: PlannedMember, *, there: bool, is_new_group: bool) -> int:
        """Return the calls for one member: one or none. ``there``: they were one before."""
        owned = self._owners.get(member.group_id)
        if owned is not None and owned.owner_id == member.account_id:
            del self._owners[member.group_id]
        if member.conversation in self._left_alone:
            return 0
        arrived = self._arrivals.get(member.conversation) or Arrivals(newest=None)
        position = _position_of(member)
        if not self._rules.sets_unread:
            return int(self._clears and _is_cleared(member.account_id, position, arrived))
        if position is None:
            return 0
        if not is_new_group:
            # Each message resets the counts of its group; older messages may be unread, too.
            return int(not there or arrived.last is not None)
        last = arrived.last_for(member.account_id)
        return int(last is not None and last >= position)

    def of_owners(self) -> int:
        """Return the calls for the owners of whom no row says that they are members."""
        left = self._owners.values()
        nothing = Arrivals(newest=None)
        return sum(
            _is_cleared(each.owner_id, None, self._arrivals.get(each.conversation) or nothing)
            for each in left
            if each.conversation not in self._left_alone
        )


def _position_of(member: PlannedMember) -> Place | None:
    if member.first_unread_ms is None:
        return None
    return member.first_unread_ms, member.first_unread_order


def _is_cleared(account: str, position: Place | None, arrived: Arrivals) -> bool:
    """Tell whether somebody's count is to be cleared: something arrives, and not exactly that should be unread."""
    first = arrived.first_for(account)
    if first is None:
        return False
    if position is None:
        return True
    is_rightly_unread = position <= first and (arrived.newest is None or arrived.newest < position)
    return not is_rightly_unread
