"""The folder in which one artefact is made, beside the finished ones: private, locked, gone afterwards."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

_PREFIX = ".work-"
_LOCK = "lock"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
FORGOTTEN_SECONDS = 2 * 86_400
"""How long a work place of another machine must have been still until it counts as a dead one's."""
_PUTS = 5


@contextlib.contextmanager
def workplace(stage: Path) -> Iterator[Path]:
    """Give an empty folder under ``stage``, and remove it whatever happens.

    Folders of dead runs are removed first. A living run holds a lock on its folder, which the system takes
    back when the process ends, however it ends. Locks are believed within one machine only: on a folder that
    several share they may not be seen by the others, so another machine's folder goes when it is locked by
    nobody *and* nothing in it has changed for two days.
    """
    stage.mkdir(mode=0o700, parents=True, exist_ok=True)
    _remove_stale(stage)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{this_machine()}.", dir=stage))
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

    One that is the same, file by file, stays: another run may be reading it, or may just have put it there.
    """
    if _listing(final) != _listing(made):
        replace(made, final, aside)


def replace(made: Path, final: Path, aside: Path) -> None:
    """Rename a finished folder into place; what has that name is moved to ``aside…``, whoever put it there."""
    for turn in range(_PUTS):
        with contextlib.suppress(FileNotFoundError):
            final.rename(aside.with_name(f"{aside.name}-{turn}"))
        try:
            made.rename(final)
        except OSError:
            # Another worker has put its own there in between.
            if turn == _PUTS - 1 or not final.exists():
                raise
        else:
            return


def _listing(folder: Path) -> dict[str, int]:
    """Return path → bytes of everything in a folder; the same input gives the same files."""
    return {
        str(file.relative_to(folder)): file.stat().st_size
        for file in folder.rglob("*")
        if file.is_file()
    }


def this_machine() -> str:
    """Return what the processes have in common that see each other's locks: one running kernel."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return f"{uuid.getnode():x}"


def _remove_stale(stage: Path) -> None:
    ours = this_machine()
    for folder in stage.glob(f"{_PREFIX}*"):
        machine = folder.name.removeprefix(_PREFIX).rpartition(".")[0]
        if machine in ("", ours) or _is_forgotten(folder):
            _remove_unlocked(folder)


def _remove_unlocked(folder: Path) -> None:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR)
    except OSError:
        return  # another run is just making it, or just removing it
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _is_forgotten(folder: Path) -> bool:
    """Tell whether nothing in a folder has changed for a long time."""
    with contextlib.suppress(OSError):
        newest = max(each.lstat().st_mtime for each in (folder, *folder.rglob("*")))
        return time.time() - newest > FORGOTTEN_SECONDS
    return False  # it is changing right now
