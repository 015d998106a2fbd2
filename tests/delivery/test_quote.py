"""A quote tells the calls that write, API by API, before a first run makes them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest
from tests.builders_neutral import HOUR, START_MS, NeutralExport, at
from tests.clocks_fast import FastClock
from tests.delivery.conftest import harbour
from tests.delivery.driving import SMALL, Ended, Migration
from tests.delivery.zego_zim.migrating import ZimMigration, recent

from chat_migration.targets.tencent_chat.limits import APIS as TENCENT_APIS
from chat_migration.targets.zego_zim.limits import APIS as ZIM_APIS
from chat_sandbox import SandboxHandle

ROOT = Path(__file__).resolve().parents[2]
WRITES = {api for apis in (TENCENT_APIS, ZIM_APIS) for api, limit in apis.items() if limit.writes}
Make = Callable[[SandboxHandle, Path], Migration]


def into_tencent(sandbox: SandboxHandle, folder: Path) -> Migration:
    clock = FastClock(sandbox.advance_clock)
    return Migration(sandbox=sandbox, folder=folder, connection=dict(SMALL), clock=clock)


def into_zim(sandbox: SandboxHandle, folder: Path) -> Migration:
    sandbox.zim.set_rates(enabled=False)
    clock = FastClock(sandbox.advance_clock)
    small = {"members_per_call": 2, "accounts_per_call": 3}
    return ZimMigration(sandbox=sandbox, folder=folder, connection=small, clock=clock)


WRITTEN = {
    into_tencent: {
        "multiaccount_import", "import_group", "import_topic", "import_group_member", "import_group_msg", "importmsg",
        "set_unread_msg_num",
    },
    into_zim: {
        "UserRegister", "CreateGroup", "InviteUsersIntoGroup", "SetGroupMemberRole", "ImportGroupMsg",
        "ImportPeerMsg", "ClearConversationUnread",
    },
}  # fmt: skip
"""What a first run may write at all."""
MIGRATIONS = pytest.mark.parametrize("into", [into_tencent, into_zim], ids=["tencent", "zim"])


@pytest.fixture
def dates(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script that makes a sample recent enough for any retention."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("demo_dates")


def crowded() -> NeutralExport:
    """Return an export of every reason for a call: roles, owners, first members, positions, topics, odd rows."""
    export = harbour()
    early = START_MS - HOUR
    for group, kind in (("dock", "public"), ("deck", "chatroom"), ("work", "private")):
        export.group(group, "ada", "bob", "cid", "dee", "eve", type=kind)
        for name in ("bob", "cid"):
            export.member(group, name, role="admin")
        export.member(group, "bob", joined_at=early, unread_count=2)
        export.member(group, "dee", joined_at=early, left_at=at(1))
        export.member(group, "eve", last_read_at=at(401))
        for number in range(4):
            export.say(group, ("ada", "eve")[number % 2], at(400 + number))
    export.group("silent", "ada", "bob").member("silent", "bob", unread_count=4, role="admin")
    export.group("nobodys")
    for name in ("fay", "gus"):
        export.member("nobodys", name)
    export.member("nobodys", "gus", role="admin", unread_count=99)
    export.say("nobodys", "fay", at(500)).say("nobodys", "fay", at(501), text="é" * 4000)
    export.group("alone", "ada").member("alone", "ada", unread_count=3)
    export.say("alone", "ada", at(510)).say("alone", "ada", at(511))
    topics = [{"id": "tides", "name": "Tides", "created_at": START_MS - HOUR // 2}]
    export.group("reef", "ada", "bob", type="community", topics=topics)
    export.member("reef", "bob", unread_count=1)
    export.say("reef", "ada", at(520), topic_id="tides").say("reef", "ada", at(521))
    export.say("strangers", "zoe", at(530)).say("strangers", "yan", at(531))
    return export.tell("ada", "fay", at(540), text="ü" * 4000).tell("gus", "fay", at(541))


def told(ended: Ended) -> dict[str, int]:
    """Return the calls that write as the quote has them."""
    assert ended.report is not None
    assert ended.report.quote is not None
    return {
        api: calls for api, calls in ended.report.quote.calls.items() if calls and api in WRITES
    }


def made(ended: Ended) -> dict[str, int]:
    return {api: calls for api, calls in ended.calls.items() if calls and api in WRITES}


@MIGRATIONS
@pytest.mark.parametrize("export", [harbour, crowded])
@pytest.mark.parametrize(
    "pilot", [{}, {"exclude_conversations": "quay,dock"}], ids=["all", "pilot"]
)
def test_a_first_run_makes_the_calls_of_its_quote(
    sandbox: SandboxHandle,
    tmp_path: Path,
    into: Make,
    export: Callable[[], NeutralExport],
    pilot: dict[str, str],
) -> None:
    migration = into(sandbox, tmp_path)
    rows = recent(export(), sandbox.now_ms())
    ended = migration.run(rows, **pilot)
    assert ended.error is None
    assert told(ended) == made(ended)
    if export is crowded and not pilot:
        assert made(ended).keys() == WRITTEN[into]
    again = migration.run(rows, **pilot)
    assert told(again) == made(again) == {}


@MIGRATIONS
@pytest.mark.parametrize("extent", ["touched", "all", "none"])
def test_the_sample_is_quoted_as_it_is_moved(
    sandbox: SandboxHandle, tmp_path: Path, dates: ModuleType, into: Make, extent: str
) -> None:
    today = datetime.fromtimestamp(sandbox.now_ms() / 1000, UTC).date()
    sample = dates.recent_copy(ROOT / "samples" / "neutral-harbour", tmp_path / "copy", today)
    ended = into(sandbox, tmp_path).run(sample, clear_unread=extent)
    assert ended.error is None
    assert told(ended) == made(ended)
