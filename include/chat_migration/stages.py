"""The use cases, one function per stage, in the order in which a run calls them.

The command line and Airflow's operators call these and nothing deeper. Each opens what it needs from the
:class:`~chat_migration.run.Run`, may be repeated at any time (what is done is in the ledger), and returns
paths and counts only.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from chat_migration.delivery.accounts import AccountImport
from chat_migration.delivery.context import Tools, reporting, run_all
from chat_migration.delivery.direct_messages import DirectStream
from chat_migration.delivery.frontiers import Frontiers
from chat_migration.delivery.group_messages import GroupStream
from chat_migration.delivery.groups import GroupImport
from chat_migration.delivery.members import MemberImport
from chat_migration.delivery.rows import KeyConflicts
from chat_migration.delivery.tally import StagePart
from chat_migration.delivery.unread import UnreadCounts
from chat_migration.errors import InterruptedRunError, TargetUnreachableError, UsageError
from chat_migration.extraction import extract
from chat_migration.planning.build import PlanBuilder
from chat_migration.planning.forecast import Forecast
from chat_migration.planning.quote import Quote
from chat_migration.planning.tables import MessageReader, Plan
from chat_migration.reporting.build import ReportBuilder, finish
from chat_migration.reporting.report import RunReport
from chat_migration.run import Run
from chat_migration.sources import open_source
from chat_migration.store.extract import Extract
from chat_migration.targets.tencent_chat.limits import GROUPS_PER_QUERY
from chat_migration.targets.tencent_chat.target import TencentTarget
from chat_migration.workbench import (
    delivering,
    drop_scratch,
    open_ledger,
    rates,
    rules_of,
    sizes_of,
    write_part,
)

CHECK_ATTEMPTS = 4
"""How often the target is asked at the start of a run before it counts as unreachable."""


class StageResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage did: ``rows`` is record type → outcome → rows; ``path`` what it wrote, or ""."""

    stage: str
    rows: dict[str, dict[str, int]]
    seconds: float
    path: str = ""
    summary: str = ""
    """One screen at most, for people."""


def extract_export(run: Run) -> StageResult:
    """Read the window of the export, check it, stage it as Parquet.

    The target is asked once whether address and secret are right, before the long work starts; a dry run asks
    nothing.

    Raises:
        UsageError: a setting or the export as a whole is wrong; nothing was called.
        StoppedError: the target refuses the credentials or does not answer.
    """
    settings, started = run.settings, run.clock.monotonic()
    if not settings.export_path:
        raise UsageError(
            "No `export_path` is given.", expected="The folder or archive of the export."
        )
    source = open_source(settings.source)
    if settings.dry_run:
        run.make_scratch()
    else:
        run.home.create()
    run.stage.mkdir(parents=True, exist_ok=True, mode=0o700)
    run.progress.begin("extract", None, "rows")
    staged = extract(
        source,
        Path(settings.export_path),
        source_name=settings.name_of_source,
        window=settings.window,
        stage_dir=run.stage,
        progress=lambda rows, _done, _total: _advance(run, rows),
        when_readable=None if settings.dry_run else partial(_check_target, run),
    )
    run.progress.end()
    run.note_extracts([staged.path])
    rows: dict[str, Counter[str]] = {
        kind: Counter(staged=count) for kind, count in staged.manifest.rows_read.items()
    }
    reasons: dict[str, Counter[str]] = {}
    for ended in staged.manifest.ended:
        rows.setdefault(ended.record_type, Counter())[ended.outcome] += ended.rows
        rows[ended.record_type]["staged"] -= ended.rows
        reasons.setdefault(ended.record_type, Counter())[ended.reason] += ended.rows
    seconds = run.clock.monotonic() - started
    part = StagePart(
        stage="extract",
        shard=0,
        rows={
            kind: {name: count for name, count in of.items() if name != "staged" and count}
            for kind, of in rows.items()
        },
        reasons={kind: dict(of) for kind, of in reasons.items()},
        calls={},
        seconds=round(seconds, 3),
    )
    write_part(run, part)
    return StageResult(
        stage="extract",
        rows={kind: dict(of) for kind, of in rows.items()},
        seconds=seconds,
        path=str(staged.path),
        summary=_extract_summary(staged),
    )


def _advance(run: Run, rows: int) -> None:
    """Show how far a stage is that calls nothing, and end it where that was asked for."""
    run.progress.advance(rows)
    if run.stop.is_set():
        raise InterruptedRunError(
            "The run was asked to stop.", advice="Run it again.", done="Nothing was sent."
        )


def _check_target(run: Run) -> None:
    """Prove address, app and secret; a passing fault is tried again for a few seconds."""
    target = TencentTarget.connect(run.connection, clock=run.clock)
    attempts = Retrying(
        retry=retry_if_exception_type(TargetUnreachableError),
        stop=stop_after_attempt(CHECK_ATTEMPTS),
        wait=wait_fixed(1),
        sleep=run.clock.sleep,
        reraise=True,
    )
    try:
        attempts(target.check)
    finally:
        target.close()


def _extract_summary(staged: Extract) -> str:
    manifest = staged.manifest
    lines = [f"{kind}: {count:,} rows read" for kind, count in manifest.rows_read.items() if count]
    lines += [
        f"  {each.rows:,} {each.outcome}: {each.reason} ({each.record_type})"
        for each in manifest.ended
    ]
    if manifest.outside_window:
        lines.append(f"{manifest.outside_window:,} messages outside the window")
    lines += [
        f"note: unknown field `{each.first.field}` in {each.rows:,} rows, first {each.first.file}:{each.first.line}"
        for each in manifest.unknown_fields
    ]
    return "\n".join(lines)


