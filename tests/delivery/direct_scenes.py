"""One one-to-one conversation, streamed into the sandbox's ZIM half: a copy for each person, and no key of a repeat."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import msgspec
from tests.delivery.zego_zim.sending import Scene
from tests.properties.delivery_doubles import Fuse, Killed, NoBudget, fused

from chat_migration.delivery.calls import Caller, CallStatistics
from chat_migration.delivery.context import Tools
from chat_migration.delivery.direct_messages import DirectStream
from chat_migration.delivery.holding import Lease
from chat_migration.delivery.rows import KeyConflicts
from chat_migration.delivery.tally import RowLine, Tally
from chat_migration.keys import content_hash, message_key, order_key, vendor_random
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.records import Delivery
from chat_migration.model import Text
from chat_migration.planning.tables import MessageReader, Plan, PlannedConversation, PlannedMessage
from chat_migration.progress import NoProgress
from chat_migration.settings import Settings
from chat_migration.stop import StopSignal
from chat_migration.targets.base import DirectMessageOut, ItemResult, Target
from chat_migration.targets.sizes import BatchSizes
from chat_migration.targets.zego_zim.limits import BACKEND_TIMEOUT_SECONDS

PLACE = "direct:ada/bob"
PEER = {"ada": "bob", "bob": "ada"}
SETTLE_SECONDS = BACKEND_TIMEOUT_SECONDS + 2
LEASE_IS_OVER_SECONDS = 180.0


class _Rows:
    """The rows of the conversation, as a plan's file hands them out."""

    def __init__(self, rows: Sequence[PlannedMessage]) -> None:
        self._rows = sorted(rows, key=lambda row: (row.sent_at_ms, row.order_key))

    def rows(self, place: PlannedConversation) -> Iterator[PlannedMessage]:
        del place
        return iter(self._rows)

    def row(self, place: PlannedConversation, number: int) -> PlannedMessage:
        del place
        return self._rows[number]


class _Listing(Tally):
    """A tally that keeps how each row ended."""

    def __init__(self, lines: Path) -> None:
        super().__init__(lines)
        self.ended: dict[str, RowLine] = {}

    def line(self, line: RowLine) -> None:
        assert line.id not in self.ended, "a row ends once"
        self.ended[line.id] = line
        super().line(line)


class _FusedTarget:
    """A target before and behind whose sends the process can be killed."""

    def __init__(self, target: Target, fuse: Fuse) -> None:
        self._target, self._fuse = target, fuse

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def send_direct_message(self, message: DirectMessageOut) -> ItemResult:
        self._fuse.cross()
        answer = self._target.send_direct_message(message)
        self._fuse.cross()
        return answer


