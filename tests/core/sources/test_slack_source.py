"""Slack exports: people, conversations, messages, members, and what broken exports come to."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.builders_exports import SLACK_SAMPLE, Row, opened, read_items, slack

from chat_migration.errors import UnreadableExportError
from chat_migration.model import Group, Member, Message, Outcome, Problem, RecordType, Text, User
from chat_migration.sources.base import Item, UnknownField
from chat_migration.sources.slack import SlackSource

TS = "1433600000.000100"
TOKEN = "xoxe-1-very-secret"
CHANNEL = {
    "id": "C1",
    "name": "general",
    "created": "1433500000",
    "creator": "U1",
    "members": ["U1", "U2"],
}
USERS: list[Row] = [
    {"id": "U1", "name": "ada", "profile": {"display_name": "Ada L.", "real_name": "Ada Lovelace"}},
    {
        "id": "U2",
        "name": "bob",
        "deleted": True,
        "profile": {"image_72": "https://x.example/b.png"},
    },
]

Read = Callable[..., list[Item]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return a function that reads rows of one day of ``general``, or of other days and lists."""

    def read_it(
        *rows: Any, days: dict[str, list[Any]] | None = None, **lists: list[Row]
    ) -> list[Item]:
        lists = {"users": USERS, "channels": [CHANNEL], **lists}
        folder = slack(tmp_path / "export", days or {"general/2015-06-06": list(rows)}, **lists)
        source = SlackSource()
        return read_items(source, opened(source, folder, tmp_path))

    return read_it


def row(ts: str = TS, **fields: Any) -> Row:
    return {"type": "message", "user": "U1", "text": "hi", "ts": ts, **fields}


def of(kind: type, items: list[Item]) -> list[Any]:
    return [item for item in items if isinstance(item, kind)]


# --- the sample ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    """Return all items of the sample export."""
    source = SlackSource()
    return read_items(source, opened(source, SLACK_SAMPLE, tmp_path_factory.mktemp("scratch")))


def test_the_sample_is_read_whole(sample: list[Item]) -> None:
    assert len(of(Group, sample)) == 16
    assert len(of(User, sample)) == 71
    messages = of(Message, sample)
    assert len(messages) == 1382
    subtypes = Counter(json.loads(item.extra or "{}").get("subtype") for item in messages)
    assert subtypes[None] == 964
    assert subtypes["file_share"] == 61
    assert sum(item.kind == "system" for item in messages) == 1382 - 964 - 61 - 6
    assert sum(item.edited_at_ms is not None for item in messages) == 37
    assert not of(Problem, sample)
    assert not of(UnknownField, sample)


def test_all_files_of_the_sample_are_elements(sample: list[Item]) -> None:
    media = [
        element
        for item in of(Message, sample)
        for element in item.elements
        if not isinstance(element, Text)
    ]
    assert len(media) == 61


def test_no_message_of_the_sample_is_empty_or_holds_a_token(sample: list[Item]) -> None:
    assert all(item.elements for item in of(Message, sample))
    assert not re.search(r"slack\.com[^ ']*[?&]t=", repr(sample))


def test_ids_of_the_sample_sort_as_they_were_sent(sample: list[Item]) -> None:
    messages = of(Message, sample)
    by_id = sorted(messages, key=lambda item: item.id)
    assert [item.sent_at_ms for item in by_id] == sorted(item.sent_at_ms for item in messages)


# --- people and conversations -------------------------------------------------------------------


def test_users_keep_the_name_that_others_see(read: Read) -> None:
    ada, bob = of(User, read())
    assert (ada.id, ada.name, ada.deleted) == ("U1", "Ada L.", False)
    assert (bob.name, bob.deleted, bob.avatar_url) == ("bob", True, "https://x.example/b.png")


@pytest.mark.parametrize(
    ("listed", "expected"), [("channels", "public"), ("groups", "private"), ("mpims", "private")]
)
def test_channels_become_groups_of_their_type(read: Read, listed: str, expected: str) -> None:
    channel = {**CHANNEL, "is_archived": True, "topic": {"value": "T"}, "purpose": {"value": "P"}}
    (group,) = of(Group, read(row(), **{"channels": [], listed: [channel]}))
    assert (group.id, group.name, group.type, group.owner_id) == ("C1", "general", expected, "U1")
    assert (group.created_at_ms, group.introduction, group.notification) == (
        1_433_500_000_000,
        "P",
        "T",
    )
    assert json.loads(group.custom)["archived"] is True


