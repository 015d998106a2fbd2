"""Having a plan approved by a person, and sending no more than was approved."""

from __future__ import annotations

import logging

from chat_migration.approval import exceeds
from chat_migration.errors import MigrationError
from chat_migration.planning.quote import Quote
from chat_migration.run import Run
from chat_migration.stages.plan import plan_import, quote_of
from chat_migration.stages.result import StageResult

_log = logging.getLogger(__name__)


def ask_approval(run: Run) -> Quote:
    """Return the quote that a person is asked about, and keep it as what this run may send at most."""
    quote = quote_of(run)
    run.artefacts.write_note(_place(run), quote.model_dump_json().encode())
    return quote


def confirm_plan(run: Run) -> StageResult:
    """Plan again, as the ledger is now, and make sure that it is no more than what was approved. Sends nothing.

    Raises:
        MigrationError: it is more, or nobody was ever asked; a person must look again.
    """
    raw = run.artefacts.note(_place(run))
    if raw is None:
        raise MigrationError(
            "Nobody was asked to approve this run's plan.",
            advice="Clear the task that asks, with everything downstream.",
        )
    approved = Quote.model_validate_json(raw)
    done = plan_import(run)
    now = quote_of(run)
    if grown := exceeds(approved, now):
        for line in now.text().splitlines():
            _log.info("the plan now: %s", line)
        raise MigrationError(
            f"The plan is more now than what was approved: {'; '.join(grown)}.",
            expected="At most what the approved quote said.",
            advice="Look at the new plan in this task's log, then clear the task that asks for approval, with "
            "everything downstream: it asks again, with the new plan.",
            done="Nothing was sent.",
        )
    return done


def _place(run: Run) -> str:
    return f"{run.place}/approved.json"
