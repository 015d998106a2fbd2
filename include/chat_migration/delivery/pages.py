"""Following the cursor of what a target shows page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from chat_migration.errors import MigrationError
from chat_migration.targets.base import Failure, Page


def all_pages(
    ask: Callable[[str], Page | Failure], never_ending: Callable[[], MigrationError]
) -> Iterator[Page | Failure]:
    """Yield every page, in the target's order; the failure of one is the last.

    Args:
        ask: asks for the page at a cursor, "" at first.
        never_ending: makes the error for a cursor that comes back.

    Raises:
        MigrationError: the pages never end, or what ``ask`` raises.
    """
    cursor, seen = "", {""}
    while True:
        page = ask(cursor)
        yield page
        if isinstance(page, Failure) or not page.cursor:
            return
        cursor = page.cursor
        if cursor in seen:
            raise never_ending()
        seen.add(cursor)
