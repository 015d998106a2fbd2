"""Slack's markup, blocks, emoji, attachments and files become plain text and media elements."""

from __future__ import annotations

from typing import Any

import pytest

from chat_migration.model import File, Image, Sound, Video
from chat_migration.sources.slack.attachments import attachment_text, own_attachments
from chat_migration.sources.slack.blocks import blocks_text
from chat_migration.sources.slack.emoji_names import CHARACTERS, TONED
from chat_migration.sources.slack.files import attached, files_of
from chat_migration.sources.slack.mrkdwn import plain_text
from chat_migration.sources.slack.secrets import without_tokens

URL = "https://files.slack.com/files-pri/T1-F1/a"


class Names:
    """Two people and a channel."""

    def user_name(self, user_id: str) -> str:
        return {"U1": "Ada", "U2": "Bob"}.get(user_id, "")

    def channel_name(self, channel_id: str) -> str:
        return {"C1": "general"}.get(channel_id, "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("<@U1> and <@U9|zoe> and <@U9>", "@Ada and @zoe and @U9"),
        ("<#C1> <#C1|old name> <#C9>", "#general #old name #C9"),
        ("<!here> <!channel|channel> <!everyone>", "@here @channel @everyone"),
        ("<!subteam^S1|@crew> <!subteam^S2>", "@crew @S2"),
        ("<!date^1392734382^{date_short}^https://x.example|Feb 18>", "Feb 18"),
        ("<!date^1392734382^{date_short}>", "1392734382"),
        ("<https://x.example/?a=1&amp;b=2>", "https://x.example/?a=1&b=2"),
        ("<https://x.example|the site>", "the site (https://x.example)"),
        ("<http://x.example|x.example>", "http://x.example"),
        ("<mailto:a@x.example|a@x.example>", "a@x.example"),
        ("<mailto:a@x.example|write>", "write (a@x.example)"),
        ("<tel:+4912345|+49 12345>", "+49 12345 (+4912345)"),
        ("fine :+1: and :100:", "fine 👍 and 💯"),
        (":+1::skin-tone-3: :wave::skin-tone-6:", "👍🏼 👋🏿"),
        (":tada::skin-tone-3:", "🎉"),
        (":skin-tone-4:", "🏽"),
        (":company_logo: at 12:30:45", ":company_logo: at 12:30:45"),
        ("`:+1:` and ```a :tada: <b>```", "`:+1:` and ```a :tada: <b>```"),
        ("*bold* _it_ ~no~", "*bold* _it_ ~no~"),
        ("a < b > c <>", "a < b > c <>"),
        ("https://x.example/:tada:", "https://x.example/🎉"),
        ("<https://x.example/:tada:>", "https://x.example/:tada:"),
        ("שלום <@U1>", "שלום @Ada"),
        ("", ""),
    ],
)
def test_markup_becomes_plain_text(text: str, expected: str) -> None:
    assert plain_text(text, Names()) == expected


def test_the_table_of_emoji_holds_characters_only() -> None:
    assert len(CHARACTERS) > 300
    assert set(CHARACTERS) > TONED
    assert not [
        name for name, character in CHARACTERS.items() if len(character) > 6 or character.isalpha()
    ]


RICH: list[dict[str, Any]] = [
    {"type": "rich_text_section", "elements": [
        {"type": "text", "text": "see "},
        {"type": "link", "url": "https://x.example", "text": "it"},
        {"type": "text", "text": ", "},
        {"type": "user", "user_id": "U1"},
        {"type": "channel", "channel_id": "C1"},
        {"type": "broadcast", "range": "here"},
        {"type": "usergroup", "usergroup_id": "S1"},
        {"type": "emoji", "name": "custom"},
        {"type": "emoji", "name": "wave", "unicode": "1f44b-1f3fb"},
    ]},
    {"type": "rich_text_list", "style": "bullet", "indent": 1, "elements": [
        {"type": "rich_text_section", "elements": [{"type": "text", "text": "one"}]},
        {"type": "rich_text_section", "elements": [{"type": "text", "text": "two"}]},
    ]},
    {"type": "rich_text_list", "style": "ordered", "offset": 2, "elements": [
        {"type": "rich_text_section", "elements": [{"type": "text", "text": "three"}]},
    ]},
    {"type": "rich_text_quote", "elements": [{"type": "text", "text": "said\nso"}]},
    {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": "x = 1"}]},
]  # fmt: skip


def test_rich_text_becomes_plain_text() -> None:
    assert blocks_text([{"type": "rich_text", "elements": RICH}], Names()) == (
        "see it (https://x.example), @Ada#general@here@S1:custom:👋🏻\n"
        "  • one\n  • two\n3. three\n> said\n> so\n```\nx = 1\n```"
    )


def test_blocks_of_apps_become_plain_text() -> None:
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "Build <1>"}},
        {"type": "divider"},
        {"type": "section", "text": {"type": "mrkdwn", "text": "by <@U1>"},
         "fields": [{"type": "mrkdwn", "text": "ok"}]},
        {"type": "context", "elements": [{"type": "plain_text", "text": "now"}]},
        {"type": "image", "image_url": "https://x.example/i.png", "alt_text": "plot"},
    ]  # fmt: skip
    assert (
        blocks_text(blocks, Names())
        == "Build <1>\nby @Ada\nok\nnow\nplot (https://x.example/i.png)"
    )


