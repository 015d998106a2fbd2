"""Every switch in every position, at run time, and what DIFFERENCES.md says of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.sandbox.client import Tencent
from tests.sandbox.switch_probes import PROBES

import chat_sandbox
from chat_sandbox import SandboxError, SandboxHandle
from chat_sandbox.switches import markdown_row
from chat_sandbox.tencent_chat.switches import SWITCHES

DIFFERENCES = Path(chat_sandbox.__file__).with_name("DIFFERENCES.md")
UNKNOWNS = {f"U{number}" for number in range(1, 49)}
POSITIONS = [(switch.name, value) for switch in SWITCHES for value in switch.values]


@pytest.mark.parametrize(("name", "position"), POSITIONS)
def test_a_switch_in_a_position_shows_what_its_probe_expects(
    tencent: Tencent, name: str, position: str
) -> None:
    tencent.sandbox.set_switch(name, position)
    probe = PROBES[name]
    assert probe.look(tencent) == probe.sees[position]


def test_every_switch_has_a_probe_for_every_position() -> None:
    assert {name: set(probe.sees) for name, probe in PROBES.items()} == {
        switch.name: set(switch.values) for switch in SWITCHES
    }


def test_names_are_unique_and_defaults_are_positions() -> None:
    names = [switch.name for switch in SWITCHES]
    assert len(names) == len(set(names))
    assert all(switch.default in switch.values for switch in SWITCHES)


def test_switches_start_at_their_defaults(sandbox: SandboxHandle) -> None:
    assert sandbox.switches() == {switch.name: switch.default for switch in SWITCHES}


def test_unknown_switches_and_positions_are_refused_with_what_there_is(
    sandbox: SandboxHandle,
) -> None:
    with pytest.raises(SandboxError, match=r"no switch `tie`; there are: .*ties"):
        sandbox.set_switch("tie", "accept")
    with pytest.raises(SandboxError, match=r"no position `yes`; it has: reject, accept_in"):
        sandbox.set_switch("ties", "yes")


def test_one_wrong_position_sets_none(sandbox: SandboxHandle) -> None:
    with pytest.raises(SandboxError):
        sandbox.set_switches({"ties": "accept", "plan": "golden"})
    assert sandbox.switches()["ties"] == "reject"


def test_switches_can_be_set_at_the_start() -> None:
    with chat_sandbox.running(switches={"ties": "accept"}) as handle:
        assert handle.switches()["ties"] == "accept"
        handle.set_switch("ties", "reject")
        handle.reset()
        assert handle.switches()["ties"] == "accept"


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: str(switch.name))
def test_differences_has_the_row_of_every_switch(switch: chat_sandbox.switches.AnySwitch) -> None:
    assert markdown_row(switch) in DIFFERENCES.read_text(encoding="utf-8").splitlines()


def test_differences_has_no_row_of_a_switch_that_is_gone() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (?:U\d|none)", DIFFERENCES.read_text("utf-8"), re.MULTILINE)
    assert set(rows) == {switch.name for switch in SWITCHES}


def test_every_unknown_is_a_switch_or_explained() -> None:
    text = DIFFERENCES.read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| (U\d+) \|", text, re.MULTILINE))
    embodied = {unknown for switch in SWITCHES for unknown in switch.unknowns}
    assert embodied | explained == UNKNOWNS
    assert not embodied & explained
