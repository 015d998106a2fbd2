"""What is left to do for a row of which each of the two people has a copy. Pure."""

from __future__ import annotations

import msgspec
import pytest
from tests.core.delivery.test_verdicts import ROW

from chat_migration.delivery.changes import edit_of
from chat_migration.delivery.direct_copies import (
    key_of,
    senders_first,
    sides_of,
    told_of_copies,
    viewer_of,
)
from chat_migration.delivery.verdicts import Todo, is_complete, verdict
from chat_migration.ledger.records import RECIPIENT, SENDER, Delivery
from chat_migration.ledger.states import DeliveryState as S
from chat_migration.targets.tencent_chat.rules import TencentRules
from chat_migration.targets.zego_zim.rules import ZimRules


def copy(part: int, side: str, state: S = S.DELIVERED, *, parts: int = 2) -> Delivery:
    return Delivery(
        message_key=ROW.message_key, part=part, side=side, parts=parts, conversation=ROW.conversation, sender="ada",
        recipient="bob", sent_at_ms=ROW.sent_at_ms, order_key=ROW.order_key, slot=7, sequence=3, random=9,
        source_hash=ROW.source_hash, render_version=1, state=state, run_id="r",
    )  # fmt: skip


WHOLE = [copy(part, side) for part in (0, 1) for side in (RECIPIENT, SENDER)]


def test_a_row_is_complete_when_every_part_is_in_both_copies() -> None:
    assert is_complete(WHOLE)
    for missing in range(len(WHOLE)):
        assert not is_complete([each for number, each in enumerate(WHOLE) if number != missing])
    assert not is_complete([*WHOLE[:3], copy(1, SENDER, S.IN_DOUBT)])


def test_what_is_in_one_copy_is_still_to_be_sent_into_the_other() -> None:
    row = msgspec.structs.replace(ROW, sender="ada", recipient="bob")
    assert verdict(row, [copy(0, SENDER, parts=1)], "") is Todo.SEND


def test_an_edit_changes_the_parts_of_each_copy_and_takes_the_others_back() -> None:
    edit = edit_of(WHOLE, ["new"])
    assert edit is not None
    assert [(each.side, each.part, body) for each, body in edit.changed] == [
        (SENDER, 0, "new"), (RECIPIENT, 0, "new"),
    ]  # fmt: skip
    assert [(each.side, each.part) for each in edit.surplus] == [(SENDER, 1), (RECIPIENT, 1)]
    assert edit.parts == 2
    assert edit_of(WHOLE, ["a", "b", "c"]) is None


def test_an_edit_of_a_row_cut_between_its_copies_may_have_more_parts() -> None:
    cut = [copy(0, RECIPIENT, S.PLANNED, parts=1), copy(0, SENDER, parts=1)]
    edit = edit_of(cut, ["a", "b"])
    assert edit is not None
    assert [(each.side, body) for each, body in edit.changed] == [(SENDER, "a")]
    assert edit.parts == 2


def test_a_copy_is_known_by_whose_it_is() -> None:
    assert [viewer_of(copy(0, side)) for side in (SENDER, RECIPIENT, "")] == ["ada", "bob", ""]
    assert key_of(copy(0, RECIPIENT)).viewer == "bob"
    assert [each.side for each in senders_first(WHOLE)] == [SENDER, RECIPIENT] * 2


def test_a_target_takes_one_message_for_both_or_one_for_each_and_of_a_note_to_oneself_one() -> None:
    row = msgspec.structs.replace(ROW, sender="ada", recipient="bob")
    own = msgspec.structs.replace(ROW, sender="ada", recipient="ada")
    zim = ZimRules(max_message_bytes=2048, retention_days=7)
    tencent = TencentRules(admin="admin", max_body_bytes=12_000)
    assert sides_of(row, zim) == (SENDER, RECIPIENT)
    assert sides_of(own, zim) == sides_of(row, tencent) == ("",)


@pytest.mark.parametrize(
    ("sender", "recipient", "told"),
    [
        (S.DELIVERED, S.REJECTED, "the sender's copy is there, the recipient's is not"),
        (S.REJECTED, S.WITHDRAWN, "the recipient's copy is there, the sender's is not"),
        (S.DELIVERED, S.WITHDRAWN, ""),
        (S.REJECTED, S.REJECTED, ""),
    ],
)
def test_people_are_told_which_copy_is_there(sender: S, recipient: S, told: str) -> None:
    assert told_of_copies([copy(0, SENDER, sender), copy(0, RECIPIENT, recipient)]) == told
    assert told_of_copies([copy(0, "", sender)]) == ""
