"""What every target must do, in the core's words alone, before a history may be moved to it.

A new target adds its connection to :data:`CONNECTIONS`; it is not done until it passes. What targets may differ in is
what their rules say: no test asks for a vendor.
"""

from __future__ import annotations

import inspect
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

import chat_sandbox
from chat_migration.connection import TargetConnection
from chat_migration.errors import CredentialsError, TargetUnreachableError
from chat_migration.keys import vendor_random
from chat_migration.model import Text
from chat_migration.targets.base import (
    AccountSpec,
    Advice,
    DirectKey,
    DirectMessageOut,
    Done,
    Effect,
    Failure,
    GroupAddress,
    GroupKey,
    GroupMessageOut,
    GroupSpec,
    Mark,
    MemberSpec,
    Page,
    ProfileChange,
    StoredMember,
    StoredMessage,
    Target,
    TopicSpec,
)
from chat_migration.targets.rules import TargetRules
from chat_migration.targets.tencent_chat.connection import TencentConnection
from chat_migration.targets.tencent_chat.target import TencentTarget
from chat_migration.targets.vendors import VENDORS
from chat_migration.targets.verbs import Verb
from chat_migration.targets.zego_zim.connection import ZimConnection
from chat_migration.targets.zego_zim.target import ZimTarget
from chat_sandbox import SandboxHandle

TARGETS: dict[str, type[Target]] = {"tencent": TencentTarget, "zim": ZimTarget}
SPACING_MS = 1000
"""Between two messages: no target may need more."""
MANY = 130
"""Messages that fit no page."""
RECENT = 100
"""The first message of the last minute: a target may withdraw young ones only."""


def tencent(sandbox: SandboxHandle) -> TargetConnection:
    return TencentConnection(
        host=sandbox.url,
        sdk_app_id=sandbox.app.sdk_app_id,
        admin=sandbox.app.admin,
        secret_key=SecretStr(sandbox.app.secret_key),
    )


def zim(sandbox: SandboxHandle) -> TargetConnection:
    return ZimConnection(
        host=sandbox.url,
        app_id=sandbox.zim.app.app_id,
        server_secret=SecretStr(sandbox.zim.app.server_secret),
        retention_days=7,
    )


CONNECTIONS: dict[str, Callable[[SandboxHandle], TargetConnection]] = {
    "tencent": tencent,
    "zim": zim,
}
QUAY = GroupAddress("quay")