@dataclass
class Talk:
    """What ada and bob told each other, and a ledger of what was sent of it."""

    scene: Scene
    folder: Path
    settings: Settings = field(default_factory=Settings)
    said: list[PlannedMessage] = field(default_factory=list)
    runs: int = 0

    def __post_init__(self) -> None:
        self.fuse = Fuse()
        self.statistics = CallStatistics()
        self.open()

    def open(self) -> None:
        url = f"sqlite:///{self.folder / 'ledger.sqlite'}"
        self.ledger = fused(Ledger.open(url, "zim:1", clock=self.scene.clock), self.fuse)

    def back_up(self) -> None:
        """Keep the ledger as it is now."""
        self.ledger.close()
        shutil.copy(self.folder / "ledger.sqlite", self.folder / "backup.sqlite")
        self.open()

    def restore(self) -> None:
        """Take the ledger that was kept; without one, an empty one."""
        self.ledger.close()
        for file in self.folder.glob("ledger.sqlite*"):
            file.unlink()
        if (self.folder / "backup.sqlite").exists():
            shutil.copy(self.folder / "backup.sqlite", self.folder / "ledger.sqlite")
        self.open()

    # --- what is to be sent ---------------------------------------------------------------------

    def say(
        self, *texts: str, after_ms: int = 0, sender: str = "ada", legacy: str = ""
    ) -> PlannedMessage:
        """Add a row in as many parts as there are texts, some time after the scene's start."""
        legacy = legacy or f"m{len(self.said):04d}"
        row = PlannedMessage(
            conversation=PLACE, message_key=message_key("s", PLACE, legacy), legacy_id=legacy,
            sender=sender, recipient=PEER[sender], sent_at_ms=self.scene.start + after_ms,
            order_key=order_key(legacy), source_hash=content_hash(*texts), rank=0, as_unread=False,
            bodies=[self.body(text) for text in texts], metadata="", outcome="", reason="", detail="", advice="",
            file="f", line=len(self.said) + 1,
        )  # fmt: skip
        self.said.append(row)
        return row

    def body(self, text: str) -> str:
        (body,), _ = self.scene.rules.direct_bodies(
            [Text(text=text)], reply_to="", extra="", split=True
        )
        return body

    def change(self, row: PlannedMessage, *texts: str) -> PlannedMessage:
        """Let a row say something else; without a text it is deleted."""
        fields: dict[str, Any] = {} if texts else {"outcome": "skipped", "reason": "deleted"}
        changed = msgspec.structs.replace(
            row,
            source_hash=content_hash("changed", *texts),
            bodies=[self.body(text) for text in texts],
            **fields,
        )
        self.said[self.said.index(row)] = changed
        return changed

    # --- runs -----------------------------------------------------------------------------------

    @property
    def place(self) -> PlannedConversation:
        return PlannedConversation(
            conversation=PLACE, kind="direct", shard=0, first_row=0, rows=len(self.said), group_id="", topic_id="",
        )  # fmt: skip

    @property
    def reader(self) -> MessageReader:
        return cast("MessageReader", _Rows(self.said))

    def run(self, run_id: str = "") -> dict[str, RowLine]:
        """Stream the conversation; return how its rows ended, by legacy id."""
        self.runs += 1
        with _Listing(self.folder / "lines.jsonl") as tally:
            tools = self.tools(run_id or f"r{self.runs}", tally)
            with tools.lease:
                assert tools.lease.take([PLACE]) == {}
                DirectStream(tools, self.place, self.reader, conflicts=KeyConflicts(0)).run()
                tools.lease.give_back(PLACE)
            self.lifted = tally.lifted
            return tally.ended

    def killed_run(self, crossings: int) -> bool:
        """Run until the process is killed at one of its borders; tell whether it was."""
        self.fuse.arm(crossings)
        try:
            self.run()
        except Killed:
            pass
        finally:
            blown = self.fuse.has_blown
            self.fuse.arm(None)
        if blown:
            self.ledger.close()
            self.scene.clock.sleep(LEASE_IS_OVER_SECONDS)
            self.open()
        return blown

    def tools(self, run_id: str, tally: Tally) -> Tools:
        scene, stop = self.scene, StopSignal()
        caller = Caller(
            budget=NoBudget(stop), clock=scene.clock, stop=stop, statistics=self.statistics,
            api_of=scene.rules.api_of, renew_signature=scene.target.renew_signature,
            stop_error=scene.target.stop_error,
        )  # fmt: skip
        lease = Lease(self.ledger, scene.clock, run_id=run_id, stage="direct", call_seconds=10)
        return Tools(
            run_id=run_id, settings=self.settings, plan=Plan(self.folder), ledger=self.ledger,
            target=cast("Target", _FusedTarget(scene.target, self.fuse)), rules=scene.rules, caller=caller, lease=lease,
            tally=tally, sizes=BatchSizes(messages=1, members=1, accounts=1), clock=scene.clock,
            progress=NoProgress(), stop=stop, threads=1, started=0.0, settle_seconds=SETTLE_SECONDS,
        )  # fmt: skip

    # --- what must come of it -------------------------------------------------------------------

    def known(self, row: PlannedMessage) -> dict[tuple[int, str], Delivery]:
        found = self.ledger.deliveries([row.message_key]).get(row.message_key, [])
        return {(each.part, each.side): each for each in found}

    def copy(self, viewer: str) -> list[dict[str, Any]]:
        """Return what one of the two has, by its time."""
        held = self.scene.sandbox.zim.peer_messages(viewer, PEER[viewer])
        return sorted(held, key=lambda each: int(each["time"]))

    def numbers(self, viewer: str) -> list[int]:
        return [int(str(each["payload"]).split(".")[1], 16) for each in self.copy(viewer)]

    def expected(self) -> list[int]:
        rows = _Rows(self.said).rows(self.place)
        return [
            vendor_random(row.message_key, part, bits=63)
            for row in rows
            for part in range(len(row.bodies))
        ]

    def calls(self, api: str) -> int:
        counted = self.statistics.snapshot().get(api)
        return counted.count if counted else 0

    def assert_once_in_each_copy(self) -> None:
        """Assert that both have every message once, in order, at its slot, and that the ledger knows it."""
        for viewer in ("ada", "bob"):
            assert self.numbers(viewer) == self.expected(), viewer
        times = {
            viewer: {
                number: each["time"]
                for number, each in zip(self.numbers(viewer), self.copy(viewer), strict=True)
            }
            for viewer in ("ada", "bob")
        }
        for row in self.said:
            for each in self.known(row).values():
                viewer = each.sender if each.side == "sender" else each.recipient
                assert times[viewer][each.random] == each.slot
                held = self.copy(viewer)[self.numbers(viewer).index(each.random)]
                assert held["seq"] == each.sequence
        assert self.ledger.count_unresolved() == 0
