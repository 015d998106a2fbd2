"""One vendor call from request to reply: admit it, let a fault spoil it, count it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import msgspec

from chat_sandbox.clock import SandboxClock
from chat_sandbox.faults import (
    SPOILS_ROWS,
    Effect,
    FaultAction,
    FaultBook,
    FaultRule,
    flatten_seq,
    spoil_rows,
)
from chat_sandbox.statistics import Statistics
from chat_sandbox.vendor import Admission, Json, Request, Vendor
from chat_sandbox.wire import HTML_TYPE, Wire

NO_REPLY = "no reply"
_SOME_CODE = 10002
_HTML = (
    b"<html><head><title>%d</title></head><body><center><h1>%d</h1></center>"
    b"<hr><center>gateway</center></body></html>"
)


class Exchange:
    """Carries calls through a vendor; nothing else runs between admission and effect."""

    def __init__(
        self, *, clock: SandboxClock, faults: FaultBook, statistics: Statistics, latency_ms: float
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._statistics = statistics
        self._latency_seconds = latency_ms / 1000

    async def carry(self, vendor: Vendor, request: Request, wire: Wire) -> None:
        """Answer one request."""
        admission = vendor.admit(request)
        self._statistics.begin(admission, now=time.monotonic())
        rule: FaultRule | None = None
        result = NO_REPLY
        try:
            if admission.refusal is not None:
                refusal, status = admission.refusal, admission.status
                result = await self._answer(vendor, refusal, wire, status=status)
                return
            rule = self._faults.match(admission.api, admission.body)
            if rule is None:
                result = await self._answer(vendor, vendor.apply(admission), wire)
            else:
                result = await self._spoil(vendor, admission, rule, wire)
        finally:
            self._statistics.end(
                admission,
                result=result,
                fault="" if rule is None else rule.action.value,
                now_ms=self._clock.now_ms(),
            )

    async def _answer(self, vendor: Vendor, reply: Json, wire: Wire, *, status: int = 200) -> str:
        if self._latency_seconds:
            await asyncio.sleep(self._latency_seconds)
        await wire.reply(status, msgspec.json.encode(reply))
        return str(vendor.error_code(reply))

    async def _spoil(
        self, vendor: Vendor, admission: Admission, rule: FaultRule, wire: Wire
    ) -> str:
        match rule.action:
            case FaultAction.SLOW | FaultAction.APPLY_LATE:
                return await self._delay(vendor, admission, rule, wire)
            case _ if rule.action in SPOILS_ROWS:
                reply = spoil_rows(vendor.apply(admission), admission.reply_rows, rule)
                if rule.action is FaultAction.FLAT_SEQ:
                    reply = flatten_seq(reply)
            case FaultAction.ITEM_ERROR:
                reply = _with_failed_items(vendor, admission, rule)
            case FaultAction.CONTRADICTION:
                self._effect(vendor, admission, rule)
                reply = _contradicting(vendor)
            case FaultAction.ERROR:
                self._effect(vendor, admission, rule)
                reply = vendor.refuse(rule.code)
            case FaultAction.THROTTLE:
                status, reply = vendor.throttle(admission.api)
                return await self._answer(vendor, reply, wire, status=status)
            case _:
                return await self._break_off(vendor, admission, rule, wire)
        return await self._answer(vendor, reply, wire)

    async def _delay(
        self, vendor: Vendor, admission: Admission, rule: FaultRule, wire: Wire
    ) -> str:
        if rule.action is FaultAction.APPLY_LATE:
            await wire.drop()
            await self._clock.sleep(rule.seconds)
            vendor.apply(admission)
            return NO_REPLY
        if rule.effect is Effect.APPLIED:
            reply = vendor.apply(admission)
            await self._clock.sleep(rule.seconds)
        else:
            await self._clock.sleep(rule.seconds)
            reply = vendor.apply(admission)
        return await self._answer(vendor, reply, wire)

    async def _break_off(
        self, vendor: Vendor, admission: Admission, rule: FaultRule, wire: Wire
    ) -> str:
        reply = self._effect(vendor, admission, rule)
        match rule.action:
            case FaultAction.TRUNCATED_BODY:
                await wire.truncate(msgspec.json.encode(reply))
            case FaultAction.DROP:
                await wire.drop()
            case FaultAction.CLOSE:
                await wire.close()
            case FaultAction.EMPTY_BODY:
                await wire.reply(200, b"")
            case FaultAction.LIST_BODY:
                await wire.reply(200, b"[]")
            case FaultAction.BARE_BODY:
                await wire.reply(200, b"{}")
            case FaultAction.DRIP:
                await wire.drip(msgspec.json.encode(reply), rule.seconds)
            case FaultAction.HTML_BODY:
                await wire.reply(200, _HTML % (200, 200), HTML_TYPE)
            case _:
                status = (rule.status, rule.status)
                await wire.reply(rule.status, _HTML % status, HTML_TYPE)
                return f"HTTP {rule.status}"
        return NO_REPLY

    @staticmethod
    def _effect(vendor: Vendor, admission: Admission, rule: FaultRule) -> Json:
        """Carry the call out if the rule wants that; return its reply or a refusal."""
        if rule.effect is Effect.APPLIED:
            return vendor.apply(admission)
        return vendor.refuse(rule.code)


def _with_failed_items(vendor: Vendor, admission: Admission, rule: FaultRule) -> Json:
    """Carry a call out, without its last items unless the rule has an effect; say that those failed."""
    given = admission.body.get(admission.request_rows)
    if not isinstance(given, list):
        if rule.effect is Effect.APPLIED:
            vendor.apply(admission)
        return vendor.refuse(rule.code)
    failed = min(rule.count, len(given))
    kept = len(given) if rule.effect is Effect.APPLIED else len(given) - failed
    carried = replace(admission, body={**admission.body, admission.request_rows: given[:kept]})
    reply = vendor.apply(carried) if kept else {**vendor.succeed(), admission.reply_rows: []}
    return vendor.fail_items(reply, admission, failed, rule.code)


def _contradicting(vendor: Vendor) -> Json:
    """Return a refusal with the error code of a success."""
    code = {key: value for key, value in vendor.succeed().items() if isinstance(value, int)}
    return vendor.refuse(_SOME_CODE) | code
