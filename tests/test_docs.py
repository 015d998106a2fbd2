"""Prose that nobody tests drifts: what can be typed and set is in the docs, and links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import outcomes_page
import pytest
import settings_page
from tests.reasons_of_code import reasons_in, reasons_of

from chat_migration.cli.arguments import parser
from chat_migration.delivery.settling import FIRST_MEMBER
from chat_migration.settings import Settings
from chat_migration.sources import SOURCES
from chat_migration.targets.base import Advice
from chat_migration.targets.vendors import VENDORS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
CORE = sorted((ROOT / "include/chat_migration").rglob("*.py"))
OPERATIONS = (ROOT / "docs/operations.md").read_text()
NAMED = (
    "README.md",
    "CONTRIBUTING.md",
    "docs/*.md",
    "include/**/*.py",
    "plugins/**/*.py",
    "dags/*.py",
    "scripts/*.py",
)
"""Where commands are named."""
BEYOND_ONE_RECORD = frozenset(Advice) - {
    Advice.REJECT_ITEM, Advice.MISSING_ACCOUNT, Advice.MISSING_MESSAGE, Advice.EXISTS, Advice.TOO_OLD, Advice.LATE,
}  # fmt: skip
"""What follows where a code is about more than one record: it slows down, repeats, or ends something."""


def section(text: str, title: str) -> str:
    """Return what stands under a heading of a page, deeper ones included."""
    level, _, _ = title.partition(" ")
    _, found, rest = f"\n{text}".partition(f"\n{title}\n")
    assert found, title
    return re.split(rf"\n#{{1,{len(level)}}} ", rest)[0]


def first_cells(text: str) -> Iterator[str]:
    """Yield the first cell of each row of a text's tables."""
    yield from re.findall(r"^\| ([^|]*) \|", text, re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the names by which a link can lead to a heading of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_the_settings_page_is_what_the_settings_say() -> None:
    """Run `.venv/bin/python scripts/settings_page.py` after a change of settings."""
    assert settings_page.PAGE.read_text() == settings_page.page()


def test_the_page_of_outcomes_is_what_their_table_says() -> None:
    """Run `.venv/bin/python scripts/outcomes_page.py` after a change of the table or of codes."""
    assert outcomes_page.PAGE.read_text() == outcomes_page.page()


@pytest.mark.parametrize("vendor", outcomes_page.VENDORS, ids=lambda vendor: vendor.title)
def test_every_code_and_write_of_a_vendor_stands_on_the_page_of_outcomes(vendor) -> None:
    told = section(outcomes_page.PAGE.read_text(), f"## {vendor.title}")
    codes = {*vendor.common, *(code for _, code in vendor.of_api)}
    rows = set(first_cells(told))
    assert {str(code) for code in codes} - rows == set()
    assert {f"`{api}`" for api in vendor.writes} - rows == set()


@pytest.mark.parametrize("vendor", outcomes_page.VENDORS, ids=lambda vendor: vendor.title)
def test_every_symptom_of_a_vendor_stands_on_the_page_of_outcomes(vendor) -> None:
    page = outcomes_page.PAGE.read_text()
    seen = "## What was seen, what it says, what follows"
    rows = {*first_cells(section(page, seen)), *first_cells(section(page, f"## {vendor.title}"))}
    assert {row.text for row in vendor.table.values()} - rows == set()


def test_every_unknown_that_the_core_defends_against_is_named_on_the_page_of_outcomes() -> None:
    page = outcomes_page.PAGE.read_text()
    named = set(re.findall(r"\b[UZ]\d+\b", " ".join(first_cells(page))))
    told = [
        re.findall(r"[Uu]nknowns? ((?:U?\d+(?:,| and)? ?)+)", path.read_text()) for path in CORE
    ]
    numbers = set(re.findall(r"U?\d+", " ".join(each for found in told for each in found)))
    assert {"U11", "26"} <= numbers
    assert {each if each.startswith("U") else f"Z{each}" for each in numbers} - named == set()


@pytest.mark.parametrize("vendor", outcomes_page.VENDORS, ids=lambda vendor: vendor.title)
def test_every_code_that_slows_repeats_or_ends_something_says_what_to_do(vendor) -> None:
    name = "Tencent Cloud Chat" if vendor is outcomes_page.TENCENT else "ZIM"
    told = set(
        re.findall(r"\d+", " ".join(first_cells(section(OPERATIONS, f"### Codes of {name}"))))
    )
    advice = {
        code: vendor.advice_for(vendor.once[-1], meaning.symptom)
        for code, meaning in vendor.common.items()
    }
    assert [
        code for code, each in advice.items() if each in BEYOND_ONE_RECORD and str(code) not in told
    ] == []


# --- reasons ------------------------------------------------------------------------------------

EXPLAINED = {
    reason
    for cell in first_cells(section(OPERATIONS, "## What the reasons of a report mean"))
    for reason in re.findall(r"^`\w+`(?:, `\w+`)*$", cell)
    for reason in re.findall(r"\w+", reason)
}


def test_every_reason_that_the_code_can_give_is_explained() -> None:
    """One that only the ledger keeps is shown to nobody."""
    assert reasons_in(CORE) - EXPLAINED - {FIRST_MEMBER} == set()


def test_only_reasons_that_the_code_can_give_are_explained() -> None:
    assert EXPLAINED - reasons_in(CORE) == set()


@pytest.mark.parametrize(
    "text",
    [
        "end(row, Outcome.REJECTED, 'found')",
        "done = (Outcome.SKIPPED if gone else Outcome.REJECTED, 'found', 'why')",
        "end(reason='found' if late else '')",
        "class Bad(Exception):\n    def __init__(self, reason): ...\nraise Bad('found')",
        "class Line:\n    file: str\n    reason: str\nLine('a.csv', 'found')",
        "class Rows:\n    def _defer(self, row, reason=''): ...\n    def run(self): self._defer(1, 'found')",
        "def wait(row, why): wait_on(row, because=why)\n"
        "def wait_on(row, *, because): end(row, reason=because)\nwait(1, 'found')",
        "FOUND = 'found'\nreason, failed = FOUND, None",
        "_OF = {1: 'found'}\nreason = _OF.get(code, '')",
        "def _stop_reason(self):\n    return 'found' if self else ''",
        "SQL = \"SELECT 'skipped' AS outcome, 'found' AS reason FROM rows\"",
    ],
)
def test_a_reason_is_found_however_it_is_given(text: str) -> None:
    assert reasons_of([text]) == {"found"}


def test_what_is_no_word_or_no_reason_is_none() -> None:
    assert (
        reasons_of(["end(row, 'word')", "release(reason='it is not there')", "x = 'word'"]) == set()
    )


# --- settings, commands, links ------------------------------------------------------------------


@pytest.mark.parametrize("model", [Settings, *VENDORS.values()])
def test_every_setting_and_field_says_what_it_is_for(model) -> None:
    assert settings_page.described(model) == []


def test_every_command_is_in_the_readme_and_has_help() -> None:
    readme = (ROOT / "README.md").read_text()
    commands = next(action for action in parser()._actions if action.dest == "command")
    for choice in commands._choices_actions:
        assert choice.help
        assert re.search(rf"chat-migration {choice.dest}\b", readme)


def test_only_commands_that_exist_are_named() -> None:
    commands = next(action for action in parser()._actions if action.dest == "command")
    pages = [page for pattern in NAMED for page in ROOT.glob(pattern)]
    found = {
        (page.name, command)
        for page in pages
        for command in re.findall(
            r"(?:`|^ *|/|-worker )chat-migration ([a-z]+)", page.read_text(), re.MULTILINE
        )
    }
    assert ("README.md", "check") in found
    assert {each for each in found if each[1] not in commands.choices} == set()


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_headings_that_exist(page: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]*)#([^)]+)\)", page.read_text())
    assert [
        (file, anchor)
        for file, anchor in links
        if anchor not in anchors(page.parent / file if file else page)
    ] == []
