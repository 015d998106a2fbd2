"""Drops: an ``export_path`` with ``{date}``, ``{start}`` or ``{end}`` in it, and which exports that means. Pure.

``{date}``   one drop for each day of the window, as the clocks of a time zone count days: ``drops/2024-05-01/``
``{start}``  the window's first instant, and
``{end}``    its last, in UTC and fit for paths: ``export-20240501T000000Z-20240502T000000Z.zip``

Where the window is open, the drops are those that are there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

import msgspec

from chat_migration.errors import UsageError
from chat_migration.window import Window

_NAMES = ("{date}", "{start}", "{end}")
_SHAPES = {"date": r"\d{4}-\d\d-\d\d", "start": r"\d{8}T\d{6}Z", "end": r"\d{8}T\d{6}Z"}
_STAMP = "%Y%m%dT%H%M%SZ"
_EXPECTED = "A template names `{date}`, or `{start}` and `{end}`, such as `drops/{date}/` or `drops/{end}.zip`."


class Drop(msgspec.Struct, frozen=True):
    """One export of several.

    ``name`` is what tells it from the others, and stands before the names of its files; ``path`` is where it lies;
    ``date`` the day that it is of, or "".
    """

    name: str
    path: str
    date: str = ""


def is_template(text: str) -> bool:
    """Tell whether an ``export_path`` stands for drops.

    >>> is_template("s3://bucket/drops/{date}/"), is_template("/exports/chat")
    (True, False)
    """
    return any(name in text for name in _NAMES)


class Template(msgspec.Struct, frozen=True):
    """An ``export_path`` with placeholders; make it with :meth:`parse`.

    ``base`` is the folder above all drops, ending in a slash, or ""; ``rest`` what follows it.
    """

    base: str
    rest: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the template that a text is.

        Raises:
            UsageError: it names something else, mixes days with bounds, or leads upwards.
        """
        left = _filled(text, dict.fromkeys(_SHAPES, ""))
        if "{" in left or "}" in left:
            raise _odd(text, "it has braces that are no placeholder")
        if "{date}" in text and ("{start}" in text or "{end}" in text):
            raise _odd(text, "it names days and bounds at once")
        if ".." in re.split(r"[/\\]", text):
            raise _odd(text, "it leads upwards with `..`")
        first = min(text.index(name) for name in _NAMES if name in text)
        cut = text.rfind("/", 0, first) + 1
        return cls(text[:cut], text[cut:])

    @property
    def text(self) -> str:
        """Return the whole template."""
        return self.base + self.rest

    @property
    def is_daily(self) -> bool:
        """Tell whether there is one drop for each day."""
        return "{date}" in self.rest

    @property
    def pattern(self) -> str:
        """Return what stands after the base, with a ``*`` for each placeholder, for whoever lists what is there."""
        return _filled(self.rest.strip("/"), dict.fromkeys(_SHAPES, "*"))

    def is_open(self, window: Window) -> bool:
        """Tell whether the window alone does not say which drops there are."""
        starts, ends = window.start_ms is None, window.end_ms is None
        if self.is_daily:
            return starts or ends
        return ("{start}" in self.rest and starts) or ("{end}" in self.rest and ends)

    def expected(self, window: Window, zone: ZoneInfo) -> list[Drop]:
        """Return the drops that must be there, in order; of an open window the last one before its end."""
        if self.is_open(window):
            return self._last(window, zone)
        if self.is_daily:
            return [self._of_day(day) for day in days_of(window, zone)]
        return [self._drop({"start": stamp(window.start_ms), "end": stamp(window.end_ms)})]

    def among(self, paths: Iterable[str], window: Window, zone: ZoneInfo) -> list[Drop]:
        """Return the drops of a window among what lies under the base, in order.

        Args:
            paths: relative to the base; files inside a drop stand for it.
            window: the run's.
            zone: whose days ``{date}`` means.
        """
        found: dict[str, Drop] = {}
        matches = re.compile(self._regex()).match
        for path in paths:
            matched = matches(path)
            if matched is None or matched[0] in found:
                continue
            values = {name: value for name, value in matched.groupdict().items() if value}
            if _lies_in(values, window, zone):
                found[matched[0]] = self._drop(values)
        return [found[name] for name in sorted(found)]

    def _last(self, window: Window, zone: ZoneInfo) -> list[Drop]:
        """Return the drop that ends an open window, where it can be told."""
        if window.end_ms is None or (not self.is_daily and "{start}" in self.rest):
            return []
        last = _local(window.end_ms, zone).date() - timedelta(days=1)
        return [self._of_day(last)]

    def _of_day(self, day: date) -> Drop:
        return self._drop({"date": day.isoformat()})

    def _drop(self, values: dict[str, str]) -> Drop:
        rest = _filled(self.rest, values)
        return Drop(rest.strip("/"), self.base + rest, values.get("date", ""))

    def _regex(self) -> str:
        """Return what a drop's name looks like; a placeholder that comes twice stands for one value."""
        seen: set[str] = set()
        parts = []
        for part in re.split(r"\{(date|start|end)\}", self.rest.strip("/")):
            if part not in _SHAPES:
                parts.append(re.escape(part))
            elif part in seen:
                parts.append(f"(?P={part})")
            else:
                parts.append(f"(?P<{part}>{_SHAPES[part]})")
                seen.add(part)
        return "".join(parts) + r"(?=/|$)"


