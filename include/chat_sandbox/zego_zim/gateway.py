"""What stands before every Action: the common parameters, the signature, the rate, the body.

Checked in this order, which the pages do not give: Action, method, AppId, Timestamp, nonce, version,
signature, nonce used before, rate of calls, body, plan, rate of a group or of messages. Every
refusal is an HTTP 200 with a ``Code``. Source: accessing server APIs; return codes.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from chat_sandbox.clock import SandboxClock
from chat_sandbox.config import SandboxConfig
from chat_sandbox.rates import RateLimiter, RateWindow
from chat_sandbox.switches import SwitchBoard
from chat_sandbox.vendor import Admission, Json, Request
from chat_sandbox.zego_zim import signature
from chat_sandbox.zego_zim.apis import BY_NAME, GROUP_MAKING, IMPORTS, OF_USERS, Action
from chat_sandbox.zego_zim.codes import BAD_PARAMETER, RefusalError, envelope
from chat_sandbox.zego_zim.switches.gateway import (
    FREE_PLAN_REFUSES,
    NONCE_REPLAY,
    PLAN,
    PRIORITY_THROTTLING,
    RATE_SCOPE,
    RATE_WINDOW,
    THROTTLE_CODE,
    THROTTLE_STATUS,
)

COMMON: Final = frozenset(
    {"Action", "AppId", "SignatureNonce", "Timestamp", "SignatureVersion", "Signature"}
)
SHARED_PER_SECOND: Final = 20
GROUP_THROTTLED, NOT_ON_FREE_PLAN, NOT_ENABLED = 660_300_006, 660_000_028, 100_000_017
LOW_PRIORITY: Final = 1
MAX_U32: Final = 0xFFFF_FFFF
_INTEGER = re.compile(r"-?\d{1,19}")


class Gateway:
    """Admits or refuses requests of all projects."""

    def __init__(
        self,
        config: SandboxConfig,
        clock: SandboxClock,
        limiter: RateLimiter,
        switches: SwitchBoard,
    ) -> None:
        self._apps = {app.app_id: app for app in config.zim_apps}
        self._clock = clock
        self._limiter = limiter
        self._switches = switches
        self._nonces = signature.NonceMemory()

    def admit(self, request: Request) -> Admission:
        """Return the admission of a request; a refusal is in it, never raised."""
        action: Action | None = BY_NAME.get(request.query.get("Action", ""))
        app_id = 0
        try:
            action = _checked_action(action, request)
            app_id = self._verified_app(request)
            self._check_call_rate(action, app_id)
            body = _decoded(action, request)
            self._check_plan(action)
            self._check_other_rates(action, app_id, body)
        except _ThrottledError as refusal:
            return self._throttled(action, app_id, refusal)
        except RefusalError as refusal:
            return _refused(action, app_id, refusal)
        return _admission(action, app_id, body)

    def forget(self) -> None:
        """Forget all nonces."""
        self._nonces = signature.NonceMemory()

    def throttle_code(self, action: str) -> int:
        """Return the Code of a call of this Action over the rate."""
        known = BY_NAME.get(action)
        if known is not None and known.limited == "group":
            return GROUP_THROTTLED
        if known is not None and known.throttle_code is not None:
            return known.throttle_code
        return int(self._switches[THROTTLE_CODE])

    def _verified_app(self, request: Request) -> int:
        query = request.query
        number, time = query.get("AppId", ""), query.get("Timestamp", "")
        app = self._apps.get(int(number)) if _is_u32(number) else None
        if app is None:
            raise RefusalError(100_000_001)
        if not time:
            raise RefusalError(100_000_002)
        if not _INTEGER.fullmatch(time):
            raise RefusalError(100_000_003)
        nonce = query.get("SignatureNonce", "")
        signature.check_nonce(nonce)
        if query.get("SignatureVersion") != signature.VERSION:
            raise RefusalError(100_000_014)
        now = self._clock.now_ms() // 1000
        timestamp = int(time)
        expected = signature.signature_of(app.app_id, nonce, app.server_secret, timestamp)
        given = query.get("Signature", "")
        signature.check_signature(given, expected, timestamp=timestamp, now=now)
        is_new = self._nonces.take(app.app_id, nonce, now=now)
        if not is_new and self._switches[NONCE_REPLAY] == "reject":
            raise RefusalError(100_000_009)
        return app.app_id

    def _check_call_rate(self, action: Action, app_id: int) -> None:
        scope = self._switches[RATE_SCOPE]
        if scope == "app" or (scope == "imports" and action.name in IMPORTS):
            self._count(action, app_id, f"({scope})", SHARED_PER_SECOND)
        if action.limited == "calls":
            self._count(action, app_id, action.name, action.per_second)

    def _check_other_rates(self, action: Action, app_id: int, body: Json) -> None:
        if action.limited == "group":
            group_id = str(body.get("GroupId"))
            self._count(action, app_id, action.name, action.per_second, scope=group_id)
        if action.limited == "messages":
            seqs = body.get(action.request_rows)
            cost = min(len(seqs), int(action.per_second)) if isinstance(seqs, list) else 1
            self._count(action, app_id, action.name, action.per_second, cost=max(1, cost))
        is_low = action.name in IMPORTS and body.get("Priority") == LOW_PRIORITY
        if is_low and self._switches[PRIORITY_THROTTLING] == "low_first":
            half = self._limiter.overrides.get(action.name, action.per_second) / 2
            self._count(action, app_id, f"{action.name} of low priority", half)

    def _count(
        self,
        action: Action,
        app_id: int,
        key: str,
        per_second: float,
        *,
        scope: str = "",
        cost: int = 1,
    ) -> None:
        fits = self._limiter.admit(
            app_id,
            key,
            per_second,
            now=self._clock.now_ms() / 1000,
            window=RateWindow(self._switches[RATE_WINDOW]),
            scope=scope,
            cost=cost,
        )
        if not fits:
            raise _ThrottledError(self.throttle_code(action.name))

    def _check_plan(self, action: Action) -> None:
        refused = {"nothing": frozenset[str](), "imports": IMPORTS, "groups": GROUP_MAKING}
        if action.name in refused[self._switches[FREE_PLAN_REFUSES]]:
            raise RefusalError(NOT_ON_FREE_PLAN)
        if self._switches[PLAN] == "signaling" and action.name not in OF_USERS:
            raise RefusalError(NOT_ENABLED)

    def _throttled(self, action: Action | None, app_id: int, refusal: RefusalError) -> Admission:
        return Admission(
            api="" if action is None else action.name,
            app_id=app_id,
            writes=False if action is None else action.writes,
            refusal=envelope(refusal.code),
            is_throttled=True,
            status=int(self._switches[THROTTLE_STATUS]),
        )


class _ThrottledError(RefusalError):
    pass


def _checked_action(action: Action | None, request: Request) -> Action:
    if not request.query.get("Action"):
        raise RefusalError(100_000_006)
    if action is None or request.method != action.method:
        raise RefusalError(100_000_007)
    return action


def _is_u32(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) <= MAX_U32


def _decoded(action: Action, request: Request) -> Json:
    """Return the fields of a call, from the query or from the body."""
    if action.method == "GET":
        return {
            name: _read(action, name, value)
            for name, value in request.query.items()
            if name not in COMMON
        }
    try:
        decoded: Any = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RefusalError(BAD_PARAMETER, "the body is no JSON") from None
    if not isinstance(decoded, dict):
        raise RefusalError(BAD_PARAMETER, "the body is no JSON object")
    return decoded


def _read(action: Action, name: str, value: str) -> int | str:
    is_number = name in action.integers and _INTEGER.fullmatch(value) is not None
    return int(value) if is_number else value


def _refused(action: Action | None, app_id: int, refusal: RefusalError) -> Admission:
    return Admission(
        api="" if action is None else action.name,
        app_id=app_id,
        writes=False if action is None else action.writes,
        refusal=envelope(refusal.code, refusal.info),
    )


def _admission(action: Action, app_id: int, body: Json) -> Admission:
    name = action.request_rows
    if action.name == "InviteUsersIntoGroup" and not body.get(name):
        name = "UserIds"
    rows = body.get(name)
    return Admission(
        api=action.name,
        app_id=app_id,
        body=body,
        writes=action.writes,
        conversation=_conversation(action.name, body),
        rows=len(rows) if isinstance(rows, list) else 1,
        request_rows=name,
        reply_rows=action.reply_rows,
    )


def _conversation(action: str, body: Json) -> str:
    """Return the name of the stream that an import writes to; empty for other calls."""
    if action == "ImportGroupMsg":
        return f"group:{body.get('GroupId')}"
    if action == "ImportPeerMsg":
        pair = sorted((str(body.get("FromUserId")), str(body.get("ToUserId"))))
        return f"peer:{'|'.join(pair)}@{body.get('ImportedUserId')}"
    return ""
