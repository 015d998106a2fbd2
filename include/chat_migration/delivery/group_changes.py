"""Changing and withdrawing messages of one group or topic, and looking at them where an answer leaves doubt."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from chat_migration.delivery.calls import MOST_REPEATS
from chat_migration.delivery.history import ConversationStoppedError
from chat_migration.delivery.matching import pages_of
from chat_migration.delivery.operators import operator_of
from chat_migration.delivery.stream_state import StreamState
from chat_migration.ledger.records import Delivery
from chat_migration.targets.base import (
    Advice,
    Done,
    Effect,
    Failure,
    GroupKey,
    ItemResult,
    Mark,
    StoredMessage,
)
from chat_migration.targets.verbs import Verb

_CHANGE, _WITHDRAW = Verb.CHANGE_GROUP_MESSAGE, Verb.WITHDRAW_GROUP_MESSAGES
_AGAIN = (Advice.TRY_AGAIN, Advice.SLOW_DOWN)
_PAUSE_SECONDS = 1.0


class GroupChannel:
    """The changes of one stream; used by one thread, between its other calls."""

    def __init__(self, state: StreamState) -> None:
        self._state, self._tools = state, state.tools

    @cached_property
    def _operator(self) -> str:
        """Return in whose name messages are changed: whether the group has one was asked before it was streamed."""
        group = self._tools.ledger.group(self._state.place.conversation)
        return "" if group is None else operator_of(self._tools, group)

    def change(self, delivery: Delivery, body: str, metadata: str) -> ItemResult:
        """Replace what a part says; groups have no metadata of their own.

        Raises:
            ConversationStoppedError: the group is gone.
        """
        del metadata
        answer = self._tools.caller.call(
            _CHANGE,
            lambda: self._state.held(
                self._tools.target.change_group_message,
                self._state.address,
                _key(delivery),
                body,
                operator=self._operator,
            ),
            priority=self._state.remaining,
        )
        if isinstance(answer, Failure):
            _stop_where_group_is_gone(answer)
        return answer

    def withdraw(self, deliveries: Sequence[Delivery]) -> list[ItemResult]:
        """Withdraw parts, as many with one call as it takes.

        Raises:
            ConversationStoppedError: the group is gone.
        """
        most = self._tools.target.withdrawals_per_call
        results: dict[int, ItemResult] = {}
        for start in range(0, len(deliveries), most):
            results |= self._few(deliveries[start : start + most])
        return [results[each.part] for each in deliveries]

    def _few(self, deliveries: Sequence[Delivery]) -> dict[int, ItemResult]:
        """Withdraw what fits into one call; what passing faults keep is asked for again."""
        results: dict[int, ItemResult] = {}
        left = list(deliveries)
        for attempt in range(MOST_REPEATS + 1):
            if attempt:
                self._tools.caller.pause(_PAUSE_SECONDS)
            answer = self._call(left)
            if isinstance(answer, Failure):
                results |= self._whole_call_failed(left, answer)
                break
            told = {each.part: result for each, result in zip(left, answer, strict=True)}
            results |= told
            left = [each for each in left if _is_passing(told[each.part])]
            if any(_advice(told[each.part]) is Advice.SLOW_DOWN for each in left):
                self._tools.caller.slow_down(_WITHDRAW)
            if not left:
                break
        return {each.part: self._checked(each, results[each.part]) for each in deliveries}

    def _call(self, deliveries: Sequence[Delivery]) -> list[ItemResult] | Failure:
        keys = [_key(each) for each in deliveries]
        return self._tools.caller.call(
            _WITHDRAW,
            lambda: self._state.held(
                self._tools.target.withdraw_group_messages, self._state.address, keys
            ),
            priority=self._state.remaining,
        )

    def _whole_call_failed(
        self, deliveries: Sequence[Delivery], failed: Failure
    ) -> dict[int, ItemResult]:
        """Find out which message a refusal means, by asking for half of them at a time."""
        _stop_where_group_is_gone(failed)
        if len(deliveries) == 1 or failed.effect is Effect.UNKNOWN:
            return dict.fromkeys((each.part for each in deliveries), failed)
        half = len(deliveries) // 2
        return self._few(deliveries[:half]) | self._few(deliveries[half:])

    def _checked(self, delivery: Delivery, result: ItemResult) -> ItemResult:
        """Return what really became of a message: one that nobody sees any more counts as withdrawn.

        Source: group_msg_recall (1047/34965): a missing message is verified by reading back; unknown U40.
        """
        if not isinstance(result, Failure) or _is_passing(result):
            return result
        _stop_where_group_is_gone(result)
        if result.advice is Advice.STOP_RUN:
            raise self._tools.caller.stop_error(result)
        if result.advice is Advice.EXISTS:
            return Done(was_there=True)
        if result.advice is Advice.MISSING_MESSAGE or result.effect is Effect.UNKNOWN:
            found = self._look(delivery)
            if found is None or found.withdrawn or found.placeholder:
                return Done(was_there=True)
        return result

    def _look(self, delivery: Delivery) -> StoredMessage | None:
        """Return what the target shows of a part: one call where reading can begin there, else one for every page."""
        sequence = delivery.sequence or 0
        since = Mark(sequence - 1, delivery.slot, newest=sequence)
        pages = pages_of(
            self._tools, self._state.address, since=since, priority=self._state.remaining
        )
        for page in pages:
            if isinstance(page, Failure):
                raise self._tools.caller.stop_error(page)
            for each in page.messages:
                if each.sequence == sequence:
                    return each
        return None


def _key(delivery: Delivery) -> GroupKey:
    return GroupKey(
        sender=delivery.sender,
        slot=delivery.slot,
        random=delivery.random,
        sequence=delivery.sequence or 0,
    )


def _advice(result: ItemResult) -> Advice | None:
    return result.advice if isinstance(result, Failure) else None


def _is_passing(result: ItemResult) -> bool:
    return _advice(result) in _AGAIN


def _stop_where_group_is_gone(failed: Failure) -> None:
    if failed.advice is Advice.STOP_CONVERSATION and failed.effect is Effect.NONE:
        raise ConversationStoppedError("group_gone", failed)
