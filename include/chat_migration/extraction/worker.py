"""A reading process: takes pieces on standard input, answers on standard output, one JSON line each.

Plain subprocesses, because a task of a scheduler may be a daemonic process, which ``multiprocessing``
forbids children.
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import BinaryIO

import msgspec

from chat_migration.errors import MigrationError
from chat_migration.extraction.protocol import Answer, Done, Failed, Finish, Order, Setup
from chat_migration.extraction.reading import PieceReader
from chat_migration.sources import open_source


def serve(orders: BinaryIO, answers: BinaryIO) -> None:
    """Answer each line of ``orders`` until it ends."""
    setup = msgspec.json.decode(orders.readline(), type=Setup)
    reader = PieceReader(
        open_source(setup.source),
        setup.exports,
        source_name=setup.source_name,
        folder=Path(setup.folder),
        name=setup.name,
    )
    for line in orders:
        answers.write(msgspec.json.encode(_answer(reader, line)) + b"\n")
        answers.flush()


def _answer(reader: PieceReader, line: bytes) -> Answer:
    try:
        order: Order | Finish = msgspec.json.decode(line, type=Order | Finish)
        match order:
            case Order(number, piece):
                return Done(reader.read(number, piece))
            case Finish():
                reader.finish()
                return Done()
    except MigrationError as error:
        return Failed(type(error).__name__, error.what, error.expected, error.advice)
    except Exception as error:
        # Frames only: the text of an exception may hold a message.
        frames = "".join(traceback.format_tb(error.__traceback__))
        return Failed("", f"{type(error).__name__} at\n{frames}")


class _WithoutPandas(MetaPathFinder):
    """Hides pandas, which pyarrow imports to build its first array: a second and 60 MB for nothing here."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Refuse pandas; leave all else to the other finders."""
        if fullname == "pandas":
            raise ModuleNotFoundError(name=fullname)


def main() -> None:
    """Serve the parent process; what else is printed goes to standard error."""
    sys.meta_path.insert(0, _WithoutPandas())
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    gc.disable()  # rows are trees: nothing waits for a collection
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
