"""A group's history is read from the oldest on, in as few calls as from the newest down."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_migration.rebuild.reading import GroupReading, UnreadableGroupError
from chat_migration.targets.base import (
    Advice,
    Effect,
    Failure,
    GroupAddress,
    Page,
    StoredMessage,
)

PAGE = 20


class App:
    """A group of which some sequences are missing, and those up to ``hidden`` are not shown any more."""

    def __init__(self, sequences: set[int], *, hidden: int = 0, page: int = PAGE) -> None:
        self._sequences, self._hidden, self._page = sequences, hidden, page
        self.calls = 0

    def read_group(self, _address: GroupAddress, *, below: int | None) -> Page:
        self.calls += 1
        assert below is not None
        wanted = sorted((each for each in self._sequences if each <= below), reverse=True)[:PAGE]
        shown = [each for each in wanted if each > self._hidden][: self._page]
        messages = tuple(
            StoredMessage(sender="a", slot=each, sequence=each, random=each) for each in shown
        )
        rest_expired = len(shown) < len(wanted) and len(shown) < self._page
        return Page(messages, more=bool(shown) and min(shown) > 1, rest_expired=rest_expired)


def reading(app: Any) -> GroupReading:
    def call(_api: str, send: Callable[[], Any]) -> Any:
        return send()

    tools: Any = SimpleNamespace(target=app, caller=SimpleNamespace(call=call))
    return GroupReading(tools, GroupAddress("g"))


def read(app: App, *, above: int, last: int) -> tuple[list[int], list[int]]:
    """Return the sequences that are shown, and those of which only the number is known."""
    found = list(reading(app).messages(above=above, last=last))
    assert [each.sequence for each in found] == sorted({each.sequence for each in found})
    return (
        [each.sequence for each in found if not each.is_bare],
        [each.sequence for each in found if each.is_bare],
    )


@given(
    sequences=st.sets(st.integers(1, 130)),
    above=st.integers(0, 130),
    page=st.integers(1, PAGE),
)
def test_everything_above_a_sequence_is_read_once_in_order(
    sequences: set[int], above: int, page: int
) -> None:
    shown, bare = read(App(sequences, page=page), above=above, last=130)
    assert shown == sorted(each for each in sequences if each > above)
    assert bare == []


def test_a_whole_history_takes_one_call_a_page() -> None:
    app = App(set(range(1, 201)))
    assert read(app, above=0, last=200)[0] == list(range(1, 201))
    assert app.calls == 10


@given(hidden=st.integers(0, 300), above=st.integers(0, 300))
def test_what_is_not_shown_any_more_comes_as_a_number_alone(hidden: int, above: int) -> None:
    app = App(set(range(1, 301)), hidden=hidden)
    shown, bare = read(app, above=above, last=300)
    assert shown == list(range(max(hidden, above) + 1, 301))
    assert bare == list(range(above + 1, hidden + 1))


def test_a_long_stretch_that_is_not_shown_is_found_in_a_few_calls() -> None:
    app = App(set(range(1, 5001)), hidden=4990)
    shown, bare = read(app, above=0, last=5000)
    assert (len(shown), len(bare)) == (10, 4990)
    assert app.calls < 20


def test_a_group_that_is_not_shown_is_told_apart_from_an_empty_one() -> None:
    refusal = Failure(
        api="group_msg_get_simple", code=10007, text="not permitted",
        advice=Advice.STOP_CONVERSATION, effect=Effect.NONE,
    )  # fmt: skip
    app = SimpleNamespace(read_group=lambda *_, **__: refusal)
    with pytest.raises(UnreadableGroupError, match="10007"):
        list(reading(app).messages(above=0, last=5))
