"""What may be typed, and the help that teaches it."""

from __future__ import annotations

import argparse
import textwrap
from typing import Any

from chat_migration import __version__
from chat_migration.errors import UsageError
from chat_migration.settings import Settings
from chat_migration.sources import SOURCES

_EXAMPLES = """
Move a legacy chat into a chat platform: users, groups, members, messages and unread counts, exactly once and
in order. Everything may be repeated: what is done is remembered in a ledger and not sent twice.

  chat-migration check --source slack --export export.zip      what is in it, what is wrong, what it will cost
  chat-migration run --source slack --export export.zip        import it; run it again to go on after a stop
  chat-migration status                                        what the ledger knows

The target comes from the environment, as in Airflow:

  AIRFLOW_CONN_TENCENT_CHAT_DEFAULT='{"conn_type": "tencent_chat", "host": "singapore",
    "login": "administrator", "password": "<SecretKey>", "extra": {"sdk_app_id": 1400000000}}'

Ledger, stage and reports lie under CHAT_MIGRATION_HOME (default ./var). Settings may also stand in the YAML
file that CHAT_MIGRATION_CONFIG names; a flag or --param wins.
"""

_EXITS = """
exit codes: 0 complete; 1 complete, but more rows rejected than max_rejected_ratio allows, or not every row dealt
with; 2 wrong usage or unreadable export, nothing was called; 3 stopped: credentials, app, target unreachable or
rows in doubt; 4 conversations held by another run, the rest is done; 5 interrupted, run it again
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = _parser("chat-migration", _EXAMPLES)
    top.add_argument("--version", action="version", version=f"chat-migration {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _with_settings(
        commands.add_parser(
            "check",
            help="read an export, list its problems with file and line, quote the import; calls nothing",
            description="Read the export, list every problem with file and line, and quote what an import would do "
            "and cost. Calls nothing, writes nothing. Exit 0, 1 or 2.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
    )
    run = commands.add_parser(
        "run",
        help="import an export; repeat it to go on after a stop",
        description="Import an export in four stages: extract, groups, messages, unread counts.",
        epilog=_filled(_EXITS),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _with_settings(run)
    run.add_argument(
        "--run-id", help="name of this run in ledger and reports (default: made from the time)"
    )
    status = commands.add_parser(
        "status",
        help="show what the ledger knows of the target",
        description="Show runs and messages by state.",
    )
    status.add_argument(
        "--target",
        choices=("tencent",),
        default="tencent",
        help="the target (default: %(default)s)",
    )
    return top


def _parser(program: str, text: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=program,
        description=text.strip(),
        epilog=_filled(_EXITS),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _filled(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), 100)


def _with_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--target", choices=("tencent",), default="tencent", help="where to (default: %(default)s)"
    )
    command.add_argument(
        "--source", choices=sorted(SOURCES), help="the export's format (default: neutral)"
    )
    command.add_argument(
        "--export", dest="export_path", metavar="PATH", help="folder or archive of the export"
    )
    command.add_argument(
        "--source-name", help="names the legacy system in every key; keep it for ever"
    )
    command.add_argument(
        "--from",
        dest="from",
        metavar="T",
        help="messages sent at or after, e.g. 2024-05-01T00:00:00+08:00",
    )
    command.add_argument("--to", metavar="T", help="messages sent before")
    command.add_argument(
        "--dry-run", action="store_const", const=True, help="read, plan and print; write nothing"
    )
    command.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other setting; may be repeated",
    )
    command.add_argument(
        "--problems",
        type=int,
        default=20,
        metavar="N",
        help="problems to list (default: %(default)s)",
    )
    command.epilog = (
        "settings for --param:\n" + "\n".join(_settings_help()) + "\n\n" + _filled(_EXITS)
    )


def _settings_help() -> list[str]:
    lines = []
    for name, field in Settings.model_fields.items():
        default = field.default if field.default not in ((), None) else ""
        head = f"  {field.alias or name}={default}"
        lines += textwrap.wrap(f"{head:<28} {field.description}", 100, subsequent_indent=" " * 29)
    return lines


def given_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings that were typed, by name.

    Raises:
        UsageError: a ``--param`` is not ``key=value``.
    """
    given: dict[str, Any] = {}
    for text in arguments.param:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(
                f"`--param {text}` is no `KEY=VALUE`.",
                expected="For example `--param late_messages=append`.",
            )
        given[name.strip()] = value
    for name in ("source", "export_path", "source_name", "from", "to", "dry_run"):
        value = getattr(arguments, name)
        if value is not None:
            given[name] = value
    return given
