"""One run: what it is asked to do and what it works with. Cheap to make; opens nothing until asked."""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from chat_migration.clock import Clock, SystemClock
from chat_migration.connection import TencentConnection
from chat_migration.errors import UsageError
from chat_migration.home import Home, slug
from chat_migration.progress import NoProgress, Progress
from chat_migration.settings import Settings
from chat_migration.stop import StopSignal


@dataclass(frozen=True, kw_only=True)
class Run:
    """What every stage of one run shares.

    ``run_id`` names the run in ledger and reports and must be the same for all its stages and retries.
    ``stop`` is set by whoever wants the run to end soon: calls in flight are finished, no new ones begin.
    ``shared_budget`` keeps the call budget in the ledger's database, for all processes of this machine,
    instead of in this process's memory.
    """

    run_id: str
    settings: Settings
    connection: TencentConnection
    home: Home
    clock: Clock = field(default_factory=SystemClock)
    progress: Progress = field(default_factory=NoProgress)
    stop: StopSignal = field(default_factory=StopSignal)
    shared_budget: bool = False

    @property
    def folder(self) -> Path:
        """Return the folder of this run's reports."""
        return self.home.run_folder(self.run_id)

    @property
    def work(self) -> Path:
        """Return the folder of this run's plan and parts, on the stage that all workers share."""
        return self.stage / "runs" / slug(self.run_id)

    @property
    def stage(self) -> Path:
        """Return where extracts lie; those of a dry run go to a scratch folder, which its plan stage removes."""
        return self.scratch / "stage" if self.settings.dry_run else self.home.stage

    @property
    def scratch(self) -> Path:
        """Return the folder outside the home that a dry run may write to."""
        return Path(tempfile.gettempdir()) / f"chat-migration-dry-run-{slug(self.run_id)}"

    def make_scratch(self) -> None:
        """Make the scratch folder, its owner's alone.

        Raises:
            UsageError: somebody else made it first.
        """
        self.scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = self.scratch.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise UsageError(
                f"`{self.scratch}` is not a folder of this user alone.", advice="Remove it."
            )

    @property
    def extract_note(self) -> Path:
        """Return the file that says which extracts this run works on."""
        return self.work / "extracts.json"

    def note_extracts(self, extracts: list[Path]) -> None:
        """Remember which extracts this run works on; paths are relative to the stage."""
        self.work.mkdir(parents=True, exist_ok=True, mode=0o700)
        names = [str(each.relative_to(self.stage)) for each in extracts]
        self.extract_note.write_bytes(msgspec.json.encode(names))

    def noted_extracts(self) -> list[Path]:
        """Return the extracts that this run works on; none before the extract stage is done."""
        if not self.extract_note.exists():
            return []
        return [
            self.stage / name
            for name in msgspec.json.decode(self.extract_note.read_bytes(), type=list[str])
        ]
