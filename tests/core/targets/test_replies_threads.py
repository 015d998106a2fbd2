"""Many threads read their first answers at the same moment: none of them may crash the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import importlib, sys, threading
from chat_migration.targets.tencent_chat import replies
from chat_migration.targets.transport import Reply

ANSWER = Reply(200, b'{"ErrorCode": 0, "ResultItem": [{"UserID": "ada", "ResultCode": 0, "AccountStatus": "Imported"}]}')
sys.setswitchinterval(1e-6)
found = []

def read(fresh, together):
    together.wait()
    found.append(fresh.read_account_check("account_check", ["ada"], ANSWER))

for _ in range(150):
    fresh = importlib.reload(replies)
    together = threading.Barrier(8)
    threads = [threading.Thread(target=read, args=(fresh, together)) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
assert found == [{"ada": True}] * 1200, found[:3]
"""


def test_first_answers_may_be_read_by_many_threads_at_once() -> None:
    """The decoding library prepares a form at its first use, which is not safe from several threads."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "include")}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stderr.decode()
