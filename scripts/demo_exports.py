"""Which exports the demo and the local Airflow move, and what a run into each target is told of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from demo_common import REPOSITORY
from demo_dates import recent_copy

EXPORTS = {"slack": "samples/slack-houstondatavis", "neutral": "samples/neutral-harbour"}
"""The samples, by the name of their reader."""
_AGEING = frozenset({"zim"})
"""Targets that take nothing older than their retention: they get copies of the exports that end two days ago."""
_SETTINGS: dict[str, dict[str, Any]] = {"zim": {"max_rejected_ratio": 0.2}}
"""What a target's runs are told besides. ZIM has no topics: their messages are rejected and reported, and the
rest of the neutral export counts as complete all the same."""


def settings_of(target: str, source: str, home: Path) -> dict[str, Any]:
    """Return the settings with which an export is moved into a target; makes a recent copy where one is needed."""
    sample = REPOSITORY / EXPORTS[source]
    path = recent_copy(sample, home / "exports" / sample.name) if target in _AGEING else sample
    return {"source": source, "export_path": str(path), **_SETTINGS.get(target, {})}
