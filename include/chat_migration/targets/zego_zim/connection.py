"""Where an app of ZIM is and with which secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, SecretStr

from chat_migration.connection import TargetConnection
from chat_migration.targets.sizes import BatchSizes
from chat_migration.targets.zego_zim.limits import (
    APIS,
    BACKEND_TIMEOUT_SECONDS,
    LIVE_APIS,
    MEMBERS_PER_CALL,
    MESSAGE_BYTES,
    MESSAGES_PER_CALL,
    MOST_MESSAGE_BYTES,
    REMOVALS_PER_CALL,
    USERS_PER_CALL,
)

if TYPE_CHECKING:
    from chat_migration.clock import Clock
    from chat_migration.targets.zego_zim.rules import ZimRules
    from chat_migration.targets.zego_zim.target import ZimTarget

LONGEST_RETENTION_DAYS = 360
"""Source: "Pricing", version differences."""


class ZimConnection(TargetConnection):
    """An app of ZEGOCLOUD ZIM.

    ``host`` is a region's name (``singapore``, ``unified``), a host name, or a base URL such as
    ``http://127.0.0.1:9700``. ``retention_days`` has no default: with a wrong one the app would refuse history,
    or messages would be left out that it takes.
    """

    target = "zim"
    conn_type = "zim"
    title = "ZEGOCLOUD ZIM"
    label = "ZIM"
    variable = "AIRFLOW_CONN_ZIM_DEFAULT"
    example = (
        '{"conn_type": "zim", "host": "singapore", "login": "1234567890", '
        '"password": "<ServerSecret>", "extra": {"retention_days": 90}}'
    )
    parts: ClassVar = {"host": "host", "app_id": "login", "server_secret": "password"}
    required_extras = ("retention_days",)
    expected = (
        "host (region or URL), login (AppId), password (ServerSecret), extra.retention_days "
        "(7, 30, 90, 180 or 360, as the app's plan says)."
    )
    shows_parts = True
    apis = APIS
    live_apis = LIVE_APIS
    vendor_rate = 20
    backend_timeout_seconds = BACKEND_TIMEOUT_SECONDS

    app_id: int = Field(gt=0, lt=2**32, description="AppId of the app.")
    server_secret: SecretStr = Field(description="ServerSecret of the app.")
    retention_days: int = Field(
        ge=1,
        le=LONGEST_RETENTION_DAYS,
        description="The plan's history retention, days: 7, 30, 90, 180 or 360.",
    )
    calls_per_second: float = Field(
        19, gt=0, description="Budget per API, calls per second; a plan has 20 unless raised."
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

    @property
    def proof(self) -> str:
        """Return what is true once the target's check has passed."""
        return f"App {self.app_id} answers at {self.host} and accepts the signature."

    def rules(self) -> ZimRules:
        """Return what planning must know of the target."""
        # Imported late, here and below: whoever only reads a connection must stay cheap.
        from chat_migration.targets.zego_zim.rules import ZimRules  # noqa: PLC0415

        return ZimRules(
            max_message_bytes=self.max_message_bytes, retention_days=self.retention_days
        )

    def sizes(self) -> BatchSizes:
        """Return how many items a call takes."""
        return BatchSizes(
            messages=MESSAGES_PER_CALL,
            members=self.members_per_call,
            accounts=self.accounts_per_call,
            removals=REMOVALS_PER_CALL,
        )

    def connect(self, clock: Clock | None = None) -> ZimTarget:
        """Return the target; nothing is called yet."""
        from chat_migration.targets.zego_zim.target import ZimTarget  # noqa: PLC0415

        return ZimTarget.connect(self, clock=clock)

    @classmethod
    def nowhere(cls) -> Self:
        """Return a connection to plan with where there is none; nothing is too old that no app could still hold."""
        return cls.model_validate(
            {
                "host": "http://127.0.0.1",
                "app_id": 1,
                "server_secret": "",
                "retention_days": LONGEST_RETENTION_DAYS,
            }
        )
