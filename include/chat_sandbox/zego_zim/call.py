"""What a handler gets: one call with the world it acts on, and the rules every handler shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chat_sandbox.switches import SwitchBoard
from chat_sandbox.zego_zim import fields
from chat_sandbox.zego_zim.codes import (
    BAD_PARAMETER,
    FUTURE_TIME,
    USER_ID_TOO_LONG,
    RefusalError,
)
from chat_sandbox.zego_zim.fields import Body
from chat_sandbox.zego_zim.ids import (
    CREATE_ALPHABET,
    CREATE_ALPHABET_AS_PRINTED,
    MAX_ID_BYTES,
    USER_ALPHABET,
    is_spelled_with,
)
from chat_sandbox.zego_zim.quotas import Quota, quota_of
from chat_sandbox.zego_zim.switches.gateway import EDGE_SPACES, ID_CASE, PLAN
from chat_sandbox.zego_zim.switches.groups import GROUP_ID_CHARSET
from chat_sandbox.zego_zim.switches.messages import READ_DELAY
from chat_sandbox.zego_zim.world import Group, Member, World

Reply = dict[str, Any]
UNREGISTERED_OPERATOR = 660_500_002
MISSING_GROUP = 660_600_001
NOT_IN_GROUP = 660_600_024
PEER, GROUP = 0, 2
"""Values of ConvType."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One admitted call. A handler changes ``world`` only when it no longer can refuse.

    Attributes:
        now: the server's present millisecond.
        retention_ms: age at which messages expire; None means never.
    """

    body: Body
    world: World
    switches: SwitchBoard
    now: int
    retention_ms: int | None

    @property
    def quota(self) -> Quota:
        """The plan's numbers."""
        return quota_of(self.switches[PLAN])

    def user_id(self, name: str) -> str:
        """Return a required user id in the form in which users are known."""
        return self.known_as(fields.text(self.body, name))

    def known_as(self, user_id: str, *, max_bytes: int = MAX_ID_BYTES) -> str:
        """Return the form in which a user is known, or refuse what is no user id."""
        if not user_id:
            raise RefusalError(BAD_PARAMETER, "a UserId is empty")
        if fields.byte_length(user_id) > max_bytes:
            raise RefusalError(USER_ID_TOO_LONG)
        if not is_spelled_with(user_id, USER_ALPHABET):
            raise RefusalError(BAD_PARAMETER, "a UserId has a character that ids may not have")
        return self._folded(user_id)

    def group_id(self, *, creates: bool = False) -> str:
        """Return the required GroupId in the form in which groups are known."""
        value = fields.text(self.body, "GroupId")
        alphabet = USER_ALPHABET | {"'"}
        if creates:
            as_printed = self.switches[GROUP_ID_CHARSET] == "quote"
            alphabet = CREATE_ALPHABET_AS_PRINTED if as_printed else CREATE_ALPHABET
        if fields.byte_length(value) > MAX_ID_BYTES:
            raise RefusalError(BAD_PARAMETER, f"GroupId is longer than {MAX_ID_BYTES} bytes")
        if not is_spelled_with(value, alphabet):
            raise RefusalError(BAD_PARAMETER, "GroupId has a character that ids may not have")
        return self._folded(value)

    def registered(self, name: str, *, code: int = UNREGISTERED_OPERATOR) -> str:
        """Return the id of a user who must be registered."""
        user_id = self.user_id(name)
        if user_id not in self.world.users:
            raise RefusalError(code, f"{name} is not registered")
        return user_id

    def group(self) -> Group:
        """Return the group named by ``GroupId``, or refuse with 660600001."""
        group = self.world.groups.get(self.group_id())
        if group is None:
            raise RefusalError(MISSING_GROUP)
        return group

    def member(self, group: Group, user_id: str) -> Member:
        """Return a member of a group, or refuse with 660600024."""
        member = group.members.get(user_id)
        if member is None:
            raise RefusalError(NOT_IN_GROUP)
        return member

    def past_time(self, body: Body, name: str) -> int:
        """Return a time in milliseconds: 0 and an absent field are now, the future is refused."""
        value = fields.optional_integer(body, name)
        if value < 0:
            raise RefusalError(BAD_PARAMETER, f"{name} is negative")
        if value > self.now:
            raise RefusalError(FUTURE_TIME)
        return value or self.now

    def is_expired(self, time: int) -> bool:
        """Return whether a message of that time is older than messages are kept."""
        return self.retention_ms is not None and time < self.now - self.retention_ms

    def is_readable_yet(self, arrived_at: int) -> bool:
        """Return whether a message that came at that time is in the replies of queries."""
        return self.now - arrived_at >= int(self.switches[READ_DELAY]) * 1000

    def _folded(self, value: str) -> str:
        edges = self.switches[EDGE_SPACES]
        if edges == "reject" and value != value.strip(" "):
            raise RefusalError(BAD_PARAMETER, "an id begins or ends with a space")
        if edges == "trim":
            value = value.strip(" ")
        return value.lower() if self.switches[ID_CASE] == "insensitive" else value


Handler = Callable[[Call], Reply]
