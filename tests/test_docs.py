"""Prose that nobody tests drifts: what can be typed and set is in the docs, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import outcomes_page
import pytest
import settings_page

from chat_migration.cli.arguments import parser
from chat_migration.settings import Settings
from chat_migration.sources import SOURCES
from chat_migration.targets.vendors import VENDORS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_settings_page_is_what_the_settings_say() -> None:
    """Run `.venv/bin/python scripts/settings_page.py` after a change of settings."""
    assert settings_page.PAGE.read_text() == settings_page.page()


def test_the_page_of_outcomes_is_what_their_table_says() -> None:
    """Run `.venv/bin/python scripts/outcomes_page.py` after a change of the table or of codes."""
    assert outcomes_page.PAGE.read_text() == outcomes_page.page()


@pytest.mark.parametrize("model", [Settings, *VENDORS.values()])
def test_every_setting_and_field_says_what_it_is_for(model) -> None:
    assert settings_page.described(model) == []


def test_every_command_is_in_the_readme_and_has_help() -> None:
    readme = (ROOT / "README.md").read_text()
    commands = next(action for action in parser()._actions if action.dest == "command")
    for choice in commands._choices_actions:
        assert choice.help
        assert re.search(rf"chat-migration {choice.dest}\b", readme)


def test_every_source_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [name for name in SOURCES if f"`{name}`" not in readme] == []


def test_every_operator_says_what_a_retry_does() -> None:
    modules = (ROOT / "plugins/chat_migration_airflow/operators").glob("*.py")
    texts = [
        module.read_text()
        for module in modules
        if module.stem not in ("__init__", "base", "shards")
    ]
    assert len(texts) >= 8
    for text in texts:
        assert re.search(r"again|retry|repeat", text), text[:80]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_exist(page: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
