"""Hooks: an Airflow connection becomes a ready target."""

from chat_migration_airflow.hooks.target import TargetHook
from chat_migration_airflow.hooks.tencent_chat import TencentChatHook
from chat_migration_airflow.hooks.zim import ZimHook

HOOKS: dict[str, type[TargetHook]] = {
    hook.typed.target: hook for hook in (TencentChatHook, ZimHook)
}
"""The hook of each target, by its name."""
