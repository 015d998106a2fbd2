"""One run: what it is asked to do and what it works with. Cheap to make; opens nothing until asked."""

from __future__ import annotations

import os
import stat
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import msgspec

from chat_migration.clock import Clock, SystemClock
from chat_migration.connection import TargetConnection
from chat_migration.errors import UsageError
from chat_migration.home import Home, slug
from chat_migration.progress import NoProgress, Progress
from chat_migration.settings import Settings
from chat_migration.stop import StopSignal
from chat_migration.store.stage import MANIFEST, FolderStage, Stage, open_stage
from chat_migration.window import RunWindow

_WINDOW = msgspec.json.Decoder(RunWindow)
"""Made at import: its first use by two threads at once crashes the process (msgspec 0.22)."""


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
    connection: TargetConnection
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
    def place(self) -> str:
        """Return the name under which this run's plan and parts lie on the stage that all workers share."""
        return f"runs/{slug(self.run_id)}"

    @property
    def stage(self) -> Path:
        """Return the stage's folder on this machine; that of a dry run is a scratch folder, which it removes."""
        return self.scratch / "stage" if self.settings.dry_run else self.home.stage

    @cached_property
    def artefacts(self) -> Stage:
        """Return the stage, through which everything passes that one worker makes and another reads."""
        return (
            FolderStage(self.stage) if self.settings.dry_run else open_stage(self.home, self.clock)
        )

    @property
    def cache(self) -> Path:
        """Return the folder for copies of what lies elsewhere; a dry run removes its own."""
        return self.scratch / "cache" if self.settings.dry_run else self.home.cache

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
    def window(self) -> RunWindow:
        """Return what this run takes: what was decided when it began, else what ``from`` and ``to`` say."""
        return self.noted_window() or RunWindow(window=self.settings.window)

    def noted_window(self) -> RunWindow | None:
        """Return what was decided when this run began, or None if nothing was."""
        raw = self.artefacts.note(f"{self.place}/window.json")
        return _WINDOW.decode(raw) if raw else None

    def note_window(self, decided: RunWindow) -> None:
        """Remember what this run takes, for all its stages, on whichever worker."""
        self.artefacts.write_note(f"{self.place}/window.json", msgspec.json.encode(decided))

    @property
    def noted_app(self) -> str:
        """Return the app that the run of this id goes into, "" if it has not begun."""
        return (self.artefacts.note(f"{self.place}/app") or b"").decode()

    def note_app(self) -> None:
        """Remember which app this run goes into: what it leaves on the stage is for that one alone."""
        self.artefacts.write_note(f"{self.place}/app", self.connection.app.encode())

    def note_extracts(self, names: list[str]) -> None:
        """Remember which extracts this run works on, by their names on the stage."""
        self.artefacts.write_note(f"{self.place}/extracts.json", msgspec.json.encode(names))

    def noted_extracts(self, *wanted: str) -> list[Path]:
        """Return the extracts that this run works on; none before the extract stage is done.

        Args:
            wanted: tables that will be read, ending in a slash; without any, all. The manifest is always there.

        Raises:
            UsageError: one is not on the stage any more.
        """
        raw = self.artefacts.note(f"{self.place}/extracts.json")
        names = msgspec.json.decode(raw, type=list[str]) if raw else []
        found = []
        for name in names:
            extract = self.artefacts.find(name)
            if extract is None:
                raise UsageError(
                    f"`{self.artefacts.place(name)}` holds no finished extract.",
                    advice="Run the extract stage again.",
                )
            extract.fetch(*((MANIFEST, *wanted) if wanted else ()))
            found.append(extract.folder)
        return found
