"""From rows to parts: what is sent of a group's rows, under which slot and ``Random``, and what is not."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime

import msgspec

from chat_migration.delivery.changes import Made, edit_of, make_edit, make_withdrawal
from chat_migration.delivery.group_changes import GroupChannel
from chat_migration.delivery.history import History
from chat_migration.delivery.rows import (
    KeyConflicts,
    Part,
    RowProgress,
    new_delivery,
)
from chat_migration.delivery.stream_state import StreamState
from chat_migration.delivery.verdicts import TOO_LONG, Ending, Todo, is_complete, verdict
from chat_migration.delivery.waiting import is_past
from chat_migration.keys import vendor_random
from chat_migration.ledger.records import Delivery
from chat_migration.ledger.states import DeliveryState
from chat_migration.model import Outcome
from chat_migration.planning.forecast import takes_late_rows
from chat_migration.planning.tables import PlannedMessage
from chat_migration.targets.rules import Unsendable


class Decisions:
    """Decides about rows in their order; parts to be sent wait in :attr:`ready`.

    What was delivered and has changed since is changed in the target at once: no other call is in flight.

    :attr:`undecided` holds the rows that a failure kept from being decided.
    """

    def __init__(self, state: StreamState, history: History, conflicts: KeyConflicts) -> None:
        self._state, self._history, self._conflicts = state, history, conflicts
        self._channel = GroupChannel(state)
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
            vendor_random(row.message_key, part, bits=self._state.tools.rules.random_bits)
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
        oldest = next(
            (
                row
                for row in rows
                for parts in (known.get(row.message_key, []),)
                if _may_send(verdict(row, parts, run_id), parts)
            ),
            None,
        )
        if self._state.slots is None and oldest is not None:
            self._history.slots(oldest.sent_at_ms)
            known = self._state.tools.ledger.deliveries(keys)
        return known

    def _decide(self, row: PlannedMessage, known: list[Delivery]) -> None:
        decided = verdict(row, known, self._state.tools.run_id)
        while isinstance(decided, Todo) and decided is not Todo.SEND:
            made = self._bring_up_to_date(row, known, decided)
            if made is None:
                return
            known = made.parts
            decided = verdict(row, known, self._state.tools.run_id)
        if isinstance(decided, Todo):
            self._send(row, known)
            return
        if decided[1] == "key_conflict":
            self._conflicts.add()
        if decided[0] is Outcome.IMPORTED:
            # An earlier attempt of this run sent it; its part of the report is replaced by this one's.
            for each in known:
                self._state.note_drift(each)
        self._state.end(row, *decided)

    # --- what is there already ------------------------------------------------------------------

    def _bring_up_to_date(
        self, row: PlannedMessage, known: list[Delivery], todo: Todo
    ) -> Made | None:
        """Change or withdraw what was delivered of a row; None: it stays as it was, and the row has ended."""
        tools = self._state.tools
        # What is known so far comes before the next call of this conversation.
        self._state.flush()
        if todo is Todo.WITHDRAW:
            made = make_withdrawal(self._channel, row, known, run_id=tools.run_id)
        else:
            bodies = self._late_bodies(row) if _is_late_row(known) else row.bodies
            if not bodies:
                return None
            edit = edit_of(known, bodies)
            if edit is None:
                self._state.end(row, Outcome.REJECTED, TOO_LONG)
                return None
            made = make_edit(
                self._channel,
                row,
                known,
                edit,
                render_version=tools.rules.render_version,
                run_id=tools.run_id,
            )
        self._state.moves += made.moves
        if made.failure is not None:
            self._state.end(row, Outcome.REJECTED, made.reason, failure=made.failure)
            return None
        return made

    # --- what is to be sent ---------------------------------------------------------------------

    def _send(self, row: PlannedMessage, known: list[Delivery]) -> None:
        if self._deferring:
            self._state.end(row, Outcome.DEFERRED, "too_new")
        else:
            self._make_ready(row, known)

    def _make_ready(self, row: PlannedMessage, known: list[Delivery]) -> None:
        slots = self._history.slots(row.sent_at_ms)
        goes_back, late = self._goes_back(row), self._is_late(row, known)
        begun = any(_is_delivered(each) for each in known)
        if (late or (goes_back and not begun)) and self._refuses_late():
            self._state.end(row, Outcome.LATE_REJECTED, "late")
            return
        bodies = self._late_bodies(row) if late else row.bodies
        if not bodies:
            return
        by_part = {each.part: each for each in known}
        missing = [part for part in range(len(bodies)) if not _is_delivered(by_part.get(part))]
        if not goes_back and not self._is_past(slots.peek(row.sent_at_ms) + len(missing) - 1):
            self._deferring = True
            self._state.end(row, Outcome.DEFERRED, "too_new")
            return
        progress = RowProgress(row, waiting=len(missing), reason="late" if goes_back else "")
        for part in missing:
            before = by_part.get(part)
            slot = self._late_slot(row, before) if goes_back else slots.take(row.sent_at_ms)
            delivery = self._delivery(row, part, before, slot)
            delivery = msgspec.structs.replace(
                delivery, late=late, went_back=goes_back, parts=len(bodies)
            )
            self.ready.append(Part(delivery, bodies[part], progress))

    def _refuses_late(self) -> bool:
        return not takes_late_rows(self._state.tools.settings, self._state.tools.rules)

    def _is_past(self, last_slot: int) -> bool:
        tools = self._state.tools
        return is_past(tools, last_slot * tools.rules.slot_ms, self._state.flush)

    def _goes_back(self, row: PlannedMessage) -> bool:
        """Tell whether a row comes late, and goes to its own time behind which newer ones stand."""
        return self._state.tools.rules.late_goes_to_its_time and self._state.is_late(row)

    def _late_slot(self, row: PlannedMessage, known: Delivery | None) -> int:
        """Return the slot of a part that goes back; one that was to be sent before has its own already."""
        was_planned = known is not None and known.state is not DeliveryState.REJECTED
        planned = known.slot if known is not None and was_planned else None
        return self._state.late_slot(row.sent_at_ms, planned)

    def _is_late(self, row: PlannedMessage, known: list[Delivery]) -> bool:
        """Tell whether a row is appended late; the rest of a row of which a part is there is as that part was."""
        if self._state.tools.rules.late_goes_to_its_time:
            return False
        if any(_is_delivered(each) for each in known):
            return _is_late_row(known)
        return self._state.is_late(row)

    def _late_bodies(self, row: PlannedMessage) -> list[str]:
        """Return a row's bodies with its time before the text, or end the row and return none."""
        split = self._state.tools.settings.oversize_text == "split"
        prefix = late_prefix(row.sent_at_ms)
        try:
            return self._state.tools.rules.late_bodies(row.bodies, prefix, split=split)
        except Unsendable as refused:
            self._state.end(
                row, Outcome.REJECTED, refused.reason, detail=refused.detail, advice=refused.advice
            )
            return []

    def _delivery(
        self, row: PlannedMessage, part: int, known: Delivery | None, slot: int
    ) -> Delivery:
        """Return a part under its keys; those that the ledger has are never made again."""
        run_id = self._state.tools.run_id
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
        bits, candidate = self._state.tools.rules.random_bits, 0
        while True:
            value = vendor_random(row.message_key, part, candidate, bits=bits)
            in_ledger = candidate > 0 and ledger.taken_randoms(conversation, [value])
            if value not in self._randoms and not in_ledger:
                self._randoms.add(value)
                return value
            candidate += 1


def _may_send(decided: Ending | Todo, parts: list[Delivery]) -> bool:
    """Tell whether something of a row is new to the target, so that its place there matters."""
    return decided is Todo.SEND or (decided is Todo.CHANGE and not is_complete(parts))


def _is_late_row(parts: list[Delivery]) -> bool:
    """Tell whether what is there of a row was appended late: its text begins with its time then."""
    return any(each.late for each in parts if _is_delivered(each))


def _is_delivered(delivery: Delivery | None) -> bool:
    return delivery is not None and delivery.state in _THERE


def late_prefix(sent_at_ms: int) -> str:
    """Return what is put before the text of a message that is appended late.

    >>> late_prefix(1714555800000)
    '[2024-05-01 09:30 UTC] '
    """
    return datetime.fromtimestamp(sent_at_ms / 1000, UTC).strftime("[%Y-%m-%d %H:%M UTC] ")


_THERE = (DeliveryState.DELIVERED, DeliveryState.WITHDRAWN)
