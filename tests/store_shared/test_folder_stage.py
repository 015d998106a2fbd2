"""A stage on a folder that several machines may share: whole or not there, whoever dies or comes in between."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from tests.clocks_fast import FastClock

from chat_migration.errors import UsageError
from chat_migration.home import HOME_VARIABLE, STAGE_VARIABLE, Home
from chat_migration.store.stage import FolderStage, open_stage
from chat_migration.store.workplace import (
    FORGOTTEN_SECONDS,
    put_in_place,
    replace,
    this_machine,
    workplace,
)

NAME = "runs/run-1/plan"
STALE = FORGOTTEN_SECONDS + 60


def other_machines_place(stage: Path, name: str = "other-boot.x1", *, age: float = 0) -> Path:
    """Leave what a worker of another machine is making; its lock is not seen here."""
    folder = stage / f".work-{name}"
    (folder / "raw").mkdir(parents=True)
    (folder / "lock").touch()
    (folder / "raw" / "chunk").touch()
    now = folder.stat().st_mtime
    for each in (folder, *folder.rglob("*")):
        os.utime(each, (now - age, now - age))
    return folder


def test_the_work_of_another_machine_is_left_alone_though_its_lock_is_not_seen(
    tmp_path: Path,
) -> None:
    theirs = other_machines_place(tmp_path)
    with workplace(tmp_path):
        assert (theirs / "raw" / "chunk").exists()


def test_what_another_machine_left_behind_is_removed_after_two_days(tmp_path: Path) -> None:
    theirs = other_machines_place(tmp_path, age=STALE)
    alive = other_machines_place(tmp_path, "other-boot.x2", age=STALE)
    (alive / "raw" / "next").touch()
    with workplace(tmp_path):
        assert not theirs.exists()
        assert alive.exists()


def test_an_old_work_place_whose_lock_is_held_is_left_alone(tmp_path: Path) -> None:
    theirs = other_machines_place(tmp_path, age=STALE)
    lock = os.open(theirs / "lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        with workplace(tmp_path):
            assert theirs.exists()
    finally:
        os.close(lock)


def test_what_this_machine_left_behind_is_removed_at_once(tmp_path: Path) -> None:
    dead = other_machines_place(tmp_path, f"{this_machine()}.x1")
    with workplace(tmp_path):
        assert not dead.exists()


def test_two_workers_that_put_the_same_in_place_at_once_both_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final, made = tmp_path / "final", tmp_path / "mine"
    for folder, text in ((made, "mine"), (tmp_path / "theirs", "them")):
        folder.mkdir()
        (folder / "file").write_text(text)
    real = Path.rename

    def overtaken(self: Path, to: Path) -> Path:
        if self == made and (tmp_path / "theirs").exists():
            real(tmp_path / "theirs", final)
        return real(self, to)

    monkeypatch.setattr(Path, "rename", overtaken)
    replace(made, final, tmp_path / "aside")
    assert (final / "file").read_text() == "mine"


def test_a_folder_that_cannot_be_put_in_place_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "file").touch()
    with pytest.raises(OSError):  # noqa: PT011 - whichever the system gives
        put_in_place(tmp_path / "made", tmp_path / "nowhere" / "final", tmp_path / "aside")


def test_an_artefact_is_there_once_it_is_whole(tmp_path: Path) -> None:
    stage = FolderStage(tmp_path)
    with stage.making(NAME) as folder:
        (folder / "quote").write_text("q")
        assert stage.find(NAME) is None
        assert stage.names("runs/run-1") == []
    found = stage.find(NAME)
    assert found is not None
    found.fetch("quote")
    assert found.folder == tmp_path / NAME
    assert [each.name for each in found.folder.parent.iterdir()] == ["plan"]
    assert stage.names("runs/run-1") == [NAME]


def test_a_failure_leaves_the_earlier_one_and_a_success_replaces_it(tmp_path: Path) -> None:
    stage = FolderStage(tmp_path)
    for text in ("first", "second"):
        with stage.making(NAME) as folder:
            (folder / text).touch()
    with pytest.raises(ZeroDivisionError), stage.making(NAME) as folder:
        (folder / "third").touch()
        raise ZeroDivisionError
    found = stage.find(NAME)
    assert found is not None
    assert [each.name for each in found.folder.iterdir()] == ["second"]


def test_after_a_failure_only_what_is_true_anyway_is_published(tmp_path: Path) -> None:
    stage = FolderStage(tmp_path)
    for name, keep in (("kept", "part"), ("lost", ""), ("early", "other")):
        with pytest.raises(ZeroDivisionError), stage.making(f"parts/{name}", keep=keep) as folder:
            (folder / "part").touch()
            raise ZeroDivisionError
    assert stage.names("parts") == ["parts/kept"]


def test_notes_are_replaced_whole(tmp_path: Path) -> None:
    stage = FolderStage(tmp_path)
    assert stage.note("runs/a/extracts.json") is None
    for text in (b"[1]", b"[]"):
        stage.write_note("runs/a/extracts.json", text)
    assert stage.note("runs/a/extracts.json") == b"[]"
    assert [each.name for each in (tmp_path / "runs" / "a").iterdir()] == ["extracts.json"]


def test_a_stage_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        UsageError, match=f"`{tmp_path}/file/stage` cannot be made.*{STAGE_VARIABLE}"
    ):
        FolderStage(tmp_path / "file" / "stage").prepare()


@pytest.mark.parametrize(
    ("given", "shared", "url"),
    [
        ("", False, ""),
        ("{}/elsewhere", True, ""),
        ("file://{}/elsewhere", True, ""),
        ("s3://bucket/prefix", True, "s3://bucket/prefix"),
    ],
)
def test_a_home_knows_whether_others_see_its_stage(
    tmp_path: Path, given: str, shared: bool, url: str
) -> None:
    home = Home.from_environment(
        {HOME_VARIABLE: str(tmp_path / "h"), STAGE_VARIABLE: given.format(tmp_path)}
    )
    assert (home.shares_stage, home.stage_url) == (shared, url)
    assert home.stage.is_relative_to(home.cache) is bool(url)
    assert isinstance(open_stage(home, FastClock()), FolderStage) is not bool(url)
    assert url not in repr(home) or not url
