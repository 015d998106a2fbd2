"""Finding out which groups and topics of the target are ours, and going through what they hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby, islice
from typing import get_args

import msgspec

from chat_migration.delivery.frontiers import look_up
from chat_migration.delivery.holding import HeldWork, run_held
from chat_migration.delivery.listing import list_members, owner_among
from chat_migration.delivery.tally import RowLine
from chat_migration.delivery.tips import read_profile
from chat_migration.ledger.records import GroupRecord
from chat_migration.ledger.states import EntityState
from chat_migration.model import Conversation, GroupType, RecordType
from chat_migration.planning.selection import is_needed
from chat_migration.planning.tables import PlannedConversation, PlannedGroup
from chat_migration.rebuild.findings import ADVICE, Found
from chat_migration.rebuild.ground import Ground
from chat_migration.rebuild.group_history import GroupHistory
from chat_migration.rebuild.reading import UnreadableGroupError
from chat_migration.targets.base import Failure, Frontier, GroupAddress
from chat_migration.targets.verbs import Verb

OURS = (EntityState.CREATED, EntityState.ADOPTED)


class GroupRebuild:
    """Restores groups and topics with their messages, those with the most messages first."""

    def __init__(self, ground: Ground) -> None:
        self._ground, self._tools = ground, ground.tools

    def run(self) -> None:
        """Look at every group and topic that the export asks for; what is not ours is named and left alone."""
        groups = sorted(self._tools.plan.groups(), key=self._rows_of, reverse=True)
        for group in groups:
            if not self._is_wanted(group):
                self._count(group, Found.NOT_SENT)
                self._count_rows(group, Found.NOT_SENT)
        wanted = [each for each in groups if self._is_wanted(each)]
        at_once = self._tools.sizes.frontiers
        self._look(_batches(iter([each for each in wanted if not each.topic_id]), at_once))
        topics = sorted((each for each in wanted if each.topic_id), key=lambda each: each.group_id)
        self._look(
            part
            for _, of_group in groupby(topics, key=lambda each: each.group_id)
            for part in _batches(self._in_our_communities(of_group), at_once)
        )

    def _rows_of(self, group: PlannedGroup) -> int:
        place = self._ground.shelf.places.get(group.conversation)
        return 0 if place is None else place.rows

    def _is_wanted(self, group: PlannedGroup) -> bool:
        return not group.outcome and is_needed(
            self._tools.settings, Conversation.parse(group.conversation)
        )

    def _in_our_communities(self, topics: Iterator[PlannedGroup]) -> Iterator[PlannedGroup]:
        """Yield the topics whose community is there and ours; those of others cannot be there."""
        for topic in topics:
            parent = self._tools.ledger.group(
                Conversation.group(Conversation.parse(topic.conversation).first).key
            )
            if parent is not None and parent.state in OURS:
                yield topic
            else:
                self._count_rows(topic, Found.MISSING)

    def _look(self, batches: Iterator[Sequence[PlannedGroup]]) -> None:
        run_held(self._tools, (work for batch in batches for work in self._works(batch)))

    def _works(self, batch: Sequence[PlannedGroup]) -> Iterator[HeldWork]:
        """Yield the work on some groups; their state is asked for together."""
        if not batch:
            return
        addresses = [GroupAddress(each.group_id, each.topic_id) for each in batch]
        verb = Verb.TOPIC_FRONTIERS if batch[0].topic_id else Verb.GROUP_FRONTIERS
        for group, found in zip(batch, look_up(self._tools, verb, addresses), strict=True):
            yield HeldWork(
                conversation=group.conversation,
                run=partial(self._one, group, found),
                skip=partial(self._held, group),
            )

    def _held(self, group: PlannedGroup) -> None:
        self._count(group, Found.HELD)
        self._count_rows(group, Found.HELD)

    # --- one group ------------------------------------------------------------------------------

    def _one(self, group: PlannedGroup, found: Frontier) -> None:
        """Decide whether a group is ours, and go through its messages if it is."""
        known = self._tools.ledger.group(group.conversation)
        is_known = known is not None and known.state in OURS
        if not found.exists:
            self._not_there(group, found, is_known=is_known)
            return
        try:
            self._there(group, self._told(group, found), is_known=is_known)
        except UnreadableGroupError as refused:
            self._refuse(group, "unreadable", str(refused), is_known=is_known)
        self._ground.tools.progress.advance(self._ground.findings.done)

    def _told(self, group: PlannedGroup, found: Frontier) -> Frontier:
        """Return a group with what its frontier does not tell, where the target tells that elsewhere."""
        if group.topic_id or found.created_s:
            return found
        profile = read_profile(self._tools, group.group_id, operator=group.owner_id)
        listed = list_members(self._tools, group.group_id)
        if isinstance(listed, Failure):
            raise UnreadableGroupError(listed)
        return msgspec.structs.replace(
            found, name=profile.name, created_s=profile.created_s, owner_id=owner_among(listed)
        )

    def _not_there(self, group: PlannedGroup, found: Frontier, *, is_known: bool) -> None:
        if found.failure is not None:
            self._refuse(group, "unreadable", str(found.failure), is_known=is_known)
        elif is_known:
            self._name(group, "group_gone", "")
        else:
            self._count(group, Found.MISSING)
            self._count_rows(group, Found.MISSING)

    def _there(self, group: PlannedGroup, found: Frontier, *, is_known: bool) -> None:
        place = self._ground.shelf.places.get(group.conversation)
        if place is not None and found.next_sequence > 1:
            is_ours = self._replay(group, found, place, is_known=is_known)
        else:
            is_empty = found.next_sequence <= 1 or self._tools.rules.late_goes_to_its_time
            is_ours = is_known or (_looks_same(group, found) and is_empty)
            if is_ours:
                self._count_rows(group, Found.MISSING)
            if is_ours and not is_known:
                self._claim(group, found)
        if is_ours:
            self._count(group, Found.KNOWN if is_known else Found.RESTORED)
        else:
            self._not_ours(group, found)

    def _replay(
        self,
        group: PlannedGroup,
        found: Frontier,
        place: PlannedConversation,
        *,
        is_known: bool,
    ) -> bool:
        """Go through what the group holds; tell whether it is ours."""
        claim = (lambda: None) if is_known else partial(self._claim, group, found)
        history = GroupHistory(self._ground, place, found, claim)
        history.replay()
        is_ours = is_known or history.recognised > 0
        # Where nobody's messages are in the way of ours, those of others, or notices, make a group no less ours.
        fits = self._tools.rules.late_goes_to_its_time or history.fits_by_position()
        if not is_ours and not (_looks_same(group, found) and fits):
            self._ground.findings.messages(foreign=history.foreign)
            return False
        history.finish()
        self._ground.evidence.exists = True
        return True

    def _claim(self, group: PlannedGroup, found: Frontier) -> None:
        """Remember that a group is ours, as the target has it; its unread counts are not known yet."""
        same = (found.name, found.owner_id) == (group.name, group.owner_id) or group.topic_id
        self._tools.ledger.record_group(
            GroupRecord(
                conversation=group.conversation,
                group_id=group.group_id,
                topic_id=group.topic_id,
                type=_type_of(group, found),
                created_s=found.created_s or group.created_s,
                state=EntityState.ADOPTED,
                reason="rebuilt",
                written_hash=group.written_hash if same else "",
                run_id=self._tools.run_id,
                unread_dirty=True,
                owner_id="" if group.topic_id else found.owner_id,
            ),
            anew=True,
        )

    # --- what is not ours -----------------------------------------------------------------------

    def _not_ours(self, group: PlannedGroup, found: Frontier) -> None:
        detail = (
            f"the app has `{group.group_id}`: type {found.type or '?'}, created {found.created_s}, "
            f"{found.next_sequence - 1} messages; planned: type {group.type}, created {group.created_s}"
        )
        has_messages = found.next_sequence > 1 and group.conversation in self._ground.shelf.places
        self._refuse(
            group, "matches_nothing" if has_messages else "group_exists", detail, is_known=False
        )

    def _refuse(self, group: PlannedGroup, reason: str, detail: str, *, is_known: bool) -> None:
        """Name a group that no run may write to; without any evidence for the settings the ledger is left alone."""
        self._name(group, reason, detail)
        if is_known:
            return
        self._remember_refused(group, reason)
        if not self._ground.evidence.exists:
            self._ground.evidence.wait(
                group.conversation, partial(self._remember_refused, group, reason)
            )

    def _remember_refused(self, group: PlannedGroup, reason: str) -> None:
        if self._ground.evidence.exists:
            self._tools.ledger.record_group(
                GroupRecord(
                    conversation=group.conversation,
                    group_id=group.group_id,
                    topic_id=group.topic_id,
                    type=group.type,
                    created_s=group.created_s,
                    state=EntityState.REJECTED,
                    reason=reason,
                    written_hash=group.written_hash,
                    run_id=self._tools.run_id,
                )
            )

    def _name(self, group: PlannedGroup, reason: str, detail: str) -> None:
        findings = self._ground.findings
        if group.file and not group.topic_id:
            kind, rows = RecordType.GROUPS, 1
            findings.count(RecordType.GROUP_MESSAGES, Found.UNPROVED, self._rows_of(group), reason)
        else:
            kind, rows = RecordType.GROUP_MESSAGES, self._rows_of(group)
        findings.name(
            RowLine(
                record_type=kind,
                outcome=Found.UNPROVED,
                reason=reason,
                file=group.file,
                line=group.line,
                id=group.legacy_id,
                conversation=group.conversation,
                detail=detail,
                advice=ADVICE[reason],
            ),
            rows,
        )

    def _count(self, group: PlannedGroup, found: Found) -> None:
        if group.file and not group.topic_id:
            self._ground.findings.count(RecordType.GROUPS, found)

    def _count_rows(self, group: PlannedGroup, found: Found) -> None:
        self._ground.findings.count(RecordType.GROUP_MESSAGES, found, self._rows_of(group))


def _looks_same(group: PlannedGroup, found: Frontier) -> bool:
    """Tell whether a group has type and creation time of the planned one; without types the name speaks for it."""
    if group.topic_id or found.type:
        same = bool(group.topic_id) or found.type.lower() == group.type
    else:
        same = found.name == group.name
    return same and found.created_s == group.created_s


def _type_of(group: PlannedGroup, found: Frontier) -> str:
    """Return the type that the target gives to a group; topics have none of their own."""
    told = found.type.lower()
    return told if told in get_args(GroupType) and not group.topic_id else group.type


def _batches(groups: Iterator[PlannedGroup], size: int) -> Iterator[list[PlannedGroup]]:
    while batch := list(islice(groups, size)):
        yield batch
