"""Which messages will be older than the target takes by the time their turn comes.

The bound slides with the clock. So a message has as long as it is younger than the bound now, and before it come all
that are older: the oldest first, at the rate of the API that sends them, one-to-one and group messages side by side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from chat_migration.planning.tables import PlannedMessage
from chat_migration.targets.rules import TargetRules
from chat_migration.targets.sizes import BatchSizes
from chat_migration.targets.verbs import Verb

_STEP_MS = 10_000
"""How exactly ages are kept: memory is bounded by the retention, not by the number of messages."""


class Expiry:
    """Collects the ages of what is to be sent. Where the target has no bound, nothing is ever too old."""

    def __init__(self, rules: TargetRules, now_ms: int) -> None:
        self._rules = rules
        self.oldest_slot = rules.oldest_slot(now_ms)
        """The oldest slot that the target takes now; None: it takes every one."""
        self._ages: dict[Verb, dict[int, list[int]]] = {
            Verb.SEND_GROUP_MESSAGES: {},
            Verb.SEND_DIRECT_MESSAGE: {},
        }

    def is_too_old(self, row: PlannedMessage) -> bool:
        """Tell whether the target refuses a row already."""
        oldest = self.oldest_slot
        return oldest is not None and row.sent_at_ms // self._rules.slot_ms < oldest

    def add(self, row: PlannedMessage, *, direct: bool) -> None:
        """Note a row that is to be sent."""
        if self.oldest_slot is None:
            return
        ages = self._ages[Verb.SEND_DIRECT_MESSAGE if direct else Verb.SEND_GROUP_MESSAGES]
        left_ms = row.sent_at_ms - self.oldest_slot * self._rules.slot_ms
        counts = ages.setdefault(left_ms // _STEP_MS, [0, 0])
        counts[0] += 1
        counts[1] += len(row.bodies)

    def too_late(self, rates: Mapping[str, float], sizes: BatchSizes, lead_ms: float) -> int:
        """Return how many rows expire before their turn; ``lead_ms`` passes before the first is sent."""
        return sum(
            _too_late(ages, self._parts_per_ms(verb, rates, sizes), lead_ms)
            for verb, ages in self._ages.items()
            if ages
        )

    def _parts_per_ms(self, verb: Verb, rates: Mapping[str, float], sizes: BatchSizes) -> float:
        is_group = verb is Verb.SEND_GROUP_MESSAGES
        per_call = sizes.messages if is_group else 1 / self._rules.direct_copies
        return rates[self._rules.api_of[verb]] * per_call / 1000


def _too_late(ages: Mapping[int, list[int]], parts_per_ms: float, lead_ms: float) -> int:
    """Return how many rows expire: those of one step share the time that is left to its end."""
    expired, spent_ms = 0, lead_ms
    for step, (rows, parts) in sorted(ages.items()):
        left_ms = max(0.0, (step + 1) * _STEP_MS - spent_ms)
        taken = min(parts, math.floor(left_ms * parts_per_ms))
        spent_ms += taken / parts_per_ms
        expired += rows - rows * taken // parts
    return expired
