"""What is left to do for a row, and how it ends without a call, by what the ledger knows of its parts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from chat_migration.delivery.rows import new_delivery
from chat_migration.delivery.verdicts import Ending, Todo, is_complete, live_parts, verdict
from chat_migration.ledger.records import Delivery
from chat_migration.ledger.states import DeliveryState
from chat_migration.planning.tables import PlannedMessage

PLANNED, INTENT, IN_DOUBT, DELIVERED, REJECTED, WITHDRAWN = (
    DeliveryState.PLANNED, DeliveryState.INTENT, DeliveryState.IN_DOUBT, DeliveryState.DELIVERED,
    DeliveryState.REJECTED, DeliveryState.WITHDRAWN,
)  # fmt: skip
ROW = PlannedMessage(
    conversation="group:g", message_key="k", legacy_id="m-1", sender="ada", recipient="",
    sent_at_ms=5000, order_key="0", source_hash="h1", rank=0, as_unread=False,
    bodies=["[]", "[]"], metadata="", outcome="", reason="", detail="", advice="", file="f", line=7,
)  # fmt: skip
SEND, CHANGE, WITHDRAW = Todo.SEND, Todo.CHANGE, Todo.WITHDRAW


def planned(outcome: str, reason: str, source_hash: str = "h1") -> PlannedMessage:
    return msgspec.structs.replace(
        ROW, bodies=[], outcome=outcome, reason=reason, source_hash=source_hash
    )


DELETED = planned("skipped", "deleted", "h9")


def parts(*states: DeliveryState, **changes: Any) -> list[Delivery]:
    made = [
        new_delivery(ROW, part, slot=5 + part, random=1, render_version=1, run_id="old")
        for part in range(len(states))
    ]
    return [
        msgspec.structs.replace(each, state=state, **changes)
        for each, state in zip(made, states, strict=True)
    ]


def there(**changes: Any) -> list[Delivery]:
    """Return a row of which both parts are there."""
    return parts(DELIVERED, DELIVERED, **changes)


def gone(**changes: Any) -> list[Delivery]:
    return parts(WITHDRAWN, WITHDRAWN, **changes)


def shortened(**changes: Any) -> list[Delivery]:
    """Return a row whose second part an edit has withdrawn."""
    return parts(DELIVERED, WITHDRAWN, **changes)


NEVER_CHANGED = [
    pytest.param([], SEND, id="never-seen"),
    pytest.param(there(), ("already_imported", ""), id="an-earlier-run"),
    pytest.param(there(run_id="now"), ("imported", ""), id="this-run"),
    pytest.param(
        parts(DELIVERED) + parts(PLANNED, DELIVERED, run_id="now")[1:],
        ("imported", ""),
        id="finished-now",
    ),
    pytest.param(there(late=True), ("late_appended", "late"), id="late"),
    pytest.param(there(went_back=True), ("already_imported", ""), id="late-at-its-time"),
    pytest.param(there(went_back=True, run_id="now"), ("imported", "late"), id="late-now"),
    pytest.param(parts(DELIVERED, PLANNED, went_back=True), SEND, id="late-and-half-sent"),
    pytest.param(parts(DELIVERED), SEND, id="one-of-two-parts"),
    pytest.param(parts(DELIVERED, PLANNED), SEND, id="one-to-be-sent"),
    pytest.param(parts(INTENT, PLANNED), SEND, id="killed"),
    pytest.param(parts(DELIVERED, IN_DOUBT), SEND, id="in-doubt"),
    pytest.param(
        parts(DELIVERED) + parts(PLANNED, REJECTED, reason="poison")[1:],
        ("rejected", "poison"),
        id="rejected",
    ),
    pytest.param(parts(REJECTED, source_hash="h0"), SEND, id="rejected-and-edited-since"),
    pytest.param(parts(DELIVERED, sender="bob"), ("rejected", "key_conflict"), id="another-sender"),
    pytest.param(parts(PLANNED, sent_at_ms=5001), ("rejected", "key_conflict"), id="another-time"),
]
CHANGED = [
    pytest.param(there(source_hash="h0"), CHANGE, id="edited"),
    pytest.param(
        there(source_hash="h0")[:1] + there()[1:], CHANGE, id="edited-and-changed-in-part"
    ),
    pytest.param(there(source_hash="h0", late=True), CHANGE, id="edited-and-late"),
    pytest.param(parts(DELIVERED, PLANNED, source_hash="h0"), CHANGE, id="edited-before-its-end"),
    pytest.param(there(render_version=0), ("already_imported", ""), id="another-renderer"),
    pytest.param(there(changed_run_id="now"), ("updated", ""), id="updated-now"),
    pytest.param(there(changed_run_id="now", late=True), ("updated", ""), id="late-and-updated"),
    pytest.param(there(changed_run_id="old"), ("already_imported", ""), id="updated-before"),
    pytest.param(there(reason="edit_refused"), ("rejected", "edit_refused"), id="refused"),
    pytest.param(
        there(reason="edit_refused", source_hash="h0"), CHANGE, id="refused-and-edited-again"
    ),
    pytest.param(shortened(), ("already_imported", ""), id="shortened-before"),
    pytest.param(shortened(changed_run_id="now"), ("updated", ""), id="shortened-now"),
    pytest.param(shortened(source_hash="h0"), CHANGE, id="shortened-and-edited-again"),
    pytest.param(gone(source_hash="h9"), ("rejected", "withdrawn_before"), id="there-again"),
    pytest.param(gone(changed_run_id="now"), ("rejected", "withdrawn_before"), id="same-run"),
    pytest.param(
        parts(WITHDRAWN, PLANNED), ("rejected", "withdrawn_before"), id="half-sent-then-withdrawn"
    ),
    pytest.param(
        there(source_hash="h0", sender="bob"), ("rejected", "key_conflict"), id="conflict-first"
    ),
]


@pytest.mark.parametrize(("known", "found"), [*NEVER_CHANGED, *CHANGED])
def test_a_row_that_may_be_sent(known: list[Delivery], found: Ending | Todo) -> None:
    assert verdict(ROW, known, "now") == found


@pytest.mark.parametrize(
    ("known", "found"),
    [
        pytest.param([], ("skipped", "deleted"), id="never-seen"),
        pytest.param(parts(PLANNED, PLANNED), ("skipped", "deleted"), id="never-arrived"),
        pytest.param(parts(REJECTED, reason="x"), ("skipped", "deleted"), id="never-accepted"),
        pytest.param(there(), WITHDRAW, id="there"),
        pytest.param(there(source_hash="h9"), WITHDRAW, id="a-source-that-hashes-no-deletion"),
        pytest.param(there(late=True), WITHDRAW, id="there-late"),
        pytest.param(parts(DELIVERED, PLANNED), WITHDRAW, id="there-in-part"),
        pytest.param(parts(DELIVERED, WITHDRAWN), WITHDRAW, id="withdrawn-in-part"),
        pytest.param(
            there(source_hash="h9", reason="edit_refused"),
            ("rejected", "edit_refused"),
            id="refused",
        ),
        pytest.param(there(reason="edit_refused"), WITHDRAW, id="an-edit-was-refused-before"),
        pytest.param(gone(changed_run_id="now"), ("withdrawn", "withdrawn"), id="withdrawn-now"),
        pytest.param(gone(changed_run_id="old"), ("already_imported", "withdrawn"), id="before"),
        pytest.param(
            parts(WITHDRAWN, PLANNED), ("already_imported", "withdrawn"), id="half-sent-before"
        ),
        pytest.param(there(sender="bob"), ("rejected", "key_conflict"), id="another-message"),
        pytest.param(parts(PLANNED, sender="bob"), ("skipped", "deleted"), id="never-sent-anyway"),
    ],
)
def test_a_deleted_row(known: list[Delivery], found: Ending | Todo) -> None:
    assert verdict(DELETED, known, "now") == found


@pytest.mark.parametrize(
    ("row", "known", "found"),
    [
        pytest.param(
            planned("rejected", "oversize", "h2"),
            there(),
            ("rejected", "oversize"),
            id="edit-too-big",
        ),
        pytest.param(
            planned("rejected", "empty"), there(), ("already_imported", ""), id="another-setting"
        ),
        pytest.param(
            planned("skipped", "not_selected", "h2"), there(), ("already_imported", ""), id="pilot"
        ),
        pytest.param(
            planned("skipped", "not_selected"), gone(), ("skipped", "not_selected"), id="pilot-gone"
        ),
        pytest.param(
            planned("skipped", "system_message"), [], ("skipped", "system_message"), id="never-sent"
        ),
        pytest.param(
            planned("rejected", "oversize"),
            parts(DELIVERED),
            ("rejected", "oversize"),
            id="in-part",
        ),
    ],
)
def test_a_row_that_the_plan_ends(
    row: PlannedMessage, known: list[Delivery], found: Ending
) -> None:
    assert verdict(row, known, "now") == found


@pytest.mark.parametrize("known", [there(run_id=""), shortened(), gone()])
def test_nothing_is_the_doing_of_no_run(known: list[Delivery]) -> None:
    row = ROW if live_parts(known) else DELETED
    assert verdict(row, known, "") == (
        "already_imported", "" if live_parts(known) else "withdrawn",
    )  # fmt: skip


def test_a_row_is_complete_when_each_of_its_parts_was_delivered_once() -> None:
    assert [is_complete(each) for each in (there(), shortened(), gone())] == [True] * 3
    assert not is_complete([])
    assert not is_complete(parts(DELIVERED))
    assert not is_complete(there()[1:])
    assert not is_complete(parts(DELIVERED, PLANNED))


def test_people_see_what_is_delivered_and_not_withdrawn() -> None:
    known = parts(DELIVERED, WITHDRAWN, REJECTED, PLANNED, IN_DOUBT, INTENT)
    assert [each.part for each in live_parts(known)] == [0]
