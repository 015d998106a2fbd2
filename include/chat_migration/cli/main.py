"""From what was typed to an exit code."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Sequence

from rich.console import Console

from chat_migration.cli.arguments import parser
from chat_migration.cli.commands import COMMANDS
from chat_migration.errors import MigrationError
from chat_migration.redaction import redact
from chat_migration.stop import StopSignal


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors are one paragraph on standard error."""
    arguments = parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("chat_migration.progress").setLevel(logging.INFO)
    stop = StopSignal()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        return COMMANDS[arguments.command](arguments, Console(highlight=False), stop)
    except MigrationError as error:
        shown = "\n".join(
            part for part in (error.what, error.expected, error.advice, error.done) if part
        )
        sys.stderr.write(f"chat-migration: {redact(shown)}\n")
        return error.exit_code
