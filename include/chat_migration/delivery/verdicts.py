"""What is left to do for a row, by what the plan says of it and what the ledger knows of its parts. Pure."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from chat_migration.ledger.records import Delivery
from chat_migration.ledger.states import DeliveryState
from chat_migration.model import Outcome
from chat_migration.planning.tables import PlannedMessage

Ending = tuple[Outcome, str]
"""The outcome and the reason with which a row ends without a call."""

TOO_LONG = "edit_too_long"
"""The changed message needs more parts than were delivered; nothing can be put between them."""
REFUSED = "edit_refused"
"""The target said no to a change or withdrawal; it is asked again when the content changes again."""
UNANSWERED = "edit_unanswered"
"""Nobody knows whether a change or withdrawal was made; the next run makes it again."""
WITHDRAWN_BEFORE = "withdrawn_before"
"""What was withdrawn in the target cannot come back."""


class Todo(enum.Enum):
    """What is left to do for a row."""

    SEND = "send"
    """Some of it was never delivered."""
    CHANGE = "change"
    """What was delivered has another content now; some of it may still have to be sent."""
    WITHDRAW = "withdraw"
    """What was delivered is deleted now."""


def verdict(row: PlannedMessage, parts: Sequence[Delivery], run_id: str) -> Ending | Todo:
    """Return how a row ends without a call, or what is left to do for it.

    What the ledger has delivered counts before what the plan says: a row that is deleted, emptied or left out now
    may be in the target all the same. A known key whose sender or time differs is no edit but another message:
    ``key_conflict``. Only another source content is an edit; a new renderer or setting is none. ``run_id`` "" is no
    run: nothing is its doing.
    """
    delivered = [each for each in parts if each.state in (S.DELIVERED, S.WITHDRAWN)]
    planned = (Outcome(row.outcome), row.reason) if row.outcome else None
    if (
        parts
        and _is_another(row, parts[0])
        and (planned is None or (delivered and is_deleted(row)))
    ):
        return Outcome.REJECTED, "key_conflict"
    if not delivered:
        return planned or _refused_before(row, parts) or Todo.SEND
    live = live_parts(parts)
    if not live and not is_deleted(row):
        return planned or (Outcome.REJECTED, WITHDRAWN_BEFORE)
    if not live:
        ours = run_id and any(each.changed_run_id == run_id for each in delivered)
        return Outcome.WITHDRAWN if ours else Outcome.ALREADY_IMPORTED, "withdrawn"
    if all(each.reason and each.source_hash == row.source_hash for each in live):
        return Outcome.REJECTED, live[0].reason
    if is_deleted(row):
        return Todo.WITHDRAW
    return _of_delivered(row, parts, live, planned) or _settled(parts, run_id)


def _of_delivered(
    row: PlannedMessage,
    parts: Sequence[Delivery],
    live: Sequence[Delivery],
    planned: Ending | None,
) -> Ending | Todo | None:
    """Return what becomes of a row that is there, wholly or in part; None: it is there as it should be."""
    is_changed = any(each.source_hash != row.source_hash for each in live)
    if planned is not None:
        is_refused = is_changed and planned[0] is Outcome.REJECTED
        return planned if is_refused or not is_complete(parts) else None
    if is_changed:
        return Todo.CHANGE
    if is_complete(parts):
        return None
    return _refused_before(row, parts) or Todo.SEND


def _refused_before(row: PlannedMessage, parts: Sequence[Delivery]) -> Ending | None:
    """Return how a row ends of which the target refused a part, unless its content changed since."""
    for each in parts:
        if each.state is S.REJECTED and each.source_hash == row.source_hash:
            return Outcome.REJECTED, each.reason
    return None


def _settled(parts: Sequence[Delivery], run_id: str) -> Ending:
    """Return how a row ends of which everything is in the target."""
    if run_id and any(each.changed_run_id == run_id for each in parts):
        return Outcome.UPDATED, ""
    if any(each.late for each in parts):
        return Outcome.LATE_APPENDED, "late"
    if run_id and any(each.run_id == run_id for each in parts):
        return Outcome.IMPORTED, "late" if any(each.went_back for each in parts) else ""
    return Outcome.ALREADY_IMPORTED, ""


def _is_another(row: PlannedMessage, known: Delivery) -> bool:
    return (known.sender, known.sent_at_ms) != (row.sender, row.sent_at_ms)


def is_deleted(row: PlannedMessage) -> bool:
    """Tell whether the legacy chat says that a message is deleted."""
    return row.outcome == Outcome.SKIPPED and row.reason == "deleted"


def live_parts(parts: Sequence[Delivery]) -> list[Delivery]:
    """Return the parts that people see, in order."""
    return [each for each in parts if each.state is S.DELIVERED]


def is_complete(parts: Sequence[Delivery]) -> bool:
    """Tell whether every part of a row was delivered into every copy; some may have been withdrawn since."""
    there = {(each.part, each.side) for each in parts if each.state in (S.DELIVERED, S.WITHDRAWN)}
    return bool(parts) and there >= parts[0].pieces


S = DeliveryState
