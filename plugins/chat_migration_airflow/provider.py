"""Declares the connection type *Tencent Cloud Chat*, so that Airflow's connection form offers it.

Airflow reads this through the entry point ``apache_airflow_provider`` in every process that it starts, so it
stays cheap: nothing here imports a hook.
"""

from __future__ import annotations

from typing import Any

from chat_migration import __version__
from chat_migration.connection import TencentConnection

_STANDARD_FIELDS = {"host", "admin", "secret_key"}

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
    "parallel_calls": "Parallel calls per worker",
    "import_topic_path": "Path of the topic API",
}


def get_provider_info() -> dict[str, Any]:
    """Return what Airflow's providers manager reads: the schema of ``provider.yaml``, as a dict."""
    return {
        "package-name": "chat-migration",
        "name": "Chat migration",
        "description": "Moves a legacy chat into Tencent Cloud Chat, exactly once and in order.",
        "versions": [__version__],
        "connection-types": [
            {
                "connection-type": "tencent_chat",
                "hook-class-name": "chat_migration_airflow.hooks.tencent_chat.TencentChatHook",
                "hook-name": "Tencent Cloud Chat",
                "conn-fields": _extra_fields(),
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "extra"],
                    "relabeling": {
                        "host": "Region, host or URL",
                        "login": "Admin identifier",
                        "password": "SecretKey",
                    },
                    "placeholders": {
                        "host": "singapore",
                        "login": "administrator",
                        "password": "SecretKey of the app, from the console",
                    },
                },
            }
        ],
    }


def _extra_fields() -> dict[str, Any]:
    schema = TencentConnection.model_json_schema()
    return {
        name: _form_field(name, field, required=name in schema["required"])
        for name, field in schema["properties"].items()
        if name not in _STANDARD_FIELDS
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
