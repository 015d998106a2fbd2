"""The staged tables, one query each, in the order that their schemas promise."""

from __future__ import annotations

from chat_migration.extraction import positions

_GROUP_TIMES = """SELECT group_id, min(first_message_ms) AS first_message_ms, min(first_join_ms) AS first_join_ms
    FROM (
        SELECT id AS group_id, NULL::BIGINT AS first_message_ms, NULL::BIGINT AS first_join_ms FROM raw_groups
        UNION ALL
        SELECT group_id, NULL, min(joined_at_ms) FROM raw_members GROUP BY group_id
        UNION ALL
        SELECT group_id, min(sent_at_ms), NULL FROM raw_messages WHERE group_id != '' GROUP BY group_id
        UNION ALL
        SELECT group_id, min(first_ms), NULL FROM skipped WHERE group_id != '' GROUP BY group_id
    )
    GROUP BY group_id ORDER BY group_id"""

_OUTSIDE = """SELECT conversation, sum(rows_before)::BIGINT AS rows_before,
        max(newest_before_ms) AS newest_before_ms, sum(rows_after)::BIGINT AS rows_after
    FROM (
        SELECT conversation, count_if({sent_before}) AS rows_before,
            max(sent_at_ms) FILTER ({sent_before}) AS newest_before_ms,
            count_if(NOT {sent_before}) AS rows_after
        FROM raw_messages WHERE NOT {taken} GROUP BY conversation
        UNION ALL
        SELECT conversation, rows, last_ms, 0 FROM skipped
    )
    GROUP BY conversation ORDER BY conversation"""

QUERIES = {
    "users": """SELECT id, name, avatar_url, created_at_ms, deleted, custom, file, line
        FROM users ORDER BY id""",
    "groups": """SELECT id, name, type, owner_id, created_at_ms, introduction, notification, avatar_url,
            max_members, "join", topics, custom, file, line
        FROM groups ORDER BY id""",
    "members": positions.MEMBERS,
    "direct_reads": """SELECT user_id, peer_id, last_read_at_ms, file, line
        FROM direct_reads ORDER BY user_id, peer_id""",
    "group_times": _GROUP_TIMES,
    "outside": _OUTSIDE,
    "problems": """SELECT record_type, outcome, reason, detail, advice, id, conversation, file, line
        FROM ended ORDER BY file, line, record_type, reason, id, detail""",
}
"""Every table but messages. ``{taken}`` and the like stand for the conditions of a ``Cut``."""

MESSAGES = """SELECT conversation, sent_at_ms, order_key, message_key, id, sender_id, recipient_id, kind, elements,
        reply_to, edited_at_ms, deleted_at_ms, extra, source_hash, file, line
    FROM staged
    ORDER BY sent_at_ms // 86400000, conversation, sent_at_ms, order_key, message_key"""

ROWS_READ = """SELECT record_type, count(*) FROM (
        SELECT 'accounts' AS record_type FROM raw_users WHERE NOT derived
        UNION ALL SELECT 'accounts' FROM users WHERE derived
        UNION ALL SELECT 'groups' FROM raw_groups
        UNION ALL SELECT 'members' FROM raw_members
        UNION ALL SELECT 'unread' FROM members WHERE unread_count IS NOT NULL OR last_read_at_ms IS NOT NULL
        UNION ALL SELECT 'unread' FROM raw_direct_reads
        UNION ALL SELECT if(recipient_id = '', 'group_messages', 'c2c_messages')
            FROM raw_messages WHERE {taken}
        UNION ALL SELECT record_type FROM raw_problems WHERE sent_at_ms IS NULL OR {sent}
    ) GROUP BY record_type"""
"""Rows that are taken, by record type; users that only messages name count once."""

OUTSIDE = """SELECT (SELECT count(*) FROM raw_messages WHERE NOT {taken})
    + (SELECT count(*) FROM raw_problems WHERE NOT {sent} AND sent_at_ms IS NOT NULL)"""
"""Messages that were read and not taken."""

TIMES = """SELECT min(first_ms), max(last_ms) FROM (
        SELECT min(sent_at_ms) AS first_ms, max(sent_at_ms) AS last_ms FROM raw_messages
        UNION ALL SELECT min(first_ms), max(last_ms) FROM skipped
    )"""
"""When the first and the last message of the whole export were sent."""

DETAILS = """SELECT number, conversation, any_value(group_id) AS group_id, count(*) AS rows,
        min(sent_at_ms) AS first_ms, max(sent_at_ms) AS last_ms
    FROM raw_messages JOIN read_files USING (file) GROUP BY number, conversation
    ORDER BY number, conversation"""
"""What the file index keeps of each conversation in each message file that was read."""

FILES = """SELECT number, count(newest_ms), max(newest_ms) FROM read_files LEFT JOIN (
        SELECT file, greatest(sent_at_ms, edited_at_ms, deleted_at_ms) AS newest_ms FROM raw_messages
        UNION ALL SELECT file, sent_at_ms FROM raw_problems
    ) USING (file) GROUP BY number ORDER BY number"""
"""Of each such file: how many rows with a time it holds, and when the newest change of any of them was."""

ENDED = """SELECT record_type, outcome, reason, count(*) FROM ended
    GROUP BY ALL ORDER BY record_type, outcome, reason"""
"""Rows that go no further, by reason."""

STAGED = """SELECT record_type, count(*) FROM (
        SELECT if(recipient_id = '', 'group_messages', 'c2c_messages') AS record_type FROM staged
        UNION ALL SELECT 'accounts' FROM users
        UNION ALL SELECT 'groups' FROM groups
        UNION ALL SELECT 'members' FROM members
        UNION ALL SELECT 'unread' FROM members WHERE unread_count IS NOT NULL OR last_read_at_ms IS NOT NULL
        UNION ALL SELECT 'unread' FROM direct_reads
    ) GROUP BY record_type"""
"""Rows that are staged, by record type."""
