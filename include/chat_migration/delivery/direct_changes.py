"""Changing and withdrawing messages of one one-to-one conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from chat_migration.delivery.context import Tools
from chat_migration.ledger.records import Delivery
from chat_migration.targets.base import (
    Advice,
    DirectKey,
    Done,
    Effect,
    Failure,
    ItemResult,
    StoredMessage,
)


class DirectChannel:
    """The changes of one stream; used by one thread, between its other calls.

    Args:
        hold: makes sure, right before a call, that the conversation is still ours.
        priority: how much is left to do in this conversation.
    """

    def __init__(
        self, tools: Tools, *, hold: Callable[[], object], priority: Callable[[], int]
    ) -> None:
        self._tools, self._hold, self._priority = tools, hold, priority

    def change(self, delivery: Delivery, body: str, metadata: str) -> ItemResult:
        """Replace what a part says, and its metadata."""

        def send(key: DirectKey) -> ItemResult:
            return self._tools.target.change_direct_message(key, body, metadata)

        key = key_of(delivery)
        answer = self._call("modify_c2c_msg", send, key)
        if _advice(answer) is Advice.MISSING_MESSAGE:
            found = self.look(key)
            if found is not None and found.key and not found.withdrawn:
                key = msgspec.structs.replace(key, text=found.key)
                return self._call("modify_c2c_msg", send, key)
        return answer

    def withdraw(self, deliveries: Sequence[Delivery]) -> list[ItemResult]:
        """Withdraw parts."""
        return [self._withdraw(key_of(each)) for each in deliveries]

    def _withdraw(self, key: DirectKey) -> ItemResult:
        """Withdraw one part; what nobody sees any more counts as withdrawn.

        Source: admin_msgwithdraw (1047/35015): a missing message is verified by reading back. No page says that
        the name of an imported message is made of its numbers (unknown U41): it is looked up then, too.
        """
        send = self._tools.target.withdraw_direct_message
        answer = self._call("admin_msgwithdraw", send, key)
        if _leaves_doubt(answer):
            found = self.look(key)
            if found is None or found.withdrawn:
                return Done(was_there=True)
            if found.key and _advice(answer) is Advice.MISSING_MESSAGE:
                named = msgspec.structs.replace(key, text=found.key)
                answer = self._call("admin_msgwithdraw", send, named)
        return Done(was_there=True) if _advice(answer) is Advice.EXISTS else answer

    def look(self, key: DirectKey) -> StoredMessage | None:
        """Return what the target shows of a message.

        Raises:
            StoppedError: it does not answer.
        """
        found = self._tools.caller.call(
            "admin_getroammsg",
            lambda: self._tools.target.find_direct_message(key),
            priority=self._priority(),
        )
        if isinstance(found, Failure):
            raise self._tools.caller.stop_error(found)
        return found

    def _call(
        self, api: str, send: Callable[[DirectKey], ItemResult], key: DirectKey
    ) -> ItemResult:
        def held() -> ItemResult:
            self._hold()
            return send(key)

        return self._tools.caller.call(api, held, priority=self._priority())


def key_of(delivery: Delivery) -> DirectKey:
    """Return by what a delivered part is known in the target."""
    return DirectKey(
        sender=delivery.sender,
        recipient=delivery.recipient,
        slot=delivery.slot,
        sequence=delivery.sequence or 0,
        random=delivery.random,
    )


def _advice(result: ItemResult) -> Advice | None:
    return result.advice if isinstance(result, Failure) else None


def _leaves_doubt(result: ItemResult) -> bool:
    """Tell whether a refusal may only mean that there is nothing left to withdraw."""
    return isinstance(result, Failure) and (
        result.advice is Advice.MISSING_MESSAGE
        or (result.effect is Effect.UNKNOWN and result.advice is not Advice.TRY_AGAIN)
    )
