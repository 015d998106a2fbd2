"""What the ledger remembers, as values. Units as in :mod:`chat_migration.ledger.schema`."""

from __future__ import annotations

import msgspec

from chat_migration.ledger.states import DeliveryState, EntityState
from chat_migration.process import ProcessName

SENDER, RECIPIENT = "sender", "recipient"
SIDES = (SENDER, RECIPIENT)
"""Whose copies a one-to-one message has where the target takes one for each of the two."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery of one part of a message as the ledger remembers it.

    Units as in :mod:`chat_migration.ledger.schema`. ``side`` "" is one delivery for everybody; one of :data:`SIDES`
    is that participant's copy, and the other's has a delivery of its own. A row that comes late is either appended
    (``late``) or goes back to its own time, behind which newer ones stand (``went_back``).
    """

    message_key: str
    part: int
    side: str = ""
    parts: int
    conversation: str
    sender: str
    recipient: str = ""
    sent_at_ms: int
    order_key: str
    slot: int
    sequence: int | None = None
    random: int
    source_hash: str
    render_version: int
    late: bool = False
    went_back: bool = False
    state: DeliveryState = DeliveryState.PLANNED
    code: int | None = None
    reason: str = ""
    attempts: int = 0
    run_id: str
    changed_run_id: str = ""

    @property
    def pieces(self) -> frozenset[tuple[int, str]]:
        """Return (part, side) of each delivery that the whole message has."""
        sides = SIDES if self.side else ("",)
        return frozenset((part, side) for part in range(self.parts) for side in sides)


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """The frontier of one conversation."""

    newest_sent_ms: int | None = None
    newest_order: str = ""
    newest_slot: int | None = None
    confirmed_sequence: int = 0
    foreign_slot: int | None = None


class GroupRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A group or topic that the ledger knows."""

    conversation: str
    group_id: str
    topic_id: str = ""
    type: str
    created_s: int
    state: EntityState
    reason: str = ""
    written_hash: str = ""
    run_id: str
    unread_dirty: bool = False
    owner_id: str = ""


class MemberRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A membership that the ledger knows; ``role`` "" is one that only the target knows."""

    state: EntityState
    role: str
    reason: str = ""
    run_id: str = ""


class ReadPosition(msgspec.Struct, frozen=True, kw_only=True):
    """How far one member of a group has read; ``first_unread_ms`` None: everything."""

    group_id: str
    account_id: str
    first_unread_ms: int | None
    first_unread_order: str = ""
    unread_set: int = 0
    run_id: str = ""


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A stage at work, as others see it. ``lease_until_ms`` and ``grace_ms`` as in the table ``workers``."""

    worker_id: str
    run_id: str
    stage: str
    process: ProcessName
    started_at_ms: int
    lease_until_ms: int
    grace_ms: int

    @property
    def free_at_ms(self) -> int:
        """Return when others may take what this worker holds, if it renews its lease no more."""
        return self.lease_until_ms + self.grace_ms
