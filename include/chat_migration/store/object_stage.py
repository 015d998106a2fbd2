"""The stage on an object store: artefacts are uploaded, then named by a marker; readers fetch what they need.

Next to the objects of an artefact ``<name>/…`` lies its marker ``<name>.published``, written last. It lists every
file with size and hash: an upload that was cut off does not exist for readers, and what they fetched is
compared. Artefacts whose content may change between two tries lie in a folder named by their content, so that a
new one never touches what a reader is fetching.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from functools import partial
from hashlib import blake2b
from pathlib import Path

import msgspec

from chat_migration.clock import Clock
from chat_migration.errors import MigrationError, StageUnreachableError, StoppedError
from chat_migration.home import STAGE_VARIABLE
from chat_migration.store.remote import Remote
from chat_migration.store.stage import Artefact, new_folder, published_after
from chat_migration.store.workplace import workplace

_log = logging.getLogger(__name__)

MARKER = ".published"
MARKER_VERSION = 1
ORPHAN_SECONDS = 86_400
"""How old an object that no marker lists must be until it is taken for the rest of an upload that was cut off."""
UNUSED_SECONDS = 7 * 86_400
"""How long a local copy is kept after its last use."""
_MEBIBYTE = 1 << 20
_PROOF = ".chat-migration"


class FileMark(msgspec.Struct, frozen=True):
    """What a file of an artefact must be: its bytes, and their BLAKE2b hash of 16 bytes, in hex."""

    size: int
    blake2b: str


class Marker(msgspec.Struct, frozen=True, kw_only=True):
    """What ``<name>.published`` holds. ``folder`` is where below the artefact's name its objects lie, or ""."""

    version: int = MARKER_VERSION
    folder: str
    files: dict[str, FileMark]

    @property
    def content(self) -> str:
        """Return 16 hex characters that tell contents apart."""
        return blake2b(msgspec.json.encode(self.files), digest_size=8).hexdigest()

    def key(self, name: str, file: str) -> str:
        """Return where on the stage a file of the artefact ``name`` lies."""
        return "/".join(part for part in (name, self.folder, file) if part)


_decode = msgspec.json.Decoder(Marker).decode
"""Made at import: its first use by two threads at once crashes the process (msgspec 0.22)."""


