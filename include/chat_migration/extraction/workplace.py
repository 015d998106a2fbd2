"""The folder in which one extract is made, beside the finished ones: private, locked, gone afterwards."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PREFIX = ".work-"
_LOCK = "lock"


@contextlib.contextmanager
def workplace(stage: Path) -> Iterator[Path]:
    """Give an empty folder under ``stage``, and remove it whatever happens.

    Folders of dead runs are removed first. A living run holds a lock on its folder, which the system takes
    back when the process ends, however it ends.
    """
    stage.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_stale(stage)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=stage))
    # Locked before it bears the name by which others look for it, so that nobody takes it for a dead run's.
    lock = os.open(folder / f"{_LOCK}.new", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / f"{_LOCK}.new").rename(folder / _LOCK)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def put_in_place(made: Path, final: Path, aside: Path) -> None:
    """Rename a finished extract into place; an older one of the same name is moved ``aside``.

    One that is the same, file by file, stays: another run may be reading it.
    """
    if _listing(final) == _listing(made):
        return
    with contextlib.suppress(FileNotFoundError):
        final.rename(aside)
    made.rename(final)


def _listing(folder: Path) -> dict[str, int]:
    """Return path → bytes of everything in a folder; the same input gives the same files."""
    return {
        str(file.relative_to(folder)): file.stat().st_size
        for file in folder.rglob("*")
        if file.is_file()
    }


def _remove_stale(stage: Path) -> None:
    for folder in stage.glob(f"{_PREFIX}*"):
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR)
        except FileNotFoundError:
            continue  # another run is just making it, or just removing it
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)
