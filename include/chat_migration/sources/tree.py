"""Safe, read-only access to the files of an export, whichever way they are wrapped.

An :class:`ExportTree` is a plain description: it can be sent to another process, which opens the files for
itself. Names that lead outside, links, devices, encrypted or broken archives and zip bombs are refused here,
once, for all readers.
"""

from __future__ import annotations

import functools
import io
import shutil
import stat
import tempfile
import zipfile
from hashlib import blake2b
from pathlib import Path
from typing import IO, Literal

import msgspec

from chat_migration.errors import UnreadableExportError
from chat_migration.sources.packaging import folders, streams, tars, zips
from chat_migration.sources.packaging.limits import MEBIBYTE, Limits

_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz")


class ExportFile(msgspec.Struct, frozen=True):
    """One file of an export: its path inside, its size in bytes, and what tells a changed file."""

    path: str
    size: int
    mark: str


class ExportTree(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The files of one export. Build it with :meth:`open`; send it to other processes as it is."""

    export: str
    """The path that was given, for messages."""
    kind: Literal["folder", "zip"]
    location: str
    """The folder or zip that is read; an unpacked tar's own folder."""
    root: str = ""
    """The lone top folders that wrap the export, ending in a slash, or ""."""
    unpacked: str = ""
    """The fingerprint of an unpacked tar, or ""."""
    limits: Limits = Limits()
    elsewhere: tuple[ExportFile, ...] = ()
    """Files that belong to the export and do not lie on this machine: listed, and never opened."""

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        scratch: Path,
        own_folders: frozenset[str] = frozenset(),
        limits: Limits = Limits(),  # noqa: B008 - frozen
        elsewhere: tuple[ExportFile, ...] = (),
    ) -> ExportTree:
        """Open an export.

        Args:
            path: a folder, ``.zip``, ``.tar``, ``.tar.gz`` or ``.tgz``.
            scratch: an empty folder of the caller's; a tar is unpacked there.
            own_folders: top folders that belong to the format; any other lone one is taken for a wrapper.
            limits: bounds on size and swelling.
            elsewhere: more files of a folder, which are not on this machine.

        Raises:
            UnreadableExportError: there is nothing to read, or it is unsafe; the text says what was found.
        """
        path = Path(path)
        kind: Literal["folder", "zip"] = "folder"
        location, unpacked = path, ""
        match _kind(path):
            case "zip":
                kind = "zip"
            case "tar":
                location = scratch / "unpacked"
                unpacked = tars.unpack(path, location, limits)
                location.mkdir(exist_ok=True)
            case _:
                pass
        tree = cls(
            export=str(path),
            kind=kind,
            location=str(location.resolve()),
            unpacked=unpacked,
            limits=limits,
            elsewhere=elsewhere,
        )
        return tree._unwrapped(own_folders)

    @classmethod
    def of_listing(
        cls, export: str, files: tuple[ExportFile, ...], own_folders: frozenset[str] = frozenset()
    ) -> ExportTree:
        """Return a folder of which only the listing is known."""
        tree = cls(export=export, kind="folder", location="", elsewhere=files)
        return tree._unwrapped(own_folders)

    def _unwrapped(self, own_folders: frozenset[str]) -> ExportTree:
        root = _wrapper([file.path for file in self.files()], own_folders)
        return msgspec.structs.replace(self, root=root)

    def files(self) -> list[ExportFile]:
        """Return every file under the export's root, by path."""
        return list(self._by_path.values())

    def size(self, path: str) -> int:
        """Return the size of one file in bytes, as it lies in the export."""
        return self._by_path[path].size

    def fingerprint(self) -> str:
        """Return 32 hex characters that change when the export does.

        Folders: over path, size and modification time; archives: over name, size and checksum.
        """
        if self.unpacked:
            return self.unpacked
        digest = blake2b(digest_size=16)
        for file in self.files():
            digest.update(f"{len(file.path)}:{file.path}:{file.size}:{file.mark};".encode())
        return digest.hexdigest()

    def open_file(self, path: str) -> io.BufferedReader:
        """Open one file as it lies in the export, for reading from its start.

        Raises:
            UnreadableExportError: it cannot be opened; reading raises it too when the file is broken.
        """
        if self.kind == "zip":
            try:
                stream = self._zip.open(self._members[self.root + path])
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
                raise streams.broken_file(path, error) from None
            return streams.buffered(streams.GuardedStream(stream, file=path))
        try:
            real = folders.inside(Path(self.location), self.root + path)
            return io.BufferedReader(io.FileIO(real), MEBIBYTE)
        except OSError as error:
            raise streams.broken_file(path, error) from None

    def open_table(self, path: str) -> io.BufferedReader:
        """Open one file with ``.gz`` and ``.zst`` taken off, bounded as everything that swells.

        Raises:
            UnreadableExportError: as :meth:`open_file`; an empty compressed file is broken, too.
        """
        codec, size, limits = streams.codec_of(path), self.size(path), self.limits
        if codec is None:
            return self.open_file(path)
        if not size:
            raise streams.broken_file(path, EOFError("it is empty, and no compressed file is"))

        def check(unpacked: int) -> None:
            limits.check_ratio(path, size, unpacked)
            limits.check_listing(path, 1, unpacked)

        unpacked = streams.decompressed(self.open_file(path), codec)
        return streams.buffered(streams.GuardedStream(unpacked, file=path, check=check))

    def open_seekable(self, path: str) -> IO[bytes]:
        """Open one file for random access; a member of a zip is copied to a temporary file first."""
        stream = self.open_file(path)
        if self.kind == "folder":
            return stream
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        with stream:
            shutil.copyfileobj(stream, copy, MEBIBYTE)
        copy.seek(0)
        return copy

    def is_splittable(self, path: str) -> bool:
        """Tell whether several processes may read parts of this file by byte offsets."""
        return self.kind == "folder" and streams.codec_of(path) is None

    @functools.cached_property
    def _zip(self) -> zipfile.ZipFile:
        return zips.open_zip(Path(self.location))

    @functools.cached_property
    def _members(self) -> dict[str, zipfile.ZipInfo]:
        return zips.members(Path(self.location), self._zip, self.limits)

    @functools.cached_property
    def _by_path(self) -> dict[str, ExportFile]:
        found = self._listed_zip() if self.kind == "zip" else self._listed_folder()
        inside = (file for file in found if file.path.startswith(self.root))
        cut = len(self.root)
        return {
            file.path[cut:]: ExportFile(file.path[cut:], file.size, file.mark)
            for file in sorted(inside, key=lambda file: file.path)
        }

    def _listed_zip(self) -> list[ExportFile]:
        return [
            ExportFile(name, member.file_size, f"{member.CRC:08x}")
            for name, member in self._members.items()
        ]

    def _listed_folder(self) -> list[ExportFile]:
        found, total = list(self.elsewhere), sum(file.size for file in self.elsewhere)
        for path, status in folders.walk(Path(self.location)) if self.location else ():
            found.append(ExportFile(path, status.st_size, str(status.st_mtime_ns)))
            total += status.st_size
            self.limits.check_listing(self.export, len(found), total)
        return found


