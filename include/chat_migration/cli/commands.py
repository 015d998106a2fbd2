"""What each command does."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice

import pyarrow.parquet as pq
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chat_migration import stages
from chat_migration.artefacts import report_place
from chat_migration.cli.arguments import given_settings
from chat_migration.cli.display import Bars, TerminalProgress
from chat_migration.cli.rebuilding import rebuild_ledger, whole_export
from chat_migration.cli.windows import print_complete, print_window
from chat_migration.clock import SystemClock
from chat_migration.connection import TargetConnection
from chat_migration.errors import (
    HeldElsewhereError,
    InterruptedRunError,
    MigrationError,
    UsageError,
)
from chat_migration.home import Home
from chat_migration.ledger.overview import Overview, overview
from chat_migration.model import Outcome
from chat_migration.progress import LogProgress, Progress
from chat_migration.run import Run
from chat_migration.settings import Settings
from chat_migration.stages import StageResult
from chat_migration.stop import StopSignal
from chat_migration.store.extract import Extract
from chat_migration.target_settings import settings_for
from chat_migration.targets.vendors import DEFAULT_TARGET, VENDORS
from chat_migration.workbench import drop_scratch, has_ledger, open_ledger

Command = Callable[[argparse.Namespace, Console, StopSignal], int]


def check(arguments: argparse.Namespace, console: Console, stop: StopSignal) -> int:
    """Read an export, list its problems, quote the import."""
    given = given_settings(arguments) | {"dry_run": True}
    settings = settings_for(arguments.target, given)
    kind = VENDORS[arguments.target]
    if kind.variable in os.environ:
        connection = kind.from_environment()
    else:
        connection = kind.nowhere()
        if not arguments.window:
            console.print(f"No {kind.variable}: checked as for an empty app.", style="dim")
    run = _run(arguments, settings, connection, console, stop)
    try:
        if arguments.window:
            print_window(run, console)
            return 0
        if arguments.against_ledger:
            _require_ledger(run)
        _open_window(run, console)
        result = stages.extract_export(run)
        extracts = [Extract.open(path) for path in run.noted_extracts()]
        console.print(escape(result.summary))
        _print_problems(extracts, console, arguments.problems)
        quote = stages.plan_import(run)
        console.print(escape(quote.summary))
        if arguments.against_ledger and not quote.stranded:
            console.print("against the ledger: no row would be left behind")
    finally:
        drop_scratch(run)
    return 1 if _rejects_too_much(quote.rows, settings.max_rejected_ratio) else 0


def _require_ledger(run: Run) -> None:
    """Refuse a comparison with a ledger that is not there, or knows nothing of the app.

    Raises:
        UsageError: there is nothing to compare with.
    """
    advice = "Set it right, or leave `--against-ledger` out to check as for an empty app."
    variable = run.connection.variable
    if variable not in os.environ:
        raise UsageError(
            f"`--against-ledger` needs {variable}: a ledger is kept per app.", advice=advice
        )
    if has_ledger(run.home):
        with open_ledger(run) as ledger:
            if ledger.has_runs():
                return
    raise UsageError(
        f"`{run.home.path}` holds no ledger of `{run.connection.app}`, so there is nothing to check against.",
        expected="CHAT_MIGRATION_HOME or CHAT_MIGRATION_LEDGER_URL of the runs before.",
        advice=advice,
    )


def _open_window(run: Run, console: Console) -> None:
    """Decide what the run takes, and say so where it is not simply the whole export."""
    opened = stages.open_window(run)
    if isinstance(opened, StageResult) and not run.window.window.is_everything:
        console.print(escape(opened.summary), soft_wrap=True)


def _rejects_too_much(rows: dict[str, dict[str, int]], allowed: float) -> bool:
    for of in rows.values():
        rejected = of.get(Outcome.REJECTED, 0) + of.get(Outcome.LATE_REJECTED, 0)
        if rejected > allowed * sum(of.values()):
            return True
    return False


def _print_problems(extracts: list[Extract], console: Console, most: int) -> None:
    shown = 0
    for extract in extracts:
        for file in extract.files("problems"):
            for row in islice(
                (row for batch in pq.ParquetFile(file).iter_batches() for row in batch.to_pylist()),
                most - shown,
            ):
                shown += 1
                place = f"{row['file']}:{row['line']}"
                console.print(
                    escape(f"{place}: {row['outcome']}: {row['reason']}: {row['detail']}"),
                    soft_wrap=True,
                )
                if row["advice"]:
                    console.print(escape(f"    {row['advice']}"), style="dim", soft_wrap=True)
    total = sum(ended.rows for extract in extracts for ended in extract.manifest.ended)
    if total > shown:
        console.print(f"… {total - shown:,} more; --problems N lists more of them", style="dim")


def run(arguments: argparse.Namespace, console: Console, stop: StopSignal) -> int:
    """Import an export."""
    settings = settings_for(arguments.target, given_settings(arguments))
    here = _run(arguments, settings, _connection(arguments), console, stop)
    if settings.dry_run:
        try:
            _open_window(here, console)
            console.print(escape(stages.extract_export(here).summary))
            console.print(escape(stages.plan_import(here).summary))
        finally:
            drop_scratch(here)
        return 0
    _open_window(here, console)
    stages.extract_export(here)
    console.print(escape(stages.plan_import(here).summary))
    error = _import(here, console)
    report = stages.report_of(here)
    console.print(escape(report.text()), soft_wrap=True)
    console.print(f"report: {report_place(here)}", soft_wrap=True)
    if error is not None:
        raise error
    return 0


def _import(here: Run, console: Console) -> MigrationError | None:
    """Run the stages that call the target, then write the report in any case; return the first error."""
    held: HeldElsewhereError | None = None
    try:
        for stage in (
            stages.import_accounts,
            stages.import_group_profiles,
            stages.import_group_members,
            partial(_import_messages, console=console),
            stages.sync_group_profiles,
            stages.set_unread_counts,
        ):
            try:
                stage(here)
            except HeldElsewhereError as error:
                # Everything that is not held is done, so the next stage has its work.
                held = held or error
    except MigrationError as first:
        with suppress(MigrationError):
            stages.write_report(here)
        return first
    try:
        stages.write_report(here)
    except HeldElsewhereError as error:
        return held or error
    except MigrationError as error:
        return error
    return held


def _import_messages(here: Run, console: Console) -> None:
    """Send one-to-one and group messages side by side: each has a call budget of its own."""
    stop = here.stop.child()
    shards, bars = range(here.settings.shards), Bars(console)
    jobs = [
        partial(send, replace(here, progress=_progress(console, bars), stop=stop), shard)
        for send in (stages.import_direct_messages, stages.import_group_messages)
        for shard in shards
    ]
    with ThreadPoolExecutor(max_workers=2) as pool:
        running = [pool.submit(job) for job in jobs]
        errors: list[MigrationError] = []
        for each in running:
            try:
                each.result()
            except HeldElsewhereError as error:
                errors.append(error)
            except MigrationError as error:
                stop.set()
                errors.append(error)
    if errors:
        raise max(errors, key=_weight)


def _weight(error: MigrationError) -> int:
    """Return which error of several is shown: the one that the others follow from."""
    if isinstance(error, HeldElsewhereError):
        return 0
    return 1 if isinstance(error, InterruptedRunError) else 2


def rebuild(arguments: argparse.Namespace, console: Console, stop: StopSignal) -> int:
    """Restore a lost ledger."""
    settings = whole_export(settings_for(arguments.target, given_settings(arguments)))
    rebuild_ledger(_run(arguments, settings, _connection(arguments), console, stop), console)
    return 0


def status(arguments: argparse.Namespace, console: Console, stop: StopSignal) -> int:
    """Show what the ledger knows of each target that the environment describes, or of the one that is named."""
    del stop
    connections = _connections(arguments)
    home = Home.from_environment()
    if not has_ledger(home):
        raise UsageError(
            f"`{home.path}` holds no ledger.",
            advice="Run an import first, or set CHAT_MIGRATION_HOME.",
        )
    for place, connection in enumerate(connections):
        if place:
            console.print()
        run = Run(run_id="status", settings=Settings(), connection=connection, home=home)
        with open_ledger(run) as ledger:
            _print_overview(overview(ledger), connection, console)
            print_complete(ledger.windows_by_source(), console)
    return 0


def _connection(arguments: argparse.Namespace) -> TargetConnection:
    """Return the connection of the target that was typed."""
    return VENDORS[arguments.target].from_environment()


def _connections(arguments: argparse.Namespace) -> list[TargetConnection]:
    """Return the connection of the target that was typed, or of each that the environment describes.

    Raises:
        UsageError: there is none, or one is wrong.
    """
    if arguments.target is not None:
        return [_connection(arguments)]
    kinds = [kind for kind in VENDORS.values() if kind.variable in os.environ]
    if not kinds:
        raise UsageError(
            f"The environment has no {' and no '.join(f'`{each.variable}`' for each in VENDORS.values())}.",
            expected=f"A target's connection as JSON, for example {VENDORS[DEFAULT_TARGET].example}.",
        )
    return [kind.from_environment() for kind in kinds]


def _print_overview(seen: Overview, connection: TargetConnection, console: Console) -> None:
    console.print(f"app: {connection.app}")
    table = Table("run", "source", "state", "started", "seconds", box=None, pad_edge=False)
    for each in seen.runs:
        table.add_row(
            escape(each.run_id), escape(each.source_name), each.state, each.started, each.seconds
        )
    console.print(table)
    for line in seen.workers:
        console.print(escape(line))
    for name, counts in seen.counts.items():
        shown = ", ".join(f"{count:,} {state}" for state, count in counts.items())
        console.print(f"{name}: {shown or 'none'}")
    if seen.unresolved:
        console.print(
            f"{seen.unresolved:,} messages with an unknown outcome: run again to resolve them",
            style="bold red",
        )


def _run(
    arguments: argparse.Namespace,
    settings: Settings,
    connection: TargetConnection,
    console: Console,
    stop: StopSignal,
) -> Run:
    clock = SystemClock()
    now_ms = clock.now_ms()
    made = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("cli-%Y%m%dT%H%M%S")
    # Process ids are the same in many containers, so the second alone tells too little apart.
    made_id = f"{made}.{now_ms % 1000:03d}-{os.getpid()}"
    run_id = getattr(arguments, "run_id", None) or made_id
    return Run(
        run_id=run_id,
        settings=settings,
        connection=connection,
        home=Home.from_environment(),
        clock=clock,
        progress=_progress(console, Bars(console)),
        stop=stop,
    )


def _progress(console: Console, bars: Bars) -> Progress:
    is_seen = console.is_terminal and sys.stdout.isatty()
    return TerminalProgress(bars) if is_seen else LogProgress()


COMMANDS: dict[str, Command] = {
    "check": check,
    "run": run,
    "rebuild": rebuild,
    "status": status,
}
