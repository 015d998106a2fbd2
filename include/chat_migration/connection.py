"""Where a target is and with which secret: one typed object, whoever supplies it.

Airflow supplies a Connection, the command line the same JSON from ``AIRFLOW_CONN_<ID>``. Extras are read by
name; a name that is not known is refused rather than passed on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from chat_migration.errors import UsageError


class TencentConnection(BaseModel):
    """An app of Tencent Cloud Chat.

    ``host`` is a region's name (``singapore``), a host name, or a base URL such as
    ``http://127.0.0.1:9700``. Sizes of calls are the vendor's newest documented ones; lower them for an app
    in a region that still has older ones.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(description="Region name, host name, or base URL.")
    sdk_app_id: int = Field(gt=0, description="SDKAppID of the app.")
    admin: str = Field(min_length=1, description="An app admin's UserID: who signs the calls.")
    secret_key: SecretStr = Field(description="SecretKey of the app.")
    calls_per_second: float = Field(190, gt=0, description="Budget per API, calls per second.")
    live_reserve: float = Field(
        0,
        ge=0,
        le=0.9,
        description="Share of the budget left to live traffic, 0 to 0.9, of each API that live servers call too.",
    )
    timeout_seconds: float = Field(
        10, gt=3, description="How long to wait for one answer, seconds."
    )
    retention_days: int | None = Field(
        None, gt=0, description="The app's history retention, days; older rows are warned about."
    )
    messages_per_call: int = Field(7, ge=1, le=20, description="Group messages per call.")
    members_per_call: int = Field(20, ge=1, le=500, description="Group members per call.")
    accounts_per_call: int = Field(100, ge=1, le=100, description="Accounts per call.")
    max_body_bytes: int = Field(
        12000, ge=500, description="Largest serialised message body, bytes."
    )
    parallel_calls: int = Field(
        64, ge=1, le=512, description="Calls in flight at most, per worker."
    )
    import_topic_path: str = Field(
        "v4/group_open_http_svc/import_topic",
        description="Path of the topic API, which differs by region.",
    )

    @property
    def app(self) -> str:
        """Return the name of this app in the ledger: the same for every host and secret of it."""
        return f"tencent:{self.sdk_app_id}"

    @classmethod
    def from_parts(
        cls, *, host: str | None, login: str | None, password: str | None, extra: Mapping[str, Any]
    ) -> Self:
        """Build from the fields of an Airflow connection.

        Raises:
            UsageError: a field is missing, unknown or wrong; secrets do not appear in the text.
        """
        fields: dict[str, Any] = {
            name: value for name, value in extra.items() if value not in (None, "")
        }
        cls._refuse_parts_as_extras(fields)
        fields |= {"host": host or "", "admin": login or "", "secret_key": password or ""}
        missing = [
            label
            for label, value in (
                ("host", host),
                ("login", login),
                ("password", password),
                ("extra.sdk_app_id", extra.get("sdk_app_id")),
            )
            if not value
        ]
        if missing:
            raise UsageError(
                f"The Tencent Cloud Chat connection lacks {', '.join(f'`{name}`' for name in missing)}.",
                expected="host (region or URL), login (admin identifier), password (SecretKey), extra.sdk_app_id.",
            )
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            problems = "; ".join(
                f"`{'.'.join(map(str, each['loc']))}`: {each['msg']}"
                for each in error.errors(include_url=False, include_input=False)
            )
            extras = set(cls.model_fields) - set(_PARTS)
            raise UsageError(
                f"The Tencent Cloud Chat connection is wrong: {problems}.",
                advice=f"Known extras are: {', '.join(sorted(extras))}.",
            ) from None

    @staticmethod
    def _refuse_parts_as_extras(extra: Mapping[str, Any]) -> None:
        wrong = [name for name in _PARTS if name in extra]
        if wrong:
            named = ", ".join(f"`{name}`" for name in wrong)
            parts = ", ".join(f"`{part}` ({name})" for name, part in _PARTS.items())
            raise UsageError(
                f"The Tencent Cloud Chat connection is wrong: {named} cannot be an extra.",
                expected=f"These are fields of the connection itself: {parts}.",
            )


_PARTS = {"host": "host", "admin": "login", "secret_key": "password"}
"""Fields that are no extras, by what Airflow calls them."""


TENCENT_VARIABLE = "AIRFLOW_CONN_TENCENT_CHAT_DEFAULT"


def parts_from_environment(
    variable: str, example: str, environ: Mapping[str, str] | None
) -> dict[str, Any]:
    """Return host, login, password and extra of the connection that a variable describes as JSON.

    Args:
        variable: ``AIRFLOW_CONN_…``.
        example: such JSON, for people.
        environ: the environment; None: this process's.

    Raises:
        UsageError: the variable is missing or no such JSON.
    """
    raw = (os.environ if environ is None else environ).get(variable, "")
    if not raw:
        raise UsageError(
            f"The environment has no `{variable}`.",
            expected=f"The target's connection as JSON, for example {example}.",
        )
    try:
        fields = json.loads(raw)
        extra = fields.get("extra") or {}
        extra = json.loads(extra) if isinstance(extra, str) else extra
        parts = {name: fields.get(name) for name in ("host", "login", "password")}
        return parts | {"extra": dict(extra or {})}
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise UsageError(
            f"`{variable}` is no JSON object.", expected=f"For example {example}."
        ) from None


def tencent_from_environment(environ: Mapping[str, str] | None = None) -> TencentConnection:
    """Return the connection that ``AIRFLOW_CONN_TENCENT_CHAT_DEFAULT`` describes as JSON.

    Raises:
        UsageError: the variable is missing or no such JSON.
    """
    example = (
        '{"conn_type": "tencent_chat", "host": "singapore", "login": "administrator", '
        '"password": "<SecretKey>", "extra": {"sdk_app_id": 1400000000}}'
    )
    return TencentConnection.from_parts(
        **parts_from_environment(TENCENT_VARIABLE, example, environ)
    )
