"""The one set of settings: for a run's conf, the command line and the settings file.

Precedence: conf or flag, then the YAML file named by ``CHAT_MIGRATION_CONFIG``, then the defaults below. In the file,
a section named by a target wins over what stands outside, for runs into that target alone::

    source: slack
    export_path: /exports/slack.zip
    zim:
      clear_unread: all

:func:`chat_migration.target_settings.settings_for` knows the targets. What belongs to the target's app (host, secret,
rate, batch sizes) is no setting but part of the connection: see :mod:`chat_migration.connection`.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from chat_migration.errors import UsageError
from chat_migration.window import Window, parse_instant

CONFIG_VARIABLE = "CHAT_MIGRATION_CONFIG"
_SAID = "said"
"""Type of an error whose text names the value already."""


class Settings(BaseModel):
    """What one run does. Every field is a Param of the DAGs and a ``--param`` of the command line."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    source: str = Field("neutral", description="The reader for the export's format.")
    source_name: str = Field(
        "",
        description="Names this legacy system in every message key. Keep it for ever; empty takes the reader's name.",
    )
    export_path: str = Field(
        "", description="Folder or archive of the export, or its URL (`s3://bucket/exports/`)."
    )
    from_: str | None = Field(
        None,
        alias="from",
        description="Take messages sent at or after this instant (with an offset, or a date).",
    )
    to: str | None = Field(None, description="Take messages sent before this instant.")
    conversations: tuple[str, ...] = Field(
        (), description="Only these legacy group ids, or `user1/user2` pairs: a pilot."
    )
    exclude_conversations: tuple[str, ...] = Field((), description="All but these.")
    dry_run: bool = Field(False, description="Read, plan and print; write nothing anywhere.")

    same_second: Literal["lift", "keep"] = Field(
        "lift",
        description="Messages of one group at the same time, which is a second in Tencent Cloud Chat and a "
        "millisecond in ZIM: lift each to the next free one, or keep the tie.",
    )
    late_messages: Literal["auto", "reject", "append"] = Field(
        "auto",
        description="Rows older than what the group already holds: reject, or append with their time in the text. "
        "A target that takes them at their own time (ZIM) gets them so with either `append` or `auto`; any other "
        "(Tencent Cloud Chat) rejects them with `auto`.",
    )
    oversize_text: Literal["split", "reject"] = Field(
        "split",
        description="Texts over the target's size limit: split into several messages, or reject.",
    )
    system_messages: Literal["skip", "text"] = Field(
        "skip", description="Joins, renames and other notices: skip, or import as text."
    )
    c2c_unread: Literal["read", "preserve"] = Field(
        "read",
        description="One-to-one history arrives as read, or keeps its unread counts (needs allow_push). `preserve` "
        "is refused where unread counts can only be cleared (ZIM): use `clear_unread` there.",
    )
    allow_push: bool = Field(
        False,
        description="Accept that `c2c_unread=preserve` pushes notifications to people's phones. It does nothing else.",
    )
    clear_unread: Literal["touched", "all", "none"] = Field(
        "touched",
        description="Targets where unread counts can only be cleared (ZIM): clear those of the conversations that "
        "this run writes to, of all in the export, or none. Where counts can be set (Tencent Cloud Chat) they are "
        "set as the export has them, and `all` and `none` are refused.",
    )
    existing_accounts: Literal["adopt", "refuse", "overwrite"] = Field(
        "adopt",
        description="Accounts that the app already has: use unchanged, refuse, or overwrite name and picture.",
    )
    sync_profiles: Literal["off", "after_messages"] = Field(
        "off",
        description="Changes of groups that exist already (profile, owner, roles, leavers): leave them, or bring "
        "them over after the group's messages.",
    )

    time_zone: str = Field(
        "",
        description="IANA zone of the days that `{date}` names; empty takes the schedule's, or UTC.",
    )
    lookback: float = Field(
        2,
        ge=0,
        description="How far before its window a run looks for rows that came late, days.",
    )
    ready_marker: str = Field(
        "", description="File whose presence says that a drop is complete, such as `_SUCCESS`."
    )
    stable_seconds: float = Field(
        0,
        ge=0,
        description="Without a marker: how long a drop must have stayed the same before it is read, seconds.",
    )
    wait_for_export_seconds: float = Field(
        0, ge=0, description="How long to wait for a drop that is not there or not ready, seconds."
    )
    allow_gap: bool = Field(
        False, description="Go on without the drops that are missing; the report names them."
    )
    wait_deferred: bool = Field(
        False, description="Wait until the rows that are too new can be sent, and send them too."
    )
    require_approval: bool = Field(
        False, description="Airflow: pause on the plan until a person approves it."
    )
    approval_hours: float = Field(
        24, gt=0, description="How long to wait for that approval, hours; then the run fails."
    )

    shards: int = Field(1, ge=1, le=64, description="Mapped import tasks per message type.")
    lease_wait_seconds: float = Field(
        120,
        ge=0,
        description="How long to wait for conversations that another run holds, seconds.",
    )
    max_rejected_ratio: float = Field(
        0.01,
        ge=0,
        le=1,
        description="More rejected rows than this share of a record type fail the run.",
    )
    max_key_conflicts: int = Field(
        100,
        ge=0,
        description="More rows than this whose id was used by another message stop the run.",
    )
    log_message_text: bool = Field(False, description="Put message texts into rejected.jsonl.")

    @field_validator("from_", "to", mode="before")
    @classmethod
    def _bound(cls, value: Any) -> str | None:
        if value in (None, ""):
            return None
        text = (
            value if isinstance(value, str) else str(getattr(value, "isoformat", lambda: value)())
        )
        try:
            parse_instant(text)
        except UsageError as error:
            raise PydanticCustomError(_SAID, "{said}", {"said": str(error)}) from None
        return str(text)

    @field_validator("conversations", "exclude_conversations", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        if value is None:
            return ()
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @property
    def name_of_source(self) -> str:
        """Return the name that stands in every message key."""
        return self.source_name or self.source

    @property
    def window(self) -> Window:
        """Return the window that ``from`` and ``to`` bound."""
        return Window(
            None if self.from_ is None else parse_instant(self.from_),
            None if self.to is None else parse_instant(self.to),
        )

    @property
    def is_pilot(self) -> bool:
        """Tell whether only some conversations are taken; such a run completes no window."""
        return bool(self.conversations or self.exclude_conversations)

    @classmethod
    def load(
        cls,
        given: Mapping[str, Any],
        environ: Mapping[str, str] | None = None,
        *,
        target: str = "",
        targets: Collection[str] = (),
    ) -> Self:
        """Return the settings of a run: what is given, over the settings file, over the defaults.

        Values that are None or "" in ``given`` count as not given.

        Args:
            given: the run's conf, or what was typed.
            environ: where the file is named; by default this process's environment.
            target: where the run goes: the file's section of this name wins over the rest of the file.
            targets: every name that a section may have; those of other targets are ignored.

        Raises:
            UsageError: a name is unknown, a value is not allowed, or the file cannot be read. What stands in a
                section is named with it.
        """
        environ = os.environ if environ is None else environ
        path = environ.get(CONFIG_VARIABLE, "")
        general, sections = _divided(_read_file(path), targets)
        section = _mapping_of(sections.get(target), target, path)
        asked = {name: value for name, value in given.items() if value not in (None, "")}
        try:
            return cls.model_validate(general | section | asked)
        except ValidationError as error:
            where = f" in section `{target}:` of `{path}`"
            places = dict.fromkeys(section.keys() - asked.keys(), where)
            raise _refused(error, places, targets, cls) from None


def _read_file(path: str) -> dict[str, Any]:
    if not path:
        return {}
    try:
        loaded = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(
            f"The settings file `{path}` (from {CONFIG_VARIABLE}) cannot be read: {error}.",
            expected="A YAML file with one setting a line, such as `source: slack`.",
        ) from None
    if not isinstance(loaded, dict):
        raise UsageError(f"The settings file `{path}` is no mapping of settings.")
    return loaded


def _divided(
    file: Mapping[str, Any], targets: Collection[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a settings file says for every target, and its sections by target."""
    sections = {name: value for name, value in file.items() if name in targets}
    return {name: value for name, value in file.items() if name not in sections}, sections


def _mapping_of(section: Any, target: str, path: str) -> dict[str, Any]:
    """Return the settings of a section; one in which nothing stands yet has none."""
    if section is not None and not isinstance(section, dict):
        raise UsageError(
            f"Section `{target}:` of the settings file `{path}` is no mapping of settings.",
            expected=f"One setting a line, further in than `{target}:`, such as `  source: slack`.",
        )
    return section or {}


def _refused(
    error: ValidationError,
    where: Mapping[str, str],
    targets: Collection[str],
    kind: type[BaseModel],
) -> UsageError:
    """Return what is wrong with some settings; ``where`` is said of those that stand in a section."""
    problems = error.errors(include_url=False)
    sentences = []
    for problem in problems:
        name = ".".join(str(part) for part in problem["loc"])
        place = where.get(str(problem["loc"][0]), "")
        if problem["type"] == "extra_forbidden":
            sentences.append(f"`{name}`{place} is no setting.")
        elif problem["type"] == _SAID:
            sentences.append(f"Setting `{name}`{place}: {problem['msg']}")
        else:
            found = f"(found `{problem['input']!r}`)"
            sentences.append(f"Setting `{name}`{place}: {problem['msg']} {found}.")
    is_name = any(problem["type"] == "extra_forbidden" for problem in problems)
    return UsageError(" ".join(sentences), advice=_valid_names(kind, targets) if is_name else "")


def _valid_names(kind: type[BaseModel], targets: Collection[str]) -> str:
    names = (field.alias or name for name, field in kind.model_fields.items())
    sections = f" Sections of the settings file are: {', '.join(targets)}." if targets else ""
    return f"Valid settings are: {', '.join(sorted(names))}.{sections}"
