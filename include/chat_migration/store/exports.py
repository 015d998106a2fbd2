"""An export behind a URL: brought to this machine's disk, then read like any other.

Only what changed since the last time is downloaded. The files' times are those of the store, so that the same
export is the same on every machine. Each content that the URL had is a folder of its own, so that nothing changes
under a reader; those that nobody reads any more are removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path

import msgspec

from chat_migration.clock import Clock
from chat_migration.errors import StoppedError, UnreadableExportError
from chat_migration.home import short_hash
from chat_migration.sources.packaging.names import is_leftover, safe_name
from chat_migration.sources.tree import ExportFile
from chat_migration.store.remote import Remote, RemoteFile, is_url
from chat_migration.store.workplace import FORGOTTEN_SECONDS, this_machine, workplace

_TURNS = 3
_FRESH_SECONDS = 3600
"""How long a fetched file that no content names is left to whoever may be fetching that content."""


LeaveOut = Callable[[Sequence[ExportFile]], frozenset[str]]
"""Takes the files of a folder and returns the paths of those that need not be fetched."""


class LocalExport(msgspec.Struct, frozen=True):
    """An export on this machine, and those of its files that were left where they are."""

    path: Path
    elsewhere: tuple[ExportFile, ...] = ()


@contextlib.contextmanager
def local_export(
    given: str, cache: Path, clock: Clock, leave_out: LeaveOut | None = None
) -> Iterator[LocalExport]:
    """Give an export on this machine; one behind a URL is fetched first.

    Args:
        given: a path, or a URL of a folder or an archive, such as ``s3://bucket/exports/2024/``.
        cache: where fetched exports are kept; made if it is needed.
        clock: for waits between attempts.
        leave_out: asked which files of a folder behind a URL are not needed; None: all are.

    Raises:
        UnreadableExportError: nothing lies there, or it changes all the time.
        UsageError, StoppedError, StageUnreachableError: as :class:`~chat_migration.store.remote.Remote`.
    """
    if given.startswith("file://"):
        given = given.removeprefix("file://")
    if not is_url(given):
        yield LocalExport(Path(given))
        return
    export = _Fetched(given, cache / short_hash(given), clock)
    with export.held(leave_out) as local:
        try:
            yield local
        except UnreadableExportError as error:
            raise export.named(error, local.path) from None


class _Fetched:
    """The copy of one URL's export: ``files/`` holds every file once, ``<content>/`` names those of one time."""

    def __init__(self, url: str, folder: Path, clock: Clock) -> None:
        self._remote = Remote(url, what="The export", setting="`export_path`", clock=clock)
        self._folder, self._pool = folder, folder / "files"

    @contextlib.contextmanager
    def held(self, leave_out: LeaveOut | None) -> Iterator[LocalExport]:
        """Give the folder or archive as it is now, and keep it from being removed."""
        self._pool.mkdir(parents=True, exist_ok=True, mode=0o700)
        for _ in range(_TURNS):
            every, lone = self._listed()
            needed, elsewhere = _divided(every, None if lone else leave_out)
            with self._lock(_content(needed)) as copy:
                self._download(needed, lone=lone)
                if self._listed()[0] != every:
                    continue
                self._build(copy, needed)
                self._tidy(copy, needed)
                yield LocalExport(copy / needed[0].path if lone else copy, elsewhere)
                return
        raise UnreadableExportError(
            f"`{self._remote.shown}` changes while it is being fetched.",
            advice="Run again when it is complete.",
        )

    def named(self, error: UnreadableExportError, path: Path) -> UnreadableExportError:
        """Return an error that names the URL instead of the copy."""
        here, there = str(path), self._remote.shown
        return UnreadableExportError(
            error.what.replace(here, there),
            expected=error.expected.replace(here, there),
            advice=error.advice.replace(here, there),
            done=error.done,
        )

    def _listed(self) -> tuple[list[RemoteFile], bool]:
        """Return the files behind the URL, and whether it names a lone file."""
        shown = self._remote.shown
        lone = self._remote.lone_file()
        if lone is not None:
            safe_name(shown, lone.path)
            return [lone], True
        files = []
        for file in self._remote.listing():
            if safe_name(shown, file.path) != file.path:
                raise UnreadableExportError(f"`{shown}` holds a file named {file.path!a}.")
            if not is_leftover(file.path):
                files.append(file)
        if not files:
            raise UnreadableExportError(
                f"There is no export at `{shown}`: no file lies there.",
                advice="Check `export_path`.",
            )
        return files, False

    def _download(self, files: list[RemoteFile], *, lone: bool) -> None:
        missing = [file for file in files if not self._pooled(file).exists()]
        if not missing:
            return
        with workplace(self._folder) as work:
            self._remote.require_room(sum(file.size for file in missing), work)
            self._remote.side_by_side(
                partial(self._download_one, file, work, "" if lone else file.path)
                for file in missing
            )

    def _download_one(self, file: RemoteFile, work: Path, path: str) -> None:
        """Download one file, give it the store's time, and rename it: it is whole or not there."""
        part = work / uuid.uuid4().hex
        try:
            self._remote.download(path, part)
        except FileNotFoundError:
            return  # it is gone since; the listing afterwards tells
        if file.size and part.stat().st_size != file.size:
            return
        instant = _instant_ns(file)
        os.utime(part, ns=(instant, instant))
        part.replace(self._pooled(file))

    def _build(self, copy: Path, files: list[RemoteFile]) -> None:
        """Name the files of this content, if that is not done yet."""
        if copy.exists():
            return
        with workplace(self._folder) as work:
            made = work / "made"
            made.mkdir(mode=0o700)
            for file in files:
                place = made / file.path
                place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                try:
                    place.hardlink_to(self._pooled(file))
                except FileNotFoundError:
                    raise StoppedError(
                        f"`{file.path}` of `{self._remote.shown}` could not be fetched whole.",
                        advice="Run again.",
                    ) from None
                except OSError:
                    shutil.copy2(self._pooled(file), place)
            with contextlib.suppress(OSError):  # another process has just done the same
                made.rename(copy)

    def _tidy(self, copy: Path, files: list[RemoteFile]) -> None:
        """Remove the contents that nobody reads, and the files that only those named."""
        for lock in self._folder.glob("*.lock"):
            other = lock.with_suffix("")
            if other != copy and (held := _try_lock(lock)) is not None:
                if _is_free(held):
                    shutil.rmtree(other, ignore_errors=True)
                    lock.unlink(missing_ok=True)
                os.close(held)
        ours = {self._pooled(file) for file in files}
        limit = time.time() - _FRESH_SECONDS
        for file in self._pool.iterdir():
            with contextlib.suppress(FileNotFoundError):
                found = file.stat()
                if file not in ours and found.st_nlink == 1 and found.st_ctime < limit:
                    file.unlink()

    def _pooled(self, file: RemoteFile) -> Path:
        name = blake2b(f"{file.mark}/{file.path}".encode(), digest_size=16).hexdigest()
        return self._pool / name

    @contextlib.contextmanager
    def _lock(self, content: str) -> Iterator[Path]:
        """Hold a content, together with others; the system lets go of it when the process ends."""
        lock = self._folder / f"{content}.lock"
        while True:
            held = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(held, fcntl.LOCK_SH)
                # Somebody may have removed the file between its opening and its locking.
                if lock.exists() and lock.stat().st_ino == os.fstat(held).st_ino:
                    _sign(held)
                    yield self._folder / content
                    return
            finally:
                os.close(held)


