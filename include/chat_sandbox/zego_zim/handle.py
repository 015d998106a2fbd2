"""The ZIM side of a running sandbox, for tests and programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chat_sandbox.config import ZimCredentials

Json = dict[str, Any]
VENDOR = "zego_zim"
Ask = Callable[[str, str, Json | None, Mapping[str, str]], Any]
"""Calls one admin route: method, route, body, query."""


class ZimHandle:
    """What concerns ZIM alone. Faults, statistics, the clock and ``reset`` are the sandbox's.

    Attributes:
        url: base URL, to be used like the vendor's ``https://zim-api.zego.im``.
        app: credentials of the first project.
    """

    def __init__(self, url: str, app: ZimCredentials, ask: Ask) -> None:
        self.url = url
        self.app = app
        self._ask = ask

    def dump(self, *, app: int | None = None) -> Json:
        """Return the world of one project, by default the first: ``users``, ``groups``, ``sides``.

        Equal worlds give equal dumps; messages are in order, oldest first.
        """
        world: Json = self._call("GET", "dump", None, {} if app is None else {"app": str(app)})
        return world

    def group_messages(self, group_id: str) -> list[Json]:
        """Return the messages of a group, oldest first."""
        messages: list[Json] = self.dump()["groups"][group_id]["messages"]
        return messages

    def peer_messages(self, owner: str, peer: str) -> list[Json]:
        """Return the messages of one user's copy of a conversation, oldest first."""
        for side in self.dump()["sides"]:
            if (side["owner"], side["peer"]) == (owner, peer):
                messages: list[Json] = side["messages"]
                return messages
        return []

    def unread(self, user_id: str, *, group_id: str = "", peer: str = "") -> int:
        """Return a user's unread number of a group or of a one-to-one conversation."""
        world = self.dump()
        if group_id:
            return int(world["groups"][group_id]["members"][user_id]["unread"])
        for side in world["sides"]:
            if (side["owner"], side["peer"]) == (user_id, peer):
                return int(side["unread"])
        return 0

    def switches(self) -> dict[str, str]:
        """Return the positions of all switches of ZIM."""
        positions: dict[str, str] = self._call("GET", "switches")
        return positions

    def set_switch(self, name: str, value: str) -> None:
        """Set one switch.

        Raises:
            SandboxError: there is no such switch or position; the message lists them.
        """
        self._call("POST", "switches", {name: value})

    def set_rates(
        self, *, enabled: bool | None = None, per_second: Mapping[str, float] | None = None
    ) -> None:
        """Switch rate limits on or off, or replace those of single Actions."""
        self._call("POST", "rates", {"enabled": enabled, "per_second": dict(per_second or {})})

    def live_group_message(self, group_id: str, sender: str, **message: Any) -> Json:
        """Store a message that a client sent to a group; ``message`` takes ``Text``, ``Time`` (ms).

        Returns:
            ``MsgId`` and ``MsgSeq`` of the stored message.
        """
        body = {"GroupId": group_id, "FromUserId": sender, **message}
        stored: Json = self._call("POST", "live", body)
        return stored

    def live_peer_message(self, sender: str, recipient: str, **message: Any) -> Json:
        """Store a message that a client sent to another user, in both copies.

        Returns:
            ``MsgId``, and the ``MsgSeq`` of the sender's copy.
        """
        body = {"FromUserId": sender, "ToUserId": recipient, **message}
        stored: Json = self._call("POST", "live", body)
        return stored

    def create_group(self, group_id: str, **group: Any) -> Json:
        """Create a group as somebody else would, with an owner who is registered for it."""
        body = {"GroupId": group_id, "GroupOwner": "stranger", "GroupName": "foreign", **group}
        created: Json = self._call("POST", "groups", body)
        return created

    def _call(
        self,
        method: str,
        route: str,
        body: Json | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        return self._ask(method, route, body, {"vendor": VENDOR, **(query or {})})
