"""One open ledger per process and app: stages that run side by side share its writer instead of fighting for locks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from chat_migration.clock import Clock
from chat_migration.ledger.ledger import Ledger

_open: dict[tuple[str, str], tuple[Ledger, int]] = {}
_lock = threading.Lock()


@contextmanager
def shared_ledger(url: str, app: str, *, clock: Clock) -> Iterator[Ledger]:
    """Give the open ledger of an app, opening it for the first user and closing it after the last."""
    name = (url, app)
    with _lock:
        ledger, users = _open.get(name) or (Ledger.open(url, app, clock=clock), 0)
        _open[name] = (ledger, users + 1)
    try:
        yield ledger
    finally:
        with _lock:
            ledger, users = _open.pop(name)
            if users > 1:
                _open[name] = (ledger, users - 1)
            else:
                ledger.close()
