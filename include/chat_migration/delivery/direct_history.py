"""What the copies of a one-to-one conversation hold of which the ledger does not know.

A ledger that was lost, or restored from before the last runs, does not know what these sent. A target that drops no
repeat would take all of it a second time, so its copies are read before anything is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from chat_migration.delivery.context import Tools
from chat_migration.delivery.direct_copies import side_of, sides_of
from chat_migration.delivery.direct_reading import pages_of_copy
from chat_migration.delivery.matching import recognised
from chat_migration.keys import vendor_random
from chat_migration.ledger.moves import Move
from chat_migration.ledger.records import Delivery
from chat_migration.ledger.states import DeliveryState as S
from chat_migration.planning.tables import PlannedMessage
from chat_migration.targets.base import Advice, Failure, StoredMessage

_THERE = (S.DELIVERED, S.WITHDRAWN)


class UnknownCopies:
    """The messages of one conversation that its ledger does not know; used by one thread, between its other calls.

    Args:
        priority: how much is left to do in this conversation.
    """

    def __init__(self, tools: Tools, conversation: str, *, priority: Callable[[], int]) -> None:
        self._tools, self._conversation, self._priority = tools, conversation, priority
        self._is_read = False
        self._found: dict[tuple[str, str, int], StoredMessage] = {}

    def read(self, row: PlannedMessage) -> None:
        """Read both copies from the time of a row on, unless that was done for an older one.

        Memory grows with what the ledger does not know, not with what is there.

        Raises:
            StoppedError: the target does not answer.
        """
        if self._is_read:
            return
        self._is_read = True
        slot_ms = self._tools.rules.slot_ms
        last = self._tools.clock.now_ms() // slot_ms
        for viewer, peer in {(row.sender, row.recipient), (row.recipient, row.sender)}:
            pages = pages_of_copy(
                self._tools,
                viewer,
                peer,
                first_slot=row.sent_at_ms // slot_ms,
                last_slot=last,
                priority=self._priority,
            )
            for page in pages:
                if isinstance(page, Failure):
                    if page.advice is Advice.MISSING_ACCOUNT:
                        break  # an account that is not there has no copy
                    raise self._tools.caller.stop_error(page)
                self._keep(viewer, [each for each in page.messages if each.random])

    def _keep(self, viewer: str, messages: list[StoredMessage]) -> None:
        for side in {side_of(each, viewer) for each in messages}:
            here = [each for each in messages if side_of(each, viewer) == side]
            known = self._tools.ledger.names_there(
                self._conversation, [each.random for each in here], side=side
            )
            self._found |= {
                (side, each.sender, each.random): each
                for each in here
                if (each.sender, each.random, each.slot) not in known
            }

    def recognise(self, row: PlannedMessage, known: list[Delivery]) -> list[Move]:
        """Return the moves that let the ledger know of those copies of a row that are there."""
        if not self._found:
            return []
        by_piece = {(each.part, each.side): each for each in known}
        pieces = self._pieces(row)
        parts = max([len(row.bodies), *(part + 1 for part, _ in pieces)])
        moves: list[Move] = []
        for (part, side), stored in pieces.items():
            delivery = by_piece.get((part, side))
            if delivery is not None and delivery.state in _THERE:
                continue
            moves += recognised(
                row, part, stored, delivery, side=side, parts=parts, rules=self._tools.rules
            )
        return moves

    def _pieces(self, row: PlannedMessage) -> dict[tuple[int, str], StoredMessage]:
        """Return the parts of a row that are in a copy; a row that is shorter now may have been sent in more."""
        rules = self._tools.rules
        found: dict[tuple[int, str], StoredMessage] = {}
        for part in count():
            random = vendor_random(row.message_key, part, bits=rules.random_bits)
            here = {
                (part, side): self._found[side, row.sender, random]
                for side in sides_of(row, rules)
                if (side, row.sender, random) in self._found
            }
            if not here and part >= len(row.bodies):
                return found
            found |= here
        raise AssertionError("parts are counted without end")
