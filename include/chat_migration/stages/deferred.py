"""Rows that are left to a later run: kept at the end of a run, and added by every later run of their source.

Messages that are too new to be sent; and rows of groups and members that had to wait, for such messages or for a
quota. A drop that holds what changed names them once.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Container, Iterator
from itertools import chain
from pathlib import Path

import msgspec

from chat_migration.artefacts import find_plan, lines_of
from chat_migration.delivery.tally import RowLine
from chat_migration.keys import message_key
from chat_migration.ledger.deferred import DeferredRow
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.records import Delivery
from chat_migration.ledger.states import DeliveryState, EntityState
from chat_migration.model import Conversation, Outcome, RecordType
from chat_migration.planning.changes import tells_the_past
from chat_migration.planning.held import HeldRow, KeptRow
from chat_migration.planning.needed import MessageId, Needed, own_messages, own_rows
from chat_migration.planning.positions import Place
from chat_migration.planning.selection import is_needed, is_selected
from chat_migration.planning.staged import CarriedRows, Staged
from chat_migration.run import Run
from chat_migration.store import deferred
from chat_migration.store.extract import Extract

_log = logging.getLogger(__name__)
_LINE = msgspec.json.Decoder(RowLine)
_MESSAGES = (RecordType.GROUP_MESSAGES, RecordType.C2C_MESSAGES)
_ENTITIES = (RecordType.GROUPS, RecordType.MEMBERS)
_IN_USE = (EntityState.CREATED, EntityState.ADOPTED)
_LOOKS = 3
"""How often the list is read anew when an extract on it is gone: another run may have sent its rows just then."""
_NOT_DEALT_WITH = ("not_selected", "before_window")
"""Reasons of skipped rows that say nothing of the row itself: it waits on."""
_SETTLED = (DeliveryState.DELIVERED, DeliveryState.WITHDRAWN, DeliveryState.REJECTED)


def carried_rows(run: Run, ledger: Ledger) -> CarriedRows:
    """Return the rows that earlier runs of this source deferred, but for those that this run does not select.

    An extract that is gone for good leaves its rows without content: whoever plans says which are missing.
    """
    for _ in range(_LOOKS):
        rows = _waiting(run, ledger)
        names = sorted({row.extract for row in rows})
        found = {name: deferred.kept(run.artefacts, name) for name in names}
        extracts = {name: each for name, each in found.items() if each is not None}
        if len(extracts) == len(names):
            break
    held = [(row.extract, each) for row in rows if (each := HeldRow.parse(row.message_key))]
    missing = _not_there(ledger, {row.conversation for row in rows})
    return CarriedRows(
        keys=[row.message_key for row in rows if HeldRow.parse(row.message_key) is None],
        extracts=list(extracts.values()),
        groups=sorted({each.first for each in missing}),
        groups_to_fill=sorted({each.first for each in missing if each.kind == "group"}),
        held=[KeptRow(each, extracts[name].path) for name, each in held if name in extracts],
        lost=sum(name not in extracts for name, _ in held),
    )


def _waiting(run: Run, ledger: Ledger) -> list[DeferredRow]:
    """Return the rows that wait and are this run's to add.

    Groups and members were held back by a drop that is newer than what a run over an older one shows.
    """
    settings = run.settings
    is_past = tells_the_past(settings, run.run_id, ledger)
    found = []
    for row in ledger.deferred(settings.name_of_source):
        place = Conversation.parse(row.conversation)
        if HeldRow.parse(row.message_key) is None:
            is_ours = is_selected(settings, place)
        else:
            is_ours = not is_past and is_needed(settings, place)
        if is_ours:
            found.append(row)
    return found


def _not_there(ledger: Ledger, conversations: set[str]) -> list[Conversation]:
    """Return those of some conversations, with the groups of their topics, that are groups or topics not in use."""
    places = {Conversation.parse(key) for key in conversations}
    places |= {Conversation.group(each.first) for each in places if each.kind == "topic"}
    asked = [each for each in places if not each.is_direct]
    known = ledger.groups_of([each.key for each in asked])
    return [each for each in asked if each.key not in known or known[each.key].state not in _IN_USE]


def count_waiting(run: Run, ledger: Ledger) -> int:
    """Return how many messages earlier runs deferred; for a dry run, which adds none of them."""
    rows = ledger.deferred(run.settings.name_of_source)
    return sum(HeldRow.parse(row.message_key) is None for row in rows)


def keep_deferred(run: Run, ledger: Ledger, parts: list[Path], *, is_complete: bool) -> None:
    """Keep the rows that this run deferred, and strike off the list those that have ended.

    To be called before the run's window counts as complete. A crash leaves the list as it was, or as it will be;
    calling it again changes nothing.

    Args:
        run: the run.
        ledger: of its app.
        parts: the folders of what the run's stages counted, on this machine.
        is_complete: every row has been dealt with. Of groups and members nothing is kept or struck off before:
            the window is taken again.
    """
    source = run.settings.name_of_source
    listed = {row.message_key: row for row in ledger.deferred(source)}
    waiting, ended = _outcomes(parts, source, listed)
    for key, known in ledger.deliveries(sorted(listed)).items():
        if _is_settled(known):
            ended.add(key)
    held: set[HeldRow] = set()
    if is_complete and not tells_the_past(run.settings, run.run_id, ledger):
        held = _held(parts)
        ended |= _dealt_with(run, listed.keys() - {each.key for each in held})
    fresh = _keep_fresh(run, ledger, waiting, held) if waiting or held else []
    ledger.settle_deferred(source, fresh, sorted(ended - waiting))
    before = {row.extract for row in listed.values()}
    if before or fresh:
        used = ledger.deferred_extracts(source)
        deferred.drop_unused(run.artefacts, run.run_id, source, before, used)
    if fresh:
        _log.info("%d rows have to wait; the next run of `%s` adds them", len(fresh), source)


def _outcomes(
    parts: list[Path], source: str, listed: dict[str, DeferredRow]
) -> tuple[set[str], set[str]]:
    """Return the keys of the rows that this run deferred, and of listed ones that ended without being sent."""
    waiting: set[str] = set()
    ended: set[str] = set()
    for line in _lines(parts, _MESSAGES):
        if line.outcome == Outcome.DEFERRED and line.reason != "held_elsewhere":
            waiting.add(message_key(source, line.conversation, line.id))
        elif listed and line.outcome in _ENDINGS and line.reason not in _NOT_DEALT_WITH:
            ended.add(message_key(source, line.conversation, line.id))
    return waiting, ended & listed.keys()


_ENDINGS = (Outcome.SKIPPED, Outcome.REJECTED, Outcome.LATE_REJECTED)


def _held(parts: list[Path]) -> set[HeldRow]:
    """Return the rows of groups and members that this run left to a later one."""
    return {
        HeldRow.counted(line.conversation, line.id)
        for line in _lines(parts, _ENTITIES)
        if line.outcome == Outcome.DEFERRED
    }


def _dealt_with(run: Run, keys: set[str]) -> set[str]:
    """Return those of some keys that are rows of groups and members in this run's plan, and not left out by a pilot."""
    asked = {
        each: key
        for key in keys
        if (each := HeldRow.parse(key))
        and is_needed(run.settings, Conversation.parse(each.conversation))
    }
    plan = find_plan(run) if asked else None
    if plan is None:
        return set()
    members = (
        HeldRow.counted(each.conversation, each.legacy_id)
        for each in plan.members()
        if each.conversation
    )
    groups = (HeldRow(each.legacy_id) for each in plan.groups() if each.file and not each.topic_id)
    return {asked[each] for each in chain(members, groups) if each in asked}


