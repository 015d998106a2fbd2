"""Streaming and rebuilding one group of the sandbox's ZIM half, with a ledger in a folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
from tests.delivery.zego_zim.sending import Scene
from tests.properties.delivery_doubles import NoBudget

from chat_migration.delivery.calls import Caller, CallStatistics
from chat_migration.delivery.context import Tools
from chat_migration.delivery.frontiers import Frontiers
from chat_migration.delivery.group_messages import GroupStream
from chat_migration.delivery.holding import Lease
from chat_migration.delivery.rows import KeyConflicts
from chat_migration.delivery.tally import RowLine, Tally
from chat_migration.keys import content_hash, message_key, order_key
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.records import GroupRecord
from chat_migration.ledger.states import EntityState
from chat_migration.model import Text
from chat_migration.planning.tables import (
    MessageReader,
    Plan,
    PlannedConversation,
    PlannedGroup,
    PlannedMessage,
)
from chat_migration.progress import NoProgress
from chat_migration.rebuild.findings import Findings
from chat_migration.rebuild.ground import Evidence, Ground
from chat_migration.rebuild.groups import GroupRebuild
from chat_migration.settings import Settings
from chat_migration.stop import StopSignal
from chat_migration.targets.sizes import BatchSizes
from chat_migration.targets.zego_zim.limits import BACKEND_TIMEOUT_SECONDS

GROUP = "group:quay"
IMPORT, QUERY = "ImportGroupMsg", "QueryGroupMsg"
Outcomes = dict[str, tuple[str, str]]


class Listing(Tally):
    """A tally that keeps the outcome of each row."""

    def __init__(self, lines: Path) -> None:
        super().__init__(lines)
        self.outcomes: Outcomes = {}

    def line(self, line: RowLine) -> None:
        assert line.id not in self.outcomes, "a row ends once"
        self.outcomes[line.id] = (line.outcome, line.reason)
        super().line(line)


@dataclass
class Quay:
    """The group ``quay`` of a scene, the rows of its export, and what a ledger knows of it."""

    scene: Scene
    folder: Path
    rows: dict[str, PlannedMessage] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=lambda: {"late_messages": "append"})
    runs: int = 0

    def __post_init__(self) -> None:
        self.target = self.scene.target
        self.file = self.folder / "ledger.sqlite"
        self.created_s = self.scene.start // 1000 - 60

    # --- the export -----------------------------------------------------------------------------

    def say(self, ms: int, text: str = "", *, sender: str = "ada", parts: int = 1) -> str:
        """Add a row, so many milliseconds after the start; return its id."""
        name = f"m{len(self.rows):03d}"
        bodies = [self.body(f"{text or name}{'.' * part}") for part in range(parts)]
        self.rows[name] = PlannedMessage(
            conversation=GROUP, message_key=message_key("s", GROUP, name), legacy_id=name,
            sender=sender, recipient="", sent_at_ms=self.scene.start + ms, order_key=order_key(name),
            source_hash=content_hash("\n".join(bodies)), rank=0, as_unread=False, bodies=bodies, metadata="",
            outcome="", reason="", detail="", advice="", file="m.jsonl", line=len(self.rows) + 1,
        )  # fmt: skip
        return name

    def change(self, name: str, text: str) -> None:
        """Edit a row, or delete it with an empty text."""
        bodies = [self.body(text)] if text else []
        gone = {} if text else {"outcome": "skipped", "reason": "deleted"}
        changes = {"bodies": bodies, "source_hash": content_hash("\n".join(bodies)), **gone}
        self.rows[name] = msgspec.structs.replace(self.rows[name], **changes)

    def body(self, text: str) -> str:
        (made,) = self.scene.rules.group_bodies(
            [Text(text=text)], reply_to="", extra="", split=True
        )
        return made

    @property
    def place(self) -> PlannedConversation:
        return PlannedConversation(
            conversation=GROUP, kind="group", shard=0, first_row=0, rows=len(self.rows),
            group_id="quay", topic_id="",
        )  # fmt: skip

    def _in_order(self) -> list[PlannedMessage]:
        return sorted(self.rows.values(), key=lambda row: (row.sent_at_ms, row.order_key))

    @property
    def reader(self) -> MessageReader:
        """Return what reads the rows like those of a plan."""
        ordered = self._in_order()
        return cast(
            "MessageReader",
            SimpleNamespace(
                rows=lambda _place: iter(ordered), row=lambda _place, number: ordered[number]
            ),
        )

    # --- runs -----------------------------------------------------------------------------------

    def tools(self, ledger: Ledger, tally: Tally) -> Tools:
        self.runs += 1
        clock, stop, run_id = self.scene.clock, StopSignal(), f"run-{self.runs}"
        caller = Caller(
            budget=NoBudget(stop), clock=clock, stop=stop, statistics=CallStatistics(),
            api_of=self.scene.rules.api_of, renew_signature=self.target.renew_signature,
            stop_error=self.target.stop_error,
        )  # fmt: skip
        plan = SimpleNamespace(groups=lambda: iter([self.planned]))
        return Tools(
            run_id=run_id, settings=Settings(**self.settings), plan=cast("Plan", plan), ledger=ledger,
            target=self.target, rules=self.scene.rules, caller=caller,
            lease=Lease(ledger, clock, run_id=run_id, stage="group", call_seconds=10), tally=tally,
            sizes=BatchSizes(messages=1, members=100, accounts=100), clock=clock, progress=NoProgress(),
            stop=stop, threads=1, started=0.0, settle_seconds=BACKEND_TIMEOUT_SECONDS + 2,
        )  # fmt: skip

    @property
    def planned(self) -> PlannedGroup:
        fields: dict[str, Any] = dict.fromkeys(PlannedGroup.__struct_fields__, "") | {
            "conversation": GROUP, "legacy_id": "quay", "group_id": "quay", "type": "public",
            "name": "Harbour crew é" * 3, "owner_id": "ada", "created_s": self.created_s,
            "max_members": None, "stated_members": None, "join": None, "with_topics": False,
            "members": [], "file": "g.jsonl", "line": 1,
        }  # fmt: skip
        return PlannedGroup(**fields)

    def run(self, *, know_group: bool = True) -> Outcomes:
        """Stream the group to its end; return what became of each row."""
        with self._ledger() as ledger, Listing(self.folder / "lines.jsonl") as tally:
            if know_group and ledger.group(GROUP) is None:
                ledger.record_group(self._record())
            tools = self.tools(ledger, tally)
            with tools.lease:
                assert tools.lease.take([GROUP]) == {}
                frontiers = Frontiers(tools, [self.place], per_call=tools.sizes.frontiers)
                GroupStream(
                    tools, self.place, self.reader, frontiers=frontiers, conflicts=KeyConflicts(0)
                ).run()
                tools.lease.give_back(GROUP)
            assert ledger.count_unresolved() == 0
            assert set(tally.outcomes) == set(self.rows)
            return tally.outcomes

    def rebuild(self) -> Mapping[str, Mapping[str, int]]:
        """Restore the ledger from the app; return what was found."""
        with self._ledger() as ledger, Listing(self.folder / "lines.jsonl") as tally:
            tools = self.tools(ledger, tally)
            shelf = SimpleNamespace(
                places={GROUP: self.place},
                reader=lambda _place: self.reader,
                rows=lambda place: lambda: self.reader.rows(place),
            )
            findings = Findings(self.folder / "unproved.jsonl")
            with findings, tools.lease:
                ground = Ground(
                    tools=tools, findings=findings, shelf=cast("Any", shelf),
                    evidence=Evidence(exists=False), retention_days=7,
                )  # fmt: skip
                GroupRebuild(ground).run()
            return findings.rows

    def _ledger(self) -> Any:
        ledger = Ledger.open(f"sqlite:///{self.file}", "zim:1", clock=self.scene.clock)
        return _Closing(ledger)

    def _record(self) -> GroupRecord:
        return GroupRecord(
            conversation=GROUP, group_id="quay", type="public", created_s=self.created_s,
            state=EntityState.CREATED, run_id="r", owner_id="ada",
        )  # fmt: skip

    # --- ledgers that are lost ------------------------------------------------------------------

    def keep(self) -> Path:
        """Copy the ledger as it is; return the copy."""
        copy = self.folder / "kept.sqlite"
        shutil.copyfile(self.file, copy)
        return copy

    def lose(self, kept: Path | None = None) -> None:
        """Lose the ledger, or put a copy in its place."""
        for each in self.folder.glob("ledger.sqlite*"):
            each.unlink()
        if kept is not None:
            shutil.copyfile(kept, self.file)

    def later(self) -> None:
        """Let all leases be over."""
        self.scene.clock.sleep(200)

    # --- what the app holds ---------------------------------------------------------------------

    def held(self) -> list[tuple[str, int]]:
        """Return text and milliseconds after the start of each message, by time, as clients see it."""
        return [
            (each["body"], each["time"] - self.scene.start)
            for each in self.scene.sandbox.zim.group_messages("quay")
        ]

    def texts(self) -> list[str]:
        return [text for text, _ in self.held()]

    def calls(self, api: str) -> int:
        counts = self.scene.sandbox.stats()["apis"]
        return int(counts[api]["count"]) if api in counts else 0


class _Closing:
    """A ledger as a context manager that is closed with everything written into its one file."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def __enter__(self) -> Ledger:
        return self._ledger

    def __exit__(self, *_: object) -> None:
        self._ledger.close()


class KilledError(BaseException):
    """The process is gone."""


def killing(send: Callable[..., Any], *, after: int) -> Callable[..., Any]:
    """Return a way to send that is killed when the answer to a call is there."""
    left: Iterator[int] = iter(range(after))

    def sending(*args: Any, **kwargs: Any) -> Any:
        answer = send(*args, **kwargs)
        if next(left, None) is None:
            raise KilledError
        return answer

    return sending
