"""What the shared server knows of a vendor: admit a request, apply it, word a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from chat_sandbox.switches import SwitchBoard

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One HTTP request, read to its end."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A request after the vendor's gateway: who calls what, or why not.

    Attributes:
        api: the API's name; empty if the path is none.
        refusal: the reply to a call that ends at the gateway; None if the call may be applied.
        is_throttled: whether the refusal is for the rate.
        conversation: what the call writes messages into; empty for all other calls.
        rows: how many items the call carries.
        request_rows: name of the list of items in the request; empty if there is none.
        reply_rows: name of the list of items in the reply; empty if there is none.
        status: HTTP status of the refusal, for services that answer some with another than 200.
    """

    api: str
    app_id: int = 0
    body: Json = field(default_factory=dict)
    writes: bool = False
    refusal: Json | None = None
    is_throttled: bool = False
    conversation: str = ""
    rows: int = 1
    request_rows: str = ""
    reply_rows: str = ""
    status: int = 200


class Vendor(Protocol):
    """One vendor's stand-in. All methods run in the event loop and never wait."""

    name: str
    switches: SwitchBoard

    def owns(self, path: str) -> bool:
        """Return whether requests to this path are the vendor's."""

    def admit(self, request: Request) -> Admission:
        """Run the gateway: URL, credentials, rate, form of the body."""

    def apply(self, admission: Admission) -> Json:
        """Carry out an admitted call and return the reply. Atomic; recorded if it writes."""

    def refuse(self, code: int) -> Json:
        """Return a reply with this error code."""

    def succeed(self) -> Json:
        """Return a reply that says success and nothing more."""

    def throttle(self, api: str) -> tuple[int, Json]:
        """Return HTTP status and reply of a call over the rate limit."""

    def fail_items(self, reply: Json, admission: Admission, failed: int, code: int) -> Json:
        """Return a reply in which the last ``failed`` items of the call have the error ``code``."""

    def error_code(self, reply: Json) -> int:
        """Return the error code of a reply; 0 is success."""

    def error_text(self, reply: Json) -> str:
        """Return what a reply says of its error code."""

    def replay(self, entry: Json) -> None:
        """Repeat a recorded change, without recording it."""

    def act(self, operation: str, body: Json, app_id: int | None) -> Json:
        """Carry out an operation that no API offers, for tests, and record it."""

    def dump(self, app_id: int | None) -> Json:
        """Return the world of one app, by default the first."""

    def snapshot(self) -> bytes:
        """Return everything remembered."""

    def restore(self, snapshot: bytes) -> None:
        """Take back what ``snapshot`` returned."""

    def reset(self) -> None:
        """Forget everything and put the switches back; recorded."""

    def configure_rates(self, *, enabled: bool | None, per_second: Mapping[str, float]) -> Json:
        """Change rate limits at run time and return them."""
