"""Which groups, topics and memberships must be there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec

from chat_migration.keys import content_hash
from chat_migration.ledger.records import GroupRecord
from chat_migration.model import Conversation, Outcome, Topic
from chat_migration.planning.identities import Identities, assign
from chat_migration.planning.people import shorten, shorten_url
from chat_migration.planning.positions import Member, Place
from chat_migration.planning.quote import QuoteCounter
from chat_migration.planning.staged import Staged
from chat_migration.planning.tables import Plan, PlannedGroup, PlannedMember, TableWriter
from chat_migration.targets.rules import TargetRules

_ONE_SECOND_MS = 1000
_PLACEHOLDER_TYPE = "private"
_NO_ADMINS = ("private",)
"""Group types without admins. Source: "Group System" (1047/33529)."""


class GroupRow(msgspec.Struct, frozen=True, kw_only=True):
    """A group as staged, with what other tables say about it; ``file`` "" is a placeholder."""

    id: str
    name: str
    type: str
    owner_id: str
    created_at_ms: int | None
    introduction: str
    notification: str
    avatar_url: str
    max_members: int | None
    join: str | None
    topics: str
    file: str
    line: int
    first_message_ms: int | None
    first_join_ms: int | None
    member_count: int
    member_owner: str


_GROUPS = """
    WITH named AS (
        SELECT id FROM groups
        UNION SELECT group_id FROM members
        UNION SELECT group_id FROM conversation_groups
    ),
    joined AS (
        SELECT group_id, count(*) AS member_count,
               min(user_id) FILTER (role = 'owner') AS member_owner
        FROM members WHERE left_at_ms IS NULL GROUP BY group_id
    )
    SELECT named.id, coalesce(name, named.id), coalesce(type, '{placeholder}'), coalesce(owner_id, ''),
           created_at_ms, coalesce(introduction, ''), coalesce(notification, ''), coalesce(avatar_url, ''),
           max_members, "join", coalesce(topics, ''), coalesce(file, ''), coalesce(line, 0),
           first_message_ms, first_join_ms, coalesce(member_count, 0), coalesce(member_owner, '')
    FROM named
    LEFT JOIN groups ON groups.id = named.id
    LEFT JOIN group_times ON group_times.group_id = named.id
    LEFT JOIN joined ON joined.group_id = named.id
    WHERE named.id NOT IN (SELECT id FROM problems WHERE record_type = 'groups' AND reason = 'avchatroom_group')
    ORDER BY named.id
"""


def group_rows(staged: Staged) -> Iterator[GroupRow]:
    """Yield every group that any row names, by id; ``conversation_groups`` must be registered."""
    sql = _GROUPS.format(placeholder=_PLACEHOLDER_TYPE)
    for values in staged.rows(sql):
        yield GroupRow(**dict(zip(GroupRow.__struct_fields__, values, strict=True)))


class GroupPlanner:
    """Turns group rows into planned groups and topics, under the ids and creation times that last."""

    def __init__(
        self,
        rules: TargetRules,
        *,
        users: dict[str, str],
        identities: Identities,
        known: dict[str, GroupRecord],
        earliest_ms: int | None,
        counter: QuoteCounter,
    ) -> None:
        self._rules, self._users, self._identities = rules, users, identities
        self._groups: dict[str, str] = {}
        self._topics: dict[str, str] = {}
        self._known, self._earliest_ms, self._counter = known, earliest_ms, counter
        self.new_groups: dict[str, str] = {}
        self.new_topics: dict[str, str] = {}

    def assign_ids(self, rows: list[GroupRow], topics: dict[str, list[Topic]]) -> None:
        """Give ids to the groups and topics that have none yet; topics are by group."""
        self._groups = self._identities.identities_of("group", [row.id for row in rows])
        community = {row.id for row in rows if row.type == "community"}
        self.new_groups = assign(
            (row.id for row in rows),
            self._groups,
            lambda legacy, attempt: self._rules.group_id(
                legacy, attempt, community=legacy in community
            ),
            partial(self._identities.identities_taken, "group"),
        )
        self._groups |= self.new_groups
        for group, of_group in topics.items():
            prefix = f"{group}/"
            named = [prefix + topic.id for topic in of_group]
            known = self._identities.identities_of("topic", named)
            make = partial(self._topic_id, self._groups[group], prefix)
            taken = partial(self._identities.identities_taken, "topic")
            self.new_topics |= assign(named, known, make, taken)
            self._topics |= known
        self._topics |= self.new_topics

    def _topic_id(self, group_id: str, prefix: str, legacy: str, attempt: int) -> str:
        return self._rules.topic_id(group_id, legacy.removeprefix(prefix), attempt)

    def group(self, row: GroupRow, topics: list[Topic]) -> PlannedGroup:
        """Return one group as it is to be created."""
        caps = self._rules.caps
        conversation = Conversation.group(row.id).key
        owner = row.owner_id or row.member_owner
        cap = max(row.max_members or caps.default_members, row.member_count)
        fields = {
            "name": shorten(row.name, caps.group_name, "group.name", self._counter),
            "introduction": shorten(
                row.introduction, caps.introduction, "group.introduction", self._counter
            ),
            "notification": shorten(
                row.notification, caps.notification, "group.notification", self._counter
            ),
            "avatar_url": shorten_url(
                row.avatar_url, caps.group_avatar, "group.avatar_url", self._counter
            ),
        }
        return PlannedGroup(
            conversation=conversation,
            legacy_id=row.id,
            group_id=self._groups[row.id],
            topic_id="",
            type=row.type,
            owner_id=self._users.get(owner, ""),
            max_members=cap if row.type == "community" else min(cap, caps.max_members),
            stated_members=row.max_members,
            join=row.join,
            created_s=self._created_s(conversation, row),
            with_topics=bool(topics),
            written_hash=content_hash(row.type, owner, *fields.values(), *_stated_settings(row)),
            outcome="",
            reason="",
            detail="",
            file=row.file,
            line=row.line,
            **fields,
        )

    def topic(
        self, parent: PlannedGroup, topic: Topic, first_message_ms: int | None
    ) -> PlannedGroup:
        """Return one topic as it is to be created."""
        conversation = Conversation.topic(parent.legacy_id, topic.id).key
        known = self._known.get(conversation)
        instants = [
            each for each in (topic.created_at_ms, _before(first_message_ms)) if each is not None
        ]
        created = min(instants) // 1000 if instants else parent.created_s
        name = shorten(
            topic.name or topic.id, self._rules.caps.topic_name, "topic.name", self._counter
        )
        allowed = parent.type == "community"
        return msgspec.structs.replace(
            parent,
            conversation=conversation,
            legacy_id=topic.id,
            topic_id=self._topics[f"{parent.legacy_id}/{topic.id}"],
            name=name,
            created_s=known.created_s if known else max(created, parent.created_s),
            with_topics=False,
            written_hash=content_hash(name),
            outcome="" if allowed else Outcome.REJECTED,
            reason="" if allowed else "topic_without_community",
            detail=""
            if allowed
            else f"topic `{topic.id}` belongs to a group of type `{parent.type}`",
        )

    def _created_s(self, conversation: str, row: GroupRow) -> int:
        """Return the earliest of the legacy time, first message less 1 s, first join less 1 s; kept once written."""
        if (known := self._known.get(conversation)) is not None:
            return known.created_s
        instants = (row.created_at_ms, _before(row.first_message_ms), _before(row.first_join_ms))
        stated = [each for each in instants if each is not None]
        return max(1, min(stated or [_before(self._earliest_ms) or _ONE_SECOND_MS]) // 1000)


def _stated_settings(row: GroupRow) -> list[str]:
    """Return the settings that a row states; one that states none has the hash of its texts alone, for ever."""
    stated = (("join", row.join), ("max_members", row.max_members))
    return [f"{name}={value}" for name, value in stated if value is not None]


def _before(instant_ms: int | None) -> int | None:
    return None if instant_ms is None else instant_ms - _ONE_SECOND_MS


_MEMBERS = """
    SELECT group_id, user_id, role, joined_at_ms, left_at_ms, has_read_state, first_unread_ms,
           first_unread_order, file, line
    FROM members ORDER BY group_id, user_id
