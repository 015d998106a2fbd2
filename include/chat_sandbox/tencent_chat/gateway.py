"""What stands before every API: the URL's rules, the UserSig, the rate, the JSON of the body.

Checked in this order, which the pages do not give: path, method, URL parameters, app, lock,
UserSig, App admin, rate, body. Every refusal is an HTTP 200 with an ``ErrorCode``. Source: RESTful
API overview (1047/34620), error codes page (1047/34348).
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from chat_sandbox.clock import SandboxClock
from chat_sandbox.config import SandboxConfig
from chat_sandbox.rates import RateLimiter, RateWindow
from chat_sandbox.switches import SwitchBoard
from chat_sandbox.tencent_chat import usersig
from chat_sandbox.tencent_chat.apis import BY_PATH, COMMUNITIES, GROUPS, Api
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.fields import MAX_U32
from chat_sandbox.tencent_chat.switches.gateway import (
    INVALID_UNICODE,
    RATE_WINDOW,
    THROTTLE_CODE,
    UNKNOWN_APP_CODE,
)
from chat_sandbox.tencent_chat.switches.groups import IMPORT_TOPIC_PATH
from chat_sandbox.tencent_chat.usersig import Caller, FailureLock
from chat_sandbox.tencent_chat.world import pair_key
from chat_sandbox.vendor import Admission, Json, Request

_SURROGATE = re.compile("[\ud800-\udfff]")
_TOPIC_SERVICES = {"group": GROUPS, "million_group": COMMUNITIES}


class Gateway:
    """Admits or refuses requests of all apps."""

    def __init__(
        self,
        config: SandboxConfig,
        clock: SandboxClock,
        limiter: RateLimiter,
        switches: SwitchBoard,
    ) -> None:
        self._apps = {app.sdk_app_id: app for app in config.apps}
        self._clock = clock
        self._limiter = limiter
        self._switches = switches
        self._max_failures = config.max_failed_verifications
        self._lock = FailureLock(self._max_failures)

    def admit(self, request: Request) -> Admission:
        """Return the admission of a request; a refusal is in it, never raised."""
        api = BY_PATH.get(request.path)
        app_id = 0
        try:
            api = self._checked_api(api, request)
            caller = self._caller(request)
            app_id = caller.sdk_app_id
            self._verify(caller, request.query.get("usersig", ""))
            self._check_rate(api, app_id)
            body = self._decoded(request.body)
        except _ThrottledError as refusal:
            return self._refused(api, app_id, refusal, is_throttled=True)
        except RefusalError as refusal:
            return self._refused(api, app_id, refusal, is_throttled=False)
        return _admission(api, app_id, body)

    def forget_failures(self) -> None:
        """Unlock everyone."""
        self._lock = FailureLock(self._max_failures)

    def _checked_api(self, api: Api | None, request: Request) -> Api:
        if api is None:
            service = request.path.removeprefix("/v4/").partition("/")[0]
            raise RefusalError(10003 if service in {GROUPS, COMMUNITIES} else 60009)
        topic_service = _TOPIC_SERVICES.get(self._switches[IMPORT_TOPIC_PATH], api.service)
        if api.name == "import_topic" and api.service != topic_service:
            raise RefusalError(10003)
        if request.method != "POST":
            raise RefusalError(60002, "only POST is answered")
        return api

    def _caller(self, request: Request) -> Caller:
        query = request.query
        number = query.get("sdkappid", "")
        if not number:
            raise RefusalError(60012)
        if not number.isdecimal():
            raise RefusalError(60006)
        identifier = query.get("identifier", "")
        if not identifier:
            raise RefusalError(60004, "identifier is missing")
        nonce = query.get("random", "")
        if not nonce.isdecimal() or int(nonce) > MAX_U32:
            raise RefusalError(60002, "random is no unsigned 32-bit integer")
        if query.get("contenttype", "json") != "json":
            raise RefusalError(60002, "contenttype is json")
        app = self._apps.get(int(number))
        if app is None:
            raise RefusalError(int(self._switches[UNKNOWN_APP_CODE]))
        return Caller(sdk_app_id=app.sdk_app_id, identifier=identifier, secret_key=app.secret_key)

    def _verify(self, caller: Caller, signature: str) -> None:
        moment = self._clock.monotonic()
        self._lock.check(caller, now=moment)
        try:
            usersig.verify(signature, caller, now=self._clock.now_ms() // 1000)
        except RefusalError as refusal:
            self._lock.record(caller, refusal.code, now=moment)
            raise
        if caller.identifier != self._apps[caller.sdk_app_id].admin:
            raise RefusalError(60010)

    def _check_rate(self, api: Api, app_id: int) -> None:
        window = RateWindow(self._switches[RATE_WINDOW])
        now = self._clock.now_ms() / 1000
        if not self._limiter.admit(app_id, api.name, api.per_second, now=now, window=window):
            raise _ThrottledError(int(self._switches[THROTTLE_CODE]))

    def _decoded(self, body: bytes) -> Json:
        try:
            decoded: Any = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            decoded = self._replaced(body)
        if not isinstance(decoded, dict):
            raise RefusalError(60003)
        return decoded

    def _replaced(self, body: bytes) -> Any:
        """Return a body whose broken characters are replaced, if the switch wants that."""
        if self._switches[INVALID_UNICODE] == "reject":
            raise RefusalError(60003)
        try:
            loose = json.loads(body.decode("utf-8", "replace"))
            return json.loads(_SURROGATE.sub("\ufffd", json.dumps(loose, ensure_ascii=False)))
        except (ValueError, RecursionError):
            raise RefusalError(60003) from None

    @staticmethod
    def _refused(
        api: Api | None, app_id: int, refusal: RefusalError, *, is_throttled: bool
    ) -> Admission:
        return Admission(
            api="" if api is None else api.name,
            app_id=app_id,
            writes=False if api is None else api.writes,
            refusal={
                "ActionStatus": "FAIL",
                "ErrorCode": refusal.code,
                "ErrorInfo": refusal.info,
            },
            is_throttled=is_throttled,
        )


class _ThrottledError(RefusalError):
    pass


def _admission(api: Api, app_id: int, body: Json) -> Admission:
    rows = body.get(api.request_rows)
    if rows is None and api.name == "multiaccount_import":
        rows = body.get("Accounts")
    return Admission(
        api=api.name,
        app_id=app_id,
        body=body,
        writes=api.writes,
        conversation=_conversation(api.name, body),
        rows=len(rows) if isinstance(rows, list) else 1,
        request_rows=api.request_rows,
        reply_rows=api.reply_rows,
    )


def _conversation(api: str, body: Json) -> str:
    """Return the name of the stream that a message import writes to; empty for other calls."""
    if api == "import_group_msg":
        topic = f"/{body['TopicId']}" if body.get("TopicId") else ""
        return f"group:{body.get('GroupId')}{topic}"
    if api == "importmsg":
        pair = pair_key(str(body.get("From_Account")), str(body.get("To_Account")))
        return "c2c:" + pair.replace("\0", "|")
    return ""
