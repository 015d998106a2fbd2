"""Changing and withdrawing messages of one one-to-one conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from chat_migration.delivery.direct_copies import key_of, senders_first
from chat_migration.delivery.direct_reading import CopyReader, is_gone, is_told
from chat_migration.delivery.direct_state import DirectState
from chat_migration.ledger.records import RECIPIENT, Delivery
from chat_migration.targets.base import (
    Advice,
    DirectKey,
    Done,
    Effect,
    Failure,
    ItemResult,
    StoredMessage,
)
from chat_migration.targets.verbs import Verb


class DirectChannel:
    """The changes of one stream; used by one thread, between its other calls."""

    def __init__(self, state: DirectState, reader: CopyReader) -> None:
        self._state, self._tools, self._reader = state, state.tools, reader

    def change(self, delivery: Delivery, body: str, metadata: str) -> ItemResult:
        """Replace what a part says in one copy, and its metadata."""

        def send(key: DirectKey) -> ItemResult:
            return self._tools.target.change_direct_message(key, body, metadata)

        key = key_of(delivery)
        answer = self._call(Verb.CHANGE_DIRECT_MESSAGE, send, key)
        if _advice(answer) is Advice.MISSING_MESSAGE:
            found = self._reader.look(key)
            named = None if found is None or is_gone(found) else self._named(key, found)
            if named is not None:
                return self._call(Verb.CHANGE_DIRECT_MESSAGE, send, named)
        return answer

    def withdraw(self, deliveries: Sequence[Delivery]) -> list[ItemResult]:
        """Withdraw parts: each is recalled once, by its sender's copy, and gone when the recipient's is gone too."""
        results: dict[tuple[int, str], ItemResult] = {}
        recalled: dict[int, ItemResult] = {}
        for each in senders_first(deliveries):
            if each.side == RECIPIENT:
                result = self._gone_with_the_senders(each, recalled.get(each.part))
            else:
                result = recalled[each.part] = self._withdraw(key_of(each))
            results[each.part, each.side] = result
        return [results[each.part, each.side] for each in deliveries]

    def _withdraw(self, key: DirectKey) -> ItemResult:
        """Withdraw one part; what nobody sees any more counts as withdrawn.

        Source: admin_msgwithdraw (1047/35015): a missing message is verified by reading back. No page says that
        the name of an imported message is made of its numbers (unknown U41): it is looked up then, too.
        """
        send = self._tools.target.withdraw_direct_message
        answer = self._call(Verb.WITHDRAW_DIRECT_MESSAGE, send, key)
        if _leaves_doubt(answer):
            found = self._reader.look(key)
            if found is None or is_gone(found):
                return Done(was_there=True)
            named = self._named(key, found)
            if named is not None and _advice(answer) is Advice.MISSING_MESSAGE:
                answer = self._call(Verb.WITHDRAW_DIRECT_MESSAGE, send, named)
        return Done(was_there=True) if _advice(answer) is Advice.EXISTS else answer

    def _gone_with_the_senders(self, delivery: Delivery, recalled: ItemResult | None) -> ItemResult:
        """Tell whether a recall reached the recipient's copy too: no page says that it does."""
        if isinstance(recalled, Failure):
            return recalled
        found = self._reader.look(key_of(delivery))
        if found is None or is_gone(found):
            return Done(was_there=True)
        return Failure(
            api=self._tools.rules.api_of[Verb.WITHDRAW_DIRECT_MESSAGE],
            code=None,
            text="the sender's copy was recalled, the recipient's still shows the message",
            advice=Advice.REJECT_ITEM,
            effect=Effect.NONE,
        )

    def _named(self, key: DirectKey, found: StoredMessage) -> DirectKey | None:
        """Return the key by which the target itself names a message, None: that is the one used already."""
        if self._tools.rules.chooses_direct_sequence:
            return msgspec.structs.replace(key, text=found.key) if found.key else None
        if found.sequence == key.sequence or not is_told(found):
            return None
        return msgspec.structs.replace(key, sequence=found.sequence)

    def _call(
        self, verb: Verb, send: Callable[[DirectKey], ItemResult], key: DirectKey
    ) -> ItemResult:
        def held() -> ItemResult:
            self._state.hold()
            return send(key)

        return self._tools.caller.call(verb, held, priority=self._state.remaining)


def _advice(result: ItemResult) -> Advice | None:
    return result.advice if isinstance(result, Failure) else None


def _leaves_doubt(result: ItemResult) -> bool:
    """Tell whether a refusal may only mean that there is nothing left to withdraw."""
    return isinstance(result, Failure) and (
        result.advice is Advice.MISSING_MESSAGE
        or (result.effect is Effect.UNKNOWN and result.advice is not Advice.TRY_AGAIN)
    )
