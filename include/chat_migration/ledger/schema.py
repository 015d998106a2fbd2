"""The ledger's tables. Readable with a plain SQL shell; every column says its unit.

A change here needs a new :data:`SCHEMA_VERSION` and a step in :mod:`chat_migration.ledger.migrations`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)
from sqlalchemy import Text as AnyText

from chat_migration.ledger.text import ByteOrderedText

SCHEMA_VERSION = 4

metadata = MetaData()

Text = AnyText().with_variant(ByteOrderedText(), "postgresql")
"""Compared and sorted by its bytes, as SQLite does, whatever the database's language."""

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""``schema_version`` and ``key_version``."""

apps = Table(
    "apps",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)
"""The targets' apps; every other table belongs to one (``app_id``)."""

runs = Table(
    "runs",
    metadata,
    Column("app_id", Integer, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("source_name", Text, nullable=False),
    Column("window_start_ms", BigInteger),
    Column("window_end_ms", BigInteger),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("finished_at_ms", BigInteger),
    Column("state", Text, nullable=False),
    PrimaryKeyConstraint("app_id", "run_id"),
)
"""One row per run; ``state``: running, complete, incomplete."""

windows = Table(
    "windows",
    metadata,
    Column("app_id", Integer, nullable=False),
    Column("source_name", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("start_ms", BigInteger),
    Column("end_ms", BigInteger),
    Column("completed_at_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("app_id", "source_name", "run_id"),
)
"""Windows that were imported completely; NULL bounds are open."""

identities = Table(
    "identities",
    metadata,
    Column("app_id", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("legacy_id", Text, nullable=False),
    Column("target_id", Text, nullable=False),
    PrimaryKeyConstraint("app_id", "kind", "legacy_id"),
    UniqueConstraint("app_id", "kind", "target_id"),
)
"""Legacy id ↔ target id, both ways; ``kind``: user, group, topic (legacy id ``group/topic``).

Where a target may take ids that differ in case only for one, ``user_in_lower_case`` and ``group_in_lower_case`` hold
the target ids that have capital letters once more, in lower case: what is taken in any case is found by equality.
"""

accounts = Table(
    "accounts",
    metadata,
    Column("app_id", Integer, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("written_hash", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    PrimaryKeyConstraint("app_id", "account_id"),
)
"""Accounts by target id; ``written_hash`` of what was last written."""

groups = Table(
    "groups",
    metadata,
    Column("app_id", Integer, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("group_id", Text, nullable=False),
    Column("topic_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("created_s", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("written_hash", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("unread_dirty", Integer, nullable=False),
    Column("owner_id", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("app_id", "conversation"),
    UniqueConstraint("app_id", "group_id", "topic_id"),
)
"""Groups and topics by conversation. ``unread_dirty`` 1: messages were sent since the unread counts were set.
``owner_id``: the owner that was last written."""

members = Table(
    "members",
    metadata,
    Column("app_id", Integer, nullable=False),
    Column("group_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    PrimaryKeyConstraint("app_id", "group_id", "account_id"),
)
"""Memberships by target ids."""

read_positions = Table(
    "read_positions",
    metadata,
    Column("app_id", Integer, nullable=False),
    Column("group_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("first_unread_ms", BigInteger),
    Column("first_unread_order", Text, nullable=False),
    Column("unread_set", BigInteger, nullable=False),
    Column("run_id", Text, nullable=False),
    PrimaryKeyConstraint("app_id", "group_id", "account_id"),
)
"""How far a member has read: the place of the first unread message (NULL: all is read), and the unread count
that the target holds for the member as far as we know (an import of messages resets it to 0). Where a target's counts
can only be cleared, ``unread_set`` tells what had arrived by then, below -1: see ``record_cleared``."""

streams = Table(
    "streams",
    metadata,
    Column("app_id", Integer, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("newest_sent_ms", BigInteger),
    Column("newest_order", Text, nullable=False),
    Column("newest_slot", BigInteger),
    Column("confirmed_sequence", BigInteger, nullable=False),
    Column("foreign_slot", BigInteger),
    PrimaryKeyConstraint("app_id", "conversation"),
)
"""The frontier of a conversation: the place of its newest delivered row, the newest slot (in the target's unit, as in
``deliveries``) and the highest number of a message that are known, and the newest slot of a message that is not ours
(NULL: none)."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("app_id", Integer, nullable=False),
    Column("message_key", Text, nullable=False),
    Column("part", Integer, nullable=False),
    Column("side", Text, nullable=False, server_default=""),
    Column("parts", Integer, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("recipient", Text, nullable=False),
    Column("sent_at_ms", BigInteger, nullable=False),
    Column("order_key", Text, nullable=False),
    Column("slot", BigInteger, nullable=False),
    Column("sequence", BigInteger),
    Column("random", BigInteger, nullable=False),
    Column("source_hash", Text, nullable=False),
    Column("render_version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("late", Integer, nullable=False),
    Column("code", BigInteger),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
    Column("changed_run_id", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("app_id", "message_key", "part", "side"),
    Index("deliveries_by_slot", "app_id", "conversation", "slot"),
    Index("deliveries_by_random", "app_id", "conversation", "random"),
    sqlite_with_rowid=False,
)
"""One row per part of a message; where each participant of a one-to-one message has a copy, one per part and copy.
``side``: whose copy it is, sender or recipient; '': everybody's. ``slot``: the send time in the target, in the
target's unit (``slot_ms`` of its rules: seconds, or milliseconds). ``sequence``: the number that the target gave within
the conversation, or the one that we chose. ``late`` 1: appended out of time; 2: gone back to its own time.
``changed_run_id``: the run that last changed or withdrew it in the target, ''."""

Index(
    "deliveries_unresolved",
    deliveries.c.app_id,
    deliveries.c.conversation,
    sqlite_where=deliveries.c.state.in_(("intent", "in_doubt")),
    postgresql_where=deliveries.c.state.in_(("intent", "in_doubt")),
)

deferred = Table(
    "deferred",
    metadata,
    Column("app_id", Integer, nullable=False),
    Column("source_name", Text, nullable=False),
    Column("message_key", Text, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("sent_at_ms", BigInteger, nullable=False),
    Column("extract", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    PrimaryKeyConstraint("app_id", "source_name", "message_key"),
)
"""Rows that were too new to be sent, and the extract on the stage that keeps them for the next run of their source."""

budgets = Table(
    "budgets",
    metadata,
    Column("app_id", Integer, nullable=False),
    Column("api", Text, nullable=False),
    Column("next_at_us", BigInteger, nullable=False),
    Column("slowed_at_us", BigInteger, nullable=False),
    Column("slow_factor_percent", Integer, nullable=False),
    PrimaryKeyConstraint("app_id", "api"),
)
"""When the next call of an API may start, epoch microseconds, for all processes that share this ledger."""

workers = Table(
    "workers",
    metadata,
    Column("app_id", Integer, nullable=False),
    Column("worker_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("machine", Text, nullable=False),
    Column("process", Text, nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("lease_until_ms", BigInteger, nullable=False),
    Column("grace_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("app_id", "worker_id"),
)
"""The stages at work, and how long each may be relied on: it renews ``lease_until_ms`` while it lives, and
starts no call that could outlive it. ``grace_ms`` more must pass before somebody else takes what it holds."""

holds = Table(
    "holds",
    metadata,
    Column("app_id", Integer, nullable=False),
    Column("conversation", Text, nullable=False),
    Column("worker_id", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("app_id", "conversation"),
    Index("holds_by_worker", "app_id", "worker_id"),
)
"""Which worker alone may write to a conversation."""

commits = Table(
    "commits",
    metadata,
    Column("writer", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)
"""The last transaction that each open writer committed, PostgreSQL only: a writer whose connection is cut in the middle
of a commit reads here whether it was kept."""
