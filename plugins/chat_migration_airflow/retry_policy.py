"""Which failures a retry can help: our error tree, as rules of Airflow.

Repeating is always safe, because the ledger guards every write; the rules say whether it can help.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowNotFoundException

from chat_migration.errors import (
    CredentialsError,
    HeldElsewhereError,
    InterruptedRunError,
    MigrationError,
    RowsInDoubtError,
    TargetUnreachableError,
    UnknownLedgerError,
    UnreadableExportError,
    UsageError,
)


def _retry(error: type[MigrationError], after: timedelta, reason: str) -> RetryRule:
    return RetryRule(exception=error, action=RetryAction.RETRY, retry_delay=after, reason=reason)


def _fail(error: type[Exception], reason: str) -> RetryRule:
    return RetryRule(exception=error, action=RetryAction.FAIL, reason=reason)


def migration_retry_policy() -> ExceptionRetryPolicy:
    """Return the rules, the most special error first; anything not ours follows the task's own retries."""
    return ExceptionRetryPolicy(
        rules=[
            _retry(
                TargetUnreachableError,
                timedelta(minutes=5),
                "The target gives no answer; it may come back.",
            ),
            _retry(
                RowsInDoubtError,
                timedelta(minutes=1),
                "Some outcomes are unknown; the next try reads them back.",
            ),
            _retry(
                HeldElsewhereError,
                timedelta(minutes=5),
                "Another run holds conversations; wait for it.",
            ),
            _retry(
                InterruptedRunError,
                timedelta(seconds=30),
                "Stopped by a signal; the next try goes on from there.",
            ),
            _fail(
                CredentialsError,
                "The target refuses the credentials; correct the connection, then clear.",
            ),
            _fail(
                UnknownLedgerError,
                "The target holds messages that this ledger does not know; rebuild it first.",
            ),
            _fail(
                UnreadableExportError,
                "The export cannot be read; correct the path or the reader, then clear.",
            ),
            _fail(
                UsageError,
                "A setting or connection field is wrong; correct it, then trigger again.",
            ),
            _fail(MigrationError, "A person must act first; the error says what to do."),
            _fail(
                AirflowNotFoundException, "The connection does not exist; create it, then clear."
            ),
        ]
    )
