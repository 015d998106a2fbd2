"""Reading a group's messages from the oldest on, although the target shows the newest first."""

from __future__ import annotations

from collections.abc import Iterator

from chat_migration.delivery.context import Tools
from chat_migration.targets.base import Failure, GroupAddress, Page, StoredMessage
from chat_migration.targets.tencent_chat.limits import MESSAGES_PER_PAGE


class UnreadableGroupError(Exception):
    """The target does not show a group's messages or members."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class GroupReading:
    """Reads the messages of one group or topic.

    Sequence numbers are asked for in stretches of one page, from the lowest on: the same number of calls as from
    the newest down, and nothing has to be kept until the oldest is there.
    """

    def __init__(self, tools: Tools, address: GroupAddress) -> None:
        self._tools, self._address = tools, address

    def messages(self, *, above: int, last: int) -> Iterator[StoredMessage]:
        """Yield the messages with a sequence greater than ``above``, up to ``last``, oldest first.

        Those that the target has but no longer shows come as bare placeholders.

        Raises:
            UnreadableGroupError: the target refuses to show them.
            StoppedError, InterruptedRunError: the target does not answer, or the run is to stop.
        """
        low = above
        while low < last:
            top = min(low + MESSAGES_PER_PAGE, last)
            found, hidden = self._stretch(low, top)
            if hidden == top:
                hidden = top = self._hidden_up_to(top, last)
            yield from (_bare(sequence) for sequence in range(low + 1, hidden + 1))
            yield from found
            low = top

    def _stretch(self, low: int, top: int) -> tuple[list[StoredMessage], int]:
        """Return the messages above ``low`` up to ``top``, and up to which sequence they are there but not shown."""
        found: dict[int, StoredMessage] = {}
        below = top
        while below > low:
            page = self._page(below)
            found |= {each.sequence: each for each in page.messages if low < each.sequence <= top}
            oldest = min((each.sequence for each in page.messages), default=below + 1)
            if page.rest_expired:
                return _in_order(found), max(low, oldest - 1)
            if not page.messages or oldest > below:
                break
            below = oldest - 1
        return _in_order(found), low

    def _hidden_up_to(self, low: int, last: int) -> int:
        """Return the highest sequence that is not shown any more; ``low`` is not, and what is newer is younger."""
        while low < last:
            middle = (low + last + 1) // 2
            if any(low < each.sequence for each in self._page(middle).messages):
                last = middle - 1
            else:
                low = middle
        return low

    def _page(self, below: int) -> Page:
        page = self._tools.caller.call(
            "group_msg_get_simple",
            lambda: self._tools.target.read_group(self._address, below=below),
        )
        if isinstance(page, Failure):
            raise UnreadableGroupError(page)
        return page


def _in_order(found: dict[int, StoredMessage]) -> list[StoredMessage]:
    return [found[sequence] for sequence in sorted(found)]


def _bare(sequence: int) -> StoredMessage:
    return StoredMessage(sender="", slot=0, sequence=sequence, random=0, placeholder=True)
