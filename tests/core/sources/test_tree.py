"""Exports are opened safely: what leads outside, lies, swells or is cut off is refused in clear words."""

from __future__ import annotations

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from tests.builders_exports import tarred, zipped

from chat_migration.errors import UnreadableExportError
from chat_migration.sources.packaging.limits import Limits
from chat_migration.sources.tree import ExportTree

NAMES_THAT_LEAD_OUTSIDE = [
    "../evil",
    "a/../../evil",
    "/etc/evil",
    "C:/evil",
    "..\\evil",
    "C:\\evil",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a file in a folder."""
    inner = tmp_path / "export" / "messages"
    inner.mkdir(parents=True)
    (inner / "1.jsonl").write_bytes(b"{}\n" * 10)
    (tmp_path / "export" / "users.jsonl").write_bytes(b"{}\n")
    return tmp_path / "export"


@pytest.fixture
def open_tree(tmp_path: Path) -> Callable[..., ExportTree]:
    """Return a function that opens an export, with a fresh scratch folder."""

    def open_it(path: Path, **settings: object) -> ExportTree:
        scratch = tmp_path / f"scratch{len(list(tmp_path.iterdir()))}"
        scratch.mkdir()
        return ExportTree.open(path, scratch=scratch, **settings)  # type: ignore[arg-type]

    return open_it


Open = Callable[..., ExportTree]


def paths(tree: ExportTree) -> list[str]:
    return [file.path for file in tree.files()]


# --- what is there ------------------------------------------------------------------------------


def test_files_are_listed_by_path_with_their_sizes(folder: Path, open_tree: Open) -> None:
    tree = open_tree(folder)
    assert paths(tree) == ["messages/1.jsonl", "users.jsonl"]
    assert tree.size("messages/1.jsonl") == 30


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.tar.gz", "x.tgz"])
def test_archives_list_and_open_as_folders_do(
    folder: Path, tmp_path: Path, open_tree: Open, name: str
) -> None:
    pack = zipped if name.endswith("zip") else tarred
    tree = open_tree(pack(folder, tmp_path / name))
    assert paths(tree) == ["messages/1.jsonl", "users.jsonl"]
    with tree.open_file("messages/1.jsonl") as stream:
        assert stream.readline() == b"{}\n"


def test_a_lone_top_folder_is_the_root(folder: Path, tmp_path: Path, open_tree: Open) -> None:
    tree = open_tree(zipped(folder, tmp_path / "x.zip", wrapper="2024/chat export/"))
    assert paths(tree) == ["messages/1.jsonl", "users.jsonl"]


def test_a_lone_top_folder_of_the_format_stays(folder: Path, open_tree: Open) -> None:
    (folder / "users.jsonl").unlink()
    assert paths(open_tree(folder, own_folders=frozenset({"messages"}))) == ["messages/1.jsonl"]
    assert paths(open_tree(folder)) == ["1.jsonl"]


def test_hidden_files_and_desktop_leftovers_are_no_part(folder: Path, open_tree: Open) -> None:
    for name in (".DS_Store", "__MACOSX/._users.jsonl", "Thumbs.db", ".git/config"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    assert paths(open_tree(folder)) == ["messages/1.jsonl", "users.jsonl"]


@pytest.mark.parametrize(
    ("suffix", "pack"), [(".gz", gzip.compress), (".zst", zstandard.compress)], ids=["gz", "zst"]
)
def test_compressed_tables_open_as_plain_ones(
    folder: Path, open_tree: Open, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    (folder / f"groups.jsonl{suffix}").write_bytes(pack(b"one\n") + pack(b"two\n"))
    with open_tree(folder).open_table(f"groups.jsonl{suffix}") as stream:
        assert stream.read() == b"one\ntwo\n"


def test_a_fingerprint_changes_with_name_size_or_time(folder: Path, open_tree: Open) -> None:
    first = open_tree(folder).fingerprint()
    assert open_tree(folder).fingerprint() == first
    os.utime(folder / "users.jsonl", ns=(1, 1))
    second = open_tree(folder).fingerprint()
    (folder / "users.jsonl").rename(folder / "users2.jsonl")
    third = open_tree(folder).fingerprint()
    assert len({first, second, third}) == 3


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_the_fingerprint_of_an_archive_is_that_of_its_content(
    folder: Path, tmp_path: Path, open_tree: Open, name: str
) -> None:
    pack = zipped if name.endswith("zip") else tarred
    first = open_tree(pack(folder, tmp_path / name)).fingerprint()
    os.utime(tmp_path / name, ns=(1, 1))
    assert open_tree(tmp_path / name).fingerprint() == first
    (folder / "users.jsonl").write_bytes(b"[]\n")
    assert open_tree(pack(folder, tmp_path / name)).fingerprint() != first


# --- what is refused ----------------------------------------------------------------------------


def refuse(open_tree: Open, path: Path, match: str, **settings: object) -> None:
    with pytest.raises(UnreadableExportError, match=match):
        open_tree(path, **settings)


def test_a_path_that_is_not_there_is_named(tmp_path: Path, open_tree: Open) -> None:
    refuse(open_tree, tmp_path / "nowhere", "no export at `.*nowhere`")


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("x.zip", b"", "an empty file"),
        ("x.tar.gz", b"", "an empty file"),
        ("x.zip", b"PK\x03\x04 and no more", "no whole zip"),
        ("x.tar.gz", b"not gzip", "no whole tar"),
        ("x.tar", b"not tar", "no whole tar"),
        ("messages.jsonl", b"{}\n", "Give the folder that holds the file"),
    ],
)
def test_what_is_no_archive_is_refused(
    tmp_path: Path, open_tree: Open, name: str, content: bytes, match: str
) -> None:
    (tmp_path / name).write_bytes(content)
    refuse(open_tree, tmp_path / name, match)


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_a_truncated_archive_is_refused(
    folder: Path, tmp_path: Path, open_tree: Open, name: str
) -> None:
    (folder / "noise.jsonl").write_bytes(os.urandom(50_000))
    pack = zipped if name.endswith("zip") else tarred
    whole = pack(folder, tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    refuse(open_tree, tmp_path / name, "no whole (zip|tar) archive")


@pytest.mark.parametrize("name", NAMES_THAT_LEAD_OUTSIDE)
def test_a_zip_member_that_leads_outside_is_refused(
    tmp_path: Path, open_tree: Open, name: str
) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(name, b"x")
    refuse(open_tree, tmp_path / "x.zip", "leads out of the export")


@pytest.mark.parametrize("name", NAMES_THAT_LEAD_OUTSIDE)
def test_a_tar_member_that_leads_outside_is_refused(
    tmp_path: Path, open_tree: Open, name: str
) -> None:
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        archive.addfile(_member(name), io.BytesIO(b"x"))
    refuse(open_tree, tmp_path / "x.tar.gz", "leads out of the export")
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(
    tmp_path: Path, open_tree: Open, kind: bytes
) -> None:
    member = _member("users.jsonl", size=0)
    member.type, member.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.addfile(member)
    refuse(open_tree, tmp_path / "x.tar", "is a link or a device")


def test_a_link_in_a_zip_is_refused(tmp_path: Path, open_tree: Open) -> None:
    member = zipfile.ZipInfo("users.jsonl")
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(member, "/etc/passwd")
    refuse(open_tree, tmp_path / "x.zip", "is a link or a device")


def test_an_encrypted_zip_is_refused(folder: Path, tmp_path: Path, open_tree: Open) -> None:
    content = bytearray(zipped(folder, tmp_path / "x.zip").read_bytes())
    at = content.rindex(b"PK\x01\x02")
    struct.pack_into("<H", content, at + 8, 1)
    (tmp_path / "x.zip").write_bytes(content)
    refuse(open_tree, tmp_path / "x.zip", "is encrypted.*Unpack it with its password")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_a_name_twice_is_refused(tmp_path: Path, open_tree: Open) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("users.jsonl", b"1")
        archive.writestr("users.jsonl", b"2")
    refuse(open_tree, tmp_path / "x.zip", "holds `users.jsonl` twice")


def test_a_link_out_of_a_folder_is_refused(folder: Path, open_tree: Open) -> None:
    (folder / "groups.jsonl").symlink_to("/etc/passwd")
    refuse(open_tree, folder, "symbolic link that leaves the export")


def test_a_link_to_a_folder_is_refused(folder: Path, open_tree: Open) -> None:
    (folder / "again").symlink_to(folder / "messages")
    refuse(open_tree, folder, "symbolic link to a folder")


def test_a_link_within_a_folder_is_followed(folder: Path, open_tree: Open) -> None:
    (folder / "groups.jsonl").symlink_to("users.jsonl")
    with open_tree(folder).open_file("groups.jsonl") as stream:
        assert stream.read() == b"{}\n"


def test_a_pipe_in_a_folder_is_refused(folder: Path, open_tree: Open) -> None:
    os.mkfifo(folder / "groups.jsonl")
    refuse(open_tree, folder, "a device, pipe or socket")


# --- bombs --------------------------------------------------------------------------------------

TIGHT = Limits(max_ratio=20, ratio_from=1000, max_bytes=10_000_000, max_files=50)


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz"])
def test_an_archive_that_swells_is_refused(
    folder: Path, tmp_path: Path, open_tree: Open, name: str
) -> None:
    (folder / "zeros.jsonl").write_bytes(bytes(2_000_000))
    pack = zipped if name.endswith("zip") else tarred
    refuse(open_tree, pack(folder, tmp_path / name), "as a zip bomb does", limits=TIGHT)


@pytest.mark.parametrize(
    ("suffix", "pack"), [(".gz", gzip.compress), (".zst", zstandard.compress)], ids=["gz", "zst"]
)
def test_a_table_that_swells_is_refused_while_it_is_read(
    folder: Path, open_tree: Open, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    (folder / f"groups.jsonl{suffix}").write_bytes(pack(bytes(50_000_000)))
    with open_tree(folder, limits=TIGHT).open_table(f"groups.jsonl{suffix}") as stream:
        with pytest.raises(UnreadableExportError, match="as a zip bomb does"):
            stream.read(1)
        assert stream.raw.bytes_read <= 2 << 20  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["", "x.zip", "x.tar"])
def test_too_many_bytes_are_refused(
    folder: Path, tmp_path: Path, open_tree: Open, name: str
) -> None:
    path = folder if not name else (zipped if name == "x.zip" else tarred)(folder, tmp_path / name)
    refuse(open_tree, path, "unpacks to|33", limits=Limits(max_bytes=32))


@pytest.mark.parametrize("name", ["", "x.zip", "x.tar"])
def test_too_many_files_are_refused(
    folder: Path, tmp_path: Path, open_tree: Open, name: str
) -> None:
    path = folder if not name else (zipped if name == "x.zip" else tarred)(folder, tmp_path / name)
    refuse(open_tree, path, "more than 1 files", limits=Limits(max_files=1))


# --- broken files -------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [0, 10, -3], ids=["empty", "head", "no-end"])
@pytest.mark.parametrize(
    ("suffix", "pack"), [(".gz", gzip.compress), (".zst", zstandard.compress)], ids=["gz", "zst"]
)
def test_a_cut_off_table_is_refused_by_name(
    folder: Path, open_tree: Open, suffix: str, pack: Callable[[bytes], bytes], keep: int
) -> None:
    (folder / f"groups.jsonl{suffix}").write_bytes(pack(os.urandom(5000))[:keep])
    tree = open_tree(folder)
    with (
        pytest.raises(UnreadableExportError, match=f"`groups.jsonl{suffix}` is damaged or cut off"),
        tree.open_table(f"groups.jsonl{suffix}") as stream,
    ):
        stream.read()


def test_a_zip_member_with_a_wrong_checksum_is_refused(tmp_path: Path, open_tree: Open) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("users.jsonl", b"checked content")
    content = (tmp_path / "x.zip").read_bytes().replace(b"checked", b"chucked")
    (tmp_path / "x.zip").write_bytes(content)
    tree = open_tree(tmp_path / "x.zip")
    with (
        tree.open_file("users.jsonl") as stream,
        pytest.raises(UnreadableExportError, match=r"`users.jsonl` is damaged"),
    ):
        stream.read()


def _member(name: str, size: int = 1) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member
