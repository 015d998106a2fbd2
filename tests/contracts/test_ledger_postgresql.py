"""A ledger on a PostgreSQL server: many processes at once, connections that are cut, answers that are lost."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.engine import make_url
from tests import postgresql
from tests.builders_neutral import NeutralExport, at
from tests.clocks import HandClock
from tests.clocks_fast import FastClock
from tests.contracts.test_ledger import INCLUDE, G, delivery, known
from tests.delivery.driving import SMALL, Migration
from tests.proxies import Link, Proxy, proxy

import chat_sandbox
from chat_migration import stages
from chat_migration.errors import LedgerUnreachableError, UnknownCommitError, UsageError
from chat_migration.home import Home
from chat_migration.ledger import schema
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.moves import deliver, intend
from chat_migration.ledger.states import DeliveryState
from chat_migration.reporting import build
from chat_migration.workbench import drop_scratch

APP = "tencent:1"
PASSWORD = "correct-horse-battery"


# --- several processes --------------------------------------------------------------------------

OPENER = f"""
import sys
sys.path[:0] = [{INCLUDE!r}]
from chat_migration.ledger.ledger import Ledger
print("ready", flush=True)
sys.stdin.readline()
with Ledger.open(sys.argv[1], sys.argv[2]) as ledger:
    print(ledger.app_id)
"""

WRITER = f"""
import sys, threading
sys.path[:0] = [{INCLUDE!r}]
from sqlalchemy import update
from chat_migration.ledger import schema
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.moves import deliver, intend
from chat_migration.ledger.records import Delivery, Stream

url, name, conversation, rows, threads = sys.argv[1:4] + [int(each) for each in sys.argv[4:6]]

def count(connection):
    table = schema.budgets
    connection.execute(update(table).values(next_at_us=table.c.next_at_us + 1))

def work(thread):
    for number in range(rows):
        key = f"{{name}}-{{thread}}-{{number}}"
        row = Delivery(message_key=key, part=0, parts=1, conversation=conversation, sender="s", sent_at_ms=1,
            order_key="", slot=1, random=1, source_hash="", render_version=1, run_id="r")
        sent = intend(row, "r")
        ledger.advance(conversation, [sent], dirty=True)
        ledger.advance(conversation, [deliver(sent.delivery, sequence=1)], stream=Stream(newest_slot=number), landed=True)
        ledger.database.write(count)
        sys.stdout.write(key + "\\n")
        sys.stdout.flush()

with Ledger.open(url, "{APP}") as ledger:
    workers = [threading.Thread(target=work, args=(each,)) for each in range(threads)]
    for each in workers: each.start()
    for each in workers: each.join()
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def counted(ledger: Ledger) -> int:
    """Return how often the writers' counter was raised."""
    return int(ledger.database.read(lambda it: it.scalar(select(schema.budgets.c.next_at_us))) or 0)


def add_counter(ledger: Ledger) -> None:
    ledger.upsert(
        schema.budgets,
        [{"api": "x", "next_at_us": 0, "slowed_at_us": 0, "slow_factor_percent": 100}],
    )


def raise_counter(connection: Connection) -> str:
    table = schema.budgets
    connection.execute(update(table).values(next_at_us=table.c.next_at_us + 1))
    return "raised"


@pytest.fixture
def ledger(postgresql_url: str) -> Iterator[Ledger]:
    with Ledger.open(postgresql_url, APP) as opened:
        yield opened


def test_eight_processes_open_an_empty_database_at_once(postgresql_url: str) -> None:
    processes = [start(OPENER, postgresql_url, f"tencent:{number % 2}") for number in range(8)]
    for each in processes:
        assert each.stdout
        assert each.stdout.readline() == "ready\n"
    for each in processes:
        assert each.stdin
        each.stdin.write("go\n")
        each.stdin.flush()
    told = [each.communicate() for each in processes]
    assert [each.returncode for each in processes] == [0] * 8, told[0][1][-500:]
    ids = [out.strip() for out, _ in told]
    assert len(set(ids[::2])) == len(set(ids[1::2])) == 1
    assert len(set(ids)) == 2
    with Ledger.open(postgresql_url, APP) as ledger:
        names = ledger.database.read(lambda it: it.scalars(select(schema.apps.c.name)).all())
    assert sorted(names) == ["tencent:0", "tencent:1"]


