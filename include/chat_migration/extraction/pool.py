"""Reading all pieces: in this process when there is little, else in worker processes."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import msgspec

from chat_migration import errors
from chat_migration.extraction.protocol import Answer, Done, Failed, Finish, Order, Setup
from chat_migration.extraction.reading import PieceReader, PieceResult
from chat_migration.sources import SOURCES
from chat_migration.sources.base import Piece, Source
from chat_migration.sources.tree import ExportTree

Progress = Callable[[int, int, int], None]
"""Called with rows read, bytes read, bytes in all."""

WORTH_WORKERS = 32 << 20
"""Bytes below which starting processes takes longer than reading."""


def read_pieces(
    source: Source,
    exports: Sequence[ExportTree],
    pieces: Sequence[Piece],
    *,
    source_name: str,
    folder: Path,
    workers: int,
    progress: Progress | None,
) -> list[PieceResult]:
    """Read all pieces into raw chunks under ``folder``; return their results by number.

    Raises:
        UnreadableExportError: a file as a whole cannot be read.
        InterruptedRunError: a worker process was killed.
    """
    total = sum(piece.size for piece in pieces)
    setup = Setup(source.name, source_name, list(exports), str(folder), "")
    if (
        workers < 2
        or len(pieces) < 2
        or total < WORTH_WORKERS
        or SOURCES.get(source.name) is not type(source)
    ):
        results = _read_here(source, setup, pieces)
    else:
        results = _read_in_workers(setup, pieces, min(workers, len(pieces)))
    found: list[PieceResult] = []
    rows = done = 0
    for result in results:
        found.append(result)
        rows, done = rows + result.rows, done + pieces[result.number].size
        if progress is not None:
            progress(rows, done, total)
    return sorted(found, key=lambda result: result.number)


def _read_here(source: Source, setup: Setup, pieces: Sequence[Piece]) -> Iterator[PieceResult]:
    reader = PieceReader(
        source, setup.exports, source_name=setup.source_name, folder=Path(setup.folder), name="here"
    )
    for number, piece in enumerate(pieces):
        yield reader.read(number, piece)
    reader.finish()


def _read_in_workers(setup: Setup, pieces: Sequence[Piece], workers: int) -> Iterator[PieceResult]:
    """Yield results as they come. One thread per process hands out pieces, the largest first."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in sorted(range(len(pieces)), key=lambda number: -pieces[number].size):
        waiting.put(number)
    results: queue.SimpleQueue[PieceResult | None] = queue.SimpleQueue()
    stop = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def drive(name: str) -> None:
        worker = _Worker(msgspec.structs.replace(setup, name=name), running)
        try:
            while not stop.is_set():
                number = waiting.get_nowait()
                results.put(worker.read(number, pieces[number]))
        except queue.Empty:
            worker.finish()
        except BaseException:
            stop.set()
            raise
        finally:
            worker.end()

    with ThreadPoolExecutor(workers) as threads:
        try:
            futures = [threads.submit(drive, f"worker{index}") for index in range(workers)]
            for future in futures:
                future.add_done_callback(lambda _: results.put(None))
            for _ in range(workers):
                yield from iter(results.get, None)
            for future in as_completed(futures):
                future.result()
        finally:
            stop.set()
            for process in running:
                process.kill()  # then its thread reads the end of its answers, and tidies up


class _Worker:
    """The parent's end of one reading process."""

    def __init__(self, setup: Setup, running: list[subprocess.Popen[bytes]]) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chat_migration.extraction.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        running.append(self._process)
        self._tell(setup)

    def read(self, number: int, piece: Piece) -> PieceResult:
        """Have one piece read."""
        result = self._ask(Order(number, piece), ", ".join(piece.paths[:3])).result
        if result is None:
            raise RuntimeError("a reading process answered out of turn")
        return result

    def finish(self) -> None:
        """Have the rest written, and end the process."""
        self._ask(Finish(), "the last rows")

    def end(self) -> None:
        """End the process; one that is still reading is killed."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def _ask(self, question: Order | Finish, about: str) -> Done:
        self._tell(question)
        line = self._process.stdout.readline() if self._process.stdout else b""
        if not line:
            raise errors.InterruptedRunError(
                f"A reading process ended with status {self._process.wait()} at {about}.",
                expected="It was killed, or ran out of memory.",
                advice="Run again, with fewer `workers` if memory is short.",
            )
        answer: Answer = msgspec.json.decode(line, type=Answer)
        match answer:
            case Done() as done:
                return done
            case Failed() as failed:
                raise _error(failed)

    def _tell(self, sent: Setup | Order | Finish) -> None:
        with contextlib.suppress(BrokenPipeError):  # then there is no answer either
            if self._process.stdin:
                self._process.stdin.write(msgspec.json.encode(sent) + b"\n")
                self._process.stdin.flush()


def _error(failed: Failed) -> Exception:
    kind = getattr(errors, failed.kind, None) if failed.kind else None
    if kind is None:
        return RuntimeError(f"A reading process failed: {failed.what}")
    error: Exception = kind(failed.what, expected=failed.expected, advice=failed.advice)
    return error