def _divided(
    files: list[RemoteFile], leave_out: LeaveOut | None
) -> tuple[list[RemoteFile], tuple[ExportFile, ...]]:
    """Return the files to fetch, and the others as they will look once they are fetched, some other time."""
    if leave_out is None:
        return files, ()
    listed = {file.path: ExportFile(file.path, file.size, str(_instant_ns(file))) for file in files}
    left = leave_out(list(listed.values()))
    elsewhere = tuple(each for path, each in listed.items() if path in left)
    return [file for file in files if file.path not in left], elsewhere


def _instant_ns(file: RemoteFile) -> int:
    """Return the time that a fetched file bears.

    Stores tell times in whole seconds; the rest tells contents of one second apart, on every machine alike.
    """
    return file.modified_s * 1_000_000_000 + int(file.mark, 16) % 1_000_000_000


def _content(files: list[RemoteFile]) -> str:
    digest = blake2b(digest_size=8)
    for file in files:
        digest.update(f"{len(file.path)}:{file.path}:{file.mark};".encode())
    return digest.hexdigest()


def _sign(held: int) -> None:
    """Note on a lock's file which machine uses it and when: others may not see the lock itself."""
    ours, found = this_machine().encode(), os.pread(held, 1000, 0)
    if found != ours:
        os.ftruncate(held, 0)
        os.pwrite(held, b"several machines" if found else ours, 0)
    os.utime(held)


def _is_free(held: int) -> bool:
    """Tell whether a content whose lock could be taken is certainly read by nobody, on no machine."""
    return (
        os.pread(held, 1000, 0) == this_machine().encode()
        or time.time() - os.fstat(held).st_mtime > FORGOTTEN_SECONDS
    )


def _try_lock(lock: Path) -> int | None:
    try:
        held = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return None
    return held
