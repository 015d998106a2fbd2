"""Wrong secrets, wrong apps, no answer at all: one sentence at once, nothing sent, no secret anywhere."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.delivery.conftest import harbour
from tests.delivery.driving import Ended, Migration, assert_holds

from chat_migration import stages
from chat_migration.errors import CredentialsError, MigrationError, StoppedError
from chat_migration.targets.tencent_chat.auth import Signer
from chat_migration.workbench import drop_scratch, open_ledger
from chat_sandbox import FaultAction

WRONG_SECRET = "0123456789abcdef0123456789abcdef-wrong-secret"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "secret": ({"secret_key": WRONG_SECRET}, "70009"),
    "app": ({"sdk_app_id": 1_400_999_999}, "70020"),
    "admin": ({"admin": "nobody"}, "60010"),
}


@pytest.fixture
def signatures(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Every UserSig that was made."""
    made: set[str] = set()
    sign = Signer.user_sig

    def remember(self: Signer) -> str:
        made.add(sign(self))
        return sign(self)

    monkeypatch.setattr(Signer, "user_sig", remember)
    return made


def assert_nowhere(secrets: set[str], home: Path, *texts: str) -> None:
    """Assert that no file under a home and no text holds a secret."""
    assert secrets
    assert all(len(each) > 20 for each in secrets)
    secrets = secrets | {quote(each, safe="") for each in secrets}
    contents = [
        (Path(folder) / name).read_bytes() for folder, _, names in os.walk(home) for name in names
    ]
    contents += [text.encode() for text in texts]
    for secret in secrets:
        assert not any(secret.encode() in content for content in contents)


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Return what was logged in this process, but for the sandbox's server, which logs its requests."""
    records = [each for each in caplog.records if not each.name.startswith("uvicorn")]
    return "\n".join(each.getMessage() + (each.exc_text or "") for each in records)


def seconds_of(action: Callable[[], Ended]) -> tuple[Ended, float]:
    started = time.monotonic()
    return action(), time.monotonic() - started


@pytest.mark.parametrize("what", WRONG)
def test_wrong_credentials_stop_the_run_at_once_with_one_sentence(
    migration: Migration,
    signatures: set[str],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    what: str,
) -> None:
    caplog.set_level(logging.INFO)
    wrong, code = WRONG[what]
    migration.connection |= wrong
    ended, seconds = seconds_of(lambda: migration.run(harbour()))
    assert isinstance(ended.error, CredentialsError)
    assert ended.error.exit_code == 3
    assert code in str(ended.error)
    assert "\n" not in str(ended.error)
    assert seconds < 5
    assert ended.writes == 0
    assert ended.world["accounts"] == {}
    output = capfd.readouterr()
    secrets = {WRONG_SECRET, migration.sandbox.app.secret_key, *signatures}
    assert_nowhere(
        secrets, migration.home.path, str(ended.error), repr(ended.error), logged(caplog), *output
    )


@pytest.mark.parametrize(
    ("api", "code"),
    [
        ("multiaccount_import", 70398),
        ("import_group", 60020),
        ("import_group_member", 60006),
        ("import_group_msg", 70003),
        ("import_group_msg", 60010),
        ("importmsg", 70009),
        ("set_unread_msg_num", 60021),
    ],
)
def test_an_error_of_the_app_stops_the_run_at_once_and_the_next_run_goes_on(
    migration: Migration, api: str, code: int
) -> None:
    migration.connection["parallel_calls"] = 1
    migration.sandbox.add_fault(FaultAction.ERROR, api=api, code=code, first_call=2)
    ended = migration.run(harbour())
    assert isinstance(ended.error, CredentialsError)
    assert ended.calls[api] == 2
    assert ended.report is not None
    assert not ended.report.complete
    migration.sandbox.clear_faults()
    again = migration.run(harbour())
    assert again.error is None
    assert_holds(again.world, harbour())


