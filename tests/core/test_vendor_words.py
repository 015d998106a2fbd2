"""What a vendor calls its APIs and its errors is known behind the border of targets, and nowhere else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import chat_migration
from chat_migration.targets.tencent_chat import codes as tencent_codes
from chat_migration.targets.tencent_chat import limits as tencent_limits
from chat_migration.targets.zego_zim import codes as zim_codes
from chat_migration.targets.zego_zim import limits as zim_limits

ROOT = Path(chat_migration.__file__).parent
CORE = ("planning", "delivery", "rebuild", "ledger", "stages", "reporting", "extraction", "store")
MODULES = sorted(
    path.relative_to(ROOT).as_posix() for package in CORE for path in (ROOT / package).rglob("*.py")
)
FIVE_DIGITS = 10_000
"""Shorter codes are numbers like any other."""
CODES = {
    code
    for table in (tencent_codes, zim_codes)
    for code in (*table.COMMON, *(code for _, code in table.OF_API))
    if code >= FIVE_DIGITS
}
NAMES = re.compile(rf"\b({'|'.join((*tencent_limits.APIS, *zim_limits.APIS))}|MsgSeq|ErrorCode)\b")


def docstrings(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the texts that stand alone: docstrings of every kind."""
    return (node.value for node in ast.walk(tree) if isinstance(node, ast.Expr))


@pytest.mark.parametrize("module", MODULES)
def test_no_module_of_the_core_knows_a_code_or_an_api_of_a_vendor(module: str) -> None:
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    told = set(docstrings(tree))
    values = [
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in told
    ]
    assert CODES.isdisjoint(value for value in values if isinstance(value, int))
    assert not [value for value in values if isinstance(value, str) and NAMES.search(value)]


def test_what_is_looked_for_is_there_to_be_found() -> None:
    assert {10038, 660600011} <= CODES
    assert NAMES.search("asked import_group about it")
    assert not NAMES.search("import_groups")
