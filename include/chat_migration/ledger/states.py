"""The life of a delivery, as data.

::

    (new) ──intend──▶ INTENT ──deliver──▶ DELIVERED
                        │ ▲
               release  │ │ intend
             (no effect)▼ │
                      PLANNED
    INTENT ──doubt──▶ IN_DOUBT ──deliver / release / reject──▶ …
    INTENT ──reject─▶ REJECTED          (new) ──reject──▶ REJECTED

INTENT survives only a process that was killed: it reads as "in doubt" to whoever comes next. Keys and slot
stay with a PLANNED delivery: it is sent again under the same ones.
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


S = DeliveryState

ALLOWED: dict[str, tuple[DeliveryState, ...]] = {
    "intend": (S.PLANNED, S.REJECTED),
    "deliver": (S.INTENT, S.IN_DOUBT, S.PLANNED),
    "release": (S.INTENT, S.IN_DOUBT),
    "doubt": (S.INTENT, S.IN_DOUBT),
    "reject": (S.INTENT, S.IN_DOUBT, S.PLANNED),
}
"""From which states a verb may move. PLANNED → DELIVERED: a message found by reading back. REJECTED → INTENT: its
source content changed, or a person asked for it."""

UNRESOLVED = (S.INTENT, S.IN_DOUBT)


class EntityState(enum.StrEnum):
    """Where an account, group, topic or member stands."""

    INTENT = "intent"
    CREATED = "created"
    ADOPTED = "adopted"
    DEFERRED = "deferred"
    REJECTED = "rejected"


UNREAD_UNKNOWN = -1
"""In place of an unread count: messages were sent, so the target may or may not have reset it."""
