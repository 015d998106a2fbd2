"""An export behind a URL: fetched once, the same on every machine, never half, and named by its URL in errors."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import requests
import s3fs
from tests.builders_exports import lines, message
from tests.store_shared.conftest import BUCKET, SECRET

from chat_migration.clock import Clock
from chat_migration.errors import StoppedError, UnreadableExportError, UsageError
from chat_migration.extraction import ExportPart, extract
from chat_migration.extraction.parts import files_not_needed
from chat_migration.extraction.run import versions_of
from chat_migration.sources import open_source
from chat_migration.sources.tree import ExportFile, ExportTree
from chat_migration.store import exports
from chat_migration.store.exports import local_export
from chat_migration.store.extract import Extract
from chat_migration.store.file_index import FileIndex
from chat_migration.store.remote import Remote
from chat_migration.store.stage import FolderStage
from chat_migration.window import Window

START, DAY = 1_714_555_800_000, 86_400_000
URL = f"s3://{BUCKET}/exports/2024/"


def put(**files: str | bytes) -> None:
    bucket = s3fs.S3FileSystem()
    for name, data in files.items():
        key = name.replace("__", "/").replace("_", ".")
        bucket.pipe_file(
            f"{BUCKET}/exports/2024/{key}", data if isinstance(data, bytes) else data.encode()
        )


@contextmanager
def fetched(tmp_path: Path, clock: Clock, url: str = URL, worker: str = "one") -> Iterator[Path]:
    with local_export(url, tmp_path / worker, clock) as local:
        assert local.elsewhere == ()
        yield local.path


def files(path: Path) -> dict[str, str]:
    return {
        each.relative_to(path).as_posix(): each.read_text()
        for each in path.rglob("*")
        if each.is_file()
    }


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is downloaded, in order."""
    seen: list[str] = []
    real = Remote.download

    def noted(self: Remote, path: str, file: Path) -> None:
        seen.append(path)
        real(self, path, file)

    monkeypatch.setattr(Remote, "download", noted)
    return seen


def test_a_path_is_taken_as_it_is(tmp_path: Path, clock: Clock) -> None:
    for given in (str(tmp_path / "x"), f"file://{tmp_path / 'x'}"):
        with fetched(tmp_path, clock, given) as path:
            assert path == tmp_path / "x"
    assert [*tmp_path.iterdir()] == []


def test_a_folder_is_fetched_with_its_folders(
    s3: dict[str, str], tmp_path: Path, clock: Clock
) -> None:
    put(users_jsonl="1", deep__messages_jsonl="2")
    for url in (URL, URL.rstrip("/")):
        with fetched(tmp_path, clock, url) as path:
            assert files(path) == {"users.jsonl": "1", "deep/messages.jsonl": "2"}


