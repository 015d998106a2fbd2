"""Scripted faults: rules that say which calls go wrong, and how.

A rule sees every admitted call of its API. It counts those whose fields match ``where``, and fires
on the counted calls within ``first_call`` … ``last_call``, by chance if ``probability`` is below 1.
The first rule that fires wins.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec

ANY_API = "*"
FOREVER = 2**31


class FaultAction(StrEnum):
    """What a rule does to a call.

    ``drop`` cuts the connection (RST), ``close`` ends it without a reply (FIN), ``apply_late`` cuts
    it and applies the call ``seconds`` later, ``slow`` waits ``seconds`` before or after the
    effect, ``http_error`` answers ``status`` with a page of HTML, ``empty_body`` and
    ``truncated_body`` answer 200 with too little, ``html_body`` answers 200 with HTML,
    ``list_body`` with JSON that is no object, ``bare_body`` with an object without any field,
    ``contradiction`` with FAIL beside ErrorCode 0, ``drip`` answers as it should, one byte every
    ``seconds`` of real time. ``error`` answers ``code``, ``throttle`` answers as over the rate limit.
    ``omit_rows``, ``fewer_rows``, ``more_rows``, ``other_rows`` (they name something else),
    ``mistyped_rows`` (false for numbers, null for texts) and ``flat_seq`` (MsgSeq 1 throughout) spoil
    the list of items in the reply. ``item_error`` gives the last ``count`` items the result ``code``;
    with ``effect`` ``none`` they are not carried out.
    """

    DROP = "drop"
    CLOSE = "close"
    APPLY_LATE = "apply_late"
    SLOW = "slow"
    HTTP_ERROR = "http_error"
    EMPTY_BODY = "empty_body"
    TRUNCATED_BODY = "truncated_body"
    HTML_BODY = "html_body"
    LIST_BODY = "list_body"
    BARE_BODY = "bare_body"
    CONTRADICTION = "contradiction"
    DRIP = "drip"
    ERROR = "error"
    THROTTLE = "throttle"
    OMIT_ROWS = "omit_rows"
    FEWER_ROWS = "fewer_rows"
    MORE_ROWS = "more_rows"
    OTHER_ROWS = "other_rows"
    MISTYPED_ROWS = "mistyped_rows"
    FLAT_SEQ = "flat_seq"
    ITEM_ERROR = "item_error"


SPOILS_ROWS = frozenset(
    {
        FaultAction.OMIT_ROWS,
        FaultAction.FEWER_ROWS,
        FaultAction.MORE_ROWS,
        FaultAction.OTHER_ROWS,
        FaultAction.MISTYPED_ROWS,
        FaultAction.FLAT_SEQ,
    }
)
"""Actions that leave the call as it is and spoil the items of its reply."""


class Effect(StrEnum):
    """Whether the call is carried out although its reply goes wrong; ``slow``: before the wait."""

    NONE = "none"
    APPLIED = "applied"


class FaultRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule. ``where`` compares top-level fields of the request body for equality.

    Attributes:
        api: an API name, or ``*``.
        first_call: number of the first matching call it fires on, from 1.
        last_call: number of the last one.
        seconds: for ``slow`` and ``apply_late``, on the sandbox's clock; for ``drip``, real ones.
        count: items that ``fewer_rows`` takes away, ``more_rows`` adds, ``item_error`` refuses.
    """

    action: FaultAction
    api: str = ANY_API
    where: dict[str, Any] = {}
    first_call: int = 1
    last_call: int = FOREVER
    probability: float = 1.0
    effect: Effect = Effect.NONE
    seconds: float = 0.0
    code: int = 0
    status: int = 502
    count: int = 1


class _Armed:
    def __init__(self, rule: FaultRule) -> None:
        self.rule = rule
        self.seen = 0
        self.fired = 0


class FaultBook:
    """The rules in force. Chance comes from one seed, so that a run can be repeated."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._armed: dict[int, _Armed] = {}
        self._next_id = 1
        self._chance = random.Random(seed)  # noqa: S311 - nothing secret depends on it

    def add(self, rule: FaultRule) -> int:
        """Put a rule in force and return its id."""
        rule_id = self._next_id
        self._next_id += 1
        self._armed[rule_id] = _Armed(rule)
        return rule_id

    def remove(self, rule_id: int) -> bool:
        """Take a rule out of force; False if there is none of that id."""
        return self._armed.pop(rule_id, None) is not None

    def clear(self) -> None:
        """Take all rules out of force and start chance anew."""
        self._armed.clear()
        self._chance.seed(self._seed)

    def match(self, api: str, body: Mapping[str, Any]) -> FaultRule | None:
        """Return the rule that fires on this call, and count the call."""
        for armed in self._armed.values():
            rule = armed.rule
            if rule.api not in {ANY_API, api} or not _agrees(rule.where, body):
                continue
            armed.seen += 1
            if not rule.first_call <= armed.seen <= rule.last_call:
                continue
            if rule.probability < 1 and self._chance.random() >= rule.probability:
                continue
            armed.fired += 1
            return rule
        return None

    def listing(self) -> list[dict[str, Any]]:
        """Return all rules with their id and counts."""
        return [
            {
                "id": rule_id,
                "seen": armed.seen,
                "fired": armed.fired,
                "rule": msgspec.to_builtins(armed.rule),
            }
            for rule_id, armed in self._armed.items()
        ]


def spoil_rows(reply: dict[str, Any], name: str, rule: FaultRule) -> dict[str, Any]:
    """Return the reply with its list of items ``name`` mistreated as the rule says."""
    rows = reply.get(name, [])
    if not name or not isinstance(rows, list):
        return reply
    match rule.action:
        case FaultAction.OMIT_ROWS:
            return {key: value for key, value in reply.items() if key != name}
        case FaultAction.FEWER_ROWS:
            return reply | {name: rows[: max(0, len(rows) - rule.count)]}
        case FaultAction.MORE_ROWS:
            return reply | {name: rows + (rows[-1:] or [""]) * rule.count}
        case FaultAction.OTHER_ROWS:
            return reply | {name: [_of_another(row) for row in rows or [""]]}
        case FaultAction.MISTYPED_ROWS:
            return reply | {name: [_mistyped(row) for row in rows or [""]]}
        case FaultAction.FLAT_SEQ:
            return reply | {name: [_with_flat_seq(row) for row in rows]}
        case _:
            return reply


def flatten_seq(reply: dict[str, Any]) -> dict[str, Any]:
    """Return the reply with MsgSeq 1 in place of its own, if it has one outside its lists."""
    return _with_flat_seq(reply)


def _of_another(row: Any) -> Any:
    """Return a row that names something else: another id, or, where it names none, another time."""
    if isinstance(row, str):
        return row + "-other"
    name = next((key for key, value in row.items() if isinstance(value, str) and value), "MsgTime")
    value = row.get(name, 0)
    return row | {name: value + "-other" if isinstance(value, str) else value + 1}


def _mistyped(row: Any) -> Any:
    if isinstance(row, str):
        return {"name": row}
    return {key: None if isinstance(value, str) else False for key, value in row.items()}


def _with_flat_seq(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"MsgSeq": 1} if "MsgSeq" in row else row


def _agrees(where: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    return all(body.get(name) == value for name, value in where.items())
