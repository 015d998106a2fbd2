"""Read positions: ``unread_count`` and ``last_read_at`` of members become places in the conversation.

A position is the place (``sent_at_ms``, ``order_key``) of the first unread message, included:

- ``last_read_at`` t: everything later than t is unread, so the position is (t + 1, "").
- ``unread_count`` n: the n-th newest message of the group that is not the member's own; (0, "") if the group
  has no more than n such messages; no position for 0, which means that all is read.

The count looks at the group's own conversation (not at topics), at messages that are neither system rows nor
deleted, over everything the export holds, whatever the window. Where not everything is read, a place counts only
if nothing that is left out can be newer; else the count itself is staged, for whoever knows the earlier messages.

How the n-th newest is found without looking at pairs of members and messages: number the messages of a group
from the newest, p = 0, 1, …; the j-th own message of a member (j = 0, 1, …) has q = p - j newer messages of
others. The n-th newest of others then is message number n - 1 + (own messages with q <= n - 1).
"""

COUNTING = """CREATE TABLE counting AS
    SELECT group_id, user_id, unread_count AS n FROM members WHERE unread_count > 0"""
"""The members whose position must be counted."""

NEWEST = """CREATE TABLE newest AS
    SELECT group_id, sender_id, sent_at_ms, order_key,
        row_number() OVER (PARTITION BY group_id ORDER BY sent_at_ms DESC, order_key DESC) - 1 AS p
    FROM messages
    WHERE group_id IN (SELECT group_id FROM counting) AND starts_with(conversation, 'group:')
        AND kind = 'message' AND deleted_at_ms IS NULL"""
"""The messages of their groups, numbered from the newest."""

OWN = """CREATE TABLE own AS
    SELECT group_id, user_id, n, p - (row_number() OVER (PARTITION BY group_id, user_id ORDER BY p) - 1) AS q
    FROM newest JOIN counting USING (group_id) WHERE sender_id = user_id"""
"""Their own messages, each with the number of newer messages of others."""

COUNTED = """CREATE TABLE counted AS
    SELECT c.group_id, c.user_id, CASE WHEN n < total - coalesce(mine, 0) THEN n - 1 + coalesce(newer, 0) END AS p
    FROM counting c
    LEFT JOIN (SELECT group_id, count(*) AS total FROM newest GROUP BY ALL) USING (group_id)
    LEFT JOIN (
        SELECT group_id, user_id, count(*) AS mine, count_if(q <= n - 1) AS newer FROM own GROUP BY ALL
    ) USING (group_id, user_id)"""
"""The number of the first unread message; NULL where all messages of others are unread."""

HIDDEN = """CREATE TABLE hidden AS
    SELECT group_id, max(last_ms) AS newest_hidden_ms FROM skipped
    WHERE starts_with(conversation, 'group:') GROUP BY group_id"""
"""When the newest message of each group was sent that stands in a file which was not opened."""

LATER = """CREATE TABLE later AS
    SELECT group_id, sender_id, count(*) AS rows FROM newest WHERE sent_at_ms >= {end_ms} GROUP BY ALL"""
"""How many of the messages read are later than what is taken (``end_ms``, or NULL), by sender."""

PLACED = """CREATE TABLE placed AS
    SELECT c.group_id, c.user_id, newest.sent_at_ms, newest.order_key,
        coalesce(total, 0) - coalesce(mine.rows, 0) AS later_of_others,
        {is_partial} OR (newest_hidden_ms IS NOT NULL
            AND NOT coalesce(newest.sent_at_ms > newest_hidden_ms, false)) AS is_open
    FROM counted c
    LEFT JOIN newest ON newest.group_id = c.group_id AND newest.p = c.p
    LEFT JOIN hidden ON hidden.group_id = c.group_id
    LEFT JOIN (SELECT group_id, sum(rows) AS total FROM later GROUP BY ALL) AS every
        ON every.group_id = c.group_id
    LEFT JOIN later AS mine ON mine.group_id = c.group_id AND mine.sender_id = c.user_id"""
"""Where the first unread messages stand among the rows read; of those that are open nobody knows here.

``is_partial`` says that rows of any time may stand in exports that are not read.
"""

MEMBERS = """SELECT m.group_id, m.user_id, role, joined_at_ms, left_at_ms, nickname,
        unread_count IS NOT NULL OR last_read_at_ms IS NOT NULL AS has_read_state,
        CASE WHEN unread_count = 0 THEN NULL
            WHEN is_open THEN NULL
            WHEN unread_count > 0 THEN coalesce(sent_at_ms, 0)
            ELSE last_read_at_ms + 1 END AS first_unread_ms,
        CASE WHEN unread_count > 0 AND NOT is_open THEN coalesce(order_key, '') ELSE '' END AS first_unread_order,
        CASE WHEN is_open THEN greatest(1, unread_count - later_of_others)::BIGINT END AS unread_count,
        file, line
    FROM members m
    LEFT JOIN placed ON m.group_id = placed.group_id AND m.user_id = placed.user_id
    ORDER BY m.group_id, m.user_id"""
"""The staged members."""

STEPS = (COUNTING, NEWEST, OWN, COUNTED, HIDDEN, LATER, PLACED)
