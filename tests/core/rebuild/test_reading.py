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
    Mark,
    Page,
    StoredMessage,
)
from chat_migration.targets.verbs import Verb

PAGE = 20


class App:
    """A group of which some sequences are missing, and those up to ``hidden`` are not shown any more."""

    def __init__(self, sequences: set[int], *, hidden: int = 0, page: int = PAGE) -> None:
        self._sequences, self._hidden, self._page = sequences, hidden, page
        self.calls = 0

    def read_group(self, _address: GroupAddress, *, since: Mark, cursor: str) -> Page:
        self.calls += 1
        top = int(cursor or since.newest or max(self._sequences, default=0))
        wanted = sorted((each for each in self._sequences if each <= top), reverse=True)[:PAGE]
        shown = [each for each in wanted if each > self._hidden][: self._page]
        messages = tuple(
            StoredMessage(sender="a", slot=each, sequence=each, random=each) for each in shown
        )
        rest_expired = len(shown) < len(wanted) and len(shown) < self._page
        goes_on = bool(shown) and min(shown) > since.sequence + 1
        return Page(messages, str(min(shown) - 1) if goes_on else "", rest_expired=rest_expired)


def reading(app: Any, *, stop_error: Any = None, api_of: Any = None) -> GroupReading:
    def call(_verb: Verb, send: Callable[[], Any], *, priority: int) -> Any:
        del priority
        return send()

    tools: Any = SimpleNamespace(
        target=app,
        caller=SimpleNamespace(call=call, stop_error=stop_error),
        rules=SimpleNamespace(api_of=api_of),
    )
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


def test_a_long_stretch_that_is_not_shown_takes_no_calls() -> None:
    app = App(set(range(1, 5001)), hidden=4990)
    shown, bare = read(app, above=0, last=5000)
    assert (len(shown), len(bare)) == (10, 4990)
    assert app.calls == 1


class Moving:
    """A group whose messages stand by their time; its pages move on while others talk in it."""

    def __init__(self, sequences: list[int]) -> None:
        self._newest_first = [
            StoredMessage(sender="a", slot=1000 - place, sequence=each, random=each)
            for place, each in enumerate(sequences)
        ]
        self._talks = 5

    def read_group(self, _address: GroupAddress, *, since: Mark, cursor: str) -> Page:
        assert (since.sequence, since.slot) == (0, 0)
        start = int(cursor or "0")
        page = tuple(self._newest_first[start : start + PAGE])
        stranger = StoredMessage(sender="eve", slot=2000, sequence=9999 - self._talks, random=0)
        if self._talks:
            self._talks -= 1
            self._newest_first[:0] = [stranger]
        more = start + PAGE < len(self._newest_first)
        return Page(page, str(start + PAGE) if more else "")


def test_where_sequences_do_not_count_messages_each_comes_once_by_its_time() -> None:
    sequences = [*range(70, 10, -1), 90, *range(10, 0, -1), 80]
    found = list(reading(Moving(sequences)).messages(above=0, last=None))
    assert [each.sequence for each in found] == sequences[::-1]


class Circling:
    """An app whose pages never end."""

    def read_group(self, _address: GroupAddress, *, since: Mark, cursor: str) -> Page:
        del since, cursor
        return Page((), "again")


def test_pages_that_never_end_end_the_reading() -> None:
    def stop_error(failed: Failure) -> Exception:
        return RuntimeError(failed.text)

    group = reading(Circling(), stop_error=stop_error, api_of={Verb.READ_GROUP: "pull"})
    with pytest.raises(RuntimeError, match="never end"):
        list(group.messages(above=0, last=None))


def test_a_group_that_is_not_shown_is_told_apart_from_an_empty_one() -> None:
    refusal = Failure(
        api="group_msg_get_simple", code=10007, text="not permitted",
        advice=Advice.STOP_CONVERSATION, effect=Effect.NONE,
    )  # fmt: skip
    app = SimpleNamespace(read_group=lambda *_, **__: refusal)
    with pytest.raises(UnreadableGroupError, match="10007"):
        list(reading(app).messages(above=0, last=5))
