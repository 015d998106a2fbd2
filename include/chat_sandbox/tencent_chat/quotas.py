"""What each plan allows. Source: use limits page (1047/34381), figures of 2025-2026."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MEMBERS_PER_GROUP: Final = 6_000
MEMBERS_PER_COMMUNITY: Final = 100_000
TOPICS_PER_COMMUNITY: Final = 200
GROUPS_PER_DAY: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Numbers of one plan; None means no limit."""

    accounts: int | None = None
    groups: int | None = None
    groups_per_user: int | None = None
    groups_per_day: int | None = None
    members_per_group: int = MEMBERS_PER_GROUP


QUOTAS: Final[Mapping[str, Quota]] = {
    "unlimited": Quota(),
    "trial": Quota(accounts=100, groups=100, groups_per_user=50, members_per_group=20),
    "standard": Quota(groups_per_user=1000, groups_per_day=GROUPS_PER_DAY, members_per_group=500),
    "pro": Quota(groups_per_user=1000, groups_per_day=GROUPS_PER_DAY, members_per_group=2000),
    "pro_plus": Quota(groups_per_user=3000, groups_per_day=GROUPS_PER_DAY, members_per_group=5000),
    "enterprise": Quota(groups_per_user=5000, groups_per_day=50_000),
}


def quota_of(plan: str) -> Quota:
    """Return a plan's numbers."""
    return QUOTAS[plan]