class Stage:
    """One target of a sandbox, with a short history to tell it."""

    def __init__(self, sandbox: SandboxHandle, connection: TargetConnection) -> None:
        self.sandbox, self.connection = sandbox, connection
        self.target: Target = connection.connect()
        self.rules: TargetRules = connection.rules()
        self.start_ms = sandbox.now_ms() - (MANY + 10) * SPACING_MS
        self.created_s = self.start_ms // 1000 - 100

    def people(self, *accounts: str) -> None:
        """Create accounts."""
        made = self.target.import_accounts([AccountSpec(account_id=each) for each in accounts])
        assert isinstance(made, list)
        assert all(isinstance(each, Done) for each in made)

    def spec(self, group_id: str = "quay", **changes: Any) -> GroupSpec:
        """Return a group of ada's."""
        fields = {"type": "public", "name": group_id, "owner_id": "ada", **changes}
        return GroupSpec(group_id=group_id, created_s=self.created_s, **fields)

    def group(self, *members: str) -> None:
        """Create ada's group with some members."""
        assert self.target.create_group(self.spec()) == Done()
        if members:
            assert self.join(*members) == [Done()] * len(members)

    def join(self, *members: str) -> Any:
        """Add members."""
        specs = [MemberSpec(account_id=each, joined_s=self.created_s + 10) for each in members]
        return self.target.add_members("quay", specs, operator="ada")

    def body(self, text: str) -> str:
        """Return the body of a group message."""
        return self.rules.group_bodies([Text(text=text)], reply_to="", extra="", split=True)[0]

    def slot(self, number: int) -> int:
        """Return when the message of some number was sent."""
        return (self.start_ms + number * SPACING_MS) // self.rules.slot_ms

    def message(self, number: int) -> GroupMessageOut:
        """Return a group message."""
        return GroupMessageOut(
            sender=("ada", "bob")[number % 2],
            slot=self.slot(number),
            random=vendor_random(str(number), 0, bits=self.rules.random_bits),
            body=self.body(f"message {number}"),
        )

    def send(self, *messages: GroupMessageOut, above: int = 0) -> Any:
        """Send group messages in one call; return what became of the call, or of the first of them."""
        return first(
            self.target.send_group_messages(QUAY, messages, refresh_conversation=False, above=above)
        )

    def say(self, count: int, *, start: int = 0) -> list[GroupKey]:
        """Send some messages and return their keys."""
        size, keys, above = self.connection.sizes().messages, [], 0
        numbers = range(start, start + count)
        for begin in range(0, count, size):
            batch = [self.message(number) for number in numbers[begin : begin + size]]
            told = self.target.send_group_messages(
                QUAY, batch, refresh_conversation=False, above=above
            )
            assert isinstance(told, list), told
            for message, done in zip(batch, told, strict=True):
                assert isinstance(done, Done), done
                assert done.sequence is not None
                assert done.sequence > above
                above = done.sequence
                keys.append(key_of(message, above))
        return keys

    def pages(self, since: Mark) -> list[Page]:
        """Return the group's pages, down to a mark."""
        found: list[Page] = []
        cursor, seen = "", {""}
        while True:
            page = self.target.read_group(QUAY, since=since, cursor=cursor)
            assert isinstance(page, Page), page
            found.append(page)
            if not page.cursor:
                return found
            cursor = page.cursor
            assert cursor not in seen
            seen.add(cursor)

    def history(self, since: Mark | None = None) -> list[StoredMessage]:
        """Return the group's messages, newest first."""
        return [each for page in self.pages(since or Mark()) for each in page.messages]

    def copies(self, number: int) -> list[DirectMessageOut]:
        """Return what ada wrote to bob, in its copies."""
        bodies, metadata = self.rules.direct_bodies(
            [Text(text=f"psst {number}")], reply_to="", extra="", split=True
        )
        viewers = ("",) if self.rules.direct_copies == 1 else ("ada", "bob")
        return [
            DirectMessageOut(
                sender="ada",
                recipient="bob",
                viewer=viewer,
                slot=self.slot(number),
                sequence=number,
                random=vendor_random(f"direct {number}", 0, bits=self.rules.random_bits),
                body=bodies[0],
                metadata=metadata,
            )
            for viewer in viewers
        ]

    def tell(self, message: DirectMessageOut) -> DirectKey:
        """Send one copy of a one-to-one message and return its key."""
        told = self.target.send_direct_message(message)
        assert isinstance(told, Done), told
        return direct_key_of(message, told.sequence)

    def find(self, key: DirectKey) -> StoredMessage | None:
        """Return what a one-to-one message's copy shows of it, read page by page."""
        viewer = key.viewer or key.sender
        peer = key.recipient if viewer == key.sender else key.sender
        told = self.stretch(viewer, peer, key.slot, key.slot)
        return next((each for each in told if each.random == key.random), None)

    def stretch(self, viewer: str, peer: str, first: int, last: int) -> list[StoredMessage]:
        """Return what two people told each other from one slot to another, as one of them sees it."""
        found: list[StoredMessage] = []
        cursor, seen = "", {""}
        while True:
            page = self.target.read_direct(
                viewer, peer, first_slot=first, last_slot=last, cursor=cursor
            )
            assert isinstance(page, Page), page
            found += page.messages
            if not page.cursor:
                return found
            cursor = page.cursor
            assert cursor not in seen
            seen.add(cursor)

    def members(self) -> dict[str, StoredMember]:
        """Return the group's members, each of them listed once."""
        found: list[StoredMember] = []
        cursor = ""
        while True:
            page = self.target.read_members("quay", community=False, cursor=cursor)
            assert not isinstance(page, Failure), page
            found += page.members
            cursor = page.cursor
            if not cursor:
                break
        assert len({each.account_id for each in found}) == len(found)
        return {each.account_id: each for each in found}

    def calls(self) -> dict[str, int]:
        """Return how often each API was called."""
        return {api: told["count"] for api, told in self.sandbox.stats()["apis"].items()}


