"""What each plan allows. Source: ZIM pricing, plan differences (2026-08)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MEMBERS_PER_GROUP: Final = 6_000
ATTRIBUTES_PER_GROUP: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Numbers of one plan; None means no limit."""

    users: int | None = None
    groups: int | None = None
    groups_per_user: int | None = None
    members_per_group: int = MEMBERS_PER_GROUP
    attributes: int = ATTRIBUTES_PER_GROUP


QUOTAS: Final[Mapping[str, Quota]] = {
    "unlimited": Quota(),
    "free": Quota(users=100, groups=20, groups_per_user=20, members_per_group=20, attributes=0),
    "signaling": Quota(),
    "pro": Quota(groups_per_user=1000, members_per_group=200),
    "enterprise": Quota(groups_per_user=1000, members_per_group=2000),
}


def quota_of(plan: str) -> Quota:
    """Return a plan's numbers."""
    return QUOTAS[plan]
