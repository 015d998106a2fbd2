"""What becomes of each message row, as far as the row and the target's rules alone decide it."""

from __future__ import annotations

from typing import Any

import msgspec

from chat_migration.model import Custom, Element, Face, Location, Outcome, Text
from chat_migration.planning.tables import PlannedConversation, PlannedMessage
from chat_migration.settings import Settings
from chat_migration.targets.rules import TargetRules, Unsendable

_ELEMENTS = msgspec.json.Decoder(tuple[Element, ...])
_FIRST_SECOND_MS = 2000
"""The earliest time that a message can bear: its group must have been created before it, after the epoch."""

COLUMNS = (
    "conversation", "sent_at_ms", "order_key", "message_key", "id", "sender_id", "recipient_id", "kind",
    "elements", "reply_to", "deleted_at_ms", "extra", "source_hash", "file", "line",
    "is_carried",
)  # fmt: skip
"""The staged columns that planning reads, in this order."""


class StagedMessage(msgspec.Struct, frozen=True):
    """One staged message row; the fields are :data:`COLUMNS`."""

    conversation: str
    sent_at_ms: int
    order_key: str
    message_key: str
    id: str
    sender_id: str
    recipient_id: str
    kind: str
    elements: str
    reply_to: str
    deleted_at_ms: int | None
    extra: str
    source_hash: str
    file: str
    line: int
    is_carried: bool = False
    """An earlier run deferred it."""


Blocked = tuple[str, str, str, str]
"""(outcome, reason, detail, advice) of a conversation that is not sent at all; all empty for one that is."""


class MessagePlanner:
    """Plans the rows of one conversation after the other, oldest first."""

    def __init__(self, rules: TargetRules, settings: Settings, users: dict[str, str]) -> None:
        self._rules, self._settings, self._users = rules, settings, users
        self._second, self._rank = (("", 0), 0)

    def plan(
        self,
        row: StagedMessage,
        conversation: PlannedConversation,
        blocked: Blocked,
        *,
        as_unread: bool,
    ) -> PlannedMessage:
        """Return the plan of one row; ``blocked`` is how its whole conversation ends, if it does."""
        rank = self._next_rank(row)
        bodies: list[str] = []
        metadata = ""
        outcome, reason, detail, advice = blocked
        if not outcome:
            outcome, reason, detail = self._without_call(row)
        if not outcome:
            try:
                bodies, metadata = self._render(row, direct=conversation.kind == "direct")
            except Unsendable as refused:
                outcome, reason, detail = Outcome.REJECTED, refused.reason, refused.detail
                advice = refused.advice
        return PlannedMessage(
            conversation=row.conversation,
            message_key=row.message_key,
            legacy_id=row.id,
            sender=self._users[row.sender_id],
            recipient=self._users[row.recipient_id] if row.recipient_id else "",
            sent_at_ms=row.sent_at_ms,
            order_key=row.order_key,
            source_hash=row.source_hash,
            rank=rank,
            as_unread=as_unread,
            bodies=bodies,
            metadata=metadata,
            outcome=outcome,
            reason=reason,
            detail=detail,
            advice=advice,
            file=row.file,
            line=row.line,
        )

    def _next_rank(self, row: StagedMessage) -> int:
        second = (row.conversation, row.sent_at_ms // 1000)
        self._rank = self._rank + 1 if second == self._second else 0
        self._second = second
        return self._rank

    def _without_call(self, row: StagedMessage) -> tuple[str, str, str]:
        """Return how a row ends that is never sent, or ("", "", "")."""
        if row.deleted_at_ms is not None:
            return Outcome.SKIPPED, "deleted", "deleted in the legacy chat"
        if row.kind == "system" and self._settings.system_messages == "skip":
            return Outcome.SKIPPED, "system_message", "a notice, not a message"
        if row.sent_at_ms < _FIRST_SECOND_MS:
            return Outcome.REJECTED, "before_1970", "the target has no times before 1970"
        return "", "", ""

    def _render(self, row: StagedMessage, *, direct: bool) -> tuple[list[str], str]:
        elements = tuple(each for each in _ELEMENTS.decode(row.elements) if not _is_empty(each))
        if not elements:
            raise Unsendable("empty", "the row holds no text and no elements")
        split = self._settings.oversize_text == "split"
        given: dict[str, Any] = {"reply_to": row.reply_to, "extra": row.extra, "split": split}
        if direct:
            return self._rules.direct_bodies(elements, **given)
        return self._rules.group_bodies(elements, **given), ""


def _is_empty(element: Element) -> bool:
    match element:
        case Text():
            return not element.text.strip()
        case Custom():
            return not (element.data or element.description or element.extension)
        case Face() | Location():
            return False
        case _:
            return not element.url
