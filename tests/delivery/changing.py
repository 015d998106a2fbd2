"""What people see of an app after an export that has edits and deletions, computed from the export's rows alone."""

from __future__ import annotations

from tests.builders_neutral import NeutralExport, Row, at
from tests.delivery.driving import (
    Said,
    World,
    by_group,
    expected_direct,
    expected_group,
    pairs_of,
    text_of,
)

LATER = at(10_000)
"""When everything is edited and deleted."""

Seen = tuple[Said, bool]
"""What was said, and whether nobody sees it any more."""


def jetty() -> NeutralExport:
    """A group, a topic and two people who write to each other; ada and bob have unread messages."""
    export = NeutralExport().user("ada", "bob", "cid").group("jetty", "ada", "bob", "cid")
    topics = [{"id": "tides", "name": "Tides", "created_at": at(-1800)}]
    export.group("reef", "ada", "bob", type="community", topics=topics)
    for number in range(8):
        export.say("jetty", ("ada", "bob", "cid")[number % 3], at(number * 3))
    for number in range(3):
        export.say("reef", "ada", at(50 + number), topic_id="tides")
    for number in range(4):
        export.tell(("ada", "bob")[number % 2], ("bob", "ada")[number % 2], at(number / 2))
    export.member("jetty", "bob", unread_count=3)
    return export


def row_of(export: NeutralExport, message_id: str) -> Row:
    return next(row for row in export.messages if row["id"] == message_id)


def edit(export: NeutralExport, message_id: str, text: str = "") -> NeutralExport:
    """Let a message say something else."""
    row = row_of(export, message_id)
    row.update(text=text or f"{row['text']}, edited", edited_at=LATER)
    return export


def delete(export: NeutralExport, message_id: str) -> NeutralExport:
    """Let a message be deleted."""
    row_of(export, message_id)["deleted_at"] = LATER
    return export


def changed_jetty() -> NeutralExport:
    """:func:`jetty` one night later: of each kind of conversation one message is edited and one deleted."""
    export = jetty()
    for message_id in ("m0002", "m0007", "m0010", "m0012", "m0015"):
        edit(export, message_id)
    for message_id in ("m0004", "m0008", "m0011", "m0013"):
        delete(export, message_id)
    return export


def seen_in(world: World, group_id: str, topic_id: str = "") -> list[Seen]:
    """Return what a group or topic holds, in the order of its seqs."""
    group = world["groups"][group_id]
    place = group["topics"][topic_id] if topic_id else group
    return [_seen(each) for each in place["messages"]]


def seen_between(world: World, one: str, other: str) -> list[Seen]:
    """Return what two people told each other, in the order in which clients show it."""
    for conversation in world["conversations"]:
        if set(conversation["accounts"]) == {one, other}:
            ordered = sorted(conversation["messages"], key=lambda each: (each["time"], each["seq"]))
            return [_seen(each) for each in ordered]
    return []


def _seen(message: World) -> Seen:
    said = (message["from"], text_of(message["body"]), message["time"])
    return said, message["recalled"]


def assert_shows(world: World, export: NeutralExport, *, before: NeutralExport) -> None:
    """Assert that a world that held ``before`` shows what the rows of ``export`` say now.

    Everything stands where it stood; of what is deleted only the place is left.
    """
    groups, texts = by_group(before), {row["id"]: row for row in export.messages}
    for group_id, rows in groups.items():
        for topic_id in {row.get("topic_id", "") for row in rows}:
            here = [row for row in rows if row.get("topic_id", "") == topic_id]
            topic = topic_id and f"@TGS#_{group_id}@TOPIC#_{topic_id}"
            place = f"@TGS#_{group_id}" if topic_id else group_id
            expected = _expected(expected_group(here), here, texts)
            shown = _told(seen_in(world, place, topic))
            assert shown == expected, (shown, expected)
    for one, other in pairs_of(before):
        here = [
            row
            for row in before.messages
            if {row["sender_id"], row.get("recipient_id")} == {one, other}
        ]
        here.sort(key=lambda each: (each["sent_at"], each["id"]))
        expected = _expected(expected_direct(before, one, other), here, texts)
        assert _told(seen_between(world, one, other)) == expected


def _expected(said: list[Said], rows: list[Row], now: dict[str, Row]) -> list[Seen]:
    found: list[Seen] = []
    for (sender, _, second), row in zip(said, rows, strict=True):
        is_gone = "deleted_at" in now[row["id"]]
        found.append(((sender, "" if is_gone else now[row["id"]]["text"], second), is_gone))
    return found


def _told(seen: list[Seen]) -> list[Seen]:
    """Return what is seen; of what is gone the text is nobody's business."""
    return [((sender, "" if gone else text, second), gone) for (sender, text, second), gone in seen]
