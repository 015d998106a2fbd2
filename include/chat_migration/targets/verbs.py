"""What a target is asked to do, in the core's own words.

The budget, the quote and the report count calls by the vendor's names: each target's rules say which of its APIs
serves a verb (:attr:`~chat_migration.targets.rules.TargetRules.api_of`).
"""

from __future__ import annotations

from enum import StrEnum


class Verb(StrEnum):
    """One kind of call."""

    EXISTING_ACCOUNTS = "existing_accounts"
    IMPORT_ACCOUNTS = "import_accounts"
    CHANGE_ACCOUNTS = "change_accounts"
    CREATE_GROUP = "create_group"
    CREATE_TOPIC = "create_topic"
    ADD_MEMBERS = "add_members"
    READ_MEMBERS = "read_members"
    READ_PROFILE = "read_profile"
    CHANGE_PROFILE = "change_profile"
    CHANGE_OWNER = "change_owner"
    CHANGE_ROLE = "change_role"
    REMOVE_MEMBERS = "remove_members"
    GROUP_FRONTIERS = "group_frontiers"
    TOPIC_FRONTIERS = "topic_frontiers"
    SEND_GROUP_MESSAGES = "send_group_messages"
    READ_GROUP = "read_group"
    CHANGE_GROUP_MESSAGE = "change_group_message"
    WITHDRAW_GROUP_MESSAGES = "withdraw_group_messages"
    SEND_DIRECT_MESSAGE = "send_direct_message"
    READ_DIRECT = "read_direct"
    CHANGE_DIRECT_MESSAGE = "change_direct_message"
    WITHDRAW_DIRECT_MESSAGE = "withdraw_direct_message"
    SET_UNREAD = "set_unread"
    CLEAR_UNREAD = "clear_unread"
