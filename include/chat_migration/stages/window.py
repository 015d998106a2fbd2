"""The gate: deciding once what a run takes, before anything else."""

from __future__ import annotations

from collections.abc import Sequence

from chat_migration import calendar
from chat_migration.calendar import NothingLeft
from chat_migration.errors import UsageError
from chat_migration.ledger.ledger import Ledger
from chat_migration.run import Run
from chat_migration.stages.result import StageResult
from chat_migration.window import RunKind, RunWindow, Window, zone_named
from chat_migration.workbench import open_ledger

_SHOWN_GAPS = 5


def open_window(
    run: Run, kind: RunKind = "manual", interval: Window | None = None
) -> StageResult | NothingLeft:
    """Decide what this run takes, for all its stages and retries, and begin it in the ledger.

    It is decided once per run id: a repeated call finds the decision and keeps it. Calls nothing. A dry run
    decides the same and records nothing.

    Args:
        run: the run to begin.
        kind: who started it.
        interval: the schedule's stretch of time; of scheduled runs and backfills.

    Returns:
        The decision in words; or, for a scheduled run that has been overtaken, that nothing is left to do.

    Raises:
        UsageError: the run has no window that can be, or it began with another one than is now asked for, or into
            another app.
    """
    started = run.clock.monotonic()
    _refuse_another_app(run)
    with open_ledger(run) as ledger:
        complete = ledger.complete_windows(run.settings.name_of_source)
        decided = _decide(run, ledger, kind, interval, complete)
        if isinstance(decided, NothingLeft):
            return decided
        run.artefacts.prepare()
        # The note comes first: what the ledger knows of a run without one is less.
        run.note_app()
        run.note_window(decided)
        if not run.settings.dry_run:
            window = decided.window
            ledger.begin_run(
                run.run_id, run.settings.name_of_source, window.start_ms, window.end_ms
            )
    return StageResult(
        stage="window",
        rows={},
        seconds=run.clock.monotonic() - started,
        summary=_summary(decided, complete),
    )


def _decide(
    run: Run,
    ledger: Ledger,
    kind: RunKind,
    interval: Window | None,
    complete: Sequence[Window],
) -> RunWindow | NothingLeft:
    settings = run.settings
    given, zone = settings.window, zone_named(settings.time_zone)
    noted = run.noted_window()
    began = noted.window if noted is not None else ledger.window_of_run(run.run_id)
    if began is None:
        return calendar.decide(kind, given, interval, complete, settings.lookback, zone=zone)
    _refuse_another(run.run_id, began, given)
    return noted or calendar.resume(kind, began, complete, settings.lookback, zone=zone)


def _refuse_another_app(run: Run) -> None:
    """Refuse the id of a run that goes into another app.

    Raises:
        UsageError: its plan and report would be taken for this run's.
    """
    noted = run.noted_app
    if noted not in ("", run.connection.app):
        raise UsageError(
            f"The run `{run.run_id}` goes into `{noted}`, not into `{run.connection.app}`.",
            advice="Give this run an id of its own.",
        )


def _refuse_another(run_id: str, began: Window, given: Window) -> None:
    """Refuse bounds that a run did not begin with.

    Raises:
        UsageError: some of its rows may have been sent by those bounds.
    """
    changed = given.start_ms not in (None, began.start_ms) or given.end_ms not in (
        None,
        began.end_ms,
    )
    if changed:
        raise UsageError(
            f"The run `{run_id}` began with the window `{began}`, and is now given `{given}`.",
            expected="One window for all tries of a run.",
            advice="Start a new run for the other window, or put `from` and `to` back.",
        )


def _summary(decided: RunWindow, complete: Sequence[Window]) -> str:
    lines = [f"window: {decided.window}{_hours(decided.window)}", f"why: {decided.text}"]
    if decided.lookback_start_ms is not None:
        back = Window(decided.lookback_start_ms, decided.window.start_ms)
        lines.append(f"looks for late rows in: {back}")
    lines += [f"complete: {each}" for each in calendar.merged(complete)[-_SHOWN_GAPS:]]
    missing = calendar.gaps(complete)
    lines += [f"not complete: {each}" for each in missing[-_SHOWN_GAPS:]]
    if len(missing) > _SHOWN_GAPS:
        lines.append(f"and {len(missing) - _SHOWN_GAPS} gaps more: `chat-migration status`")
    return "\n".join(lines if complete else [*lines, "complete: nothing yet"])


def _hours(window: Window) -> str:
    if window.start_ms is None or window.end_ms is None:
        return ""
    return f" ({(window.end_ms - window.start_ms) / 3_600_000:,.10g} h)"
