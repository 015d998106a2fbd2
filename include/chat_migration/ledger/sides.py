"""Counting messages, not copies: a one-to-one message may have a delivery for each of its two participants.

These are conditions of a query over ``deliveries`` that keep one row of each part. A part that has one delivery for
everybody passes without a further look. Made once: building such a condition takes longer than asking it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, and_, func, or_, select

from chat_migration.ledger import schema
from chat_migration.ledger.records import RECIPIENT, SENDER
from chat_migration.ledger.states import DeliveryState


@cache
def are_all_copies(*states: DeliveryState) -> ColumnElement[bool]:
    """Keep one row of each part of which the other copy, if the part has two, is in one of some states too."""
    side = schema.deliveries.c.side
    return or_(side == "", and_(side == SENDER, _state_of_copy(RECIPIENT).in_(states)))


@cache
def is_first_copy(*states: DeliveryState) -> ColumnElement[bool]:
    """Keep one row of each part of which any copy is in one of some states: the sender's, if it is."""
    side = schema.deliveries.c.side
    return or_(side != RECIPIENT, func.coalesce(_state_of_copy(SENDER), "").not_in(states))


@cache
def _state_of_copy(side: str) -> ScalarSelect[Any]:
    # Not EXISTS: for that, PostgreSQL may read the deliveries of a whole app to answer for those of one conversation.
    table = schema.deliveries
    copy = table.alias("copy")
    return (
        select(copy.c.state)
        .where(
            copy.c.app_id == table.c.app_id,
            copy.c.message_key == table.c.message_key,
            copy.c.part == table.c.part,
            copy.c.side == side,
        )
        .correlate(table)
        .scalar_subquery()
    )
