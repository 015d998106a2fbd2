"""Attachments: previews of links, which add nothing, and what bots write, which is the message."""

from __future__ import annotations

from chat_migration.sources.slack.loose import Json, as_objects, as_text
from chat_migration.sources.slack.mrkdwn import Names, link, plain_text


def own_attachments(row: Json) -> list[Json]:
    """Return the attachments of a message that are more than the preview of a link in its text.

    The address of a preview may be the one that the link redirects to, so any link will do; a message shared
    from elsewhere counts as seen only if its own address is in the text.
    """
    text = as_text(row.get("text")).replace("&amp;", "&")
    has_link = "<http" in text
    return [
        attachment
        for attachment in as_objects(row.get("attachments"))
        if not _is_seen(attachment, text, has_link=has_link)
    ]


def attachment_text(attachment: Json, names: Names) -> str:
    """Return an attachment as plain text; its fallback if it has no text of its own."""
    title = plain_text(as_text(attachment.get("title")), names)
    title_link, image = as_text(attachment.get("title_link")), as_text(attachment.get("image_url"))
    parts = [
        plain_text(as_text(attachment.get("pretext")), names),
        as_text(attachment.get("author_name")),
        link(title_link, title) if title_link else title,
        plain_text(as_text(attachment.get("text")), names),
        *(_field(field, names) for field in as_objects(attachment.get("fields"))),
        image,
    ]
    own = "\n".join(part for part in parts if part)
    return own or plain_text(as_text(attachment.get("fallback")), names)


def identity(attachment: Json) -> list[object]:
    """Return what tells that a bot's attachment says something else."""
    return [attachment.get(key) for key in ("pretext", "title", "text", "fallback", "fields")]


def _is_seen(attachment: Json, text: str, *, has_link: bool) -> bool:
    addresses = [
        as_text(attachment.get(key)).replace("&amp;", "&") for key in ("from_url", "original_url")
    ]
    if not any(addresses):
        return False
    is_shared = attachment.get("is_share") is True or attachment.get("is_msg_unfurl") is True
    return any(url and url in text for url in addresses) or (has_link and not is_shared)


def _field(field: Json, names: Names) -> str:
    title, value = as_text(field.get("title")), plain_text(as_text(field.get("value")), names)
    return f"{title}: {value}" if title and value else title or value
