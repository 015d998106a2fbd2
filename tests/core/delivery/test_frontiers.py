"""What a stream is told of its group when many groups are asked about together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

from chat_migration.delivery.context import Tools
from chat_migration.delivery.frontiers import Frontiers
from chat_migration.planning.tables import PlannedConversation
from chat_migration.targets.base import Frontier, GroupAddress


class App:
    """A target of which only the groups are asked for."""

    def __init__(self, *groups: str) -> None:
        self.groups = {*groups}
        self.asked: list[list[str]] = []

    def frontiers(self, addresses: Sequence[GroupAddress]) -> list[Frontier]:
        self.asked.append([each.group_id for each in addresses])
        return [Frontier(address=each, exists=each.group_id in self.groups) for each in addresses]


def places(*groups: str) -> list[PlannedConversation]:
    return [
        PlannedConversation(
            conversation=f"group:{each}",
            kind="group",
            shard=0,
            first_row=0,
            rows=1,
            group_id=each,
            topic_id="",
        )
        for each in groups
    ]


def frontiers(app: App, all_places: list[PlannedConversation]) -> Frontiers:
    def call(_api: str, ask: Callable[[], Any]) -> Any:
        return ask()

    tools = cast("Tools", SimpleNamespace(target=app, caller=SimpleNamespace(call=call)))
    return Frontiers(tools, all_places, per_call=50)


def test_groups_that_are_there_are_asked_about_together() -> None:
    app, every = App("a", "b", "c"), places("a", "b", "c")
    asking = frontiers(app, every)
    assert [asking.of(each).exists for each in every] == [True] * 3
    assert app.asked == [["a", "b", "c"]]


def test_a_group_that_another_run_creates_meanwhile_is_asked_about_again() -> None:
    app, (first, second) = App("a"), places("a", "b")
    asking = frontiers(app, [first, second])
    assert asking.of(first).exists
    app.groups.add("b")
    assert asking.of(second).exists
    assert app.asked == [["a", "b"], ["b"]]


def test_an_answer_serves_once() -> None:
    app, (only,) = App("a"), places("a")
    asking = frontiers(app, [only])
    assert asking.of(only).exists
    app.groups.clear()
    assert not asking.of(only).exists
