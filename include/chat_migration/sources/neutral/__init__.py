"""The neutral export: the input format for any legacy chat that has no reader of its own."""

from chat_migration.sources.neutral.source import NeutralSource

__all__ = ["NeutralSource"]
