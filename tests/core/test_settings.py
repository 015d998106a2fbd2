"""Settings: conf or flag over file over defaults, and a usage error for everything wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from chat_migration.errors import UsageError
from chat_migration.settings import CONFIG_VARIABLE, Settings
from chat_migration.window import Window

MAY = 1_714_521_600_000


def configured(folder: Path, text: str) -> dict[str, str]:
    """Return an environment that names a settings file with this text."""
    file = folder / "settings.yaml"
    file.write_text(text, encoding="utf-8")
    return {CONFIG_VARIABLE: str(file)}


def test_defaults_need_nothing() -> None:
    settings = Settings.load({}, {})
    assert (settings.source, settings.name_of_source, settings.window) == (
        "neutral",
        "neutral",
        Window(),
    )
    assert (settings.same_second, settings.late_messages, settings.oversize_text) == (
        "lift", "auto", "split",
    )  # fmt: skip
    assert not settings.is_pilot
    assert not settings.dry_run


def test_what_is_given_wins_over_the_file_which_wins_over_the_default(tmp_path: Path) -> None:
    environ = configured(tmp_path, "source: slack\nshards: 4\n")
    settings = Settings.load({"shards": 8}, environ)
    assert (settings.source, settings.shards, settings.max_key_conflicts) == ("slack", 8, 100)


@pytest.mark.parametrize("nothing", [None, ""], ids=["none", "empty"])
def test_a_value_that_is_not_there_leaves_the_file_alone(tmp_path: Path, nothing: Any) -> None:
    environ = configured(tmp_path, "source: slack\nfrom: 2024-05-01\n")
    settings = Settings.load({"source": nothing, "from": nothing, "to": nothing}, environ)
    assert (settings.source, settings.from_, settings.to) == ("slack", "2024-05-01", None)


def test_false_and_zero_are_given_values(tmp_path: Path) -> None:
    environ = configured(tmp_path, "dry_run: true\nmax_rejected_ratio: 0.5\nmax_key_conflicts: 7\n")
    given = {"dry_run": False, "max_rejected_ratio": 0, "max_key_conflicts": 0}
    settings = Settings.load(given, environ)
    assert (settings.dry_run, settings.max_rejected_ratio, settings.max_key_conflicts) == (
        False,
        0,
        0,
    )


@pytest.mark.parametrize(
    "written",
    ["2024-05-01", "'2024-05-01'", "2024-05-01T00:00:00Z", "2024-05-01T08:00:00+08:00"],
    ids=["yaml-date", "text", "yaml-instant", "yaml-offset"],
)
def test_a_bound_of_the_file_is_an_instant(tmp_path: Path, written: str) -> None:
    settings = Settings.load({}, configured(tmp_path, f"from: {written}\n"))
    assert settings.window == Window(MAY, None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"colour": "red"}, "`colour` is no setting", id="unknown-name"),
        pytest.param({"same_second": "drop"}, "`same_second`", id="unknown-choice"),
        pytest.param({"shards": 0}, "`shards`", id="too-small"),
        pytest.param({"shards": "many"}, "found `'many'`", id="no-number"),
        pytest.param({"max_rejected_ratio": 1.1}, "`max_rejected_ratio`", id="too-large"),
        pytest.param({"max_rejected_ratio": float("nan")}, "`max_rejected_ratio`", id="nan"),
        pytest.param({"from": "2024-05-01T09:00:00"}, "is no instant", id="no-offset"),
        pytest.param({"to": "tomorrow"}, "is no instant", id="no-instant"),
        pytest.param({"conversations": 5}, "`conversations`", id="no-list"),
    ],
)
def test_a_wrong_setting_is_a_usage_error(given: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        Settings.load(given, {})
    assert caught.value.exit_code == 2


def test_an_unknown_name_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(UsageError, match=r"Valid settings are: allow_gap, .*, from, .*, to, .*\."):
        Settings.load({"form": "2024-05-01"}, {})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("source: [slack", "cannot be read", id="no-yaml"),
        pytest.param("just words", "is no mapping", id="a-text"),
        pytest.param("- source", "is no mapping", id="a-list"),
        pytest.param("source: !!python/object:x y", "cannot be read", id="code"),
        pytest.param("source: \0", "cannot be read", id="nul"),
        pytest.param("from: 2024-05-01 10:00:00", "is no instant", id="instant-without-offset"),
        pytest.param("1: slack", "`1`", id="number-as-name"),
    ],
)
def test_a_bad_settings_file_is_a_usage_error(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Settings.load({}, configured(tmp_path, text))


def test_a_missing_settings_file_is_named(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone.yaml")
    with pytest.raises(UsageError, match=r"gone\.yaml.*CHAT_MIGRATION_CONFIG"):
        Settings.load({}, {CONFIG_VARIABLE: gone})


def test_only_an_unknown_name_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(UsageError) as caught:
        Settings.load({"shards": "many", "to": "tomorrow"}, {})
    assert "Valid settings" not in str(caught.value)
    assert "Setting `to`: `tomorrow` is no instant." in str(caught.value)


def test_a_section_wins_over_the_file_and_what_is_given_over_the_section(tmp_path: Path) -> None:
    environ = configured(
        tmp_path,
        "shards: 2\nlookback: 2\nsource: slack\nwest:\n  shards: 3\n  lookback: 3\neast:\n  shards: 5\n",
    )
    settings = Settings.load({"lookback": 4}, environ, target="west", targets=("east", "west"))
    assert (settings.source, settings.shards, settings.lookback) == ("slack", 3, 4)


@pytest.mark.parametrize("target", ["west", ""], ids=["another-target", "no-target"])
def test_a_section_is_ignored_elsewhere_whatever_stands_in_it(tmp_path: Path, target: str) -> None:
    environ = configured(tmp_path, "shards: 2\neast:\n  shards: many\n  colour: red\n")
    assert Settings.load({}, environ, target=target, targets=("east", "west")).shards == 2


def test_a_section_takes_back_what_the_file_bounds(tmp_path: Path) -> None:
    environ = configured(tmp_path, "from: 2024-05-01\nwest:\n  from:\n")
    settings = Settings.load({}, environ, target="west", targets=("west",))
    assert settings.window.is_everything


def test_an_empty_section_sets_nothing(tmp_path: Path) -> None:
    environ = configured(tmp_path, "shards: 2\nwest:\n")
    assert Settings.load({}, environ, target="west", targets=("west",)).shards == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("  shards: many", r"Setting `shards` in section `west:` of `.*\.yaml`: ", id="value"),
        pytest.param("  colour: red", r"`colour` in section `west:` of `.*` is no setting", id="name"),
        pytest.param("  to: tomorrow", r"`to` in section `west:` of `.*`: `tomorrow` is no inst", id="bound"),
        pytest.param("  east:\n    shards: 2", r"`east` in section `west:` of", id="section-in-it"),
        pytest.param("  conversations: [1]", r"`conversations\.0` in section `west:` of", id="item"),
        pytest.param("  - shards", r"Section `west:` of .*\.yaml` is no mapping", id="list"),
        pytest.param("  yes", r"Section `west:` of .* is no mapping", id="word"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_section_is_named_with_it(tmp_path: Path, text: str, said: str) -> None:
    environ = configured(tmp_path, f"shards: 2\nwest:\n{text}\n")
    with pytest.raises(UsageError, match=said):
        Settings.load({}, environ, target="west", targets=("east", "west"))


def test_what_is_wrong_outside_a_section_is_not_said_of_it(tmp_path: Path) -> None:
    environ = configured(tmp_path, "shards: many\nwest:\n  shards: 2\n  lookback: 2\n")
    given = {"shards": 0}
    with pytest.raises(UsageError, match="`shards`") as caught:
        Settings.load(given, environ, target="west", targets=("west",))
    assert "section" not in str(caught.value)


def test_a_section_of_no_target_is_no_setting_and_the_sections_are_named(tmp_path: Path) -> None:
    environ = configured(tmp_path, "wset:\n  shards: 2\n")
    with pytest.raises(UsageError, match=r"`wset` is no setting.* are: east, west\."):
        Settings.load({}, environ, target="west", targets=("east", "west"))


def test_an_empty_settings_file_sets_nothing(tmp_path: Path) -> None:
    assert Settings.load({}, configured(tmp_path, "# nothing yet\n")) == Settings.load({}, {})


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        pytest.param("g1, g2 ,,", ("g1", "g2"), id="comma-list"),
        pytest.param(["g,1", "u1/u2"], ("g,1", "u1/u2"), id="list"),
        pytest.param("u1/u2", ("u1/u2",), id="pair"),
        pytest.param(" , ", (), id="nothing"),
    ],
)
def test_conversations_come_as_a_list_or_a_line(given: Any, taken: tuple[str, ...]) -> None:
    settings = Settings.load({"conversations": given}, {})
    assert (settings.conversations, settings.is_pilot) == (taken, bool(taken))


def test_leaving_conversations_out_is_a_pilot_too() -> None:
    assert Settings.load({"exclude_conversations": "g1"}, {}).is_pilot


def test_a_window_ending_before_it_starts_is_refused() -> None:
    settings = Settings.load({"from": "2024-05-02", "to": "2024-05-01"}, {})
    with pytest.raises(UsageError, match="is empty"):
        _ = settings.window


def test_the_name_of_the_source_stays_when_the_reader_changes() -> None:
    assert (
        Settings.load({"source": "slack", "source_name": "old-chat"}, {}).name_of_source
        == "old-chat"
    )


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings.load({}, {}).shards = 3
