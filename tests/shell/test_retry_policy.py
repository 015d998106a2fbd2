"""Every error of the tree: retried with a delay, or failed with a reason."""

from __future__ import annotations

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
    reasons = [
        decide(kind("what happened")).reason for kind in TREE if kind is not errors.StoppedError
    ]
    assert len(set(reasons)) == len(reasons)


def test_missing_connection_fails_at_once():
    assert decide(AirflowNotFoundException("no such connection")).action is RetryAction.FAIL


def test_errors_that_are_not_ours_follow_the_retries_of_the_task():
    assert decide(RuntimeError("a bug")).action is RetryAction.DEFAULT


def test_policy_survives_the_serialised_dag():
    again = ExceptionRetryPolicy.deserialize(migration_retry_policy().serialize())
    assert decide(errors.HeldElsewhereError("held"), again) == decide(
        errors.HeldElsewhereError("held")
    )
