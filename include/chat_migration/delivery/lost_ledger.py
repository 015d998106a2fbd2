"""What to tell a person whose ledger does not know what the target holds."""

from __future__ import annotations

import shlex

from chat_migration.delivery.context import Tools
from chat_migration.errors import UnknownLedgerError
from chat_migration.settings import Settings

MATTER = (
    "conversations", "exclude_conversations", "same_second", "oversize_text", "system_messages",
)  # fmt: skip
"""The settings, beside source, name and export, that decide which messages are expected and in how many parts."""


def unknown_ledger(tools: Tools) -> UnknownLedgerError:
    """Return the error of a run whose ledger is empty while the target holds its messages."""
    return UnknownLedgerError(
        f"The app `{tools.target.app}` holds messages of this export, and this ledger knows none of them.",
        expected="The ledger that was used to import them.",
        advice="Restore that ledger. Where it is lost, rebuild it, which only reads the app: "
        + rebuild_command(tools.settings, tools.target.app),
        done="No message was sent.",
    )


def rebuild_command(settings: Settings, app: str) -> str:
    """Return the command that rebuilds the ledger of runs into an app with some settings, ready for a shell.

    >>> print(rebuild_command(Settings(source="slack", export_path="/data/my export.zip"), "tencent:7"))
    chat-migration rebuild --target tencent --source slack --export '/data/my export.zip' --source-name slack
    """
    words = [
        "chat-migration", "rebuild", "--target", app.partition(":")[0], "--source", settings.source,
        "--export", settings.export_path, "--source-name", settings.name_of_source,
    ]  # fmt: skip
    for name in MATTER:
        value = getattr(settings, name)
        if value != Settings.model_fields[name].default:
            text = value if isinstance(value, str) else ",".join(value)
            words += ["--param", f"{name}={text}"]
    return shlex.join(words)
