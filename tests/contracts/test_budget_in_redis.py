"""A budget in Redis never lets anybody call while Redis is away, and says so; nothing of it is secret."""

from __future__ import annotations

import itertools
import logging
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis, exceptions
from tests.clocks import HandClock
from tests.contracts.budgets import REDIS, HandTimedRedisBudget, redis_app

from chat_migration.clock import SystemClock
from chat_migration.errors import (
    BudgetUnreachableError,
    InterruptedRunError,
    StoppedError,
    UsageError,
)
from chat_migration.pacing import CALM_SECONDS, OrderedBudget
from chat_migration.pacing.redis import RedisBudget
from chat_migration.pacing.spacing import spacing_us
from chat_migration.stop import StopSignal

RATES = {"send": 10.0}
PASSWORD = "pa55word"
SPACING = spacing_us(10) / 1e6


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> HandClock:
    """A clock that the only caller moves on while it waits."""
    clock = HandClock()
    monkeypatch.setattr(
        OrderedBudget, "_pause", lambda _, __, seconds: clock.move(max(seconds, 1e-6))
    )
    return clock


@pytest.fixture
def app() -> Iterator[str]:
    with redis_app() as name:
        yield name


@pytest.fixture
def budget(app: str, clock: HandClock) -> Iterator[RedisBudget]:
    """A budget in the real server, by the test's clock; its first call is behind it."""
    made = HandTimedRedisBudget(REDIS, app, RATES, clock, StopSignal())
    made.acquire("send")
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[Redis]:
    with Redis.from_url(REDIS, decode_responses=True) as client:
        yield client


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def fail(budget: RedisBudget, monkeypatch: pytest.MonkeyPatch, errors: list[Exception]) -> None:
    """Let the next questions end with errors."""
    ask = budget._ask

    def failing(*args: Any) -> tuple[bool, str, int]:
        if errors:
            raise errors.pop()
        return ask(*args)

    monkeypatch.setattr(budget, "_ask", failing)


def test_what_it_keeps_is_one_key_an_api_that_expires(
    budget: RedisBudget, app: str, server: Redis
) -> None:
    del budget
    key = f"chat-migration:budget:{app}:send"
    assert list(server.scan_iter(f"*{app}*")) == [key]
    assert 0 < int(server.ttl(key)) <= 3600  # type: ignore[arg-type]


def test_the_first_call_of_all_waits_because_the_keys_may_have_been_lost(
    app: str, clock: HandClock
) -> None:
    budget = HandTimedRedisBudget(REDIS, app, RATES, clock, StopSignal())
    begun = clock.monotonic()
    budget.acquire("send")
    assert clock.monotonic() - begun == pytest.approx(CALM_SECONDS, abs=0.001)
    budget.close()


def test_a_server_that_lost_its_keys_allows_no_burst(
    budget: RedisBudget, app: str, server: Redis, clock: HandClock
) -> None:
    for _ in range(3):
        budget.acquire("send")
    server.delete(f"chat-migration:budget:{app}:send")
    begun, made = clock.monotonic(), []
    for _ in range(5):
        budget.acquire("send")
        made.append(clock.monotonic() - begun)
    assert made == pytest.approx([CALM_SECONDS + n * SPACING for n in range(5)], abs=0.001)