def test_a_target_that_is_down_stops_the_run_within_seconds(
    migration: Migration, caplog: pytest.LogCaptureFixture
) -> None:
    migration.connection["host"] = f"http://127.0.0.1:{free_port()}"
    ended, seconds = seconds_of(lambda: migration.run(harbour()))
    assert isinstance(ended.error, StoppedError)
    assert ended.error.exit_code == 3
    assert "refused" in str(ended.error)
    assert "\n" not in str(ended.error)
    assert seconds < 5
    assert migration.sandbox.app.secret_key not in logged(caplog)


def test_a_target_that_goes_down_in_the_middle_loses_nothing(migration: Migration) -> None:
    migration.sandbox.add_fault(FaultAction.DROP, first_call=20)
    ended = migration.run(harbour())
    assert isinstance(ended.error, StoppedError)
    migration.sandbox.clear_faults()
    again = migration.run(harbour())
    assert again.error is None
    assert_holds(again.world, harbour())


def test_no_secret_and_no_signature_is_kept_or_said_anywhere(
    migration: Migration,
    signatures: set[str],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO)
    migration.sandbox.add_fault(FaultAction.HTTP_ERROR, probability=0.1)
    migration.sandbox.add_fault(FaultAction.DROP, probability=0.1, effect="applied")
    migration.sandbox.add_fault(FaultAction.ERROR, code=70001, first_call=9, last_call=9)
    first = migration.run(harbour())
    migration.sandbox.clear_faults()
    migration.sandbox.add_fault(FaultAction.DROP, first_call=9)
    broken = migration.run(harbour().say("quay", "ada", at(1000)))
    errors = [str(each.error) + repr(each.error) for each in (first, broken)]
    texts = [row["text"] for row in harbour().messages]
    assert not any(text in logged(caplog) for text in texts if len(text) > 6)
    assert_nowhere(
        {migration.sandbox.app.secret_key, *signatures},
        migration.home.path,
        *errors,
        logged(caplog),
        *capfd.readouterr(),
    )


def test_no_signature_is_logged_by_a_library_at_the_finest_level(
    migration: Migration, signatures: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert migration.run(harbour(), until="groups").error is None
    assert_nowhere(signatures, migration.home.path, logged(caplog))


def test_home_and_stage_are_the_owner_s_alone(migration: Migration) -> None:
    migration.run(harbour())
    home = migration.home
    for folder in (home.path, home.stage, home.path / "runs"):
        assert folder.stat().st_mode & 0o077 == 0, folder
    assert (home.path / "ledger.sqlite").stat().st_mode & 0o077 == 0


def test_what_a_dry_run_puts_aside_is_the_owner_s_alone(migration: Migration) -> None:
    assert migration.run(harbour()).error is None
    run = migration.prepare(harbour(), dry_run=True)
    stages.extract_export(run)
    try:
        with open_ledger(run):
            modes = {path.name: path.stat().st_mode & 0o077 for path in (run.scratch, run.stage)}
    finally:
        drop_scratch(run)
    assert set(modes.values()) == {0}, modes


def test_a_signature_that_expires_again_and_again_stops_the_run(migration: Migration) -> None:
    migration.sandbox.add_fault(FaultAction.ERROR, api="importmsg", code=70001)
    ended = migration.run(NeutralExport().user("ada", "bob").tell("ada", "bob", at(1)))
    assert isinstance(ended.error, MigrationError)
    assert ended.error.exit_code == 3
    assert ended.calls["importmsg"] == 2


def test_a_lock_after_failed_signatures_is_waited_for_once(migration: Migration) -> None:
    migration.sandbox.add_fault(FaultAction.ERROR, api="importmsg", code=70050)
    ended = migration.run(NeutralExport().user("ada", "bob").tell("ada", "bob", at(1)))
    assert isinstance(ended.error, MigrationError)
    assert ended.error.exit_code == 3
    assert ended.calls["importmsg"] == 2
