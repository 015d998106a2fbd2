"""The command line, in this process where it ends by itself and as a process where it serves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.sandbox.client import Tencent

import chat_sandbox
from chat_sandbox import cli
from chat_sandbox.tencent_chat.switches import SWITCHES
from chat_sandbox.zego_zim.switches import SWITCHES as ZIM_SWITCHES


def test_help_shows_every_option_and_the_default_app(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    for option in ("--port", "--app", "--state", "--switch", "--latency-ms", "--ready-file"):
        assert option in shown
    assert chat_sandbox.DEFAULT_APP.secret_key in shown


def test_all_switches_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--list-switches"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(SWITCHES) + len(ZIM_SWITCHES)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--switch", "ties"], "NAME=VALUE"),
        (["--switch", "ties=maybe"], "has no position `maybe`"),
        (["--switch", "bows=accept"], "no switch `bows`"),
        (["--switch", "zim_bows=accept"], "no switch `zim_bows`"),
        (["--zim-app", "1:2:3"], "appid:serversecret"),
        (["--app", "1400000001:key"], "sdkappid:secret:admin"),
        (["--app", "x:key:admin"], "sdkappid:secret:admin"),
        (["--rate", "import_msg=5"], "names no API: import_msg"),
        (["--rate", "importmsg=fast"], "could not convert"),
        (["--host", "203.0.113.1"], "cannot listen on 203.0.113.1"),
    ],
)
def test_bad_usage_ends_with_2_and_says_what_is_wrong(
    capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--port", "0", *arguments])
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_ends_cleanly_on_a_signal(
    tmp_path: Path, signal_number: signal.Signals
) -> None:
    package_folder = str(Path(chat_sandbox.__file__).parent.parent)
    with subprocess.Popen(
        [sys.executable, "-m", "chat_sandbox", "--port", "0", "--ready-file", tmp_path / "url"],
        env=os.environ | {"PYTHONPATH": package_folder},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("sandbox ready at http://127.0.0.1:")
        process.send_signal(signal_number)
        rest, errors = process.communicate(timeout=10)
    assert (process.returncode, rest, errors) == (0, "", "")
    assert (tmp_path / "url").read_text("utf-8").strip() == line.split()[-1]


def test_everything_given_at_the_start_reaches_the_process(tmp_path: Path) -> None:
    app = chat_sandbox.AppCredentials(sdk_app_id=1400000007, secret_key="key7", admin="root")
    with chat_sandbox.launch(
        apps=(app,),
        switches={"throttle_code": "60018"},
        rates_per_second={"account_check": 1},
        state_dir=tmp_path,
        retention_days=None,
        admin_token="t",
    ) as handle:
        client = Tencent(handle)
        path, body = "im_open_login_svc/account_check", {"CheckItem": [{"UserID": "root"}]}
        assert [client.code(path, body), client.code(path, body)] == [0, 60018]
        client.session.close()
        assert handle.terminate() == 0


def test_a_sandbox_that_cannot_start_is_reported() -> None:
    with (
        pytest.raises(chat_sandbox.SandboxError, match="exit code 2"),
        chat_sandbox.launch(switches={"ties": "maybe"}),
    ):
        pass
