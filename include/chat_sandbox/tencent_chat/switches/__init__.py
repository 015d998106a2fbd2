"""Every switch of the Tencent Cloud Chat stand-in, in one table."""

from __future__ import annotations

from chat_sandbox.switches import AnySwitch
from chat_sandbox.tencent_chat.switches import gateway, group_messages, groups, peer_messages

SWITCHES: tuple[AnySwitch, ...] = (
    *group_messages.TABLE,
    *groups.TABLE,
    *peer_messages.TABLE,
    *gateway.TABLE,
)

__all__ = ["SWITCHES"]