def test_members_joined_when_their_notice_says(read: Read) -> None:
    items = read(
        row("1433600009.000000", user="U2", subtype="channel_join"),
        row("1433600001.000000", user="U2", subtype="channel_join"),
    )
    ada, bob = of(Member, items)
    assert (ada.role, ada.joined_at_ms) == ("owner", None)
    assert (bob.role, bob.joined_at_ms) == ("member", 1_433_600_001_000)


def test_an_archived_channel_has_the_members_of_its_last_notice(read: Read) -> None:
    items = read(
        row(subtype="channel_archive", members=["U2", "U1"]), channels=[{**CHANNEL, "members": []}]
    )
    assert [item.user_id for item in of(Member, items)] == ["U2", "U1"]


def test_a_creator_whom_nobody_knows_is_no_owner(read: Read) -> None:
    (group,) = of(Group, read(channels=[{**CHANNEL, "creator": "U77"}]))
    assert group.owner_id == ""


def test_a_folder_that_no_list_names_is_read_and_reported(read: Read) -> None:
    items = read(days={"secret/2015-06-06": [row()]})
    (message,) = of(Message, items)
    (problem,) = of(Problem, items)
    assert message.group_id == "secret"
    assert (problem.reason, problem.outcome) == ("folder_without_channel", Outcome.SKIPPED)


def test_a_channel_without_a_folder_keeps_its_members(read: Read) -> None:
    assert len(of(Member, read(days={}))) == 2


def test_files_that_are_no_days_are_ignored(read: Read) -> None:
    days = {
        "general/canvas": [row()],
        "general/2015-06-06": [row()],
        "canvases": [""],
        "a/b/2015-06-06": [row()],
    }
    assert len(of(Message, read(days=days))) == 1


# --- one-to-one chats ---------------------------------------------------------------------------


def test_a_direct_chat_goes_to_the_other_one(read: Read) -> None:
    rows = [row(), row("1433600001.000000", user="U2")]
    first, second = of(
        Message, read(days={"D1/2015-06-06": rows}, dms=[{"id": "D1", "members": ["U1", "U2"]}])
    )
    assert (first.sender_id, first.recipient_id, first.group_id) == ("U1", "U2", "")
    assert (second.sender_id, second.recipient_id) == ("U2", "U1")


@pytest.mark.parametrize(
    ("members", "author", "reason"),
    [
        (["U1"], "U1", "self_chat"),
        (["U1", "U1"], "U1", "self_chat"),
        (["U1", "U2"], "U3", "bad_conversation"),
    ],
)
def test_what_a_direct_chat_cannot_hold_is_a_problem(
    read: Read, members: list[str], author: str, reason: str
) -> None:
    items = read(days={"D1/2015-06-06": [row(user=author)]}, dms=[{"id": "D1", "members": members}])
    (problem,) = of(Problem, items)
    assert (problem.reason, problem.record_type) == (reason, RecordType.C2C_MESSAGES)
    assert problem.sent_at_ms == 1_433_600_000_000


def test_a_direct_chat_without_members_becomes_a_group(read: Read) -> None:
    items = read(days={"D1/2015-06-06": [row()]}, channels=[], dms=[{"id": "D1"}])
    assert [item.id for item in of(Group, items)] == ["D1"]
    assert [item.group_id for item in of(Message, items)] == ["D1"]


# --- messages -----------------------------------------------------------------------------------


def test_a_reply_names_its_parent_and_a_parent_nothing(read: Read) -> None:
    parent, reply = of(Message, read(row(thread_ts=TS), row("1433600001.000000", thread_ts=TS)))
    assert (parent.reply_to, reply.reply_to) == ("", TS)


def test_a_broadcast_of_a_thread_is_one_message(read: Read) -> None:
    (found,) = of(
        Message,
        read(
            row(
                subtype="thread_broadcast",
                thread_ts="1433500000.000000",
                root=row("1433500000.000000"),
            )
        ),
    )
    assert found.kind == "message"


@pytest.mark.parametrize(
    ("subtype", "kind"),
    [("", "message"), ("me_message", "message"), ("bot_message", "message"), ("channel_join", "system"),
     ("channel_canvas_updated", "system"), ("pinned_item", "system"), ("tombstone", "system"),
     ("group_leave", "system")],
)  # fmt: skip
def test_notices_are_system_rows(read: Read, subtype: str, kind: str) -> None:
    items = read(row(subtype=subtype))
    (found,) = of(Message, items)
    assert found.kind == kind
    assert not of(UnknownField, items)


def test_an_unknown_subtype_is_a_message_and_reported(read: Read) -> None:
    items = read(row(subtype="hologram"))
    assert of(Message, items)[0].kind == "message"
    assert of(UnknownField, items)[0].field == "subtype `hologram`"


