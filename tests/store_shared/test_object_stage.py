"""A stage in a bucket: what is half uploaded is not there, what is there is whole, and passing failures pass."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import s3fs
from tests.clocks_fast import FastClock
from tests.store_shared.conftest import BUCKET, SECRET

from chat_migration.clock import Clock
from chat_migration.errors import (
    MigrationError,
    StageUnreachableError,
    StoppedError,
    UsageError,
)
from chat_migration.store import object_stage
from chat_migration.store.object_stage import MARKER, ObjectStage
from chat_migration.store.remote import ATTEMPTS, Remote

NAME = "runs/run-1/plan"


class Killed(BaseException):
    """What ends a process: nothing catches it."""


def fill(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def make(stage: ObjectStage, name: str = NAME, **files: str) -> None:
    with stage.making(name) as folder:
        fill(folder, **files)


def content(stage: ObjectStage, *wanted: str, name: str = NAME) -> dict[str, str]:
    """Return what a worker reads of an artefact."""
    found = stage.find(name)
    assert found is not None
    found.fetch(*wanted)
    return {
        file.relative_to(found.folder).as_posix(): file.read_text()
        for file in sorted(found.folder.rglob("*"))
        if file.is_file()
    }


def keys(below: str = "") -> set[str]:
    """Return the objects of the stage."""
    root = f"{BUCKET}/migration/"
    listed = s3fs.S3FileSystem(use_listings_cache=False).find(root + below)
    return {key.removeprefix(root) for key in listed}


def break_at(
    monkeypatch: pytest.MonkeyPatch, method: str, turn: int, error: Callable[[], BaseException]
) -> None:
    """Let one call of a method of Remote raise, counted from 0."""
    real, calls = getattr(Remote, method), iter(range(1000))

    def broken(self: Remote, *arguments: object) -> object:
        if next(calls) == turn:
            raise error()
        return real(self, *arguments)

    monkeypatch.setattr(Remote, method, broken)


def test_what_one_worker_publishes_another_finds(
    stage: ObjectStage, elsewhere: ObjectStage
) -> None:
    make(stage, quote="q", deep__table="t")
    assert content(elsewhere) == {"quote": "q", "deep/table": "t"}
    assert elsewhere.names("runs/run-1") == [NAME]
    assert elsewhere.place(NAME) == f"s3://{BUCKET}/migration/{NAME}"


def test_nothing_is_there_before_it_is_published(stage: ObjectStage) -> None:
    assert stage.find(NAME) is None
    assert stage.names("runs/run-1") == []
    assert stage.note("runs/run-1/extracts.json") is None


def test_only_what_is_asked_for_is_fetched(stage: ObjectStage, elsewhere: ObjectStage) -> None:
    make(stage, quote="q", problems__a="1", problems__b="2", messages__a="3")
    assert content(elsewhere, "quote") == {"quote": "q"}
    assert content(elsewhere, "problems/") == {"quote": "q", "problems/a": "1", "problems/b": "2"}


def test_what_was_made_or_fetched_here_is_not_fetched_again(
    stage: ObjectStage, elsewhere: ObjectStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(stage, quote="q")
    content(elsewhere)
    break_at(monkeypatch, "download", 0, AssertionError)
    assert content(stage) == content(elsewhere) == {"quote": "q"}


def test_a_note_is_replaced_whole(stage: ObjectStage, elsewhere: ObjectStage) -> None:
    stage.write_note("runs/run-1/extracts.json", b"[1]")
    stage.write_note("runs/run-1/extracts.json", b"[]")
    assert elsewhere.note("runs/run-1/extracts.json") == b"[]"


@pytest.mark.parametrize("method", ["upload", "write"], ids=["amid the files", "before the marker"])
def test_an_upload_that_is_cut_off_is_not_there(
    stage: ObjectStage, elsewhere: ObjectStage, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    break_at(monkeypatch, method, 1 if method == "upload" else 0, Killed)
    with pytest.raises(Killed):
        make(stage, quote="q", table="t")
    assert keys(), "something was uploaded"
    assert elsewhere.find(NAME) is None
    assert elsewhere.names("runs/run-1") == []
    monkeypatch.undo()


def test_a_second_try_that_is_cut_off_leaves_the_first_one_whole(
    stage: ObjectStage, elsewhere: ObjectStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(stage, quote="old", table="old")
    break_at(monkeypatch, "upload", 1, Killed)
    with pytest.raises(Killed):
        make(stage, quote="new", table="new")
    assert content(elsewhere) == {"quote": "old", "table": "old"}


def test_a_second_try_replaces_the_first_one_and_its_files(
    stage: ObjectStage, elsewhere: ObjectStage
) -> None:
    make(stage, quote="old", gone="x")
    assert content(elsewhere) == {"quote": "old", "gone": "x"}
    make(stage, quote="new")
    assert content(elsewhere) == {"quote": "new"}
    assert len(keys(NAME)) == 1
    assert len(keys()) == 2


def test_the_rest_of_an_upload_that_was_cut_off_is_removed_a_day_later(
    stage: ObjectStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3fs.S3FileSystem().pipe_file(f"{BUCKET}/migration/{NAME}/lost/table", b"x")
    make(stage, quote="1")
    assert f"{NAME}/lost/table" in keys()
    monkeypatch.setattr(object_stage, "ORPHAN_SECONDS", -60)
    make(stage, quote="2")
    assert f"{NAME}/lost/table" not in keys()
    assert content(stage) == {"quote": "2"}


def test_an_artefact_whose_name_is_its_content_bears_plain_names_and_is_uploaded_once(
    stage: ObjectStage, elsewhere: ObjectStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def publish(on: ObjectStage) -> None:
        with on.workshop() as folder:
            fill(folder / "harbour" / "abc", manifest="m", messages__day="1")
            on.publish("harbour/abc", folder / "harbour" / "abc")

    publish(stage)
    assert keys() == {
        "harbour/abc.published", "harbour/abc/manifest", "harbour/abc/messages/day",
    }  # fmt: skip
    break_at(monkeypatch, "upload", 0, AssertionError)
    publish(elsewhere)
    assert content(elsewhere, name="harbour/abc") == {"manifest": "m", "messages/day": "1"}


def test_after_a_failure_only_what_is_true_anyway_is_published(
    stage: ObjectStage, elsewhere: ObjectStage
) -> None:
    for name, keep in (("kept", "part"), ("lost", ""), ("early", "other")):
        with pytest.raises(ZeroDivisionError), stage.making(f"parts/{name}", keep=keep) as folder:
            fill(folder, part="p")
            raise ZeroDivisionError
    assert elsewhere.names("parts") == ["parts/kept"]


def test_a_failure_is_not_hidden_by_a_stage_that_fails_too(
    stage: ObjectStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_at(monkeypatch, "upload", 0, lambda: StageUnreachableError("away"))
    with pytest.raises(ZeroDivisionError), stage.making("parts/x", keep="part") as folder:
        fill(folder, part="p")
        raise ZeroDivisionError


def damage(key: str) -> None:
    (found,) = [each for each in keys(NAME) if each.endswith(key)]
    s3fs.S3FileSystem().pipe_file(f"{BUCKET}/migration/{found}", b"X")


def test_a_file_that_is_not_what_was_uploaded_is_refused(
    stage: ObjectStage, elsewhere: ObjectStage
) -> None:
    make(stage, quote="q", table="t")
    damage("table")
    assert content(elsewhere, "quote") == {"quote": "q"}
    with pytest.raises(
        StoppedError, match=r"plan` cannot be used: `table` is not what was uploaded"
    ):
        content(elsewhere)
    assert content(elsewhere, "quote") == {"quote": "q"}


def test_a_file_that_is_missing_is_named(stage: ObjectStage, elsewhere: ObjectStage) -> None:
    make(stage, quote="q")
    (lost,) = keys(NAME)
    s3fs.S3FileSystem().rm_file(f"{BUCKET}/migration/{lost}")
    with pytest.raises(StoppedError, match=r"`quote` is missing.*clear its task"):
        content(elsewhere)


def test_a_reader_of_what_is_replaced_meanwhile_is_told_to_run_again(
    stage: ObjectStage, elsewhere: ObjectStage
) -> None:
    make(stage, quote="old")
    found = elsewhere.find(NAME)
    make(stage, quote="new")
    assert found is not None
    with pytest.raises(StageUnreachableError, match="was replaced") as raised:
        found.fetch()
    assert raised.value.is_retriable
    assert content(elsewhere) == {"quote": "new"}


@pytest.mark.parametrize(
    "marker",
    [b"", b"{}", b"\xff", b'{"version": 99, "folder": "", "files": {}}',
     b'{"folder": "", "files": {"../../x": {"size": 1, "blake2b": ""}}}',
     b'{"folder": "/etc", "files": {}}'],
    ids=["empty", "nothing", "no text", "newer", "climbs out", "absolute"],
)  # fmt: skip
def test_a_marker_that_nobody_here_wrote_is_refused(stage: ObjectStage, marker: bytes) -> None:
    stage.write_note(NAME + MARKER, marker)
    with pytest.raises(StoppedError, match="cannot be used"):
        stage.find(NAME)


def test_passing_failures_pass(
    stage: ObjectStage, monkeypatch: pytest.MonkeyPatch, clock: FastClock
) -> None:
    failures = iter([TimeoutError("a secret"), ConnectionResetError(104, "reset"), None])
    real = s3fs.S3FileSystem.pipe_file

    def shaky(self: s3fs.S3FileSystem, *arguments: object) -> None:
        if (error := next(failures)) is not None:
            raise error
        real(self, *arguments)

    monkeypatch.setattr(s3fs.S3FileSystem, "pipe_file", shaky)
    stage.write_note("note", b"1")
    assert stage.note("note") == b"1"
    assert clock.slept > 0


@pytest.mark.parametrize(
    ("raised", "kind", "tries", "says"),
    [
        (TimeoutError(SECRET), StageUnreachableError, ATTEMPTS, "no usable answer: TimeoutError"),
        (OSError(5, SECRET), StageUnreachableError, ATTEMPTS, "no usable answer: EIO"),
        (PermissionError(13, SECRET), StoppedError, 1, "refuses access: EACCES"),
        (OSError(28, SECRET), StoppedError, 1, "disk took no more.*ENOSPC"),
        (ValueError(SECRET), UsageError, 1, "cannot be used: ValueError"),
    ],
)
def test_a_failure_that_stays_is_one_sentence_without_what_the_service_said(
    stage: ObjectStage, monkeypatch: pytest.MonkeyPatch,
    raised: Exception, kind: type[MigrationError], tries: int, says: str,
) -> None:  # fmt: skip
    seen: list[object] = []

    def failing(*arguments: object) -> None:
        seen.append(arguments)
        raise raised

    monkeypatch.setattr(s3fs.S3FileSystem, "pipe_file", failing)
    with pytest.raises(kind, match=says) as caught:
        stage.write_note("note", b"1")
    assert type(caught.value) is kind
    assert len(seen) == tries
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


def test_wrong_credentials_are_told_as_such(
    stage: ObjectStage, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reset = f"{s3_url}/moto-api/reset-auth"
    requests.post(reset, data="0", timeout=10).raise_for_status()
    try:
        with pytest.raises(StoppedError, match="refuses access: InvalidAccessKeyId") as caught:
            stage.prepare()
    finally:
        requests.post(reset, data="inf", timeout=10).raise_for_status()
    assert SECRET not in str(caught.value)
    assert not caught.value.is_retriable


def test_a_disk_that_is_too_small_is_told_before_anything_is_fetched(
    stage: ObjectStage, elsewhere: ObjectStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(stage, quote="q")
    monkeypatch.setattr("chat_migration.store.remote._SPARE_BYTES", 1 << 60)
    with pytest.raises(StoppedError, match=r"needs 1 bytes under .*CHAT_MIGRATION_HOME"):
        content(elsewhere)


def test_copies_that_nobody_used_for_a_week_are_removed(
    stage: ObjectStage, elsewhere: ObjectStage, tmp_path: Path
) -> None:
    make(stage, "runs/old/plan", quote="q")
    make(stage, quote="q")
    old = tmp_path / "one" / "copies" / "runs%2Fold%2Fplan"
    for copy in old.iterdir():
        os.utime(copy, (0, 0))
    stage.prepare()
    assert [each.name for each in (tmp_path / "one" / "copies").iterdir()] == [
        "runs%2Frun-1%2Fplan"
    ]
    assert content(stage, name="runs/old/plan") == {"quote": "q"}


def test_a_large_file_passes_in_pieces(stage: ObjectStage, elsewhere: ObjectStage) -> None:
    block = os.urandom(1 << 20)
    with stage.making(NAME) as folder, (folder / "table").open("wb") as file:
        for _ in range(40):
            file.write(block)
    found = elsewhere.find(NAME)
    assert found is not None
    found.fetch()
    with (found.folder / "table").open("rb") as file:
        assert all(file.read(1 << 20) == block for _ in range(40))
        assert file.read() == b""


def test_a_work_place_is_gone_afterwards(stage: ObjectStage, clock: Clock, tmp_path: Path) -> None:
    make(stage, quote="q")
    assert not [*(tmp_path / "one").glob(".work-*")]
