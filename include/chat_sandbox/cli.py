"""The command line: ``chat-sandbox`` and ``python -m chat_sandbox``."""

from __future__ import annotations

import argparse
import gc
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from chat_sandbox.config import (
    DEFAULT_APP,
    DEFAULT_HOST,
    DEFAULT_PORT,
    DEFAULT_ZIM_APP,
    AppCredentials,
    SandboxConfig,
    ZimCredentials,
)
from chat_sandbox.journal import StateInUseError
from chat_sandbox.server import SandboxServer
from chat_sandbox.switches import SwitchBoard, UnknownSwitchError, markdown_row
from chat_sandbox.tencent_chat.apis import BY_NAME
from chat_sandbox.tencent_chat.switches import SWITCHES
from chat_sandbox.zego_zim.apis import BY_NAME as ZIM_BY_NAME
from chat_sandbox.zego_zim.switches import SWITCHES as ZIM_SWITCHES

DESCRIPTION = """\
Answer the server APIs of Tencent Cloud Chat and of ZEGOCLOUD ZIM on this machine, for rehearsals,
tests and demos. One port serves both: /v4/... is Tencent's, /?Action=... is ZIM's. Point a client at
the printed URL instead of https://console.tim.qq.com or https://zim-api.zego.im; what is not
documented by a vendor is a switch (--list-switches), and what can go wrong can be scripted at run
time (POST /_sandbox/faults). Admin routes take ?vendor=tencent_chat (the default) or zego_zim.
"""
EPILOG = f"""\
examples:
  chat-sandbox                                     the default app, in memory, port {DEFAULT_PORT}
  chat-sandbox --port 0 --state var/sandbox        any free port, keeps its world between starts
  chat-sandbox --switch ties=accept --no-rate-limits
  curl {"http://127.0.0.1:9700"}/_sandbox/stats           what was called, how often, how fast

The default app is {DEFAULT_APP.sdk_app_id} with admin `{DEFAULT_APP.admin}` and secret key
{DEFAULT_APP.secret_key}
The default project of ZIM is AppId {DEFAULT_ZIM_APP.app_id} with ServerSecret
{DEFAULT_ZIM_APP.server_secret}
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sandbox until SIGTERM or Ctrl-C; return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.list_switches:
        both = (*SWITCHES, *ZIM_SWITCHES)
        sys.stdout.write("".join(markdown_row(switch) + "\n" for switch in both))
        return 0
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        config = _config(options)
    except (ValueError, UnknownSwitchError) as error:
        parser.error(str(error))
    # A full collection walks the whole world, a fifth of a second once 40,000 messages are in it, and the calls that
    # wait meanwhile count as having come at once. What is imported stays, so there is nothing to find.
    gc.set_threshold(*gc.get_threshold()[:2], 1_000_000)
    # SIGTERM ends like Ctrl-C, at any moment; uvicorn raises what it has caught again when done.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server = SandboxServer(config, on_ready=lambda url: _announce(url, options.ready_file))
        server.serve_until_stopped()
    except StateInUseError as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"cannot listen on {config.host}:{config.port}: {error.strerror}")
    except KeyboardInterrupt:
        return 0
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chat-sandbox",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default=DEFAULT_HOST, help="address to listen on (default %(default)s)")
    add("--port", type=int, default=DEFAULT_PORT, help="0 = any free one (default %(default)s)")
    add(
        "--app",
        action="append",
        metavar="SDKAPPID:SECRET:ADMIN",
        help="an app with its secret key and App admin; may be repeated (default: see below)",
    )
    add(
        "--zim-app",
        action="append",
        metavar="APPID:SERVERSECRET",
        help="a project of ZIM; may be repeated (default: see below)",
    )
    add("--state", type=Path, metavar="DIR", help="keep the world in DIR between starts")
    add("--no-rate-limits", action="store_true", help="never throttle")
    add("--rate", action="append", default=[], metavar="API=N", help="calls a second of an API")
    add("--latency-ms", type=float, default=0.0, metavar="MS", help="hold every reply back")
    add(
        "--retention-days",
        type=int,
        default=7,
        metavar="DAYS",
        help="age at which messages expire, 0 = never (default %(default)s)",
    )
    add(
        "--zim-retention-days",
        type=int,
        default=7,
        metavar="DAYS",
        help="the same for ZIM, which imports nothing older (default %(default)s)",
    )
    add("--switch", action="append", default=[], metavar="NAME=VALUE", help="may be repeated")
    add("--list-switches", action="store_true", help="print all switches and end")
    add("--admin-token", metavar="TOKEN", help="ask for it under /_sandbox, from any address")
    add("--fault-seed", type=int, default=0, metavar="N", help="seed of faults by chance")
    add("--max-failed-verifications", type=int, default=20, metavar="N", help="more lock (70050)")
    add("--ready-file", type=Path, metavar="PATH", help="write the base URL there when ready")
    return parser


def _config(options: argparse.Namespace) -> SandboxConfig:
    switches = dict(_pair(text, "--switch") for text in options.switch)
    zim_apps = tuple(ZimCredentials.parse(text) for text in options.zim_app or ())
    rates = {name: float(value) for name, value in (_pair(text, "--rate") for text in options.rate)}
    if unknown := rates.keys() - BY_NAME.keys() - ZIM_BY_NAME.keys():
        message = f"--rate names no API: {', '.join(sorted(unknown))}"
        raise ValueError(message)
    apps = tuple(AppCredentials.parse(text) for text in options.app or ())
    config = SandboxConfig(
        host=options.host,
        port=options.port,
        apps=apps or (DEFAULT_APP,),
        state_dir=options.state,
        rate_limits=not options.no_rate_limits,
        rates_per_second=rates,
        latency_ms=options.latency_ms,
        switches=switches,
        retention_days=options.retention_days or None,
        zim_apps=zim_apps or (DEFAULT_ZIM_APP,),
        zim_retention_days=options.zim_retention_days or None,
        admin_token=options.admin_token,
        fault_seed=options.fault_seed,
        max_failed_verifications=options.max_failed_verifications,
    )
    SwitchBoard(SWITCHES, config.tencent_switches)
    SwitchBoard(ZIM_SWITCHES, config.zim_switches)
    return config


def _pair(text: str, flag: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        message = f"{flag} takes NAME=VALUE, not `{text}`"
        raise ValueError(message)
    return name, value


def _announce(url: str, ready_file: Path | None) -> None:
    sys.stdout.write(f"sandbox ready at {url}\n")
    sys.stdout.flush()
    if ready_file is not None:
        temporary = ready_file.with_name(ready_file.name + ".tmp")
        temporary.write_text(url + "\n", encoding="utf-8")
        temporary.replace(ready_file)
