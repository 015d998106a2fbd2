"""Write docs/settings.md from the settings and connection fields themselves, so that it cannot be out of date.

.venv/bin/python scripts/settings_page.py
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from chat_migration.connection import TargetConnection
from chat_migration.settings import Settings
from chat_migration.targets.vendors import VENDORS

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
_PARTS = {
    "tencent": "`login` the admin identifier; `password` the SecretKey",
    "zim": "`login` the AppId; `password` the ServerSecret",
}
"""What Airflow's own fields hold, by target."""

_FILE = [
    "## The settings file",
    "",
    "YAML, one setting a line. A section named as a target holds what is for runs into that target alone and wins",
    "over what stands outside; the others ignore it.",
    "",
    "```yaml",
    "source: neutral",
    "export_path: s3://chat-exports/{date}/",
    "max_rejected_ratio: 0",
    "zim:                          # "
    + ", ".join(f"`{name}:` for {kind.title}" for name, kind in VENDORS.items()),
    "  clear_unread: all",
    "  max_rejected_ratio: 0.02    # topics cannot be moved there",
    "```",
    "",
    "What a target cannot do is refused before anything is read, not ignored: `c2c_unread=preserve` where unread",
    "counts can only be cleared (ZIM), `clear_unread=all` or `none` where they are set as the export has them (Tencent",
    "Cloud Chat). Put such a setting into the section of the target that can.",
    "",
    "## All settings",
    "",
]


def page() -> str:
    """Return the page."""
    return "\n".join(
        [
            "# Settings",
            "",
            "One set for a DAG run's form, the command line (`--param name=value`) and the settings file.",
            "What is given to a run wins over the YAML file that `CHAT_MIGRATION_CONFIG` names, and that",
            "over the default.",
            "",
            *_FILE,
            "| Setting | Default | Meaning |",
            "|---|---|---|",
            *(_row(name, field) for name, field in Settings.model_fields.items()),
            "",
            *(line for kind in VENDORS.values() for line in _connection(kind)),
            "## Environment",
            "",
            "| Variable | Default | Meaning |",
            "|---|---|---|",
            "| `CHAT_MIGRATION_HOME` | `./var` | Ledger, stage, reports, and copies of what lies elsewhere. |",
            "| `CHAT_MIGRATION_STAGE` | `<home>/stage` | Staged Parquet, plans and copies of reports; all workers "
            "share it. A folder, or a URL such as `s3://bucket/prefix`. |",
            "| `CHAT_MIGRATION_LEDGER_URL` | `sqlite:///<home>/ledger.sqlite` | The ledger's database. |",
            "| `CHAT_MIGRATION_BUDGET_URL` |  | Redis (`redis://…`) for the call budget of several machines. |",
            "| `CHAT_MIGRATION_BUDGET_WAIT_SECONDS` | `900` | How long a run waits for that Redis, seconds. |",
            "| `CHAT_MIGRATION_CONFIG` |  | The settings file. |",
            *(
                f"| `{kind.variable}` |  | The connection to {kind.title} as JSON. |"
                for kind in VENDORS.values()
            ),
            "",
        ]
    )


def _connection(kind: type[TargetConnection]) -> list[str]:
    """Return the section on one vendor's connection."""
    conn_id = kind.variable.removeprefix("AIRFLOW_CONN_").lower()
    return [
        f"## Connection `{conn_id}` (type *{kind.title}*), for `--target {kind.target}`",
        "",
        f"`host` is a region's name, a host name or a URL; {_PARTS[kind.target]}. The extras:",
        "",
        "| Extra | Default | Meaning |",
        "|---|---|---|",
        *(_row(name, kind.model_fields[name]) for name in kind.extras()),
        "",
    ]


def _row(name: str, field: FieldInfo) -> str:
    values = _values(field.annotation)
    meaning = (field.description or "").replace("|", "\\|")
    shown = f"{meaning} One of {values}." if values else meaning
    return f"| `{field.alias or name}` | {_default(field)} | {shown} |"


def _values(annotation: Any) -> str:
    values = [each for each in getattr(annotation, "__args__", ()) if isinstance(each, str)]
    return ", ".join(f"`{each}`" for each in values)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "" if field.default in (None, "", ()) else f"`{str(field.default).lower()}`"


def described(kind: type[BaseModel]) -> list[str]:
    """Return the fields of a model that lack a description."""
    return [name for name, field in kind.model_fields.items() if not field.description]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE.name}\n")
