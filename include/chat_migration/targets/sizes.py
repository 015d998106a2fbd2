"""How many items one call of a target takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class BatchSizes:
    """How many items one call takes; one where nothing is said."""

    messages: int
    """Shrinks for the whole stage where the target says that a call has too many."""
    members: int
    accounts: int
    removals: int = 1
    """Members that one call removes."""
    withdrawals: int = 1
    """Group messages that one call withdraws."""
    frontiers: int = 1
    """Groups that are asked about together."""
