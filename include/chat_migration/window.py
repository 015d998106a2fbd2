"""The stretch of time that one run takes: whole seconds, start included, end not."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Literal
from zoneinfo import ZoneInfo

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


RunKind = Literal["manual", "scheduled", "backfill"]


class RunWindow(msgspec.Struct, frozen=True, kw_only=True):
    """What one run takes, decided once for all its stages and retries.

    ``lookback_start_ms``: late arrivals are looked for from here to the window's start, epoch milliseconds; None:
    nowhere. ``text``: in plain words, which window it is and why.
    """

    window: Window
    lookback_start_ms: int | None = None
    kind: RunKind = "manual"
    text: str = ""


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


UTC_ZONE = ZoneInfo("UTC")


def zone_named(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name; "" is UTC.

    Raises:
        UsageError: there is none of that name.
    """
    try:
        return ZoneInfo(name or UTC_ZONE.key)
    except (ValueError, OSError, LookupError):
        raise UsageError(
            f"`time_zone` is `{name}`, which is no time zone.",
            expected="An IANA name such as `Asia/Singapore` or `UTC`.",
        ) from None


def local_time(instant_ms: int, zone: ZoneInfo) -> datetime:
    """Return an instant as the clocks of a zone show it.

    At the first and last day that a calendar knows, where the zone may be beyond it, it is that of UTC.
    """
    try:
        return datetime.fromtimestamp(instant_ms / 1000, zone)
    except (ValueError, OverflowError):
        return datetime.fromtimestamp(instant_ms / 1000, UTC)


def local_text(instant_ms: int, zone: ZoneInfo) -> str:
    """Return an instant as the clocks of a zone show it, without the zone: a date where it is midnight there.

    >>> local_text(0, UTC_ZONE), local_text(1000, ZoneInfo("Asia/Singapore"))
    ('1970-01-01', '1970-01-01 07:30:01')
    """
    local = local_time(instant_ms, zone)
    return f"{local:%Y-%m-%d}" if local.time() == time() else f"{local:%Y-%m-%d %H:%M:%S}"


def _bad_instant(text: str) -> UsageError:
    return UsageError(
        f"`{text}` is no instant.",
        expected="An instant is `2024-05-01T09:30:00+08:00` (with an offset) or a date, which is midnight UTC.",
    )


def _text(bound_ms: int | None, open_side: str) -> str:
    return (
        open_side if bound_ms is None else datetime.fromtimestamp(bound_ms / 1000, UTC).isoformat()
    )
