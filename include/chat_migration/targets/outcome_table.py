"""The mechanism of a vendor's table of outcomes: what was seen of a call, whether it took effect, what follows.

Each vendor's ``outcomes`` module holds the rows and the writes; what is made of them is the same for all.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

from chat_migration.connection import ApiRate
from chat_migration.targets.base import Advice, Effect, Failure

Seen = TypeVar("Seen", bound=enum.Enum)


class Row(msgspec.Struct, frozen=True):
    """One row of the table.

    Attributes:
        text: what was seen, for people; a code's own text stands in ``codes``.
        effect: whether a write may have taken effect.
        advice: what follows; ``TRY_AGAIN`` becomes ``READ_BACK`` where a repeat would cost something.
        answered: whether the service itself answered.
    """

    text: str
    effect: Effect
    advice: Advice
    answered: bool = True


class Write(msgspec.Struct, frozen=True):
    """What doing a write twice costs.

    Attributes:
        key: by what the service knows a repeat for ever, so that it does nothing more; "" if by nothing.
        read_back: the API that shows whether it was done.
    """

    key: str
    read_back: str


class OutcomeTable(Generic[Seen]):
    """The rows and the writes of one vendor, and the questions that are asked of them."""

    def __init__(
        self, rows: Mapping[Seen, Row], writes: Mapping[str, Write], apis: Mapping[str, ApiRate]
    ) -> None:
        self._rows, self._writes, self._apis = rows, writes, apis

    def is_repeatable(self, api: str) -> bool:
        """Tell whether sending the same again costs nothing, whatever became of it before."""
        if api in self._writes:
            return bool(self._writes[api].key)
        return self._is_read(api)

    def effect_of(self, api: str, symptom: Seen) -> Effect:
        """Return whether a call of which this was seen may have taken effect; a read never has."""
        return Effect.NONE if self._is_read(api) else self._rows[symptom].effect

    def advice_for(self, api: str, symptom: Seen) -> Advice:
        """Return what follows."""
        advice = self._rows[symptom].advice
        may_be_done = self.effect_of(api, symptom) is Effect.UNKNOWN
        if advice is Advice.TRY_AGAIN and may_be_done and not self.is_repeatable(api):
            return Advice.READ_BACK
        return advice

    def failed(
        self, api: str, symptom: Seen, text: str = "", *, code: int | None = None
    ) -> Failure:
        """Return the failure that a symptom stands for; ``text`` says it closer than the table does."""
        return Failure(
            api=api,
            code=code,
            text=text or self._rows[symptom].text,
            advice=self.advice_for(api, symptom),
            effect=self.effect_of(api, symptom),
            answered=self._rows[symptom].answered,
        )

    def _is_read(self, api: str) -> bool:
        return api in self._apis and not self._apis[api].writes
