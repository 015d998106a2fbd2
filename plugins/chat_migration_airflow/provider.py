"""Declares the connection types *Tencent Cloud Chat* and *ZEGOCLOUD ZIM* for Airflow's connection form.

Airflow reads this through the entry point ``apache_airflow_provider`` in every process that it starts, so it
stays cheap: nothing here imports a hook.
"""

from __future__ import annotations

from typing import Any

from chat_migration import __version__
from chat_migration.connection import TargetConnection
from chat_migration.targets.tencent_chat.connection import TencentConnection
from chat_migration.targets.zego_zim.connection import ZimConnection

_LABELS = {
    "sdk_app_id": "SDKAppID",
    "calls_per_second": "Calls per second",
    "live_reserve": "Reserve for live traffic (share)",
    "timeout_seconds": "Timeout (seconds)",
    "retention_days": "History retention (days)",
    "messages_per_call": "Group messages per call",
    "members_per_call": "Group members per call",
    "accounts_per_call": "Accounts per call",
    "max_body_bytes": "Largest message body (bytes)",
    "max_message_bytes": "Largest message (bytes)",
    "priority": "Priority of messages (1 to 3)",
    "parallel_calls": "Parallel calls per worker",
    "import_topic_path": "Path of the topic API",
}


def get_provider_info() -> dict[str, Any]:
    """Return what Airflow's providers manager reads: the schema of ``provider.yaml``, as a dict."""
    return {
        "package-name": "chat-migration",
        "name": "Chat migration",
        "description": "Moves a legacy chat into Tencent Cloud Chat and ZEGOCLOUD ZIM, exactly once and in order.",
        "versions": [__version__],
        "connection-types": [
            _connection_type(
                TencentConnection,
                "chat_migration_airflow.hooks.tencent_chat.TencentChatHook",
                login=("Admin identifier", "administrator"),
                password=("SecretKey", "SecretKey of the app, from the console"),
            ),
            _connection_type(
                ZimConnection,
                "chat_migration_airflow.hooks.zim.ZimHook",
                login=("AppId", "1234567890"),
                password=("ServerSecret", "ServerSecret of the app, from the console"),
            ),
        ],
    }


def _connection_type(
    kind: type[TargetConnection], hook: str, *, login: tuple[str, str], password: tuple[str, str]
) -> dict[str, Any]:
    """Return one connection type; log-in and password each have a label and an example."""
    return {
        "connection-type": kind.conn_type,
        "hook-class-name": hook,
        "hook-name": kind.title,
        "conn-fields": _extra_fields(kind),
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port", "extra"],
            "relabeling": {
                "host": "Region, host or URL",
                "login": login[0],
                "password": password[0],
            },
            "placeholders": {
                "host": "singapore",
                "login": login[1],
                "password": password[1],
            },
        },
    }


def _extra_fields(kind: type[TargetConnection]) -> dict[str, Any]:
    schema = kind.model_json_schema()
    return {
        name: _form_field(name, schema["properties"][name], required=name in schema["required"])
        for name in kind.extras()
    }


def _form_field(name: str, field: dict[str, Any], *, required: bool) -> dict[str, Any]:
    """Return one extra as a form field: empty unless set, so that a later default reaches it."""
    typed = field if "type" in field else field["anyOf"][0]
    help_text = field["description"]
    if field.get("default") is not None:
        help_text = f"{help_text} Empty: {field['default']}."
    shape = {"type": typed["type"] if required else [typed["type"], "null"]}
    shape |= {limit: typed[limit] for limit in ("minimum", "maximum") if limit in typed}
    return {"label": _LABELS.get(name, name), "description": help_text, "schema": shape}
