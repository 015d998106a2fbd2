"""The trigger form: one Param per setting, generated from :class:`~chat_migration.settings.Settings`.

Types, allowed values, limits and help come from the settings themselves; this module adds what only a form
has: titles, sections, examples and labels. Every Param defaults to None, "not given", because a value in the
form beats the settings file: a default shown there would silently overrule the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from airflow.sdk import Param

from chat_migration.settings import Settings

WHAT, DROPS, PILOT, RULES, UNREAD, SAFETY = (
    "What to move",
    "Nightly drops",
    "Pilot",
    "Rules",
    "Unread",
    "Safety and running",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """How one setting appears in the form."""

    title: str
    section: str
    extra: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


_INSTANT = {
    "format": "date-time",
    "pattern": r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$",
}
"""The form draws a date picker; the conf takes a bare date or an instant with an offset, and nothing else."""

_LOOKS = {
    "source": _Look(
        title="Format of the export", section=WHAT, extra={"examples": ["neutral", "slack"]}
    ),
    "export_path": _Look(title="Export", section=WHAT),
    "source_name": _Look(title="Name of the legacy system", section=WHAT),
    "from": _Look(title="From", section=WHAT, extra=_INSTANT),
    "to": _Look(title="To", section=WHAT, extra=_INSTANT),
    "dry_run": _Look(title="Dry run", section=WHAT),
    "ready_marker": _Look(title="Marker of a complete drop", section=DROPS),
    "stable_seconds": _Look(title="Unchanged for, seconds", section=DROPS),
    "wait_for_export_seconds": _Look(title="Wait for the export, seconds", section=DROPS),
    "time_zone": _Look(
        title="Time zone of the days", section=DROPS, extra={"examples": ["Asia/Singapore", "UTC"]}
    ),
    "lookback": _Look(title="Look back, days", section=DROPS),
    "allow_gap": _Look(title="Go on without missing drops", section=DROPS),
    "conversations": _Look(title="Only these conversations", section=PILOT),
    "exclude_conversations": _Look(title="All but these conversations", section=PILOT),
    "same_second": _Look(
        title="Messages at the same time",
        section=RULES,
        labels={"lift": "each to the next free time", "keep": "the tie stays"},
    ),
    "late_messages": _Look(
        title="Late messages",
        section=RULES,
        labels={
            "auto": "named in the report, or at their own time where the target takes them there",
            "reject": "named in the report",
            "append": "at the end with their time in the text, or likewise at their own time",
        },
    ),
    "oversize_text": _Look(
        title="Texts over the size limit",
        section=RULES,
        labels={"split": "into several messages", "reject": "named in the report"},
    ),
    "system_messages": _Look(
        title="System messages",
        section=RULES,
        labels={"skip": "counted in the report", "text": "import as text"},
    ),
    "existing_accounts": _Look(
        title="Accounts that exist already",
        section=RULES,
        labels={
            "adopt": "use them unchanged",
            "refuse": "stop the run",
            "overwrite": "name and picture",
        },
    ),
    "sync_profiles": _Look(
        title="Profiles of existing groups",
        section=RULES,
        labels={
            "off": "leave as they are",
            "after_messages": "after the group's messages",
        },
    ),
    "c2c_unread": _Look(
        title="One-to-one unread",
        section=UNREAD,
        labels={
            "read": "everything arrives as read",
            "preserve": "keep the counts (pushes to phones; not in ZIM)",
        },
    ),
    "allow_push": _Look(title="Allow pushes to phones", section=UNREAD),
    "clear_unread": _Look(
        title="Unread counts to clear",
        section=UNREAD,
        labels={
            "touched": "of what this run writes to",
            "all": "of every conversation in the export (ZIM alone)",
            "none": "leave them (ZIM alone)",
        },
    ),
    "require_approval": _Look(title="Ask before sending", section=SAFETY),
    "approval_hours": _Look(title="Wait for the approval, hours", section=SAFETY),
    "wait_deferred": _Look(title="Wait for rows that are too new", section=SAFETY),
    "shards": _Look(title="Parallel import tasks", section=SAFETY),
    "lease_wait_seconds": _Look(title="Wait for other runs, seconds", section=SAFETY),
    "max_rejected_ratio": _Look(title="Rejected rows allowed", section=SAFETY),
    "max_key_conflicts": _Look(title="Key conflicts allowed", section=SAFETY),
    "log_message_text": _Look(title="Message texts in rejected.jsonl", section=SAFETY),
}

_SCHEMA_WORDS = ("type", "enum", "minimum", "maximum", "items")


def import_params() -> dict[str, Param]:
    """Return the Params of an import DAG by name, in the order of the form.

    >>> import_params()["shards"].schema["maximum"]
    64
    """
    fields = Settings.model_json_schema(by_alias=True)["properties"]
    order = [
        *(name for name in _LOOKS if name in fields),
        *(name for name in fields if name not in _LOOKS),
    ]
    return {name: _param(name, fields[name]) for name in order}


def _param(name: str, setting: dict[str, Any]) -> Param:
    look = _LOOKS.get(name) or _Look(title=name.replace("_", " ").capitalize(), section=SAFETY)
    typed = next((each for each in setting.get("anyOf", ()) if each["type"] != "null"), setting)
    schema: dict[str, Any] = {word: typed[word] for word in _SCHEMA_WORDS if word in typed}
    if "const" in typed:
        schema["enum"] = [typed["const"]]
    schema["type"] = ["null", schema["type"]]
    default = setting.get("default")
    if "enum" in schema:
        labels = {
            value: f"{value}: {look.labels.get(value, '')}".rstrip(": ") for value in schema["enum"]
        }
        schema["enum"] = [None, *schema["enum"]]
        schema["values_display"] = {"null": "not set", **labels}
    return Param(
        None,
        description_md=_help(name, setting["description"], default),
        title=look.title,
        section=look.section,
        **schema,
        **look.extra,
    )


def _help(name: str, text: str, default: Any) -> str:
    """Return the help as Markdown; the form draws code spans over the line above, so none is used."""
    fallback = ""
    if default not in (None, "", [], ()):
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        fallback = f" Not set: the settings file, else **{shown}**."
    return f"**{name}**: {text.replace('`', '**')}{fallback}"
