"""The life of a delivery, as data.

::

    (new) ──intend──▶ INTENT ──deliver──▶ DELIVERED
                        │ ▲
               release  │ │ intend
             (no effect)▼ │
                      PLANNED
    INTENT ──doubt──▶ IN_DOUBT ──deliver / release / reject──▶ …
    INTENT ──reject─▶ REJECTED          (new) ──reject──▶ REJECTED
    DELIVERED ──change / refuse_change──▶ DELIVERED ──withdraw──▶ WITHDRAWN

INTENT survives only a process that was killed: it reads as "in doubt" to whoever comes next. Keys and slot
stay with a PLANNED delivery: it is sent again under the same ones. A change or withdrawal needs no intent: making
it twice costs nothing. WITHDRAWN is the end: keys, slot and sequence stay taken, in the target too.
"""

from __future__ import annotations

import enum


class DeliveryState(enum.StrEnum):
    """Where one part of a message stands."""

    PLANNED = "planned"
    INTENT = "intent"
    IN_DOUBT = "in_doubt"
    DELIVERED = "delivered"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


S = DeliveryState

ALLOWED: dict[str, tuple[DeliveryState, ...]] = {
    "intend": (S.PLANNED, S.REJECTED),
    "deliver": (S.INTENT, S.IN_DOUBT, S.PLANNED),
    "release": (S.INTENT, S.IN_DOUBT),
    "doubt": (S.INTENT, S.IN_DOUBT),
    "reject": (S.INTENT, S.IN_DOUBT, S.PLANNED),
    "change": (S.DELIVERED,),
    "refuse_change": (S.DELIVERED,),
    "withdraw": (S.DELIVERED,),
}
"""From which states a verb may move. PLANNED → DELIVERED: a message found by reading back. REJECTED → INTENT: its
source content changed, or a person asked for it."""

BEGINNING = ("intend", "deliver", "reject")
"""The verbs that a message may begin with: a call that was never made has neither no effect nor an unknown one."""

UNRESOLVED = (S.INTENT, S.IN_DOUBT)


class EntityState(enum.StrEnum):
    """Where an account, group, topic or member stands."""

    INTENT = "intent"
    CREATED = "created"
    ADOPTED = "adopted"
    DEFERRED = "deferred"
    REJECTED = "rejected"
    LEFT = "left"


UNREAD_UNKNOWN = -1
"""In place of an unread count: messages were sent, so the target may or may not have reset it."""
