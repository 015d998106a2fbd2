"""Large JSON arrays are read element by element."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_migration.errors import UnreadableExportError
from chat_migration.sources import json_array
from chat_migration.sources.json_array import JsonArray

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=8,
)  # fmt: skip


def read(content: bytes, max_element: int = 1 << 20) -> list[Any]:
    return [
        value for _, value in JsonArray(io.BytesIO(content), file="x.json", max_element=max_element)
    ]


@given(st.lists(VALUES, max_size=6), st.integers(1, 40), st.sampled_from([None, 1]), st.booleans())
def test_elements_are_those_of_the_whole_array(
    values: list[Any], block: int, indent: int | None, escaped: bool
) -> None:
    content = json.dumps(values, indent=indent, ensure_ascii=escaped).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_array, "_BLOCK", block)
        assert read(content) == values


def test_reading_stops_at_the_first_element() -> None:
    stream = io.BytesIO(b"[" + b'{"a":1},' * (1 << 20) + b"{}]")
    assert next(iter(JsonArray(stream, file="x.json", max_element=100))) == (1, {"a": 1})
    assert stream.tell() <= 1 << 20


def test_an_element_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_array, "_BLOCK", 64)
    content = json.dumps(["x" * 5000]).encode()
    assert read(content) == ["x" * 5000]
    with pytest.raises(UnreadableExportError, match=r"`x.json` is no JSON array.*too long"):
        read(content, max_element=1000)
