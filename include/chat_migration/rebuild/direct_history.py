"""Looking for the messages between two people, by their triples, page by page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from chat_migration.delivery.rows import new_delivery
from chat_migration.errors import TargetUnreachableError
from chat_migration.keys import vendor_random
from chat_migration.ledger.moves import Move, intend, reject, release
from chat_migration.ledger.records import Delivery
from chat_migration.ledger.states import DeliveryState
from chat_migration.model import RecordType
from chat_migration.planning.slots import PARTS_PER_RANK
from chat_migration.planning.tables import PlannedConversation, PlannedMessage
from chat_migration.rebuild.findings import Found
from chat_migration.rebuild.ground import (
    NOT_PROVABLE,
    REACHED,
    Ground,
    delivered_parts,
    is_to_send,
    restoring,
)
from chat_migration.rebuild.row_index import RowIndex, SeenParts, part_of
from chat_migration.targets.base import Advice, DirectPage, Failure, StoredMessage

_KIND = RecordType.C2C_MESSAGES
_AT_ONCE = 500
_ONLY_CANDIDATE = 1


class DirectHistory:
    """The search in one one-to-one conversation. Used by one thread.

    Where a planned message lies is known: in the second in which it was sent. One that is not found may have been
    imported under another key, if its sender has another message in that second; then no run may send it.
    """

    def __init__(self, ground: Ground, place: PlannedConversation) -> None:
        self._ground, self._tools, self._place = ground, ground.tools, place
        self._rows = ground.shelf.rows(place)
        self._reader = ground.shelf.reader(place)
        self._index = RowIndex(self._rows, candidates=_ONLY_CANDIDATE)
        self._found = SeenParts(place.rows)
        self._others: Counter[tuple[str, int]] = Counter()
        self._pending: list[Delivery] = []
        self._withdrawn: set[tuple[str, int]] = set()
        self._moves: list[Move] = []
        self._wanted = self._restored = 0

    def run(self) -> None:
        """Find what is there; count every row."""
        span = self._span()
        if span is not None:
            for viewer, peer in self._views(span[2]):
                self._others.clear()
                for stored in self._messages(viewer, peer, span[0], span[1]):
                    self._one(stored)
                self._flush()
                if self._restored >= self._wanted:
                    break
        self._conclude()

    @property
    def _has_evidence(self) -> bool:
        return self._found.count > 0 or self._ground.evidence.exists

    def _span(self) -> tuple[int, int, PlannedMessage] | None:
        """Return the first and the last second of what the ledger does not know, and one such row."""
        first: tuple[int, PlannedMessage] | None = None
        last = 0
        rows = (row for row in self._rows() if row.recipient and row.recipient != row.sender)
        while chunk := list(islice(rows, _AT_ONCE)):
            known = self._tools.ledger.deliveries([row.message_key for row in chunk])
            for row in chunk:
                there = delivered_parts(known.get(row.message_key, []))
                missing = max(1, len(row.bodies)) - len(there)
                if missing <= 0 or (row.outcome and not _may_be_there(row)):
                    continue
                self._wanted += missing if is_to_send(row) else 0
                first = first or (row.sent_at_ms // 1000, row)
                last = row.sent_at_ms // 1000
        return None if first is None else (first[0], last, first[1])

    def _views(self, row: PlannedMessage) -> list[tuple[str, str]]:
        """Return whose views of the conversation to read: each side sees its own. None without their accounts."""
        accounts = self._ground.accounts
        if row.sender not in accounts or row.recipient not in accounts:
            return []
        return [(row.sender, row.recipient), (row.recipient, row.sender)]

    def _messages(
        self, viewer: str, peer: str, first_s: int, last_s: int
    ) -> Iterator[StoredMessage]:
        """Yield what one side sees, newest first.

        Raises:
            StoppedError: the target does not answer.
        """
        cursor: tuple[int, str] | None = None
        while True:
            page = self._page(viewer, peer, first_s, last_s, cursor)
            yield from page.messages
            if page.cursor is None:
                return
            if page.cursor == cursor:
                raise TargetUnreachableError(
                    f"The pages of `{self._place.conversation}` never end.",
                    advice="Run the rebuild again later; it goes on where it stopped.",
                )
            cursor = page.cursor

    def _page(
        self, viewer: str, peer: str, first_s: int, last_s: int, cursor: tuple[int, str] | None
    ) -> DirectPage:
        page = self._tools.caller.call(
            "admin_getroammsg",
            lambda: self._tools.target.read_direct(
                viewer, peer, first_s=first_s, last_s=last_s, cursor=cursor
            ),
        )
        if isinstance(page, Failure):
            if page.advice is Advice.MISSING_ACCOUNT:
                return DirectPage((), None)
            raise self._tools.caller.stop_error(page)
        return page

    # --- one message ----------------------------------------------------------------------------

    def _one(self, stored: StoredMessage) -> None:
        for number in self._index.find(stored.random):
            row = self._reader.row(self._place, number)
            if (row.sender, row.sent_at_ms // 1000) != (stored.sender, stored.slot):
                continue
            part = part_of(row, stored.random)
            if part is not None:
                self._keep(number, row, part, stored)
                return
        self._others[stored.sender, stored.slot] += 1

    def _keep(self, number: int, row: PlannedMessage, part: int, stored: StoredMessage) -> None:
        if (number, part) in self._found:
            return
        self._found.add(number, part)
        self._ground.evidence.exists = True
        if stored.withdrawn:
            self._withdrawn.add((row.message_key, part))
        self._pending.append(
            new_delivery(
                row,
                part,
                slot=stored.slot,
                sequence=stored.sequence,
                random=stored.random,
                render_version=self._tools.rules.render_version,
                run_id=self._tools.run_id,
                parts=max(len(row.bodies), part + 1),
            )
        )
        if len(self._pending) >= _AT_ONCE:
            self._flush()

    # --- the end --------------------------------------------------------------------------------

    def _conclude(self) -> None:
        """Count every row by what is known of it now; name those of which nobody can say whether they are there."""
        foreign = sum(self._others.values())
        self._ground.findings.messages(recognised=self._found.count, foreign=foreign)
        doubtful = False
        rows = self._rows()
        while chunk := list(islice(rows, _AT_ONCE)):
            known = self._tools.ledger.deliveries([row.message_key for row in chunk])
            for row in chunk:
                doubtful |= self._count(row, known.get(row.message_key, []))
            self._write()
        if doubtful and not self._has_evidence:
            self._ground.evidence.wait(self._place.conversation, self._remember_doubtful)

    def _count(self, row: PlannedMessage, known: list[Delivery]) -> bool:
        """Count one row; tell whether it is one that nobody can say anything about."""
        findings, there = self._ground.findings, delivered_parts(known)
        if there and len(there) >= known[0].parts:
            ours = any(each.run_id == self._tools.run_id for each in known)
            findings.count(_KIND, Found.RESTORED if ours else Found.KNOWN)
        elif not is_to_send(row):
            findings.count(_KIND, Found.NOT_SENT)
        elif not there and self._is_doubtful(row):
            self._refuse(row, known)
            findings.name_message(_KIND, row, NOT_PROVABLE)
            return True
        elif any(
            each.state is DeliveryState.REJECTED and each.reason != NOT_PROVABLE for each in known
        ):
            findings.count(_KIND, Found.KNOWN)
        else:
            self._take_back(known)
            findings.count(_KIND, Found.MISSING)
        return False

    def _take_back(self, known: list[Delivery]) -> None:
        """Let runs send what an earlier rebuild gave up: it is certainly not there."""
        for each in known:
            if each.state is DeliveryState.REJECTED:
                self._moves.append(intend(each, self._tools.run_id))
                self._moves.append(release(each, code=None, reason=""))

    def _is_doubtful(self, row: PlannedMessage) -> bool:
        """Tell whether a row that was not found may be there: past the retention, or under another key."""
        days = self._ground.retention_days
        oldest_ms = 0 if days is None else self._tools.clock.now_ms() - days * 86_400_000
        return row.sent_at_ms < oldest_ms or (row.sender, row.sent_at_ms // 1000) in self._others

    def _refuse(self, row: PlannedMessage, known: list[Delivery]) -> None:
        """Say that no run may send a row, once something shows that the settings are right."""
        if known or not self._has_evidence:
            return
        delivery = new_delivery(
            row,
            0,
            slot=row.sent_at_ms // 1000,
            sequence=row.rank * PARTS_PER_RANK,
            random=vendor_random(row.message_key, 0),
            render_version=self._tools.rules.render_version,
            run_id=self._tools.run_id,
        )
        self._moves.append(reject(delivery, code=None, reason=NOT_PROVABLE))
        if len(self._moves) >= _AT_ONCE:
            self._write()

    def _remember_doubtful(self) -> None:
        """Refuse the rows named before, now that everything was looked at."""
        rows = (row for row in self._rows() if is_to_send(row) and self._is_doubtful(row))
        while self._has_evidence and (chunk := list(islice(rows, _AT_ONCE))):
            known = self._tools.ledger.deliveries([row.message_key for row in chunk])
            for row in chunk:
                self._refuse(row, known.get(row.message_key, []))
            self._write()

    def _flush(self) -> None:
        """Write the parts that are waiting."""
        pending, self._pending = self._pending, []
        keys = list({each.message_key for each in pending})
        known = {
            (each.message_key, each.part): each.state
            for parts in self._tools.ledger.deliveries(keys).values()
            for each in parts
        }
        for delivery in pending:
            state = known.get((delivery.message_key, delivery.part))
            name = (delivery.message_key, delivery.part)
            self._moves += restoring(delivery, state, withdrawn=name in self._withdrawn)
            self._restored += state not in REACHED
        self._withdrawn.clear()
        self._write()

    def _write(self) -> None:
        if self._moves:
            moves, self._moves = self._moves, []
            self._tools.ledger.advance(
                self._place.conversation, moves, holder=self._tools.lease.worker_id
            )


def _may_be_there(row: PlannedMessage) -> bool:
    """Tell whether an earlier run may have sent a row that none sends now: it was deleted or emptied since."""
    return bool(row.sender and row.recipient) and row.reason != "not_selected"
