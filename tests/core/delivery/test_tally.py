"""Counts for the report, and a line for each row that is not in the target."""

from __future__ import annotations

import json
import stat
import threading
from pathlib import Path

import msgspec
import pytest

from chat_migration.delivery.calls import ApiCalls
from chat_migration.delivery.tally import LISTED, RowLine, StagePart, Tally
from chat_migration.model import Outcome, RecordType

GROUP_MESSAGES, MEMBERS = RecordType.GROUP_MESSAGES, RecordType.MEMBERS


def row(outcome: Outcome, *, line: int = 1, reason: str = "why") -> RowLine:
    return RowLine(
        record_type=GROUP_MESSAGES,
        outcome=outcome,
        reason=reason,
        file="é.jsonl",
        line=line,
        id="m-1",
    )


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("outcome", Outcome)
def test_a_row_has_a_line_unless_it_is_in_the_target(tmp_path: Path, outcome: Outcome) -> None:
    in_target = {"imported", "already_imported", "updated", "withdrawn", "late_appended"}
    with Tally(tmp_path / "parts" / "group-00.jsonl") as tally:
        tally.line(row(outcome))
    written = lines(tmp_path / "parts" / "group-00.jsonl")
    assert [each["outcome"] for each in written] == ([] if outcome in in_target else [outcome])
    assert tally.rows == {GROUP_MESSAGES: {outcome: 1}}
    assert (outcome in LISTED) is (outcome not in in_target)


def test_a_line_leads_to_the_row_in_the_export(tmp_path: Path) -> None:
    with Tally(tmp_path / "x.jsonl") as tally:
        tally.line(msgspec.structs.replace(row(Outcome.REJECTED), code=80001, detail="a\nb"))
    assert lines(tmp_path / "x.jsonl") == [{
        "record_type": "group_messages", "outcome": "rejected", "reason": "why", "file": "é.jsonl",
        "line": 1, "id": "m-1", "conversation": "", "code": 80001, "detail": "a\nb", "advice": "",
    }]  # fmt: skip


def test_rows_and_reasons_are_counted_by_type(tmp_path: Path) -> None:
    with Tally(tmp_path / "x.jsonl") as tally:
        tally.count(MEMBERS, Outcome.IMPORTED, rows=20)
        tally.count(MEMBERS, Outcome.SKIPPED, "left", rows=2)
        tally.count(GROUP_MESSAGES, Outcome.SKIPPED, "deleted")
        part = tally.part("members", 3, {"x": ApiCalls(count=1)}, 1.23456)
    assert part.rows == {
        "members": {"imported": 20, "skipped": 2},
        "group_messages": {"skipped": 1},
    }
    assert part.reasons == {"members": {"left": 2}, "group_messages": {"deleted": 1}}
    assert (tally.done, part.stage, part.shard, part.seconds) == (23, "members", 3, 1.235)


def test_a_part_survives_json(tmp_path: Path) -> None:
    with Tally(tmp_path / "x.jsonl") as tally:
        tally.line(row(Outcome.IN_DOUBT))
        tally.held_elsewhere.append("group:g")
        part = tally.part("g", 0, {"x": ApiCalls(count=1, by_second={5: 1})}, 2)
    assert msgspec.json.decode(msgspec.json.encode(part), type=StagePart) == part


def test_drift_adds_up_and_keeps_the_largest(tmp_path: Path) -> None:
    with Tally(tmp_path / "x.jsonl") as tally:
        for lifted, seconds in ((3, 9), (0, 0), (2, 4)):
            tally.drift(lifted, seconds)
        part = tally.part("g", 0, {}, 0)
    assert (part.lifted, part.max_drift_seconds) == (5, 9)


def test_a_failure_leaves_the_lines_that_are_true(tmp_path: Path) -> None:
    def fail() -> None:
        with Tally(tmp_path / "x.jsonl") as tally:
            tally.line(row(Outcome.REJECTED))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert len(lines(tmp_path / "x.jsonl")) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["x.jsonl"]


def test_the_file_appears_when_it_is_whole_and_replaces_the_last_attempts(tmp_path: Path) -> None:
    final = tmp_path / "parts" / "x.jsonl"
    for attempt in range(2):
        with Tally(final) as tally:
            assert final.exists() is bool(attempt)
            tally.line(row(Outcome.REJECTED, line=attempt))
    assert [each["line"] for each in lines(final)] == [1]
    assert stat.S_IMODE(final.parent.stat().st_mode) == 0o700


def test_threads_lose_no_row_and_tear_no_line(tmp_path: Path) -> None:
    with Tally(tmp_path / "x.jsonl") as tally:
        threads = [
            threading.Thread(target=lambda: [tally.line(row(Outcome.REJECTED)) for _ in range(300)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert tally.done == len(lines(tmp_path / "x.jsonl")) == 1200
    assert tally.reasons == {GROUP_MESSAGES: {"why": 1200}}
