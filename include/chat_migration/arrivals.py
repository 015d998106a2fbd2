"""Whether an export is there and complete: looking, judging what is seen, and waiting for it.

Looking (:func:`look`) asks the disk or the store; judging (:func:`judge`) is pure. A drop is complete when its
``ready_marker`` is there, or, without one, when nothing in it has changed for ``stable_seconds``: as its files'
times say, or as two looks so far apart have shown.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Literal, Self

import msgspec

from chat_migration.clock import Clock
from chat_migration.drops import Drop, Template, absent_days, is_template, marker_names
from chat_migration.errors import (
    ExportMissingError,
    ExportNotReadyError,
    InterruptedRunError,
    UsageError,
)
from chat_migration.progress import Progress
from chat_migration.settings import Settings
from chat_migration.sources.packaging.names import is_leftover
from chat_migration.stop import StopSignal
from chat_migration.store.remote import Remote, is_url, shown
from chat_migration.window import Window, zone_named

POLL_SECONDS = 15.0
"""How often a drop that is waited for is looked at."""
_SHOWN = 12


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which export a run needs, and when it counts as complete. Can be sent to another process as JSON."""

    export_path: str
    window: Window
    time_zone: str = ""
    ready_marker: str = ""
    stable_seconds: float = 0
    wait_seconds: float = 0
    allow_gap: bool = False

    @classmethod
    def by(cls, settings: Settings, window: Window) -> Self:
        """Return what a run needs.

        Raises:
            UsageError: no export is given, or its path, marker or time zone is wrong.
        """
        if not settings.export_path:
            raise UsageError(
                "No `export_path` is given.", expected="The folder or archive of the export."
            )
        wanted = cls(
            export_path=settings.export_path.removeprefix("file://"),
            window=window,
            time_zone=settings.time_zone,
            ready_marker=settings.ready_marker,
            stable_seconds=settings.stable_seconds,
            wait_seconds=settings.wait_for_export_seconds,
            allow_gap=settings.allow_gap,
        )
        zone = zone_named(wanted.time_zone)
        if wanted.template is not None:
            wanted.template.expected(window, zone)
        marker_names(wanted.ready_marker, Drop("", ""), window, zone)
        return wanted

    @property
    def template(self) -> Template | None:
        """Return the template that the path is, or None."""
        return Template.parse(self.export_path) if is_template(self.export_path) else None

    @property
    def is_taken_as_it_is(self) -> bool:
        """Tell whether there is nothing to look for: the reader says what is wrong with a plain path."""
        return not (self.template or self.ready_marker or self.stable_seconds or self.wait_seconds)


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One drop as it was found.

    ``lacks`` are markers that are not there. ``mark`` changes when a file in it does, and ``changed_ms`` is when the
    last one did, epoch milliseconds; both only where stability is asked for.
    """

    drop: Drop
    is_there: bool
    is_empty: bool = False
    lacks: list[str] = []
    mark: str = ""
    changed_ms: int = 0


Watch = dict[str, tuple[str, int]]
"""Drop → (its mark, since when it is so, epoch milliseconds): what a look leaves for the next one. At the first look
the files' own times say since when, afterwards only what was seen does."""


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the export can be read. ``drops`` are those that can, in order; ``missing`` names the others."""

    state: Literal["ready", "missing", "not_yet"]
    why: str
    drops: list[Drop] = []
    missing: list[str] = []

    def without_gaps(self, *, allow_gap: bool) -> Readiness:
        """Return this once no more waiting helps: missing drops may be left out, if some are there."""
        if self.state != "missing" or not allow_gap or not self.drops:
            return self
        return msgspec.structs.replace(self, state="ready")


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """An export that cannot be read yet: what to look at again, what the last look left, and until when.

    ``deadline_ms`` is epoch milliseconds, so that it is the same in every process.
    """

    wanted: Wanted
    watch: Watch
    deadline_ms: int
    why: str


class Arrived(msgspec.Struct, frozen=True, kw_only=True):
    """What a run reads: the drops in order, one without a name for a plain path, and what it does without.

    ``watch`` is what the last look left.
    """

    drops: list[Drop]
    missing: list[str] = []
    remarks: list[str] = []
    watch: Watch = {}


# --- judging ------------------------------------------------------------------------------------


def judge(wanted: Wanted, seen: list[Seen], watch: Watch, now_ms: int) -> tuple[Readiness, Watch]:
    """Say whether what was seen can be read. Pure.

    Args:
        wanted: what the run needs.
        seen: the drops, in order.
        watch: what the look before left; empty at the first one.
        now_ms: when it was seen.

    Returns:
        The verdict, and what to give to the next call.
    """
    since = {each.drop.path: _since(each, watch, now_ms) for each in seen if each.is_there}
    missing = [each.drop.name or _shown(each.drop.path) for each in seen if not each.is_there]
    waiting = [
        why
        for each in seen
        if each.is_there and (why := _waits_for(wanted, each, since[each.drop.path][1], now_ms))
    ]
    there = [each.drop for each in seen if each.is_there]
    if waiting:
        return Readiness(state="not_yet", why="; ".join(waiting), missing=missing), since
    if missing or not seen:
        names = missing or [_shown(wanted.export_path)]
        why = f"{_ticked(names)} {'is' if len(names) == 1 else 'are'} not there"
        return Readiness(state="missing", why=why, drops=there, missing=names), since
    return Readiness(state="ready", why="everything is there", drops=there), since


def _since(seen: Seen, watch: Watch, now_ms: int) -> tuple[str, int]:
    """Return what of a drop goes into the watch."""
    before = watch.get(seen.drop.path)
    if before is None:
        return seen.mark, min(now_ms, seen.changed_ms)
    return before if before[0] == seen.mark else (seen.mark, now_ms)


def _waits_for(wanted: Wanted, seen: Seen, since_ms: int, now_ms: int) -> str:
    """Return what a drop that is there lacks, or ""."""
    name = _label(seen.drop)
    if seen.lacks:
        return f"{name} has no {_ticked(seen.lacks)}"
    if wanted.ready_marker:
        return ""
    if seen.is_empty:
        return f"{name} is empty"
    if wanted.stable_seconds and now_ms - since_ms < wanted.stable_seconds * 1000:
        return f"{name} changed within the last {wanted.stable_seconds:g} s"
    return ""


def _label(drop: Drop) -> str:
    return f"`{drop.name or _shown(drop.path)}`"


def _shown(path: str) -> str:
    """Return a path, or a URL without what may be secret."""
    return shown(path) if is_url(path) else path


def _ticked(names: list[str]) -> str:
    """Return all names; every missing drop is named, however many they are."""
    return ", ".join(f"`{each}`" for each in names)


# --- looking ------------------------------------------------------------------------------------


def look(wanted: Wanted, clock: Clock) -> list[Seen]:
    """Return the drops of a run as they are now, those that must be there and are not among them.

    Raises:
        StoppedError, StageUnreachableError: as :class:`~chat_migration.store.remote.Remote`, of a URL.
    """
    template, zone = wanted.template, zone_named(wanted.time_zone)
    if template is None:
        drops = [Drop("", wanted.export_path)]
    else:
        drops = template.expected(wanted.window, zone)
        if template.is_open(wanted.window):
            paths = _names_under(template, clock)
            there = template.among(paths, wanted.window, zone)
            drops = sorted({each.name: each for each in (*drops, *there)}.values(), key=_name)
    return [_seen(wanted, drop, marker_names(wanted.ready_marker, drop, wanted.window, zone), clock)
            for drop in drops]  # fmt: skip


def _name(drop: Drop) -> str:
    return drop.name


def _names_under(template: Template, clock: Clock) -> Iterator[str]:
    """Yield what may be a drop, relative to the template's base."""
    if is_url(template.base):
        for file in _remote(template.base, clock).listing():
            yield file.path
        return
    base = Path(template.base or ".")
    for path in base.glob(_escaped(template.pattern)):
        yield path.relative_to(base).as_posix()


