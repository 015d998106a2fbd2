"""Where an app of Tencent Cloud Chat is and with which secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import Field, SecretStr

from chat_migration.connection import TargetConnection
from chat_migration.targets.sizes import BatchSizes
from chat_migration.targets.tencent_chat.limits import (
    APIS,
    BACKEND_TIMEOUT_SECONDS,
    GROUPS_PER_QUERY,
    LIVE_APIS,
    RECALLS_PER_CALL,
    REMOVALS_PER_CALL,
)

if TYPE_CHECKING:
    from chat_migration.clock import Clock
    from chat_migration.targets.tencent_chat.rules import TencentRules
    from chat_migration.targets.tencent_chat.target import TencentTarget


class TencentConnection(TargetConnection):
    """An app of Tencent Cloud Chat.

    ``host`` is a region's name (``singapore``), a host name, or a base URL such as
    ``http://127.0.0.1:9700``. Sizes of calls are the vendor's newest documented ones; lower them for an app
    in a region that still has older ones.
    """

    target = "tencent"
    conn_type = "tencent_chat"
    title = label = "Tencent Cloud Chat"
    variable = "AIRFLOW_CONN_TENCENT_CHAT_DEFAULT"
    example = (
        '{"conn_type": "tencent_chat", "host": "singapore", "login": "administrator", '
        '"password": "<SecretKey>", "extra": {"sdk_app_id": 1400000000}}'
    )
    parts: ClassVar = {"host": "host", "admin": "login", "secret_key": "password"}
    required_extras = ("sdk_app_id",)
    expected = (
        "host (region or URL), login (admin identifier), password (SecretKey), extra.sdk_app_id."
    )
    apis = APIS
    live_apis = LIVE_APIS
    vendor_rate = 200
    backend_timeout_seconds = BACKEND_TIMEOUT_SECONDS

    sdk_app_id: int = Field(gt=0, description="SDKAppID of the app.")
    admin: str = Field(min_length=1, description="An app admin's UserID: who signs the calls.")
    secret_key: SecretStr = Field(description="SecretKey of the app.")
    calls_per_second: float = Field(190, gt=0, description="Budget per API, calls per second.")
    messages_per_call: int = Field(7, ge=1, le=20, description="Group messages per call.")
    members_per_call: int = Field(20, ge=1, le=500, description="Group members per call.")
    accounts_per_call: int = Field(100, ge=1, le=100, description="Accounts per call.")
    max_body_bytes: int = Field(
        12000, ge=500, description="Largest serialised message body, bytes."
    )
    import_topic_path: str = Field(
        "v4/group_open_http_svc/import_topic",
        description="Path of the topic API, which differs by region.",
    )

    @property
    def app(self) -> str:
        """Return the name of this app in the ledger: the same for every host and secret of it."""
        return f"tencent:{self.sdk_app_id}"

    @property
    def proof(self) -> str:
        """Return what is true once the target's check has passed."""
        app, admin = self.sdk_app_id, self.admin
        return f"App {app} answers at {self.host} and accepts the signature of {admin}."

    def rules(self) -> TencentRules:
        """Return what planning must know of the target."""
        # Imported late, here and below: whoever only reads a connection must stay cheap.
        from chat_migration.targets.tencent_chat.rules import TencentRules  # noqa: PLC0415

        return TencentRules(admin=self.admin, max_body_bytes=self.max_body_bytes)

    def sizes(self) -> BatchSizes:
        """Return how many items a call takes."""
        return BatchSizes(
            messages=self.messages_per_call,
            members=self.members_per_call,
            accounts=self.accounts_per_call,
            removals=REMOVALS_PER_CALL,
            withdrawals=RECALLS_PER_CALL,
            frontiers=GROUPS_PER_QUERY,
        )

    def connect(self, clock: Clock | None = None) -> TencentTarget:
        """Return the target; nothing is called yet."""
        from chat_migration.targets.tencent_chat.target import TencentTarget  # noqa: PLC0415

        return TencentTarget.connect(self, clock=clock)

    @classmethod
    def nowhere(cls) -> Self:
        """Return a connection to plan with where there is none."""
        return cls.model_validate(
            {
                "host": "http://127.0.0.1",
                "sdk_app_id": 1,
                "admin": "administrator",
                "secret_key": "",
            }
        )
