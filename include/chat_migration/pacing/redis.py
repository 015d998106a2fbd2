"""The budget of all workers and runs of several machines, kept in Redis.

One key per app and API. Redis is asked for its time and the pace in one step, and takes the new pace only if
nobody else changed it meanwhile; so every change is atomic, and the workers' clocks do not matter. While Redis
does not answer, nobody calls; when it answers again, or has lost its keys, the first call waits a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar, cast
from urllib.parse import urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.retry import Retry

from chat_migration.clock import Clock
from chat_migration.errors import StoppedError, UsageError
from chat_migration.pacing.base import GIVE_UP_SECONDS, Change, NoAnswerError, OrderedBudget
from chat_migration.pacing.spacing import Pace, paused
from chat_migration.stop import StopSignal

T = TypeVar("T")

_TIMEOUT_SECONDS = 0.25
"""For connecting and for one answer: longer ones would keep a stopped run from ending."""
_EXPIRY_MS = 3_600_000
_MOST_TRIES = 50

_SCRIPT = """
local time = redis.call('TIME')
local found = redis.call('GET', KEYS[1]) or ''
if ARGV[2] ~= '' and found == ARGV[1] then
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
    return {1, found, time[1], time[2]}
end
return {0, found, time[1], time[2]}
"""
"""Puts ARGV[2] for ARGV[3] ms if the key still holds ARGV[1]; tells whether, what was there, and the time."""


class RedisBudget(OrderedBudget):
    """Shared by everybody who uses one Redis database; times are that server's.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``; its password appears nowhere.
        app: name of the app whose limit it is.
        rates: calls per second of each API.
        clock: tells this process how long it waits.
        stop: ends every wait when it is set.
        give_up_seconds: how long to wait for a Redis that does not answer.

    Raises:
        UsageError: the URL is none of Redis.
    """

    def __init__(
        self,
        url: str,
        app: str,
        rates: Mapping[str, float],
        clock: Clock,
        stop: StopSignal,
        *,
        give_up_seconds: float = GIVE_UP_SECONDS,
    ) -> None:
        self._redis, self._at = _connect(url)
        super().__init__(rates, clock, stop, give_up_seconds=give_up_seconds)
        self._script = self._redis.register_script(_SCRIPT)
        self._keys = {api: f"chat-migration:budget:{app}:{api}" for api in rates}
        self._missed: set[str] = set()

    @property
    def _place(self) -> str:
        return f"Redis at {self._at}"

    def _fresh(self, now_us: int) -> Pace:
        """Return the pace where there is none: perhaps it was lost, so that others may have called just now."""
        return paused(Pace(now_us), now_us)

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def _change(self, api: str, change: Change[T]) -> T:
        try:
            result = self._settle(api, change)
        except (AuthenticationError, NoPermissionError) as error:
            raise StoppedError(
                f"Redis at {self._at} refuses this user: {type(error).__name__}.",
                advice="Correct user and password in `CHAT_MIGRATION_BUDGET_URL`, then run again.",
            ) from None
        except (RedisError, OSError) as error:
            # A replica that took over may lack the last changes.
            self._missed.update(self._keys)
            raise NoAnswerError(type(error).__name__) from None
        self._missed.discard(api)
        return result

    def _settle(self, api: str, change: Change[T]) -> T:
        """Ask, compute and put, until nobody came in between."""
        _, found, now_us = self._ask(api)
        for _ in range(_MOST_TRIES):
            pace = _read(found)
            if pace is not None and api in self._missed:
                pace = paused(pace, now_us)
            new, result = change(pace, now_us)
            done, found, now_us = self._ask(api, found, " ".join(map(str, new)))
            if done:
                return result
        raise NoAnswerError("too many others at once")

    def _ask(
        self, api: str, seen: str = "", put: str = "", now_us: int = 0
    ) -> tuple[bool, str, int]:
        """Return whether the new pace was put, what was there, and the server's time, microseconds."""
        done, found, seconds, micros = cast(
            "tuple[int, str, str, str]",
            self._script([self._keys[api]], [seen, put, _EXPIRY_MS]),
        )
        return bool(done), found, int(seconds) * 1_000_000 + int(micros)


def _read(found: str) -> Pace | None:
    """Return the pace that a key holds; None if it holds none."""
    return Pace(*map(int, found.split())) if found else None


def _connect(url: str) -> tuple[Redis, str]:
    """Return a client, which has not connected yet, and the server's place without user and password."""
    try:
        parts = urlsplit(url)
        place = f"`{parts.hostname or parts.path}:{parts.port or 6379}`"
        if parts.scheme == "unix":
            place = f"`{parts.path}`"
        client = Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
    except (ValueError, TypeError):
        raise UsageError(
            "`CHAT_MIGRATION_BUDGET_URL` is no address of a Redis database.",
            expected="For example redis://:<password>@redis.example.org:6379/0.",
        ) from None
    return client, place