def _escaped(pattern: str) -> str:
    """Return a pattern whose only wildcard is the asterisk that stands for a placeholder."""
    return "*".join(glob.escape(part) for part in pattern.split("*"))


def _seen(wanted: Wanted, drop: Drop, markers: list[str], clock: Clock) -> Seen:
    wants_times = bool(wanted.stable_seconds) and not markers
    see = _seen_remote if is_url(drop.path) else _seen_here
    return see(drop, markers, clock, wants_times=wants_times)


def _seen_here(drop: Drop, markers: list[str], clock: Clock, *, wants_times: bool) -> Seen:
    del clock
    path = Path(drop.path)
    if not path.exists():
        return Seen(drop=drop, is_there=False)
    folder = path if path.is_dir() else path.parent
    lacks = [name for name in markers if not (folder / name).is_file()]
    files = _files_here(path)
    first = next(files, None)
    if first is None or not wants_times:
        return Seen(drop=drop, is_there=True, is_empty=first is None, lacks=lacks)
    marks = sorted([first, *files])
    changed = max(changed_ns for *_, changed_ns in marks) // 1_000_000
    return Seen(drop=drop, is_there=True, lacks=lacks, mark=_mark(marks), changed_ms=changed)


def _files_here(path: Path) -> Iterator[tuple[str, int, int]]:
    """Yield name, size and last change of every file; a change of the file's times is one, too."""
    if path.is_file():
        yield _times(path, path.stat())
    for folder, folders, names in os.walk(path):
        folders[:] = [each for each in folders if not is_leftover(each)]
        for name in names:
            try:
                found = Path(folder, name).stat()
            except OSError:
                continue  # it was renamed or removed since: the next look tells
            if not is_leftover(name):
                yield _times(Path(folder, name), found)


