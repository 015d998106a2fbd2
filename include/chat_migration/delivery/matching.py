"""Recognising our own messages in what a target reads back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count

import msgspec

from chat_migration.delivery.context import Tools
from chat_migration.keys import vendor_random
from chat_migration.model import Conversation
from chat_migration.planning.tables import MessageReader, PlannedMessage
from chat_migration.targets.base import Failure, GroupAddress, StoredMessage

CANDIDATES = 3
"""How many ``Random`` candidates of a message are tried: a second collision in one group is one in 2^64."""
_PAGE_LIMIT = 1_000_000


class Match(msgspec.Struct, frozen=True):
    """A message in the target that is part ``part`` of a planned row."""

    row: PlannedMessage
    part: int
    stored: StoredMessage


def read_back(tools: Tools, address: GroupAddress, *, above: int) -> list[StoredMessage]:
    """Return what the target holds of a conversation with a sequence greater than ``above``, oldest first.

    Raises:
        StoppedError: the target does not answer.
    """
    found: dict[int, StoredMessage] = {}
    below: int | None = None
    for _ in range(_PAGE_LIMIT):
        page = tools.caller.call(
            "group_msg_get_simple",
            lambda below=below: tools.target.read_group(address, below=below),  # type: ignore[misc]
        )
        if isinstance(page, Failure):
            raise tools.caller.stop_error(page)
        newer = [
            each for each in page.messages if each.sequence > above and each.sequence not in found
        ]
        found |= {each.sequence: each for each in newer}
        oldest = min((each.sequence for each in page.messages), default=0)
        if not page.more or not newer or oldest <= above + 1:
            break
        below = oldest - 1
    return [found[sequence] for sequence in sorted(found)]


def match_rows(rows: Iterable[PlannedMessage], stored: Sequence[StoredMessage]) -> Iterator[Match]:
    """Yield those planned parts that are among some messages read back, in the rows' order.

    Sender and ``Random`` must be the same, and the message may not stand before its own second. A row that is
    deleted or shorter now may have been sent in more parts. Memory grows with the messages read back, never with
    the rows.
    """
    wanted = {(each.sender, each.random): each for each in stored}
    for row in rows:
        for part in count():
            if not wanted:
                return
            found = _part_among(wanted, row, part)
            if found is not None:
                yield Match(row, part, found)
            elif part >= max(0, len(row.bodies) - 1):
                break


def _part_among(
    wanted: dict[tuple[str, int], StoredMessage], row: PlannedMessage, part: int
) -> StoredMessage | None:
    """Take the message that is a part of a row out of those that are wanted."""
    for candidate in range(CANDIDATES):
        name = (row.sender, vendor_random(row.message_key, part, candidate))
        found = wanted.get(name)
        if found is not None and found.slot >= row.sent_at_ms // 1000:
            return wanted.pop(name)
    return None


def matches_plan(tools: Tools, conversation: str) -> bool:
    """Tell whether the newest messages of an existing group are planned ones of ours."""
    place = next(
        (each for each in tools.plan.conversations() if each.conversation == conversation), None
    )
    if place is None:
        return False
    kind = Conversation.parse(conversation).kind
    reader = MessageReader(
        tools.plan.messages_path("direct" if kind == "direct" else "group", place.shard)
    )
    try:
        address = GroupAddress(place.group_id, place.topic_id)
        page = tools.caller.call(
            "group_msg_get_simple",
            lambda: tools.target.read_group(address, below=None),
        )
        if isinstance(page, Failure):
            raise tools.caller.stop_error(page)
        return next(match_rows(reader.rows(place), page.messages), None) is not None
    finally:
        reader.close()
