"""What happens to real processes, whatever their target: struck, stopped, two at once, paused and overtaken."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Mapping, Sequence

from tests.delivery.processes import Command, Constants, Processes, Strike, Struck

from chat_migration.ledger.ledger import Ledger

QUICK_LEASE: Constants = {
    "chat_migration.delivery.holding:LEASE_SECONDS": 1.0,
    "chat_migration.delivery.holding:SKEW_SECONDS": 0.2,
    "chat_migration.workbench:CALL_MARGIN_SECONDS": 0.2,
}
"""A lease of ten seconds and a grace of three, which follow from the connection's timeout."""
QUICK_TIMEOUT_SECONDS = 3.1
CALL_SECONDS, STOP_SECONDS = 0.5, 10.0
"""How long a call is held in which a process is asked to stop, and how soon it must have ended."""


def strikes_in(
    stages: Mapping[str, tuple[int, int]], *, kills: int, often: Sequence[str], life: int
) -> list[Strike]:
    """Return the moments at which one ledger's processes are struck, in the order of the stages.

    Args:
        stages: API → first and last call at which a process may be struck, in the order of the stages.
        often: APIs that are struck in every life, once for each time they are named; the other kills go round.
        life: number of the ledger, from 0; by it the calls and the kinds are drawn.
    """
    chance = random.Random(life)
    order, others = list(stages), kills - len(often)
    names = [order[(life * others + place) % len(order)] for place in range(others)]
    return [
        Strike(api=api, number=chance.randint(*stages[api]), kind=chance.choice([*Struck]))
        for api in sorted([*names, *often], key=order.index)
    ]


def assert_whole(made: Processes, *, is_call_held: bool = False) -> None:
    """Assert that the last run was complete: every row has its outcome, nothing is in doubt, no secret was told."""
    assert is_call_held or made.sandbox.stats()["overlaps"] == {}
    report = made.reports()[-1]
    assert report["complete"]
    assert report["in_doubt"] == 0
    assert {kind: sum(of.values()) for kind, of in report["rows"].items()} == report["rows_read"]
    with Ledger.open(f"sqlite:///{made.ledger}", made.app) as ledger:
        assert ledger.count_unresolved() == 0
    told = {str(each.output): each.told().encode() for each in made.started}
    told |= {str(file): file.read_bytes() for file in made.home.rglob("*") if file.is_file()}
    telling = [
        name for name, text in told.items() if any(each.encode() in text for each in made.secrets)
    ]
    assert telling == []


def stop_each(made: Processes, strikes: Sequence[Strike], *, fresh: bool) -> None:
    """Ask one process after the other to stop, each in the middle of a call; it must end in time, with 5."""
    for strike in strikes:
        process = made.met(strike, seconds=CALL_SECONDS, fresh=fresh)
        process.signal(signal.SIGTERM)
        asked = time.monotonic()
        assert made.ended(process) == 5, process.told()
        took = time.monotonic() - asked
        assert took < STOP_SECONDS, f"{strike}: {took:.1f} s: {process.told()}"


def run_two_at_once(made: Processes, *, lease_wait_seconds: int) -> None:
    """Run two processes side by side, then one more, which must find everything done or do it."""
    both = [made.start(lease_wait_seconds=lease_wait_seconds) for _ in range(2)]
    for each in both:
        # Without waiting, each of them may meet what the other one holds at that moment.
        assert made.ended(each) in ((0,) if lease_wait_seconds else (0, 4)), each.told()
    made.run()


def overtaken(made: Processes, held: Mapping[str, tuple[int, int]]) -> Command:
    """Pause a process in the middle of its calls until another one has taken its work over and ended it."""
    paused = made.met_in_all(held, constants=QUICK_LEASE)
    paused.pause(made.ledger)
    other = made.start(constants=QUICK_LEASE, lease_wait_seconds=60)
    assert made.ended(other) == 0, other.told()
    return paused


def assert_wakes_to_nothing(made: Processes, paused: Command) -> None:
    """Let a process go on whose work another one has done: it must see that, and write nothing."""
    before = made.writes()
    made.let_go()
    paused.signal(signal.SIGCONT)
    assert made.ended(paused) == 4, paused.told()
    assert made.writes() == before
