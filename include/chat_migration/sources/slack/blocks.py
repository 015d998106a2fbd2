"""Blocks to plain text, for messages whose ``text`` is empty."""

from __future__ import annotations

import re
from collections.abc import Iterable

from chat_migration.sources.slack.emoji import named
from chat_migration.sources.slack.loose import Json, as_natural, as_object, as_objects, as_text
from chat_migration.sources.slack.mrkdwn import Names, link, plain_text

_CODE_POINT = (
    r"(?:1f[0-9a-f]{3}|e00[0-7][0-9a-f]|[0-9a-c][0-9a-f]{3}|fe0f|00[0-9a-f]{2}|[2-9a-f][0-9a-f])"
)
_CODE_POINTS = re.compile(f"{_CODE_POINT}(?:-{_CODE_POINT})*").fullmatch
_MAX_DEPTH = 20
"""Lists in lists that are followed."""


def blocks_text(blocks: object, names: Names) -> str:
    """Return the text of a list of blocks, one block a paragraph."""
    return _joined(_block(block, names) for block in as_objects(blocks))


def _block(block: Json, names: Names) -> str:
    match block.get("type"):
        case "rich_text":
            return _joined(_rich(part, names, 0) for part in as_objects(block.get("elements")))
        case "section":
            fields = [as_object(block.get("text")), *as_objects(block.get("fields"))]
            return _joined(_composed(field, names) for field in fields)
        case "header":
            return _composed(as_object(block.get("text")), names)
        case "context":
            return _joined(_composed(part, names) for part in as_objects(block.get("elements")))
        case "image":
            label = as_text(as_object(block.get("title")).get("text")) or as_text(
                block.get("alt_text")
            )
            url = as_text(block.get("image_url"))
            return link(url, label) if url else label
        case _:
            return ""


def _composed(part: Json, names: Names) -> str:
    text = as_text(part.get("text"))
    return plain_text(text, names) if part.get("type") == "mrkdwn" else text


def _rich(part: Json, names: Names, depth: int) -> str:
    inner = as_objects(part.get("elements"))
    match part.get("type"):
        case "rich_text_list" if depth < _MAX_DEPTH:
            return _list(part, [_rich(entry, names, depth + 1) for entry in inner])
        case "rich_text_quote":
            text = "".join(_inline(entry, names) for entry in inner)
            return "\n".join(f"> {line}" for line in text.split("\n"))
        case "rich_text_preformatted":
            return "```\n" + "".join(_inline(entry, names) for entry in inner) + "\n```"
        case _:
            return "".join(_inline(entry, names) for entry in inner).rstrip("\n")


def _list(part: Json, entries: list[str]) -> str:
    indent = "  " * min(as_natural(part.get("indent")) or 0, _MAX_DEPTH)
    if part.get("style") == "ordered":
        first = 1 + (as_natural(part.get("offset")) or 0)
        return "\n".join(f"{indent}{number}. {text}" for number, text in enumerate(entries, first))
    return "\n".join(f"{indent}• {text}" for text in entries)


def _inline(entry: Json, names: Names) -> str:
    match entry.get("type"):
        case "text":
            return as_text(entry.get("text"))
        case "link":
            return link(as_text(entry.get("url")), as_text(entry.get("text")))
        case "user":
            user_id = as_text(entry.get("user_id"))
            return "@" + (names.user_name(user_id) or user_id)
        case "channel":
            channel_id = as_text(entry.get("channel_id"))
            return "#" + (names.channel_name(channel_id) or channel_id)
        case "usergroup" | "broadcast":
            return "@" + (as_text(entry.get("usergroup_id")) or as_text(entry.get("range")))
        case "emoji":
            return _emoji(entry)
        case "date":
            return as_text(entry.get("fallback")) or str(entry.get("timestamp", ""))
        case _:
            return as_text(entry.get("text")) or as_text(entry.get("value"))


def _emoji(entry: Json) -> str:
    """Return an emoji by its code points, else by its name."""
    codes = as_text(entry.get("unicode"))
    if not _CODE_POINTS(codes):
        return named(as_text(entry.get("name")))
    return "".join(chr(int(code, 16)) for code in codes.split("-"))


def _joined(parts: Iterable[str]) -> str:
    return "\n".join(part for part in parts if part)