def plan_import(run: Run) -> StageResult:
    """Decide what is sent, and quote it: rows per outcome, calls, time, what would be late. Sends nothing."""
    started = run.clock.monotonic()
    extracts = [Extract.open(path) for path in run.noted_extracts()]
    if not extracts:
        raise UsageError("This run has no extract yet.", advice="Run the extract stage first.")
    plan = Plan(run.work / "plan")
    run.progress.begin("plan", sum(each.messages for each in extracts), "rows")
    with open_ledger(run) as ledger:
        window = run.settings.window
        ledger.begin_run(run.run_id, run.settings.name_of_source, window.start_ms, window.end_ms)
        forecast = Forecast(
            ledger,
            run.settings,
            run.clock,
            sizes_of(run.connection),
            retention_days=run.connection.retention_days,
        )
        quote = PlanBuilder(
            extracts,
            plan,
            settings=run.settings,
            rules=rules_of(run.connection),
            ledger=ledger,
            forecast=forecast,
            advance=partial(_advance, run),
        ).build(rates(run.connection))
        run.progress.end()
    seconds = run.clock.monotonic() - started
    if not run.settings.dry_run:
        write_part(
            run,
            StagePart(
                stage="plan", shard=0, rows={}, reasons={}, calls={}, seconds=round(seconds, 3)
            ),
        )
    else:
        drop_scratch(run)
    return StageResult(
        stage="plan", rows=quote.rows, seconds=seconds, path=str(plan.folder), summary=quote.text()
    )


def quote_of(run: Run) -> Quote:
    """Return the quote that the plan stage of this run wrote."""
    return Quote.model_validate_json(
        Plan(run.work / "plan").require().quote_path.read_text(encoding="utf-8")
    )


def import_accounts(run: Run) -> StageResult:
    """Create the accounts of everybody who appears anywhere."""
    with delivering(run, "accounts") as tools:
        AccountImport(tools).run()
        return _result("accounts", tools, run)


def import_group_profiles(run: Run) -> StageResult:
    """Create the groups and topics."""
    with delivering(run, "groups") as tools:
        GroupImport(tools).run()
        return _result("groups", tools, run)


def import_group_members(run: Run) -> StageResult:
    """Add the members to the groups."""
    with delivering(run, "members") as tools:
        MemberImport(tools).run()
        return _result("members", tools, run)


def import_direct_messages(run: Run, shard: int = 0) -> StageResult:
    """Send one shard of the one-to-one messages."""
    with delivering(run, "direct", shard) as tools:
        places = tools.plan.conversations("direct", shard)
        conflicts = KeyConflicts(run.settings.max_key_conflicts)
        total = sum(each.rows for each in places)
        with (
            closing(MessageReader(tools.plan.messages_path("direct", shard))) as reader,
            reporting(tools.progress, "one-to-one messages", total, "messages"),
        ):
            jobs = (DirectStream(tools, place, reader, conflicts=conflicts).run for place in places)
            run_all(jobs, threads=tools.threads, stop=tools.stop)
        return _result("direct", tools, run)


def import_group_messages(run: Run, shard: int = 0) -> StageResult:
    """Send one shard of the group messages."""
    with delivering(run, "group", shard) as tools:
        places = tools.plan.conversations("group", shard)
        conflicts = KeyConflicts(run.settings.max_key_conflicts)
        total = sum(each.rows for each in places)
        frontiers = Frontiers(tools, places, per_call=GROUPS_PER_QUERY)
        groups = tools.ledger.groups()
        with (
            closing(MessageReader(tools.plan.messages_path("group", shard))) as reader,
            reporting(tools.progress, "group messages", total, "messages"),
        ):
            jobs = (
                GroupStream(
                    tools,
                    place,
                    reader,
                    group=groups.get(place.conversation),
                    frontiers=frontiers,
                    conflicts=conflicts,
                ).run
                for place in places
            )
            run_all(jobs, threads=tools.threads, stop=tools.stop)
        return _result("group", tools, run)


def set_unread_counts(run: Run) -> StageResult:
    """Set the unread count of every member whose number is not yet right."""
    with delivering(run, "unread") as tools:
        counts = UnreadCounts(tools)
        counts.run()
        counts.count_direct_reads(quote_of(run).direct_reads)
        return _result("unread", tools, run)


def _result(stage: str, tools: Tools, run: Run) -> StageResult:
    part = tools.tally.part(stage, 0, {}, 0)
    lines = [
        f"{kind}: " + ", ".join(f"{count:,} {name}" for name, count in of.items())
        for kind, of in part.rows.items()
    ]
    return StageResult(
        stage=stage,
        rows=part.rows,
        seconds=run.clock.monotonic() - tools.started,
        path=str(run.work),
        summary="\n".join(lines),
    )


def write_report(run: Run) -> StageResult:
    """Write ``report.json``, ``report.html`` and ``rejected.jsonl``; raise what the run must end with.

    Raises:
        RowsInDoubtError: some outcomes are unknown.
        MigrationError: more rows were rejected than allowed (exit 1).
    """
    with open_ledger(run) as ledger:
        report = ReportBuilder(run, ledger).build()
        finish(run, ledger, report)
    return StageResult(
        stage="report",
        rows=report.rows,
        seconds=sum(report.seconds.values()),
        path=str(run.folder / "report.json"),
        summary=report.text(),
    )


def report_of(run: Run) -> RunReport:
    """Return the report that was written for this run."""
    return RunReport.model_validate_json((run.folder / "report.json").read_text(encoding="utf-8"))
