"""Keeping the world between starts: a snapshot, and a journal of every change since.

Files of generation n are ``world-n.msgpack`` (n > 0) and ``journal-n.jsonl``. A change is in the
journal before its reply is sent, so a killed sandbox has lost nothing that it acknowledged; after a
power cut the last seconds may be missing, for nothing waits for the disk.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

log = logging.getLogger(__name__)

Snapshots = dict[str, bytes]


class StateInUseError(OSError):
    """Two sandboxes want one state directory."""

    def __init__(self, directory: Path) -> None:
        super().__init__(f"the state directory {directory} is used by another sandbox")


class Journal:
    """One state directory, used by one sandbox at a time.

    Raises:
        StateInUseError: another sandbox holds the directory.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = _locked(directory)
        self._directory = directory
        self._generation = max(
            (int(path.stem.partition("-")[2]) for path in directory.glob("world-*.msgpack")),
            default=0,
        )
        self._descriptor: int | None = None
        self.entries_since_snapshot = 0

    def snapshots(self) -> Snapshots:
        """Return the newest snapshot of each vendor, by vendor name."""
        path = self._world_path(self._generation)
        return msgspec.msgpack.decode(path.read_bytes(), type=Snapshots) if path.exists() else {}

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield the changes since the snapshot; a torn last line is dropped from the file."""
        path = self._journal_path(self._generation)
        if not path.exists():
            return
        whole = 0
        with path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                self.entries_since_snapshot += 1
                yield msgspec.json.decode(line)
        if whole < path.stat().st_size:
            log.warning("Dropped the torn last line of the journal: file=%s", path)
            os.truncate(path, whole)

    def append(self, entry: dict[str, Any]) -> None:
        """Write one change. It outlives this process from here on."""
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._descriptor = os.open(self._journal_path(self._generation), flags, 0o600)
        line = memoryview(msgspec.json.encode(entry) + b"\n")
        while line:
            line = line[os.write(self._descriptor, line) :]
        self.entries_since_snapshot += 1

    def compact(self, snapshots: Snapshots) -> None:
        """Replace snapshot and journal by a new snapshot."""
        old = self._generation
        new = old + 1
        temporary = self._directory / "world.tmp"
        temporary.write_bytes(msgspec.msgpack.encode(snapshots))
        temporary.chmod(0o600)
        self._close_file()
        temporary.replace(self._world_path(new))
        self._generation = new
        self.entries_since_snapshot = 0
        self._journal_path(old).unlink(missing_ok=True)
        self._world_path(old).unlink(missing_ok=True)

    def close(self) -> None:
        """Let the directory go."""
        self._close_file()
        os.close(self._lock)

    def _close_file(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _world_path(self, generation: int) -> Path:
        return self._directory / f"world-{generation}.msgpack"

    def _journal_path(self, generation: int) -> Path:
        return self._directory / f"journal-{generation}.jsonl"


def _locked(directory: Path) -> int:
    """Return a descriptor of the directory with a lock that ends with the process."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise StateInUseError(directory) from None
    return descriptor
