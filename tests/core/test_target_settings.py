"""Settings of a run into one target: its section of the settings file, and what it cannot do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chat_migration.errors import UsageError
from chat_migration.settings import CONFIG_VARIABLE
from chat_migration.target_settings import settings_for
from chat_migration.targets.vendors import VENDORS

PRESERVED = {"c2c_unread": "preserve", "allow_push": True}


def configured(folder: Path, text: str) -> dict[str, str]:
    """Return an environment that names a settings file with this text."""
    file = folder / "settings.yaml"
    file.write_text(text, encoding="utf-8")
    return {CONFIG_VARIABLE: str(file)}


@pytest.mark.parametrize("target", VENDORS)
def test_every_target_has_a_section_of_its_own(tmp_path: Path, target: str) -> None:
    sections = "".join(f"{name}:\n  source_name: into-{name}\n" for name in VENDORS)
    environ = configured(tmp_path, f"source: slack\nsource_name: all\n{sections}")
    settings = settings_for(target, {}, environ)
    assert (settings.source, settings.source_name) == ("slack", f"into-{target}")


@pytest.mark.parametrize("target", VENDORS)
def test_every_target_takes_the_defaults(target: str) -> None:
    assert settings_for(target, {}, {}).c2c_unread == "read"


def test_unread_is_preserved_where_it_can_be_and_pushes_are_allowed() -> None:
    settings = settings_for("tencent", {"c2c_unread": "preserve", "allow_push": "true"}, {})
    assert (settings.c2c_unread, settings.allow_push) == ("preserve", True)


def test_unread_is_not_preserved_before_pushes_are_allowed() -> None:
    with pytest.raises(UsageError, match="pushes every unread.*`allow_push=true`") as caught:
        settings_for("tencent", {"c2c_unread": "preserve"}, {})
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "given", [PRESERVED, {"c2c_unread": "preserve"}], ids=["with-pushes", "without"]
)
def test_unread_that_can_only_be_cleared_is_not_preserved(given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="use `clear_unread`") as caught:
        settings_for("zim", given, {})
    assert caught.value.exit_code == 2
    assert "allow_push" not in str(caught.value)


@pytest.mark.parametrize("whose", ["all", "none"])
def test_unread_that_is_set_as_the_export_has_it_is_not_cleared(whose: str) -> None:
    with pytest.raises(UsageError, match=f"`clear_unread={whose}` cannot be had in Tencent"):
        settings_for("tencent", {"clear_unread": whose}, {})
    assert settings_for("zim", {"clear_unread": whose}, {}).clear_unread == whose


def test_one_file_asks_of_each_target_what_it_can_do(tmp_path: Path) -> None:
    tencent = "tencent:\n  c2c_unread: preserve\n  allow_push: true\n"
    environ = configured(tmp_path, f"{tencent}zim:\n  clear_unread: all\n")
    asked = {
        name: (found.c2c_unread, found.clear_unread)
        for name in VENDORS
        for found in [settings_for(name, {}, environ)]
    }
    assert asked == {"tencent": ("preserve", "touched"), "zim": ("read", "all")}


def test_what_stands_outside_the_sections_is_refused_where_it_cannot_be_had(tmp_path: Path) -> None:
    environ = configured(tmp_path, "c2c_unread: preserve\nallow_push: true\n")
    with pytest.raises(UsageError, match="another target belongs in that one's section"):
        settings_for("zim", {}, environ)
