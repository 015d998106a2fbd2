"""What an import of a window now would leave behind, and what changes of known rows cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.clocks import START_MS, HandClock
from tests.core.planning.plans import TENCENT, ZIM

from chat_migration.keys import message_key
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.moves import deliver, intend
from chat_migration.ledger.records import Delivery, Stream
from chat_migration.planning.forecast import Forecast
from chat_migration.planning.quote import Quote, QuoteCounter, Stranded
from chat_migration.planning.tables import PlannedConversation, PlannedMessage
from chat_migration.settings import Settings
from chat_migration.targets.rules import TargetRules
from chat_migration.targets.sizes import BatchSizes

G, H, D = "group:g", "group:h", "direct:ada/bob"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}", "tencent:1") as opened:
        yield opened


def planned(place: str, second: int, bodies: int = 1) -> PlannedMessage:
    legacy = f"m{second}"
    return PlannedMessage(
        conversation=place, message_key=message_key("s", place, legacy), legacy_id=legacy,
        sender="ada", recipient="", sent_at_ms=START_MS + second * 1000, order_key="1m",
        source_hash="h", rank=0, as_unread=False, bodies=["b"] * bodies, metadata="", outcome="",
        reason="", detail="", advice="", file="f", line=second,
    )  # fmt: skip


def forecast(
    ledger: Ledger,
    judged: dict[str, tuple[str, str]] | None = None,
    late: str = "reject",
    rules: TargetRules = TENCENT,
) -> Forecast:
    """Return a forecast that makes of known rows what ``judged`` says, by legacy id."""

    def judge(row: PlannedMessage, parts: Sequence[Delivery]) -> tuple[str, str] | None:
        assert parts
        return (judged or {}).get(row.legacy_id)

    return Forecast(
        ledger,
        Settings.load({"late_messages": late}, {}),
        HandClock(START_MS + 86_400_000),
        BatchSizes(messages=7, members=20, accounts=100, removals=100, withdrawals=10),
        rules,
        retention_days=None,
        judge=judge,
    )


def watched(made: Forecast, place: str, *rows: PlannedMessage) -> None:
    where = PlannedConversation(
        conversation=place, kind=place.partition(":")[0], shard=0, first_row=0, rows=len(rows),
        group_id="", topic_id="",
    )  # fmt: skip
    assert list(made.watch(where, iter(rows))) == list(rows)


def delivered(ledger: Ledger, row: PlannedMessage) -> None:
    """Remember a row as sent, in as many parts as it has bodies."""
    for part in range(len(row.bodies)):
        number = row.line * 10 + part
        move = intend(
            Delivery(
                message_key=row.message_key, part=part, parts=len(row.bodies),
                conversation=row.conversation, sender="ada", sent_at_ms=row.sent_at_ms,
                order_key="1m", slot=number, random=number + 1, source_hash="h", render_version=1,
                run_id="r1",
            ),
            "r1",
        )  # fmt: skip
        newest = Stream(newest_sent_ms=row.sent_at_ms, newest_order="1m")
        ledger.advance(row.conversation, [move])
        ledger.advance(row.conversation, [deliver(move.delivery, sequence=number)], stream=newest)


def test_rows_before_the_window_that_are_not_in_the_target_would_be_stranded(
    ledger: Ledger,
) -> None:
    delivered(ledger, planned(G, 1))
    made = forecast(ledger)
    watched(made, G, planned(G, 100))
    watched(made, D, planned(D, 100))
    made.strand([(G, 5, START_MS), (H, 9, START_MS), (D, 7, START_MS)], START_MS + 50_000)
    assert made.counter.stranded == [
        Stranded(conversation=G, rows_before=4, newest_before_ms=START_MS, late_rows=0)
    ]


def test_nothing_is_stranded_where_all_that_lies_before_is_there(ledger: Ledger) -> None:
    delivered(ledger, planned(G, 1))
    made = forecast(ledger)
    watched(made, G, planned(G, 100))
    made.strand([(G, 1, START_MS)], START_MS + 50_000)
    assert made.counter.stranded == []


def test_a_window_with_nothing_before_it_strands_only_what_is_late_now(ledger: Ledger) -> None:
    delivered(ledger, planned(G, 50))
    made = forecast(ledger)
    watched(made, G, planned(G, 10), planned(G, 20), planned(G, 100))
    made.strand([(G, 5, START_MS)], None)
    assert made.counter.stranded == [
        Stranded(conversation=G, rows_before=0, newest_before_ms=None, late_rows=2)
    ]


def test_a_group_that_gets_nothing_now_strands_nothing(ledger: Ledger) -> None:
    delivered(ledger, planned(G, 9))
    made = forecast(ledger, {"m9": ("already_imported", "")})
    watched(made, G, planned(G, 9))
    made.strand([(G, 5, START_MS)], START_MS + 5000)
    assert made.counter.stranded == []


def quote(*stranded: Stranded, append: bool = False) -> Quote:
    counter = QuoteCounter()
    counter.stranded, counter.append_late = list(stranded), append
    return counter.quote({})


def test_the_quote_names_the_worst_twenty_groups_and_what_to_do() -> None:
    made = quote(
        *(
            Stranded(
                conversation=f"group:{n}", rows_before=n, newest_before_ms=START_MS, late_rows=1
            )
            for n in range(1, 31)
        )
    )
    assert [each.rows_before for each in made.stranded] == list(range(30, 10, -1))
    assert Quote.model_validate_json(made.model_dump_json()) == made
    lines = made.text().splitlines()
    assert "rows of 30 groups would be stranded" in lines[2]
    assert "`late_messages=append`" in lines[2]
    assert lines[3].startswith("  group:30: up to 30 rows before the window, to 20")
    assert lines[3].endswith("; 1 rows of it are late already")
    assert lines[-1] == "  and 10 groups more"


def test_late_rows_that_are_appended_are_no_loss() -> None:
    made = quote(
        Stranded(conversation=G, rows_before=0, newest_before_ms=None, late_rows=3), append=True
    )
    assert "appended out of order" in made.text()
    assert "stranded" not in made.text()


@pytest.mark.parametrize(
    ("late", "rows", "told"),
    [
        ("append", {"to_import": 2}, "note: rows of 1 groups are older than what is there"),
        (
            "reject",
            {"late_rejected": 1, "to_import": 1},
            "warning: rows of 1 groups would be stranded",
        ),
    ],
)
def test_late_rows_go_to_their_own_time_where_the_target_allows_it(
    ledger: Ledger, late: str, rows: dict[str, int], told: str
) -> None:
    delivered(ledger, planned(G, 50))
    made = forecast(ledger, late=late, rules=ZIM)
    watched(made, G, planned(G, 10), planned(G, 100))
    made.strand([], None)
    assert made.counter.rows["group_messages"] == rows
    assert made.counter.late_rows == 1
    shown = made.counter.quote(dict.fromkeys(ZIM.api_of.values(), 20.0)).text()
    assert told in shown
    assert ("go to their own time" in shown) is (late == "append")
    assert "time in the text" not in shown


def test_what_others_write_makes_nothing_late_where_each_row_goes_to_its_time(
    ledger: Ledger,
) -> None:
    delivered(ledger, planned(G, 1))
    ledger.advance(G, [], stream=Stream(newest_sent_ms=START_MS, foreign_slot=START_MS + 90_000))
    made = forecast(ledger, rules=ZIM)
    watched(made, G, planned(G, 10))
    assert (made.counter.late_rows, made.counter.rows["group_messages"]) == (0, {"to_import": 1})


def test_a_changed_one_to_one_message_is_changed_in_each_copy(ledger: Ledger) -> None:
    for part in (planned(D, 1), planned(D, 2)):
        delivered(ledger, part)
    made = forecast(ledger, {"m1": ("updated", "")}, rules=ZIM)
    watched(made, D, planned(D, 1), planned(D, 3))
    assert +made.counter.calls == {
        "EditC2cMsgBody": 1, "ImportPeerMsg": 2, "ClearConversationUnread": 1,
    }  # fmt: skip


def test_changes_and_withdrawals_are_counted_with_their_calls(ledger: Ledger) -> None:
    for number in range(12):
        delivered(ledger, planned(G, number))
    long = planned(G, 20, bodies=3)
    delivered(ledger, long)
    judged = {f"m{number}": ("withdrawn", "") for number in range(12)} | {"m20": ("updated", "")}
    made = forecast(ledger, judged)
    watched(made, G, *(planned(G, number) for number in range(12)), planned(G, 20, bodies=2))
    assert made.counter.rows["group_messages"] == {"withdrawn": 12, "updated": 1}
    assert +made.counter.calls == {"modify_group_msg": 2, "group_msg_recall": 2}


def test_changes_of_one_to_one_messages_take_a_call_each(ledger: Ledger) -> None:
    for number in range(3):
        delivered(ledger, planned(D, number))
    made = forecast(ledger, {"m0": ("withdrawn", ""), "m1": ("updated", "")})
    watched(made, D, planned(D, 0), planned(D, 1), planned(D, 2))
    assert +made.counter.calls == {"modify_c2c_msg": 1, "admin_msgwithdraw": 1, "importmsg": 1}