def test_an_archive_is_fetched_under_its_name(
    s3: dict[str, str], tmp_path: Path, clock: Clock
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("users.jsonl", "1")
    put(drop_zip=packed.getvalue())
    with fetched(tmp_path, clock, f"{URL}drop.zip") as path:
        assert path.name == "drop.zip"
        tree = ExportTree.open(path, scratch=tmp_path)
        assert [file.path for file in tree.files()] == ["users.jsonl"]


def test_unchanged_files_are_not_fetched_again_and_changed_ones_are(
    s3: dict[str, str], tmp_path: Path, clock: Clock, downloads: list[str]
) -> None:
    put(a="1", b="2")
    for _ in range(2):
        with fetched(tmp_path, clock) as path:
            assert files(path) == {"a": "1", "b": "2"}
    assert sorted(downloads) == ["a", "b"]
    put(b="3", c="4")
    s3fs.S3FileSystem().rm_file(f"{BUCKET}/exports/2024/a")
    with fetched(tmp_path, clock) as path:
        assert files(path) == {"b": "3", "c": "4"}
    assert sorted(downloads) == ["a", "b", "b", "c"]


def test_the_same_export_is_the_same_on_every_machine_and_a_changed_one_is_not(
    s3: dict[str, str], tmp_path: Path, clock: Clock
) -> None:
    def fingerprint(worker: str) -> str:
        with fetched(tmp_path, clock, worker=worker) as path:
            return ExportTree.open(path, scratch=tmp_path).fingerprint()

    put(a="1", b="2")
    first = fingerprint("one")
    assert fingerprint("other") == first
    put(b="3")  # of the same size, maybe within the same second
    assert fingerprint("other") != first


def test_a_fetch_that_was_cut_off_goes_on_where_it_was(
    s3: dict[str, str], tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(**{f"f{number}": str(number) for number in range(6)})
    real, seen = Remote.download, []

    def cut(self: Remote, path: str, file: Path) -> None:
        seen.append(path)
        if len(seen) > 4:
            raise StoppedError("killed")
        real(self, path, file)

    monkeypatch.setattr(Remote, "download", cut)
    with pytest.raises(StoppedError, match="killed"), fetched(tmp_path, clock):
        pytest.fail("it is not whole")
    done = len([*next((tmp_path / "one").glob("*/files")).iterdir()])
    assert done == 4
    seen.clear()
    with fetched(tmp_path, clock) as path:
        assert len(files(path)) == 6
    assert len(seen) == 2


def test_an_export_that_is_read_stays_as_it_is_while_a_newer_one_is_fetched(
    s3: dict[str, str], tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "_FRESH_SECONDS", -60)
    put(a="old")
    with fetched(tmp_path, clock) as old:
        put(a="new")
        with fetched(tmp_path, clock) as new:
            assert (files(old), files(new)) == ({"a": "old"}, {"a": "new"})
        assert files(old) == {"a": "old"}
    with fetched(tmp_path, clock) as new:
        assert files(new) == {"a": "new"}
        assert not old.exists()
    with fetched(tmp_path, clock):
        assert len([*next((tmp_path / "one").glob("*/files")).iterdir()]) == 1


def test_an_export_that_another_machine_may_be_reading_is_kept_for_two_days(
    s3: dict[str, str], tmp_path: Path, clock: Clock
) -> None:
    put(a="old")
    with fetched(tmp_path, clock) as old:
        (lock,) = old.parent.glob("*.lock")
    lock.write_text("another machine")
    put(a="new")
    with fetched(tmp_path, clock):
        assert files(old) == {"a": "old"}
    os.utime(lock, (0, 0))
    with fetched(tmp_path, clock):
        assert not old.exists()


def test_an_export_that_changes_all_the_time_is_refused(
    s3: dict[str, str], tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(a="1")
    real = Remote.download

    def growing(self: Remote, path: str, file: Path) -> None:
        real(self, path, file)
        put(a=os.urandom(4).hex())

    monkeypatch.setattr(Remote, "download", growing)
    with (
        pytest.raises(UnreadableExportError, match="changes while it is being fetched"),
        fetched(tmp_path, clock),
    ):
        pytest.fail("it is not whole")


@pytest.mark.parametrize(
    ("url", "kind", "says"),
    [
        (URL, UnreadableExportError, f"There is no export at `{URL}`"),
        ("s3://no-such-bucket/x/", UnreadableExportError, "There is no export at `s3://no-such-bucket/x/`"),
        ("s3://", UsageError, "names no bucket"),
        ("quux://bucket/x", UsageError, "no installed package can open"),
        ("zip::s3://bucket/x.zip", UsageError, "it chains several"),
        (f"s3://key:{SECRET}@{BUCKET}/none/", UsageError, "a password in its URL"),
        (f"s3://key:sla/{SECRET}@{BUCKET}/none/", UsageError, "a password in its URL"),
        (f"s3://{BUCKET}/none/?key={SECRET}", UnreadableExportError, f"no export at `s3://{BUCKET}/none/`"),
    ],
)  # fmt: skip
def test_a_url_without_an_export_is_told_in_one_sentence(
    s3: dict[str, str], tmp_path: Path, clock: Clock, url: str, kind: type[UsageError], says: str
) -> None:
    with pytest.raises(kind, match=says) as caught, fetched(tmp_path, clock, url):
        pytest.fail("there is nothing")
    assert SECRET not in str(caught.value)


def test_names_that_lead_out_are_refused(
    s3: dict[str, str], s3_url: str, tmp_path: Path, clock: Clock
) -> None:
    put(a="1")
    key = f"{s3_url}/{BUCKET}/exports/2024/..%2F..%2Fetc"
    requests.put(key, data="x", timeout=10).raise_for_status()
    with (
        pytest.raises(UnreadableExportError, match="leads out of the export"),
        fetched(tmp_path, clock),
    ):
        pytest.fail("it is unsafe")
    assert not list(tmp_path.rglob("etc"))


def test_hidden_files_and_folder_marks_are_left_where_they_are(
    s3: dict[str, str], tmp_path: Path, clock: Clock
) -> None:
    put(a="1")
    bucket = s3fs.S3FileSystem()
    bucket.pipe_file(f"{BUCKET}/exports/2024/.DS_Store", b"x")
    bucket.pipe_file(f"{BUCKET}/exports/2024/", b"")
    with fetched(tmp_path, clock) as path:
        assert files(path) == {"a": "1"}


def test_refused_access_is_told_as_such(
    s3: dict[str, str], s3_url: str, tmp_path: Path, clock: Clock
) -> None:
    put(a="1")
    reset = f"{s3_url}/moto-api/reset-auth"
    requests.post(reset, data="0", timeout=10).raise_for_status()
    try:
        with (
            pytest.raises(StoppedError, match="The export `s3://.*` refuses access"),
            fetched(tmp_path, clock),
        ):
            pytest.fail("it is forbidden")
    finally:
        requests.post(reset, data="inf", timeout=10).raise_for_status()


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(
    s3: dict[str, str],
    tmp_path: Path,
    clock: Clock,
    downloads: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(a="1")
    monkeypatch.setattr("chat_migration.store.remote._SPARE_BYTES", 1 << 60)
    with pytest.raises(StoppedError, match="needs 1 bytes"), fetched(tmp_path, clock):
        pytest.fail("it does not fit")
    assert downloads == []


def test_a_reader_s_complaint_names_the_url(
    s3: dict[str, str], tmp_path: Path, clock: Clock
) -> None:
    put(a="1")
    with (
        pytest.raises(UnreadableExportError) as caught,
        fetched(tmp_path, clock) as path,
    ):
        raise UnreadableExportError(f"`{path}` holds no messages.", advice=f"Look at {path}/a.")
    assert str(caught.value) == f"`{URL}` holds no messages. Look at {URL}/a."


# --- files that are not needed ------------------------------------------------------------------


def test_files_that_are_not_needed_stay_where_they_are_and_the_export_is_the_same(
    s3: dict[str, str], tmp_path: Path, clock: Clock, downloads: list[str]
) -> None:
    put(users_jsonl="1", messages__old_jsonl="2", messages__new_jsonl="3")
    with local_export(URL, tmp_path / "whole", clock) as whole:
        expected = ExportTree.open(whole.path, scratch=tmp_path)
    downloads.clear()

    def leave_out(listed: Sequence[ExportFile]) -> frozenset[str]:
        assert [file.mark for file in listed] == [file.mark for file in expected.files()]
        return frozenset({"messages/old.jsonl"})

    with local_export(URL, tmp_path / "one", clock, leave_out) as local:
        assert files(local.path) == {"users.jsonl": "1", "messages/new.jsonl": "3"}
        tree = ExportTree.open(local.path, scratch=tmp_path, elsewhere=local.elsewhere)
        assert tree.files() == expected.files()
        assert tree.fingerprint() == expected.fingerprint()
    assert sorted(downloads) == ["messages/new.jsonl", "users.jsonl"]
    with fetched(tmp_path, clock) as path:
        assert files(path)["messages/old.jsonl"] == "2"


def test_an_export_of_which_nothing_is_needed_is_an_empty_folder(
    s3: dict[str, str], tmp_path: Path, clock: Clock
) -> None:
    put(a="1")
    with local_export(URL, tmp_path, clock, lambda _: frozenset({"a"})) as local:
        assert files(local.path) == {}
        assert [file.path for file in local.elsewhere] == ["a"]


def test_a_growing_folder_in_a_bucket_is_fetched_by_its_new_files_alone(
    s3: dict[str, str], tmp_path: Path, clock: Clock, downloads: list[str]
) -> None:
    source = open_source("neutral")
    url = URL

    def night(number: int) -> Extract:
        start_ms = START + number * DAY
        index = FileIndex(
            FolderStage(tmp_path / "stage"), source_name="legacy", export_path=url,
            reader=versions_of(source),
        )  # fmt: skip
        needed = partial(files_not_needed, source, index, begin_ms=start_ms)
        with local_export(url, tmp_path / f"worker{number}", clock, needed) as local:
            return extract(
                source, [ExportPart(local.path, elsewhere=local.elsewhere)], source_name="legacy",
                window=Window(start_ms), stage_dir=tmp_path / "stage", index=index,
            )  # fmt: skip

    for number in range(3):
        row = message(f"m{number}", sent_at=START + number * DAY)
        put(**{f"messages__{number}_jsonl": lines([row])})
        downloads.clear()
        made = night(number)
        assert downloads == [f"messages/{number}.jsonl"]
        assert made.messages == 1
        assert made.manifest.outside_window == number
