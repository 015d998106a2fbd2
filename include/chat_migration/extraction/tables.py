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
    )
    GROUP BY group_id ORDER BY group_id"""

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
    "problems": """SELECT record_type, outcome, reason, detail, advice, id, conversation, file, line
        FROM ended ORDER BY file, line, record_type, reason, id, detail""",
}
"""Every table but messages."""

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
            FROM raw_messages WHERE {inside}
        UNION ALL SELECT record_type FROM raw_problems WHERE sent_at_ms IS NULL OR {inside}
    ) GROUP BY record_type"""
"""Rows inside the window by record type; users that only messages name count once."""

OUTSIDE = """SELECT (SELECT count(*) FROM raw_messages WHERE NOT ({inside}))
    + (SELECT count(*) FROM raw_problems WHERE NOT ({inside}) AND sent_at_ms IS NOT NULL)"""
"""Messages outside the window."""

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
