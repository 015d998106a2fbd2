"""Any ascending split of an export into windows gives what one run over the whole gives.

Real stages, a real ledger and a real stage, over generated exports without late rows, edits or deletes; the app is
:class:`Town`, in memory. It holds what was sent in the order in which it came, and forgets a group's unread counts
with each message, as the vendor does.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.builders_neutral import START_MS, NeutralExport
from tests.clocks_fast import FastClock

from chat_migration import stages
from chat_migration.errors import MigrationError, StoppedError
from chat_migration.home import Home
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.shared import shared_ledger
from chat_migration.run import Run
from chat_migration.settings import Settings
from chat_migration.targets.base import (
    AccountSpec,
    DirectMessageOut,
    Done,
    Failure,
    Frontier,
    GroupAddress,
    GroupMessageOut,
    GroupSpec,
    ItemResult,
    Mark,
    MemberSpec,
    Page,
    StoredMessage,
)
from chat_migration.targets.tencent_chat.connection import TencentConnection
from chat_migration.targets.tencent_chat.target import TencentTarget

PEOPLE = ("ada", "bob", "cid")
GROUPS = ("quay", "pier")
LONG = "long text " * 2000
"""Two messages in the target, which take two slots."""


class Town:
    """An app that takes everything and remembers the order."""

    app = "tencent:1"
    withdrawals_per_call = 10

    def __init__(self) -> None:
        self.sent: dict[str, list[tuple[str, int, int, str]]] = {}
        self.told: list[tuple[str, str, int, int, int, str]] = []
        self.unread: dict[tuple[str, str], int] = {}
        self.created: dict[str, int] = {}
        self.counts_set = 0

    def close(self) -> None:
        """Do nothing."""

    def check(self) -> None:
        """Be there."""

    def renew_signature(self) -> None:
        """Do nothing."""

    def oldest_slot(self) -> None:
        """Take messages of any age."""

    def stop_error(self, failed: Failure, *, done: str = "") -> MigrationError:
        return StoppedError(f"{failed} {done}")

    def existing_accounts(self, accounts: Sequence[str]) -> dict[str, bool]:
        return dict.fromkeys(accounts, False)

    def import_accounts(self, accounts: Sequence[AccountSpec]) -> list[ItemResult]:
        return [Done() for _ in accounts]

    def create_group(self, group: GroupSpec) -> ItemResult:
        assert group.group_id not in self.created
        self.created[group.group_id] = group.created_s
        return Done()

    def add_members(
        self, group_id: str, members: Sequence[MemberSpec], *, operator: str
    ) -> list[ItemResult]:
        del group_id
        return [Done() for _ in members]

    def send_group_messages(
        self,
        address: GroupAddress,
        messages: Sequence[GroupMessageOut],
        *,
        refresh_conversation: bool,
        above: int = 0,
    ) -> list[ItemResult]:
        del refresh_conversation, above
        held = self.sent.setdefault(address.group_id, [])
        done: list[ItemResult] = []
        for each in messages:
            assert not held or each.slot > held[-1][1], "a slot at or before the newest is refused"
            held.append((each.sender, each.slot, each.random, each.body))
            done.append(Done(sequence=len(held)))
        for group_id, account in self.unread:
            if group_id == address.group_id:
                self.unread[group_id, account] = 0
        return done

    def send_direct_message(self, message: DirectMessageOut) -> ItemResult:
        self.told.append(
            (
                message.sender, message.recipient, message.slot, message.sequence, message.random,
                message.body,
            )
        )  # fmt: skip
        return Done()

    def set_unread(self, group_id: str, account_id: str, count: int) -> ItemResult:
        assert self.unread.get((group_id, account_id), 0) != count, "it was right already"
        self.unread[group_id, account_id] = count
        self.counts_set += 1
        return Done()

    def frontiers(self, addresses: Sequence[GroupAddress]) -> list[Frontier]:
        return [
            Frontier(
                address=each,
                exists=each.group_id in self.created,
                newest_slot=max((row[1] for row in self.sent.get(each.group_id, [])), default=None),
                next_sequence=len(self.sent.get(each.group_id, [])) + 1,
            )
            for each in addresses
        ]

    def read_group(self, address: GroupAddress, *, since: Mark, cursor: str) -> Page:
        assert not cursor, "everything stood on the first page"
        held = [
            StoredMessage(sender=row[0], slot=row[1], random=row[2], sequence=number)
            for number, row in enumerate(self.sent.get(address.group_id, []), 1)
            if number > since.sequence
        ]
        return Page(tuple(reversed(held)))


# --- exports ------------------------------------------------------------------------------------

gaps = st.sampled_from([0, 0, 0, 120, 700, 1000, 1300, 5000, 90_000])
"""Milliseconds from one row to the next: bursts in one second, ties, hours."""
rows = st.tuples(
    gaps,
    st.sampled_from((*GROUPS, "")),
    st.permutations(PEOPLE),
    st.sampled_from(["hi", "hi", LONG]),
)
reads = st.one_of(
    st.fixed_dictionaries({"unread_count": st.integers(0, 12)}),
    st.fixed_dictionaries({"last_read_at": st.integers(0, 200_000).map(lambda ms: START_MS + ms)}),
    st.just({}),
)


@st.composite
def exports(draw: st.DrawFn) -> NeutralExport:
    """An export of some rows of two groups and of one-to-one chats, with read states of all kinds."""
    export = NeutralExport().user(*PEOPLE)
    for group in GROUPS:
        export.group(group, *PEOPLE)
        for person in PEOPLE:
            export.member(group, person, **draw(reads))
    now = START_MS
    for gap, group, (sender, recipient, _), text in draw(st.lists(rows, min_size=2, max_size=25)):
        now += gap
        if group:
            export.say(group, sender, now, text=text)
        else:
            export.tell(sender, recipient, now)
    return export


@st.composite
def splits(draw: st.DrawFn) -> list[int]:
    """Instants in whole seconds at which nights end, ascending; most between neighbouring rows."""
    seconds = st.integers(-1, 130) | st.integers(0, 12)
    chosen = draw(st.lists(seconds, min_size=1, max_size=4, unique=True))
    return [START_MS // 1000 * 1000 + second * 1000 for second in sorted(chosen)]


# --- runs ---------------------------------------------------------------------------------------


@contextmanager
def town_hall(folder: Path, town: Town) -> Iterator[Home]:
    """Give a home whose runs send to a town; the ledger stays open between them."""
    home = Home.from_environment({"CHAT_MIGRATION_HOME": str(folder)}).create()
    clock = FastClock()
    with (
        mock.patch.object(TencentTarget, "connect", return_value=town),
        mock.patch("chat_migration.reporting.build.render_page", return_value=""),
        shared_ledger(home.ledger_url, CONNECTION.app, clock=clock),
    ):
        yield home


CONNECTION = TencentConnection.model_validate(
    {
        "host": "http://127.0.0.1:9",
        "sdk_app_id": 1,
        "admin": "administrator",
        "secret_key": "x" * 64,
        "calls_per_second": 20_000.0,
        "parallel_calls": 2,
        "messages_per_call": 3,
    }
)


def migrate(home: Home, export: Path, run_id: str, **given: Any) -> dict[str, dict[str, int]]:
    """Run all stages; return record type → outcome → rows."""
    run = Run(
        run_id=run_id,
        settings=Settings.load({"export_path": str(export), **given}, {}),
        connection=CONNECTION,
        home=home,
        clock=FastClock(),
    )
    for stage in (
        stages.extract_export,
        stages.plan_import,
        stages.import_accounts,
        stages.import_group_profiles,
        stages.import_group_members,
        stages.import_direct_messages,
        stages.import_group_messages,
        stages.set_unread_counts,
        stages.write_report,
    ):
        stage(run)
    return stages.report_of(run).rows


def nights(cuts: list[int]) -> list[dict[str, str]]:
    """Return the settings of one run after the other: from the beginning to the end, cut at some instants."""
    bounds = ["", *(f"{_rfc3339(cut)}" for cut in cuts), ""]
    return [{"from": start, "to": end} for start, end in pairwise(bounds)]


def _rfc3339(instant_ms: int) -> str:
    return datetime.fromtimestamp(instant_ms / 1000, UTC).isoformat()


def memory(home: Home) -> dict[str, Any]:
    """Return what the ledger knows in the end that no split may change."""
    with Ledger.open(home.ledger_url, CONNECTION.app) as ledger:
        groups = {name: each.created_s for name, each in ledger.groups().items()}
        positions = [
            (
                each.group_id,
                each.account_id,
                each.first_unread_ms,
                each.first_unread_order,
                each.unread_set,
            )
            for group in GROUPS
            for each in ledger.positions(group)
        ]
        streams = ledger.streams([f"group:{group}" for group in GROUPS])
        return {
            "groups": groups,
            "positions": positions,
            "streams": streams,
            "ids": ledger.identities("user"),
        }


def told(town: Town) -> list[tuple[str, str, int, int, int, str]]:
    """Return what people told each other, in the order in which clients show it."""
    return sorted(town.told, key=lambda each: (each[2], each[3], each))


few = settings(
    max_examples=6,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@few
@given(export=exports(), cuts=splits())
def test_any_ascending_split_gives_what_one_run_gives(
    export: NeutralExport, cuts: list[int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        path = export.write(place / "export")
        whole, split = Town(), Town()
        with town_hall(place / "whole", whole) as home:
            migrate(home, path, "whole")
            expected = memory(home)
        with town_hall(place / "split", split) as home:
            for number, window in enumerate(nights(cuts)):
                migrate(home, path, f"night-{number}", **window)
            assert memory(home) == expected
            counts_set = split.counts_set
            again = migrate(home, path, "again")
        assert split.sent == whole.sent
        assert told(split) == told(whole)
        assert split.created == whole.created
        assert {k: v for k, v in split.unread.items() if v} == {
            k: v for k, v in whole.unread.items() if v
        }
        assert split.counts_set == counts_set
        assert "imported" not in again["group_messages"] | again["c2c_messages"]


@few
@given(export=exports(), cuts=splits(), early=reads)
def test_nights_over_a_growing_folder_end_where_one_run_over_all_of_it_ends(
    export: NeutralExport, cuts: list[int], early: dict[str, int]
) -> None:
    """Each night adds a file; those of the nights before are not opened again, and read states change in between."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        whole, split = Town(), Town()
        with town_hall(place / "whole", whole) as home:
            migrate(home, export.write(place / "export"), "whole")
            expected = memory(home)
        with town_hall(place / "split", split) as home:
            for number, window in enumerate(nights(cuts)):
                path = grow(place / "growing", export, [*cuts, None][: number + 1], early)
                migrate(home, path, f"night-{number}", lookback=0, **window)
            assert memory(home) == expected
        assert split.sent == whole.sent
        assert told(split) == told(whole)
        assert {k: v for k, v in split.unread.items() if v} == {
            k: v for k, v in whole.unread.items() if v
        }


def grow(
    folder: Path, export: NeutralExport, cuts: Sequence[int | None], early: dict[str, int]
) -> Path:
    """Write what a growing folder holds after some nights, a file of messages each; the last is open.

    Before it, ``early`` is the read state of all who state one in the end.
    """
    stated = {"unread_count", "last_read_at"}
    members = [
        {key: value for key, value in row.items() if key not in stated}
        | (early if stated & row.keys() else {})
        for row in export.members
    ]
    (folder / "messages").mkdir(parents=True, exist_ok=True)
    start = 0
    for number, cut in enumerate(cuts):
        end = cut or 1 << 60
        rows = [row for row in export.messages if start <= row["sent_at"] < end]
        file = folder / "messages" / f"{number}.jsonl"
        if not file.exists():
            file.write_text(lines(rows), encoding="utf-8")
        start = end
    (folder / "users.jsonl").write_text(lines(export.users), encoding="utf-8")
    (folder / "groups.jsonl").write_text(lines(export.groups), encoding="utf-8")
    now = export.members if cuts[-1] is None else members
    (folder / "members.jsonl").write_text(lines(now), encoding="utf-8")
    return folder


def lines(rows: Sequence[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)
