"""Reading the window of an export into Parquet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import msgspec
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from chat_migration.arrivals import Arrived, Waiting, Wanted, Watch, seek, wait_for
from chat_migration.artefacts import publish_part
from chat_migration.delivery.tally import StagePart
from chat_migration.drops import Drop
from chat_migration.errors import TargetUnreachableError
from chat_migration.extraction import ExportPart, extract
from chat_migration.extraction.parts import files_not_needed
from chat_migration.extraction.run import versions_of
from chat_migration.run import Run
from chat_migration.sources import open_source
from chat_migration.sources.base import Source
from chat_migration.stages.result import StageResult, advance
from chat_migration.store.exports import LeaveOut, local_export
from chat_migration.store.extract import Extract, Manifest
from chat_migration.store.file_index import FileIndex
from chat_migration.store.stage import open_stage
from chat_migration.window import RunWindow

CHECK_ATTEMPTS = 4
"""How often the target is asked at the start of a run before it counts as unreachable."""


def extract_export(run: Run) -> StageResult:
    """Read the window of the export, check it, stage it as Parquet.

    The export is waited for, if that is asked for and has not been done already. The target is asked once whether
    address and secret are right, before the long work starts; a dry run asks nothing.

    Raises:
        UsageError: a setting or the export as a whole is wrong; nothing was called.
        ExportMissingError, ExportNotReadyError: it is not there, or not complete; a later try may find it so.
        StoppedError: the target refuses the credentials or does not answer.
    """
    settings, started = run.settings, run.clock.monotonic()
    taken = run.window
    wanted = Wanted.by(settings, taken.window)
    source = open_source(settings.source)
    if settings.dry_run:
        run.make_scratch()
    else:
        run.home.create()
    run.artefacts.prepare()
    run.progress.begin("extract", None, "rows")
    found = _waited_for(run, wanted)
    index = None if wanted.template else _index(run, source)
    with ExitStack() as stack:
        parts = [_part(run, drop, _not_needed(source, index, taken), stack) for drop in found.drops]
        workshop = stack.enter_context(run.artefacts.workshop())
        staged = extract(
            source,
            parts,
            source_name=settings.name_of_source,
            window=taken,
            stage_dir=workshop,
            is_whole=wanted.template is not None,
            missing_drops=found.missing,
            index=index,
            progress=lambda rows, _done, _total: advance(run, rows),
            when_readable=None if settings.dry_run else partial(_check_target, run),
        )
        name = staged.path.relative_to(workshop).as_posix()
        staged = Extract(run.artefacts.publish(name, staged.path).folder, staged.manifest)
    run.progress.end()
    run.note_extracts([name])
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
    publish_part(run, part)
    return StageResult(
        stage="extract",
        rows={kind: dict(of) for kind, of in rows.items()},
        seconds=seconds,
        path=run.artefacts.place(name),
        summary=_extract_summary(staged.manifest, found.remarks),
    )


def look_for_export(
    run: Run, watch: Watch | None = None, *, is_last: bool = False
) -> StageResult | Waiting:
    """Look whether the export is there and complete; read nothing. For a scheduler, which waits by itself.

    Args:
        run: the run.
        watch: what an earlier look left.
        is_last: the deadline has passed: missing drops are left out if the settings say so, or it fails.

    Returns:
        What will be read; or what to look at again, and until when.

    Raises:
        UsageError: a setting is wrong.
        ExportMissingError, ExportNotReadyError: it cannot be read, and nobody wants to wait; a later try looks anew.
    """
    started = run.clock.monotonic()
    wanted = Wanted.by(run.settings, run.window.window)
    if wanted.is_taken_as_it_is:
        return _arrival_result(_as_it_is(wanted), 0)
    wait_seconds = 0 if is_last else wanted.wait_seconds
    found = seek(wanted, clock=run.clock, watch=watch or {}, wait_seconds=wait_seconds)
    if isinstance(found, Waiting):
        return found
    if not run.settings.dry_run:
        # The reading stage looks once more, and must not wait another time.
        run.artefacts.write_note(f"{run.place}/{_ARRIVED}", msgspec.json.encode(found.watch))
    return _arrival_result(found, run.clock.monotonic() - started)


def _arrival_result(found: Arrived, seconds: float) -> StageResult:
    names = [drop.name for drop in found.drops if drop.name]
    lines = [f"reads {name}" for name in names[:_SHOWN_DROPS]] or ["the export is taken as it is"]
    if len(names) > _SHOWN_DROPS:
        lines.append(f"and {len(names) - _SHOWN_DROPS} drops more")
    lines += [f"note: {each}" for each in found.remarks]
    return StageResult(stage="look_for_export", rows={}, seconds=seconds, summary="\n".join(lines))


_ARRIVED = "arrived.json"
_SHOWN_DROPS = 8
_WATCH = msgspec.json.Decoder(Watch)
"""Made at import: its first use by two threads at once crashes the process (msgspec 0.22)."""


def _as_it_is(wanted: Wanted) -> Arrived:
    return Arrived(drops=[Drop("", wanted.export_path)])


def _waited_for(run: Run, wanted: Wanted) -> Arrived:
    """Return what is read, waiting for it unless that has been done already for this run."""
    if wanted.is_taken_as_it_is:
        return _as_it_is(wanted)
    raw = run.artefacts.note(f"{run.place}/{_ARRIVED}")
    return wait_for(
        wanted,
        clock=run.clock,
        stop=run.stop,
        progress=run.progress,
        wait_seconds=wanted.wait_seconds if raw is None else 0,
        watch=None if raw is None else _WATCH.decode(raw),
    )


def _index(run: Run, source: Source) -> FileIndex | None:
    """Return what is known of a growing folder's files. A dry run looks at what real runs know, and adds nothing."""
    settings, stage = run.settings, run.artefacts
    if settings.dry_run:
        if run.home.stage_url:
            return None
        stage = open_stage(run.home, run.clock)
    return FileIndex(
        stage,
        source_name=settings.name_of_source,
        export_path=settings.export_path,
        reader=versions_of(source),
        is_kept=not settings.dry_run,
    )


