"""One call about several items, of which the service may fail some for the moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from chat_migration.delivery.context import Tools
from chat_migration.targets.base import Advice, Failure, ItemResult
from chat_migration.targets.verbs import Verb

S = TypeVar("S")

_ATTEMPTS = 5
_PASSING = (Advice.TRY_AGAIN, Advice.SLOW_DOWN)


def call_for_all(
    tools: Tools,
    verb: Verb,
    items: Sequence[S],
    send: Callable[[Sequence[S]], list[ItemResult] | Failure],
) -> list[ItemResult] | Failure:
    """Return what became of each item; those that only failed for the moment are sent again, without the others.

    Only for calls that may be repeated.

    Raises:
        StoppedError: some items fail again and again.
    """
    results: dict[int, ItemResult] = {}
    left = list(range(len(items)))
    for _ in range(_ATTEMPTS):
        batch = [items[place] for place in left]
        answer = tools.caller.call(verb, lambda batch=batch: send(batch))  # type: ignore[misc]
        if isinstance(answer, Failure):
            if results:
                raise tools.caller.stop_error(answer)
            return answer
        results |= dict(zip(left, answer, strict=True))
        passing = {place: each for place in left if (each := _passing(results[place]))}
        if not passing:
            return [results[place] for place in range(len(items))]
        left = list(passing)
        tools.caller.pause(1)
    raise tools.caller.stop_error(next(iter(passing.values())))


def _passing(result: ItemResult) -> Failure | None:
    """Return the failure of an item that may pass."""
    return result if isinstance(result, Failure) and result.advice in _PASSING else None
