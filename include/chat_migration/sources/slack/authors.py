"""Who wrote a row: a user, a bot that has no user, or nobody but Slack itself."""

from __future__ import annotations

from typing import NamedTuple

from chat_migration.model import Origin, User
from chat_migration.sources.slack.loose import Json, as_object, as_text, as_url
from chat_migration.sources.slack.workspace import SLACKBOT, Workspace, avatar, display_name


class Author(NamedTuple):
    """An author's id; name and picture where only the row knows them."""

    id: str
    name: str = ""
    avatar_url: str = ""
    is_bot: bool = False

    def account(self, origin: Origin, workspace: Workspace) -> User | None:
        """Return the account to add for an author whom ``users.json`` lacks, None if nothing is known."""
        if self.id in workspace.users or not self.name:
            return None
        return User(
            origin=origin,
            id=self.id,
            name=self.name,
            avatar_url=self.avatar_url,
            custom='{"bot":true}' if self.is_bot else "",
            derived=True,
        )


def author_of(row: Json) -> Author | None:
    """Return who wrote a row, None if it names nobody."""
    comment = as_object(row.get("comment"))
    user_id = as_text(row.get("user")) or as_text(comment.get("user"))
    if user_id == SLACKBOT:
        return Author(SLACKBOT, "Slackbot", is_bot=True)
    if user_id:
        profile = as_object(row.get("user_profile"))
        return Author(user_id, display_name({**profile, "profile": profile}), avatar(profile))
    return _bot(row)


def _bot(row: Json) -> Author | None:
    """Return a bot's author: one per bot and name, because bridges post many people's words as one bot."""
    profile = as_object(row.get("bot_profile"))
    bot_id = as_text(row.get("bot_id")) or as_text(profile.get("id"))
    username = as_text(row.get("username"))
    parts = [part for part in (bot_id, username) if part]
    if not parts:
        return None
    icons = {**as_object(profile.get("icons")), **as_object(row.get("icons"))}
    picture = next(
        (url for key in ("image_72", "image_64", "image_48") if (url := as_url(icons.get(key)))), ""
    )
    name = username or as_text(profile.get("name")) or bot_id
    return Author("bot:" + ":".join(parts), name, picture, is_bot=True)
