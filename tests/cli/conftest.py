"""A sandbox, a home of its own, and the environment that names both."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import chat_sandbox
from chat_migration.cli import main

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"


def connection(sandbox: chat_sandbox.SandboxHandle, **changes: object) -> str:
    """Return the connection's JSON, with some fields changed."""
    fields: dict[str, object] = {
        "conn_type": "tencent_chat",
        "host": sandbox.url,
        "login": sandbox.app.admin,
        "password": sandbox.app.secret_key,
        "extra": {"sdk_app_id": sandbox.app.sdk_app_id},
    }
    return json.dumps(fields | changes)


@pytest.fixture
def sandbox() -> Iterator[chat_sandbox.SandboxHandle]:
    with chat_sandbox.running(retention_days=None) as handle:
        yield handle


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "home"
    monkeypatch.setenv("CHAT_MIGRATION_HOME", str(path))
    for name in ("CHAT_MIGRATION_STAGE", "CHAT_MIGRATION_LEDGER_URL", "CHAT_MIGRATION_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AIRFLOW_CONN_TENCENT_CHAT_DEFAULT", raising=False)
    return path


@pytest.fixture
def target(sandbox: chat_sandbox.SandboxHandle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TENCENT_CHAT_DEFAULT", connection(sandbox))


@pytest.fixture
def typed(home: Path) -> Iterator[Callable[..., int]]:
    """Type a command; give back its exit code. Signal handlers are put back."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield lambda *words: main([str(word) for word in words])
    for number, handler in handlers.items():
        signal.signal(number, handler)
