"""Errors that end a run or a stage, named by what the caller must do.

A record that cannot be moved is no error but an outcome (``model.Outcome``); these are for whole runs::

    MigrationError
    ├── UsageError                  exit 2  wrong setting or flag: correct it
    │   └── UnreadableExportError   exit 2  the export cannot be read: correct the path or the reader
    ├── StoppedError                exit 3  nothing more may be sent until a person acts
    │   ├── CredentialsError        exit 3  secret, app id, region or admin identifier is wrong
    │   ├── TargetUnreachableError  exit 3  no usable answer from the target; run again later
    │   ├── UnknownLedgerError      exit 3  the target holds what this ledger does not know: rebuild
    │   └── RowsInDoubtError        exit 3  some outcomes are still unknown; run again to resolve them
    ├── HeldElsewhereError          exit 4  another run holds conversations; the rest is done
    └── InterruptedRunError         exit 5  stopped by a signal; run again to go on

``is_retriable`` tells a scheduler whether the same call may be repeated as it is: every write is guarded by
the ledger, so repeating is always *safe*; the flag says whether it can *help*.
"""

from __future__ import annotations

from typing import Any, ClassVar


class MigrationError(Exception):
    """Base of every error raised on purpose by this package.

    Args:
        what: one sentence, what happened, with the values in backticks.
        expected: what was expected instead, or "".
        advice: what to do next: a command, a setting, a page, or "".
        done: what has already been done and is safe, or "".
    """

    exit_code: ClassVar[int] = 1
    is_retriable: ClassVar[bool] = False
    may_have_effect = False
    """Whether a call that this error ended may have taken effect all the same."""

    def __init__(self, what: str, *, expected: str = "", advice: str = "", done: str = "") -> None:
        self.what, self.expected, self.advice, self.done = what, expected, advice, done
        super().__init__(" ".join(part for part in (what, expected, advice, done) if part))

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive pickling: workers and executors send errors between processes."""
        return _rebuild, (type(self), self.what, self.expected, self.advice, self.done)


def _rebuild(
    kind: type[MigrationError], what: str, expected: str, advice: str, done: str
) -> MigrationError:
    return kind(what, expected=expected, advice=advice, done=done)


class UsageError(MigrationError):
    """A setting, flag or connection field is wrong."""

    exit_code = 2


class UnreadableExportError(UsageError):
    """The export as a whole cannot be read; nothing was called."""


class StoppedError(MigrationError):
    """The run stopped because going on cannot help."""

    exit_code = 3


class CredentialsError(StoppedError):
    """The target refuses the secret, the app id, the region or the admin identifier."""


class TargetUnreachableError(StoppedError):
    """The target gives no usable answer."""

    is_retriable = True


class UnknownLedgerError(StoppedError):
    """The target already holds messages that this ledger knows nothing of."""


class RowsInDoubtError(StoppedError):
    """Some calls have an unknown outcome that could not be resolved yet."""

    is_retriable = True


class HeldElsewhereError(MigrationError):
    """Another run holds some conversations; everything else is done."""

    exit_code = 4
    is_retriable = True


class InterruptedRunError(MigrationError):
    """A signal asked the run to stop; what was sent is recorded."""

    exit_code = 5
    is_retriable = True
