"""A stand-in for chat vendors' server APIs on loopback, for rehearsals, tests and demos."""

from chat_sandbox.config import (
    DEFAULT_APP,
    DEFAULT_ZIM_APP,
    AppCredentials,
    SandboxConfig,
    ZimCredentials,
)
from chat_sandbox.faults import Effect, FaultAction
from chat_sandbox.handle import LaunchedSandbox, SandboxError, SandboxHandle, launch, running
from chat_sandbox.zego_zim.handle import ZimHandle

__all__ = [
    "DEFAULT_APP",
    "DEFAULT_ZIM_APP",
    "AppCredentials",
    "Effect",
    "FaultAction",
    "LaunchedSandbox",
    "SandboxConfig",
    "SandboxError",
    "SandboxHandle",
    "ZimCredentials",
    "ZimHandle",
    "launch",
    "running",
]
