"""Where ZIM is and with which secret: one typed object, whoever supplies it.

Airflow supplies a Connection, the command line the same JSON from ``AIRFLOW_CONN_<ID>``. Extras are read by
name; a name that is not known is refused rather than passed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from chat_migration.connection import parts_from_environment
from chat_migration.errors import UsageError
from chat_migration.targets.zego_zim.limits import (
    MEMBERS_PER_CALL,
    MESSAGE_BYTES,
    MOST_MESSAGE_BYTES,
    USERS_PER_CALL,
)


class ZimConnection(BaseModel):
    """An app of ZEGOCLOUD ZIM.

    ``host`` is a region's name (``singapore``, ``unified``), a host name, or a base URL such as
    ``http://127.0.0.1:9700``. ``retention_days`` has no default: with a wrong one the app would refuse history,
    or messages would be left out that it takes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(description="Region name, host name, or base URL.")
    app_id: int = Field(gt=0, lt=2**32, description="AppId of the app.")
    server_secret: SecretStr = Field(description="ServerSecret of the app.")
    retention_days: int = Field(
        ge=1, le=360, description="The plan's history retention, days: 7, 30, 90, 180 or 360."
    )
    calls_per_second: float = Field(
        19, gt=0, description="Budget per API, calls per second; a plan has 20 unless raised."
    )
    live_reserve: float = Field(
        0,
        ge=0,
        le=0.9,
        description="Share of the budget left to live traffic, 0 to 0.9, of each API that live servers call too.",
    )
    timeout_seconds: float = Field(
        10, gt=3, description="How long to wait for one answer, seconds."
    )
    max_message_bytes: int = Field(
        MESSAGE_BYTES,
        ge=MESSAGE_BYTES,
        le=MOST_MESSAGE_BYTES,
        description="Largest message that the app takes, bytes; more than 2048 only where support raised it.",
    )
    members_per_call: int = Field(
        MEMBERS_PER_CALL, ge=1, le=MEMBERS_PER_CALL, description="Group members per call."
    )
    accounts_per_call: int = Field(
        USERS_PER_CALL, ge=1, le=USERS_PER_CALL, description="Accounts per call."
    )
    priority: int = Field(
        2, ge=1, le=3, description="Priority of imported messages: 1 low, 2 medium, 3 high."
    )
    parallel_calls: int = Field(
        16, ge=1, le=512, description="Calls in flight at most, per worker."
    )

    @property
    def app(self) -> str:
        """Return the name of this app in the ledger: the same for every host and secret of it."""
        return f"zim:{self.app_id}"

    @classmethod
    def from_parts(
        cls, *, host: str | None, login: str | None, password: str | None, extra: Mapping[str, Any]
    ) -> Self:
        """Build from the fields of an Airflow connection: ``login`` is the AppId, ``password`` the ServerSecret.

        Raises:
            UsageError: a field is missing, unknown or wrong; secrets do not appear in the text.
        """
        fields: dict[str, Any] = {
            name: value for name, value in extra.items() if value not in (None, "")
        }
        cls._refuse_parts_as_extras(fields)
        given = {
            "host": host,
            "login": login,
            "password": password,
            "extra.retention_days": fields.get("retention_days"),
        }
        missing = [name for name, value in given.items() if not value]
        if missing:
            raise UsageError(
                f"The ZIM connection lacks {', '.join(f'`{name}`' for name in missing)}.",
                expected="host (region or URL), login (AppId), password (ServerSecret), extra.retention_days "
                "(7, 30, 90, 180 or 360, as the app's plan says).",
            )
        fields |= {"host": host, "app_id": login, "server_secret": password}
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            problems = "; ".join(
                f"`{_shown('.'.join(map(str, each['loc'])))}`: {each['msg']}"
                for each in error.errors(include_url=False, include_input=False)
            )
            extras = set(cls.model_fields) - set(_PARTS)
            raise UsageError(
                f"The ZIM connection is wrong: {problems}.",
                advice=f"Known extras are: {', '.join(sorted(extras))}.",
            ) from None

    @staticmethod
    def _refuse_parts_as_extras(extra: Mapping[str, Any]) -> None:
        wrong = [name for name in _PARTS if name in extra]
        if wrong:
            named = ", ".join(f"`{name}`" for name in wrong)
            parts = ", ".join(f"`{part}` ({name})" for name, part in _PARTS.items())
            raise UsageError(
                f"The ZIM connection is wrong: {named} cannot be an extra.",
                expected=f"These are fields of the connection itself: {parts}.",
            )


_PARTS = {"host": "host", "app_id": "login", "server_secret": "password"}
"""Fields that are no extras, by what Airflow calls them."""


def _shown(field: str) -> str:
    """Return what Airflow calls a field."""
    return f"{_PARTS[field]} ({field})" if field in _PARTS else field


ZIM_VARIABLE = "AIRFLOW_CONN_ZIM_DEFAULT"


def zim_from_environment(environ: Mapping[str, str] | None = None) -> ZimConnection:
    """Return the connection that ``AIRFLOW_CONN_ZIM_DEFAULT`` describes as JSON.

    Raises:
        UsageError: the variable is missing or no such JSON.
    """
    example = (
        '{"conn_type": "zim", "host": "singapore", "login": "1234567890", '
        '"password": "<ServerSecret>", "extra": {"retention_days": 90}}'
    )
    return ZimConnection.from_parts(**parts_from_environment(ZIM_VARIABLE, example, environ))
