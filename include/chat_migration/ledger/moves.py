"""The moves of a delivery: each verb says what happened, the ledger applies several of them together."""

from __future__ import annotations

from typing import Any

import msgspec

from chat_migration.ledger.records import Delivery
from chat_migration.ledger.states import DeliveryState


class Move(msgspec.Struct, frozen=True):
    """One move of one delivery; build it with the verbs below."""

    verb: str
    delivery: Delivery


def intend(delivery: Delivery, run_id: str) -> Move:
    """Say that this part is about to be sent."""
    return Move(
        "intend",
        _with(delivery, state=DeliveryState.INTENT, attempts=delivery.attempts + 1, run_id=run_id),
    )


def deliver(delivery: Delivery, *, sequence: int | None = None, run_id: str = "") -> Move:
    """Say that this part is in the target; ``sequence`` None keeps the one that we chose."""
    return Move(
        "deliver",
        _with(
            delivery,
            state=DeliveryState.DELIVERED,
            sequence=delivery.sequence if sequence is None else sequence,
            run_id=run_id or delivery.run_id,
            code=None,
            reason="",
        ),
    )


def release(delivery: Delivery, *, code: int | None, reason: str) -> Move:
    """Say that the call had no effect: it may be sent again under the same keys."""
    return Move("release", _with(delivery, state=DeliveryState.PLANNED, code=code, reason=reason))


def doubt(delivery: Delivery, *, code: int | None, reason: str) -> Move:
    """Say that nobody knows yet whether this part arrived."""
    return Move("doubt", _with(delivery, state=DeliveryState.IN_DOUBT, code=code, reason=reason))


def reject(delivery: Delivery, *, code: int | None, reason: str) -> Move:
    """Say that the target refused this part for good."""
    return Move("reject", _with(delivery, state=DeliveryState.REJECTED, code=code, reason=reason))


def change(delivery: Delivery, *, source_hash: str, render_version: int, run_id: str) -> Move:
    """Say that the target now shows the part as the source has it; ``source_hash`` is of that content."""
    return Move(
        "change",
        _with(
            delivery,
            source_hash=source_hash,
            render_version=render_version,
            changed_run_id=run_id,
            code=None,
            reason="",
        ),
    )


def refuse_change(delivery: Delivery, *, source_hash: str, code: int | None, reason: str) -> Move:
    """Say that the target refused to change or withdraw this part for good; it stays as it was.

    No run asks again for this content: ``source_hash`` is that of what was refused.
    """
    return Move("refuse_change", _with(delivery, source_hash=source_hash, code=code, reason=reason))


def withdraw(delivery: Delivery, *, source_hash: str, run_id: str) -> Move:
    """Say that nobody sees this part any more; its group's unread counts are to be looked at."""
    return Move(
        "withdraw",
        _with(
            delivery,
            state=DeliveryState.WITHDRAWN,
            source_hash=source_hash,
            changed_run_id=run_id,
            code=None,
            reason="",
        ),
    )


def _with(delivery: Delivery, **changes: Any) -> Delivery:
    return msgspec.structs.replace(delivery, **changes)
