"""Rows that are too new to be sent: kept at the end of a run, and added by every later run of their source."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from chat_migration.artefacts import lines_of
from chat_migration.delivery.tally import RowLine
from chat_migration.keys import message_key
from chat_migration.ledger.deferred import DeferredRow
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.records import Delivery
from chat_migration.ledger.states import DeliveryState, EntityState
from chat_migration.model import Conversation, Outcome, RecordType
from chat_migration.planning.needed import Needed, own_messages
from chat_migration.planning.selection import is_selected
from chat_migration.planning.staged import CarriedRows, Staged
from chat_migration.run import Run
from chat_migration.store import deferred
from chat_migration.store.extract import Extract

_log = logging.getLogger(__name__)
_LINE = msgspec.json.Decoder(RowLine)
_MESSAGES = (RecordType.GROUP_MESSAGES, RecordType.C2C_MESSAGES)
_LOOKS = 3
"""How often the list is read anew when an extract on it is gone: another run may have sent its rows just then."""
_NOT_DEALT_WITH = ("not_selected", "before_window")
"""Reasons of skipped rows that say nothing of the row itself: it waits on."""
_SETTLED = (DeliveryState.DELIVERED, DeliveryState.WITHDRAWN, DeliveryState.REJECTED)


def carried_rows(run: Run, ledger: Ledger) -> CarriedRows:
    """Return the rows that earlier runs of this source deferred, but for those that this run does not select.

    An extract that is gone for good leaves its rows without content: whoever plans says which are missing.
    """
    source = run.settings.name_of_source
    for _ in range(_LOOKS):
        rows = [
            row
            for row in ledger.deferred(source)
            if is_selected(run.settings, Conversation.parse(row.conversation))
        ]
        names = sorted({row.extract for row in rows})
        found = [deferred.kept(run.artefacts, name) for name in names]
        extracts = [each for each in found if each is not None]
        if len(extracts) == len(names):
            break
    places = [Conversation.parse(key) for key in {row.conversation for row in rows}]
    groups = sorted({each.first for each in places if not each.is_direct})
    known = ledger.groups_of([Conversation.group(each).key for each in groups])
    there = {
        name
        for name, group in known.items()
        if group.state in (EntityState.CREATED, EntityState.ADOPTED)
    }
    return CarriedRows(
        keys=[row.message_key for row in rows],
        extracts=extracts,
        groups=groups,
        groups_to_fill=[each for each in groups if Conversation.group(each).key not in there],
    )


def count_waiting(run: Run, ledger: Ledger) -> int:
    """Return how many rows earlier runs deferred; for a dry run, which adds none of them."""
    return len(ledger.deferred(run.settings.name_of_source))


def keep_deferred(run: Run, ledger: Ledger, parts: list[Path]) -> None:
    """Keep the rows that this run deferred, and strike off the list those that have ended.

    To be called before the run's window counts as complete. A crash leaves the list as it was, or as it will be;
    calling it again changes nothing. ``parts`` are the folders of what the run's stages counted, on this machine.
    """
    source = run.settings.name_of_source
    listed = {row.message_key: row for row in ledger.deferred(source)}
    waiting, ended = _outcomes(parts, source, listed)
    for key, known in ledger.deliveries(sorted(listed)).items():
        if _is_settled(known):
            ended.add(key)
    fresh = _keep_fresh(run, ledger, waiting) if waiting else []
    ledger.settle_deferred(source, fresh, sorted(ended - waiting))
    before = {row.extract for row in listed.values()}
    if before or fresh:
        used = ledger.deferred_extracts(source)
        deferred.drop_unused(run.artefacts, run.run_id, source, before, used)
    if fresh:
        _log.info("%d rows are too new; the next run of `%s` adds them", len(fresh), source)


def _outcomes(
    parts: list[Path], source: str, listed: dict[str, DeferredRow]
) -> tuple[set[str], set[str]]:
    """Return the keys of the rows that this run deferred, and of listed ones that ended without being sent."""
    waiting: set[str] = set()
    ended: set[str] = set()
    for line in _lines(parts):
        if line.outcome == Outcome.DEFERRED and line.reason != "held_elsewhere":
            waiting.add(message_key(source, line.conversation, line.id))
        elif listed and line.outcome in _ENDINGS and line.reason not in _NOT_DEALT_WITH:
            ended.add(message_key(source, line.conversation, line.id))
    return waiting, ended & listed.keys()


_ENDINGS = (Outcome.SKIPPED, Outcome.REJECTED, Outcome.LATE_REJECTED)


def _lines(parts: list[Path]) -> Iterator[RowLine]:
    for path in lines_of(parts):
        with path.open("rb") as file:
            for raw in file:
                line = _LINE.decode(raw)
                if line.record_type in _MESSAGES:
                    yield line


def _is_settled(parts: list[Delivery]) -> bool:
    return len(parts) >= len(parts[0].pieces) and all(each.state in _SETTLED for each in parts)


def _keep_fresh(run: Run, ledger: Ledger, waiting: set[str]) -> list[DeferredRow]:
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
            return _keep(run, staged, own[0], waiting)
        finally:
            staged.close()


def _keep(run: Run, staged: Staged, like: Extract, waiting: set[str]) -> list[DeferredRow]:
    messages = own_messages(staged, waiting)
    if not messages:
        return []
    source = run.settings.name_of_source
    name = deferred.name_of(run.run_id, source, [key for key, _, _ in messages])
    deferred.keep(run.artefacts, name, like.manifest, Needed(staged, messages).batches)
    return [
        DeferredRow(
            message_key=key,
            conversation=conversation,
            sent_at_ms=sent_at_ms,
            extract=name,
            run_id=run.run_id,
        )
        for key, conversation, sent_at_ms in messages
    ]
