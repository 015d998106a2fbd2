"""The service as a whole: the gateway, one world per project, the record of what changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from chat_sandbox.clock import SandboxClock
from chat_sandbox.config import SandboxConfig
from chat_sandbox.rates import RateLimiter
from chat_sandbox.switches import SwitchBoard
from chat_sandbox.vendor import Admission, Json, Request
from chat_sandbox.zego_zim.apis import BY_NAME
from chat_sandbox.zego_zim.call import Call, Reply
from chat_sandbox.zego_zim.codes import SUCCESS, RefusalError, envelope, text_of
from chat_sandbox.zego_zim.dump import dump_world
from chat_sandbox.zego_zim.gateway import Gateway
from chat_sandbox.zego_zim.staging import OPERATIONS
from chat_sandbox.zego_zim.switches import SWITCHES
from chat_sandbox.zego_zim.switches.gateway import THROTTLE_STATUS
from chat_sandbox.zego_zim.world import World

NAME = "zego_zim"
MS_PER_DAY = 86_400_000
FIRST_REQUEST_ID = 343_649_807_833_778_782
Record = Callable[[Json], None]
"""Keeps one change, which has already been made. It may look at the whole world."""


class ZegoZim:
    """ZIM's server API: every Action at the path ``/``. Source: accessing server APIs."""

    name = NAME

    def __init__(self, config: SandboxConfig, clock: SandboxClock, record: Record) -> None:
        self._config = config
        self._clock = clock
        self._record = record
        self._worlds: dict[int, World] = {}
        self._replies = 0
        self.switches = SwitchBoard(SWITCHES, config.zim_switches)
        self.limiter = RateLimiter(enabled=config.rate_limits, overrides=config.rates_per_second)
        self._gateway = Gateway(config, clock, self.limiter, self.switches)

    def owns(self, path: str) -> bool:
        """Return whether a path is ``/``."""
        return path == "/"

    def admit(self, request: Request) -> Admission:
        """Run the gateway."""
        admission = self._gateway.admit(request)
        if admission.refusal is not None:
            admission.refusal.update(self._request_id())
        return admission

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
        return envelope(code) | self._request_id()

    def succeed(self) -> Json:
        """Return the envelope of a call that succeeded."""
        return self.refuse(SUCCESS)

    def throttle(self, api: str) -> tuple[int, Json]:
        """Return the reply to a call over the limit."""
        return int(self.switches[THROTTLE_STATUS]), self.refuse(self._gateway.throttle_code(api))

    def fail_items(self, reply: Json, admission: Admission, failed: int, code: int) -> Json:
        """List the last items of a call as failed; ``Code`` is theirs if they are all."""
        given = admission.body[admission.request_rows]
        name = BY_NAME[admission.api].error_rows or admission.reply_rows
        lost = [_named(item) | {"SubCode": code} for item in given[len(given) - failed :]]
        whole = envelope(code) if failed == len(given) else {}
        return reply | whole | {name: [*reply.get(name, []), *lost]}

    def error_code(self, reply: Json) -> int:
        """Return ``Code``."""
        return int(reply["Code"])

    def error_text(self, reply: Json) -> str:
        """Return ``Message``."""
        return str(reply["Message"])

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
        """Return the world of one project."""
        return dump_world(self._world(self._app_or_first(app_id)), self.switches)

    def snapshot(self) -> bytes:
        """Return all worlds, encoded."""
        return msgspec.msgpack.encode(self._worlds)

    def restore(self, snapshot: bytes) -> None:
        """Take all worlds back."""
        self._worlds = msgspec.msgpack.decode(snapshot, type=dict[int, World])

    def reset(self) -> None:
        """Forget all worlds, nonces and rates; switches go back to those of the start."""
        self._worlds.clear()
        self._record(self._entry(0, "_reset", {}))
        self.limiter.enabled = self._config.rate_limits
        self.limiter.overrides = dict(self._config.rates_per_second)
        self.limiter.forget()
        self._gateway.forget()
        self.act("_switches", SwitchBoard(SWITCHES, self._config.zim_switches).positions(), None)

    def configure_rates(self, *, enabled: bool | None, per_second: Mapping[str, float]) -> Json:
        """Change the rate limits; ``None`` leaves on or off as it is."""
        if enabled is not None:
            self.limiter.enabled = enabled
        self.limiter.overrides.update(per_second)
        return {"enabled": self.limiter.enabled, "per_second": dict(self.limiter.overrides)}

    def _entry(self, app_id: int, operation: str, body: Json) -> Json:
        now = self._clock.now_ms()
        return {"vendor": self.name, "app": app_id, "op": operation, "now": now, "body": body}

    def _carry_out(self, entry: Json) -> Reply:
        """Run a handler on the entry's world at its time; equal entries have equal effects."""
        operation: str = entry["op"]
        handler = OPERATIONS.get(operation) or BY_NAME[operation].handler
        days = self._config.zim_retention_days
        call = Call(
            body=entry["body"],
            world=self._world(entry["app"]),
            switches=self.switches,
            now=entry["now"],
            retention_ms=None if days is None else days * MS_PER_DAY,
        )
        try:
            return self.succeed() | handler(call)
        except RefusalError as refusal:
            return envelope(refusal.code, refusal.info) | self._request_id()

    def _request_id(self) -> Json:
        self._replies += 1
        return {"RequestId": str(FIRST_REQUEST_ID + self._replies)}

    def _world(self, app_id: int) -> World:
        return self._worlds.setdefault(app_id, World())

    def _app_or_first(self, app_id: int | None) -> int:
        return self._config.zim_apps[0].app_id if app_id is None else app_id


def _named(item: object) -> Json:
    """Return who an item of a request is about."""
    user_id = item.get("UserId", "") if isinstance(item, dict) else item
    return {"UserId": user_id, "SubMessage": text_of(2)}
