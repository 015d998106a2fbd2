"""The routes under ``/_sandbox``: looking into the sandbox and moving it, for tests and demos."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from chat_sandbox.faults import FaultRule
from chat_sandbox.switches import UnknownSwitchError
from chat_sandbox.vendor import Json, Vendor

if TYPE_CHECKING:
    from chat_sandbox.sandbox import Sandbox

PREFIX = "/_sandbox/"
TOKEN_HEADER = b"x-sandbox-token"
OK, BAD_REQUEST, FORBIDDEN, NOT_FOUND = 200, 400, 403, 404


class _Refusal(Exception):
    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


Route = Callable[[Json, Mapping[str, str]], Any]


class Admin:
    """Answers the admin routes of one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._routes: dict[tuple[str, str], Route] = {
            ("GET", "health"): self._health,
            ("GET", "stats"): self._stats,
            ("POST", "stats/reset"): self._reset_stats,
            ("GET", "dump"): self._dump,
            ("GET", "switches"): self._switches,
            ("POST", "switches"): self._set_switches,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._add_fault,
            ("DELETE", "faults"): self._remove_faults,
            ("GET", "clock"): self._clock,
            ("POST", "clock"): self._set_clock,
            ("POST", "rates"): self._set_rates,
            ("POST", "live"): self._live,
            ("POST", "groups"): self._group,
            ("POST", "reset"): self._reset,
        }

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: bytes
    ) -> tuple[int, Any]:
        """Return the HTTP status and the JSON of the answer."""
        name = path.removeprefix(PREFIX)
        route = self._routes.get((method, name))
        if route is None:
            return NOT_FOUND, {"error": f"no route {method} {path}"}
        try:
            decoded = msgspec.json.decode(body or b"{}", type=dict[str, Any])
            return OK, route(decoded, query)
        except _Refusal as refusal:
            return refusal.status, {"error": str(refusal)}
        except (UnknownSwitchError, msgspec.DecodeError, msgspec.ValidationError) as error:
            return BAD_REQUEST, {"error": str(error)}

    def permits(self, client: str, headers: list[tuple[bytes, bytes]]) -> bool:
        """Return whether a client may use these routes: by token, or without one from loopback."""
        token = self._sandbox.config.admin_token
        if token is not None:
            return dict(headers).get(TOKEN_HEADER, b"").decode("latin-1") == token
        return ipaddress.ip_address(client).is_loopback

    def _health(self, _body: Json, _query: Mapping[str, str]) -> Json:
        return {
            "status": "ok",
            "vendors": [vendor.name for vendor in self._sandbox.vendors],
            "apps": [app.sdk_app_id for app in self._sandbox.config.apps],
            "zim_apps": [app.app_id for app in self._sandbox.config.zim_apps],
            "now_ms": self._sandbox.clock.now_ms(),
        }

    def _stats(self, _body: Json, _query: Mapping[str, str]) -> Json:
        return self._sandbox.statistics.as_json()

    def _reset_stats(self, _body: Json, _query: Mapping[str, str]) -> Json:
        self._sandbox.statistics.reset()
        return {}

    def _dump(self, _body: Json, query: Mapping[str, str]) -> Json:
        return self._vendor(query).dump(_app_id(query))

    def _switches(self, _body: Json, query: Mapping[str, str]) -> Json:
        return self._vendor(query).switches.positions()

    def _set_switches(self, body: Json, query: Mapping[str, str]) -> Json:
        if not all(isinstance(value, str) for value in body.values()):
            raise _Refusal(BAD_REQUEST, "positions of switches are strings")
        chosen = self._vendor(query)
        others = [vendor for vendor in self._sandbox.vendors if vendor is not chosen]
        owned = [
            (vendor, {name: body[name] for name in body if name in vendor.switches})
            for vendor in others
        ]
        elsewhere = {name for _, positions in owned for name in positions}
        own = {name: body[name] for name in body if name not in elsewhere}
        for vendor, positions in [(chosen, own), *owned]:
            vendor.switches.check_all(positions)
        for vendor, positions in owned:
            if positions:
                vendor.act("_switches", positions, None)
        return chosen.act("_switches", own, None)

    def _faults(self, _body: Json, _query: Mapping[str, str]) -> list[Json]:
        return self._sandbox.faults.listing()

    def _add_fault(self, body: Json, _query: Mapping[str, str]) -> Json:
        rule = msgspec.convert(body, FaultRule)
        return {"id": self._sandbox.faults.add(rule)}

    def _remove_faults(self, _body: Json, query: Mapping[str, str]) -> Json:
        if "id" not in query:
            self._sandbox.faults.clear()
            return {}
        rule_id = query["id"]
        if not rule_id.isdecimal() or not self._sandbox.faults.remove(int(rule_id)):
            raise _Refusal(NOT_FOUND, f"no fault {rule_id}")
        return {}

    def _clock(self, _body: Json, _query: Mapping[str, str]) -> Json:
        clock = self._sandbox.clock
        return {
            "now_ms": clock.now_ms(),
            "offset_ms": clock.offset_ms,
            "frozen": clock.is_frozen,
        }

    def _set_clock(self, body: Json, query: Mapping[str, str]) -> Json:
        clock = self._sandbox.clock
        offset = _number(body, "offset_seconds", clock.offset_ms / 1000)
        advance = _number(body, "advance_seconds", 0)
        frozen = body.get("frozen", clock.is_frozen)
        if not isinstance(frozen, bool):
            raise _Refusal(BAD_REQUEST, "frozen is true or false")
        if frozen != clock.is_frozen:
            clock.freeze(frozen=frozen)
        clock.set_offset(round((offset + advance) * 1000))
        return self._clock(body, query)

    def _set_rates(self, body: Json, query: Mapping[str, str]) -> Json:
        enabled = body.get("enabled")
        per_second = msgspec.convert(body.get("per_second", {}), dict[str, float])
        if enabled is not None and not isinstance(enabled, bool):
            raise _Refusal(BAD_REQUEST, "enabled is true or false")
        return self._vendor(query).configure_rates(enabled=enabled, per_second=per_second)

    def _live(self, body: Json, query: Mapping[str, str]) -> Json:
        return self._act("_live", body, query)

    def _group(self, body: Json, query: Mapping[str, str]) -> Json:
        return self._act("_group", body, query)

    def _reset(self, _body: Json, _query: Mapping[str, str]) -> Json:
        self._sandbox.reset()
        return {}

    def _act(self, operation: str, body: Json, query: Mapping[str, str]) -> Json:
        vendor = self._vendor(query)
        reply = vendor.act(operation, body, _app_id(query))
        if code := vendor.error_code(reply):
            raise _Refusal(BAD_REQUEST, f"{code}: {vendor.error_text(reply)}")
        return reply

    def _vendor(self, query: Mapping[str, str]) -> Vendor:
        wanted = query.get("vendor", self._sandbox.vendors[0].name)
        for vendor in self._sandbox.vendors:
            if vendor.name == wanted:
                return vendor
        raise _Refusal(NOT_FOUND, f"no vendor {wanted}")


def _app_id(query: Mapping[str, str]) -> int | None:
    app = query.get("app")
    return int(app) if app is not None and app.isdecimal() else None


def _number(body: Json, name: str, default: float) -> float:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Refusal(BAD_REQUEST, f"{name} is a number of seconds")
    return value