@pytest.mark.parametrize("together", [False, True], ids=["own-conversations", "one-conversation"])
def test_processes_that_write_side_by_side_lose_and_block_nothing(
    postgresql_url: str, ledger: Ledger, *, together: bool
) -> None:
    add_counter(ledger)
    processes = [
        start(WRITER, postgresql_url, f"p{number}", G if together else f"{G}{number}", 12, 3)
        for number in range(4)
    ]
    told = [each.communicate() for each in processes]
    assert [each.returncode for each in processes] == [0] * 4, told[0][1][-500:]
    keys = [key for out, _ in told for key in out.split()]
    assert len(set(keys)) == len(keys) == 4 * 3 * 12
    assert all(parts[0].state == "delivered" for parts in ledger.deliveries(keys).values())
    assert counted(ledger) == len(keys)
    assert all("Traceback" not in err for _, err in told), told
    statistics = f"SELECT deadlocks FROM pg_stat_database WHERE datname = '{make_url(postgresql_url).database}'"
    assert postgresql.run(postgresql.SERVER, statistics) == [(0,)]


def test_what_returned_is_there_once_however_often_connections_are_cut(
    postgresql_url: str, ledger: Ledger
) -> None:
    add_counter(ledger)
    processes = [
        start(WRITER, postgresql_url, f"p{number}", f"{G}{number}", 50, 2) for number in range(2)
    ]
    chance = random.Random(5)
    told: list[str] = []
    cut = 0
    for each in processes:
        assert each.stdout
        while key := each.stdout.readline().strip():
            told.append(key)
            if chance.random() < 0.2:
                cut += postgresql.terminate(postgresql_url)
        each.communicate()
    assert [each.returncode for each in processes] == [0, 0]
    assert cut > 10
    assert len(told) == len(set(told)) == 200
    found = ledger.deliveries(told)
    assert {(len(parts), parts[0].state, parts[0].attempts) for parts in found.values()} == {
        (1, DeliveryState.DELIVERED, 1)
    }
    assert counted(ledger) == 200