def _not_needed(source: Source, index: FileIndex | None, taken: RunWindow) -> LeaveOut | None:
    """Return what says which files of a folder elsewhere need not be fetched, or None: all are needed."""
    begin_ms = taken.window.start_ms if taken.lookback_start_ms is None else taken.lookback_start_ms
    return None if index is None else partial(files_not_needed, source, index, begin_ms=begin_ms)


def _part(run: Run, drop: Drop, leave_out: LeaveOut | None, stack: ExitStack) -> ExportPart:
    """Bring one export to this machine, until the stack is closed."""
    local = stack.enter_context(
        local_export(drop.path, run.cache / "exports", run.clock, leave_out)
    )
    return ExportPart(local.path, drop.name, local.elsewhere)


def _check_target(run: Run) -> None:
    """Prove address, app and secret; a passing fault is tried again for a few seconds."""
    target = run.connection.connect(run.clock)
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


def _extract_summary(manifest: Manifest, remarks: Sequence[str]) -> str:
    lines = [f"note: {each}" for each in remarks]
    lines += [f"{kind}: {count:,} rows read" for kind, count in manifest.rows_read.items() if count]
    lines += [
        f"  {each.rows:,} {each.outcome}: {each.reason} ({each.record_type})"
        for each in manifest.ended
    ]
    if manifest.outside_window:
        lines.append(f"{manifest.outside_window:,} messages outside the window")
    if manifest.skipped_files:
        lines.append(f"{manifest.skipped_files:,} files older than the window, not opened")
    lines += [
        f"note: unknown field `{each.first.field}` in {each.rows:,} rows, first {each.first.file}:{each.first.line}"
        for each in manifest.unknown_fields
    ]
    return "\n".join(lines)
