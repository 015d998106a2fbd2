"""How a planned row ends: by what the ledger knows, by the worst of its parts."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from chat_migration.delivery.rows import (
    KeyConflicts,
    RowProgress,
    end_row,
    new_delivery,
)
from chat_migration.delivery.tally import Tally
from chat_migration.errors import StoppedError
from chat_migration.ledger.records import Delivery
from chat_migration.model import Outcome, RecordType
from chat_migration.planning.tables import PlannedMessage
from chat_migration.progress import NoProgress
from chat_migration.targets.base import Advice, Effect, Failure

ROW = PlannedMessage(
    conversation="group:g", message_key="k", legacy_id="m-1", sender="ada", recipient="",
    sent_at_ms=5000, order_key="0", source_hash="h1", rank=0, as_unread=False,
    bodies=['[{"MsgType":"TIMTextElem","MsgContent":{"Text":"private words"}}]', "[]"], metadata="",
    outcome="", reason="", detail="", advice="", file="f.jsonl", line=7,
)  # fmt: skip
REFUSAL = Failure(
    api="import_group_msg",
    code=80001,
    text="blocked",
    advice=Advice.REJECT_ITEM,
    effect=Effect.NONE,
)


def test_a_new_delivery_carries_what_the_ledger_must_know() -> None:
    made = new_delivery(ROW, 1, slot=9, random=8, render_version=3, run_id="now", sequence=257)
    assert made == Delivery(
        message_key="k", part=1, parts=2, conversation="group:g", sender="ada", sent_at_ms=5000,
        order_key="0", slot=9, sequence=257, random=8, source_hash="h1", render_version=3, run_id="now",
    )  # fmt: skip
    assert (
        new_delivery(ROW, 0, slot=9, random=8, render_version=3, run_id="now", parts=5).parts == 5
    )


@pytest.mark.parametrize(
    "order", list(itertools.permutations([Outcome.IMPORTED, Outcome.REJECTED, Outcome.SKIPPED]))
)
def test_a_row_takes_the_worst_of_its_parts_in_any_order(order: tuple[Outcome, ...]) -> None:
    progress = RowProgress(ROW, waiting=3)
    ended = [progress.settle(outcome, f"because {outcome}") for outcome in order]
    assert ended == [False, False, True]
    assert (progress.outcome, progress.reason) == ("rejected", "because rejected")


def test_the_first_of_equally_bad_parts_gives_the_reason() -> None:
    progress = RowProgress(ROW, waiting=2)
    progress.settle(Outcome.REJECTED, "first", REFUSAL)
    progress.settle(Outcome.REJECTED, "second")
    assert (progress.reason, progress.failure) == ("first", REFUSAL)


def test_conflicting_keys_stop_the_run_beyond_their_limit() -> None:
    conflicts = KeyConflicts(most=2)
    conflicts.add()
    conflicts.add()
    with pytest.raises(StoppedError, match=r"More than 2 rows .* `source_name`"):
        conflicts.add()


def ended(
    tmp_path: Path, *, with_text: bool = False, row: PlannedMessage = ROW, **how: Any
) -> dict[str, Any]:
    """Return the line of a row that ended as rejected."""
    settings = SimpleNamespace(log_message_text=with_text)
    with Tally(tmp_path / "x.jsonl") as tally:
        tools: Any = SimpleNamespace(settings=settings, tally=tally, progress=NoProgress())
        end_row(tools, RecordType.GROUP_MESSAGES, row, Outcome.REJECTED, **how)
    assert tally.done == 1
    told: dict[str, Any] = json.loads((tmp_path / "x.jsonl").read_text())
    return told


def test_a_rejected_row_tells_code_place_and_what_to_do(tmp_path: Path) -> None:
    line = ended(tmp_path, reason="message_refused", failure=REFUSAL)
    assert (line["file"], line["line"], line["id"], line["conversation"]) == (
        "f.jsonl", 7, "m-1", "group:g",
    )  # fmt: skip
    assert (line["code"], line["detail"]) == (80001, "blocked")
    assert "Correct the message" in line["advice"]


@pytest.mark.parametrize(
    ("how", "planned", "shown"),
    [
        pytest.param({"detail": "d", "failure": REFUSAL}, "p", "d", id="said-here"),
        pytest.param({"failure": REFUSAL}, "p", "blocked", id="said-by-the-target"),
        pytest.param({}, "p", "p", id="said-by-the-plan"),
        pytest.param({}, "", "", id="nothing-said"),
    ],
)
def test_the_nearest_detail_is_shown(
    tmp_path: Path, how: dict[str, Any], planned: str, shown: str
) -> None:
    row = msgspec.structs.replace(ROW, detail=planned)
    assert ended(tmp_path, row=row, **how)["detail"] == shown


@pytest.mark.parametrize("with_text", [False, True], ids=["by-default", "asked-for"])
def test_a_text_goes_into_a_line_only_if_asked_for(tmp_path: Path, *, with_text: bool) -> None:
    line = ended(tmp_path, with_text=with_text, failure=REFUSAL)
    assert ("private words" in json.dumps(line)) is with_text
    assert line["detail"].startswith("blocked")