def days_of(window: Window, zone: ZoneInfo) -> Iterator[date]:
    """Yield the local days of a window bounded on both sides: from its start on, one by one, until its end.

    A window may begin at any time of day; each step is one day of the calendar, be it of 23 or 25 hours.
    """
    if window.start_ms is None or window.end_ms is None:
        raise ValueError(f"{window} is open")
    wall = _local(window.start_ms, zone).replace(tzinfo=None)
    while wall.replace(tzinfo=zone).timestamp() * 1000 < window.end_ms:
        yield wall.date()
        wall += timedelta(days=1)


def marker_names(marker: str, drop: Drop, window: Window, zone: ZoneInfo) -> list[str]:
    """Return the files that say that a drop is complete, relative to it; none where nothing is asked for.

    A marker may be a template itself: it is that of the drop's day; in a folder that grows, of each day of the
    window. Without an end the days of a window cannot be told: then such a marker is not asked for.

    Raises:
        UsageError: the marker leads out of the drop, or is an odd template.
    """
    if not marker:
        return []
    if marker.startswith("/") or ".." in re.split(r"[/\\]", marker) or "://" in marker:
        raise UsageError(
            f"`ready_marker` is `{marker}`, which leads out of the export.",
            expected="The name of a file in it, such as `_SUCCESS`.",
        )
    if not is_template(marker):
        return [marker]
    template = Template.parse(marker)
    if drop.date and template.is_daily:
        return [_filled(marker, {"date": drop.date})]
    return [each.path for each in template.expected(window, zone)]


def absent_days(drops: Iterable[Drop]) -> list[str]:
    """Return the days between the first and the last drop of which there is none.

    >>> absent_days([Drop("a", "a", "2024-02-28"), Drop("b", "b", "2024-03-01")])
    ['2024-02-29']
    """
    there = {date.fromisoformat(each.date) for each in drops if each.date}
    if not there:
        return []
    first = min(there)
    every = (first + timedelta(days=step) for step in range((max(there) - first).days))
    return [day.isoformat() for day in every if day not in there]


def stamp(instant_ms: int | None) -> str:
    """Return a bound as paths have it, in UTC; "" for an open one.

    >>> stamp(1_714_521_600_000)
    '20240501T000000Z'
    """
    if instant_ms is None:
        return ""
    return datetime.fromtimestamp(instant_ms / 1000, UTC).strftime(_STAMP)


def _lies_in(values: dict[str, str], window: Window, zone: ZoneInfo) -> bool:
    """Tell whether a drop that is there belongs to a window."""
    if "date" in values:
        try:
            day = date.fromisoformat(values["date"])
        except ValueError:
            return False
        starts = window.start_ms is None or day >= _local(window.start_ms, zone).date()
        return starts and (window.end_ms is None or day < _local(window.end_ms, zone).date())
    start, end = values.get("start", ""), values.get("end", "")
    first, last = stamp(window.start_ms), stamp(window.end_ms)
    is_late = bool(last) and (end > last or start >= last)
    return not is_late and not (first and (start or end) < first)


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _local(instant_ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(instant_ms / 1000, zone)


def _odd(text: str, why: str) -> UsageError:
    return UsageError(f"`{text}` is no template that can be followed: {why}.", expected=_EXPECTED)