def test_a_bot_without_a_user_gets_an_account_per_name(read: Read) -> None:
    bot = {"subtype": "bot_message", "user": None, "bot_id": "B1"}
    items = read(
        row(
            "1433600001.000000",
            **bot,
            username="irc: zoe",
            icons={"image_48": "https://x.example/z.png"},
        ),
        row("1433600002.000000", **bot, username="irc: zoe"),
        row("1433600003.000000", **bot, bot_profile={"name": "IRC"}),
    )
    assert [item.sender_id for item in of(Message, items)] == [
        "bot:B1:irc: zoe",
        "bot:B1:irc: zoe",
        "bot:B1",
    ]
    zoe, irc = of(User, items)[2:]
    assert (zoe.name, zoe.avatar_url, zoe.derived) == ("irc: zoe", "https://x.example/z.png", True)
    assert irc.name == "IRC"


def test_authors_whom_the_list_lacks_keep_their_name(read: Read) -> None:
    items = read(
        row(user="USLACKBOT"),
        row("1433600001.000000", user="W9", user_profile={"real_name": "Guest"}),
    )
    assert [(item.id, item.name) for item in of(User, items)[2:]] == [
        ("USLACKBOT", "Slackbot"),
        ("W9", "Guest"),
    ]


def test_a_comment_on_a_file_is_written_by_its_commenter(read: Read) -> None:
    (found,) = of(
        Message,
        read(row(user=None, subtype="file_comment", text="long sentence", file={"name": "a.png"},
                 comment={"user": "U2", "comment": "nice &amp; neat"})),
    )  # fmt: skip
    assert found.sender_id == "U2"
    assert found.elements == (Text(text="[on file: a.png] nice & neat"),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<@U1|ada> uploaded a file: <https://x.example|a.png> and commented: see", ["see"]),
        ("<@U1|ada> uploaded a file: <https://x.example|a.png>", []),
        ("my own words", ["my own words"]),
    ],
)
def test_slacks_sentence_about_an_upload_is_dropped(
    read: Read, text: str, expected: list[str]
) -> None:
    file = {"name": "a.png", "mimetype": "image/png", "url_private": "https://x.example/a.png"}
    (found,) = of(Message, read(row(subtype="file_share", text=text, file=file)))
    assert [element.text for element in found.elements if isinstance(element, Text)] == expected
    assert len(found.elements) == len(expected) + 1


def test_blocks_stand_in_for_an_empty_text(read: Read) -> None:
    blocks = [
        {"type": "rich_text", "elements": [{"elements": [{"type": "text", "text": "in blocks"}]}]}
    ]
    (found,) = of(Message, read(row(text="", blocks=blocks)))
    assert found.elements == (Text(text="in blocks"),)


def test_reactions_are_kept_beside_the_message(read: Read) -> None:
    reactions = [
        {"name": "+1", "count": 3, "users": ["U1"]},
        {"name": "tada", "users": ["U1", "U2"]},
    ]
    (found,) = of(Message, read(row(reactions=reactions)))
    assert json.loads(found.extra) == {"reactions": {"+1": 3, "tada": 2}}


def test_the_source_hash_ignores_what_changes_by_itself(read: Read) -> None:
    file = {"id": "F1", "name": "a", "url_private": "https://files.slack.com/a?t=xoxe-1"}
    noise = {"reply_count": 3, "latest_reply": "x", "reactions": [{"name": "x", "count": 1}],
             "attachments": [{"from_url": "https://x.example", "text": "preview"}]}  # fmt: skip
    refreshed = {**file, "url_private": "https://files.slack.com/a?t=xoxe-2", "thumb_64": "x"}
    plain, noisy, edited, other = of(
        Message,
        read(
            row("1433600001.000000", text="<https://x.example>", files=[file]),
            row("1433600002.000000", text="<https://x.example>", files=[refreshed], **noise),
            row("1433600003.000000", text="<https://x.example> more", files=[file]),
            row("1433600004.000000", text="<https://x.example>", files=[{**file, "id": "F2"}]),
        ),
    )  # fmt: skip
    assert plain.source_hash == noisy.source_hash
    assert len({plain.source_hash, edited.source_hash, other.source_hash}) == 3


def test_event_logs_give_the_messages_they_tell_of(read: Read) -> None:
    inner = row(text="new", edited={"user": "U1", "ts": "1433600005.000000"})
    items = read(
        row("1433600005.000100", subtype="message_changed", message=inner),
        row("1433600006.000100", subtype="message_deleted", deleted_ts=TS, previous_message=row()),
        row("1433600007.000100", subtype="message_replied", message=row()),
    )
    changed, deleted = of(Message, items)
    assert (changed.id, changed.edited_at_ms) == (TS, 1_433_600_005_000)
    assert (deleted.id, deleted.deleted_at_ms) == (TS, 1_433_600_006_000)
    assert [item.reason for item in of(Problem, items)] == ["thread_event"]


