"""Reading a group's messages from the oldest on, although the target shows the newest first."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from typing import IO

import msgspec

from chat_migration.delivery.context import Tools
from chat_migration.delivery.matching import pages_of
from chat_migration.targets.base import Failure, GroupAddress, Mark, StoredMessage

_SEEN_PAGES = 10
"""How many pages back a message is looked for that comes again, because newer ones arrived in between."""


class UnreadableGroupError(Exception):
    """The target does not show a group's messages or members."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class GroupReading:
    """Reads the messages of one group or topic.

    Each page waits in a temporary file until the oldest is there, so that the memory taken is that of one page.
    """

    def __init__(self, tools: Tools, address: GroupAddress) -> None:
        self._tools, self._address = tools, address

    def messages(self, *, above: int, last: int | None) -> Iterator[StoredMessage]:
        """Yield the messages with a sequence greater than ``above``, up to ``last``, oldest first.

        Those that the target has but no longer shows come as bare placeholders, if sequences count messages. Where
        they do not, ``last`` is None, and every message comes, by its time.

        Raises:
            UnreadableGroupError: the target refuses to show them.
            StoppedError, InterruptedRunError: the target does not answer, or the run is to stop.
        """
        if last is not None and above >= last:
            return
        with _Spool() as spool:
            hidden = self._read(spool, above, last)
            yield from (_bare(sequence) for sequence in range(above + 1, hidden + 1))
            for page in spool.backwards():
                yield from page

    def _read(self, spool: _Spool, above: int, last: int | None) -> int:
        """Read all pages; return up to which sequence messages are there but not shown, 0: none are."""
        recent: deque[set[int]] = deque(maxlen=_SEEN_PAGES)
        oldest = last
        for page in pages_of(self._tools, self._address, since=Mark(above, newest=last or 0)):
            if isinstance(page, Failure):
                raise UnreadableGroupError(page)
            fresh = [
                each
                for each in page.messages
                if each.sequence > above
                and (last is None or each.sequence <= last)
                and not any(each.sequence in seen for seen in recent)
            ]
            recent.append({each.sequence for each in page.messages})
            spool.add(_oldest_first(fresh, by_sequence=last is not None))
            if last is not None and page.messages:
                lowest = min(each.sequence for each in page.messages)
                oldest = min(lowest - 1, last if oldest is None else oldest)
            if page.rest_expired:
                return oldest or 0
        return 0


class _Spool:
    """Pages in a temporary file, which are read again in the other direction. Use as a context manager."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the `with` of the spool
        self._sizes: list[int] = []

    def __enter__(self) -> _Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, page: Sequence[StoredMessage]) -> None:
        """Keep a page."""
        if page:
            self._sizes.append(self._file.write(msgspec.msgpack.encode(page)))

    def backwards(self) -> Iterator[list[StoredMessage]]:
        """Yield the pages, the last one first."""
        end = sum(self._sizes)
        for size in reversed(self._sizes):
            end -= size
            self._file.seek(end)
            yield msgspec.msgpack.decode(self._file.read(size), type=list[StoredMessage])


def _oldest_first(page: Sequence[StoredMessage], *, by_sequence: bool) -> list[StoredMessage]:
    if by_sequence:
        return sorted(page, key=lambda each: each.sequence)
    return list(reversed(page))


def _bare(sequence: int) -> StoredMessage:
    return StoredMessage(sender="", slot=0, sequence=sequence, random=0, placeholder=True)
