"""Which conversations a pilot takes: ``conversations`` and ``exclude_conversations``."""

from __future__ import annotations

from chat_migration.model import Conversation
from chat_migration.settings import Settings


def is_selected(settings: Settings, conversation: Conversation) -> bool:
    """Tell whether a conversation's messages are taken."""
    names = _names(conversation)
    wanted = settings.conversations
    return (not wanted or not names.isdisjoint(wanted)) and names.isdisjoint(
        settings.exclude_conversations
    )


def is_needed(settings: Settings, conversation: Conversation) -> bool:
    """Tell whether a group or topic must be there: its messages are taken, or those of one of its topics."""
    if is_selected(settings, conversation):
        return True
    if conversation.kind != "group" or conversation.first in settings.exclude_conversations:
        return False
    return any(name.startswith(f"{conversation.first}/") for name in settings.conversations)


def _names(conversation: Conversation) -> set[str]:
    """Return the names by which a person may select a conversation."""
    if conversation.is_direct:
        pair = (conversation.first, conversation.second)
        return {"/".join(pair), "/".join(reversed(pair))}
    whole = {conversation.first}
    if conversation.kind == "topic":
        whole.add(f"{conversation.first}/{conversation.second}")
    return whole