def test_a_writer_that_freezes_in_the_middle_is_thrown_out(
    postgresql_url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat_migration.ledger.postgresql.HUNG_SECONDS", 0.2)
    add_counter(ledger)
    begun, thawed, lives = threading.Event(), threading.Event(), []

    def freeze(connection: Connection) -> None:
        lives.append(connection)
        raise_counter(connection)
        begun.set()
        thawed.wait(20)

    with Ledger.open(postgresql_url, APP) as other:
        frozen = threading.Thread(target=ledger.database.write, args=(freeze,))
        frozen.start()
        begun.wait(20)
        other.database.write(raise_counter)
        assert counted(other) == 1
        thawed.set()
        frozen.join()
        assert (counted(other), len(lives)) == (2, 2)


# --- answers that are lost ----------------------------------------------------------------------


@pytest.fixture
def between(postgresql_url: str) -> Iterator[Proxy]:
    """A proxy in front of the server."""
    url = make_url(postgresql_url)
    with proxy(url.host or "127.0.0.1", url.port or 5432) as standing:
        yield standing


@pytest.fixture
def far(postgresql_url: str, between: Proxy) -> Iterator[Ledger]:
    """A ledger that is reached through the proxy, with a password in its URL."""
    url = make_url(postgresql_url).set(host="127.0.0.1", port=between.port, password=PASSWORD)
    with Ledger.open(url.render_as_string(hide_password=False), APP, clock=HandClock()) as opened:
        add_counter(opened)
        yield opened


def once(between: Proxy, act: Any) -> list[Link]:
    """Do something instead of passing on the next request that commits."""
    met: list[Link] = []

    def handle(link: Link, data: bytes) -> None:
        if b"COMMIT" in data and not met:
            met.append(link)
            act(link, data)
        else:
            link.to_server(data)

    between.on_request = handle
    return met


def lose_answer(between: Proxy, *, then_refuse: bool = False) -> list[Link]:
    """Let the next commit reach the server and its answer be lost."""

    def answer(link: Link, data: bytes) -> None:
        if "lost" not in link.notes:
            link.to_client(data)
            return
        if then_refuse:
            between.refuse()
        link.cut()

    def commit(link: Link, data: bytes) -> None:
        link.notes.add("lost")
        link.to_server(data)

    between.on_answer = answer
    return once(between, commit)


def test_a_commit_whose_answer_was_lost_is_not_applied_again(far: Ledger, between: Proxy) -> None:
    met = lose_answer(between)
    assert far.database.write(raise_counter) == "raised"
    assert len(met) == 1
    assert counted(far) == 1


def test_a_move_whose_answer_was_lost_is_no_illegal_move(far: Ledger, between: Proxy) -> None:
    far.advance(G, [intend(delivery(), "r")])
    met = lose_answer(between)
    far.advance(G, [deliver(delivery(), sequence=3)])
    assert len(met) == 1
    assert (known(far)[0].state, known(far)[0].sequence) == (DeliveryState.DELIVERED, 3)


def test_a_commit_that_never_reached_the_server_is_applied_again(
    far: Ledger, between: Proxy
) -> None:
    met = once(between, lambda link, _data: link.cut())
    assert far.database.write(raise_counter) == "raised"
    assert len(met) == 1
    assert counted(far) == 1


def test_a_commit_that_reaches_the_server_late_is_waited_for(
    far: Ledger, between: Proxy, postgresql_url: str
) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

    def hold(link: Link, commit: bytes) -> None:
        def let_go(next_link: Link, data: bytes) -> None:
            next_link.to_server(data)
            if b"pg_advisory_xact_lock" in data:
                between.on_request = Link.to_server
                while postgresql.run(postgresql_url, waiting) == [(0,)]:
                    pass
                link.to_server(commit)

        link.notes.add("held")
        between.on_request = let_go
        link.cut_client()

    met = once(between, hold)
    assert far.database.write(raise_counter) == "raised"
    assert len(met) == 1
    assert counted(far) == 1


def test_a_server_that_goes_away_in_a_commit_leaves_the_outcome_unknown(
    far: Ledger, between: Proxy, ledger: Ledger
) -> None:
    lose_answer(between, then_refuse=True)
    with pytest.raises(UnknownCommitError, match="not known") as raised:
        far.database.write(raise_counter)
    assert raised.value.is_retriable
    assert counted(ledger) == 1


def test_a_server_that_is_gone_is_waited_for_a_minute_and_then_stops_the_run(
    far: Ledger, between: Proxy, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    clock = far._clock
    assert isinstance(clock, HandClock)
    before = clock.monotonic()
    between.close()
    with pytest.raises(LedgerUnreachableError, match="run the same again") as raised:
        far.database.write(raise_counter)
    assert type(raised.value) is LedgerUnreachableError
    assert raised.value.exit_code == 3
    assert 60 <= clock.monotonic() - before < 70
    assert any("does not answer, waiting for up to 60 s" in each.message for each in caplog.records)
    with pytest.raises(LedgerUnreachableError):
        far.advance(G, [])
    with pytest.raises(LedgerUnreachableError):
        far.is_empty()
    assert clock.monotonic() - before < 70, "whoever comes later does not wait once more"
    assert counted(ledger) == 0
    said = caplog.text + "".join(traceback.format_exception(raised.value))
    assert PASSWORD not in said
    assert PASSWORD not in repr(raised.value)


def test_a_server_that_comes_back_in_time_is_all_that_is_needed(
    far: Ledger, between: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    refused: list[Link] = []

    def refuse(link: Link, data: bytes) -> None:
        if len(refused) < 5:
            refused.append(link)
            link.cut()
        else:
            link.to_server(data)

    between.on_request = refuse
    assert far.database.write(raise_counter) == "raised"
    assert counted(far) == 1
    assert "answers again" in caplog.text


def test_a_read_outlives_its_connection(postgresql_url: str, ledger: Ledger) -> None:
    ledger.advance(G, [intend(delivery(), "r")])
    for _ in range(3):
        assert postgresql.terminate(postgresql_url) > 0
        assert known(ledger)[0].state == "intent"
        assert [*ledger.delivered_places(G, 0)] == []


def test_transactions_leave_one_note_and_a_closed_ledger_none(postgresql_url: str) -> None:
    notes = "SELECT count(*), max(number) FROM {}.commits"
    name = str(make_url(postgresql_url).query["options"]).removeprefix("-csearch_path=")
    with Ledger.open(postgresql_url, APP) as ledger:
        for _ in range(5):
            ledger.advance(G, [])
        assert postgresql.run(postgresql_url, notes.format(name)) == [(1, 6)]
    assert postgresql.run(postgresql_url, notes.format(name)) == [(0, None)]


def test_commits_reach_the_disk_even_where_the_server_is_set_up_to_be_quick(
    postgresql_url: str,
) -> None:
    name = str(make_url(postgresql_url).query["options"])
    quick = make_url(postgresql_url).update_query_dict(
        {"options": f"{name} -csynchronous_commit=off"}
    )
    with Ledger.open(quick.render_as_string(hide_password=False), APP) as ledger:
        shown = ledger.database.write(
            lambda it: it.exec_driver_sql("SHOW synchronous_commit").scalar()
        )
    assert shown == "on"


def test_the_planner_learns_what_a_busy_ledger_holds(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat_migration.ledger.postgresql.TEACH_AFTER", 3)
    rows = "SELECT reltuples FROM pg_class WHERE oid = 'deliveries'::regclass"
    with Ledger.open(postgresql_url, APP) as ledger:
        for number in range(4):
            ledger.advance(G, [intend(delivery(f"k{number}"), "r")])
        ledger.database.write(raise_counter)
        assert ledger.database.read(lambda it: it.exec_driver_sql(rows).scalar()) >= 2


# --- what PostgreSQL would do otherwise -----------------------------------------------------------


def test_texts_are_compared_by_their_bytes_in_every_column(
    postgresql_url: str, ledger: Ledger
) -> None:
    assert postgresql.run(postgresql_url, "SELECT 'a' < 'B'") == [(True,)], (
        "the database's own order"
    )
    rows = ledger.database.read(
        lambda it: it.exec_driver_sql(
            "SELECT table_name, column_name FROM information_schema.columns WHERE data_type = 'text'"
            " AND table_schema = current_schema() AND collation_name IS DISTINCT FROM 'C'"
        ).all()
    )
    assert rows == []


def test_an_order_key_is_sorted_as_python_sorts_it(ledger: Ledger) -> None:
    orders = ["1b", "1B", "1é", "1_", "1-", "1\0", "1\x01", "1\x02", "1", "1\U00010000", "1\uffff"]
    ledger.advance(
        G,
        [
            deliver(delivery(f"k{number}", order_key=order), sequence=number)
            for number, order in enumerate(orders)
        ],
    )
    assert [order for _, order, _ in ledger.delivered_places(G, 0)] == sorted(orders)


@pytest.mark.parametrize("text", ["\0", "a\0b", "\x01", "\x01\x01", "\x01\x02\0", "\0\0", ""])
def test_every_text_comes_back_as_it_was(ledger: Ledger, text: str) -> None:
    ledger.assign_identities("user", {text: f"id{text}"})
    assert ledger.identities("user") == {text: f"id{text}"}


def test_a_code_may_be_larger_than_an_integer(ledger: Ledger) -> None:
    ledger.advance(G, [deliver(delivery(), sequence=2**40)])
    ledger.advance(G, [intend(delivery("other", code=2**40), "r")])
    assert (known(ledger)[0].sequence, known(ledger, "other")[0].code) == (2**40, 2**40)


# --- opening ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"database": "no_such_database"}, id="database"),
        pytest.param({"username": "no_such_role"}, id="role"),
        pytest.param({"query": {"no_such_option": PASSWORD}}, id="option"),
        pytest.param({"query": {"options": "-csearch_path=no_such_schema"}}, id="schema"),
    ],
)
def test_a_url_that_leads_nowhere_is_refused_at_once(
    postgresql_url: str, changes: dict[str, Any]
) -> None:
    url = make_url(postgresql_url).set(password=PASSWORD, **changes)
    clock = HandClock()
    with pytest.raises(UsageError, match="CHAT_MIGRATION_LEDGER_URL") as raised:
        Ledger.open(url.render_as_string(hide_password=False), APP, clock=clock)
    assert sum(clock.slept) == 0
    assert PASSWORD not in "".join(traceback.format_exception(raised.value))


def test_a_server_that_is_not_there_is_waited_for(between: Proxy, postgresql_url: str) -> None:
    between.close()
    url = make_url(postgresql_url).set(host="127.0.0.1", port=between.port, password=PASSWORD)
    clock = HandClock()
    with pytest.raises(LedgerUnreachableError, match="refused") as raised:
        Ledger.open(url.render_as_string(hide_password=False), APP, clock=clock)
    assert 55 < sum(clock.slept) < 65
    assert PASSWORD not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2"])
def test_any_way_to_write_postgresql_will_do(postgresql_url: str, scheme: str) -> None:
    url = postgresql_url.replace("postgresql+psycopg", scheme)
    with Ledger.open(url, APP) as ledger:
        assert ledger.is_empty()


# --- views --------------------------------------------------------------------------------------


def everything(url: str) -> list[Any]:
    """Return all rows of all tables of a schema."""
    name = str(make_url(url).query["options"]).removeprefix("-csearch_path=")
    tables = postgresql.run(
        url, f"SELECT tablename FROM pg_tables WHERE schemaname = '{name}' ORDER BY 1"
    )
    return [
        (table, postgresql.run(url, f"SELECT * FROM {name}.{table} ORDER BY 1, 2"))
        for (table,) in tables
    ]


def test_a_view_reads_the_ledger_and_changes_nothing(postgresql_url: str, ledger: Ledger) -> None:
    ledger.advance(G, [intend(delivery(), "r")])
    before = everything(postgresql_url)
    view = Ledger.view(postgresql_url, APP)
    assert view is not None
    with view:
        view.begin_run("dry", "slack", None, None)
        view.assign_identities("user", {"a": "b"})
        view.advance(G, [deliver(delivery())])
        assert known(view) == known(ledger)
        assert view.identities("user") == {}
        ledger.advance(G, [deliver(delivery(), sequence=1)])
        assert known(view)[0].state == "delivered"
        with pytest.raises(Exception, match="read-only"), view.database.reading() as connection:
            connection.execute(insert(schema.apps).values(name="x"))
    ledger.close()
    with Ledger.open(postgresql_url, APP) as again:
        again.database.write(
            lambda it: it.execute(update(schema.deliveries).values(state="intent", sequence=None))
        )
    after = everything(postgresql_url)
    assert [name for name, _ in after] == [name for name, _ in before]
    assert dict(after)["runs"] == dict(after)["identities"] == []


def test_a_view_of_nothing_is_none_and_makes_nothing(postgresql_url: str) -> None:
    assert Ledger.view(postgresql_url, APP) is None
    assert everything(postgresql_url) == []
    Ledger.open(postgresql_url, APP).close()
    assert Ledger.view(postgresql_url, "tencent:2") is None


def test_a_view_of_an_older_ledger_is_refused(postgresql_url: str, ledger: Ledger) -> None:
    ledger.database.write(lambda it: it.execute(update(schema.meta).values(value="1")))
    with pytest.raises(UsageError, match="does not upgrade.*chat-migration status"):
        Ledger.view(postgresql_url, APP)


# --- whole runs ---------------------------------------------------------------------------------


@pytest.fixture
def at_home(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Migration]:
    """A migration whose home keeps its ledger on the server."""
    home = Home.from_environment(
        {"CHAT_MIGRATION_HOME": str(tmp_path / "home"), "CHAT_MIGRATION_LEDGER_URL": postgresql_url}
    )
    monkeypatch.setattr(Migration, "home", home)
    monkeypatch.setattr(build, "render_page", lambda *_: "")
    with chat_sandbox.running(retention_days=None) as sandbox:
        sandbox.set_rates(enabled=False)
        clock = FastClock(sandbox.advance_clock)
        yield Migration(sandbox=sandbox, folder=tmp_path, connection=dict(SMALL), clock=clock)


def small_export() -> NeutralExport:
    export = NeutralExport().user("ada", "bob").group("quay", "ada", "bob")
    for second in range(9):
        export.say("quay", "ada" if second % 2 else "bob", at(second))
        export.tell("ada", "bob", at(second))
    return export


def test_a_migration_runs_on_it_and_its_second_run_writes_nothing(at_home: Migration) -> None:
    first = at_home.run(small_export())
    assert first.error is None
    assert first.rows["group_messages"] == first.rows["c2c_messages"] == {"imported": 9}
    second = at_home.run(small_export())
    assert (second.error, second.writes) == (None, 0)
    assert second.rows["group_messages"] == {"already_imported": 9}


@pytest.mark.parametrize("after", ["nothing", "a run"])
def test_a_dry_run_sees_the_ledger_and_leaves_it_alone(
    at_home: Migration, postgresql_url: str, after: str
) -> None:
    if after == "a run":
        assert at_home.run(small_export()).error is None
    before = everything(postgresql_url)
    run = at_home.prepare(small_export(), dry_run=True)
    try:
        stages.extract_export(run)
        planned = stages.plan_import(run)
    finally:
        drop_scratch(run)
    expected = "already_imported" if after == "a run" else "to_import"
    assert planned.rows["group_messages"] == {expected: 9}
    assert everything(postgresql_url) == before


def test_the_status_command_reads_it(
    at_home: Migration, postgresql_url: str, tmp_path: Path
) -> None:
    assert at_home.run(small_export()).error is None
    app = at_home.sandbox.app
    connection = {
        "conn_type": "tencent_chat", "host": at_home.sandbox.url, "login": app.admin,
        "password": app.secret_key, "extra": {"sdk_app_id": app.sdk_app_id},
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", "from chat_migration.cli import main; raise SystemExit(main())", "status"],
        env={
            "PYTHONPATH": INCLUDE, "PATH": "", "CHAT_MIGRATION_HOME": str(tmp_path / "elsewhere"),
            "CHAT_MIGRATION_LEDGER_URL": postgresql_url,
            "AIRFLOW_CONN_TENCENT_CHAT_DEFAULT": json.dumps(connection),
        },
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "18 delivered" in done.stdout
