"""What every part of a rebuild works with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import Self

from chat_migration.delivery.context import Tools
from chat_migration.delivery.holding import HeldWork
from chat_migration.ledger.moves import Move, deliver, intend, withdraw
from chat_migration.ledger.records import Delivery
from chat_migration.ledger.states import DeliveryState
from chat_migration.planning.tables import MessageReader, PlannedConversation, PlannedMessage
from chat_migration.rebuild.findings import Findings
from chat_migration.rebuild.row_index import Rows

REACHED = (DeliveryState.DELIVERED, DeliveryState.WITHDRAWN)
"""The states of what is in the target, or was."""
NOT_PROVABLE = "not_provable"
"""The reason with which the ledger remembers messages that no run may send: nobody knows whether they are there."""


@dataclass
class Evidence:
    """Whether any message of the export was recognised at all: without one, the settings may be wrong.

    What the target holds is then no proof of anything. What depends on it waits until everything was looked at.
    """

    exists: bool
    waiting: list[HeldWork] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, conversation: str, work: Callable[[], object]) -> None:
        """Do some work on a conversation at the end."""
        with self._lock:
            self.waiting.append(HeldWork(conversation=conversation, run=work, skip=lambda: None))


class Shelf:
    """Where the plan's messages lie. Use as a context manager."""

    def __init__(self, tools: Tools) -> None:
        self._plan = tools.plan
        self._open = ExitStack()
        self._lock = threading.Lock()
        self._readers: dict[tuple[str, int], MessageReader] = {}
        self.places = {each.conversation: each for each in tools.plan.conversations()}

    def __enter__(self) -> Self:
        """Return the shelf."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files."""
        self._open.close()

    def reader(self, place: PlannedConversation) -> MessageReader:
        """Return the reader of a conversation's messages."""
        kind = "direct" if place.kind == "direct" else "group"
        with self._lock:
            key = (kind, place.shard)
            if key not in self._readers:
                path = self._plan.messages_path(kind, place.shard)
                self._readers[key] = self._open.enter_context(closing(MessageReader(path)))
            return self._readers[key]

    def rows(self, place: PlannedConversation) -> Rows:
        """Return what yields a conversation's rows."""
        reader = self.reader(place)
        return lambda: reader.rows(place)


def is_to_send(row: PlannedMessage) -> bool:
    """Tell whether a run would send this row."""
    return not row.outcome


def delivered_parts(known: list[Delivery]) -> set[int]:
    """Return the parts of a row that the ledger has as delivered, withdrawn since or not."""
    return {each.part for each in known if each.state in REACHED}


def restoring(delivery: Delivery, known: DeliveryState | None, *, withdrawn: bool) -> list[Move]:
    """Return the moves that restore a part which the target holds; what the ledger knows to be there stays."""
    if known in REACHED:
        return []
    moves = [intend(delivery, delivery.run_id)] if known is DeliveryState.REJECTED else []
    moves.append(deliver(delivery))
    if withdrawn:
        moves.append(withdraw(moves[-1].delivery, source_hash=delivery.source_hash, run_id=""))
    return moves


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The tools of a rebuild, the plan's messages, and what was found so far.

    ``accounts`` are those that the app has, ``retention_days`` its history's retention where it is known.
    """

    tools: Tools
    findings: Findings
    shelf: Shelf
    evidence: Evidence
    retention_days: int | None
    accounts: set[str] = field(default_factory=set)