def _places(run: Run, held: set[HeldRow]) -> dict[HeldRow, Place]:
    """Return how far the members of some rows have read, as this run's plan says it."""
    plan = find_plan(run) if held else None
    if plan is None:
        return {}
    rows = (
        (HeldRow.counted(each.conversation, each.legacy_id), each)
        for each in plan.members()
        if each.conversation
    )
    return {
        row: (each.first_unread_ms, each.first_unread_order)
        for row, each in rows
        if row in held and each.has_read_state and each.first_unread_ms is not None
    }


def _lines(parts: list[Path], kinds: Container[str]) -> Iterator[RowLine]:
    for path in lines_of(parts):
        with path.open("rb") as file:
            for raw in file:
                line = _LINE.decode(raw)
                if line.record_type in kinds:
                    yield line


def _is_settled(parts: list[Delivery]) -> bool:
    return len(parts) >= len(parts[0].pieces) and all(each.state in _SETTLED for each in parts)


def _keep_fresh(
    run: Run, ledger: Ledger, waiting: set[str], held: set[HeldRow]
) -> list[DeferredRow]:
    """Keep those waiting rows whose right copy is in this run's own extract; return them as they are to be listed.

    The others are kept already, where they were before.
    """
    own = [Extract.open(path) for path in run.noted_extracts()]
    if not own:
        return []
    carried = carried_rows(run, ledger)
    with tempfile.TemporaryDirectory(prefix="chat-migration-") as temp:
        staged = Staged(own, carried, temp=Path(temp) / "spill")
        try:
            return _keep(run, staged, own[0], own_messages(staged, waiting), own_rows(staged, held))
        finally:
            staged.close()


def _keep(
    run: Run, staged: Staged, like: Extract, messages: list[MessageId], held: list[HeldRow]
) -> list[DeferredRow]:
    rows = [*messages, *((each.key, each.conversation, 0) for each in held)]
    if not rows:
        return []
    source = run.settings.name_of_source
    name = deferred.name_of(run.run_id, source, [key for key, _, _ in rows])
    needed = Needed(staged, messages, held, _places(run, set(held)))
    deferred.keep(run.artefacts, name, like.manifest, needed.batches)
    return [
        DeferredRow(
            message_key=key,
            conversation=conversation,
            sent_at_ms=sent_at_ms,
            extract=name,
            run_id=run.run_id,
        )
        for key, conversation, sent_at_ms in rows
    ]
