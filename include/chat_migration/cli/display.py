"""Progress bars for terminals."""

from __future__ import annotations

from threading import Lock

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class Bars:
    """The bars of one terminal, one below the other; a second display of its own would hide them."""

    def __init__(self, console: Console) -> None:
        self._shown = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            RateColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._lock, self._open = Lock(), 0

    def add(self, what: str, total: int | None, unit: str) -> TaskID:
        """Show one more; return its id."""
        with self._lock:
            bar = self._shown.add_task(escape(what), total=total or None, unit=unit)
            if not self._open:
                self._shown.start()
            self._open += 1
            return bar

    def move(self, bar: TaskID, done: int) -> None:
        """Say how much is done in all."""
        self._shown.update(bar, completed=done)

    def rename(self, bar: TaskID, text: str) -> None:
        """Put a text in place of a bar's name, at once."""
        self._shown.update(bar, description=escape(text), refresh=True)

    def remove(self, bar: TaskID) -> None:
        """Take one away, as far as it came, and with the last one the display."""
        with self._lock:
            self._shown.refresh()
            self._shown.remove_task(bar)
            self._open -= 1
            if not self._open:
                self._shown.stop()


class TerminalProgress:
    """One bar: what, how many of how many, how fast, how long still."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._bar: TaskID | None = None

    def begin(self, what: str, total: int | None, unit: str) -> None:
        """Show the bar."""
        self._bar = self._bars.add(what, total, unit)

    def advance(self, done: int) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._bars.move(self._bar, done)

    def note(self, text: str) -> None:
        """Put it in place of the bar's name."""
        if self._bar is not None:
            self._bars.rename(self._bar, text)

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bars.remove(self._bar)
            self._bar = None


class RateColumn(ProgressColumn):
    """The unit of what is counted and, once it is known, how many of them are done in a second."""

    def render(self, task: Task) -> Text:
        """Return the text for one bar."""
        unit = str(task.fields["unit"])
        return Text(unit if task.speed is None else f"{unit}, {task.speed:,.0f}/s")
