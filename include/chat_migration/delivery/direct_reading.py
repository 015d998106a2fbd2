"""Reading a copy of a one-to-one conversation, page by page, and looking for one message in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from chat_migration.delivery.context import Tools
from chat_migration.delivery.pages import all_pages
from chat_migration.errors import TargetUnreachableError
from chat_migration.targets.base import Advice, DirectKey, Failure, Page, StoredMessage
from chat_migration.targets.verbs import Verb

UNRECOGNISABLE = "a message that was withdrawn or has expired stands at its time: nothing tells whether it is this one"


def pages_of_copy(
    tools: Tools,
    viewer: str,
    peer: str,
    *,
    first_slot: int,
    last_slot: int,
    priority: Callable[[], int] = int,
) -> Iterator[Page | Failure]:
    """Return the pages of what one person sees of a conversation, in the target's order; a failure is the last.

    Raises:
        StoppedError: the pages never end.
    """
    return all_pages(
        lambda cursor: tools.caller.call(
            Verb.READ_DIRECT,
            lambda: tools.target.read_direct(
                viewer, peer, first_slot=first_slot, last_slot=last_slot, cursor=cursor
            ),
            priority=priority(),
        ),
        lambda: TargetUnreachableError(
            f"The pages of the messages between `{viewer}` and `{peer}` never end.",
            advice="Run it again later; it goes on where it stopped.",
        ),
    )


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
        viewer = key.viewer or key.sender
        peer = key.recipient if viewer == key.sender else key.sender
        unclear: StoredMessage | None = None
        pages = pages_of_copy(
            self._tools,
            viewer,
            peer,
            first_slot=key.slot,
            last_slot=key.slot,
            priority=self._priority,
        )
        for page in pages:
            if isinstance(page, Failure):
                return page
            for each in page.messages:
                if self._is_it(each, key):
                    return each
                unclear = each if unclear is None and self._may_be_it(each, key) else unclear
        return unclear

    def _is_it(self, stored: StoredMessage, key: DirectKey) -> bool:
        rules = self._tools.rules
        sequence = key.sequence if rules.chooses_direct_sequence else stored.sequence
        has_lost = rules.may_lose_numbers and not is_told(stored) and not is_gone(stored)
        random = key.random if has_lost else stored.random
        told = (stored.sender, stored.slot, stored.sequence, random)
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


def is_certain(stored: StoredMessage) -> bool:
    """Tell whether a message that was found is the one looked for, not just one that may have been it."""
    return is_told(stored) or not is_gone(stored)


def is_gone(stored: StoredMessage) -> bool:
    """Tell whether nobody sees a message any more."""
    return stored.withdrawn or stored.placeholder
