"""Errors that end a run or a stage, named by what the caller must do.

A record that cannot be moved is no error but an outcome (``model.Outcome``); these are for whole runs::

    MigrationError
    ├── UsageError                  exit 2  wrong setting or flag: correct it
    │   └── UnreadableExportError   exit 2  the export cannot be read: correct the path or the reader
    │       ├── ExportMissingError  exit 2  a drop of the export is not there; it may still come
    │       └── ExportNotReadyError exit 2  the export is there and not complete yet; run again later
    ├── StoppedError                exit 3  nothing more may be sent until a person acts
    │   ├── CredentialsError        exit 3  secret, app id, region or admin identifier is wrong
    │   ├── NoticeStoredError       exit 3  a change stored a notice in its group: turn the console's switch off
    │   ├── TargetUnreachableError  exit 3  no usable answer from the target; run again later
    │   ├── UnknownLedgerError      exit 3  the target holds what this ledger does not know: rebuild
    │   ├── LedgerUnreachableError  exit 3  the ledger's database does not answer; run again later
    │   │   └── UnknownCommitError  exit 3  the same, and nobody knows whether the last record was kept
    │   ├── RowsInDoubtError        exit 3  some outcomes are still unknown; run again to resolve them
    │   ├── BudgetUnreachableError  exit 3  where the call budget is kept does not answer; run again later
    │   └── StageUnreachableError   exit 3  the stage's or export's object store does not answer; run again later
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
        sentences = (self.what, self.expected, self.advice, self.done)
        return _rebuild, (type(self), *sentences), self.__dict__.copy()


def _rebuild(
    kind: type[MigrationError], what: str, expected: str, advice: str, done: str
) -> MigrationError:
    return kind(what, expected=expected, advice=advice, done=done)


class UsageError(MigrationError):
    """A setting, flag or connection field is wrong."""

    exit_code = 2


class UnreadableExportError(UsageError):
    """The export as a whole cannot be read; nothing was called."""


class ExportMissingError(UnreadableExportError):
    """A drop that the run's window needs is not there; nothing was called."""

    is_retriable = True


class ExportNotReadyError(UnreadableExportError):
    """The export is there, and still being written as far as can be told; nothing was called."""

    is_retriable = True


class StoppedError(MigrationError):
    """The run stopped because going on cannot help."""

    exit_code = 3


class CredentialsError(StoppedError):
    """The target refuses the secret, the app id, the region or the admin identifier."""


class NoticeStoredError(StoppedError):
    """A change of a group stored a message of its own in it, which a switch of the vendor's console forbids."""


class TargetUnreachableError(StoppedError):
    """The target gives no usable answer."""

    is_retriable = True


class UnknownLedgerError(StoppedError):
    """The target already holds messages that this ledger knows nothing of."""


class LedgerUnreachableError(StoppedError):
    """The ledger's database gives no usable answer; what was asked of it was not recorded."""

    is_retriable = True


class UnknownCommitError(LedgerUnreachableError):
    """The ledger's database went away while it recorded something, and did not come back to tell.

    What was asked of it is recorded as a whole or not at all. A later run finds out which: it reads the ledger.
    """


class RowsInDoubtError(StoppedError):
    """Some calls have an unknown outcome that could not be resolved yet."""

    is_retriable = True


class BudgetUnreachableError(StoppedError):
    """Where the call budget is kept has not answered for a long time."""

    is_retriable = True


class StageUnreachableError(StoppedError):
    """The object store that holds the stage or the export gives no usable answer."""

    is_retriable = True


class HeldElsewhereError(MigrationError):
    """Another run holds some conversations; everything else is done."""

    exit_code = 4
    is_retriable = True


class InterruptedRunError(MigrationError):
    """A signal asked the run to stop; what was sent is recorded."""

    exit_code = 5
    is_retriable = True
