"""Which groups, topics and memberships must be there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import msgspec
import pyarrow as pa

from chat_migration.keys import content_hash
from chat_migration.ledger.records import GroupRecord
from chat_migration.model import Conversation, Outcome, Topic
from chat_migration.planning.identities import Identities, assign, taken_of
from chat_migration.planning.owners import Members, Owner, Ownerless, choose_owners
from chat_migration.planning.people import shorten, shorten_to_characters, shorten_url
from chat_migration.planning.positions import Member, Place
from chat_migration.planning.quote import QuoteCounter
from chat_migration.planning.staged import Staged
from chat_migration.planning.tables import Plan, PlannedGroup, PlannedMember, TableWriter
from chat_migration.targets.rules import TargetRules, Unsendable

_ONE_SECOND_MS = 1000
_PLACEHOLDER_TYPE = "private"


_NOBODY = "nobody owns the group, is a member of it or wrote in it"
_NAME_AN_OWNER = "Give the group an owner or a member in the export."


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
        """Prepare to plan: ``known`` are the groups of earlier runs, ``earliest_ms`` the first message of all."""
        self._rules, self._users, self._identities = rules, users, identities
        self._owners: dict[str, Owner] | None = None
        self._groups: dict[str, str] = {}
        self._topics: dict[str, str] = {}
        self._known, self._earliest_ms, self._counter = known, earliest_ms, counter
        self.known_ids: dict[str, str] = {}
        self.new_groups: dict[str, str] = {}
        self.new_topics: dict[str, str] = {}

    def assign_ids(self, rows: list[GroupRow], topics: dict[str, list[Topic]]) -> None:
        """Give ids to the groups and topics that have none yet; topics are by group."""
        self._groups = self._identities.identities_of("group", [row.id for row in rows])
        self.known_ids, folds = dict(self._groups), self._rules.folds_case
        community = {row.id for row in rows if row.type == "community"}
        self.new_groups = assign(
            (row.id for row in rows),
            self._groups,
            lambda legacy, attempt: self._rules.group_id(
                legacy, attempt, community=legacy in community
            ),
            taken_of(self._identities, "group", folds_case=folds),
            folds_case=folds,
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

    def choose_owners(self, staged: Staged, rows: list[GroupRow], members: Members) -> None:
        """Give every group an owner, if the target creates none without; their ids must be assigned."""
        if self._rules.needs_owner:
            groups = [Ownerless(row.id, self._groups[row.id], _named_owner(row)) for row in rows]
            self._owners = choose_owners(staged, groups, self._users, self._known, members)

    def group(self, row: GroupRow, topics: list[Topic]) -> PlannedGroup:
        """Return one group as it is to be created."""
        caps = self._rules.caps
        conversation = Conversation.group(row.id).key
        fields = self._texts(row)
        kind = self._rules.only_type or self._type(conversation, row)
        cap = max(row.max_members or caps.default_members, row.member_count)
        owner = self._owner(row)
        if owner is not None and owner.detail and conversation not in self._known:
            self._counter.chosen_owners += 1
        return PlannedGroup(
            conversation=conversation,
            legacy_id=row.id,
            group_id=self._groups[row.id],
            topic_id="",
            type=kind,
            owner_id=owner.account_id if owner else "",
            max_members=cap if kind == "community" else min(cap, caps.max_members),
            stated_members=row.max_members,
            join=row.join,
            created_s=self._created_s(conversation, row),
            with_topics=bool(topics) and self._rules.has_topics,
            written_hash=content_hash(
                row.type, _named_owner(row), *fields.values(), *_stated_settings(row)
            ),
            outcome="" if owner else Outcome.REJECTED,
            reason="" if owner else "no_owner",
            detail=owner.detail if owner else _NOBODY,
            advice="" if owner else _NAME_AN_OWNER,
            file=row.file,
            line=row.line,
            members=[],
            **fields,
        )

    def _type(self, conversation: str, row: GroupRow) -> str:
        """Return what a group is: of one without a row, as in a drop of what changed, earlier runs tell."""
        known = None if row.file else self._known.get(conversation)
        return known.type if known and known.type else row.type

    def _owner(self, row: GroupRow) -> Owner | None:
        """Return who owns a group, perhaps nobody; None: it cannot be created without somebody."""
        if self._owners is None:
            return Owner(self._users.get(_named_owner(row), ""))
        return self._owners.get(row.id)

    def _texts(self, row: GroupRow) -> dict[str, str]:
        """Return the texts of a group's profile, within the target's caps."""
        caps = self._rules.caps
        cut = shorten_to_characters if caps.group_name_in_characters else shorten
        return {
            "name": cut(row.name, caps.group_name, "group.name", self._counter),
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
        name = topic.name or topic.id
        if self._rules.has_topics:
            name = shorten(name, self._rules.caps.topic_name, "topic.name", self._counter)
        refused = self._refused_topic(parent, topic)
        return msgspec.structs.replace(
            parent,
            conversation=conversation,
            legacy_id=topic.id,
            topic_id=self._topics[f"{parent.legacy_id}/{topic.id}"],
            name=name,
            created_s=known.created_s if known else max(created, parent.created_s),
            with_topics=False,
            written_hash=content_hash(name),
            outcome=Outcome.REJECTED if refused else "",
            reason=refused.reason if refused else "",
            detail=refused.detail if refused else "",
            advice=refused.advice if refused else "",
            members=[],
        )

    def _refused_topic(self, parent: PlannedGroup, topic: Topic) -> Unsendable | None:
        """Return why a topic cannot be created; None: it can."""
        if not self._rules.has_topics:
            return Unsendable(
                "no_topics",
                f"the target has no topics: `{topic.id}` of `{parent.legacy_id}`",
                "Make the topic a group of its own in the export, or leave it out.",
            )
        if parent.type != "community":
            return Unsendable(
                "topic_without_community",
                f"topic `{topic.id}` belongs to a group of type `{parent.type}`",
            )
        return None

    def _created_s(self, conversation: str, row: GroupRow) -> int:
        """Return the earliest of the legacy time, first message less 1 s, first join less 1 s; kept once written."""
        if (known := self._known.get(conversation)) is not None:
            return known.created_s
        instants = (row.created_at_ms, _before(row.first_message_ms), _before(row.first_join_ms))
        stated = [each for each in instants if each is not None]
        return max(1, min(stated or [_before(self._earliest_ms) or _ONE_SECOND_MS]) // 1000)


def _named_owner(row: GroupRow) -> str:
    return row.owner_id or row.member_owner


def _stated_settings(row: GroupRow) -> list[str]:
    """Return the settings that a row states; one that states none has the hash of its texts alone, for ever."""
    stated = (("join", row.join), ("max_members", row.max_members))
    return [f"{name}={value}" for name, value in stated if value is not None]


def _before(instant_ms: int | None) -> int | None:
    return None if instant_ms is None else instant_ms - _ONE_SECOND_MS


def with_first_members(
    staged: Staged, groups: Iterable[PlannedGroup], users: dict[str, str], most: int
) -> Iterator[PlannedGroup]:
    """Yield groups with the members to create them with: those who are members from the first moment on.

    At most ``most``, by legacy id, and never the owner, who is a member anyway.
    """
    planned = list(groups)
    if most == 0:
        yield from planned
        return
    creatable = [each for each in planned if not each.outcome and not each.topic_id]
    columns = {
        "group_id": pa.array([each.legacy_id for each in creatable], pa.string()),
        "until_ms": pa.array([(each.created_s + 2) * _ONE_SECOND_MS for each in creatable]),
        "most": pa.array([most + 1] * len(creatable), pa.int64()),
    }
    staged.add("created_groups", pa.table(columns))
    found: dict[str, list[str]] = {each.legacy_id: [] for each in creatable}
    for group_id, user_id in staged.rows(_FIRST_MEMBERS):
        found[group_id].append(users[user_id])
    for each in planned:
        first = [] if each.topic_id else found.get(each.legacy_id, [])
        others = [account for account in first if account != each.owner_id]
        yield msgspec.structs.replace(each, members=others[:most])


_FIRST_MEMBERS = """
    SELECT group_id, user_id FROM members JOIN created_groups USING (group_id)
    WHERE left_at_ms IS NULL AND (joined_at_ms IS NULL OR joined_at_ms < until_ms)
    QUALIFY row_number() OVER (PARTITION BY group_id ORDER BY user_id) <= most
    ORDER BY group_id, user_id
"""


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
    *,
    rules: TargetRules,
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
                role=_role(group, role, users[user_id], rules),
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


def _role(group: PlannedGroup | None, role: str, account_id: str, rules: TargetRules) -> str:
    if group is None:
        return "member"
    if account_id == group.owner_id:
        return "owner"
    may_be_admin = role == "admin" and group.type not in rules.types_without_admins
    return "admin" if may_be_admin else "member"


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
