"""Bringing what was delivered to what the source says now: changes and withdrawals of the parts of one row.

Both are made without an intent in the ledger: made twice they cost nothing, so what a killed run leaves behind is
made again, for the whole row, with the same end. The ledger learns of all parts of a row together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from chat_migration.delivery.verdicts import REFUSED, UNANSWERED, is_complete, live_parts
from chat_migration.ledger.moves import Move, change, refuse_change, withdraw
from chat_migration.ledger.records import SIDES, Delivery
from chat_migration.planning.tables import PlannedMessage
from chat_migration.targets.base import Advice, Failure, ItemResult


class Channel(Protocol):
    """How the messages of one conversation are changed and withdrawn, one call at a time."""

    def change(self, delivery: Delivery, body: str, metadata: str) -> ItemResult:
        """Replace what a part says."""

    def withdraw(self, deliveries: Sequence[Delivery]) -> list[ItemResult]:
        """Withdraw parts; ``Done`` says of each that nobody sees it any more."""


class Edit(msgspec.Struct, frozen=True):
    """What becomes of the delivered parts of a row whose content changed."""

    changed: list[tuple[Delivery, str]]
    surplus: list[Delivery]
    parts: int
    """Of how many parts the row consists from now on, those withdrawn included."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """What came of a change or withdrawal: the moves to record, and the parts as they are then.

    ``failure`` and ``reason`` say why the row is not as the source has it.
    """

    moves: list[Move]
    parts: list[Delivery]
    reason: str = ""
    failure: Failure | None = field(default=None)


def edit_of(parts: Sequence[Delivery], bodies: Sequence[str]) -> Edit | None:
    """Return what becomes of the delivered parts of a row that has these bodies now; None: they are too many.

    Of a row that is there as a whole the first parts take the bodies, and the others go. Of a row whose end is not
    there yet each part takes its own body; what is missing can still be sent behind them, but not between them. Of a
    row with a copy for each of two people that holds for each copy.
    """
    is_whole = is_complete(parts)
    changed: list[tuple[Delivery, str]] = []
    surplus: list[Delivery] = []
    for live in _by_side(live_parts(parts)):
        if is_whole:
            if len(bodies) > len(live):
                return None
            changed += zip(live, bodies, strict=False)
            surplus += live[len(bodies) :]
        else:
            if [each.part for each in live] != list(range(len(live))):
                return None
            changed += [(each, bodies[each.part]) for each in live if each.part < len(bodies)]
            surplus += [each for each in live if each.part >= len(bodies)]
    return Edit(changed, surplus, parts[0].parts if is_whole else len(bodies))


def _by_side(live: Sequence[Delivery]) -> Iterator[list[Delivery]]:
    """Yield the parts of each copy, the sender's first."""
    for side in ("", *SIDES):
        copy = [each for each in live if each.side == side]
        if copy:
            yield copy


def make_edit(
    channel: Channel,
    row: PlannedMessage,
    parts: Sequence[Delivery],
    edit: Edit,
    *,
    render_version: int,
    run_id: str,
) -> Made:
    """Change the parts that stay, then withdraw the others; the first refusal ends it.

    A retry makes all calls of the row again.
    """
    moves: list[Move] = []
    for delivery, body in edit.changed:
        answer = channel.change(delivery, body, row.metadata)
        if isinstance(answer, Failure):
            return _refused(row, parts, live_parts(parts), answer)
        moves.append(
            change(
                msgspec.structs.replace(delivery, parts=edit.parts),
                source_hash=row.source_hash,
                render_version=render_version,
                run_id=run_id,
            )
        )
    return _withdrawn(channel, row, parts, edit.surplus, moves=moves, run_id=run_id)


def make_withdrawal(
    channel: Channel, row: PlannedMessage, parts: Sequence[Delivery], *, run_id: str
) -> Made:
    """Withdraw all parts that people still see."""
    return _withdrawn(channel, row, parts, live_parts(parts), moves=[], run_id=run_id)


def _withdrawn(
    channel: Channel,
    row: PlannedMessage,
    parts: Sequence[Delivery],
    unwanted: list[Delivery],
    *,
    moves: list[Move],
    run_id: str,
) -> Made:
    results = channel.withdraw(unwanted) if unwanted else []
    failed: list[Failure] = []
    refused: list[Delivery] = []
    for delivery, result in zip(unwanted, results, strict=True):
        if isinstance(result, Failure):
            failed.append(result)
            refused.append(delivery)
        else:
            moves.append(withdraw(delivery, source_hash=row.source_hash, run_id=run_id))
    if not failed:
        return Made(moves=moves, parts=_after(parts, moves))
    gone = [move for move in moves if move.verb == "withdraw"]
    now = _after(parts, gone)
    # One that may pass keeps the row open: the next run asks again for all of it.
    worst = next((each for each in failed if _is_passing(each)), failed[0])
    return _refused(row, now, live_parts(now), worst, gone)


def _refused(
    row: PlannedMessage,
    parts: Sequence[Delivery],
    live: list[Delivery],
    failed: Failure,
    moves: Sequence[Move] = (),
) -> Made:
    """Leave a row as it is; what was refused for good is remembered with the content that was refused."""
    if _is_passing(failed):
        return Made(moves=[*moves], parts=[*parts], reason=UNANSWERED, failure=failed)
    refused = [
        refuse_change(each, source_hash=row.source_hash, code=failed.code, reason=REFUSED)
        for each in live
    ]
    return Made(
        moves=[*moves, *refused], parts=_after(parts, refused), reason=REFUSED, failure=failed
    )


def _is_passing(failed: Failure) -> bool:
    """Tell whether a failure says nothing of the message itself: asking again later may help."""
    return failed.advice in (Advice.TRY_AGAIN, Advice.SLOW_DOWN)


def _after(parts: Sequence[Delivery], moves: Sequence[Move]) -> list[Delivery]:
    """Return the parts of a row after some moves."""
    moved = {(move.delivery.part, move.delivery.side): move.delivery for move in moves}
    return [moved.get((each.part, each.side), each) for each in parts]
