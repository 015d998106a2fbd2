"""Two command lines at once on one export, ledger and app of ZIM: one of them does each piece of work."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders_neutral import NeutralExport
from tests.delivery.driving import World
from tests.delivery.process_scenes import (
    QUICK_TIMEOUT_SECONDS,
    assert_wakes_to_nothing,
    overtaken,
    run_two_at_once,
)
from tests.delivery.zego_zim import test_killed_process
from tests.delivery.zego_zim.processes import assert_complete, assert_writes_no_more, processes

clean, export = test_killed_process.clean, test_killed_process.export
"""The same fixtures."""


@pytest.mark.parametrize("wait", [0, 60])
def test_two_runs_that_start_together_send_each_message_once(
    tmp_path: Path, export: NeutralExport, clean: World, wait: int
) -> None:
    with processes(tmp_path, export) as made:
        run_two_at_once(made, lease_wait_seconds=wait)
        assert_complete(made, export, clean)
        assert_writes_no_more(made)


def test_a_run_that_was_paused_past_its_lease_sends_nothing_of_what_another_one_took_over(
    tmp_path: Path, export: NeutralExport, clean: World
) -> None:
    with processes(tmp_path, export, timeout_seconds=QUICK_TIMEOUT_SECONDS) as made:
        paused = overtaken(made, {"ImportGroupMsg": (9, 4), "ImportPeerMsg": (5, 1)})
        # The calls that are held count as running all the time.
        assert_complete(made, export, clean, is_call_held=True)
        assert_wakes_to_nothing(made, paused)
        assert_writes_no_more(made)
        assert_complete(made, export, clean, is_call_held=True)
