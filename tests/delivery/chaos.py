"""A city's chat for the tests of chaos, what must come of it, and the faults that rain on it."""

from __future__ import annotations

import os
import random
from collections import Counter, defaultdict

from tests.builders_neutral import NeutralExport, Row, at
from tests.delivery.driving import World, expected_unread, text_of, unread_in

from chat_sandbox import Effect, FaultAction, SandboxHandle

SEEDS_VARIABLE = "CHAT_MIGRATION_CHAOS_SEEDS"
"""Names how many seeds are tried; the suite tries :data:`FEW_SEEDS`."""
FEW_SEEDS = 3
GROUPS, COMMUNITIES, TOPICS, PAIRS, ROWS = 40, 2, 3, 12, 5200
HOT_ROWS = 1500
"""Rows of the one group in which everybody talks."""
ODD = range(5, 10)
"""Groups that also hold rows which take several messages, or none."""
_LONG = (13_000, 25_000)

Place = tuple[str, str]
"""(group, topic) of a conversation, by legacy ids; a topic "" is the group itself."""
Sent = tuple[str, str, int]
"""(sender, text, second) of one message."""


def seeds() -> list[int]:
    """Return the seeds that are to be tried."""
    return list(range(1, int(os.environ.get(SEEDS_VARIABLE) or FEW_SEEDS) + 1))


