"""One sandbox per test process, empty before each test; waits take no time; reports have no page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.clocks_fast import FastClock
from tests.delivery.direct_scenes import Talk
from tests.delivery.driving import PLANNED, SMALL, Migration
from tests.delivery.zego_zim.sending import Scene

import chat_sandbox
from chat_migration.reporting import build
from chat_sandbox import SandboxHandle


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[SandboxHandle]:
    """A sandbox in this process that keeps messages for ever."""
    with chat_sandbox.running(retention_days=None) as handle:
        yield handle


@pytest.fixture
def sandbox(shared_sandbox: SandboxHandle) -> SandboxHandle:
    """The sandbox, empty, without rate limits."""
    shared_sandbox.reset()
    shared_sandbox.set_rates(enabled=False)
    return shared_sandbox


@pytest.fixture
def talk(sandbox: SandboxHandle, tmp_path: Path) -> Iterator[Talk]:
    """A conversation at ZIM of two people of whom the service knows, in which nothing was said yet."""
    sandbox.zim.set_rates(enabled=False)
    scene = Scene(sandbox)
    scene.people("ada", "bob")
    made = Talk(scene, tmp_path)
    yield made
    made.ledger.close()
    scene.target.close()


@pytest.fixture(autouse=True)
def _without_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the HTML page out: drawing it takes longer than the migration."""
    monkeypatch.setattr(build, "render_page", lambda *_: "")


@pytest.fixture
def migration(sandbox: SandboxHandle, tmp_path: Path) -> Migration:
    """A migration of small calls whose waits move the sandbox's clock."""
    clock = FastClock(sandbox.advance_clock)
    return Migration(sandbox=sandbox, folder=tmp_path, connection=dict(SMALL), clock=clock)


@pytest.fixture(scope="session")
def planned_harbour(
    shared_sandbox: SandboxHandle, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A home in which the import of :func:`harbour` is planned and nothing is sent."""
    shared_sandbox.reset()
    there = Migration(
        sandbox=shared_sandbox,
        folder=tmp_path_factory.mktemp("planned"),
        connection=dict(SMALL),
    )
    assert there.run(harbour(), run_id=PLANNED, until="accounts").error is None
    return there.home.path


@pytest.fixture(scope="session")
def shared_expiring_sandbox() -> Iterator[SandboxHandle]:
    """A sandbox whose messages expire after a week."""
    with chat_sandbox.running(retention_days=7) as handle:
        yield handle


@pytest.fixture
def expiring_migration(shared_expiring_sandbox: SandboxHandle, tmp_path: Path) -> Migration:
    """A migration into an app that forgets what is older than a week."""
    sandbox = shared_expiring_sandbox
    sandbox.reset()
    sandbox.set_rates(enabled=False)
    clock = FastClock(sandbox.advance_clock)
    return Migration(sandbox=sandbox, folder=tmp_path, connection=dict(SMALL), clock=clock)


def harbour() -> NeutralExport:
    """An export with everything plain: bursts, ties, unread counts, placeholders of both kinds.

    `quay` is private with 14 rows and two bursts in one second, `pier` public with admins, `wreck` has no
    group row, `eve` no user row; ada and bob write to each other in one second.
    """
    export = NeutralExport().user("ada", "bob", "cid", "dee")
    export.group("quay", "ada", "bob", "cid", "dee", "eve")
    export.group("pier", "bob", "ada", "cid", type="public")
    export.member("pier", "cid", role="admin")
    for number in range(5):
        export.say("quay", ("ada", "bob", "eve")[number % 3], at(10 + number / 10))
    for number in range(4):
        export.say("quay", ("bob", "cid")[number % 2], at(20 + number * 7))
    for number in range(4):
        export.say("quay", ("cid", "dee")[number % 2], at(60 + number / 10))
    export.say("quay", "ada", at(61))
    for number in range(7):
        export.say("pier", ("ada", "bob", "cid")[number % 3], at(30 + number * 5))
    for number in range(3):
        export.say("wreck", "ada", at(90 + number))
    for number in range(3):
        export.tell("ada", "bob", at(100 + number / 10))
    export.tell("bob", "ada", at(100.35)).tell("bob", "ada", at(105))
    export.tell("cid", "ada", at(50)).tell("ada", "cid", at(51))
    export.member("quay", "bob", unread_count=3)
    export.member("quay", "cid", last_read_at=at(20))
    export.member("quay", "dee", unread_count=0)
    export.member("pier", "ada", last_read_at=at(0))
    export.member("pier", "cid", unread_count=99)
    return export