def _times(path: Path, found: os.stat_result) -> tuple[str, int, int]:
    return str(path), found.st_size, max(found.st_mtime_ns, found.st_ctime_ns)


def _seen_remote(drop: Drop, markers: list[str], clock: Clock, *, wants_times: bool) -> Seen:
    remote = _remote(drop.path, clock)
    lone = remote.lone_file()
    files = [lone] if lone is not None else remote.listing()
    if not files:
        return Seen(drop=drop, is_there=False)
    names = {file.path for file in files}
    if lone is not None and markers:
        beside = _remote(drop.path.rstrip("/").rpartition("/")[0] + "/", clock)
        names = {file.path for file in beside.listing()}
    lacks = [name for name in markers if name not in names]
    if not wants_times:
        return Seen(drop=drop, is_there=True, lacks=lacks)
    return Seen(
        drop=drop,
        is_there=True,
        lacks=lacks,
        mark=_mark([(file.path, file.mark) for file in files]),
        changed_ms=max(file.modified_s for file in files) * 1000,
    )


def _mark(marks: list[tuple[str, int, int]] | list[tuple[str, str]]) -> str:
    return blake2b(msgspec.json.encode(marks), digest_size=8).hexdigest()


def _remote(url: str, clock: Clock) -> Remote:
    return Remote(url, what="The export", setting="`export_path`", clock=clock)


# --- waiting ------------------------------------------------------------------------------------


def wait_for(
    wanted: Wanted,
    *,
    clock: Clock,
    stop: StopSignal,
    progress: Progress,
    wait_seconds: float,
    watch: Watch | None = None,
) -> Arrived:
    """Return what a run reads, once it is there and complete.

    Args:
        wanted: what the run needs.
        clock: of the deadline, and of the files' ages.
        stop: asks to wait no longer.
        progress: is told what is waited for.
        wait_seconds: how long to wait at most; 0 looks once.
        watch: what an earlier look of this run left.

    Raises:
        ExportMissingError: drops are not there at the deadline; each is named.
        ExportNotReadyError: one is there, and not complete at the deadline.
        InterruptedRunError: it was asked to stop.
    """
    deadline, watch = clock.monotonic() + wait_seconds, watch or {}
    while True:
        found, watch = judge(wanted, look(wanted, clock), watch, clock.now_ms())
        left = deadline - clock.monotonic()
        if found.state == "ready" or left <= 0:
            return arrived(wanted, found, watch)
        progress.note(f"waiting for the export, {left:,.0f} s at most: {found.why}")
        _pause(min(POLL_SECONDS, left), clock, stop)


