"""What ``check --window`` and ``status`` say of windows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape

from chat_migration import calendar
from chat_migration.drops import Template, is_template
from chat_migration.run import Run
from chat_migration.window import UTC_ZONE, Window, local_time, parse_instant, zone_named
from chat_migration.workbench import has_ledger, open_ledger

_HOUR = 3_600_000
_SHOWN = 10
_FIRST_CHANGE, _LAST_CHANGE = parse_instant("1900-01-01"), parse_instant("2200-01-01")
"""Between these the clock changes of a range are looked for."""


def print_window(run: Run, console: Console) -> None:
    """Print which instants the run's range covers, and what of it is complete, where there is a ledger.

    Args:
        run: a dry run, whose scratch folder the caller removes.
        console: where to.

    Raises:
        UsageError: the range or the time zone cannot be.
    """
    window, zone = run.settings.window, zone_named(run.settings.time_zone)
    for line in range_lines(window, zone) + drop_lines(run.settings.export_path, window, zone):
        console.print(escape(line), soft_wrap=True)
    if run.connection.variable not in os.environ or not has_ledger(run.home):
        console.print("complete: not known, because there is no ledger of this app here")
        return
    with open_ledger(run) as ledger:
        complete = ledger.complete_windows(run.settings.name_of_source)
    for line in complete_lines(window, complete, run.settings.name_of_source):
        console.print(escape(line), soft_wrap=True)


def print_complete(by_source: Mapping[str, Sequence[Window]], console: Console) -> None:
    """Print what is complete of each source, what is missing in between, and where the next nightly run begins."""
    for name, complete in by_source.items():
        console.print(escape(f"windows of {name}:"))
        for line in _ranges(complete):
            console.print(escape(f"  {line}"), soft_wrap=True)


def range_lines(window: Window, zone: ZoneInfo) -> list[str]:
    """Return the instants of a range in UTC and in a zone, how long it is, and the clock changes in it."""
    lines = [f"from {_instant(window.start_ms, 'the beginning', UTC_ZONE)}"]
    lines.append(f"to   {_instant(window.end_ms, 'the end', UTC_ZONE)}, not included")
    if zone.key != UTC_ZONE.key:
        lines.append(f"in {zone.key}:")
        lines.append(f"from {_instant(window.start_ms, 'the beginning', zone)}")
        lines.append(f"to   {_instant(window.end_ms, 'the end', zone)}, not included")
    if window.start_ms is None or window.end_ms is None:
        return lines
    hours = (window.end_ms - window.start_ms) / _HOUR
    days = _days(window.start_ms, window.end_ms, zone)
    lines.append(f"length: {_amount(days, 'day')}, {_amount(hours, 'hour')}")
    changes = list(clock_changes(window, zone))
    lines += [f"the clocks change: {each}" for each in changes[:_SHOWN]]
    if len(changes) > _SHOWN:
        lines.append(f"and {len(changes) - _SHOWN} times more")
    return lines if changes else [*lines, "no clock change in it"]


def drop_lines(export_path: str, window: Window, zone: ZoneInfo) -> list[str]:
    """Return the drops that a range needs where the export is a template; whether they are there is not looked up.

    Raises:
        UsageError: the template is odd.
    """
    if not is_template(export_path):
        return []
    template = Template.parse(export_path)
    if template.is_open(window):
        return ["drops: all that are there, because the range is open"]
    needed = [each.path for each in template.expected(window, zone)]
    lines = [f"drop: {each}" for each in needed[:_SHOWN]]
    return lines + ([f"and {len(needed) - _SHOWN} drops more"] if len(needed) > _SHOWN else [])


def complete_lines(window: Window, complete: Sequence[Window], source_name: str) -> list[str]:
    """Return what of a range is complete, what is not, and where the next nightly run begins."""
    inside, outside = calendar.common(window, complete), calendar.missing(window, complete)
    lines = [f"complete ({source_name}): {each}" for each in inside[-_SHOWN:]]
    lines += [f"not complete ({source_name}): {each}" for each in outside[-_SHOWN:]]
    return lines + _next(complete)


def clock_changes(window: Window, zone: ZoneInfo) -> Iterator[str]:
    """Yield the clock changes within a bounded window, such as ``2024-03-31T03:00:00+02:00 (+1 hour)``."""
    if window.start_ms is None or window.end_ms is None:
        return
    at, last = max(window.start_ms, _FIRST_CHANGE), min(window.end_ms - 1000, _LAST_CHANGE)
    while at < last:
        # No zone changes twice within a day.
        after = min(at + 24 * _HOUR, last)
        if _offset(at, zone) != _offset(after, zone):
            change = _change(at, after, zone)
            hours = (_offset(change, zone) - _offset(change - 1000, zone)) / 3600
            yield f"{_instant(change, '', zone)} ({_amount(hours, 'hour', sign='+')})"
        at = after


def _change(before: int, after: int, zone: ZoneInfo) -> int:
    """Return the first second between two instants that has the offset of the later one."""
    while after - before > 1000:
        middle = (before + after) // 2000 * 1000
        if _offset(middle, zone) == _offset(before, zone):
            before = middle
        else:
            after = middle
    return after


def _offset(instant_ms: int, zone: ZoneInfo) -> float:
    offset = local_time(instant_ms, zone).utcoffset()
    return 0.0 if offset is None else offset.total_seconds()


def _days(start_ms: int, end_ms: int, zone: ZoneInfo) -> float:
    """Return how many days the calendar of a zone counts between two instants."""
    start, end = (local_time(each, zone).replace(tzinfo=UTC) for each in (start_ms, end_ms))
    return (end - start).total_seconds() / 86_400


def _amount(number: float, unit: str, *, sign: str = "") -> str:
    text = format(number, f"{sign},.2f").rstrip("0").rstrip(".")
    return f"{text} {unit if abs(number) == 1 else unit + 's'}"


def _instant(instant_ms: int | None, open_side: str, zone: ZoneInfo) -> str:
    if instant_ms is None:
        return open_side
    return local_time(instant_ms, zone).isoformat()


def _ranges(complete: Sequence[Window]) -> list[str]:
    ranges, missing = calendar.merged(complete), calendar.gaps(complete)
    lines = [f"complete: {each}" for each in ranges[-_SHOWN:]]
    lines += [f"not complete: {each}" for each in missing[-_SHOWN:]]
    if len(missing) > _SHOWN:
        lines.append(f"and {len(missing) - _SHOWN} gaps more, all older")
    return lines + _next(complete)


def _next(complete: Sequence[Window]) -> list[str]:
    reached = calendar.contiguous(complete)
    if reached is None or reached.end_ms is None:
        return ["the next nightly run begins at the beginning: nothing is complete"]
    return [f"the next nightly run begins at {_instant(reached.end_ms, '', UTC_ZONE)}"]
