"""Call-rate limits: how many calls of one API an app may make in a second.

Three readings of "200 calls per second" are kept apart, for the vendors do not say which holds:
a window that slides, a count per calendar second, and a small bucket that refills evenly.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

WINDOW_SECONDS = 1.0
BUCKET_SHARE = 0.1
"""A bucket holds this share of one second's calls: enough for jitter, not for a burst."""


class RateWindow(StrEnum):
    """How calls are counted."""

    SLIDING = "sliding"
    FIXED = "fixed"
    BUCKET = "bucket"


@dataclass(slots=True)
class _Usage:
    accepted: deque[float] = field(default_factory=deque)
    second: int = -1
    in_second: int = 0
    tokens: float = -1.0
    refilled_at: float = 0.0


class RateLimiter:
    """Counts accepted calls per key. A refused call is not counted.

    Args:
        enabled: False lets every call pass.
        overrides: calls per second by API name, in place of the API's own number.
    """

    def __init__(self, *, enabled: bool, overrides: Mapping[str, float]) -> None:
        self.enabled = enabled
        self.overrides = dict(overrides)
        self._usage: dict[tuple[int, str, str], _Usage] = {}

    def admit(
        self,
        app_id: int,
        api: str,
        per_second: float,
        *,
        now: float,
        window: RateWindow,
        scope: str = "",
        cost: int = 1,
    ) -> bool:
        """Return whether one more call fits at ``now`` (seconds), and count it if so.

        ``scope`` is what has a limit of its own, such as one group; ``cost`` is how many of the
        limited units the call takes.
        """
        if not self.enabled:
            return True
        limit = self.overrides.get(api, per_second)
        usage = self._usage.setdefault((app_id, api, scope), _Usage())
        match window:
            case RateWindow.SLIDING:
                return _admit_sliding(usage, limit, now, cost)
            case RateWindow.FIXED:
                return _admit_fixed(usage, limit, now, cost)
            case RateWindow.BUCKET:
                return _admit_bucket(usage, limit, now, cost)

    def forget(self) -> None:
        """Start counting from nothing."""
        self._usage.clear()


def _admit_sliding(usage: _Usage, limit: float, now: float, cost: int) -> bool:
    while usage.accepted and usage.accepted[0] <= now - WINDOW_SECONDS:
        usage.accepted.popleft()
    if len(usage.accepted) + cost - 1 >= limit:
        return False
    usage.accepted.extend([now] * cost)
    return True


def _admit_fixed(usage: _Usage, limit: float, now: float, cost: int) -> bool:
    if int(now) != usage.second:
        usage.second, usage.in_second = int(now), 0
    if usage.in_second + cost - 1 >= limit:
        return False
    usage.in_second += cost
    return True


def _admit_bucket(usage: _Usage, limit: float, now: float, cost: int) -> bool:
    capacity = max(1.0, limit * BUCKET_SHARE, cost)
    if usage.tokens < 0:
        usage.tokens, usage.refilled_at = capacity, now
    usage.tokens = min(capacity, usage.tokens + (now - usage.refilled_at) * limit)
    usage.refilled_at = now
    if usage.tokens < cost:
        return False
    usage.tokens -= cost
    return True