@pytest.mark.parametrize(
    "blocks",
    [None, "x", [1], [{}], [{"type": "rich_text", "elements": "x"}], [{"type": "section", "text": 5}],
     [{"type": "rich_text", "elements": [{"elements": [{"type": "emoji", "unicode": "d83d"}]}]}]],
)  # fmt: skip
def test_blocks_of_the_wrong_shape_do_no_harm(blocks: Any) -> None:
    blocks_text(blocks, Names()).encode()


def test_the_preview_of_a_link_in_the_text_adds_nothing() -> None:
    preview = {"from_url": "https://x.example/?a&b", "text": "a site"}
    redirected = {"from_url": "https://elsewhere.example", "text": "a site"}
    row = {"text": "<https://x.example/?a&amp;b>", "attachments": [preview, redirected]}
    assert own_attachments(row) == []


def test_what_is_shared_or_written_by_a_bot_is_kept() -> None:
    shared = {"from_url": "https://w.slack.com/p1", "is_share": True, "text": "quoted"}
    bot = {"fallback": "build failed"}
    row = {"text": "look <https://x.example>", "attachments": [shared, bot, "junk"]}
    assert own_attachments(row) == [shared, bot]


def test_an_attachment_is_told_by_its_parts_or_its_fallback() -> None:
    full = {
        "pretext": "by <@U1>", "author_name": "CI", "title": "Build", "title_link": "https://ci.example/1",
        "text": "failed &amp; stopped", "fields": [{"title": "branch", "value": "main"}, {"value": "x"}],
        "fallback": "unused", "image_url": "https://ci.example/1.png",
    }  # fmt: skip
    assert attachment_text(full, Names()) == (
        "by @Ada\nCI\nBuild (https://ci.example/1)\nfailed & stopped\nbranch: main\nx\nhttps://ci.example/1.png"
    )
    assert attachment_text({"fallback": "only this"}, Names()) == "only this"


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            {"name": "a.jpg", "mimetype": "image/jpeg", "url_private": URL, "size": 9, "original_w": 3,
             "original_h": 4},
            Image(url=URL, width=3, height=4, size=9, format="jpg", name="a.jpg"),
        ),
        ({"title": "t", "mimetype": "image/tiff", "url_private": URL}, Image(url=URL, name="t")),
        (
            {"mimetype": "audio/mp4", "url_private": URL, "duration_ms": 1001, "size": "9"},
            Sound(url=URL, seconds=2),
        ),
        (
            {"mimetype": "video/mp4", "filetype": "mp4", "url_private": URL, "thumb_video": URL, "thumb_video_w": 5},
            Video(url=URL, format="mp4", thumb_url=URL, thumb_width=5),
        ),
        ({"id": "F1", "url_private": URL}, File(url=URL, name="F1")),
        ({"name": "doc", "mode": "external", "url_private": "x", "external_url": URL}, File(url=URL, name="doc")),
    ],
)  # fmt: skip
def test_a_file_becomes_the_element_of_its_type(file: dict[str, Any], expected: object) -> None:
    assert attached([file]).elements == (expected,)


@pytest.mark.parametrize(
    "file",
    [{"id": "F1", "mode": "hidden_by_limit"}, {"id": "F1", "mode": "tombstone", "url_private": URL},
     {"id": "F1", "url_private": "ftp://x"}, {"id": "F1", "url_private": "https://a b"}],
)  # fmt: skip
def test_a_file_that_the_export_does_not_hold_becomes_a_note(file: dict[str, Any]) -> None:
    assert attached([file]) == ((), ("[file: F1 not included]",))


def test_old_and_new_rows_name_their_files() -> None:
    assert files_of({"file": {"id": "F1"}}) == [{"id": "F1"}]
    assert files_of({"files": [{"id": "F1"}, None], "file": {"id": "F2"}}) == [{"id": "F1"}]
    assert files_of({}) == []


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (f"{URL}?t=xoxe-1-2-abc", URL),
        (f"{URL}?t=REDACTED", URL),
        (f"{URL}?t=xoxe-1&amp;pub=1|a.png>", f"{URL}?pub=1|a.png>"),
        (f"{URL}?pub=1&t=xoxe-1\\nnext", f"{URL}?pub=1\\nnext"),
        (r"https:\/\/files.slack.com\/a?t=xoxe-1\u0026x=2", r"https:\/\/files.slack.com\/a?x=2"),
        ("https://elsewhere.example/?t=xoxe-9", "https://elsewhere.example/"),
        ("https://elsewhere.example/?t=42", "https://elsewhere.example/?t=42"),
        ("pasted xoxe-123-abc here", "pasted  here"),
        ("https://proxy.example/?u=https%3A%2F%2Ffiles.slack.com%3Ft%3Dxoxe-1-2", "https://proxy.example/?u=https%3A%2F%2Ffiles.slack.com%3Ft%3D"),
    ],
)  # fmt: skip
def test_file_tokens_are_taken_out(raw: str, expected: str) -> None:
    assert without_tokens(raw) == expected