def first(told: Any) -> Any:
    """Return what became of the first item, or of the call."""
    return told[0] if isinstance(told, list) else told


def key_of(message: GroupMessageOut, sequence: int) -> GroupKey:
    return GroupKey(
        sender=message.sender, slot=message.slot, random=message.random, sequence=sequence
    )


def direct_key_of(message: DirectMessageOut, sequence: int | None = None) -> DirectKey:
    return DirectKey(
        sender=message.sender,
        recipient=message.recipient,
        slot=message.slot,
        sequence=message.sequence if sequence is None else sequence,
        random=message.random,
        viewer=message.viewer,
    )


def keys_in(stored: Sequence[StoredMessage]) -> list[GroupKey]:
    return [
        GroupKey(sender=each.sender, slot=each.slot, random=each.random, sequence=each.sequence)
        for each in stored
    ]


def is_done_or(told: Any, *advice: Advice) -> bool:
    return isinstance(told, Done) or told.advice in advice


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[SandboxHandle]:
    with chat_sandbox.running() as handle:
        yield handle


@pytest.fixture
def sandbox(shared_sandbox: SandboxHandle) -> SandboxHandle:
    """An empty sandbox without rate limits."""
    shared_sandbox.reset()
    shared_sandbox.set_rates(enabled=False)
    shared_sandbox.zim.set_rates(enabled=False)
    return shared_sandbox


@pytest.fixture(params=CONNECTIONS)
def empty(request: pytest.FixtureRequest, sandbox: SandboxHandle) -> Iterator[Stage]:
    """A target that holds nothing."""
    made = Stage(sandbox, CONNECTIONS[request.param](sandbox))
    yield made
    made.target.close()


@pytest.fixture
def stage(empty: Stage) -> Stage:
    """A target with three accounts, and a group of two of them in which nothing was said."""
    empty.people("ada", "bob", "cid")
    empty.group("bob")
    return empty


# --- the protocol itself ------------------------------------------------------------------------


def test_every_vendor_is_tried() -> None:
    assert set(CONNECTIONS) == set(TARGETS) == set(VENDORS)


