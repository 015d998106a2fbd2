"""Every undocumented behaviour of the target, each way: the plain scenario ends complete, nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.delivery.conftest import harbour
from tests.delivery.driving import Migration, assert_adds_up, assert_holds

from chat_sandbox import Effect, FaultAction
from chat_sandbox.tencent_chat.switches import SWITCHES

UNTOUCHED = frozenset(
    (
        "c2c_key_direction", "c2c_msg_key", "destroyed_id", "empty_body", "empty_text",
        "group_custom_data_read_back", "import_topic_path", "initial_members", "media_in_group",
        "modify_empty", "modify_expired", "modify_imported", "modify_missing", "modify_touches",
        "new_owner_not_member", "nul_text", "oversize_modify", "previous_owner_role",
        "recall_expired", "recall_imported", "recall_tip", "recalled_again", "reimport_keeps",
        "remove_owner", "self_chat", "silence_suppresses_tip", "tips",
    )
)  # fmt: skip
"""Switches of what an import never asks for: they are put over together."""
POSITIONS = [
    {switch.name: value}
    for switch in SWITCHES
    for value in switch.values
    if value != switch.default and switch.name not in UNTOUCHED
]
ALL_UNTOUCHED = [
    {
        switch.name: [value for value in switch.values if value != switch.default][turn]
        for switch in SWITCHES
        if switch.name in UNTOUCHED and len(switch.values) > turn + 1
    }
    for turn in (0, 1)
]
REFUSES_SOME = [{"undocumented_item_code": "10002"}, {"non_member_sender": "reject"}]
"""Positions with which some rows must be rejected: an unknown item result, a sender who is no member."""


@pytest.mark.parametrize("positions", [*POSITIONS, *ALL_UNTOUCHED], ids=str)
def test_the_plain_scenario_ends_complete_under_every_switch_and_a_repeat_writes_nothing(
    migration: Migration, planned_harbour: Path, positions: dict[str, str]
) -> None:
    migration.sandbox.set_switches(positions)
    ended = migration.run_planned(planned_harbour)
    assert ended.report is not None
    assert_adds_up(ended.report)
    for group in ended.world["groups"].values():
        texts = [str(each["body"]) for each in group["messages"]]
        assert len(texts) == len(set(texts))
    assert ended.error is None
    if positions not in REFUSES_SOME:
        assert_holds(ended.world, harbour())
    else:
        assert sum(of.get("rejected", 0) for of in ended.rows.values()) > 0
    assert migration.repeat().writes == 0


WITH_LOST_REPLIES = [
    ("ties", "accept"),
    ("dedup_scope", "app"),
    ("dedup_clock", "either"),
    ("dedup_result", "zero_seq"),
    ("dedup_result", "time_invalid"),
    ("dedup_result", "omitted"),
    ("random_sign", "signed"),
    ("group_page_bytes", "13000"),
    ("duplicate_c2c_reply", "90010"),
    ("rejoin_updates", "all"),
    ("exists_code", "10025"),
    ("missing_group_code", "10015"),
    ("batch_after_failure", "atomic"),
]


@pytest.mark.parametrize(("name", "value"), WITH_LOST_REPLIES)
def test_replies_that_never_arrive_do_no_harm_under_switches_that_touch_them(
    migration: Migration, planned_harbour: Path, name: str, value: str
) -> None:
    migration.connection["parallel_calls"] = 1
    migration.sandbox.set_switch(name, value)
    for api in ("import_group", "import_group_member", "import_group_msg", "importmsg"):
        migration.sandbox.add_fault(
            FaultAction.DROP, api=api, first_call=2, last_call=2, effect=Effect.APPLIED
        )
    ended = migration.run_planned(planned_harbour)
    assert ended.error is None
    assert_holds(ended.world, harbour())
    assert [kind for kind, of in ended.rows.items() if of.get("rejected")] == []


EXPIRED = [
    ("expired_history", "placeholder", "full"),
    ("expired_history", "placeholder", "bare"),
    ("expired_history", "hidden", "full"),
    ("expired_history", "visible", "full"),
]


@pytest.mark.parametrize(("name", "value", "row"), EXPIRED)
@pytest.mark.parametrize("lost", [False, True])
def test_history_past_its_retention_arrives_once(
    expiring_migration: Migration, name: str, value: str, row: str, *, lost: bool
) -> None:
    migration = expiring_migration
    migration.connection["parallel_calls"] = 1
    migration.sandbox.set_switches({name: value, "placeholder_row": row})
    if lost:
        for position in (2, 5, 9):
            migration.sandbox.add_fault(
                FaultAction.DROP,
                api="import_group_msg",
                first_call=position,
                last_call=position,
                effect=Effect.APPLIED,
            )
    ended = migration.run(harbour())
    if value == "hidden" and lost:
        # Nothing can tell whether they arrived; twice is what must not be.
        for group in ended.world["groups"].values():
            texts = [str(each["body"]) for each in group["messages"]]
            assert len(texts) == len(set(texts))
        return
    assert ended.error is None
    assert_holds(ended.world, harbour())
    assert migration.run(harbour()).writes == 0


def test_history_past_its_retention_that_is_refused_is_reported_row_by_row(
    expiring_migration: Migration,
) -> None:
    expiring_migration.sandbox.set_switch("expired_history", "reject")
    export = NeutralExport().user("ada", "bob").group("quay", "ada")
    for number in range(5):
        export.say("quay", "ada", at(number)).tell("ada", "bob", at(number))
    ended = expiring_migration.run(export)
    assert ended.error is None
    assert ended.rows["group_messages"] == {"rejected": 5}
    assert ended.rows["c2c_messages"] == {"rejected": 5}
    assert expiring_migration.run(export).writes == 0


@pytest.mark.parametrize("cap", ["20", "100"])
@pytest.mark.parametrize("code", ["10005", "10004"])
def test_member_batches_shrink_by_themselves(migration: Migration, cap: str, code: str) -> None:
    migration.sandbox.set_switches({"member_batch_cap": cap, "over_member_batch": code})
    migration.connection["members_per_call"] = 500
    users = [f"user{number:03d}" for number in range(230)]
    export = NeutralExport().user(*users).group("quay", *users).say("quay", users[0], at(1))
    ended = migration.run(export)
    assert ended.error is None
    assert set(ended.world["groups"]["quay"]["members"]) == set(users)
    assert ended.rows["members"] == {"imported": 230}


def test_message_batches_shrink_by_themselves(migration: Migration) -> None:
    """The app's region takes seven messages a call, the connection says twenty."""
    migration.connection["messages_per_call"] = 20
    export = NeutralExport().user("ada").group("quay", "ada")
    for number in range(50):
        export.say("quay", "ada", at(number * 3))
    ended = migration.run(export)
    assert ended.error is None
    assert_holds(ended.world, export)


def test_senders_who_are_no_members_stop_their_group_with_a_reason_of_its_own(
    migration: Migration, planned_harbour: Path
) -> None:
    migration.sandbox.set_switch("non_member_sender", "reject")
    ended = migration.run_planned(planned_harbour)
    assert ended.reasons["group_messages"] == {"sender_not_accepted": 3}


@pytest.mark.parametrize("code", ["10004", "10038", "clamp"])
def test_a_small_group_is_imported_under_a_plan_with_small_groups(
    migration: Migration, planned_harbour: Path, code: str
) -> None:
    """The export says nothing of a size; its groups of five fit the plan's cap of a few hundred."""
    migration.sandbox.set_switches({"plan": "standard", "over_max_members": code})
    ended = migration.run_planned(planned_harbour)
    assert ended.error is None
    assert_holds(ended.world, harbour())
