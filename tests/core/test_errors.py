"""Errors say what to do, end with a documented code, and survive the way between processes."""

from __future__ import annotations

import copy
import pickle

import pytest

from chat_migration import errors
from chat_migration.errors import MigrationError
from chat_migration.ledger.ledger import IllegalMoveError


def every_kind(kind: type[MigrationError] = MigrationError) -> list[type[MigrationError]]:
    """Return an error class and all below it."""
    return [kind, *(below for each in kind.__subclasses__() for below in every_kind(each))]


EVERY = pytest.mark.parametrize("kind", every_kind(), ids=lambda kind: kind.__name__)

EXIT_CODES = {
    "UsageError": (2, False),
    "UnreadableExportError": (2, False),
    "ExportMissingError": (2, True),
    "ExportNotReadyError": (2, True),
    "StoppedError": (3, False),
    "CredentialsError": (3, False),
    "NoticeStoredError": (3, False),
    "TargetUnreachableError": (3, True),
    "UnknownLedgerError": (3, False),
    "LedgerUnreachableError": (3, True),
    "UnknownCommitError": (3, True),
    "RowsInDoubtError": (3, True),
    "StageUnreachableError": (3, True),
    "BudgetUnreachableError": (3, True),
    "HeldElsewhereError": (4, True),
    "InterruptedRunError": (5, True),
}


@EVERY
def test_an_error_survives_pickling_with_all_its_sentences(kind: type[MigrationError]) -> None:
    error = kind("It broke.", expected="It holds.", advice="Mend it.", done="Two are safe.")
    for back in (pickle.loads(pickle.dumps(error)), copy.deepcopy(error), copy.copy(error)):  # noqa: S301
        assert type(back) is kind
        assert (back.what, back.expected, back.advice, back.done) == (
            "It broke.", "It holds.", "Mend it.", "Two are safe.",
        )  # fmt: skip
        assert str(back) == str(error) == "It broke. It holds. Mend it. Two are safe."


@EVERY
def test_an_error_keeps_between_processes_whether_its_call_may_have_been_applied(
    kind: type[MigrationError],
) -> None:
    error = kind("It broke.")
    error.may_have_effect = True
    error.add_note("seen in shard 3")
    back = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert back.may_have_effect
    assert back.__notes__ == ["seen in shard 3"]


@EVERY
def test_an_error_of_one_sentence_shows_nothing_else(kind: type[MigrationError]) -> None:
    assert str(kind("It broke.")) == "It broke."
    assert not kind("It broke.").may_have_effect


def test_a_refused_move_survives_pickling() -> None:
    back = pickle.loads(pickle.dumps(IllegalMoveError("`deliver` does not fit")))  # noqa: S301
    assert (type(back), str(back)) == (IllegalMoveError, "`deliver` does not fit")


@pytest.mark.parametrize(("name", "expected"), EXIT_CODES.items(), ids=EXIT_CODES)
def test_an_error_ends_with_its_documented_code(name: str, expected: tuple[int, bool]) -> None:
    kind: type[MigrationError] = getattr(errors, name)
    assert (kind.exit_code, kind.is_retriable) == expected


def test_every_error_of_the_module_has_a_documented_code() -> None:
    ours = {kind.__name__ for kind in every_kind() if kind.__module__ == errors.__name__}
    assert ours == {"MigrationError", *EXIT_CODES}
    assert errors.__doc__ is not None
    assert not [name for name in ours if name not in errors.__doc__]
