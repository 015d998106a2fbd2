"""Every switch of ZIM in every position, at run time, and what its DIFFERENCES.md says of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.sandbox.zim_client import Zim
from tests.sandbox.zim_switch_probes import PROBES

import chat_sandbox
from chat_sandbox.switches import AnySwitch, markdown_row
from chat_sandbox.zego_zim.switches import SWITCHES

DIFFERENCES = Path(chat_sandbox.__file__).with_name("zego_zim") / "DIFFERENCES.md"
UNKNOWNS = {f"Z{number}" for number in range(1, 27)}
POSITIONS = [(switch.name, value) for switch in SWITCHES for value in switch.values]


@pytest.mark.parametrize(("name", "position"), POSITIONS)
def test_a_switch_in_a_position_shows_what_its_probe_expects(
    zim: Zim, name: str, position: str
) -> None:
    zim.sandbox.set_switch(name, position)
    probe = PROBES[name]
    assert probe.look(zim) == probe.sees[position]


def test_every_switch_has_a_probe_for_every_position() -> None:
    assert {name: set(probe.sees) for name, probe in PROBES.items()} == {
        switch.name: set(switch.values) for switch in SWITCHES
    }


def test_names_are_unique_have_the_prefix_and_defaults_are_positions() -> None:
    names = [switch.name for switch in SWITCHES]
    assert len(names) == len(set(names))
    assert all(name.startswith("zim_") for name in names)
    assert all(switch.default in switch.values for switch in SWITCHES)


def test_switches_can_be_set_at_the_start_and_come_back_with_a_reset() -> None:
    with chat_sandbox.running(switches={"zim_cursor": "anchored", "ties": "accept"}) as handle:
        handle.set_switch("zim_cursor", "offset")
        handle.reset()
        assert handle.zim.switches()["zim_cursor"] == "anchored"
        assert handle.switches()["ties"] == "accept"


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: str(switch.name))
def test_differences_has_the_row_of_every_switch(switch: AnySwitch) -> None:
    assert markdown_row(switch) in DIFFERENCES.read_text(encoding="utf-8").splitlines()


def test_differences_has_no_row_of_a_switch_that_is_gone() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (?:Z\d|none)", DIFFERENCES.read_text("utf-8"), re.MULTILINE)
    assert set(rows) == {switch.name for switch in SWITCHES}


def test_every_unknown_is_a_switch_or_explained() -> None:
    text = DIFFERENCES.read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| (Z\d+) \|", text, re.MULTILINE))
    embodied = {unknown for switch in SWITCHES for unknown in switch.unknowns}
    assert embodied | explained == UNKNOWNS
    assert not embodied & explained
