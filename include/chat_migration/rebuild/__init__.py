"""Rebuilding a lost ledger: what the export says must be there is looked for in the target, and remembered.

Only what the target's own answers prove is written to the ledger, and no call that writes is made. The identity
of a message is its ``Random``, a hash of its key; nothing is guessed from texts.
"""

from chat_migration.rebuild.report import RebuildReport
from chat_migration.rebuild.stage import REPORT, report_of, restore

__all__ = ["REPORT", "RebuildReport", "report_of", "restore"]
