"""The call budgets: who may call when, over threads, processes and machines.

``MemoryBudget`` serves one process, ``LedgerBudget`` all processes that share a ledger's database, and
``chat_migration.pacing.redis.RedisBudget`` all workers of several machines. They differ only in where they keep
a few numbers per API; the arithmetic is in ``spacing``, the waiting in ``base``.
"""

from __future__ import annotations

from chat_migration.pacing.base import Budget, OrderedBudget
from chat_migration.pacing.ledger import LedgerBudget
from chat_migration.pacing.memory import MemoryBudget
from chat_migration.pacing.spacing import CALM_SECONDS, MAX_FACTOR, SLOW_FACTOR

__all__ = [
    "CALM_SECONDS",
    "MAX_FACTOR",
    "SLOW_FACTOR",
    "Budget",
    "LedgerBudget",
    "MemoryBudget",
    "OrderedBudget",
]
