"""The service as a whole: the gateway, one world per app, the record of what changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from chat_sandbox.clock import SandboxClock
from chat_sandbox.config import SandboxConfig
from chat_sandbox.rates import RateLimiter
from chat_sandbox.switches import SwitchBoard
from chat_sandbox.tencent_chat.apis import BY_NAME
from chat_sandbox.tencent_chat.call import Call, Reply
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.dump import dump_world
from chat_sandbox.tencent_chat.gateway import Gateway
from chat_sandbox.tencent_chat.staging import OPERATIONS
from chat_sandbox.tencent_chat.switches import SWITCHES
from chat_sandbox.tencent_chat.switches.gateway import THROTTLE_CODE
from chat_sandbox.tencent_chat.world import World
from chat_sandbox.vendor import Admission, Json, Request

SECONDS_PER_DAY = 86_400
RECALLED = "RecallRetList"
"""The list of what became of recalled messages."""
Record = Callable[[Json], None]
"""Keeps one change, which has already been made. It may look at the whole world."""


class TencentChat:
    """Tencent Cloud Chat's server REST API. Source: RESTful API overview (1047/34620; 269/1519)."""

    name = "tencent_chat"

    def __init__(self, config: SandboxConfig, clock: SandboxClock, record: Record) -> None:
        self._config = config
        self._clock = clock
        self._record = record
        self._apps = {app.sdk_app_id: app for app in config.apps}
        self._worlds: dict[int, World] = {}
        self.switches = SwitchBoard(SWITCHES, config.tencent_switches)
        self.limiter = RateLimiter(enabled=config.rate_limits, overrides=config.rates_per_second)
        self._gateway = Gateway(config, clock, self.limiter, self.switches)

    def owns(self, path: str) -> bool:
        """Return whether a path is under ``/v4/``."""
        return path.startswith("/v4/")

    def admit(self, request: Request) -> Admission:
        """Run the gateway."""
        return self._gateway.admit(request)

    def apply(self, admission: Admission) -> Json:
        """Carry out an admitted call; a write is recorded before its reply is known to anyone.

        Refused writes are recorded too: they may have used up a number.
        """
        entry = self._entry(admission.app_id, admission.api, admission.body)
        reply = self._carry_out(entry)
        if admission.writes:
            self._record(entry)
        return reply

    def refuse(self, code: int) -> Json:
        """Return the envelope of a failed call."""
        return _refused(RefusalError(code))

    def succeed(self) -> Json:
        """Return the envelope of a call that succeeded."""
        return {"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": ""}

    def throttle(self, _api: str) -> tuple[int, Json]:
        """Return the reply to a call over the limit, an HTTP 200 like all."""
        return 200, self.refuse(int(self.switches[THROTTLE_CODE]))

    def fail_items(self, reply: Json, admission: Admission, failed: int, code: int) -> Json:
        """Give the last items of the reply's list this ``Result``; add those that it lacks.

        Recalled messages have a ``RetCode`` instead and are told apart by their ``MsgSeq``.
        """
        asked = admission.body[admission.request_rows]
        given = len(asked)
        rows = reply.get(admission.reply_rows)
        if not isinstance(rows, list):
            return reply
        kept = rows[: given - failed]
        if admission.reply_rows == RECALLED:
            told = [{**row, "RetCode": code} for row in asked[len(kept) :]]
            return reply | {RECALLED: kept + told}
        lost = [*rows[len(kept) :], *[{}] * given][: given - len(kept)]
        return reply | {admission.reply_rows: kept + [{**row, "Result": code} for row in lost]}

    def error_code(self, reply: Json) -> int:
        """Return ``ErrorCode``."""
        return int(reply["ErrorCode"])

    def error_text(self, reply: Json) -> str:
        """Return ``ErrorInfo``."""
        return str(reply["ErrorInfo"])

    def replay(self, entry: Json) -> None:
        """Repeat a recorded change at its recorded time."""
        match entry["op"]:
            case "_switches":
                self.switches.set_all(entry["body"])
            case "_reset":
                self._worlds.clear()
            case _:
                self._carry_out(entry)

    def act(self, operation: str, body: Json, app_id: int | None) -> Json:
        """Carry out a test's own operation: ``_switches``, or one of ``staging.OPERATIONS``."""
        if operation == "_switches":
            self.switches.set_all(body)
            self._record(self._entry(0, operation, body))
            return self.switches.positions()
        entry = self._entry(self._app_or_first(app_id), operation, body)
        reply = self._carry_out(entry)
        self._record(entry)
        return reply

    def dump(self, app_id: int | None) -> Json:
        """Return the world of one app."""
        return dump_world(self._world(self._app_or_first(app_id)))

    def snapshot(self) -> bytes:
        """Return all worlds, encoded."""
        return msgspec.msgpack.encode(self._worlds)

    def restore(self, snapshot: bytes) -> None:
        """Take all worlds back."""
        self._worlds = msgspec.msgpack.decode(snapshot, type=dict[int, World])

    def reset(self) -> None:
        """Forget all worlds, locks and rates; switches go back to those of the start."""
        self._worlds.clear()
        self._record(self._entry(0, "_reset", {}))
        self.limiter.enabled = self._config.rate_limits
        self.limiter.overrides = dict(self._config.rates_per_second)
        self.limiter.forget()
        self._gateway.forget_failures()
        self.act(
            "_switches", SwitchBoard(SWITCHES, self._config.tencent_switches).positions(), None
        )

    def configure_rates(self, *, enabled: bool | None, per_second: Mapping[str, float]) -> Json:
        """Change the rate limits; ``None`` leaves on or off as it is."""
        if enabled is not None:
            self.limiter.enabled = enabled
        self.limiter.overrides.update(per_second)
        return {"enabled": self.limiter.enabled, "per_second": dict(self.limiter.overrides)}

    def _entry(self, app_id: int, operation: str, body: Json) -> Json:
        now = self._clock.now_ms() // 1000
        return {"vendor": self.name, "app": app_id, "op": operation, "now": now, "body": body}

    def _carry_out(self, entry: Json) -> Reply:
        """Run a handler on the entry's world at its time; equal entries have equal effects."""
        operation: str = entry["op"]
        handler = OPERATIONS.get(operation) or BY_NAME[operation].handler
        app = self._apps.get(entry["app"])
        days = self._config.retention_days
        call = Call(
            body=entry["body"],
            world=self._world(entry["app"]),
            switches=self.switches,
            now=entry["now"],
            admin="" if app is None else app.admin,
            retention_seconds=None if days is None else days * SECONDS_PER_DAY,
        )
        try:
            return {"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": ""} | handler(call)
        except RefusalError as refusal:
            return _refused(refusal)

    def _world(self, app_id: int) -> World:
        return self._worlds.setdefault(app_id, World())

    def _app_or_first(self, app_id: int | None) -> int:
        return next(iter(self._apps)) if app_id is None else app_id


def _refused(refusal: RefusalError) -> dict[str, Any]:
    return {"ActionStatus": "FAIL", "ErrorCode": refusal.code, "ErrorInfo": refusal.info}