def seek(wanted: Wanted, *, clock: Clock, watch: Watch, wait_seconds: float) -> Arrived | Waiting:
    """Look once; return what a run reads, or what to wait for.

    Raises:
        ExportMissingError, ExportNotReadyError: it cannot be read, and ``wait_seconds`` is 0.
    """
    found, watch = judge(wanted, look(wanted, clock), watch, clock.now_ms())
    if found.state == "ready" or wait_seconds <= 0:
        return arrived(wanted, found, watch)
    deadline_ms = clock.now_ms() + round(wait_seconds * 1000)
    return Waiting(wanted=wanted, watch=watch, deadline_ms=deadline_ms, why=found.why)


def arrived(wanted: Wanted, found: Readiness, watch: Watch) -> Arrived:
    """Return what a run reads by the last look.

    Raises:
        ExportMissingError, ExportNotReadyError: it can read nothing yet.
    """
    found = found.without_gaps(allow_gap=wanted.allow_gap)
    if found.state == "ready":
        remarks = _remarks(wanted, found)
        return Arrived(drops=found.drops, missing=found.missing, remarks=remarks, watch=watch)
    raise failure(wanted, found)


def failure(wanted: Wanted, found: Readiness) -> ExportMissingError | ExportNotReadyError:
    """Return the error of an export that cannot be read."""
    waited = (
        f" It was waited for, {wanted.wait_seconds:g} s at most." if wanted.wait_seconds else ""
    )
    again = "Run again when it is there; `wait_for_export_seconds` makes a run wait for it."
    if found.state == "missing":
        advice = again
        if len(found.missing) > 1 or found.drops:
            advice = f"{again} `allow_gap=true` goes on without what is missing."
        count = len(found.missing)
        return ExportMissingError(
            f"The export lacks {f'{count} drops: ' if count > 1 else ''}{_ticked(found.missing)}.{waited}",
            expected=_expected(wanted),
            advice=advice,
            done="Nothing was called.",
        )
    return ExportNotReadyError(
        f"The export is not complete: {found.why}.{waited}",
        expected=_completeness(wanted),
        advice=again,
        done="Nothing was called.",
    )


def _expected(wanted: Wanted) -> str:
    where = f"`{_shown(wanted.export_path)}`"
    if wanted.template is None:
        return f"A folder or an archive at {where}."
    return f"A drop at {where} for every part of {wanted.window}."


def _completeness(wanted: Wanted) -> str:
    if wanted.ready_marker:
        return f"The file `{wanted.ready_marker}` (`ready_marker`) says that it is complete."
    if wanted.stable_seconds:
        return f"Files that have not changed for {wanted.stable_seconds:g} s (`stable_seconds`)."
    return "A drop that holds files."


def _remarks(wanted: Wanted, found: Readiness) -> list[str]:
    """Return what a person should know of drops that are read all the same."""
    said = []
    if found.missing:
        said.append(f"left out, because not there (allow_gap): {_ticked(found.missing)}")
    template = wanted.template
    if template is not None and template.is_daily and template.is_open(wanted.window):
        absent = absent_days(found.drops)
        if absent:
            more = f" and {len(absent) - _SHOWN} days more" if len(absent) > _SHOWN else ""
            said.append(f"no drop of these days in between: {', '.join(absent[:_SHOWN])}{more}")
    return said


def _pause(seconds: float, clock: Clock, stop: StopSignal) -> None:
    """Wait a little, or until it is asked to stop."""
    until = clock.monotonic() + seconds
    while (left := until - clock.monotonic()) > 0:
        if stop.is_set():
            raise InterruptedRunError(
                "Stopped while waiting for the export.",
                advice="Run again.",
                done="Nothing was called.",
            )
        clock.sleep(min(1.0, left))
