"""Rows that the target refuses: they alone are lost, whatever the answer looks like."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.delivery.driving import Migration, assert_adds_up, said_in, told_between
from tests.delivery.interference import intercept

from chat_migration.targets.transport import Reply
from chat_sandbox import FaultAction

BLOCKED = "sandbox-blocked-word"


def crew(rows: int, *poisonous: int, step: float = 10) -> NeutralExport:
    """Rows 1 … n of one group; some hold a word that moderation blocks."""
    export = NeutralExport().user("ada").group("quay", "ada")
    for number in range(1, rows + 1):
        text = f"{BLOCKED} {number}" if number in poisonous else f"text {number}"
        export.say("quay", "ada", at(number * step), text=text)
    return export


def good(rows: int, *poisonous: int) -> list[str]:
    return [f"text {number}" for number in range(1, rows + 1) if number not in poisonous]


def texts(world: dict[str, Any]) -> list[str]:
    return [text for _, text, _ in said_in(world, "quay")]


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"batch_after_failure": "stop"},
        {"batch_after_failure": "atomic"},
        {"batch_after_failure": "atomic", "top_level_when_all_fail": "10004"},
        {"batch_after_failure": "stop", "failed_item_seq": "burned"},
        {"failed_item_seq": "absent"},
        {"failed_item_seq": "burned"},
        {"failed_items": "omitted"},
        {"top_level_when_all_fail": "10004"},
    ],
    ids=str,
)
@pytest.mark.parametrize("poisonous", [(1,), (5, 6), (9,)], ids=str)
def test_a_blocked_message_is_rejected_alone(
    migration: Migration, switches: Mapping[str, str], poisonous: tuple[int, ...]
) -> None:
    migration.sandbox.set_switches({"moderation": "on", **switches})
    ended = migration.run(crew(9, *poisonous))
    assert ended.error is None, ended.error
    assert texts(ended.world) == good(9, *poisonous)
    assert ended.rows["group_messages"]["imported"] == 9 - len(poisonous)
    assert ended.report is not None
    assert_adds_up(ended.report)
    if "failed_items" not in switches:
        # With omitted items nothing tells a refused message from one that is late by then.
        assert ended.rows["group_messages"]["rejected"] == len(poisonous)
    again = migration.repeat()
    assert again.writes == 0
    assert again.rows["group_messages"] == ended.rows["group_messages"]


def test_a_rejected_row_is_sent_again_once_its_text_has_changed(migration: Migration) -> None:
    migration.sandbox.set_switches({"moderation": "on"})
    migration.run(crew(4, 4))
    ended = migration.run(crew(4))
    assert ended.error is None
    assert texts(ended.world) == good(4)
    assert ended.rows["group_messages"] == {"already_imported": 3, "imported": 1}


def test_a_refused_account_is_tried_again_once_its_profile_has_changed(
    migration: Migration,
) -> None:
    refused = migration.sandbox.add_fault(FaultAction.ERROR, api="multiaccount_import", code=70402)
    first = migration.run(NeutralExport().user("ada"))
    assert first.rows["accounts"] == {"rejected": 1}
    migration.sandbox.remove_fault(refused)
    again = migration.repeat()
    assert (again.rows["accounts"], again.writes) == ({"rejected": 1}, 0)
    changed = NeutralExport()
    changed.users.append({"id": "ada", "name": "Ada Lovelace"})
    assert migration.run(changed).rows["accounts"] == {"imported": 1}
    assert migration.run(changed).rows["accounts"] == {"already_imported": 1}


@pytest.mark.parametrize("code", [80001, 10020])
@pytest.mark.parametrize("poisonous", [1, 5])
def test_a_message_whose_whole_call_is_refused_is_found_by_bisection_in_order(
    migration: Migration, monkeypatch: pytest.MonkeyPatch, code: int, poisonous: int
) -> None:
    migration.connection["messages_per_call"] = 7

    def hook(api: str, number: int, body: dict[str, Any], send: Any) -> Any:
        if api == "import_group_msg" and f"{BLOCKED} " in str(body):
            return Reply(200, b'{"ActionStatus":"FAIL","ErrorInfo":"","ErrorCode":%d}' % code)
        return send()

    intercept(monkeypatch, hook)
    ended = migration.run(crew(8, poisonous))
    assert ended.error is None
    assert texts(ended.world) == good(8, poisonous)
    assert ended.rows["group_messages"] == {"imported": 7, "rejected": 1}
    assert migration.repeat().writes == 0


def test_a_message_that_never_gets_an_answer_does_not_end_the_run_of_all_the_others(
    migration: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One record makes the service fail each time; the other groups are none of its business."""
    export = crew(6, 3)
    export.group("pier", "ada").say("pier", "ada", at(5)).say("pier", "ada", at(6))
    migration.connection["parallel_calls"] = 1

    def hook(api: str, number: int, body: dict[str, Any], send: Any) -> Any:
        if api == "import_group_msg" and f"{BLOCKED} " in str(body):
            return Reply(200, b'{"ActionStatus":"FAIL","ErrorInfo":"","ErrorCode":10002}')
        return send()

    intercept(monkeypatch, hook)
    ended = migration.run(export)
    assert ended.error is None
    assert texts(ended.world) == good(6, 3)
    assert len(said_in(ended.world, "pier")) == 2
    assert ended.rows["group_messages"] == {"imported": 7, "rejected": 1}


