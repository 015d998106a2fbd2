"""The stretch of time that one run takes: whole seconds, start included, end not."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from chat_migration.errors import UsageError


class Window(msgspec.Struct, frozen=True, omit_defaults=True):
    """``[start_ms, end_ms)`` in epoch milliseconds, both whole seconds; None is open to that side."""

    start_ms: int | None = None
    end_ms: int | None = None

    def __post_init__(self) -> None:
        """Refuse bounds that are no whole seconds, and windows that hold no instant."""
        for bound in (self.start_ms, self.end_ms):
            if bound is not None and bound % 1000:
                raise UsageError(
                    f"The window's bound `{bound}` ms is no whole second.",
                    expected="Bounds are whole seconds, because the targets' clocks are.",
                )
        if self.start_ms is not None and self.end_ms is not None and self.start_ms >= self.end_ms:
            raise UsageError(
                f"The window `{self}` is empty: it ends before it starts.",
                expected="`from` is earlier than `to`.",
                advice="Swap the two, or leave one of them out.",
            )

    def holds(self, instant_ms: int) -> bool:
        """Tell whether an instant lies in this window."""
        return (self.start_ms is None or instant_ms >= self.start_ms) and (
            self.end_ms is None or instant_ms < self.end_ms
        )

    @property
    def is_everything(self) -> bool:
        """Tell whether no bound is set."""
        return self.start_ms is None and self.end_ms is None

    def __str__(self) -> str:
        """Return ``2024-05-01T00:00:00+00:00 .. 2024-06-01T00:00:00+00:00``, or ``everything``."""
        if self.is_everything:
            return "everything"
        return f"{_text(self.start_ms, 'the beginning')} .. {_text(self.end_ms, 'the end')}"


def parse_instant(text: str) -> int:
    """Return the epoch milliseconds of a bound given by a person.

    Takes RFC 3339 with an offset (``2024-05-01T00:00:00+08:00``, ``…Z``) or a bare date, which is midnight UTC.

    Raises:
        UsageError: the text is neither, or has no offset.
    """
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise _bad_instant(text) from None
    if parsed.tzinfo is None:
        if len(text) != len("2024-05-01"):
            raise _bad_instant(text)
        parsed = parsed.replace(tzinfo=UTC)
    return round(parsed.timestamp() * 1000)


def _bad_instant(text: str) -> UsageError:
    return UsageError(
        f"`{text}` is no instant.",
        expected="An instant is `2024-05-01T09:30:00+08:00` (with an offset) or a date, which is midnight UTC.",
    )


def _text(bound_ms: int | None, open_side: str) -> str:
    return (
        open_side if bound_ms is None else datetime.fromtimestamp(bound_ms / 1000, UTC).isoformat()
    )
