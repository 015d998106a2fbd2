"""Many threads read their first answers at the same moment: none of them may crash the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
PROGRAM = """
import importlib, sys, threading
from chat_migration.targets.transport import Reply
from chat_migration.targets.zego_zim import payloads, replies

ANSWER = Reply(200, b'{"Code": 0, "ErrorList": [{"UserId": "ada", "SubCode": 660700002}]}')
BODY = '{"MessageType":1,"Message":"hi"}'
sys.setswitchinterval(1e-6)
found = []

def read(fresh, bodies, together):
    together.wait()
    found.append((fresh.read_user_results("UserRegister", ["ada"], ANSWER)[0].was_there, bodies.read_body(BODY).message))

for _ in range(100):
    fresh, bodies = importlib.reload(replies), importlib.reload(payloads)
    together = threading.Barrier(8)
    threads = [threading.Thread(target=read, args=(fresh, bodies, together)) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
assert found == [(True, "hi")] * 800, found[:3]
"""


def test_first_answers_may_be_read_by_many_threads_at_once() -> None:
    """The decoding library prepares a form at its first use, which is not safe from several threads."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "include")}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, check=False
    )
    assert ended.returncode == 0, ended.stderr.decode()
