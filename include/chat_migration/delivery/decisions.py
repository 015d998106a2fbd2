"""From rows to parts: what is sent of a group's rows, under which slot and ``Random``, and what is not."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime

import msgspec

from chat_migration.delivery.history import History
from chat_migration.delivery.rows import (
    KeyConflicts,
    Part,
    RowProgress,
    known_outcome,
    new_delivery,
)
from chat_migration.delivery.stream_state import StreamState
from chat_migration.keys import vendor_random
from chat_migration.ledger.records import Delivery
from chat_migration.ledger.states import DeliveryState
from chat_migration.model import Outcome
from chat_migration.planning.forecast import NOW_MARGIN_MS, is_late
from chat_migration.planning.slots import Slots
from chat_migration.planning.tables import PlannedMessage
from chat_migration.targets.rules import Unsendable


class Decisions:
    """Decides about rows in their order; parts to be sent wait in :attr:`ready`.

    :attr:`undecided` holds the rows that a failure kept from being decided.
    """

    def __init__(self, state: StreamState, history: History, conflicts: KeyConflicts) -> None:
        self._state, self._history, self._conflicts = state, history, conflicts
        self._randoms: set[int] = set()
        self._deferring = False
        self.ready: deque[Part] = deque()
        self.undecided: deque[PlannedMessage] = deque()

    def decide(self, rows: list[PlannedMessage]) -> None:
        """End each row that needs no call, and make the parts of the others ready."""
        ledger = self._state.tools.ledger
        self.undecided.extend(rows)
        known = self._known(rows)
        firsts = [
            vendor_random(row.message_key, part)
            for row in rows
            if not row.outcome and row.message_key not in known
            for part in range(len(row.bodies))
        ]
        self._randoms |= ledger.taken_randoms(self._state.place.conversation, firsts)
        while self.undecided:
            self._decide(self.undecided[0], known.get(self.undecided[0].message_key, []))
            self.undecided.popleft()

    def take_back(self) -> list[PlannedMessage]:
        """Return the rows whose parts are ready but not sent; they must be decided again."""
        rows = {part.progress.row.message_key: part.progress.row for part in self.ready}
        self.ready.clear()
        self._randoms.clear()
        self._deferring = False
        return list(rows.values())

    def _known(self, rows: list[PlannedMessage]) -> dict[str, list[Delivery]]:
        """Return what the ledger knows of some rows; if any is to be sent, the frontier is compared first."""
        keys = [row.message_key for row in rows]
        known = self._state.tools.ledger.deliveries(keys)
        run_id = self._state.tools.run_id
        is_new = any(
            not row.outcome and known_outcome(row, known.get(row.message_key, []), run_id) is None
            for row in rows
        )
        if self._state.slots is None and is_new:
            self._history.slots()
            known = self._state.tools.ledger.deliveries(keys)
        return known

    def _decide(self, row: PlannedMessage, known: list[Delivery]) -> None:
        ended = known_outcome(row, known, self._state.tools.run_id)
        is_there = ended is not None and ended[0] in (Outcome.IMPORTED, Outcome.ALREADY_IMPORTED)
        if row.outcome and not is_there:
            self._state.end(row, Outcome(row.outcome), row.reason)
        elif ended is not None:
            if ended[1] == "key_conflict":
                self._conflicts.add()
            self._state.end(row, *ended)
        elif self._deferring:
            self._state.end(row, Outcome.DEFERRED, "too_new")
        else:
            self._make_ready(row, known)

    def _make_ready(self, row: PlannedMessage, known: list[Delivery]) -> None:
        slots = self._history.slots()
        late = self._is_late(row, known)
        bodies = self._late_bodies(row) if late else row.bodies
        if not bodies:
            return
        by_part = {each.part: each for each in known}
        missing = [part for part in range(len(bodies)) if not _is_delivered(by_part.get(part))]
        last_slot = slots.peek(row.sent_at_ms) + len(missing) - 1
        if last_slot * 1000 > self._state.tools.clock.now_ms() - NOW_MARGIN_MS:
            self._deferring = True
            self._state.end(row, Outcome.DEFERRED, "too_new")
            return
        progress = RowProgress(row, waiting=len(missing))
        for part in missing:
            delivery = self._delivery(row, part, by_part.get(part), slots)
            delivery = msgspec.structs.replace(delivery, late=late, parts=len(bodies))
            self.ready.append(Part(delivery, bodies[part], progress))

    def _is_late(self, row: PlannedMessage, known: list[Delivery]) -> bool:
        """Tell whether a row comes too late; the rest of a row of which a part is there never does."""
        return not any(_is_delivered(each) for each in known) and is_late(row, self._state.stream)

    def _late_bodies(self, row: PlannedMessage) -> list[str]:
        """Return the bodies of a late row that is to be appended, or end the row and return none."""
        if self._state.tools.settings.late_messages == "reject":
            self._state.end(row, Outcome.LATE_REJECTED, "late")
            return []
        try:
            return self._state.tools.rules.late_bodies(row.bodies, late_prefix(row.sent_at_ms))
        except Unsendable as refused:
            self._state.end(row, Outcome.REJECTED, refused.reason, detail=refused.detail)
            return []

    def _delivery(
        self, row: PlannedMessage, part: int, known: Delivery | None, slots: Slots
    ) -> Delivery:
        """Return a part under its keys; those that the ledger has are never made again."""
        run_id, slot = self._state.tools.run_id, slots.take(row.sent_at_ms)
        if known is not None:
            return msgspec.structs.replace(
                known, slot=slot, source_hash=row.source_hash, run_id=run_id
            )
        return new_delivery(
            row,
            part,
            slot=slot,
            random=self._free_random(row, part),
            render_version=self._state.tools.rules.render_version,
            run_id=run_id,
        )

    def _free_random(self, row: PlannedMessage, part: int) -> int:
        """Return the first ``Random`` candidate that no earlier message of the conversation has."""
        ledger, conversation = self._state.tools.ledger, self._state.place.conversation
        candidate = 0
        while True:
            value = vendor_random(row.message_key, part, candidate)
            in_ledger = candidate > 0 and ledger.taken_randoms(conversation, [value])
            if value not in self._randoms and not in_ledger:
                self._randoms.add(value)
                return value
            candidate += 1


def _is_delivered(delivery: Delivery | None) -> bool:
    return delivery is not None and delivery.state is DeliveryState.DELIVERED


def late_prefix(sent_at_ms: int) -> str:
    """Return what is put before the text of a message that is appended late.

    >>> late_prefix(1714555800000)
    '[2024-05-01 09:30 UTC] '
    """
    return datetime.fromtimestamp(sent_at_ms / 1000, UTC).strftime("[%Y-%m-%d %H:%M UTC] ")
