"""Switches: one for each thing a vendor does not document, so that every answer can be tried.

A vendor package declares its switches as typed constants; a ``SwitchBoard`` holds their positions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

V = TypeVar("V", bound=str)


class UnknownSwitchError(ValueError):
    """A switch or a position that does not exist; the message lists those that do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Generic[V]):
    """One undocumented or plan-dependent behaviour and the answers the sandbox can give.

    Attributes:
        values: the positions, the default among them.
        unknowns: the U-numbers of DIFFERENCES.md that it embodies; empty for console settings.
        meaning: one line, what it decides.
        reason: one line, why the default is the default.
    """

    name: str
    values: tuple[V, ...]
    default: V
    unknowns: tuple[str, ...]
    meaning: str
    reason: str


AnySwitch = Switch[Any]


class SwitchBoard:
    """The positions of a set of switches. Every change is checked against the table."""

    def __init__(self, table: Iterable[AnySwitch], positions: Mapping[str, str]) -> None:
        self._table = {switch.name: switch for switch in table}
        self._positions = {name: switch.default for name, switch in self._table.items()}
        self.set_all(positions)

    def __getitem__(self, switch: Switch[V]) -> V:
        """Return the position of one switch."""
        return cast("V", self._positions[switch.name])

    def __contains__(self, name: str) -> bool:
        """Return whether there is a switch of that name."""
        return name in self._table

    def set_all(self, positions: Mapping[str, str]) -> None:
        """Set several switches, or none if one of them is wrong.

        Raises:
            UnknownSwitchError: no such switch, or it has no such position.
        """
        self.check_all(positions)
        self._positions.update(positions)

    def check_all(self, positions: Mapping[str, str]) -> None:
        """Raise as ``set_all`` does, and set nothing."""
        for name, value in positions.items():
            self._check(name, value)

    def positions(self) -> dict[str, str]:
        """Return a copy of all positions, by switch name."""
        return dict(self._positions)

    def _check(self, name: str, value: str) -> None:
        switch = self._table.get(name)
        if switch is None:
            message = f"no switch `{name}`; there are: {', '.join(sorted(self._table))}"
            raise UnknownSwitchError(message)
        if value not in switch.values:
            message = (
                f"switch `{name}` has no position `{value}`; it has: {', '.join(switch.values)}"
            )
            raise UnknownSwitchError(message)


def markdown_row(switch: AnySwitch) -> str:
    """Return the row that DIFFERENCES.md and ``--list-switches`` show for a switch."""
    values = " / ".join(
        f"**{value}**" if value == switch.default else value for value in switch.values
    )
    unknowns = " ".join(switch.unknowns) or "none"
    return f"| `{switch.name}` | {unknowns} | {values} | {switch.meaning} | {switch.reason} |"
