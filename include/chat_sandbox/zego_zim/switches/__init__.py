"""Every switch of the ZIM stand-in, in one table. Their names all begin with ``zim_``."""

from __future__ import annotations

from chat_sandbox.switches import AnySwitch
from chat_sandbox.zego_zim.switches import gateway, groups, messages

SWITCHES: tuple[AnySwitch, ...] = (*messages.TABLE, *groups.TABLE, *gateway.TABLE)

__all__ = ["SWITCHES"]
