"""A rebuild from beginning to end. May be stopped and repeated at any time: it goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from chat_migration.delivery.context import Tools, reporting
from chat_migration.delivery.holding import HeldWork, run_held
from chat_migration.errors import HeldElsewhereError
from chat_migration.model import Conversation, RecordType
from chat_migration.planning.selection import is_selected
from chat_migration.planning.tables import PlannedConversation
from chat_migration.rebuild.accounts import AccountRebuild
from chat_migration.rebuild.direct_history import DirectHistory
from chat_migration.rebuild.findings import Findings, Found
from chat_migration.rebuild.ground import Evidence, Ground, Shelf
from chat_migration.rebuild.groups import GroupRebuild
from chat_migration.rebuild.members import MemberRebuild


def rebuild(tools: Tools, findings: Findings, *, retention_days: int | None) -> None:
    """Restore in the ledger what the target holds of a plan.

    ``retention_days`` is how long the app keeps its history, where that is known: what is older may be there unseen.

    Raises:
        HeldElsewhereError: another run is at work on some conversations; everything else is done.
        StoppedError, InterruptedRunError: what was restored so far stays.
    """
    evidence = Evidence(exists=not tools.ledger.is_empty())
    with Shelf(tools) as shelf:
        ground = Ground(
            tools=tools,
            findings=findings,
            shelf=shelf,
            evidence=evidence,
            retention_days=retention_days,
        )
        total = sum(place.rows for place in shelf.places.values())
        with reporting(tools.progress, "rebuild", total, "rows"):
            _each(
                AccountRebuild(ground).run,
                GroupRebuild(ground).run,
                MemberRebuild(ground).run,
                partial(_direct, ground),
                lambda: run_held(tools, evidence.waiting),
            )


def _each(*phases: Callable[[], None]) -> None:
    """Go through the phases; what other runs hold ends none of them."""
    held: HeldElsewhereError | None = None
    for phase in phases:
        try:
            phase()
        except HeldElsewhereError as error:
            held = held or error
    if held is not None:
        raise held


def _direct(ground: Ground) -> None:
    places = [each for each in ground.shelf.places.values() if each.kind == "direct"]
    skipped = [each for each in places if not _is_selected(ground, each)]
    for place in skipped:
        ground.findings.count(RecordType.C2C_MESSAGES, Found.NOT_SENT, place.rows)
    run_held(ground.tools, (_work(ground, each) for each in places if _is_selected(ground, each)))


def _is_selected(ground: Ground, place: PlannedConversation) -> bool:
    return is_selected(ground.tools.settings, Conversation.parse(place.conversation))


def _work(ground: Ground, place: PlannedConversation) -> HeldWork:
    return HeldWork(
        conversation=place.conversation,
        run=lambda: _search(ground, place),
        skip=partial(ground.findings.count, RecordType.C2C_MESSAGES, Found.HELD, place.rows),
    )


def _search(ground: Ground, place: PlannedConversation) -> None:
    DirectHistory(ground, place).run()
    ground.tools.progress.advance(ground.findings.done)
