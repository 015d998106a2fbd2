"""One folder for everything that must be remembered, its owner's alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_migration.errors import UsageError
from chat_migration.home import (
    BUDGET_VARIABLE,
    BUDGET_WAIT_VARIABLE,
    HOME_VARIABLE,
    LEDGER_VARIABLE,
    STAGE_VARIABLE,
    Home,
    slug,
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_lies_under_the_home(tmp_path: Path) -> None:
    home = Home.from_environment({HOME_VARIABLE: str(tmp_path / "h")})
    assert (home.path, home.stage) == (tmp_path / "h", tmp_path / "h" / "stage")
    assert home.ledger_url == f"sqlite:///{tmp_path / 'h' / 'ledger.sqlite'}"
    assert home.run_folder("run-1") == tmp_path / "h" / "runs" / "run-1"


def test_the_home_is_var_where_nothing_is_said() -> None:
    assert Home.from_environment({}).path == (Path.cwd() / "var").resolve()
    assert Home.from_environment({HOME_VARIABLE: ""}) == Home.from_environment({})


def test_stage_and_ledger_may_lie_elsewhere(tmp_path: Path) -> None:
    url = "postgresql+psycopg://u@h/ledger"
    home = Home.from_environment(
        {
            HOME_VARIABLE: "~/x",
            STAGE_VARIABLE: str(tmp_path / "a" / ".." / "s"),
            LEDGER_VARIABLE: url,
        }
    )
    assert (home.path, home.stage) == (Path.home().resolve() / "x", tmp_path / "s")
    assert home.ledger_url == url


def test_several_machines_name_the_redis_of_their_budget() -> None:
    url = "redis://:pa55word@cache:6379/0"
    home = Home.from_environment({BUDGET_VARIABLE: url, BUDGET_WAIT_VARIABLE: "60"})
    assert (home.budget_url, home.budget_wait_seconds) == (url, 60)
    assert "pa55word" not in repr(home)
    alone = Home.from_environment({BUDGET_VARIABLE: ""})
    assert (alone.budget_url, alone.budget_wait_seconds) == ("", 900)


@pytest.mark.parametrize("given", ["soon", "-1", "nan", "inf"])
def test_a_wait_that_is_no_time_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match=f"`{BUDGET_WAIT_VARIABLE}` is `{given}`"):
        Home.from_environment({BUDGET_WAIT_VARIABLE: given})


def test_folders_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "h", tmp_path / "s", "sqlite://").create()
    assert {mode(folder) for folder in (home.path, home.stage, home.path / "runs")} == {0o700}


def test_folders_that_others_could_read_are_closed_to_them(tmp_path: Path) -> None:
    loose = tmp_path / "h"
    loose.mkdir(mode=0o755)
    (loose / "kept").write_text("x")
    Home(loose, loose / "stage", "sqlite://").create().create()
    assert mode(loose) == 0o700
    assert (loose / "kept").read_text() == "x"


@pytest.mark.parametrize(
    "run_id", ["demo-1", "scheduled.x_2", "a" * 100], ids=["plain", "dots", "longest"]
)
def test_a_plain_run_id_is_its_own_folder(run_id: str) -> None:
    assert slug(run_id) == run_id


@pytest.mark.parametrize(
    "run_id",
    [
        "",
        ".",
        "..",
        "../../etc/passwd",
        "/etc",
        "a/b",
        "a b",
        ".hidden",
        "a" * 300,
        "ü",
        "\n",
        "a\\b",
    ],
)
def test_any_other_run_id_stays_within_the_folder_of_runs(tmp_path: Path, run_id: str) -> None:
    home = Home(tmp_path, tmp_path / "stage", "sqlite://").create()
    folder = home.run_folder(run_id)
    folder.mkdir()
    assert folder.resolve().parent == tmp_path / "runs"
    assert folder.name != run_id


@given(st.lists(st.text(max_size=20), unique=True, max_size=20))
def test_distinct_run_ids_have_distinct_folders(run_ids: list[str]) -> None:
    assert len({slug(run_id) for run_id in run_ids}) == len(run_ids)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(
            "manual__2024-05-01T00:00:00+00:00", "manual__2024-05-01T00-00-00-00-00", id="instants"
        ),
        pytest.param("a/b", "a\\b", id="slashes"),
        pytest.param("a" * 101, "a" * 102, id="long"),
        pytest.param("a", "a.", id="dot-at-the-end"),
        pytest.param("", "run", id="nothing"),
    ],
)
def test_run_ids_that_look_alike_are_kept_apart(one: str, other: str) -> None:
    assert slug(one) != slug(other)
