"""Every error of the tree: retried with a delay, or failed with a reason."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import ExceptionRetryPolicy, RetryAction
from airflow.sdk.exceptions import AirflowNotFoundException

from chat_migration import errors
from chat_migration_airflow.retry_policy import migration_retry_policy

TREE = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.MigrationError)
]


def decide(error, policy=None):
    return (policy or migration_retry_policy()).evaluate(error, try_number=1, max_tries=3)


@pytest.mark.parametrize("kind", TREE)
def test_errors_are_retried_exactly_when_that_can_help(kind):
    decision = decide(kind("what happened"))
    assert decision.action is (RetryAction.RETRY if kind.is_retriable else RetryAction.FAIL)
    assert decision.reason
    assert (decision.retry_delay is not None) is kind.is_retriable


def test_every_error_has_a_reason_of_its_own():
    reasons = [decide(kind("what happened")).reason for kind in TREE]
    assert len(set(reasons)) == len(reasons)


def test_what_is_kept_on_servers_of_our_own_is_asked_again_soon():
    """They come back within minutes, and each try has already waited for them."""
    for kind in (
        errors.LedgerUnreachableError,
        errors.UnknownCommitError,
        errors.BudgetUnreachableError,
    ):
        assert decide(kind("away")).retry_delay == timedelta(minutes=1)


def test_new_class_of_the_tree_is_judged_by_itself_and_not_by_the_class_above_it(monkeypatch):
    place = {"__module__": errors.__name__}
    passing = type("PassingError", (errors.UsageError,), place | {"is_retriable": True})
    lasting = type(
        "LastingError", (errors.TargetUnreachableError,), place | {"is_retriable": False}
    )
    for kind in (passing, lasting):
        monkeypatch.setattr(errors, kind.__name__, kind, raising=False)
    policy = migration_retry_policy()
    assert decide(passing("away"), policy).action is RetryAction.RETRY
    assert decide(lasting("gone"), policy).action is RetryAction.FAIL


def test_rules_are_the_same_every_time_they_are_made():
    """A DAG that serialises differently is a new version of it for Airflow."""
    assert migration_retry_policy().serialize() == migration_retry_policy().serialize()


def test_missing_connection_fails_at_once():
    assert decide(AirflowNotFoundException("no such connection")).action is RetryAction.FAIL


def test_errors_that_are_not_ours_follow_the_retries_of_the_task():
    assert decide(RuntimeError("a bug")).action is RetryAction.DEFAULT


def test_policy_survives_the_serialised_dag():
    again = ExceptionRetryPolicy.deserialize(migration_retry_policy().serialize())
    assert decide(errors.HeldElsewhereError("held"), again) == decide(
        errors.HeldElsewhereError("held")
    )
