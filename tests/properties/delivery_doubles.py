"""An app in memory that does whatever a test says, and a fuse that kills the process at any of its borders."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import msgspec

from chat_migration.errors import TargetUnreachableError
from chat_migration.ledger.ledger import Ledger
from chat_migration.stop import StopSignal
from chat_migration.targets.base import (
    Advice,
    DirectKey,
    DirectMessageOut,
    Done,
    Effect,
    Failure,
    Frontier,
    GroupAddress,
    GroupKey,
    GroupMessageOut,
    ItemResult,
    Mark,
    Page,
    StoredMessage,
)

PAGE = 3
"""Messages of one page: small, so that reading back takes several."""
LATEST_EFFECT_SECONDS = 3.0
"""How long after its failure a call may still take effect."""


class Killed(BaseException):
    """The process is gone; nothing that it does from here on reaches anybody."""


class Fuse:
    """Counts crossings of the borders to ledger and target, and kills at one of them and all that follow."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.has_blown = False

    def arm(self, crossings: int | None) -> None:
        """Blow at the crossing after so many; None: never."""
        self.left, self.has_blown = crossings, False

    def cross(self) -> None:
        if self.left is None:
            return
        if self.left == 0:
            self.has_blown = True
            raise Killed
        self.left -= 1


def fused(ledger: Ledger, fuse: Fuse) -> Ledger:
    """Let a ledger's writes cross the fuse twice: before they are committed, and before anybody knows of it."""
    write = ledger.database.write

    def crossing(verb: Callable[..., Any]) -> Any:
        fuse.cross()
        result = write(verb)
        fuse.cross()
        return result

    ledger.database.write = crossing  # type: ignore[method-assign]
    return ledger


class Script(msgspec.Struct, frozen=True):
    """What happens to one call that writes.

    ``landing`` is how many of its messages are stored: None all, at once; ``late`` stores them only after the
    call has failed. ``answer`` is what the caller is told.
    """

    answer: str = "truth"
    landing: int | None = None
    late: bool = False


