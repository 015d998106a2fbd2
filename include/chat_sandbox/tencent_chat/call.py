"""What a handler gets: one call with the world it acts on, and the rules every handler shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from chat_sandbox.switches import SwitchBoard
from chat_sandbox.tencent_chat import fields
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.fields import Body
from chat_sandbox.tencent_chat.quotas import Quota, quota_of
from chat_sandbox.tencent_chat.switches.gateway import PLAN
from chat_sandbox.tencent_chat.switches.group_messages import EXPIRED_HISTORY
from chat_sandbox.tencent_chat.switches.groups import MISSING_GROUP_CODE
from chat_sandbox.tencent_chat.world import Group, World

Reply = dict[str, Any]

AV_CHAT_ROOM = "AVChatRoom"
COMMUNITY = "Community"
CHAT_ROOM = "ChatRoom"
PRIVATE = "Private"
PUBLIC = "Public"
WITHOUT_UNREAD = frozenset({CHAT_ROOM, AV_CHAT_ROOM})
"""Group types without unread numbers. Source: set unread number page (1047/34909)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One admitted call. A handler changes ``world`` only when it no longer can refuse.

    Attributes:
        now: the server's present second.
        admin: the App admin's identifier, an account that needs no import.
        retention_seconds: age at which messages expire; None means never.
    """

    body: Body
    world: World
    switches: SwitchBoard
    now: int
    admin: str
    retention_seconds: int | None

    @property
    def quota(self) -> Quota:
        """The plan's numbers."""
        return quota_of(self.switches[PLAN])

    def has_account(self, user_id: str) -> bool:
        """Return whether an account exists."""
        return user_id == self.admin or user_id in self.world.accounts

    def group(self, *, av_chat_room_code: int | None = 10007) -> Group:
        """Return the group named by ``GroupId``.

        Args:
            av_chat_room_code: the code for an AVChatRoom; None lets it pass.

        Raises:
            RefusalError: 10004, 10015, 10010, or the code for AVChatRoom.
        """
        group = self.group_by_id(fields.text(self.body, "GroupId"))
        if group.type == AV_CHAT_ROOM and av_chat_room_code is not None:
            raise RefusalError(av_chat_room_code, "not for AVChatRoom")
        return group

    def group_by_id(self, group_id: str) -> Group:
        """Return a group, or refuse with 10015 (bad form) or 10010 (none such)."""
        if not fields.is_group_id(group_id):
            raise RefusalError(fields.BAD_GROUP_ID)
        group = self.world.groups.get(group_id)
        if group is None:
            raise RefusalError(int(self.switches[MISSING_GROUP_CODE]))
        return group

    def is_past_retention(self, time: int) -> bool:
        """Return whether a message of that second is older than the roaming period."""
        return self.retention_seconds is not None and time < self.now - self.retention_seconds

    def is_expired(self, time: int) -> bool:
        """Return whether such a message can no longer be read or changed."""
        return self.switches[EXPIRED_HISTORY] != "visible" and self.is_past_retention(time)


Handler = Callable[[Call], Reply]
