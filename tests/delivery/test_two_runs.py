"""Two command lines at once on one export, ledger and target: one of them does each piece of work."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tests.delivery.driving import World
from tests.delivery.process_scenes import (
    QUICK_TIMEOUT_SECONDS,
    assert_wakes_to_nothing,
    overtaken,
    run_two_at_once,
)
from tests.delivery.processes import Processes
from tests.delivery.test_killed_process import assert_complete, processes, town
from tests.delivery.test_killed_process import clean as clean  # noqa: PLC0414 - the same fixture


def assert_sent_once(made: Processes, *, in_flight: int = 0) -> None:
    """Assert by the sandbox's journal that no message ever came in twice.

    A one-to-one message that was ``in_flight`` may be repeated: its key is the vendor's own.
    """
    sent: Counter[object] = Counter()
    direct: Counter[object] = Counter()
    for api, body in made.written():
        if api == "import_group_msg":
            sent.update((body["GroupId"], each["Random"]) for each in body["MsgList"])
        elif api == "importmsg":
            direct[body["From_Account"], body["MsgRandom"]] += 1
    assert len(sent) + len(direct) == len(town().messages)
    assert set(sent.values()) == {1}
    assert direct.total() - len(direct) <= in_flight


@pytest.mark.parametrize("wait", [0, 60])
def test_two_runs_that_start_together_send_each_message_once(
    tmp_path: Path, clean: World, wait: int
) -> None:
    with processes(tmp_path) as made:
        run_two_at_once(made, lease_wait_seconds=wait)
        assert_complete(made, clean)
        assert_sent_once(made)


def test_a_run_that_was_paused_past_its_lease_sends_nothing_of_what_another_one_took_over(
    tmp_path: Path, clean: World
) -> None:
    with processes(tmp_path, timeout_seconds=QUICK_TIMEOUT_SECONDS) as made:
        paused = overtaken(made, {"import_group_msg": (9, 4), "importmsg": (5, 1)})
        # The calls that are held count as running all the time.
        assert_complete(made, clean, is_call_held=True)
        assert_wakes_to_nothing(made, paused)
        assert_sent_once(made, in_flight=1)
        made.run()
        assert_complete(made, clean, is_call_held=True)
