"""With which error a run stops for a failure that nothing here can mend; what to check is the vendor's to say."""

from __future__ import annotations

from collections.abc import Mapping

from chat_migration.errors import CredentialsError, MigrationError, TargetUnreachableError
from chat_migration.targets.base import Advice, Failure

_NETWORK = (
    "Check the connection's host (region name, host name or URL) and the network, then run again."
)
_WHAT_TO_CHECK: Mapping[Advice, str] = {
    Advice.TRY_AGAIN: "The service has a passing fault: run again later.",
    Advice.READ_BACK: "The service has a passing fault: run again later.",
    Advice.SLOW_DOWN: "Another client uses the app's call budget up: lower `calls_per_second`, or run later.",
}
"""The failures that pass by themselves, and what to do about them."""


def error_for(
    where: str, failed: Failure, *, checks: Mapping[Advice, str], otherwise: str, done: str
) -> MigrationError:
    """Return the error with which a run stops: credentials and app, or no usable answer.

    Args:
        where: the service and the app, for people.
        failed: what came back.
        checks: what to check after a refusal, by its advice.
        otherwise: what to check after any other refusal.
        done: what has been done before.
    """
    if failed.code is None or failed.advice in _WHAT_TO_CHECK:
        network = failed.code is None
        return TargetUnreachableError(
            f"{where} gives no usable answer to {failed}.",
            expected="An HTTPS service that answers with JSON." if network else "",
            advice=_NETWORK if network else _WHAT_TO_CHECK[failed.advice],
            done=done,
        )
    return CredentialsError(
        f"{where} refuses {failed}.", advice=checks.get(failed.advice, otherwise), done=done
    )
