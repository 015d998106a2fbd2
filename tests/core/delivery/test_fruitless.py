"""A record that the service cannot take is given up; a service that takes nothing costs no record."""

from __future__ import annotations

from typing import cast

import pytest

from chat_migration.delivery.calls import Caller
from chat_migration.delivery.fruitless import (
    MOST_ALONE,
    MOST_ATTEMPTS,
    MOST_FRUITLESS,
    Fruitless,
    Next,
)
from chat_migration.targets.base import Advice, Effect, Failure
from chat_migration.targets.verbs import Verb

SETTLE = 6.0


class Service:
    """Counts what arrives of all streams."""

    arrived = 0

    def answers(self, verb: Verb) -> int:
        assert verb is Verb.SEND_GROUP_MESSAGES
        return self.arrived


def failure(*, code: int | None = None, answered: bool) -> Failure:
    return Failure(
        api="import", code=code, text="it broke", advice=Advice.READ_BACK, effect=Effect.UNKNOWN, answered=answered,
    )  # fmt: skip


SILENT, FAULT, VAGUE = (
    failure(answered=False), failure(code=10002, answered=True), failure(answered=True),
)  # fmt: skip


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def fruitless(service: Service) -> Fruitless:
    return Fruitless(cast("Caller", service), Verb.SEND_GROUP_MESSAGES)


def follow(fruitless: Fruitless, failed: Failure) -> list[Next]:
    """Fail until something else than another try follows."""
    told: list[Next] = []
    while not told or told[-1] is Next.GO_ON:
        fruitless.add()
        told.append(fruitless.next(failed, len(told) + 1))
    return told


@pytest.mark.parametrize(
    ("failed", "tries", "end"),
    [
        (SILENT, MOST_ALONE, Next.STOP),
        (FAULT, MOST_ALONE, Next.GIVE_UP),
        (VAGUE, MOST_FRUITLESS, Next.GIVE_UP),
    ],
    ids=["no answer", "a fault", "no fault named"],
)
def test_where_nothing_else_arrives_the_answers_decide(
    fruitless: Fruitless, failed: Failure, tries: int, end: Next
) -> None:
    assert follow(fruitless, failed) == [Next.GO_ON] * (tries - 1) + [end]


@pytest.mark.parametrize("failed", [SILENT, FAULT, VAGUE])
def test_what_fails_while_others_arrive_is_given_up(
    service: Service, fruitless: Fruitless, failed: Failure
) -> None:
    fruitless.add()
    service.arrived += 1
    assert len(follow(fruitless, failed)) == MOST_FRUITLESS - 1
    assert fruitless.next(failed, MOST_FRUITLESS) is Next.GIVE_UP


def test_what_arrived_before_the_first_failure_tells_nothing(
    service: Service, fruitless: Fruitless
) -> None:
    service.arrived += 5
    assert follow(fruitless, SILENT)[-1] is Next.STOP


def test_a_message_is_given_up_after_enough_tries_in_all(fruitless: Fruitless) -> None:
    for _ in range(MOST_FRUITLESS):
        fruitless.add()
    assert fruitless.next(SILENT, MOST_ATTEMPTS - 1) is Next.GO_ON
    assert fruitless.next(SILENT, MOST_ATTEMPTS) is Next.GIVE_UP


def test_pauses_grow_once_others_would_have_told(fruitless: Fruitless) -> None:
    pauses = []
    for _ in range(MOST_ALONE):
        pauses.append(fruitless.pause_seconds(SETTLE))
        fruitless.add()
    assert pauses[:MOST_FRUITLESS] == [SETTLE] * MOST_FRUITLESS
    assert pauses[MOST_FRUITLESS:] == [SETTLE * each for each in (2, 4, 8, 16, 16, 16)]
    fruitless.end()
    assert fruitless.pause_seconds(SETTLE) == SETTLE