@pytest.mark.parametrize(
    "error",
    [
        exceptions.ConnectionError("Connection refused."),
        exceptions.TimeoutError("Timeout reading from socket"),
        exceptions.ReadOnlyError("You can't write against a read only replica."),
        exceptions.BusyLoadingError("Redis is loading the dataset in memory"),
        exceptions.ResponseError("MISCONF"),
        OSError("No route to host"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_nobody_calls_while_it_is_away_nor_at_once_when_it_is_back(
    budget: RedisBudget,
    clock: HandClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    fail(budget, monkeypatch, [error] * 500)
    begun = clock.monotonic()
    with caplog.at_level(logging.WARNING):
        budget.acquire("send")
    away = 500 * 0.2
    assert clock.monotonic() - begun == pytest.approx(away + CALM_SECONDS, abs=0.01)
    said = [each.message for each in caplog.records]
    assert len(said) == 5
    assert all("does not answer" in each for each in said[:4])
    assert "answers again after 100 s" in said[4]


def test_a_moment_without_an_answer_is_not_worth_a_word(
    budget: RedisBudget,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    fail(budget, monkeypatch, [exceptions.TimeoutError("Timeout")] * 3)
    with caplog.at_level(logging.WARNING):
        budget.acquire("send")
    assert not caplog.records


def test_a_server_that_stays_away_ends_the_run_and_names_no_password(
    app: str, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    port = unused_port()
    url = f"redis://worker:{PASSWORD}@127.0.0.1:{port}/0"
    budget = RedisBudget(url, app, RATES, clock, StopSignal(), give_up_seconds=900)
    begun = clock.monotonic()
    with caplog.at_level(logging.DEBUG), pytest.raises(BudgetUnreachableError) as caught:
        budget.acquire("send")
    assert clock.monotonic() - begun == pytest.approx(900, abs=1)
    assert caught.value.is_retriable
    assert "Bring it back" in caught.value.advice
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert PASSWORD not in str(caught.value) + caplog.text
    assert caught.value.__cause__ is None


def test_a_throttle_answer_while_it_is_away_is_no_error(
    budget: RedisBudget, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail(budget, monkeypatch, [exceptions.ConnectionError("gone")])
    budget.slow_down("send")
    begun = clock.monotonic()
    budget.acquire("send")
    assert clock.monotonic() - begun == pytest.approx(CALM_SECONDS, abs=0.01)


def test_a_wrong_password_stops_at_once(app: str, clock: HandClock) -> None:
    url = REDIS.replace("redis://", f"redis://nobody:{PASSWORD}@")
    budget = RedisBudget(url, app, RATES, clock, StopSignal())
    with pytest.raises(StoppedError, match="refuses this user") as caught:
        budget.acquire("send")
    assert not caught.value.is_retriable
    assert PASSWORD not in str(caught.value)
    budget.close()


@pytest.mark.parametrize(
    "url",
    [
        f"http://:{PASSWORD}@127.0.0.1",
        f"redis://:a:{PASSWORD}@127.0.0.1:port{PASSWORD}/0",
        f"redis://:{PASSWORD}@[::1",
        f"redis://:{PASSWORD}@127.0.0.1/0?socket_timeout={PASSWORD}",
    ],
)
def test_a_wrong_address_is_a_usage_error_without_the_address(url: str, app: str) -> None:
    with pytest.raises(UsageError, match="CHAT_MIGRATION_BUDGET_URL") as caught:
        RedisBudget(url, app, RATES, SystemClock(), StopSignal())
    assert PASSWORD not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_stop_ends_the_wait_for_a_server_that_says_nothing(app: str) -> None:
    stop, ended = StopSignal(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        budget = RedisBudget(url, app, RATES, SystemClock(), stop)

        def call() -> None:
            with pytest.raises(InterruptedRunError):
                budget.acquire("send")
            ended.set()

        callers = [threading.Thread(target=call, daemon=True) for _ in range(4)]
        for each in callers:
            each.start()
        stop.set()
        for each in callers:
            each.join(5)
        assert ended.is_set()
        assert not any(each.is_alive() for each in callers)
        budget.close()


class _Skewed(SystemClock):
    """A machine whose clock is an hour off."""

    def __init__(self, ahead: float) -> None:
        self._ahead = ahead

    def now_ms(self) -> int:
        return super().now_ms() + round(self._ahead * 1000)

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead


def test_many_workers_with_wrong_clocks_never_get_the_same_time(app: str) -> None:
    times: list[float] = []

    def reserve(ahead: float) -> None:
        budget = RedisBudget(REDIS, app, RATES, _Skewed(ahead), StopSignal())
        for _ in range(10):
            slots = budget._change("send", budget._taking("send", 2))
            times.extend([slots.first_us, slots.first_us + slots.spacing_us])
        budget.close()

    workers = [threading.Thread(target=reserve, args=(n * 3600,)) for n in (-1, 0, 1, 2)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert len(times) == 80
    gaps = [later - earlier for earlier, later in itertools.pairwise(sorted(times))]
    assert gaps == pytest.approx([spacing_us(10)] * 79, abs=2)