def city() -> NeutralExport:
    """Sixty conversations and more than five thousand rows, in no order at all; always the same."""
    chance = random.Random(60)
    people = [f"user{number:02d}" for number in range(45)]
    export = NeutralExport().user(*people[:40])
    _add_groups(export, people, chance)
    for number in range(ROWS):
        moment = at(chance.choice((chance.randint(0, 90_000), chance.randint(0, 90))))
        moment += chance.choice((0, 0, chance.randint(0, 999)))
        sender = chance.choice(people)
        if number < HOT_ROWS:
            export.say("group00", sender, moment)
        elif chance.random() < 0.15:
            one, other = sorted(chance.sample(people[: PAIRS // 2], 2))
            if chance.random() < 0.5:
                one, other = other, one
            export.tell(one, other, moment, **_content(chance, number))
        elif chance.random() < 0.15:
            where = f"commons{chance.randrange(COMMUNITIES)}"
            topic = f"topic{chance.randrange(TOPICS)}"
            export.say(where, sender, moment, topic_id=topic)
        else:
            group = min(1 + int(chance.expovariate(0.12)), GROUPS - 1)
            odd = _content(chance, number) if group in ODD else {}
            export.say(f"group{group:02d}", sender, moment, **odd)
    chance.shuffle(export.messages)
    return export


def _add_groups(export: NeutralExport, people: list[str], chance: random.Random) -> None:
    for number in range(GROUPS - 2):
        name, kind = f"group{number:02d}", ("private", "public", "public", "chatroom")[number % 4]
        members = chance.sample(people, chance.randint(2, 12) if number else 40)
        export.group(name, *members, type=kind)
        for each in members:
            match chance.randint(0, 3):
                case 0:
                    export.member(name, each, unread_count=chance.randint(0, 30))
                case 1:
                    export.member(name, each, last_read_at=at(chance.randint(0, 90_000)))
    for number in range(COMMUNITIES):
        topics = [{"id": f"topic{each}", "name": f"TOPIC{each}"} for each in range(TOPICS)]
        members = chance.sample(people, 10)
        export.group(f"commons{number}", *members, type="community", topics=topics)


def _content(chance: random.Random, number: int) -> Row:
    """Return what makes some rows take several messages, and others none."""
    match chance.randint(0, 24):
        case 0 | 1:
            return {"text": f"{number}:" + "long text " * (chance.randint(*_LONG) // 10)}
        case 2:
            return {"deleted_at": at(100_000)}
        case 3:
            return {"kind": "system"}
        case 4:
            return {"text": ""}
    return {}


# --- what must come of it -------------------------------------------------------------------------


def assert_right(world: World, export: NeutralExport) -> None:
    """Assert that a world holds what an export's rows alone say, each message once and in its order."""
    groups = {group["name"]: group for group in world["groups"].values()}
    named = {name.upper(): name for name in {row.get("group_id", "") for row in export.messages}}
    for (group_id, topic), rows in _by_place(export).items():
        group = groups.get(group_id.upper()) or groups[group_id]
        topics = {each["name"]: each for each in group["topics"].values()}
        held = (topics[topic.upper()] if topic else group)["messages"]
        seqs = [each["seq"] for each in held]
        assert seqs == sorted(set(seqs)), (group_id, topic)
        newest = _assert_sent(rows, held, lifted=True)
        assert newest == (held[-1]["time"] if held else 0)
    for number in set(range(GROUPS)) - set(ODD):
        name = f"group{number:02d}"
        if name in world["groups"] and world["groups"][name]["type"] != "ChatRoom":
            assert unread_in(world, name) == expected_unread(export, name), name
    assert {name for name, group in groups.items() if group["messages"]} <= set(named) | {
        row["group_id"] for row in export.messages if "group_id" in row
    }
    pairs = _by_pair(export)
    for conversation in world["conversations"]:
        rows = pairs.pop(frozenset(conversation["accounts"]))
        held = sorted(conversation["messages"], key=lambda each: (each["time"], each["seq"]))
        _assert_sent(rows, held, lifted=False)
    assert not pairs


def _assert_sent(rows: list[Row], held: list[World], *, lifted: bool) -> int:
    """Assert that messages are those of some rows, parts of long texts one behind the other."""
    place, newest = 0, 0
    for row in rows:
        text, first = "", True
        while first or (row["text"].startswith(text) and text != row["text"]):
            message = held[place]
            second = row["sent_at"] // 1000
            newest = max(second, newest + 1) if lifted else second
            assert (message["from"], message["time"]) == (row["sender_id"], newest), row["id"]
            text += text_of(message["body"])
            place, first = place + 1, False
        assert text == row["text"], row["id"]
    assert place == len(held)
    return newest


def _is_sent(row: Row) -> bool:
    return bool(row["text"]) and "deleted_at" not in row and row.get("kind") != "system"


def _by_place(export: NeutralExport) -> dict[Place, list[Row]]:
    found: dict[Place, list[Row]] = defaultdict(list)
    for row in sorted(export.messages, key=lambda each: (each["sent_at"], each["id"])):
        if "group_id" in row and _is_sent(row):
            found[row["group_id"], row.get("topic_id", "")].append(row)
    return dict(found)


def _by_pair(export: NeutralExport) -> dict[frozenset[str], list[Row]]:
    found: dict[frozenset[str], list[Row]] = defaultdict(list)
    for row in sorted(export.messages, key=lambda each: (each["sent_at"], each["id"])):
        if "recipient_id" in row and _is_sent(row):
            found[frozenset((row["sender_id"], row["recipient_id"]))].append(row)
    return dict(found)


def conversations_of(export: NeutralExport) -> Counter[object]:
    """Return how many rows each conversation has."""
    return Counter(
        frozenset((row["sender_id"], row["recipient_id"]))
        if "recipient_id" in row
        else (row["group_id"], row.get("topic_id", ""))
        for row in export.messages
    )


# --- the faults -----------------------------------------------------------------------------------


def rain(sandbox: SandboxHandle, seed: int, *, strength: float = 1.0) -> None:
    """Put all faults in force together, each on one to five calls of a hundred times ``strength``.

    Those without effect are the rarer ones: a message that never arrives though it was sent alone six times
    in a row is given up, and must not be here.
    """
    chance = random.Random(seed)
    without = [
        {"action": FaultAction.DROP},
        {"action": FaultAction.HTTP_ERROR, "status": 502},
        {"action": FaultAction.ERROR, "code": 10002},
        {"action": FaultAction.ERROR, "code": 60008},
        {"action": FaultAction.THROTTLE},
    ]
    spoiled = [
        {"action": FaultAction.DROP, "effect": Effect.APPLIED},
        {"action": FaultAction.APPLY_LATE, "seconds": 2.5},
        {"action": FaultAction.HTTP_ERROR, "status": 502, "effect": Effect.APPLIED},
        {"action": FaultAction.ERROR, "code": 10002, "effect": Effect.APPLIED},
        {"action": FaultAction.ERROR, "code": 60008, "effect": Effect.APPLIED},
        {"action": FaultAction.EMPTY_BODY, "effect": Effect.APPLIED},
        {"action": FaultAction.TRUNCATED_BODY, "effect": Effect.APPLIED},
        {"action": FaultAction.SLOW, "seconds": 0.01, "effect": Effect.APPLIED},
        {"action": FaultAction.FEWER_ROWS},
        {"action": FaultAction.FLAT_SEQ},
    ]
    for number in range(4):
        first = 40 + 200 * number + chance.randint(0, 100)
        sandbox.add_fault(
            FaultAction.THROTTLE,
            api=("import_group_msg", "importmsg")[number % 2],
            first_call=first,
            last_call=first + 12,
        )
    for fault in without:
        sandbox.add_fault(**fault, probability=strength * chance.uniform(0.01, 0.015))
    for fault in spoiled:
        sandbox.add_fault(**fault, probability=strength * chance.uniform(0.01, 0.05))


# --- comparing ------------------------------------------------------------------------------------


def differences(one: object, other: object, path: str = "") -> list[str]:
    """Return where two worlds differ, one line each: a whole world is too long to look at."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            line
            for key in sorted({*one, *other})
            for line in differences(one.get(key), other.get(key), f"{path}/{key}")
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            line
            for place, pair in enumerate(zip(one, other, strict=True))
            for line in differences(*pair, f"{path}/{place}")
        ]
    if one == other:
        return []
    if isinstance(one, list) and isinstance(other, list):
        lacking = [each for each in other if each not in one]
        surplus = [each for each in one if each not in other]
        return [f"{path}: {len(one)} for {len(other)}, -{lacking!s:.300} +{surplus!s:.300}"]
    return [f"{path}: {one!r:.200} for {other!r:.200}"]
