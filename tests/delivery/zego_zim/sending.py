"""Delivering to the ZIM half of a sandbox as the table of outcomes says, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr
from tests.clocks_fast import FastClock

from chat_migration.model import Custom, Element, Face, File, Image, Sound, Text, Video
from chat_migration.targets.base import (
    AccountSpec,
    Advice,
    DirectMessageOut,
    Done,
    Effect,
    Failure,
    GroupAddress,
    GroupMessageOut,
    GroupSpec,
    ItemResult,
    Mark,
    MemberSpec,
    StoredMessage,
)
from chat_migration.targets.zego_zim.connection import ZimConnection
from chat_migration.targets.zego_zim.limits import BACKEND_TIMEOUT_SECONDS
from chat_migration.targets.zego_zim.outcomes import is_repeatable
from chat_migration.targets.zego_zim.rules import ZimRules
from chat_migration.targets.zego_zim.target import ZimTarget
from chat_sandbox import SandboxHandle

World = dict[str, Any]
QUAY = GroupAddress("quay")
HOUR = 3_600_000
MOST_TRIES = 12

SAID: list[list[Element]] = [
    [Text(text="tide at six, é 日本")],
    [Text(text='"' * 2500)],
    [Image(url="https://cdn.example/a.jpg")],
    [File(url="https://cdn.example/f.pdf", size=0)],
    [Sound(url="https://cdn.example/s.m4a", seconds=0)],
    [Video(url="https://cdn.example/v.mp4", thumb_url="https://cdn.example/t.jpg", thumb_width=0)],
    [Custom(data="{}", description="card")],
    [Text(text="hi"), Image(url="https://cdn.example/b.jpg"), Face(index=3)],
]
"""One message of every type, one that is split, sizes that nobody knows."""


@dataclass
class Scene:
    """A sandbox, a target of it, and a clock whose waits move both."""

    sandbox: SandboxHandle
    connection: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        app = self.sandbox.zim.app
        given: dict[str, Any] = {
            "host": self.sandbox.url,
            "app_id": app.app_id,
            "server_secret": SecretStr(app.server_secret),
            "retention_days": 7,
        }
        self.clock = FastClock(self.sandbox.advance_clock)
        settings = ZimConnection.model_validate(given).model_copy(update=self.connection)
        self.rules = ZimRules(
            max_message_bytes=settings.max_message_bytes, retention_days=settings.retention_days
        )
        self.target = ZimTarget.connect(settings, clock=self.clock)
        self.start = self.sandbox.now_ms() - HOUR
        self.above = 0

    # --- one call, as the table says ------------------------------------------------------------

    def carry(
        self, api: str, send: Callable[[], ItemResult], look: Callable[[], int | None] | None = None
    ) -> ItemResult:
        """Make one call until its outcome is certain; ``look`` tells the number of what is there, None: nothing."""
        for _ in range(MOST_TRIES):
            told = send()
            if isinstance(told, Done):
                return told
            unknown = told.effect is Effect.UNKNOWN
            if told.advice in (Advice.TRY_AGAIN, Advice.SLOW_DOWN, Advice.SIGN_AGAIN):
                assert is_repeatable(api) or not unknown, "never repeated blindly"
                self.clock.sleep(1)
                continue
            if unknown and look is not None:
                self.clock.sleep(BACKEND_TIMEOUT_SECONDS + 2)
                found = look()
                if found is not None:
                    return Done(sequence=found)
                if told.advice is Advice.READ_BACK and not is_repeatable(api):
                    continue
            return told
        raise AssertionError(told)

    def read(self, read: Callable[[], Any]) -> Any:
        """Make a read until it is answered."""
        for _ in range(MOST_TRIES):
            told = read()
            if not isinstance(told, Failure):
                return told
            assert told.advice in (Advice.TRY_AGAIN, Advice.SLOW_DOWN, Advice.SIGN_AGAIN), told
            self.clock.sleep(1)
        raise AssertionError(told)

    # --- a small migration ----------------------------------------------------------------------

    def people(self, *accounts: str) -> None:
        """Register accounts; all of them must be there then."""
        specs = [AccountSpec(account_id=each, name=each.upper()) for each in accounts]

        def send() -> ItemResult:
            told = self.target.import_accounts(specs)
            if isinstance(told, Failure):
                return told
            return next((each for each in told if isinstance(each, Failure)), Done())

        assert isinstance(self.carry("UserRegister", send), Done)

    def group(self, *members: str) -> None:
        """Create the group of ada, its members joined at its creation, and invite them all the same."""
        spec = GroupSpec(
            group_id="quay", type="public", name="Harbour crew é" * 3, owner_id="ada",
            notification="hello", created_s=self.start // 1000 - 60,
        )  # fmt: skip

        def look() -> int | None:
            profile = self.read(lambda: self.target.read_profile("quay", operator="ada"))
            return 0 if profile.exists else None

        made = self.carry("CreateGroup", lambda: self.target.create_group(spec), look)
        assert isinstance(made, Done) or made.advice is Advice.EXISTS
        for each in members:
            joined = self.join(each)
            assert isinstance(joined, Done), joined

    def join(self, account: str) -> ItemResult:
        """Add one member; who is in the list of members is one."""
        spec = MemberSpec(account_id=account, joined_s=self.start // 1000 - 30)

        def send() -> ItemResult:
            told = self.target.add_members("quay", [spec], operator="ada")
            return told if isinstance(told, Failure) else told[0]

        def look() -> int | None:
            page = self.read(lambda: self.target.read_members("quay"))
            return 0 if any(each.account_id == account for each in page.members) else None

        return self.carry("InviteUsersIntoGroup", send, look)

    def outgoing(self, *, first: int = 0) -> list[GroupMessageOut]:
        """Return what is said in the group, one message a second."""
        bodies = [
            body
            for elements in SAID
            for body in self.rules.group_bodies(elements, reply_to="m-1", extra="", split=True)
        ]
        return [
            GroupMessageOut(
                sender=("ada", "bob")[place % 2], slot=self.start + 1000 * (first + place) + 7,
                random=2**62 + first + place, body=body,
            )
            for place, body in enumerate(bodies)
        ]  # fmt: skip

    def say(self, message: GroupMessageOut) -> ItemResult:
        """Import one group message, whatever happens to the call."""

        def send() -> ItemResult:
            told = self.target.send_group_messages(QUAY, [message], above=self.above)
            return told if isinstance(told, Failure) else told[0]

        told = self.carry("ImportGroupMsg", send, lambda: self._found_in_group(message))
        if isinstance(told, Done):
            self.above = max(self.above, told.sequence or 0)
        return told

    def tell(self, message: DirectMessageOut) -> ItemResult:
        """Import one copy of a one-to-one message, whatever happens to the call."""

        def look() -> int | None:
            return 0 if self.has(message) else None

        return self.carry("ImportPeerMsg", lambda: self.target.send_direct_message(message), look)

    def has(self, message: DirectMessageOut) -> bool:
        """Tell whether a one-to-one message is in its copy."""
        return any(each.random == message.random for each in self.copy_at(message))

    def copy_at(self, message: DirectMessageOut) -> list[StoredMessage]:
        """Return what the copy of a one-to-one message shows at its time."""
        peer = message.recipient if message.viewer == message.sender else message.sender
        found: list[StoredMessage] = []
        cursor = ""
        while True:
            page = self.read(
                lambda cursor=cursor: self.target.read_direct(  # type: ignore[misc]
                    message.viewer,
                    peer,
                    first_slot=message.slot,
                    last_slot=message.slot,
                    cursor=cursor,
                )
            )
            found += page.messages
            if not page.cursor:
                return found
            cursor = page.cursor

    def _found_in_group(self, message: GroupMessageOut) -> int | None:
        wanted = (message.sender, message.slot, message.random)
        return next(
            (
                each.sequence
                for each in self.history(message.slot)
                if (each.sender, each.slot, each.random) == wanted
            ),
            None,
        )

    def history(self, oldest_slot: int = 0) -> list[StoredMessage]:
        """Return what the group holds, newest first."""
        found: list[StoredMessage] = []
        cursor = ""
        while True:
            page = self.read(
                lambda cursor=cursor: self.target.read_group(  # type: ignore[misc]
                    QUAY, since=Mark(slot=oldest_slot), cursor=cursor
                )
            )
            found += page.messages
            if not page.cursor:
                return found
            cursor = page.cursor

    def copies(self) -> list[DirectMessageOut]:
        """Return two one-to-one messages in their copies; bob has deleted the second."""
        body = self.rules.direct_bodies([Text(text="psst")], reply_to="", extra="", split=True)[0][
            0
        ]
        pairs = [("ada", "bob", 1, ("ada", "bob")), ("bob", "ada", 2, ("ada",))]
        return [
            DirectMessageOut(
                sender=sender, recipient=recipient, viewer=viewer, slot=self.start + number,
                sequence=0, random=number, body=body,
            )
            for sender, recipient, number, viewers in pairs
            for viewer in viewers
        ]  # fmt: skip

    def deliver(self) -> list[ItemResult]:
        """Deliver everything; return what became of the messages."""
        self.people("ada", "bob", "cid")
        self.group("bob", "cid")
        told = [self.say(each) for each in self.outgoing()]
        return told + [self.tell(each) for each in self.copies()]

    # --- what must come of it -------------------------------------------------------------------

    def world(self) -> World:
        return self.sandbox.zim.dump()

    def assert_delivered_once(self) -> None:
        """Assert that the sandbox holds every message once, in order, and nothing else."""
        world = self.world()
        held = [each for each in world["groups"]["quay"]["messages"] if each["imported"]]
        expected = [(each.sender, each.random) for each in self.outgoing()]
        assert [(each["from"], _number(each)) for each in held] == expected
        sides = {(each["owner"], each["peer"]): each["messages"] for each in world["sides"]}
        told: dict[tuple[str, str], list[int]] = {}
        for copy in self.copies():
            peer = copy.recipient if copy.viewer == copy.sender else copy.sender
            told.setdefault((copy.viewer, peer), []).append(copy.random)
        assert {side: [_number(each) for each in held] for side, held in sides.items()} == told


def _number(message: World) -> int:
    return int(str(message["payload"]).split(".")[1], 16)
