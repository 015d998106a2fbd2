"""Recognising our own messages in what a target reads back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count

import msgspec

from chat_migration.delivery.context import Tools
from chat_migration.delivery.pages import all_pages
from chat_migration.delivery.rows import new_delivery
from chat_migration.keys import vendor_random
from chat_migration.ledger.moves import Move, deliver, intend, withdraw
from chat_migration.ledger.records import Delivery
from chat_migration.ledger.states import DeliveryState
from chat_migration.model import Conversation
from chat_migration.planning.tables import MessageReader, PlannedMessage
from chat_migration.targets.base import (
    Advice,
    Effect,
    Failure,
    GroupAddress,
    Mark,
    Page,
    StoredMessage,
)
from chat_migration.targets.rules import TargetRules
from chat_migration.targets.verbs import Verb

CANDIDATES = 3
"""How many ``Random`` candidates of a message are tried: a second collision in one group is one in 2^64."""


class Match(msgspec.Struct, frozen=True):
    """A message in the target that is part ``part`` of a planned row."""

    row: PlannedMessage
    part: int
    stored: StoredMessage


def pages_of(
    tools: Tools, address: GroupAddress, *, since: Mark, priority: int = 0
) -> Iterator[Page | Failure]:
    """Return the pages of a conversation, newest first; the failure of one is the last.

    Raises:
        StoppedError: the target does not answer, or its pages never end.
    """
    return all_pages(
        lambda cursor: tools.caller.call(
            Verb.READ_GROUP,
            lambda: tools.target.read_group(address, since=since, cursor=cursor),
            priority=priority,
        ),
        lambda: tools.caller.stop_error(_never_ending(tools)),
    )


def read_back(
    tools: Tools, address: GroupAddress, *, since: Mark
) -> Iterator[Sequence[StoredMessage]]:
    """Yield what the target holds of a conversation above a mark's sequence, page by page, the newest first.

    A page may repeat messages of the one before. Down to an old message there may be a whole history: keep what is
    asked for, not the pages.

    Raises:
        StoppedError: the target does not answer.
    """
    for page in pages_of(tools, address, since=since):
        if isinstance(page, Failure):
            raise tools.caller.stop_error(page)
        yield [each for each in page.messages if each.sequence > since.sequence]


def match_rows(
    rows: Iterable[PlannedMessage], stored: Sequence[StoredMessage], rules: TargetRules
) -> Iterator[Match]:
    """Yield those planned parts that are among some messages read back, in the rows' order.

    Sender and ``Random`` must be the same, and the message may not stand before its own slot. A row that is
    deleted or shorter now may have been sent in more parts. Memory grows with the messages read back, never with
    the rows.
    """
    wanted = {(each.sender, each.random): each for each in stored if each.random}
    for row in rows:
        for part in count():
            if not wanted:
                return
            found = _part_among(wanted, row, part, rules)
            if found is not None:
                yield Match(row, part, found)
            elif part >= max(0, len(row.bodies) - 1):
                break


def _part_among(
    wanted: dict[tuple[str, int], StoredMessage],
    row: PlannedMessage,
    part: int,
    rules: TargetRules,
) -> StoredMessage | None:
    """Take the message that is a part of a row out of those that are wanted."""
    for candidate in range(CANDIDATES):
        random = vendor_random(row.message_key, part, candidate, bits=rules.random_bits)
        found = wanted.get((row.sender, random))
        if found is not None and found.slot >= row.sent_at_ms // rules.slot_ms:
            return wanted.pop((row.sender, random))
    return None


def is_nameless(stored: StoredMessage) -> bool:
    """Tell whether nothing says which message this was: it may be one of ours or not."""
    return stored.is_bare or (stored.random == 0 and (stored.withdrawn or stored.placeholder))


def with_numbers(
    stored: Sequence[StoredMessage], sent: Iterable[Delivery], rules: TargetRules
) -> Sequence[StoredMessage]:
    """Return messages with the numbers of what was sent, where only sender and slot are left to tell which they are.

    No two messages of ours share both.
    """
    if not rules.may_lose_numbers:
        return stored
    numbers = {(each.sender, each.slot): each.random for each in sent}
    return [
        msgspec.structs.replace(each, random=numbers.get((each.sender, each.slot), 0))
        if each.random == 0 and not is_nameless(each)
        else each
        for each in stored
    ]


def recognised(
    row: PlannedMessage,
    part: int,
    stored: StoredMessage,
    tried: Delivery | None,
    *,
    parts: int,
    rules: TargetRules,
    side: str = "",
) -> list[Move]:
    """Return the moves that let the ledger know of a part that is in the target.

    What the ledger ``tried`` to send it knows the content of; of anything else the source's content is taken to be the
    one that is there, unless it was sent in fewer or more ``parts`` than that has.
    """
    if tried is not None:
        delivery = msgspec.structs.replace(tried, slot=stored.slot)
    else:
        delivery = new_delivery(
            row,
            part,
            side=side,
            slot=stored.slot,
            random=stored.random,
            render_version=rules.render_version,
            run_id="",
            parts=parts,
        )
        if parts != len(row.bodies):
            delivery = msgspec.structs.replace(delivery, source_hash="")
    is_refused = delivery.state is DeliveryState.REJECTED
    moves = [intend(delivery, delivery.run_id)] if is_refused else []
    there = deliver(delivery, sequence=stored.sequence)
    moves.append(there)
    if stored.withdrawn:
        moves.append(withdraw(there.delivery, source_hash=delivery.source_hash, run_id=""))
    return moves


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
        page = next(pages_of(tools, address, since=Mark()))
        if isinstance(page, Failure):
            raise tools.caller.stop_error(page)
        found = match_rows(reader.rows(place), page.messages, tools.rules)
        return next(found, None) is not None
    finally:
        reader.close()


def _never_ending(tools: Tools) -> Failure:
    return Failure(
        api=tools.rules.api_of[Verb.READ_GROUP],
        code=None,
        text="its pages never end",
        advice=Advice.READ_BACK,
        effect=Effect.NONE,
    )
