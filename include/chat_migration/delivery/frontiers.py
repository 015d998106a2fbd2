"""The frontiers of groups in the target, asked for together and only when a group has something to send."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from chat_migration.delivery.context import Tools
from chat_migration.planning.tables import PlannedConversation
from chat_migration.targets.base import Advice, Failure, Frontier, GroupAddress
from chat_migration.targets.verbs import Verb


class Frontiers:
    """Answers what the target holds of a group, asking about ``per_call`` together; each answer serves one stream."""

    def __init__(
        self, tools: Tools, places: Sequence[PlannedConversation], *, per_call: int
    ) -> None:
        self._tools, self._per_call = tools, per_call
        self._order = [each for each in places if each.group_id and not each.topic_id]
        self._rank = {each.conversation: rank for rank, each in enumerate(self._order)}
        self._known: dict[str, Frontier] = {}
        self._lock = threading.Lock()

    def of(self, place: PlannedConversation) -> Frontier:
        """Return the frontier of a conversation, fetching those of the next ones along with it.

        A group that was not there when its neighbours were asked about is asked about again: another run may
        have created it since, and "gone" is for good.
        """
        with self._lock:
            known = self._known.pop(place.conversation, None)
            return known or self._fetch(place)

    def forget(self, place: PlannedConversation) -> None:
        """Drop what was fetched of a conversation: it has changed."""
        with self._lock:
            self._known.pop(place.conversation, None)

    def _fetch(self, place: PlannedConversation) -> Frontier:
        rank = self._rank.get(place.conversation)
        places = [place] if rank is None else self._order[rank : rank + self._per_call]
        addresses = [GroupAddress(each.group_id, each.topic_id) for each in places]
        verb = Verb.TOPIC_FRONTIERS if place.topic_id else Verb.GROUP_FRONTIERS
        found, *of_next = look_up(self._tools, verb, addresses)
        self._known |= {
            each.conversation: frontier
            for each, frontier in zip(places[1:], of_next, strict=True)
            if frontier.exists
        }
        return found


def look_up(tools: Tools, verb: Verb, addresses: Sequence[GroupAddress]) -> list[Frontier]:
    """Return what the target says of some groups; a passing error of one of them is asked about again.

    Raises:
        StoppedError: the target does not answer.
    """
    for _ in range(_ATTEMPTS):
        answer = tools.caller.call(verb, lambda: tools.target.frontiers(addresses))
        if isinstance(answer, Failure):
            if answer.advice is Advice.STOP_CONVERSATION and tools.sizes.frontiers == 1:
                # Asked about one by one, a group's refusal is that of the call.
                return [Frontier(address=each, exists=False, failure=answer) for each in addresses]
            raise tools.caller.stop_error(answer)
        passing = [
            each.failure for each in answer if each.failure and each.failure.advice in _PASSING
        ]
        if not passing:
            return answer
        tools.caller.pause(1)
    raise tools.caller.stop_error(passing[0])


_ATTEMPTS = 5
_PASSING = (Advice.TRY_AGAIN, Advice.SLOW_DOWN)
