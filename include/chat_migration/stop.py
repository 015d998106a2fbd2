"""Asking work to end soon: calls in flight are finished, no new ones begin."""

from __future__ import annotations

import threading


class StopSignal:
    """A flag that can be raised once; raising a parent raises its children, never the other way."""

    def __init__(self, parent: StopSignal | None = None) -> None:
        self._event, self._parent = threading.Event(), parent

    def set(self) -> None:
        """Ask for the end."""
        self._event.set()

    def is_set(self) -> bool:
        """Tell whether the end was asked for."""
        return self._event.is_set() or (self._parent is not None and self._parent.is_set())

    def child(self) -> StopSignal:
        """Return a flag for one part of the work, which may end early without ending the whole."""
        return StopSignal(self)