"""


def plan_members(
    staged: Staged,
    groups: dict[str, PlannedGroup],
    users: dict[str, str],
    plan: Plan,
    counted: dict[Member, Place],
) -> None:
    """Write the memberships, by group; joins are lifted to the second after the group's creation.

    ``counted`` are the read positions that the extract itself does not say.
    """
    writer = TableWriter(plan.table("members"), PlannedMember)
    for (
        group_id,
        user_id,
        role,
        joined,
        left,
        stated,
        unread_ms,
        unread_order,
        file,
        line,
    ) in staged.rows(_MEMBERS):
        group = groups.get(group_id)
        place = counted.get((group_id, user_id), (unread_ms, unread_order))
        outcome, reason = _member_outcome(group, left)
        writer.add(
            PlannedMember(
                group_id=group.group_id if group else "",
                account_id=users[user_id],
                conversation=group.conversation if group else "",
                legacy_id=f"{group_id}/{user_id}",
                role=_role(group, role, users[user_id]),
                joined_s=_joined(group, joined),
                has_read_state=stated,
                first_unread_ms=place[0],
                first_unread_order=place[1],
                outcome=outcome,
                reason=reason,
                file=file,
                line=line,
            )
        )
    writer.close()


def _member_outcome(group: PlannedGroup | None, left_ms: int | None) -> tuple[str, str]:
    if group is None:
        return Outcome.REJECTED, "avchatroom_group"
    return (Outcome.SKIPPED, "left") if left_ms is not None else ("", "")


def _role(group: PlannedGroup | None, role: str, account_id: str) -> str:
    if group is not None and account_id == group.owner_id:
        return "owner"
    return (
        "admin"
        if role == "admin" and group is not None and group.type not in _NO_ADMINS
        else "member"
    )


def _joined(group: PlannedGroup | None, joined_ms: int | None) -> int:
    first = (group.created_s if group else 0) + 1
    return first if joined_ms is None else max(first, joined_ms // 1000)


def topics_of(row: GroupRow, named: dict[str, set[str]]) -> list[Topic]:
    """Return the topics of a group: those of its row, then those that only messages name, by id."""
    stated: list[Topic] = (
        [Topic(**_topic_fields(each)) for each in msgspec.json.decode(row.topics)]
        if row.topics
        else []
    )
    missing = sorted(named.get(row.id, set()) - {topic.id for topic in stated})
    return [*stated, *(Topic(id=each) for each in missing)]


def _topic_fields(raw: dict[str, Any]) -> dict[str, Any]:
    return {
        name: raw[name] for name in ("id", "name", "created_at_ms") if raw.get(name) is not None
    }
