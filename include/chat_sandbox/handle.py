"""Using a sandbox from tests and programs: start one, look into it, move it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from chat_sandbox.config import DEFAULT_ZIM_APP, AppCredentials, SandboxConfig, ZimCredentials
from chat_sandbox.faults import Effect, FaultAction
from chat_sandbox.server import BackgroundServer
from chat_sandbox.zego_zim.handle import ZimHandle

Json = dict[str, Any]
START_SECONDS = 20.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.02
REQUEST_SECONDS = 60.0


class SandboxError(RuntimeError):
    """An admin route refused, or a sandbox did not start; the message says why."""


class SandboxHandle:
    """A running sandbox, wherever it runs. Every method is one call to ``/_sandbox``.

    Attributes:
        url: base URL, to be used like the vendor's ``https://{domain}``.
        app: credentials of the first app of Tencent Cloud Chat.
        zim: what concerns ZIM alone.
    """

    def __init__(
        self,
        url: str,
        app: AppCredentials,
        *,
        token: str | None = None,
        zim_app: ZimCredentials = DEFAULT_ZIM_APP,
    ) -> None:
        self.url = url
        self.app = app
        self.zim = ZimHandle(url, zim_app, self._ask)
        self._headers = {} if token is None else {"X-Sandbox-Token": token}
        no_proxy = urllib.request.ProxyHandler({})
        self._opener = urllib.request.build_opener(no_proxy)

    def health(self) -> Json:
        """Return status, apps, and the sandbox's time."""
        health: Json = self._call("GET", "health")
        return health

    def stats(self) -> Json:
        """Return counts: ``apis`` by name, ``calls``, ``writes``, ``overlaps``, ``recent_calls`` and more."""
        counts: Json = self._call("GET", "stats")
        return counts

    def calls(self, api: str) -> int:
        """Return how often an API was called since the last reset of the statistics."""
        counts: Json = self.stats()["apis"].get(api, {"count": 0})
        return int(counts["count"])

    def reset_stats(self) -> None:
        """Start counting from nothing."""
        self._call("POST", "stats/reset")

    def dump(self, *, vendor: str = "tencent_chat", app: int | None = None) -> Json:
        """Return the world of one app, by default the first; equal worlds give equal dumps.

        ``zim.dump`` returns that of a project of ZIM.
        """
        chosen = {} if app is None else {"app": str(app)}
        world: Json = self._call("GET", "dump", query={"vendor": vendor, **chosen})
        return world

    def switches(self) -> dict[str, str]:
        """Return the positions of all switches of Tencent Cloud Chat."""
        positions: dict[str, str] = self._call("GET", "switches")
        return positions

    def set_switch(self, name: str, value: str) -> None:
        """Set one switch, of either vendor.

        Raises:
            SandboxError: there is no such switch or position; the message lists them.
        """
        self.set_switches({name: value})

    def set_switches(self, positions: Mapping[str, str]) -> None:
        """Set several switches, or none if one is wrong."""
        self._call("POST", "switches", dict(positions))

    def add_fault(
        self,
        action: FaultAction | str,
        *,
        api: str = "*",
        group_id: str | None = None,
        effect: Effect | str = Effect.NONE,
        **rule: Any,
    ) -> int:
        """Put a fault in force and return its id; ``rule`` takes the rest of ``FaultRule``."""
        where = dict(rule.pop("where", {}))
        if group_id is not None:
            where["GroupId"] = group_id
        body = {"action": str(action), "api": api, "where": where, "effect": str(effect), **rule}
        return int(self._call("POST", "faults", body)["id"])

    def faults(self) -> list[Json]:
        """Return all faults with how many calls they saw and spoiled."""
        listing: list[Json] = self._call("GET", "faults")
        return listing

    def remove_fault(self, fault_id: int) -> None:
        """Take one fault out of force."""
        self._call("DELETE", "faults", query={"id": str(fault_id)})

    def clear_faults(self) -> None:
        """Take all faults out of force."""
        self._call("DELETE", "faults")

    def now_ms(self) -> int:
        """Return the sandbox's time, epoch milliseconds."""
        return int(self._call("GET", "clock")["now_ms"])

    def advance_clock(self, seconds: float) -> int:
        """Move the sandbox's clock on and return its time in epoch milliseconds."""
        return int(self._call("POST", "clock", {"advance_seconds": seconds})["now_ms"])

    def set_clock_offset(self, seconds: float) -> int:
        """Put the sandbox's clock ahead of the machine's; return its time in milliseconds."""
        return int(self._call("POST", "clock", {"offset_seconds": seconds})["now_ms"])

    def freeze_clock(self) -> int:
        """Stop the sandbox's clock until ``thaw_clock``; return its time in milliseconds."""
        return int(self._call("POST", "clock", {"frozen": True})["now_ms"])

    def thaw_clock(self) -> int:
        """Let the sandbox's clock run again; return its time in milliseconds."""
        return int(self._call("POST", "clock", {"frozen": False})["now_ms"])

    def set_rates(
        self, *, enabled: bool | None = None, per_second: Mapping[str, float] | None = None
    ) -> None:
        """Switch rate limits on or off, or replace those of single APIs."""
        self._call("POST", "rates", {"enabled": enabled, "per_second": dict(per_second or {})})

    def live_message(self, group_id: str, **message: Any) -> Json:
        """Store a message that clients sent.

        ``message`` takes ``From_Account``, ``Text`` or ``MsgBody``, ``Time`` and ``IsTip``.

        Returns:
            ``MsgSeq`` and ``MsgTime`` of the stored message.
        """
        stored: Json = self._call("POST", "live", {"GroupId": group_id, **message})
        return stored

    def create_group(self, group_id: str, **group: Any) -> Json:
        """Create a group as somebody else would; ``Type`` may be AVChatRoom."""
        body = {"GroupId": group_id, "Type": "Public", "Name": "foreign", **group}
        created: Json = self._call("POST", "groups", body)
        return created

    def reset(self) -> None:
        """Make the sandbox as if newly started without state."""
        self._call("POST", "reset")

    def _ask(self, method: str, route: str, body: Json | None, query: Mapping[str, str]) -> Any:
        return self._call(method, route, body, query=query)

    def _call(
        self,
        method: str,
        route: str,
        body: Json | None = None,
        *,
        query: Mapping[str, str] | None = None,
    ) -> Any:
        suffix = "?" + urllib.parse.urlencode(query) if query else ""
        request = urllib.request.Request(  # noqa: S310 - the URL is the sandbox's own
            f"{self.url}/_sandbox/{route}{suffix}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers=self._headers,
        )
        try:
            with self._opener.open(request, timeout=REQUEST_SECONDS) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                detail = json.loads(error.read())
            message = f"{method} {route}: {detail['error']}"
            raise SandboxError(message) from None


