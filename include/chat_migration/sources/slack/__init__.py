"""Slack workspace exports: the zip that Slack makes, or the folder in it."""

from chat_migration.sources.slack.source import SlackSource

__all__ = ["SlackSource"]
