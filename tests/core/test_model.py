"""The neutral vocabulary: conversations, elements and outcomes."""

from __future__ import annotations

import msgspec
import pytest

from chat_migration import model
from chat_migration.model import Conversation, Message, Origin, Outcome

HERE = Origin("messages.jsonl", 1)


@pytest.mark.parametrize(
    ("conversation", "key"),
    [
        pytest.param(Conversation.group("C1"), "group:C1", id="group"),
        pytest.param(Conversation.group(""), "group:", id="no-id"),
        pytest.param(
            Conversation.group("a/b%2F:c d"), "group:a%2Fb%252F:c d", id="slash-and-percent"
        ),
        pytest.param(Conversation.group("ü\n"), "group:%C3%BC%0A", id="unicode-and-newline"),
        pytest.param(Conversation.topic("g/1", "t/2"), "topic:g%2F1/t%2F2", id="topic"),
        pytest.param(Conversation.topic("g", ""), "topic:g/", id="topic-without-id"),
        pytest.param(Conversation.direct("zoe", "ada"), "direct:ada/zoe", id="direct"),
        pytest.param(Conversation.direct("a/", "a"), "direct:a/a%2F", id="direct-slash"),
    ],
)
def test_a_key_names_its_conversation_both_ways(conversation: Conversation, key: str) -> None:
    assert conversation.key == key
    assert Conversation.parse(key) == conversation


@pytest.mark.parametrize("key", ["", "room:x", "Group:x", ":x", "groups:x"])
def test_a_text_that_names_no_conversation_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="names no conversation"):
        Conversation.parse(key)


def test_a_direct_conversation_is_the_same_from_both_sides() -> None:
    assert Conversation.direct("u2", "u1") == Conversation.direct("u1", "u2")
    assert Conversation.direct("u1", "u2") != Conversation.topic("u1", "u2")


@pytest.mark.parametrize(
    ("conversation", "expected"),
    [
        pytest.param(Conversation.group("g"), (False, "g", None), id="group"),
        pytest.param(Conversation.topic("g", "t"), (False, "g", "t"), id="topic"),
        pytest.param(Conversation.direct("a", "b"), (True, None, None), id="direct"),
    ],
)
def test_a_conversation_tells_its_group_and_topic(
    conversation: Conversation, expected: tuple[bool, str | None, str | None]
) -> None:
    assert (conversation.is_direct, conversation.group_id, conversation.topic_id) == expected


@pytest.mark.parametrize(
    ("place", "conversation"),
    [
        pytest.param({"group_id": "g"}, Conversation.group("g"), id="group"),
        pytest.param({"group_id": "g", "topic_id": "t"}, Conversation.topic("g", "t"), id="topic"),
        pytest.param({"recipient_id": "ada"}, Conversation.direct("ada", "bob"), id="direct"),
    ],
)
def test_a_message_stands_in_the_conversation_of_its_ids(
    place: dict[str, str], conversation: Conversation
) -> None:
    message = Message(origin=HERE, id="1", sender_id="bob", sent_at_ms=0, source_hash="h", **place)
    assert message.conversation == conversation


@pytest.mark.parametrize(
    "element",
    [
        model.Text(text="é\0\n"),
        model.Face(index=0, data="x"),
        model.Location(latitude=-90.0, longitude=180.0, description="pole"),
        model.Custom(data="", description="d", extension="e"),
        model.Image(url="https://h/i.png", width=0, format="png", name="i"),
        model.Sound(url="https://h/s", seconds=0),
        model.File(url="https://h/f", name="f", size=2**40),
        model.Video(url="https://h/v", thumb_url="https://h/t", thumb_size=1),
    ],
    ids=lambda element: type(element).__name__.lower(),
)
def test_an_element_survives_json(element: model.Element) -> None:
    encoded = msgspec.json.encode(element)
    assert msgspec.json.decode(encoded)["type"] == type(element).__name__.lower()
    assert msgspec.json.decode(encoded, type=model.Element) == element


def test_outcomes_run_from_best_to_worst() -> None:
    assert list(Outcome) == [
        "imported", "already_imported", "updated", "withdrawn", "late_appended",
        "skipped", "deferred", "late_rejected", "rejected", "in_doubt",
    ]  # fmt: skip


def test_records_cannot_be_changed() -> None:
    user = model.User(origin=HERE, id="ada")
    with pytest.raises(AttributeError, match="immutable"):
        user.id = "bob"
