"""The stage: what the stages of a run leave for later ones, whichever worker runs them.

Everything on it is an *artefact*: a named folder that is made in private and published whole. A reader finds
all of it or nothing; a later one of the same name replaces it. Here is the stage on a folder, this machine's own
or one that several share: publishing is a rename, fetching is nothing. :mod:`chat_migration.store.object_stage`
has the one on an object store.

Names on the stage: ``<source_name>/<extract id>`` · ``runs/<run>/plan`` · ``runs/<run>/parts/<stage>-<shard>`` ·
``runs/<run>/report`` · ``deferred/<source_name>/<rows that wait>``, and the small file ``runs/<run>/extracts.json``.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from chat_migration.clock import Clock
from chat_migration.errors import MigrationError, UsageError
from chat_migration.home import STAGE_VARIABLE, Home
from chat_migration.store.workplace import replace, workplace

MANIFEST = "manifest.json"
"""Of an extract, written last: without it there is none."""

_log = logging.getLogger(__name__)


def _nothing(*_: str) -> None:
    """Fetch nothing: it is there."""


class Artefact(msgspec.Struct, frozen=True):
    """A published artefact, readable under ``folder`` once its files are fetched.

    ``fetch`` takes paths within it, or folders ending in a slash; without any it fetches all. It may be called
    at any time and as often as wanted.
    """

    folder: Path
    fetch: Callable[..., None] = _nothing


class Stage(Protocol):
    """Where artefacts lie. Methods raise what :class:`~chat_migration.store.remote.Remote` names."""

    def prepare(self) -> None:
        """Make the stage, or prove that it can be written, before long work begins."""

    def place(self, name: str) -> str:
        """Return where an artefact lies, for people; no secret is in it."""

    def workshop(self) -> AbstractContextManager[Path]:
        """Give a folder in which an artefact may be made under a name that is not known before."""

    def publish(self, name: str, made: Path) -> Artefact:
        """Put an artefact made in the workshop into place; the same name always means the same content."""

    def making(
        self, name: str, *, keep: str = "", plain: bool = False
    ) -> AbstractContextManager[Path]:
        """Give an empty folder, and publish it under ``name`` at the end.

        Args:
            name: of the artefact; what has it already is replaced.
            keep: after a failure, publish all the same if the folder holds this file.
            plain: its files must lie under their plain names, for people; nobody reads it while it is replaced.
        """

    def find(self, name: str) -> Artefact | None:
        """Return a published artefact, or None."""

    def names(self, folder: str) -> list[str]:
        """Return the artefacts of a folder of the stage, in order."""

    def remove(self, name: str) -> None:
        """Remove an artefact; nothing happens where there is none."""

    def write_note(self, name: str, data: bytes) -> None:
        """Write a small file at once."""

    def note(self, name: str) -> bytes | None:
        """Return a small file, or None."""


def open_stage(home: Home, clock: Clock) -> Stage:
    """Return an installation's stage; nothing is opened until it is used."""
    if not home.stage_url:
        return FolderStage(home.stage)
    # Imported late: a stage on this machine's disk needs no object store.
    from chat_migration.store.object_stage import ObjectStage  # noqa: PLC0415

    return ObjectStage(home.stage_url, home.stage, clock)


def new_folder(path: Path) -> Path:
    """Make an empty folder, its owner's alone."""
    path.mkdir(parents=True, mode=0o700)
    return path


@contextmanager
def published_after(made: Path, keep: str, publish: Callable[[], object]) -> Iterator[None]:
    """Publish what was made at the end; after a failure only if it holds the file ``keep``, and in silence."""
    try:
        yield
    except BaseException:
        if keep and (made / keep).exists():
            try:
                publish()
            except (MigrationError, OSError) as error:
                # The failure before it is the one to tell of.
                _log.warning("`%s` was not published: %s", keep, type(error).__name__)
        raise
    publish()


class FolderStage:
    """A stage on a folder, which several machines may share."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def prepare(self) -> None:
        """Make the folder, its owner's alone."""
        try:
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise UsageError(
                f"The stage `{self._root}` cannot be made: {error.strerror}.",
                advice=f"Correct {STAGE_VARIABLE}, or give this user the folder above.",
            ) from None

    def place(self, name: str) -> str:
        """Return the artefact's folder."""
        return str(self._root / name)

    @contextmanager
    def workshop(self) -> Iterator[Path]:
        """Give the stage itself: what is made there is renamed into place by its maker."""
        yield self._root

    def publish(self, name: str, made: Path) -> Artefact:
        """Return the artefact: its maker has renamed it into place."""
        if made != self._root / name:
            raise ValueError(f"{made} was not made as {name}")
        return Artefact(made)

    @contextmanager
    def making(self, name: str, *, keep: str = "", plain: bool = False) -> Iterator[Path]:
        """Give an empty folder beside the artefact's place, and rename it into place."""
        del plain  # they always do
        final = self._root / name
        with workplace(final.parent) as work:
            made = new_folder(work / "made")
            with published_after(made, keep, lambda: replace(made, final, work / "replaced")):
                yield made

    def find(self, name: str) -> Artefact | None:
        """Return the artefact's folder, if it is there."""
        folder = self._root / name
        return Artefact(folder) if folder.is_dir() else None

    def names(self, folder: str) -> list[str]:
        """Return the artefacts of a folder of the stage, in order."""
        found = (self._root / folder).glob("[!.]*")
        return sorted(f"{folder}/{each.name}" for each in found if each.is_dir())

    def remove(self, name: str) -> None:
        """Move the folder out of the readers' sight, and remove it."""
        final = self._root / name
        if final.exists():
            with workplace(final.parent) as work, contextlib.suppress(FileNotFoundError):
                final.rename(work / "removed")

    def write_note(self, name: str, data: bytes) -> None:
        """Write a small file beside its place and rename it."""
        path = self._root / name
        with workplace(path.parent) as work:
            (work / path.name).write_bytes(data)
            (work / path.name).replace(path)

    def note(self, name: str) -> bytes | None:
        """Return a small file, or None."""
        try:
            return (self._root / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