METHODS = [
    name for name, each in vars(Target).items() if callable(each) and not name.startswith("_")
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_target_takes_what_the_protocol_says(target: type[Target], method: str) -> None:
    asked = inspect.signature(getattr(Target, method)).parameters
    taken = inspect.signature(getattr(target, method)).parameters
    assert [(each.name, each.kind) for each in taken.values()] == [
        (each.name, each.kind) for each in asked.values()
    ]


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_target_offers_nothing_that_the_core_does_not_know(target: type[Target]) -> None:
    public = {name for name in vars(target) if not name.startswith("_")}
    assert public == {*METHODS, "connect", "withdrawals_per_call"}


# --- access -------------------------------------------------------------------------------------


def test_the_check_passes_and_a_new_signature_is_taken(empty: Stage) -> None:
    empty.target.check()
    empty.target.renew_signature()
    empty.target.check()
    assert empty.target.app == empty.connection.app


def test_a_wrong_secret_stops_a_run(empty: Stage) -> None:
    secret = SecretStr("0123456789abcdef0123456789abcdef")
    fields = [name for name, of in empty.connection.parts.items() if of == "password"]
    wrong = empty.connection.model_copy(update=dict.fromkeys(fields, secret)).connect()
    with pytest.raises(CredentialsError) as caught:
        wrong.check()
    assert secret.get_secret_value() not in str(caught.value)
    wrong.close()


def test_an_address_where_nobody_answers_stops_a_run(empty: Stage) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    unreachable = empty.connection.model_copy(update={"host": nobody}).connect()
    with pytest.raises(TargetUnreachableError):
        unreachable.check()
    unreachable.close()


@pytest.mark.parametrize("code", [None, 5])
@pytest.mark.parametrize("advice", list(Advice))
def test_every_failure_can_stop_a_run(empty: Stage, advice: Advice, code: int | None) -> None:
    failed = Failure(api="api", code=code, text="text", advice=advice, effect=Effect.NONE)
    error = empty.target.stop_error(failed, done="Nothing.")
    assert error.exit_code == 3
    assert "text" in str(error)


# --- accounts, groups, members ------------------------------------------------------------------


def test_accounts_are_created_and_changed_as_often_as_one_likes(empty: Stage) -> None:
    assert empty.target.existing_accounts(["ada", "bob"]) == {"ada": False, "bob": False}
    for _ in range(2):
        empty.people("ada")
        changed = empty.target.change_accounts([AccountSpec(account_id="ada", name="Ada")])
        assert isinstance(first(changed), Done)
    assert empty.target.existing_accounts(["ada", "bob"]) == {"ada": True, "bob": False}


def test_a_group_is_not_there_before_it_is_created_and_then_it_is_empty(empty: Stage) -> None:
    empty.people("ada")
    before = first(empty.target.frontiers([QUAY]))
    assert (before.address, before.exists) == (QUAY, False)
    profile = empty.target.read_profile("quay", operator="ada")
    assert isinstance(profile, Failure) or not profile.exists
    assert empty.target.create_group(empty.spec()) == Done()
    after = first(empty.target.frontiers([QUAY]))
    assert (after.exists, after.newest_slot, after.next_sequence) == (True, None, 1)
    assert empty.history() == []
    assert {name: each.role for name, each in empty.members().items()} == {"ada": "owner"}
    assert is_done_or(empty.target.create_group(empty.spec()), Advice.EXISTS)


def test_a_group_has_as_many_first_members_as_the_rules_say_and_names_the_refused(
    empty: Stage,
) -> None:
    empty.people("ada", "bob")
    wanted = ("bob", "nobody")[: empty.rules.first_members]
    made = empty.target.create_group(empty.spec(members=wanted))
    assert isinstance(made, Done)
    assert [name for name, _ in made.refused] == [each for each in wanted if each == "nobody"]
    assert set(empty.members()) == {"ada", *wanted} - {"nobody"}


def test_nobody_is_added_twice(stage: Stage) -> None:
    told = stage.join("bob", "cid")
    assert isinstance(told, list)
    assert all(is_done_or(each, Advice.READ_BACK) for each in told)
    assert set(stage.members()) == {"ada", "bob", "cid"}


def test_roles_owner_and_leavers_are_set_as_often_as_one_likes(stage: Stage) -> None:
    assert stage.join("cid") == [Done()]
    for _ in range(2):
        assert isinstance(stage.target.change_role("quay", "bob", "admin", operator="ada"), Done)
    assert stage.members()["bob"].role == "admin"
    assert isinstance(stage.target.change_role("quay", "bob", "member", operator="ada"), Done)
    assert stage.members()["bob"].role == "member"
    assert isinstance(stage.target.change_owner("quay", "bob", operator="ada"), Done)
    assert {name for name, each in stage.members().items() if each.role == "owner"} == {"bob"}
    for _ in range(2):
        assert isinstance(stage.target.remove_members("quay", ["cid"], operator="bob"), Done)
    assert set(stage.members()) == {"ada", "bob"}


def test_a_profile_is_changed_where_it_is_not_empty(stage: Stage) -> None:
    change = ProfileChange(group_id="quay", type="public", notification="hello")
    for _ in range(2):
        assert stage.target.change_profile(change, operator="ada") == Done()
    found = stage.target.read_profile("quay", operator="ada")
    assert not isinstance(found, Failure)
    assert (found.exists, found.name, found.notification) == (True, "quay", "hello")


def test_topics_are_there_where_the_rules_say_so(empty: Stage) -> None:
    empty.people("ada")
    city = empty.rules.group_id("city", 0, community=True)
    spec = empty.spec(city, type="community", with_topics=empty.rules.has_topics)
    assert empty.target.create_group(spec) == Done()
    topic = empty.rules.topic_id(city, "t", 0)
    before = empty.calls()
    made = empty.target.create_topic(
        TopicSpec(group_id=city, topic_id=topic, name="t", created_s=empty.created_s)
    )
    assert isinstance(made, Done) is empty.rules.has_topics
    if isinstance(made, Failure):
        assert (made.advice, made.effect) == (Advice.REJECT_ITEM, Effect.NONE)
        assert empty.calls() == before


# --- group messages -----------------------------------------------------------------------------


def test_what_was_said_is_read_back_newest_first(stage: Stage) -> None:
    keys = stage.say(9)
    assert keys_in(stage.history()) == keys[::-1]
    frontier = first(stage.target.frontiers([QUAY]))
    assert frontier.newest_slot == keys[-1].slot
    assert frontier.next_sequence == keys[-1].sequence + 1


def test_reading_ends_at_its_mark_and_leaves_nothing_newer_out(stage: Stage) -> None:
    keys = stage.say(MANY)
    everything = stage.pages(Mark())
    assert len(everything) > 1
    assert keys_in([each for page in everything for each in page.messages]) == keys[::-1]
    mark = Mark(keys[99].sequence, keys[99].slot)
    pages = stage.pages(mark)
    assert len(pages) < len(everything)
    found = keys_in([each for page in pages for each in page.messages])
    assert found == keys[::-1][: len(found)]
    assert set(keys[100:]) <= set(found)


def test_a_late_message_goes_to_its_time_where_the_rules_say_so(stage: Stage) -> None:
    keys = stage.say(9)
    late = msgspec.structs.replace(stage.message(RECENT), slot=keys[0].slot)
    told = stage.send(late, above=keys[-1].sequence)
    assert isinstance(told, Done) is stage.rules.late_goes_to_its_time
    if isinstance(told, Done):
        mark = Mark(sequence=keys[-1].sequence, slot=late.slot)
        assert key_of(late, told.sequence or 0) in keys_in(stage.history(mark))
    else:
        assert (told.advice, told.effect) == (Advice.LATE, Effect.NONE)


def test_a_sequence_that_does_not_rise_is_not_believed(stage: Stage) -> None:
    told = stage.send(stage.message(0), above=1000)
    assert isinstance(told, Failure)
    assert told.effect is Effect.UNKNOWN


def test_a_changed_message_keeps_what_it_is_known_by(stage: Stage) -> None:
    keys = stage.say(3)
    for _ in range(2):
        told = stage.target.change_group_message(QUAY, keys[1], stage.body("new"), operator="ada")
        assert told == Done()
    assert keys_in(stage.history()) == keys[::-1]


def test_a_message_is_withdrawn_as_often_as_one_likes(stage: Stage) -> None:
    keys = stage.say(12, start=RECENT)
    some = keys[-stage.target.withdrawals_per_call :]
    for _ in range(2):
        told = stage.target.withdraw_group_messages(QUAY, some)
        assert isinstance(told, list)
        assert len(told) == len(some)
        assert all(is_done_or(each, Advice.EXISTS) for each in told)
    withdrawn = {each.sequence for each in stage.history() if each.withdrawn}
    assert withdrawn == {each.sequence for each in some}


def test_a_message_that_is_not_there_is_neither_changed_nor_withdrawn(stage: Stage) -> None:
    (key,) = stage.say(1)
    missing = msgspec.structs.replace(key, sequence=999)
    changed = stage.target.change_group_message(QUAY, missing, stage.body("new"), operator="ada")
    withdrawn = first(stage.target.withdraw_group_messages(QUAY, [missing]))
    for told in (changed, withdrawn):
        assert isinstance(told, Failure)
        assert told.effect is Effect.NONE
    assert keys_in(stage.history()) == [key]


# --- one-to-one messages ------------------------------------------------------------------------


def test_each_copy_of_a_one_to_one_message_is_found_by_itself(stage: Stage) -> None:
    copies = stage.copies(1)
    for place, copy in enumerate(copies):
        key = stage.tell(copy)
        found = stage.find(key)
        assert found is not None
        assert (found.sender, found.slot, found.random) == ("ada", copy.slot, copy.random)
        assert found.sequence == key.sequence
        for other in copies[place + 1 :]:
            assert stage.find(direct_key_of(other)) is None
    assert stage.find(direct_key_of(stage.copies(2)[0])) is None


@pytest.mark.parametrize(("viewer", "peer"), [("ada", "bob"), ("bob", "ada")])
def test_a_stretch_of_a_conversation_is_read_as_either_sees_it(
    stage: Stage, viewer: str, peer: str
) -> None:
    numbers = range(0, 40, 4)
    for number in numbers:
        for copy in stage.copies(number):
            stage.tell(copy)
    wanted = [stage.copies(number)[0] for number in numbers[2:5]]
    found = stage.stretch(viewer, peer, wanted[0].slot, wanted[-1].slot)
    assert sorted(each.random for each in found) == sorted(each.random for each in wanted)


def test_a_one_to_one_message_is_changed_and_withdrawn_as_often_as_one_likes(stage: Stage) -> None:
    keys = [stage.tell(copy) for copy in stage.copies(RECENT)]
    (body,), metadata = stage.rules.direct_bodies(
        [Text(text="new")], reply_to="", extra="", split=True
    )
    for key in keys * 2:
        assert stage.target.change_direct_message(key, body, metadata) == Done()
    for _ in range(2):
        assert is_done_or(stage.target.withdraw_direct_message(keys[0]), Advice.EXISTS)
    found = stage.find(keys[0])
    assert found is None or found.withdrawn


# --- how old a message may be -------------------------------------------------------------------


def test_what_is_older_than_the_app_keeps_is_refused_without_effect(stage: Stage) -> None:
    oldest = stage.target.oldest_slot()
    assert (oldest is None) is (stage.rules.oldest_slot(stage.sandbox.now_ms()) is None)
    if oldest is None:
        return
    old = msgspec.structs.replace(stage.message(0), slot=oldest - 1)
    told = [stage.send(old)]
    for copy in stage.copies(0):
        older = msgspec.structs.replace(copy, slot=oldest - 1)
        told.append(stage.target.send_direct_message(older))
    assert [(each.advice, each.effect) for each in told] == (
        [(Advice.TOO_OLD, Effect.NONE)] * (1 + stage.rules.direct_copies)
    )
    assert stage.history() == []


# --- unread counts ------------------------------------------------------------------------------


def test_unread_counts_are_set_where_the_rules_say_so_and_cleared_everywhere(stage: Stage) -> None:
    stage.say(5)
    told = stage.target.set_unread("quay", "bob", 3)
    assert isinstance(told, Done) is stage.rules.sets_unread
    if isinstance(told, Failure):
        assert (told.advice, told.effect) == (Advice.REJECT_ITEM, Effect.NONE)
    for _ in range(2):
        assert stage.target.clear_unread("bob", group_id="quay") == Done()
        assert stage.target.set_unread("quay", "bob", 0) == Done()


# --- every verb: under whose name it is counted, and what is told when the answer is lost --------

Call = Callable[[Stage], object]


def group_key(on: Stage) -> GroupKey:
    return key_of(on.message(0), 1)


def direct_key(on: Stage) -> DirectKey:
    return direct_key_of(on.copies(1)[0], 1)


CALLS: dict[Verb, Call] = {
    Verb.EXISTING_ACCOUNTS: lambda on: on.target.existing_accounts(["ada"]),
    Verb.IMPORT_ACCOUNTS: lambda on: on.target.import_accounts([AccountSpec(account_id="dee")]),
    Verb.CHANGE_ACCOUNTS: lambda on: on.target.change_accounts(
        [AccountSpec(account_id="ada", name="Ada")]
    ),
    Verb.CREATE_GROUP: lambda on: on.target.create_group(on.spec("pier")),
    Verb.CREATE_TOPIC: lambda on: on.target.create_topic(
        TopicSpec(group_id="city", topic_id="city-t", name="t", created_s=on.created_s)
    ),
    Verb.ADD_MEMBERS: lambda on: on.join("cid"),
    Verb.READ_MEMBERS: lambda on: on.target.read_members("quay", community=False, cursor=""),
    Verb.READ_PROFILE: lambda on: on.target.read_profile("quay", operator="ada"),
    Verb.CHANGE_PROFILE: lambda on: on.target.change_profile(
        ProfileChange(group_id="quay", type="public", name="new"), operator="ada"
    ),
    Verb.CHANGE_OWNER: lambda on: on.target.change_owner("quay", "bob", operator="ada"),
    Verb.CHANGE_ROLE: lambda on: on.target.change_role("quay", "bob", "admin", operator="ada"),
    Verb.REMOVE_MEMBERS: lambda on: on.target.remove_members("quay", ["bob"], operator="ada"),
    Verb.GROUP_FRONTIERS: lambda on: on.target.frontiers([QUAY]),
    Verb.TOPIC_FRONTIERS: lambda on: on.target.frontiers([GroupAddress("city", "city-t")]),
    Verb.SEND_GROUP_MESSAGES: lambda on: on.send(on.message(9), above=1),
    Verb.READ_GROUP: lambda on: on.target.read_group(QUAY, since=Mark(), cursor=""),
    Verb.CHANGE_GROUP_MESSAGE: lambda on: on.target.change_group_message(
        QUAY, group_key(on), on.body("new"), operator="ada"
    ),
    Verb.WITHDRAW_GROUP_MESSAGES: lambda on: on.target.withdraw_group_messages(
        QUAY, [group_key(on)]
    ),
    Verb.SEND_DIRECT_MESSAGE: lambda on: on.target.send_direct_message(on.copies(9)[0]),
    Verb.READ_DIRECT: lambda on: on.target.read_direct(
        "ada", "bob", first_slot=on.slot(0), last_slot=on.slot(9), cursor=""
    ),
    Verb.CHANGE_DIRECT_MESSAGE: lambda on: on.target.change_direct_message(
        direct_key(on), on.body("new"), ""
    ),
    Verb.WITHDRAW_DIRECT_MESSAGE: lambda on: on.target.withdraw_direct_message(direct_key(on)),
    Verb.SET_UNREAD: lambda on: on.target.set_unread("quay", "bob", 1),
    Verb.CLEAR_UNREAD: lambda on: on.target.clear_unread("bob", group_id="quay"),
}


def api_of(rules: TargetRules, verb: Verb) -> str:
    """Return the API that serves a verb, "" if none does; where a count can be set, it is cleared by setting it."""
    by_setting = verb is Verb.CLEAR_UNREAD and rules.sets_unread
    return rules.api_of.get(Verb.SET_UNREAD if by_setting else verb, "")


SERVED = [
    pytest.param(name, verb, id=f"{name}-{verb}")
    for name, vendor in VENDORS.items()
    for verb in Verb
    if api_of(vendor.nowhere().rules(), verb)
]


@pytest.fixture
def spoken(sandbox: SandboxHandle, name: str) -> Iterator[Stage]:
    """The target of some name, in which one message was said and one told."""
    made = Stage(sandbox, CONNECTIONS[name](sandbox))
    made.people("ada", "bob", "cid")
    made.group("bob")
    made.say(1)
    made.tell(made.copies(1)[0])
    yield made
    made.target.close()


def test_every_verb_is_tried() -> None:
    assert set(CALLS) == set(Verb)


@pytest.mark.parametrize(("name", "verb"), SERVED)
def test_a_verb_is_one_call_of_the_api_that_the_rules_name(spoken: Stage, verb: Verb) -> None:
    before = spoken.calls()
    CALLS[verb](spoken)
    after = spoken.calls()
    made = {api: count - before.get(api, 0) for api, count in after.items()}
    assert {api: count for api, count in made.items() if count} == {api_of(spoken.rules, verb): 1}


@pytest.mark.parametrize(("name", "verb"), SERVED)
def test_a_lost_answer_leaves_open_whether_a_write_was_done(spoken: Stage, verb: Verb) -> None:
    api = api_of(spoken.rules, verb)
    spoken.sandbox.add_fault("drop", api=api, last_call=1, effect="applied")
    told = first(CALLS[verb](spoken))
    assert isinstance(told, Failure), told
    writes = spoken.connection.apis[api].writes
    assert (told.api, told.code) == (api, None)
    assert told.effect is (Effect.UNKNOWN if writes else Effect.NONE)
    assert told.advice in (Advice.TRY_AGAIN, Advice.READ_BACK)


@pytest.mark.parametrize(("name", "verb"), SERVED)
def test_over_the_rate_nothing_is_done(spoken: Stage, verb: Verb) -> None:
    api = api_of(spoken.rules, verb)
    spoken.sandbox.add_fault("throttle", api=api, last_call=1)
    told = first(CALLS[verb](spoken))
    assert isinstance(told, Failure), told
    assert (told.api, told.advice, told.effect) == (api, Advice.SLOW_DOWN, Effect.NONE)
