"""Notices that the target stores of changes to a group, and how a run finds out before they do harm.

A stored notice ("tip") is a message: it takes a number and bears the present time, so everything older that is
imported afterwards is late. Whether a change stores one is a switch of the vendor's console, per type of group and
kind of change, and no call tells how it stands. So the first change of each kind in each type is made alone, and the
group's next number is compared before and after it.

Source: "Group System" (1047/33529); unknowns U43 and U44 of the vendor's pages.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from chat_migration.delivery.context import Tools
from chat_migration.delivery.frontiers import look_up
from chat_migration.errors import MigrationError, NoticeStoredError
from chat_migration.ledger.records import GroupRecord, Stream
from chat_migration.targets.base import Advice, Failure, Frontier, GroupAddress, StoredProfile
from chat_migration.targets.rules import TargetRules
from chat_migration.targets.verbs import Verb

NOTICES = {
    Verb.REMOVE_MEMBERS: "members who leave",
    Verb.CHANGE_ROLE: "admins who are named or dismissed",
    Verb.CHANGE_OWNER: "a new owner",
    Verb.CHANGE_PROFILE: "a new name, introduction, notice or picture",
}
"""What the console's switch is about, by the call that would store the notice."""
_TOO_LATE = "older messages of a group that has one can no longer be imported"
_OUT_OF_PLACE = "people would find them after everything that was said"
_ATTEMPTS = 5
_PASSING = (Advice.TRY_AGAIN, Advice.SLOW_DOWN)


def read_profile(tools: Tools, group_id: str, *, operator: str) -> StoredProfile:
    """Return a group as the target shows it; a passing error of it is asked about again.

    Raises:
        StoppedError: the target does not answer.
    """
    tries = 0
    while True:
        found = tools.caller.call(
            Verb.READ_PROFILE, lambda: tools.target.read_profile(group_id, operator=operator)
        )
        if isinstance(found, Failure):
            raise tools.caller.stop_error(found)
        if found.failure is None or found.failure.advice not in _PASSING:
            return found
        tries += 1
        if tries == _ATTEMPTS:
            raise tools.caller.stop_error(found.failure)
        tools.caller.pause(1)


@dataclass
class Watch:
    """One change that is made; ``made`` says whether it was."""

    made: bool = False


class TipGuard:
    """Lets changes through once the first of their kind has shown to store no notice. Safe for many threads."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._proven: set[tuple[str, Verb]] = set()
        self._stored: dict[str, MigrationError] = {}
        self._proving: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    @contextmanager
    def watching(self, group: GroupRecord, verb: Verb) -> Iterator[Watch]:
        """Make one change within, say whether it was made, and record there what it did.

        Raises:
            NoticeStoredError: it stored a notice, or one of this type of group did before; the latter makes no call.
        """
        kind = (group.type, verb)
        if kind not in self._proven:
            with self._of_type(group.type):
                self._require_silence(group.type)
                if kind not in self._proven:
                    watch = Watch()
                    before = self._frontier(group)
                    yield watch
                    if watch.made:
                        self._compare(group, verb, before)
                        self._proven.add(kind)
                    return
        self._require_silence(group.type)
        yield Watch()

    def _of_type(self, kind: str) -> threading.Lock:
        with self._lock:
            return self._proving[kind]

    def _require_silence(self, kind: str) -> None:
        if kind in self._stored:
            raise self._stored[kind]

    def _frontier(self, group: GroupRecord) -> Frontier:
        (found,) = look_up(self._tools, Verb.GROUP_FRONTIERS, [GroupAddress(group.group_id)])
        return found

    def _compare(self, group: GroupRecord, verb: Verb, before: Frontier) -> None:
        after = self._frontier(group)
        if after.next_sequence != before.next_sequence:
            self._remember(group, after)
            error = _error(group, verb, before, after, self._tools.rules)
            self._stored[group.type] = error
            raise error

    def _remember(self, group: GroupRecord, after: Frontier) -> None:
        """Note the notice as what it is, a message that is not ours: the group is live from its second on."""
        ledger = self._tools.ledger
        stream = ledger.streams([group.conversation]).get(group.conversation, Stream())
        slots = [each for each in (stream.foreign_slot, after.newest_slot) if each is not None]
        ledger.advance(
            group.conversation,
            [],
            stream=msgspec.structs.replace(stream, foreign_slot=max(slots, default=None)),
            holder=self._tools.lease.worker_id,
        )


def _error(
    group: GroupRecord, verb: Verb, before: Frontier, after: Frontier, rules: TargetRules
) -> NoticeStoredError:
    harm = _OUT_OF_PLACE if rules.late_goes_to_its_time else _TOO_LATE
    name = rules.type_names.get(group.type, "")
    for_groups, other_group = (
        (f" for groups of type {name}", f"group of type {name}") if name else ("", "group")
    )
    return NoticeStoredError(
        f"A call of `{rules.api_of[verb]}` stored a message in group `{group.group_id}`: the number of its next "
        f"message went from {before.next_sequence} to {after.next_sequence}.",
        expected=f"No notices are stored: {harm}.",
        advice=f"In the console, under the group settings, switch the notices (tips) about {NOTICES[verb]} off"
        f"{for_groups}, then run again; or use `sync_profiles=off`.",
        done=f"That change is made and recorded, and the group counts as live; no other {other_group} was changed "
        "after it. All messages of this run are dealt with.",
    )
