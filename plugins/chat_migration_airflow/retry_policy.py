"""Which failures a retry can help: our error tree, as rules of Airflow.

Repeating is always safe, because the ledger guards every write; the rules say whether it can help. Whether a
class is retried stands with the class (``is_retriable``); here stand the delays and the words of the UI. A class
that has neither here takes those of the class above it.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowNotFoundException

from chat_migration import errors
from chat_migration.errors import MigrationError

_DELAYS: dict[type[MigrationError], timedelta] = {
    MigrationError: timedelta(minutes=5),  # another run must end, or a service far away come back
    errors.InterruptedRunError: timedelta(seconds=30),
    errors.RowsInDoubtError: timedelta(minutes=1),
    errors.LedgerUnreachableError: timedelta(minutes=1),
    errors.BudgetUnreachableError: timedelta(minutes=1),
}

_REASONS: dict[type[MigrationError], str] = {
    errors.TargetUnreachableError: "The target gives no answer; it may come back.",
    errors.StageUnreachableError: "The object store gives no answer; it may come back.",
    errors.LedgerUnreachableError: "The ledger's database gives no answer; it may come back.",
    errors.UnknownCommitError: "The ledger's database went away during a commit; the next try finds out.",
    errors.BudgetUnreachableError: "The call budget's Redis gives no answer; it may come back.",
    errors.RowsInDoubtError: "Some outcomes are unknown; the next try reads them back.",
    errors.HeldElsewhereError: "Another run holds conversations; wait for it.",
    errors.InterruptedRunError: "Stopped by a signal; the next try goes on from there.",
    errors.NoticeStoredError: "A change stored a notice; turn the console's switch that the error names, then clear.",
    errors.CredentialsError: "The target refuses the credentials; correct the connection, then clear.",
    errors.UnknownLedgerError: "The target holds messages that this ledger does not know; rebuild it first.",
    errors.ExportMissingError: "A drop of the export is not there; it may still come.",
    errors.ExportNotReadyError: "The export is not complete yet; it may be soon.",
    errors.UnreadableExportError: "The export cannot be read; correct the path or the reader, then clear.",
    errors.UsageError: "A setting or connection field is wrong; correct it, then trigger again.",
    errors.StoppedError: "Going on cannot help; the error says why.",
    MigrationError: "A person must act first; the error says what to do.",
}


def migration_retry_policy() -> ExceptionRetryPolicy:
    """Return one rule for each class of the tree, the most special first.

    Whatever is not ours follows the task's own retries.
    """
    missing = RetryRule(
        exception=AirflowNotFoundException,
        action=RetryAction.FAIL,
        reason="The connection does not exist; create it, then clear.",
    )
    return ExceptionRetryPolicy(rules=[*map(_rule, _tree()), missing])


def _tree() -> list[type[MigrationError]]:
    """Return every class of the tree before the classes above it, always in the same order."""
    named = vars(errors).values()
    tree = [each for each in named if isinstance(each, type) and issubclass(each, MigrationError)]
    return sorted(tree, key=lambda each: (-len(each.__mro__), each.__name__))


def _rule(error: type[MigrationError]) -> RetryRule:
    above = [each for each in error.__mro__ if issubclass(each, MigrationError)]
    reason = next(_REASONS[each] for each in above if each in _REASONS)
    if not error.is_retriable:
        return RetryRule(exception=error, action=RetryAction.FAIL, reason=reason)
    delay = next(_DELAYS[each] for each in above if each in _DELAYS)
    return RetryRule(exception=error, action=RetryAction.RETRY, retry_delay=delay, reason=reason)
