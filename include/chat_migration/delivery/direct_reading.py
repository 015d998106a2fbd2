"""Looking for one message in a copy of a one-to-one conversation, page by page."""

from __future__ import annotations

from collections.abc import Callable

from chat_migration.delivery.context import Tools
from chat_migration.errors import TargetUnreachableError
from chat_migration.targets.base import Advice, DirectKey, Failure, Page, StoredMessage
from chat_migration.targets.verbs import Verb

UNRECOGNISABLE = "a message that was withdrawn or has expired stands at its time: nothing tells whether it is this one"


class CopyReader:
    """Reads back what one stream sent; used by one thread, between its other calls.

    Args:
        priority: how much is left to do in this conversation.
    """

    def __init__(self, tools: Tools, *, priority: Callable[[], int]) -> None:
        self._tools, self._priority = tools, priority

    def look(self, key: DirectKey) -> StoredMessage | None:
        """Return what the target shows of a message; see :meth:`find`.

        Raises:
            StoppedError: it does not answer.
        """
        found = self.find(key)
        if isinstance(found, Failure):
            raise self._tools.caller.stop_error(found)
        return found

    def look_for_sent(self, key: DirectKey) -> StoredMessage | None:
        """Return what the target shows of a message that may have been sent; an account that is gone has no copy.

        Raises:
            StoppedError: it does not answer.
        """
        found = self.find(key)
        if isinstance(found, Failure) and found.advice is Advice.MISSING_ACCOUNT:
            return None
        if isinstance(found, Failure):
            raise self._tools.caller.stop_error(found)
        return found

    def find(self, key: DirectKey) -> StoredMessage | Failure | None:
        """Return what the target shows of a message, None: nothing.

        Where a withdrawn or expired message stands at its place and has lost all that tells whose it is, that one is
        returned: :func:`is_told` tells.

        Raises:
            StoppedError: the pages never end.
        """
        cursor, seen = "", {""}
        unclear: StoredMessage | None = None
        while True:
            page = self._page(key, cursor)
            if isinstance(page, Failure):
                return page
            for each in page.messages:
                if self._is_it(each, key):
                    return each
                unclear = each if unclear is None and self._may_be_it(each, key) else unclear
            if not page.cursor:
                return unclear
            if page.cursor in seen:
                raise TargetUnreachableError(
                    f"The pages of the messages between `{key.sender}` and `{key.recipient}` never end.",
                    advice="Run it again later; it goes on where it stopped.",
                )
            cursor = page.cursor
            seen.add(cursor)

    def _page(self, key: DirectKey, cursor: str) -> Page | Failure:
        viewer = key.viewer or key.sender
        peer = key.recipient if viewer == key.sender else key.sender
        return self._tools.caller.call(
            Verb.READ_DIRECT,
            lambda: self._tools.target.read_direct(
                viewer, peer, first_slot=key.slot, last_slot=key.slot, cursor=cursor
            ),
            priority=self._priority(),
        )

    def _is_it(self, stored: StoredMessage, key: DirectKey) -> bool:
        sequence = key.sequence if self._tools.rules.chooses_direct_sequence else stored.sequence
        told = (stored.sender, stored.slot, stored.sequence, stored.random)
        return told == (key.sender, key.slot, sequence, key.random)

    def _may_be_it(self, stored: StoredMessage, key: DirectKey) -> bool:
        """Tell whether nothing says that a message which is no longer shown is another one."""
        return (
            not self._tools.rules.chooses_direct_sequence
            and is_gone(stored)
            and not is_told(stored)
            and (stored.sender, stored.slot) == (key.sender, key.slot)
            and key.sequence in (0, stored.sequence)
        )


def is_told(stored: StoredMessage) -> bool:
    """Tell whether a message still says which one it is."""
    return stored.random != 0


def is_gone(stored: StoredMessage) -> bool:
    """Tell whether nobody sees a message any more."""
    return stored.withdrawn or stored.placeholder
