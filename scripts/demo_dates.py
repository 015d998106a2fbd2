"""A copy of a sample whose history ends the day before yesterday: ZIM takes nothing that is older than its retention.

Days stay whole and in order, and so do the times within them; only stretches in which nothing happened get shorter.
What has the same time in the sample has the same time in the copy, so identifiers made of times still fit.
"""

from __future__ import annotations

import bisect
import gzip
import re
import shutil
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

ROOM_DAYS = 300
"""How many days the copy may span at most; an app keeps messages for 360."""
_AGE = timedelta(days=2)

_DAY = re.compile(r"(?<!\d)(20[012]\d-[01]\d-[0-3]\d)(?!\d)")
_EPOCH = re.compile(r"(?<![\d.])(1[2-8]\d{8})(\d{3}|\.\d{6})?(?![\d.])")
"""Seconds, as Slack writes them with six digits after the point, or milliseconds."""
_DAY_SECONDS = 86_400


class Calendar:
    """Which day of the copy a day of the sample becomes."""

    def __init__(self, days: Iterable[date], today: date) -> None:
        self._days = sorted(set(days))
        gaps = [(later - earlier).days for earlier, later in pairwise(self._days)]
        longest = max(
            (
                most
                for most in range(1, ROOM_DAYS)
                if sum(min(gap, most) for gap in gaps) <= ROOM_DAYS
            ),
            default=1,
        )
        day = today - _AGE - timedelta(days=sum(min(gap, longest) for gap in gaps))
        self._moved = [day]
        for gap in gaps:
            day += timedelta(days=min(gap, longest))
            self._moved.append(day)

    def days_on(self, day: date) -> int:
        """Return by how many days a day of the sample moves."""
        place = bisect.bisect_left(self._days, day)
        return (self._moved[place] - self._days[place]).days


def recent_copy(sample: Path, copy: Path, today: date | None = None) -> Path:
    """Return the copy of a sample; it is made once, because another time of a message would be another message."""
    if copy.exists():
        return copy
    files = [file for file in sorted(sample.rglob("*")) if file.is_file()]
    days = {day for file in files for day in _days(f"{file.name}\n{_text(file)}")}
    calendar = Calendar(days, today or datetime.now(UTC).date())
    partial = copy.with_name(f"{copy.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    for file in files:
        name = file.relative_to(sample).as_posix()
        made = partial / _moved(name, calendar)
        made.parent.mkdir(parents=True, exist_ok=True)
        content = _moved(_text(file), calendar).encode()
        made.write_bytes(gzip.compress(content, mtime=0) if _is_packed(file) else content)
    partial.rename(copy)
    return copy


def _text(file: Path) -> str:
    raw = file.read_bytes()
    return (gzip.decompress(raw) if _is_packed(file) else raw).decode()


def _is_packed(file: Path) -> bool:
    return file.suffix == ".gz"


def _days(text: str) -> set[date]:
    """Return every day of which a text holds a time."""
    named = {date.fromisoformat(each) for each in _DAY.findall(text)}
    return named | {_day_of(int(each[1])) for each in _EPOCH.finditer(text)}


def _day_of(second: int) -> date:
    return datetime.fromtimestamp(second, UTC).date()


def _moved(text: str, calendar: Calendar) -> str:
    """Return a text with all its times moved."""

    def moved_day(found: re.Match[str]) -> str:
        day = date.fromisoformat(found[1])
        return (day + timedelta(days=calendar.days_on(day))).isoformat()

    def moved_epoch(found: re.Match[str]) -> str:
        second = int(found[1])
        second += calendar.days_on(_day_of(second)) * _DAY_SECONDS
        return f"{second}{found[2] or ''}"

    steps: list[tuple[re.Pattern[str], Callable[[re.Match[str]], str]]] = [
        (_DAY, moved_day),
        (_EPOCH, moved_epoch),
    ]
    for pattern, replacement in steps:
        text = pattern.sub(replacement, text)
    return text
