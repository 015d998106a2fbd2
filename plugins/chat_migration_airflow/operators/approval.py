"""ApprovePlanOperator and ConfirmPlanOperator: a person looks at the quote before anything is sent."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.exceptions import HITLRejectException, HITLTimeoutError
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowSkipException

from chat_migration.errors import MigrationError
from chat_migration_airflow import alerts
from chat_migration_airflow.operators.base import MigrationOperator, settings_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from chat_migration.run import Run


class ApprovePlanOperator(ApprovalOperator, MigrationOperator):
    """Ask a person whether to send what the plan says, and wait without using a worker.

    Skipped unless ``require_approval`` is set. The question is the quote's text; who does not answer within
    ``approval_hours``, or rejects, fails the run, and nothing is sent. A retry asks again.
    """

    stage = "ask_approval"
    template_fields = MigrationOperator.template_fields

    def __init__(self, **kwargs: Any) -> None:
        # Params are not known when a DAG is parsed: the question and its deadline are made when it is asked.
        super().__init__(subject="Send this plan?", fail_on_reject=True, **kwargs)

    def execute(self, context: Context) -> Any:
        """Ask, and wait; or skip."""
        settings = settings_of(context, self.target)
        if settings.dry_run or not settings.require_approval:
            raise AirflowSkipException(
                "Nobody has to approve this plan: `require_approval` is off."
            )
        run = self.make_run(context, settings)
        quote = import_module("chat_migration.stages").ask_approval(run)
        self.subject = f"Send this to {run.connection.app} at {run.connection.host}?"
        self.body = _question(run, quote.text())
        for line in quote.text().splitlines():
            self.log.info("%s", line)
        self.response_timeout = timedelta(hours=settings.approval_hours)
        alerts.approval_wanted(context, self.subject, settings.approval_hours)
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on with what was approved, or fail in plain words.

        Raises:
            MigrationError: it was rejected, or nobody answered in time.
        """
        again = "Clear this task to be asked again, or trigger another run."
        try:
            answer = super().execute_complete(context, event)
        except HITLRejectException:
            who = (event.get("responded_by_user") or {}).get("name") or "somebody"
            raise MigrationError(
                f"The plan was rejected by `{who}`.", advice=again, done="Nothing was sent."
            ) from None
        except HITLTimeoutError:
            raise MigrationError(
                "Nobody approved the plan in time.",
                expected="An answer within `approval_hours`.",
                advice=again,
                done="Nothing was sent.",
            ) from None
        who = (answer.get("responded_by_user") or {}).get("name") or "somebody"
        self.log.info("Approved by %s. The plan is made again, and may not be more than this.", who)
        return {"approved_by": who}


class ConfirmPlanOperator(MigrationOperator):
    """Plan again after the approval, against the ledger as it is then; fail where that is more than was approved.

    Skipped together with the question. A retry plans anew and compares with the same approved quote.
    """

    stage = "confirm_plan"


def _question(run: Run, quote: str) -> str:
    """Return the question as Markdown."""
    window, settings = run.window, run.settings
    return (
        f"Run `{run.run_id}` · window **{window.window}** ({window.text or 'as asked for'}) · "
        f"export `{settings.export_path}` ({settings.name_of_source})\n\n```\n{quote}\n```\n\n"
        "After your approval the plan is made again. If it is more than this then, nothing is sent."
    )
