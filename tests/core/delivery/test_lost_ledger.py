"""The command that a run with an empty ledger prints is whole, and safe to paste."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from chat_migration.cli.arguments import given_settings, parser
from chat_migration.delivery.lost_ledger import MATTER, rebuild_command
from chat_migration.settings import Settings

SETTINGS: list[dict[str, Any]] = [
    {"export_path": "/data/my export's.zip", "source": "slack"},
    {"export_path": "e", "source_name": "old; rm -rf $HOME"},
    {"export_path": "e", "conversations": ("a b", "c"), "exclude_conversations": ("d",)},
    {
        "export_path": "e",
        "same_second": "keep",
        "oversize_text": "reject",
        "system_messages": "text",
    },
]


@pytest.mark.parametrize("given", SETTINGS, ids=str)
def test_the_printed_command_brings_back_what_decides_the_keys(given: dict[str, Any]) -> None:
    settings = Settings(**given)
    program, *words = shlex.split(rebuild_command(settings, "tencent:7"))
    assert program == "chat-migration"
    again = Settings.load(given_settings(parser().parse_args(words)), {})
    for name in (*MATTER, "source", "name_of_source", "export_path"):
        assert getattr(again, name) == getattr(settings, name)


def test_what_does_not_matter_is_left_out() -> None:
    settings = Settings(export_path="e", shards=4, late_messages="append", to="2024-05-01")
    assert rebuild_command(settings, "tencent:7") == (
        "chat-migration rebuild --target tencent --source neutral --export e --source-name neutral"
    )
