"""What may be typed, and the help that teaches it."""

from __future__ import annotations

import argparse
import textwrap
from typing import Any

from chat_migration import __version__
from chat_migration.errors import UsageError
from chat_migration.settings import Settings
from chat_migration.sources import SOURCES
from chat_migration.targets.vendors import DEFAULT_TARGET, VENDORS

_EXAMPLES = """
Move a legacy chat into a chat platform: users, groups, members, messages and unread counts, exactly once and
in order. Everything may be repeated: what is done is remembered in a ledger and not sent twice.

  chat-migration check --source slack --export export.zip      what is in it, what is wrong, what it will cost
  chat-migration run --source slack --export export.zip        import it; run it again to go on after a stop
  chat-migration run --target zim --source slack --export export.zip      into ZEGOCLOUD ZIM; without it, Tencent
  chat-migration status                                        what the ledger knows, which windows are complete
  chat-migration rebuild --source slack --export export.zip    the ledger is lost: restore it from the app

The target comes from the environment, as in Airflow: --target tencent reads the first of these, --target zim the
second. One export may go into both: each app has a ledger of its own under the same CHAT_MIGRATION_HOME.

  AIRFLOW_CONN_TENCENT_CHAT_DEFAULT='{"conn_type": "tencent_chat", "host": "singapore",
    "login": "administrator", "password": "<SecretKey>", "extra": {"sdk_app_id": 1400000000}}'
  AIRFLOW_CONN_ZIM_DEFAULT='{"conn_type": "zim", "host": "singapore",
    "login": "1234567890", "password": "<ServerSecret>", "extra": {"retention_days": 90}}'

Ledger, stage and reports lie under CHAT_MIGRATION_HOME (default ./var). Settings may also stand in the YAML
file that CHAT_MIGRATION_CONFIG names; a flag or --param wins. In it, a section named as the target (zim:) holds
what is for runs into that target alone.
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
    _add_check(commands)
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
    _add_rebuild(commands)
    status = commands.add_parser(
        "status",
        help="show what the ledger knows of the targets",
        description="Show runs and messages by state, of each app whose connection the environment has.",
    )
    status.add_argument(
        "--target",
        choices=tuple(VENDORS),
        help="only this target (default: each that the environment describes)",
    )
    return top


_CHECK = """
Read the export, list every problem with file and line, and quote what an import would do and cost. Where there is a
ledger, the import is quoted against it. Calls nothing, writes nothing. Exit 0, 1 or 2.

  chat-migration check --window --from 2024-03-01 --to 2024-04-01 --param time_zone=Europe/Berlin
      the instants of a range and what of it is complete; reads no export
  chat-migration check --against-ledger --export PATH --from 2024-03-01 --to 2024-04-01
      what this range would strand in groups that already hold newer messages, before it is run
"""


def _add_check(commands: Any) -> None:
    command = commands.add_parser(
        "check",
        help="read an export, list its problems with file and line, quote the import; calls nothing",
        description=_CHECK.strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _with_settings(command)
    about = command.add_mutually_exclusive_group()
    about.add_argument(
        "--window",
        action="store_true",
        help="print the instants that --from and --to cover, and what of them is complete; read no export",
    )
    about.add_argument(
        "--against-ledger",
        action="store_true",
        help="list, per group, the rows that come too late for what it holds; a ledger must be there",
    )


_REBUILD = """
The ledger is lost or too old, and the app holds what earlier runs imported: restore the ledger. Reads the whole
export with the settings of those runs, then reads the app back and remembers what is there. Makes no call that
writes, may be stopped and repeated at any time, and leaves what the ledger knows as it is.

Source, --source-name and the settings that shape messages (oversize_text, system_messages, same_second) must be
those of the lost runs: they decide by which key a message is known. A run that finds its ledger empty prints the
whole command.

What cannot be proved is listed in runs/<run id>/unproved.jsonl with its reason, and no run writes to it. Afterwards
`chat-migration run` over the same export sends what is missing and nothing twice, and completes its window.
"""

_REBUILD_EXITS = """
exit codes: 0 restored; 1 restored, but something could not be proved; 2 wrong usage or unreadable export, nothing was
called; 3 stopped: credentials, app or target unreachable; 4 conversations held by another run, the rest is done;
5 interrupted, run it again
"""


def _add_rebuild(commands: Any) -> None:
    """Add ``rebuild``: the settings of a run without a window, because the ledger is about all of them."""
    command = commands.add_parser(
        "rebuild",
        help="restore a lost ledger from the export and from what the app holds; writes nothing to the app",
        description=_REBUILD.strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _with_settings(command, run_options=False)
    command.epilog = command.epilog.replace(_filled(_EXITS), _filled(_REBUILD_EXITS))
    command.set_defaults(**{"from": None, "to": None, "dry_run": None})


def _parser(program: str, text: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog=program,
        description=text.strip(),
        epilog=_filled(_EXITS),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _filled(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), 100)


def _with_settings(command: argparse.ArgumentParser, *, run_options: bool = True) -> None:
    command.add_argument(
        "--target",
        choices=tuple(VENDORS),
        default=DEFAULT_TARGET,
        help="where to: "
        + ", ".join(f"{name} ({each.title})" for name, each in VENDORS.items())
        + " (default: %(default)s)",
    )
    command.add_argument(
        "--source", choices=sorted(SOURCES), help="the export's format (default: neutral)"
    )
    command.add_argument(
        "--export",
        dest="export_path",
        metavar="PATH",
        help="folder or archive of the export, or its URL (s3://bucket/exports/)",
    )
    command.add_argument(
        "--source-name", help="names the legacy system in every key; keep it for ever"
    )
    if run_options:
        _add_run_options(command)
    command.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other setting; may be repeated",
    )
    command.epilog = (
        "settings for --param:\n" + "\n".join(_settings_help()) + "\n\n" + _filled(_EXITS)
    )


def _add_run_options(command: argparse.ArgumentParser) -> None:
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
        "--problems",
        type=int,
        default=20,
        metavar="N",
        help="problems to list (default: %(default)s)",
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