class FakeTarget:
    """Groups and one-to-one conversations that take everything: nothing but the caller prevents a duplicate.

    Only the one-to-one key suppresses a repeat, as the vendor promises. What is changed or withdrawn keeps its place.
    """

    withdrawals_per_call = 2

    def __init__(self, fuse: Fuse) -> None:
        self._fuse = fuse
        self.groups: dict[str, list[StoredMessage]] = {}
        self.direct: dict[tuple[int, int, int], DirectMessageOut] = {}
        self.texts: dict[tuple[str, int], str] = {}
        self.withdrawn: set[tuple[int, int, int]] = set()
        self.scripts: deque[Script] = deque()
        self._waiting: list[tuple[float, Callable[[], object]]] = []
        self._now = 0.0
        self.writes = 0

    # --- time -----------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Apply what is late and due."""
        self._now = now
        due = [apply for moment, apply in self._waiting if moment <= now]
        self._waiting = [each for each in self._waiting if each[0] > now]
        for apply in due:
            apply()

    # --- what is stored -------------------------------------------------------------------------

    def store(self, group_id: str, sender: str, slot: int, random: int, text: str = "") -> int:
        held = self.groups.setdefault(group_id, [])
        held.append(StoredMessage(sender=sender, slot=slot, sequence=len(held) + 1, random=random))
        self.texts[group_id, len(held)] = text
        return len(held)

    def newest_slot(self, group_id: str) -> int | None:
        return max((each.slot for each in self.groups.get(group_id, [])), default=None)

    # --- writes ---------------------------------------------------------------------------------

    def send_group_messages(
        self,
        address: GroupAddress,
        messages: Sequence[GroupMessageOut],
        *,
        refresh_conversation: bool,
        above: int = 0,
    ) -> list[ItemResult] | Failure:
        del refresh_conversation, above
        script = self._next()
        if len(messages) == 1:
            script = _alone(script)
        landing = messages[: script.landing]
        sequences: list[int] = []

        def apply() -> None:
            sequences.extend(
                self.store(address.group_id, each.sender, each.slot, each.random, each.body)
                for each in landing
            )

        failed = self._carried_out("import_group_msg", script, apply, repeatable=False)
        if failed is not None:
            return failed
        results: list[ItemResult] = [Done(sequence=each) for each in sequences]
        if script.answer == "last_refused" and len(results) == len(messages) > 1:
            # The answer lies: the message is there.
            results.pop()
        lacking = [
            Failure(
                api="import_group_msg",
                code=10004,
                text="invalid",
                advice=Advice.LATE,
                effect=Effect.NONE,
            )
        ] * (len(messages) - len(results))
        return results + lacking

    def send_direct_message(self, message: DirectMessageOut) -> ItemResult:
        key = (message.slot, message.sequence, message.random)

        def apply() -> None:
            self.direct.setdefault(key, message)

        failed = self._carried_out("importmsg", _alone(self._next()), apply, repeatable=True)
        return failed or Done()

    def change_group_message(
        self, address: GroupAddress, key: GroupKey, body: str, *, operator: str
    ) -> ItemResult:
        del operator

        def apply() -> None:
            self.texts[address.group_id, key.sequence] = body

        failed = self._carried_out("modify_group_msg", _alone(self._next()), apply, repeatable=True)
        return failed or Done()

    def withdraw_group_messages(
        self, address: GroupAddress, keys: Sequence[GroupKey]
    ) -> list[ItemResult] | Failure:
        """Withdraw messages; a script that lands some of them says that the others passed by."""
        script = self._next()
        sequences = [each.sequence for each in keys]
        landing = sequences[: script.landing]

        def apply() -> None:
            held = self.groups[address.group_id]
            for each in landing:
                held[each - 1] = msgspec.structs.replace(held[each - 1], withdrawn=True)

        failed = self._carried_out("group_msg_recall", script, apply, repeatable=True)
        if failed is not None:
            return failed
        busy = Failure(
            api="group_msg_recall",
            code=10002,
            text="internal error",
            advice=Advice.TRY_AGAIN,
            effect=Effect.UNKNOWN,
        )
        return [Done() if each in landing else busy for each in sequences]

    def change_direct_message(self, key: DirectKey, body: str, metadata: str) -> ItemResult:
        name = (key.slot, key.sequence, key.random)

        def apply() -> None:
            held = self.direct[name]
            self.direct[name] = msgspec.structs.replace(held, body=body, metadata=metadata)

        failed = self._carried_out("modify_c2c_msg", _alone(self._next()), apply, repeatable=True)
        return failed or Done()

    def withdraw_direct_message(self, key: DirectKey) -> ItemResult:
        def apply() -> None:
            self.withdrawn.add((key.slot, key.sequence, key.random))

        script = _alone(self._next())
        failed = self._carried_out("admin_msgwithdraw", script, apply, repeatable=True)
        return failed or Done()

    def _next(self) -> Script:
        self._fuse.cross()
        self.writes += 1
        return self.scripts.popleft() if self.scripts else Script()

    def _carried_out(
        self, api: str, script: Script, apply: Callable[[], object], *, repeatable: bool
    ) -> Failure | None:
        """Do what the script says and return the failure that the caller is told, if it is one."""
        if script.answer in ("throttled", "not_sent"):
            throttled = script.answer == "throttled"
            advice = Advice.SLOW_DOWN if throttled else Advice.TRY_AGAIN
            return Failure(api=api, code=None, text="x", advice=advice, effect=Effect.NONE)
        if script.late and script.answer == "lost":
            self._waiting.append((self._now + LATEST_EFFECT_SECONDS, apply))
        elif script.landing != 0:
            apply()
        self._fuse.cross()
        if script.answer in ("lost", "busy"):
            return Failure(
                api=api,
                code=None if script.answer == "lost" else 10002,
                text="nobody knows",
                advice=Advice.TRY_AGAIN if repeatable else Advice.READ_BACK,
                effect=Effect.UNKNOWN,
            )
        return None

    # --- reads ----------------------------------------------------------------------------------

    def read_direct(
        self, viewer: str, peer: str, *, first_slot: int, last_slot: int, cursor: str
    ) -> Page:
        """Return all messages of a stretch of time; there are few of them."""
        del viewer, peer, cursor
        return Page(
            tuple(
                StoredMessage(
                    sender=held.sender,
                    slot=held.slot,
                    sequence=held.sequence,
                    random=held.random,
                    withdrawn=name in self.withdrawn,
                )
                for name, held in self.direct.items()
                if first_slot <= held.slot <= last_slot
            )
        )

    def frontiers(self, addresses: Sequence[GroupAddress]) -> list[Frontier]:
        return [
            Frontier(
                address=each,
                exists=True,
                newest_slot=self.newest_slot(each.group_id),
                next_sequence=len(self.groups.get(each.group_id, [])) + 1,
            )
            for each in addresses
        ]

    def oldest_slot(self) -> None:
        """Take messages of any age."""

    def read_group(self, address: GroupAddress, *, since: Mark, cursor: str) -> Page:
        held = self.groups.get(address.group_id, [])
        reaching = [each for each in held if not cursor or each.sequence <= int(cursor)]
        page = tuple(reversed(reaching[-PAGE:]))
        oldest = page[-1].sequence if page else 1
        return Page(page, str(oldest - 1) if oldest > since.sequence + 1 else "")


class TimeOrderedTarget(FakeTarget):
    """Groups whose messages stand by their time: a late one comes to its place, with the newest sequence.

    Pages are read by how many messages were passed; they repeat some when others arrive.
    """

    def _newest_first(self, address: GroupAddress) -> list[StoredMessage]:
        held = self.groups.get(address.group_id, [])
        return sorted(held, key=lambda each: (each.slot, each.sequence), reverse=True)

    def frontiers(self, addresses: Sequence[GroupAddress]) -> list[Frontier]:
        newest = [next(iter(self._newest_first(each)), None) for each in addresses]
        return [
            Frontier(
                address=address,
                exists=True,
                newest_slot=found.slot if found else None,
                next_sequence=found.sequence + 1 if found else 1,
            )
            for address, found in zip(addresses, newest, strict=True)
        ]

    def read_group(self, address: GroupAddress, *, since: Mark, cursor: str) -> Page:
        start, held = int(cursor or "0"), self._newest_first(address)
        page = tuple(held[start : start + PAGE])
        is_over = start + PAGE >= len(held) or page[-1].slot < since.slot
        return Page(page, "" if is_over else str(start + PAGE))


def _alone(script: Script) -> Script:
    """Return what happens to a message that is alone in its call: refused on its own, it is refused for good."""
    return Script() if script.answer in ("truth", "last_refused") else script


class NoBudget:
    """A budget that lets everybody call at once."""

    def __init__(self, stop: StopSignal) -> None:
        self._stop = stop

    def acquire(self, api: str, priority: int = 0) -> None:
        del api, priority
        assert not self._stop.is_set()

    def slow_down(self, api: str) -> None:
        del api


def unreachable(failed: Failure) -> TargetUnreachableError:
    return TargetUnreachableError(str(failed))


def never(*_: object) -> NoReturn:
    raise AssertionError("nobody should call this")