# --- broken and hostile rows --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (None, "not_an_object"),
        (["x"], "not_an_object"),
        ({"type": "message", "user": "U1", "text": "x"}, "bad_instant"),
        (row("1433600000"), "bad_instant"),
        (row(ts=1433600000.0001), "bad_instant"),
        (row("\u0661433600000.000100"), "bad_instant"),
        (row(text=5), "wrong_type"),
        (row(type="goodbye"), "bad_value"),
        (row(user=None), "missing_field"),
        (row(text="nul \0"), "bad_text"),
        (row(text="half \ud83d"), "bad_text"),
    ],
)
def test_a_bad_row_is_a_problem_and_the_next_is_read(read: Read, bad: Any, reason: str) -> None:
    items = read(row("1433600001.000000"), bad, row("1433600003.000000"))
    (problem,) = of(Problem, items)
    assert (problem.reason, problem.origin.line) == (reason, 2)
    assert len(of(Message, items)) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {
            "files": "x",
            "attachments": {},
            "reactions": "x",
            "edited": "x",
            "thread_ts": 5,
            "blocks": 7,
        },
        {
            "file": [1],
            "attachments": [None, {"fields": "x", "title": 5}],
            "reactions": [{"name": 5}],
        },
        {"user_profile": "x", "bot_profile": [], "icons": 3, "comment": "x", "subtype": {"a": 1}},
        {"edited": {"ts": "soon"}, "files": [{"size": -1, "url_private": 5, "mimetype": None}]},
    ],
)
def test_fields_of_the_wrong_type_do_no_harm(read: Read, fields: Row) -> None:
    assert len(of(Message, read(row(**fields)))) == 1


def test_tokens_of_files_go_nowhere(read: Read) -> None:
    url = f"https://files.slack.com/files-pri/a.png?t={TOKEN}"
    items = read(
        row(text=f"see <{url}|it> {TOKEN}", files=[{"id": "F", "url_private": url, "permalink": url}],
            attachments=[{"fallback": url, "text": url, "title_link": url}]),
        row(type="x", text=url),
    )  # fmt: skip
    assert "xoxe" not in repr(items)
    assert "https://files.slack.com/files-pri/a.png" in repr(items)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("", "does not start with"),
        ("{}", "does not start with"),
        ('[{"a":1},', "element 2"),
        ('[{"a":1} {"b":2}]', "not separated"),
        ('[{"a": oops}]', "element 1"),
        ("[" * 100_000, "RecursionError"),
        ('[{"a":' + "9" * 5000 + "}]", "ValueError"),
    ],
)
def test_a_file_that_cannot_be_read_stops_with_its_name_and_place(
    tmp_path: Path, content: str, match: str
) -> None:
    folder = slack(tmp_path / "export", {"general/2015-06-06": []}, users=USERS, channels=[CHANNEL])
    (folder / "general" / "2015-06-06.json").write_text(content)
    source = SlackSource()
    with pytest.raises(
        UnreadableExportError, match=rf"`general/2015-06-06.json` is no JSON array.*{match}"
    ):
        read_items(source, opened(source, folder, tmp_path))


def test_a_row_that_is_no_utf_8_costs_itself_only(tmp_path: Path) -> None:
    folder = slack(tmp_path / "export", {}, users=USERS, channels=[CHANNEL])
    (folder / "general").mkdir()
    good, bad = (
        json.dumps(row()).encode(),
        json.dumps(row(text="caf")).encode().replace(b"caf", b"caf\xe9"),
    )
    (folder / "general" / "2015-06-06.json").write_bytes(b"[" + bad + b"," + good + b"]")
    source = SlackSource()
    items = read_items(source, opened(source, folder, tmp_path))
    assert [item.reason for item in of(Problem, items)] == ["bad_encoding"]
    assert len(of(Message, items)) == 1


@pytest.mark.parametrize("missing", ["users.json", "channels.json"])
def test_an_export_without_people_or_channels_is_refused(tmp_path: Path, missing: str) -> None:
    folder = tmp_path / "export"
    shutil.copytree(SLACK_SAMPLE, folder)
    (folder / missing).unlink()
    source = SlackSource()
    with pytest.raises(UnreadableExportError, match="is no Slack export"):
        source.pieces(opened(source, folder, tmp_path))