class LaunchedSandbox(SandboxHandle):
    """A sandbox in a process of its own."""

    def __init__(self, url: str, config: SandboxConfig, process: subprocess.Popen[bytes]) -> None:
        zim_app = config.zim_apps[0]
        super().__init__(url, config.apps[0], token=config.admin_token, zim_app=zim_app)
        self.process = process

    def kill(self) -> None:
        """End the process at once (SIGKILL); with ``state_dir`` a new start goes on from there."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """End the process in order (SIGTERM) and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)


@contextmanager
def running(config: SandboxConfig | None = None, **settings: Any) -> Iterator[SandboxHandle]:
    """Run a sandbox in a thread of this process, on a free port unless one is given.

    Args:
        config: a whole configuration, or None.
        settings: fields of ``SandboxConfig``, if no configuration is given.
    """
    chosen = _config(config, settings)
    server = BackgroundServer(chosen)
    try:
        app, zim_app = chosen.apps[0], chosen.zim_apps[0]
        yield SandboxHandle(server.url, app, token=chosen.admin_token, zim_app=zim_app)
    finally:
        server.stop()


@contextmanager
def launch(config: SandboxConfig | None = None, **settings: Any) -> Iterator[LaunchedSandbox]:
    """Run a sandbox in a process of its own, on a free port unless one is given.

    Raises:
        SandboxError: it was not ready in time, or ended before.
    """
    chosen = _config(config, settings)
    with tempfile.TemporaryDirectory(prefix="chat-sandbox-") as folder:
        ready_file = Path(folder) / "url"
        process = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "chat_sandbox", *_arguments(chosen, ready_file)],
            env=_environment(),
            stdout=subprocess.DEVNULL,
        )
        try:
            yield LaunchedSandbox(_awaited_url(process, ready_file), chosen, process)
        finally:
            process.kill()
            process.wait()


def _config(config: SandboxConfig | None, settings: Mapping[str, Any]) -> SandboxConfig:
    return config or SandboxConfig(**{"port": 0, **settings})


def _arguments(config: SandboxConfig, ready_file: Path) -> list[str]:
    """Return the command line that makes an equal configuration."""
    arguments = [f"--host={config.host}", f"--port={config.port}", f"--ready-file={ready_file}"]
    arguments += [f"--app={app.sdk_app_id}:{app.secret_key}:{app.admin}" for app in config.apps]
    arguments += [f"--zim-app={app.app_id}:{app.server_secret}" for app in config.zim_apps]
    arguments += [f"--switch={name}={value}" for name, value in config.switches.items()]
    arguments += [f"--rate={name}={value}" for name, value in config.rates_per_second.items()]
    if not config.rate_limits:
        arguments.append("--no-rate-limits")
    for field in fields(config):
        if field.name in {"state_dir", "latency_ms", "admin_token", "fault_seed"}:
            value = getattr(config, field.name)
            flag = field.name.replace("_", "-").removesuffix("-dir")
            arguments += [] if value is None else [f"--{flag}={value}"]
    arguments.append(f"--max-failed-verifications={config.max_failed_verifications}")
    arguments.append(f"--retention-days={config.retention_days or 0}")
    arguments.append(f"--zim-retention-days={config.zim_retention_days or 0}")
    return arguments


def _environment() -> dict[str, str]:
    """Return this process's environment, with the folder of this package on the module path."""
    here = str(Path(__file__).resolve().parent.parent)
    path = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": here if not path else here + os.pathsep + path}


def _awaited_url(process: subprocess.Popen[bytes], ready_file: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if ready_file.exists():
            return ready_file.read_text(encoding="utf-8").strip()
        if process.poll() is not None:
            message = f"the sandbox ended at its start with exit code {process.returncode}"
            raise SandboxError(message)
        time.sleep(POLL_SECONDS)
    message = f"the sandbox was not ready within {START_SECONDS:.0f} s"
    raise SandboxError(message)
