"""A thousand messages under a hail of mixed faults end as if nothing had gone wrong."""

from __future__ import annotations

import random

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.delivery.driving import (
    Migration,
    assert_adds_up,
    assert_holds,
    by_group,
    expected_group,
    said_in,
)

from chat_sandbox import Effect, FaultAction

GROUPS, PAIRS, ROWS = 20, 10, 1000
FAULTS = [
    (FaultAction.DROP, Effect.NONE),
    (FaultAction.DROP, Effect.APPLIED),
    (FaultAction.CLOSE, Effect.APPLIED),
    (FaultAction.HTTP_ERROR, Effect.NONE),
    (FaultAction.HTTP_ERROR, Effect.APPLIED),
    (FaultAction.EMPTY_BODY, Effect.APPLIED),
    (FaultAction.TRUNCATED_BODY, Effect.APPLIED),
    (FaultAction.THROTTLE, Effect.NONE),
    (FaultAction.FEWER_ROWS, Effect.NONE),
    (FaultAction.OMIT_ROWS, Effect.NONE),
    (FaultAction.MORE_ROWS, Effect.NONE),
    (FaultAction.FLAT_SEQ, Effect.NONE),
]
CODES = [10002, 60008, 91000]


def town(seed: int) -> NeutralExport:
    """Conversations of very different length, with bursts, ties and unread counts, in no order at all."""
    chance = random.Random(seed)
    people = [f"user{number:02d}" for number in range(25)]
    export = NeutralExport().user(*people[:20])
    for number in range(GROUPS):
        members = chance.sample(people, chance.randint(2, 8))
        export.group(f"group{number:02d}", *members, type=chance.choice(("private", "public")))
        for each in members:
            match chance.randint(0, 3):
                case 0:
                    export.member(f"group{number:02d}", each, unread_count=chance.randint(0, 30))
                case 1:
                    export.member(
                        f"group{number:02d}", each, last_read_at=at(chance.randint(0, 20_000))
                    )
    pairs = [tuple(chance.sample(people, 2)) for _ in range(PAIRS)]
    for _ in range(ROWS):
        moment = at(chance.choice((chance.randint(0, 20_000), chance.randint(0, 60))))
        moment += chance.choice((0, 0, chance.randint(0, 999)))
        if chance.random() < 0.3:
            one, other = chance.choice(pairs)
            if chance.random() < 0.5:
                one, other = other, one
            export.tell(one, other, moment)
        else:
            number = min(int(chance.expovariate(0.25)), GROUPS - 1)
            export.say(f"group{number:02d}", chance.choice(people), moment)
    return export


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_mixed_faults_on_every_call_change_nothing_in_the_end(
    migration: Migration, seed: int
) -> None:
    chance = random.Random(seed)
    for action, effect in FAULTS:
        migration.sandbox.add_fault(action, effect=effect, probability=chance.uniform(0.002, 0.006))
    for code in CODES:
        for effect in Effect:
            migration.sandbox.add_fault(
                FaultAction.ERROR, code=code, effect=effect, probability=0.003
            )
    migration.connection |= {"messages_per_call": 7, "members_per_call": 20, "parallel_calls": 8}
    export = town(seed)
    ended = migration.run(export)
    for _ in range(3):
        # The very first call, which checks the credentials, is not repeated; a run may end there.
        if ended.error is None or ended.report is not None:
            break
        ended = migration.run(export)
    assert ended.error is None, ended.error
    assert sum(each["fired"] for each in migration.sandbox.faults()) > 10
    for group_id, rows in by_group(export).items():
        assert said_in(ended.world, group_id) == expected_group(rows), group_id
    assert_holds(ended.world, export)
    assert migration.sandbox.stats()["overlaps"] == {}
    assert ended.report is not None
    assert ended.report.in_doubt == 0
    assert_adds_up(ended.report)
    migration.sandbox.clear_faults()
    assert migration.run(export).writes == 0