def test_an_unlisted_code_for_a_group_stops_that_conversation_only(migration: Migration) -> None:
    export = crew(9)
    export.group("pier", "ada").say("pier", "ada", at(5)).say("pier", "ada", at(6))
    migration.sandbox.add_fault(
        FaultAction.ERROR, api="import_group_msg", group_id="quay", code=12345
    )
    ended = migration.run(export)
    assert texts(ended.world) == []
    assert len(said_in(ended.world, "pier")) == 2
    assert ended.report is not None
    assert_adds_up(ended.report)
    assert ended.calls["import_group_msg"] <= 1 + 8, "it must not try each row six times"


def test_a_group_that_is_gone_in_the_middle_ends_its_own_rows_only(migration: Migration) -> None:
    export = crew(9)
    export.group("pier", "ada").say("pier", "ada", at(5)).say("pier", "ada", at(6))
    migration.sandbox.add_fault(
        FaultAction.ERROR, api="import_group_msg", group_id="quay", code=10010, first_call=2
    )
    ended = migration.run(export)
    assert ended.error is None
    assert ended.rows["group_messages"] == {"imported": 5, "rejected": 6}
    assert texts(ended.world) == good(3)
    again = migration.run(export)
    assert again.writes == 0
    assert again.rows["group_messages"] == {"already_imported": 5, "rejected": 6}


def test_a_blocked_one_to_one_message_is_rejected_alone(migration: Migration) -> None:
    migration.sandbox.set_switches({"moderation": "on"})
    export = NeutralExport().user("ada", "bob")
    export.tell("ada", "bob", at(1)).tell("bob", "ada", at(2), text=f"{BLOCKED} 2")
    export.tell("ada", "bob", at(3))
    ended = migration.run(export)
    assert ended.error is None
    assert ended.rows["c2c_messages"] == {"imported": 2, "rejected": 1}
    assert [text for _, text, _ in told_between(ended.world, "ada", "bob")] == ["text 1", "text 3"]
    again = migration.run(export)
    assert again.writes == 0
    assert again.rows["c2c_messages"] == {"already_imported": 2, "rejected": 1}


@pytest.mark.parametrize("code", ["10023"])
def test_a_throttled_item_never_costs_a_message(migration: Migration, code: str) -> None:
    migration.sandbox.set_switches({"undocumented_item_code": code})
    ended = migration.run(crew(9))
    assert ended.error is None
    assert texts(ended.world) == good(9)


def test_a_member_who_is_refused_is_rejected_alone(
    migration: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call fails whole, as the page of 2018 says, whenever `cid` is in it."""
    migration.connection["members_per_call"] = 20
    export = crew(2)
    for user in ("bob", "cid", "dee"):
        export.user(user).member("quay", user, unread_count=1)

    def hook(api: str, number: int, body: dict[str, Any], send: Any) -> Any:
        if api == "import_group_member" and '"cid"' in json.dumps(body):
            return Reply(200, b'{"ActionStatus":"FAIL","ErrorInfo":"","ErrorCode":10019}')
        return send()

    intercept(monkeypatch, hook)
    ended = migration.run(export)
    assert ended.error is None
    assert set(ended.world["groups"]["quay"]["members"]) == {"ada", "bob", "dee"}
    assert ended.rows["members"] == {"imported": 3, "rejected": 1}
    assert ended.rows["unread"] == {"imported": 2, "skipped": 1}
    assert migration.run(export).writes == 0
