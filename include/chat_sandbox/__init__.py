"""A stand-in for chat vendors' server APIs on loopback, for rehearsals, tests and demos."""

from chat_sandbox.config import DEFAULT_APP, AppCredentials, SandboxConfig
from chat_sandbox.faults import Effect, FaultAction
from chat_sandbox.handle import LaunchedSandbox, SandboxError, SandboxHandle, launch, running

__all__ = [
    "DEFAULT_APP",
    "AppCredentials",
    "Effect",
    "FaultAction",
    "LaunchedSandbox",
    "SandboxConfig",
    "SandboxError",
    "SandboxHandle",
    "launch",
    "running",
]