class ObjectStage:
    """A stage behind a URL, with a copy of what this machine made or needed under ``cache``."""

    def __init__(self, url: str, cache: Path, clock: Clock) -> None:
        self._remote = Remote(url, what="The stage", setting=STAGE_VARIABLE, clock=clock)
        self._cache = cache

    def prepare(self) -> None:
        """Prove that the stage is there and can be written, and forget copies that nobody used for a week."""
        self._cache.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._remote.write(_PROOF, b"The stage of a chat migration lies here.\n")
        self._forget_unused()

    def place(self, name: str) -> str:
        """Return the artefact's URL, without secrets."""
        return f"{self._remote.shown.rstrip('/')}/{name}"

    @contextlib.contextmanager
    def workshop(self) -> Iterator[Path]:
        """Give a folder on this machine's disk, this process's own."""
        with workplace(self._cache) as work:
            yield new_folder(work / "made")

    def publish(self, name: str, made: Path) -> Artefact:
        """Upload an artefact whose name always means the same content; its objects bear plain names."""
        return self._publish(name, made, by_content=False)

    @contextlib.contextmanager
    def making(self, name: str, *, keep: str = "", plain: bool = False) -> Iterator[Path]:
        """Give an empty folder on this machine's disk, and upload it at the end."""
        with (
            self.workshop() as made,
            published_after(made, keep, lambda: self._publish(name, made, by_content=not plain)),
        ):
            yield made

    def find(self, name: str) -> Artefact | None:
        """Return a published artefact, or None. Its files are downloaded when they are asked for."""
        marker = self._marker(name)
        if marker is None:
            return None
        folder = self._copy(name, marker)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.utime(folder)
        return Artefact(folder, partial(self._fetch, name, marker))

    def names(self, folder: str) -> list[str]:
        """Return the artefacts of a folder of the stage, in order."""
        return [
            f"{folder}/{file.path.removesuffix(MARKER)}"
            for file in self._remote.listing(folder)
            if file.path.endswith(MARKER) and "/" not in file.path
        ]

    def remove(self, name: str) -> None:
        """Delete the marker, then the objects; a reader that has begun fails and is run again."""
        marker = self._marker(name)
        if marker is not None:
            self._remote.delete([name + MARKER])
            self._remote.delete([marker.key(name, file) for file in marker.files])

    def write_note(self, name: str, data: bytes) -> None:
        """Write a small file at once."""
        self._remote.write(name, data)

    def note(self, name: str) -> bytes | None:
        """Return a small file, or None."""
        try:
            return self._remote.read(name)
        except FileNotFoundError:
            return None

    # --- publishing -----------------------------------------------------------------------------

    def _publish(self, name: str, made: Path, *, by_content: bool) -> Artefact:
        files = {
            file.relative_to(made).as_posix(): FileMark(file.stat().st_size, _hash(file))
            for file in sorted(made.rglob("*"))
            if file.is_file()
        }
        marker = Marker(folder="", files=files)
        if by_content:
            marker = msgspec.structs.replace(marker, folder=marker.content)
        before = self._marker(name)
        if before != marker:
            self._replace(name, made, before, marker)
        return Artefact(self._keep(name, made, marker))

    def _replace(self, name: str, made: Path, before: Marker | None, marker: Marker) -> None:
        """Upload the files, then the marker, then delete what the marker before it listed."""
        if before is not None and before.folder == marker.folder:
            self._remote.delete([name + MARKER])
        self._remote.side_by_side(
            partial(self._remote.upload, made / file, marker.key(name, file))
            for file in marker.files
        )
        self._remote.write(name + MARKER, msgspec.json.encode(marker))
        old = {before.key(name, file) for file in before.files} if before else set()
        ours = {marker.key(name, file) for file in marker.files}
        try:
            self._remote.delete(sorted((old | self._orphans(name)) - ours))
        except MigrationError as error:
            # It is published; the next one tries to delete them again.
            _log.warning("Old files of `%s` stay: %s", self.place(name), error)

    def _orphans(self, name: str) -> set[str]:
        """Return the objects of an artefact that are older than any upload that may still be running."""
        limit = time.time() - ORPHAN_SECONDS
        return {
            f"{name}/{file.path}"
            for file in self._remote.listing(name)
            if 0 < file.modified_s < limit
        }

    def _keep(self, name: str, made: Path, marker: Marker) -> Path:
        """Keep what was made here as this machine's copy."""
        copy = self._copy(name, marker)
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with contextlib.suppress(
                OSError
            ):  # another process keeps the same; it is fetched where it lacks
                made.rename(copy)
        return copy

    # --- fetching -------------------------------------------------------------------------------

    def _marker(self, name: str) -> Marker | None:
        raw = self.note(name + MARKER)
        if raw is None:
            return None
        try:
            marker = _decode(raw)
        except msgspec.DecodeError:
            raise self._broken(name, "its marker cannot be read") from None
        if marker.version > MARKER_VERSION:
            raise self._broken(name, "a newer version of this program wrote it")
        if any(not _is_inside(file) for file in (*marker.files, marker.folder)):
            raise self._broken(name, "its marker names files outside")
        return marker

    def _copy(self, name: str, marker: Marker) -> Path:
        """Return where this machine keeps one content of an artefact."""
        return self._cache / "copies" / name.replace("/", "%2F") / marker.content

    def _fetch(self, name: str, marker: Marker, *wanted: str) -> None:
        """Download the files that are not here yet: those named, those of folders named with a slash, or all."""
        copy = self._copy(name, marker)
        missing = {
            file: mark
            for file, mark in marker.files.items()
            if (not wanted or file in wanted or file.startswith(_folders(wanted)))
            and not _is_there(copy / file, mark)
        }
        if not missing:
            return
        with workplace(self._cache) as work:
            self._remote.require_room(sum(mark.size for mark in missing.values()), work)
            self._remote.side_by_side(
                partial(self._fetch_one, name, marker, file, copy, work) for file in missing
            )

    def _fetch_one(self, name: str, marker: Marker, file: str, copy: Path, work: Path) -> None:
        """Download one file beside its place, compare it, rename it: it is whole or not there."""
        part = work / uuid.uuid4().hex
        try:
            self._remote.download(marker.key(name, file), part)
        except FileNotFoundError:
            if self._marker(name) != marker:
                raise StageUnreachableError(
                    f"`{self.place(name)}` was replaced while it was being fetched.",
                    advice="Run this stage again.",
                ) from None
            raise self._broken(name, f"`{file}` is missing") from None
        mark = FileMark(part.stat().st_size, _hash(part))
        if mark != marker.files[file]:
            raise self._broken(name, f"`{file}` is not what was uploaded")
        (copy / file).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part.replace(copy / file)

    def _broken(self, name: str, why: str) -> StoppedError:
        return StoppedError(
            f"`{self.place(name)}` cannot be used: {why}.",
            advice="Run the stage again that made it (clear its task).",
            done="What was sent is in the ledger.",
        )

    def _forget_unused(self) -> None:
        limit = time.time() - UNUSED_SECONDS
        for copy in self._cache.glob("copies/*/*"):
            with contextlib.suppress(OSError):
                if copy.stat().st_mtime < limit:
                    shutil.rmtree(copy, ignore_errors=True)
                    copy.parent.rmdir()


def _folders(wanted: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each for each in wanted if each.endswith("/"))


def _is_there(file: Path, mark: FileMark) -> bool:
    """Tell whether a file is here; one that is bears its name only since it was whole."""
    try:
        return file.stat().st_size == mark.size
    except FileNotFoundError:
        return False


def _is_inside(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/")


def _hash(file: Path) -> str:
    digest = blake2b(digest_size=16)
    with file.open("rb") as opened:
        while block := opened.read(_MEBIBYTE):
            digest.update(block)
    return digest.hexdigest()
