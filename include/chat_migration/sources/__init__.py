"""Readers of legacy exports, by the name that ``--source`` says."""

from __future__ import annotations

from chat_migration.errors import UsageError
from chat_migration.sources.base import Source
from chat_migration.sources.neutral import NeutralSource
from chat_migration.sources.slack import SlackSource

SOURCES: dict[str, type[Source]] = {reader.name: reader for reader in (NeutralSource, SlackSource)}
"""Every reader. A new one is a module here and an entry in this table."""


def open_source(name: str) -> Source:
    """Return the reader of that name.

    Raises:
        UsageError: there is none; the text lists the names.
    """
    try:
        return SOURCES[name]()
    except KeyError:
        raise UsageError(
            f"`{name}` is no source.",
            expected=f"One of: {', '.join(f'`{known}`' for known in sorted(SOURCES))}.",
            advice="A chat without a reader of its own is exported as the `neutral` format.",
        ) from None


__all__ = ["SOURCES", "Source", "open_source"]
