"""What a sandbox is started with. Nothing here changes while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_HOST = "127.0.0.1"
ZIM_PREFIX = "zim_"
"""What the names of all switches of ZIM begin with; those of Tencent Cloud Chat have no prefix."""
DEFAULT_PORT = 9700
MAX_REQUEST_BYTES = 1_000_000
"""Larger request bodies are refused unread. The vendor documents no cap of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppCredentials:
    """One app of the vendor: its number, its secret key and its one App admin account."""

    sdk_app_id: int
    secret_key: str = field(repr=False)
    admin: str

    @classmethod
    def parse(cls, text: str) -> AppCredentials:
        """Read ``sdkappid:secret:admin``.

        Raises:
            ValueError: the text has not three parts, or the first is no number.
        """
        parts = text.split(":")
        if len(parts) != 3 or not parts[0].isdecimal() or not all(parts):
            message = "an app is given as `sdkappid:secret:admin`, the first a number"
            raise ValueError(message)
        return cls(sdk_app_id=int(parts[0]), secret_key=parts[1], admin=parts[2])


DEFAULT_APP = AppCredentials(
    sdk_app_id=1_400_000_001,
    secret_key="sandbox-secret-key-of-no-value-0000000000000000000000000000000000",  # noqa: S106
    admin="administrator",
)
"""The app a sandbox has when none is given. The key opens nothing but this sandbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ZimCredentials:
    """One project of ZIM: its AppId and its ServerSecret."""

    app_id: int
    server_secret: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> ZimCredentials:
        """Read ``appid:serversecret``.

        Raises:
            ValueError: the text has not two parts, or the first is no number.
        """
        app_id, _, secret = text.partition(":")
        if not app_id.isdecimal() or not secret or ":" in secret:
            message = "a project of ZIM is given as `appid:serversecret`, the first a number"
            raise ValueError(message)
        return cls(app_id=int(app_id), server_secret=secret)


DEFAULT_ZIM_APP = ZimCredentials(
    app_id=1_900_000_001,
    server_secret="5a6e64626f780000000000000000beef",  # noqa: S106
)
"""The project a sandbox has when none is given. The secret opens nothing but this sandbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """Everything a sandbox can be told at its start. It serves both vendors on one port.

    Attributes:
        port: 0 takes any free port.
        apps: apps of Tencent Cloud Chat.
        zim_apps: projects of ZIM.
        state_dir: where the world is kept between starts; None keeps it in memory only.
        rate_limits: False answers every call, however fast they come.
        rates_per_second: limits that replace those of the API tables, by API or Action name.
        latency_ms: real time each vendor reply is held back.
        switches: positions that differ from the defaults, by switch name.
        retention_days: messages older than this have expired; None keeps them for ever.
            Source: message storage page (1047/33524), 7 days for the trial and standard plans.
        zim_retention_days: the same for ZIM, where older messages cannot be imported either.
            Source: ZIM pricing, plan differences: 7, 30 or 90 days, 360 at most.
        admin_token: with a token, ``/_sandbox`` answers whoever sends it; without, loopback only.
        fault_seed: seed of the faults that fire by chance.
        max_failed_verifications: failed UserSig checks within 60 s that lock an identifier.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    apps: tuple[AppCredentials, ...] = (DEFAULT_APP,)
    state_dir: Path | None = None
    rate_limits: bool = True
    rates_per_second: Mapping[str, float] = field(default_factory=dict)
    latency_ms: float = 0.0
    switches: Mapping[str, str] = field(default_factory=dict)
    retention_days: int | None = 7
    zim_apps: tuple[ZimCredentials, ...] = (DEFAULT_ZIM_APP,)
    zim_retention_days: int | None = 7
    admin_token: str | None = field(default=None, repr=False)
    fault_seed: int = 0
    max_failed_verifications: int = 20

    @property
    def tencent_switches(self) -> dict[str, str]:
        """The positions of Tencent Cloud Chat's switches."""
        return {name: to for name, to in self.switches.items() if not name.startswith(ZIM_PREFIX)}

    @property
    def zim_switches(self) -> dict[str, str]:
        """The positions of ZIM's switches."""
        return {name: to for name, to in self.switches.items() if name.startswith(ZIM_PREFIX)}
