"""Loosely typed JSON: what is of another type than expected counts as absent."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def as_object(value: Any) -> Json:
    """Return an object, {} for anything else."""
    return value if isinstance(value, dict) else {}


def as_objects(value: Any) -> list[Json]:
    """Return the objects of a list, [] for anything else."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def as_text(value: Any) -> str:
    """Return a text, "" for anything else."""
    return value if isinstance(value, str) else ""


def as_texts(value: Any) -> list[str]:
    """Return the texts of a list that are not empty, [] for anything else."""
    return (
        [entry for entry in value if isinstance(entry, str) and entry]
        if isinstance(value, list)
        else []
    )


def as_natural(value: Any) -> int | None:
    """Return an integer that is zero or more and fits 63 bits, None for anything else."""
    return value if type(value) is int and 0 <= value < 2**63 else None


def as_url(value: Any) -> str:
    """Return an absolute http(s) URL without spaces, "" for anything else."""
    text = as_text(value)
    is_url = text.startswith(("https://", "http://")) and len(text.split()) == 1
    return text if is_url else ""
