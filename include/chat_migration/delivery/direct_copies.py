"""The copies of a one-to-one message: whose they are, and by what each is known in the target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chat_migration.ledger.records import RECIPIENT, SENDER, SIDES, Delivery
from chat_migration.ledger.states import DeliveryState
from chat_migration.planning.tables import PlannedMessage
from chat_migration.targets.base import DirectKey, StoredMessage
from chat_migration.targets.rules import TargetRules

_THERE = (DeliveryState.DELIVERED, DeliveryState.WITHDRAWN)


def sides_of(row: PlannedMessage, rules: TargetRules) -> tuple[str, ...]:
    """Return into whose copies a row is sent, in this order; "": one message for both people."""
    has_two = rules.direct_copies == len(SIDES) and row.sender != row.recipient
    return SIDES if has_two else ("",)


def viewer_of(delivery: Delivery) -> str:
    """Return the account whose copy a delivery is, "" where there is one for both."""
    if delivery.side == RECIPIENT:
        return delivery.recipient
    is_for_both = not delivery.side and delivery.sender != delivery.recipient
    return "" if is_for_both else delivery.sender


def side_of(stored: StoredMessage, viewer: str) -> str:
    """Return which copy of a message is the one that a person sees."""
    return SENDER if stored.sender == viewer else RECIPIENT


def key_of(delivery: Delivery) -> DirectKey:
    """Return by what a part, or one copy of it, is known in the target."""
    return DirectKey(
        sender=delivery.sender,
        recipient=delivery.recipient,
        slot=delivery.slot,
        sequence=delivery.sequence or 0,
        random=delivery.random,
        viewer=viewer_of(delivery),
    )


def senders_first(deliveries: Iterable[Delivery]) -> list[Delivery]:
    """Return deliveries by part, of each part the sender's copy before the recipient's."""
    return sorted(deliveries, key=lambda each: (each.part, each.side == RECIPIENT))


def told_of_copies(known: Sequence[Delivery]) -> str:
    """Return for people which copies of a message are there, "" if all or none of them are."""
    there = {each.side for each in known if each.state in _THERE and each.side}
    missing = {each.side for each in known if each.state not in _THERE and each.side}
    if not there or not missing:
        return ""
    if there == {SENDER}:
        return "the sender's copy is there, the recipient's is not"
    if there == {RECIPIENT}:
        return "the recipient's copy is there, the sender's is not"
    return "some parts of the copies are there"
