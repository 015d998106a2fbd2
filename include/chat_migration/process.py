"""Which process this is, so that another one on the same machine can tell whether it is still there."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import msgspec
import psutil  # type: ignore[import-untyped]

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = Path("/proc/self/ns/pid")


class ProcessName(msgspec.Struct, frozen=True):
    """A process: the machine (and container) in which its number counts, its number and its start.

    ``machine`` is empty where nothing tells it apart from others.
    """

    machine: str
    process: str

    @property
    def is_gone(self) -> bool:
        """Tell whether this process has certainly ended; False for one of another machine."""
        if not self.machine or self.machine != _machine():
            return False
        number, _, started = self.process.partition("@")
        try:
            found = psutil.Process(int(number))
            return found.status() == psutil.STATUS_ZOMBIE or _started(found) != started
        except psutil.NoSuchProcess:
            return True
        except (psutil.Error, OSError, ValueError):
            return False


def this_process() -> ProcessName:
    """Return the name of the process that asks."""
    return ProcessName(_machine(), f"{os.getpid()}@{_started(psutil.Process())}")


def _started(process: psutil.Process) -> str:
    return f"{process.create_time():.2f}"


def _machine() -> str:
    """Return boot, container and name of this machine: a process number means nothing beyond them."""
    try:
        boot = _BOOT.read_text(encoding="ascii").strip()
        namespace = str(_PID_NAMESPACE.readlink())
    except OSError:
        boot, namespace = f"{psutil.boot_time():.0f}", ""
    return f"{platform.node()}/{boot}/{namespace}"
