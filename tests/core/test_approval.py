"""A plan may be less than what was approved, never more."""

from __future__ import annotations

import pytest

from chat_migration.approval import exceeds
from chat_migration.planning.quote import QuoteCounter

RATES = dict.fromkeys(("importmsg", "import_group_msg", "modify_group_msg"), 100.0)


def quote(rows=None, calls=None, **numbers):
    """Return a quote of group messages by class, calls by API, and other numbers."""
    counter = QuoteCounter()
    for outcome, count in (rows or {}).items():
        counter.count("group_messages", outcome, rows=count)
    counter.calls.update(calls or {})
    counter.message_apis = frozenset({"importmsg", "import_group_msg"})
    return counter.quote(RATES).model_copy(update=numbers)


APPROVED = quote(
    {"to_import": 10, "updated": 2, "withdrawn": 1, "skipped": 5, "deferred": 3},
    {"import_group_msg": 2, "modify_group_msg": 2},
    late_rows=4,
    stranded_groups=1,
)


def changed(*, rows=None, calls=None, **numbers):
    """Return the approved quote with some of its numbers changed."""
    return APPROVED.model_copy(
        update={
            "rows": {"group_messages": APPROVED.rows["group_messages"] | (rows or {})},
            "calls": APPROVED.calls | (calls or {}),
            **numbers,
        }
    )


def test_same_plan_may_be_sent():
    assert exceeds(APPROVED, changed()) == []


@pytest.mark.parametrize(
    ("now", "grown"),
    [
        (changed(rows={"to_import": 11}), "group_messages to_import: 11 instead of 10"),
        (changed(rows={"updated": 3}), "group_messages updated: 3 instead of 2"),
        (changed(rows={"withdrawn": 2}), "group_messages withdrawn: 2 instead of 1"),
        (changed(calls={"import_group_msg": 3}), "calls of import_group_msg: 3 instead of 2"),
        (changed(calls={"group_msg_recall": 1}), "calls of group_msg_recall: 1 instead of 0"),
        (changed(late_rows=5), "late rows: 5 instead of 4"),
        (changed(stranded_groups=2), "groups with rows left behind: 2 instead of 1"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_more_of_anything_is_named_with_both_numbers(now, grown):
    assert exceeds(APPROVED, now) == [grown]


def test_record_type_that_was_not_in_the_approved_plan_is_named():
    now = APPROVED.model_copy(update={"rows": APPROVED.rows | {"accounts": {"to_import": 1_234}}})
    assert exceeds(APPROVED, now) == ["accounts to_import: 1,234 instead of 0"]


def test_everything_that_grew_is_named():
    assert len(exceeds(APPROVED, changed(rows={"to_import": 99, "updated": 9}, late_rows=9))) == 3


def test_less_may_be_sent_without_asking_again():
    less = changed(rows={"to_import": 0, "already_imported": 10}, calls={"import_group_msg": 0})
    assert exceeds(APPROVED, less) == []


def test_more_rows_that_send_nothing_may_be_there():
    more = {"skipped": 50, "already_imported": 50, "rejected": 50, "late_rejected": 50}
    assert exceeds(APPROVED, changed(rows=more)) == []


def test_rows_that_were_too_new_when_they_were_shown_may_be_sent_now():
    ripe = {"to_import": 13, "deferred": 0}
    assert exceeds(APPROVED, changed(rows=ripe, calls={"import_group_msg": 3})) == []


def test_rows_beyond_those_that_were_too_new_are_named():
    ripe = {"to_import": 14, "deferred": 0}
    assert exceeds(APPROVED, changed(rows=ripe)) == ["group_messages to_import: 14 instead of 13"]


def test_calls_of_another_kind_are_not_excused_by_rows_that_were_too_new():
    ripe = {"to_import": 13, "deferred": 0}
    now = changed(rows=ripe, calls={"modify_group_msg": 3})
    assert exceeds(APPROVED, now) == ["calls of modify_group_msg: 3 instead of 2"]
