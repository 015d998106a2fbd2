"""When a message that never arrives is given up: if it is the message, and not the service, that fails.

Calls one after the other of which nobody knows what became of them, and each time the message is not there: either the
service cannot take this one, or it takes none at present. One bad record must not end a run of hours, and an hour in
which the service is down must not cost a record. Other messages tell: if any arrived meanwhile, it is this one. Where
none tells, it is tried for longer; then it is given up if the service answered at all. If it did not, the run stops and
the next one begins with this message.
"""

from __future__ import annotations

import enum

from chat_migration.delivery.calls import Caller
from chat_migration.errors import TargetUnreachableError
from chat_migration.targets.base import Failure
from chat_migration.targets.verbs import Verb

MOST_FRUITLESS = 6
"""Tries after which a message is given up while others arrive, or whose answers name no fault of the service."""
MOST_ALONE = 2 * MOST_FRUITLESS
"""Tries of one run after which a message is given up, or the run stopped, where nothing else arrives either."""
MOST_ATTEMPTS = 3 * MOST_FRUITLESS
"""Tries in all, over every run, after which a message is given up whatever others tell."""
_LONGEST_PAUSES = 16


class Next(enum.Enum):
    """What follows a try that came to nothing."""

    GO_ON = "go_on"
    GIVE_UP = "give_up"
    STOP = "stop"


class Fruitless:
    """Counts the tries of one stream that came to nothing; used by one thread at a time."""

    def __init__(self, caller: Caller, verb: Verb) -> None:
        self._caller, self._verb = caller, verb
        self._count = self._answers = 0

    @property
    def count(self) -> int:
        """How many there were one after the other."""
        return self._count

    def add(self) -> None:
        """Count one."""
        if self._count == 0:
            self._answers = self._caller.answers(self._verb)
        self._count += 1

    def end(self) -> None:
        """Begin anew: something landed, or was given up."""
        self._count = 0

    def pause_seconds(self, settle_seconds: float) -> float:
        """Return how long to wait before the next look: longer and longer, once others would have told."""
        longer = max(0, self._count + 1 - MOST_FRUITLESS)
        return settle_seconds * min(1 << longer, _LONGEST_PAUSES)

    def next(self, failed: Failure, attempts: int) -> Next:
        """Tell what follows; ``attempts`` is how often the message was tried in all, over every run."""
        if self._count < MOST_FRUITLESS:
            return Next.GO_ON
        others_arrive = self._caller.answers(self._verb) > self._answers
        names_no_fault = failed.answered and failed.code is None
        if others_arrive or names_no_fault or attempts >= MOST_ATTEMPTS:
            return Next.GIVE_UP
        if self._count < MOST_ALONE:
            return Next.GO_ON
        return Next.GIVE_UP if failed.answered else Next.STOP

    def stopped(self, failed: Failure, conversation: str) -> TargetUnreachableError:
        """Return the error with which the run ends where the service takes no message at all."""
        return TargetUnreachableError(
            f"`{failed.api}` failed {self._count} times in a row for one message of `{conversation}`, and took no "
            f"other meanwhile: {failed.text}.",
            expected="A service that takes messages.",
            advice="Run it again later; it goes on where it stopped. Should it be that message alone which cannot be "
            f"taken, it is rejected after {MOST_ATTEMPTS} tries in all.",
            done="Every read-back showed that the message is not there; nothing was sent twice.",
        )
