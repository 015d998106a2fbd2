"""Whole migrations into ZIM, and what must come of one, computed from the export's rows."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import msgspec
from tests.builders_neutral import START_MS, NeutralExport, Row
from tests.delivery.driving import QUICK, Migration, World, by_group, pairs_of

from chat_migration.targets.zego_zim.connection import ZimConnection

RETENTION_DAYS = 360
_TIMES = (
    "created_at",
    "joined_at",
    "left_at",
    "sent_at",
    "edited_at",
    "deleted_at",
    "last_read_at",
)
_MARK = re.compile(r"cm1\.[0-9a-f]{16}\.[0-9a-z]{1,11}")

Said = tuple[str, str, int]
"""(sender, text, millisecond) of a message."""


@dataclass(kw_only=True)
class ZimMigration(Migration):
    """A home, an export and the sandbox's ZIM half."""

    def connect(self) -> ZimConnection:
        app = self.sandbox.zim.app
        given = {
            "host": self.sandbox.url,
            "app_id": app.app_id,
            "server_secret": app.server_secret,
            "retention_days": RETENTION_DAYS,
            **QUICK,
            **self.connection,
        }
        return ZimConnection.model_validate(given)

    def world(self) -> World:
        return self.sandbox.zim.dump()


def shifted(export: NeutralExport, by_ms: int) -> NeutralExport:
    """Return an export whose every instant is so much later."""
    moved = NeutralExport()
    for name in ("users", "groups", "members", "direct_reads", "messages"):
        rows: list[Row] = getattr(export, name)
        getattr(moved, name).extend(
            {key: value + by_ms if key in _TIMES else value for key, value in row.items()}
            for row in rows
        )
    return moved


def recent(export: NeutralExport, now_ms: int, *, days: int = 5) -> NeutralExport:
    """Return an export that begins some days ago, on a whole second."""
    return shifted(export, (now_ms // 1000 - days * 86_400) * 1000 - START_MS)


# --- worlds -------------------------------------------------------------------------------------


def comparable_zim(world: World) -> World:
    """Return a world without what may differ between two right runs: numbers, members' order of coming, reading."""
    return {
        "users": world["users"],
        "groups": {
            name: {
                **{
                    key: value for key, value in group.items() if key not in ("messages", "members")
                },
                "messages": _shown(group["messages"]),
                "members": {
                    user: {key: member[key] for key in ("role", "join_time")}
                    for user, member in group["members"].items()
                },
            }
            for name, group in world["groups"].items()
        },
        "sides": [
            {**{key: side[key] for key in ("owner", "peer")}, "messages": _shown(side["messages"])}
            for side in world["sides"]
        ],
    }


def _shown(messages: Iterable[World]) -> list[World]:
    return [
        {key: value for key, value in each.items() if key != "seq"}
        for each in sorted(messages, key=lambda each: (each["sent_at"], each["payload"]))
    ]


def text_of(message: World) -> str:
    """Return the text of a message of plain text, or the texts among its elements."""
    if message["type"] == 1:
        return str(message["body"])
    elements = msgspec.json.decode(unquote(message["body"])).get("multi_msg", [])
    return "".join(each["callback_content"] for each in elements if each["msg_type"] == 1)


def said(messages: Iterable[World]) -> list[Said]:
    """Return what a conversation's messages say, in the order in which clients show them."""
    in_order = sorted(messages, key=lambda each: each["sent_at"])
    return [(each["from"], text_of(each), each["sent_at"]) for each in in_order]


def marks_of(messages: Iterable[World]) -> list[str]:
    """Return the marks of messages; every one of them must have one."""
    found = [_MARK.match(unquote(each["payload"])) for each in messages]
    assert all(found)
    return [each[0] for each in found if each]


# --- what must come of an export of plain texts ---------------------------------------------------


def expected(rows: Iterable[Row]) -> list[Said]:
    """Return what a conversation must hold: every row at its millisecond, lifted while that is taken."""
    told: list[Said] = []
    newest = 0
    for row in rows:
        newest = max(row["sent_at"], newest + 1)
        told.append((row["sender_id"], row["text"], newest))
    return told


def rows_between(export: NeutralExport) -> dict[tuple[str, str], list[Row]]:
    """Return the one-to-one rows by pair, oldest first."""
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in sorted(export.messages, key=lambda each: (each["sent_at"], each["id"])):
        if "recipient_id" in row:
            one, other = sorted((row["sender_id"], row["recipient_id"]))
            found[one, other].append(row)
    return dict(found)


def assert_zim_holds(world: World, export: NeutralExport) -> None:
    """Assert that a world holds exactly the messages of an export of plain texts, once in each copy."""
    groups = by_group(export)
    for group_id, rows in groups.items():
        held = world["groups"][group_id]["messages"]
        assert said(held) == expected(rows), group_id
        assert len({*marks_of(held)}) == len(held)
    for group_id, group in world["groups"].items():
        assert group_id in groups or group["messages"] == []
    sides: dict[tuple[str, str], Any] = {
        (side["owner"], side["peer"]): side["messages"] for side in world["sides"]
    }
    for pair, rows in rows_between(export).items():
        for owner, peer in (pair, pair[::-1]):
            held = sides.pop((owner, peer))
            assert said(held) == expected(rows), (owner, peer)
            assert len({*marks_of(held)}) == len(held)
    assert not any(sides.values())
    assert len(rows_between(export)) == len(pairs_of(export))
