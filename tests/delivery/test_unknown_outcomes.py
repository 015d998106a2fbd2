"""Calls whose outcome nobody knows at first: read back, resolved, never sent blindly again."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from tests.builders_neutral import NeutralExport, at
from tests.delivery.conftest import harbour
from tests.delivery.driving import (
    Ended,
    Migration,
    assert_adds_up,
    assert_holds,
    expected_group,
    said_in,
)
from tests.delivery.interference import Answer, intercept

from chat_migration.errors import HeldElsewhereError, RowsInDoubtError, StoppedError
from chat_migration.targets.transport import HttpTransport, NoReply, Reply
from chat_sandbox import Effect, FaultAction


def crew(rows: int = 9, groups: int = 1) -> NeutralExport:
    export = NeutralExport().user("ada", "bob")
    for group in range(groups):
        export.group(f"quay{group}", "ada", "bob")
        for number in range(rows):
            export.say(f"quay{group}", ("ada", "bob")[number % 2], at(number * 5 + group / 10))
    return export


@pytest.mark.parametrize("result", ["original_seq", "zero_seq", "time_invalid", "omitted"])
@pytest.mark.parametrize("scope", ["group", "group_content"])
def test_a_batch_that_lands_between_the_read_back_and_its_repeat_is_there_once(
    migration: Migration, monkeypatch: pytest.MonkeyPatch, result: str, scope: str
) -> None:
    """The first attempt takes effect after six seconds, just before the second one arrives."""
    sandbox = migration.sandbox
    sandbox.set_switches({"dedup_result": result, "dedup_scope": scope})
    sandbox.add_fault(
        FaultAction.APPLY_LATE, api="import_group_msg", seconds=6, first_call=2, last_call=2
    )

    def hook(api: str, number: int, _body: Any, send: Callable[[], Answer]) -> Answer:
        answer = send()
        if (api, number) == ("group_msg_get_simple", 1):
            sandbox.advance_clock(2)
        return answer

    intercept(monkeypatch, hook)
    ended = migration.run(crew())
    assert ended.error is None
    assert_holds(ended.world, crew())
    assert ended.rows["group_messages"] == {"imported": 9}
    assert migration.repeat().writes == 0


@pytest.mark.parametrize("landed", [0, 1, 2, 3])
def test_a_batch_that_landed_in_part_is_completed(
    migration: Migration, monkeypatch: pytest.MonkeyPatch, landed: int
) -> None:
    plain = HttpTransport.post

    def post(self: HttpTransport, url: str, body: bytes, timeout_seconds: float) -> Answer:
        if "/import_group_msg?" not in url or seen:
            return plain(self, url, body, timeout_seconds)
        seen.append(url)
        request = json.loads(body)
        request["MsgList"] = request["MsgList"][:landed]
        if landed:
            plain(self, url, msgspec.json.encode(request), timeout_seconds)
        return NoReply("no answer within 10 s", sent=True)

    seen: list[str] = []
    monkeypatch.setattr(HttpTransport, "post", post)
    ended = migration.run(crew())
    assert ended.error is None
    assert_holds(ended.world, crew())
    assert ended.rows["group_messages"] == {"imported": 9}


@pytest.mark.parametrize("sent", [False, True])
@pytest.mark.parametrize(
    "api", ["import_group", "import_group_member", "import_group_msg", "importmsg"]
)
def test_a_refused_connection_or_a_timeout_is_made_good(
    migration: Migration, monkeypatch: pytest.MonkeyPatch, api: str, *, sent: bool
) -> None:
    def hook(called: str, number: int, _body: Any, send: Callable[[], Answer]) -> Answer:
        if (called, number) != (api, 2):
            return send()
        if sent:
            send()
        return NoReply("no answer within 10 s" if sent else "the connection was refused", sent=sent)

    intercept(monkeypatch, hook)
    ended = migration.run(harbour())
    assert ended.error is None
    assert_holds(ended.world, harbour())


@pytest.mark.parametrize("effect", list(Effect))
def test_what_cannot_be_read_back_is_resolved_by_the_next_run(
    migration: Migration, effect: Effect
) -> None:
    migration.connection["parallel_calls"] = 1
    migration.sandbox.add_fault(
        FaultAction.DROP, api="import_group_msg", first_call=2, last_call=2, effect=effect
    )
    migration.sandbox.add_fault(FaultAction.HTTP_ERROR, api="group_msg_get_simple")
    broken = migration.run(crew())
    assert isinstance(broken.error, StoppedError)
    assert broken.report is not None
    assert broken.report.in_doubt == 3
    migration.sandbox.clear_faults()
    ended = migration.run(crew())
    assert ended.error is None, ended.error
    assert_holds(ended.world, crew())
    assert ended.report is not None
    assert ended.report.in_doubt == 0
    assert_adds_up(ended.report)


@pytest.mark.parametrize("effect", list(Effect))
def test_one_to_one_messages_without_an_answer_are_in_doubt_until_the_next_run(
    migration: Migration, effect: Effect
) -> None:
    export = NeutralExport().user("ada", "bob")
    for number in range(5):
        export.tell("ada", "bob", at(number))
    migration.sandbox.add_fault(
        FaultAction.ERROR, code=91000, api="importmsg", first_call=4, effect=effect
    )
    broken = migration.run(export)
    assert isinstance(broken.error, RowsInDoubtError)
    assert broken.error.exit_code == 3
    assert broken.rows["c2c_messages"]["imported"] == 3
    assert broken.rows["c2c_messages"]["in_doubt"] == 2
    migration.sandbox.clear_faults()
    ended = migration.run(export)
    assert ended.error is None
    assert_holds(ended.world, export)


def test_an_answer_whose_sequences_do_not_rise_is_not_believed(migration: Migration) -> None:
    migration.sandbox.add_fault(FaultAction.FLAT_SEQ, api="import_group_msg")
    ended = migration.run(crew())
    assert ended.error is None
    assert_holds(ended.world, crew())
    assert ended.calls["group_msg_get_simple"] >= 1


def test_a_passing_error_of_one_group_in_a_list_of_groups_does_not_end_that_group(
    migration: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hook(api: str, number: int, _body: Any, send: Callable[[], Answer]) -> Answer:
        answer = send()
        if (api, number) != ("get_group_info", 1):
            return answer
        assert isinstance(answer, Reply)
        fields = json.loads(answer.body)
        fields["GroupInfo"][0] = {
            "GroupId": fields["GroupInfo"][0]["GroupId"],
            "ErrorCode": 10002,
            "ErrorInfo": "internal",
        }
        return Reply(200, json.dumps(fields).encode())

    intercept(monkeypatch, hook)
    export = crew(groups=3)
    migration.run(export)
    ended = migration.run(export)
    assert ended.error is None
    assert_holds(ended.world, export)


def test_two_runs_at_once_send_each_message_once(migration: Migration) -> None:
    export = crew(rows=40, groups=4)
    path = export.write(migration.folder / "export")
    migration.connection["parallel_calls"] = 2

    def run(name: str) -> Ended:
        return migration.run(path, run_id=name)

    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(run, ["one", "two"]))
    for each in both:
        assert each.error is None or isinstance(each.error, HeldElsewhereError), each.error
    ended = migration.run(path)
    assert ended.error is None
    for group in range(4):
        rows = [row for row in export.messages if row["group_id"] == f"quay{group}"]
        assert said_in(ended.world, f"quay{group}") == expected_group(rows)
    assert migration.sandbox.stats()["overlaps"] == {}


def test_a_killed_run_s_intents_are_resolved_in_the_order_of_their_slots(
    migration: Migration,
) -> None:
    """Three runs in a row break off after the effect of one call each; the fourth completes."""
    migration.connection["parallel_calls"] = 1
    for _ in range(3):
        migration.sandbox.add_fault(
            FaultAction.DROP, api="import_group_msg", last_call=1, effect=Effect.APPLIED
        )
        migration.sandbox.add_fault(FaultAction.DROP, api="group_msg_get_simple")
        assert isinstance(migration.run(crew()).error, StoppedError)
        migration.sandbox.clear_faults()
    ended = migration.run(crew())
    assert ended.error is None, ended.error
    assert_holds(ended.world, crew())
