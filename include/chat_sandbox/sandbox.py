"""All parts of a sandbox put together, without sockets."""

from __future__ import annotations

from chat_sandbox.clock import SandboxClock
from chat_sandbox.config import SandboxConfig
from chat_sandbox.exchange import Exchange
from chat_sandbox.faults import FaultBook
from chat_sandbox.journal import Journal
from chat_sandbox.statistics import Statistics
from chat_sandbox.tencent_chat.service import TencentChat
from chat_sandbox.vendor import Json, Vendor
from chat_sandbox.zego_zim.service import ZegoZim

COMPACT_ABOVE_ENTRIES = 2000
"""Start and stop write a snapshot in place of a longer journal, so that the next start is quick."""
COMPACT_RUNNING_ABOVE_ENTRIES = 20_000
"""The same while running, where a snapshot holds up calls for a moment."""


class Sandbox:
    """The vendors, the clock, the faults, the statistics, and the journal if there is one."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.clock = SandboxClock()
        self.faults = FaultBook(config.fault_seed)
        self.statistics = Statistics()
        self._journal = None if config.state_dir is None else Journal(config.state_dir)
        self.vendors: tuple[Vendor, ...] = (
            TencentChat(config, self.clock, self._record),
            ZegoZim(config, self.clock, self._record),
        )
        self.exchange = Exchange(
            clock=self.clock,
            faults=self.faults,
            statistics=self.statistics,
            latency_ms=config.latency_ms,
        )
        self._restore()

    def vendor_of(self, path: str) -> Vendor | None:
        """Return the vendor whose path it is."""
        return next((vendor for vendor in self.vendors if vendor.owns(path)), None)

    def reset(self) -> None:
        """Make everything as if newly started: world, switches, faults, clock, counts."""
        for vendor in self.vendors:
            vendor.reset()
        self.faults.clear()
        self.clock.freeze(frozen=False)
        self.clock.set_offset(0)
        self.statistics.reset()

    def close(self) -> None:
        """Leave a snapshot for the next start, if anything is kept."""
        if self._journal is not None:
            if self._journal.entries_since_snapshot > COMPACT_ABOVE_ENTRIES:
                self._compact(self._journal)
            self._journal.close()

    def _record(self, entry: Json) -> None:
        if self._journal is None:
            return
        self._journal.append(entry)
        if self._journal.entries_since_snapshot > COMPACT_RUNNING_ABOVE_ENTRIES:
            self._compact(self._journal)

    def _restore(self) -> None:
        """Load the snapshot, repeat the journal, then put the switches as this start wants them."""
        if self._journal is None:
            return
        by_name = {vendor.name: vendor for vendor in self.vendors}
        for name, snapshot in self._journal.snapshots().items():
            by_name[name].restore(snapshot)
        positions = {vendor.name: vendor.switches.positions() for vendor in self.vendors}
        for entry in self._journal.entries():
            by_name[entry["vendor"]].replay(entry)
        if self._journal.entries_since_snapshot > COMPACT_ABOVE_ENTRIES:
            self._compact(self._journal)
        for vendor in self.vendors:
            vendor.act("_switches", positions[vendor.name], None)

    def _compact(self, journal: Journal) -> None:
        journal.compact({vendor.name: vendor.snapshot() for vendor in self.vendors})
