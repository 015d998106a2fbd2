"""Which messages of an export a run takes, as SQL conditions over one raw row."""

from __future__ import annotations

from typing import Self

import msgspec

from chat_migration.window import RunWindow


class Cut(msgspec.Struct, frozen=True):
    """Takes rows sent in ``[begin_ms, end_ms)``, and earlier ones that were edited or deleted in it.

    Each condition looks at one row alone, so that whether a row is taken never depends on another row, nor on
    which files were read. None is open to that side.
    """

    begin_ms: int | None = None
    end_ms: int | None = None

    @classmethod
    def of(cls, taken: RunWindow, *, is_whole: bool) -> Self:
        """Return what a run takes: all of a drop that is taken whole, else its window and what it looks back to."""
        if is_whole:
            return cls()
        window, back = taken.window, taken.lookback_start_ms
        return cls(window.start_ms if back is None else back, window.end_ms)

    @property
    def sent(self) -> str:
        """Return the condition that a row was sent in time."""
        return self._holds("sent_at_ms")

    @property
    def taken(self) -> str:
        """Return the condition that a message is taken."""
        if self.begin_ms is None:
            return self.sent
        changed = " OR ".join(
            f"coalesce({self._holds(name)}, false)" for name in ("edited_at_ms", "deleted_at_ms")
        )
        return f"({self.sent} OR (sent_at_ms < {self.begin_ms} AND ({changed})))"

    @property
    def past(self) -> str:
        """Return the condition that nothing happened to a message since the begin: neither sent nor changed."""
        if self.begin_ms is None:
            return "false"
        return f"(coalesce(greatest(sent_at_ms, edited_at_ms, deleted_at_ms), 0) < {self.begin_ms})"

    @property
    def sent_before(self) -> str:
        """Return the condition that a message was sent before the begin."""
        return "false" if self.begin_ms is None else f"(sent_at_ms < {self.begin_ms})"

    def _holds(self, column: str) -> str:
        bounds = [
            f"{column} {sign} {bound}"
            for sign, bound in ((">=", self.begin_ms), ("<", self.end_ms))
            if bound is not None
        ]
        return f"({' AND '.join(bounds)})" if bounds else "true"
