"""What a row says: its elements, and the hash of what it was in the export."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from chat_migration.keys import content_hash
from chat_migration.model import Element, Text
from chat_migration.sources.slack import attachments, files
from chat_migration.sources.slack.blocks import blocks_text
from chat_migration.sources.slack.loose import Json, as_object, as_objects, as_text
from chat_migration.sources.slack.mrkdwn import Names, plain_text

_UPLOADED = re.compile(
    r"<@\w+(?:\|[^>]*)?> (?:uploaded|shared|mentioned) a file: <[^>]*>(?: and commented: (?P<said>.*))?",
    re.DOTALL,
)
_encode = msgspec.json.Encoder(order="deterministic").encode


class Content(NamedTuple):
    """The elements of a message, text first, and the hash of their source."""

    elements: tuple[Element, ...]
    source_hash: str


def content_of(row: Json, names: Names) -> Content:
    """Return what a row says.

    The hash covers raw text, subtype, author, files and the attachments that are more than previews (and the
    blocks if there is no text); neither reactions nor reply counts nor what was made of them here.
    """
    found, own = files.files_of(row), attachments.own_attachments(row)
    is_comment = row.get("subtype") == "file_comment"
    media = files.attached([] if is_comment else found)
    said = (
        _comment(row, found, names)
        if is_comment
        else _said(row, names, has_media=bool(media.elements))
    )
    paragraphs = (said, *(attachments.attachment_text(one, names) for one in own), *media.notes)
    text = "\n".join(paragraph for paragraph in paragraphs if paragraph)
    raw = [
        row.get("text"), row.get("subtype"), row.get("user"), as_object(row.get("comment")).get("comment"),
        [files.identity(file) for file in found],
        [attachments.identity(one) for one in own],
        None if row.get("text") else row.get("blocks"),
    ]  # fmt: skip
    elements: tuple[Element, ...] = (Text(text=text),) if text else ()
    return Content(elements + media.elements, content_hash(_encode(raw).decode()))


def _said(row: Json, names: Names, *, has_media: bool) -> str:
    """Return what the author typed; Slack's own sentence about an upload is dropped with the file at hand."""
    text = as_text(row.get("text"))
    uploaded = (
        _UPLOADED.fullmatch(text) if has_media and row.get("subtype") == "file_share" else None
    )
    if uploaded:
        initial = as_object(as_object(row.get("file")).get("initial_comment"))
        text = uploaded["said"] or as_text(initial.get("comment"))
    elif not text:
        return blocks_text(row.get("blocks"), names)
    return plain_text(text, names)


def _comment(row: Json, found: list[Json], names: Names) -> str:
    """Return a comment on a file; the file itself was another message."""
    comment = as_text(as_object(row.get("comment")).get("comment"))
    if not comment:
        return plain_text(as_text(row.get("text")), names)
    about = "".join(f"[on file: {files.file_name(file)}] " for file in found[:1])
    return about + plain_text(comment, names)


def kept_beside(row: Json) -> str:
    """Return what is kept with a message but is no part of it: subtype and reactions, as JSON or ""."""
    reactions = {
        name: _votes(reaction)
        for reaction in as_objects(row.get("reactions"))
        if (name := as_text(reaction.get("name")))
    }
    subtype = as_text(row.get("subtype"))
    extra = {
        **({"subtype": subtype} if subtype else {}),
        **({"reactions": reactions} if reactions else {}),
    }
    return _encode(extra).decode() if extra else ""


def _votes(reaction: Json) -> int:
    count, users = reaction.get("count"), reaction.get("users")
    if type(count) is int:
        return count
    return len(users) if isinstance(users, list) else 0