def _kind(path: Path) -> Literal["folder", "zip", "tar"]:
    try:
        status = path.stat()
    except OSError as error:
        raise UnreadableExportError(
            f"There is no export at `{path}`: {error.strerror}.",
            advice="Check `export_path`; a template such as `drops/{date}/` is expanded per run.",
        ) from None
    if stat.S_ISDIR(status.st_mode):
        return "folder"
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        found = "an empty file" if stat.S_ISREG(status.st_mode) else "a device, pipe or socket"
        raise UnreadableExportError(f"`{path}` is {found}.", expected=_EXPECTED)
    name = path.name.lower()
    if name.endswith(_TAR_SUFFIXES):
        return "tar"
    if name.endswith(".zip") or zipfile.is_zipfile(path):
        return "zip"
    raise UnreadableExportError(
        f"`{path}` is a file of {status.st_size:,} bytes, and no archive that is known.",
        expected=_EXPECTED,
        advice="Give the folder that holds the file.",
    )


_EXPECTED = "An export is a folder, a `.zip`, a `.tar`, or a `.tar.gz` / `.tgz`."


def _wrapper(paths: list[str], own_folders: frozenset[str]) -> str:
    """Return the lone top folders of all paths, ending in a slash, down to the first that is the format's."""
    root = ""
    while paths:
        tops = {path[len(root) :].split("/", 1)[0] for path in paths}
        top = tops.pop()
        if (
            tops
            or top in own_folders
            or not all(path.startswith(f"{root}{top}/") for path in paths)
        ):
            break
        root += top + "/"
    return root
