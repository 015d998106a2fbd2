"""Changing and withdrawing messages of one group or topic, and looking at them where an answer leaves doubt."""

from __future__ import annotations

from collections.abc import Sequence

from chat_migration.delivery.calls import MOST_REPEATS
from chat_migration.delivery.history import ConversationStoppedError
from chat_migration.delivery.stream_state import StreamState
from chat_migration.ledger.records import Delivery
from chat_migration.targets.base import Advice, Done, Effect, Failure, ItemResult, StoredMessage

_CHANGE, _WITHDRAW = "modify_group_msg", "group_msg_recall"
_AGAIN = (Advice.TRY_AGAIN, Advice.SLOW_DOWN)
_PAUSE_SECONDS = 1.0


class GroupChannel:
    """The changes of one stream; used by one thread, between its other calls."""

    def __init__(self, state: StreamState) -> None:
        self._state, self._tools = state, state.tools

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
                delivery.sequence or 0,
                body,
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
                self._tools.caller.budget.slow_down(_WITHDRAW)
            if not left:
                break
        return {each.part: self._checked(each, results[each.part]) for each in deliveries}

    def _call(self, deliveries: Sequence[Delivery]) -> list[ItemResult] | Failure:
        sequences = [each.sequence or 0 for each in deliveries]
        return self._tools.caller.call(
            _WITHDRAW,
            lambda: self._state.held(
                self._tools.target.withdraw_group_messages, self._state.address, sequences
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
            found = self._look(delivery.sequence or 0)
            if found is None or found.withdrawn or found.placeholder:
                return Done(was_there=True)
        return result

    def _look(self, sequence: int) -> StoredMessage | None:
        page = self._tools.caller.call(
            "group_msg_get_simple",
            lambda: self._tools.target.read_group(self._state.address, below=sequence),
            priority=self._state.remaining,
        )
        if isinstance(page, Failure):
            raise self._tools.caller.stop_error(page)
        return next((each for each in page.messages if each.sequence == sequence), None)


def _advice(result: ItemResult) -> Advice | None:
    return result.advice if isinstance(result, Failure) else None


def _is_passing(result: ItemResult) -> bool:
    return _advice(result) in _AGAIN


def _stop_where_group_is_gone(failed: Failure) -> None:
    if failed.advice is Advice.STOP_CONVERSATION and failed.effect is Effect.NONE:
        raise ConversationStoppedError("group_gone", failed)
