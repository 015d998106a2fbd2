"""``make up``: Airflow on this machine, with the DAGs and the sandbox on, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from subprocess import Popen
from types import FrameType

import yaml
from demo_common import (
    BIN,
    DEFAULT_HOME,
    SANDBOX_PORT,
    DemoError,
    environment,
    fetch,
    free_port,
    held,
    logged,
    process,
    sandbox,
    wait_for,
)
from demo_exports import settings_of

from chat_migration.settings import CONFIG_VARIABLE
from chat_migration.targets.vendors import DEFAULT_TARGET, VENDORS

AIRFLOW_PORT = 8080
_SOURCE = "neutral"
_REMARK = """\
# What a run takes when its form says nothing. A section named as a target is for runs into that target alone:
# ZIM takes nothing older than its app's retention, so it gets a copy of the export whose history is recent.
"""


def main() -> int:
    """Start both servers, say where they are, wait for Ctrl-C, stop both."""
    options = _options()
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(
            stop, _as_interrupt
        )  # also where a shell in the background has SIGINT ignored
    try:
        with held(options.home):
            _serve(options.home, options.port, options.sandbox_port)
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.")
    return 0


def _serve(home: Path, port: int, sandbox_port: int) -> None:
    log = home / "logs" / "airflow.log"
    with sandbox(home, sandbox_port) as sandbox_url, logged(log) as output:
        url = f"http://127.0.0.1:{free_port(port)}"
        print(f"Starting Airflow (about half a minute). Its log: {log}", flush=True)
        env = environment(home, sandbox_url) | _server_settings(url)
        env[CONFIG_VARIABLE] = str(_settings_file(home))
        with process(
            [str(BIN / "airflow"), "standalone"], output, env, stop=signal.SIGINT
        ) as airflow:
            wait_for(
                lambda: _answers(f"{url}/api/v2/monitor/health"),
                airflow,
                "Airflow",
                log,
                seconds=180,
            )
            print(f"Airflow:  {url}/dags/import_to_tencent_chat   (no log-in)")
            print(f"          {url}/dags/import_to_zego_zim")
            print(f"Sandbox:  {sandbox_url}   (connections tencent_chat_default, zim_default)")
            print(
                f"Settings: {env[CONFIG_VARIABLE]}   (what a run takes when the form says nothing)"
            )
            print(f"Reports:  {home / 'runs'}")
            print("Press Ctrl-C to stop both.", flush=True)
            wait_while_running(airflow, log)


def wait_while_running(airflow: Popen[bytes], log: Path) -> None:
    """Wait for Ctrl-C; fail when Airflow ends by itself."""
    while airflow.poll() is None:
        time.sleep(0.5)
    message = f"Airflow ended with exit code {airflow.returncode}. Its log: {log}"
    raise DemoError(message)


def _settings_file(home: Path) -> Path:
    """Return the settings of nightly runs, and of all that a form leaves open; made once, then it is the user's own."""
    path = home / "settings.yaml"
    if not path.exists():
        general = settings_of(DEFAULT_TARGET, _SOURCE, home)
        sections = {
            name: {
                key: value
                for key, value in settings_of(name, _SOURCE, home).items()
                if general.get(key) != value
            }
            for name in VENDORS
        }
        told = general | {name: section for name, section in sections.items() if section}
        path.write_text(_REMARK + yaml.safe_dump(told, sort_keys=False), encoding="utf-8")
    return path


def _server_settings(url: str) -> dict[str, str]:
    """Return what only a running server needs: no log-in on the loopback, and ports that nobody uses."""
    port = url.rpartition(":")[2]
    return {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": port,
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port(0)),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port(0)),
    }


def _answers(url: str) -> bool:
    try:
        return bool(fetch(url))
    except OSError:
        return False


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME, help="where everything is kept")
    parser.add_argument(
        "--port", type=int, default=AIRFLOW_PORT, help="of Airflow; another is taken if it is busy"
    )
    parser.add_argument(
        "--sandbox-port", type=int, default=SANDBOX_PORT, help="likewise, of the sandbox"
    )
    return parser.parse_args()


def _as_interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
