"""Deciding what is sent, and quoting it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from chat_migration.artefacts import making_plan, plan_of, publish_part
from chat_migration.calendar import missing
from chat_migration.delivery.changes import edit_of
from chat_migration.delivery.tally import StagePart
from chat_migration.delivery.verdicts import TOO_LONG, Todo, verdict
from chat_migration.drops import is_template
from chat_migration.errors import UsageError
from chat_migration.ledger.records import Delivery
from chat_migration.model import Outcome
from chat_migration.planning.build import PlanBuilder
from chat_migration.planning.forecast import Forecast
from chat_migration.planning.quote import Quote
from chat_migration.planning.tables import PlannedMessage
from chat_migration.run import Run
from chat_migration.stages.deferred import carried_rows, count_waiting
from chat_migration.stages.extract import extract_export
from chat_migration.stages.result import StageResult, advance
from chat_migration.store.extract import Extract
from chat_migration.window import RunWindow, Window
from chat_migration.workbench import drop_scratch, open_ledger


def plan_import(run: Run) -> StageResult:
    """Decide what is sent, and quote it: rows per outcome, calls, time, what would be late. Sends nothing."""
    started = run.clock.monotonic()
    extracts = _extracts(run)
    run.progress.begin("plan", sum(each.messages for each in extracts), "rows")
    with open_ledger(run) as ledger, making_plan(run) as plan:
        taken = run.window
        window, begin_ms = taken.window, _begin_ms(run, taken)
        ledger.begin_run(run.run_id, run.settings.name_of_source, window.start_ms, window.end_ms)
        forecast = Forecast(
            ledger,
            run.settings,
            run.clock,
            run.connection.sizes(),
            run.connection.rules(),
            retention_days=run.connection.retention_days,
            judge=_judge,
        )
        carried = None
        if run.settings.dry_run:
            forecast.counter.waiting = count_waiting(run, ledger)
        else:
            carried = carried_rows(run, ledger)
        complete = ledger.complete_windows(run.settings.name_of_source)
        quote = PlanBuilder(
            extracts,
            plan,
            settings=run.settings,
            rules=run.connection.rules(),
            ledger=ledger,
            forecast=forecast,
            advance=partial(advance, run),
            carried=carried,
            begin_ms=begin_ms,
            left_before_ms=None
            if begin_ms is None or not missing(Window(None, begin_ms), complete)
            else begin_ms,
        ).build(run.connection.rates())
        run.progress.end()
    seconds = run.clock.monotonic() - started
    if not run.settings.dry_run:
        publish_part(
            run,
            StagePart(
                stage="plan", shard=0, rows={}, reasons={}, calls={}, seconds=round(seconds, 3)
            ),
        )
    else:
        drop_scratch(run)
    return StageResult(
        stage="plan",
        rows=quote.rows,
        seconds=seconds,
        path=run.artefacts.place(f"{run.place}/plan"),
        summary=quote.text(),
        stranded=0 if quote.late_to_their_time else quote.stranded_groups,
    )


def _begin_ms(run: Run, taken: RunWindow) -> int | None:
    """Return from when on rows are this run's own; None: all are, as those of a drop, which is taken whole."""
    if is_template(run.settings.export_path):
        return None
    if taken.lookback_start_ms is not None:
        return taken.lookback_start_ms
    return taken.window.start_ms


def _judge(row: PlannedMessage, parts: Sequence[Delivery]) -> tuple[str, str] | None:
    """Return what delivery will make of a row that the ledger knows, or None if some of it is to be sent."""
    found = verdict(row, parts, run_id="")
    if not isinstance(found, Todo):
        return found
    if found is Todo.WITHDRAW:
        return Outcome.WITHDRAWN, ""
    if found is Todo.CHANGE:
        is_possible = edit_of(parts, row.bodies) is not None
        return (Outcome.UPDATED, "") if is_possible else (Outcome.REJECTED, TOO_LONG)
    return None


def _extracts(run: Run) -> list[Extract]:
    """Return what the extract stage left. That of a dry run is on its machine only, so it may have to be made here.

    Raises:
        UsageError: there is none.
    """
    found = run.noted_extracts()
    if not found and run.settings.dry_run and run.settings.export_path:
        extract_export(run)
        found = run.noted_extracts()
    if not found:
        raise UsageError("This run has no extract yet.", advice="Run the extract stage first.")
    return [Extract.open(path) for path in found]


def quote_of(run: Run) -> Quote:
    """Return the quote that the plan stage of this run wrote."""
    return Quote.model_validate_json(plan_of(run).quote_path.read_text(encoding="utf-8"))
