"""The settings of a run into one target: which section of the settings file is meant, and what cannot be had there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chat_migration.errors import UsageError
from chat_migration.settings import Settings
from chat_migration.targets.vendors import VENDORS


def settings_for(
    target: str, given: Mapping[str, Any], environ: Mapping[str, str] | None = None
) -> Settings:
    """Return the settings of a run: what is given, over the target's section of the settings file, over the rest of it.

    Args:
        target: where to, as ``--target`` names it.
        given: the run's conf, or what was typed.
        environ: where the file is named; by default this process's environment.

    Raises:
        UsageError: a setting is unknown or wrong, the file cannot be read, or the target cannot do what is asked.
    """
    settings = Settings.load(given, environ, target=target, targets=VENDORS)
    _refuse_what_it_cannot(settings, target)
    return settings


def _refuse_what_it_cannot(settings: Settings, target: str) -> None:
    """Refuse what would be ignored: unread counts can be either set or cleared, and each way has a setting of its own.

    Raises:
        UsageError: the setting is that of the other way, or its price is not accepted.
    """
    kind = VENDORS[target]
    elsewhere = (
        "What is meant for another target belongs in that one's section of the settings file."
    )
    sets_unread = kind.nowhere().rules().sets_unread
    if not sets_unread and settings.c2c_unread == "preserve":
        raise UsageError(
            f"`c2c_unread=preserve` cannot be had in {kind.title}, where unread counts can only be cleared.",
            expected="`clear_unread` says whose: `touched`, `all` or `none`.",
            advice=f"Leave `c2c_unread` out and use `clear_unread`. {elsewhere}",
        )
    if sets_unread and settings.clear_unread != "touched":
        raise UsageError(
            f"`clear_unread={settings.clear_unread}` cannot be had in {kind.title}, where unread counts are set as "
            "the export has them.",
            advice=f"Leave `clear_unread` out. {elsewhere}",
        )
    if settings.c2c_unread == "preserve" and not settings.allow_push:
        raise UsageError(
            "`c2c_unread=preserve` pushes every unread one-to-one message to its reader's phone.",
            expected="`allow_push=true` says that this is wanted.",
            advice="Add `allow_push=true`, or use `c2c_unread=read`.",
        )
