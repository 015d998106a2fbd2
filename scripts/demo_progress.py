"""What a person sees while Airflow moves an export: what the tasks' own log lines say, and nothing else."""

from __future__ import annotations

import re
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

_BEGUN = re.compile(r"\b([a-z]+(?:_[a-z]+)+): run manual__")
"""The first line of a task: its stage, and the run."""
_FAR = re.compile(r"\b([a-z][a-z -]*: \d+ of \d+) .*(\(\d+ %\),) .*(ETA \d+:\d\d:\d\d)")
"""What, how far, how long still; the rate between them would be too much for one line of a terminal."""
_QUOTED = re.compile(r"\btime at the rate limit: (\d+):(\d\d):(\d\d)")
_WORTH_SAYING_SECONDS = 20


class Watch:
    """Shows how far one export is: a line that changes on a terminal, a line now and then elsewhere.

    Use it as a context, and give it every line of the log.
    """

    def __init__(self, console: Console, name: str, *, every_seconds: float = 10.0) -> None:
        """Prepare to show; ``every_seconds`` is how far apart lines are where there is no terminal."""
        self._console, self._name, self._every = console, name, every_seconds
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._short = name.rpartition("/")[2]
        self._task = self._bar.add_task(f"{self._short}: Airflow starts")
        self._said_at = time.monotonic()

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take the changing line away."""
        if self._console.is_terminal:
            self._bar.stop()

    def line(self, text: str) -> None:
        """Take one line of the log."""
        if quoted := _QUOTED.search(text):
            self._quote(*(int(each) for each in quoted.groups()))
        elif far := _FAR.search(text):
            self._show(" ".join(far.groups()))
        elif begun := _BEGUN.search(text):
            self._show(begun[1].replace("_", " "))

    def _quote(self, hours: int, minutes: int, seconds: int) -> None:
        """Say beforehand how long the calls alone will take, where that is long enough to wonder."""
        if 3600 * hours + 60 * minutes + seconds >= _WORTH_SAYING_SECONDS:
            self._console.print(
                f"{self._name}: {hours}:{minutes:02d}:{seconds:02d} at the app's rate, by the quote",
                highlight=False,
            )

    def _show(self, text: str) -> None:
        self._bar.update(self._task, description=escape(f"{self._short}: {text}"))
        now = time.monotonic()
        if not self._console.is_terminal and now - self._said_at >= self._every:
            self._said_at = now
            self._console.print(f"{self._name}: {text}", highlight=False, markup=False)
