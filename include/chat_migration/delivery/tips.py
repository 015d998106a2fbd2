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
from chat_migration.errors import MigrationError, StoppedError
from chat_migration.ledger.records import GroupRecord, Stream
from chat_migration.targets.base import Advice, Failure, StoredProfile

NOTICES = {
    "delete_group_member": "members who leave",
    "modify_group_member_info": "admins who are named or dismissed",
    "change_group_owner": "a new owner",
    "modify_group_base_info": "a new name, introduction, notice or picture",
}
"""What the console's switch is about, by the call that would store the notice."""
_SHOWN_TYPES = {
    "private": "Work (private)",
    "public": "Public",
    "chatroom": "Meeting (chatroom)",
    "community": "Community",
}
_ATTEMPTS = 5
_PASSING = (Advice.TRY_AGAIN, Advice.SLOW_DOWN)


def read_profile(tools: Tools, group_id: str) -> StoredProfile:
    """Return a group as the target shows it; a passing error of it is asked about again.

    Raises:
        StoppedError: the target does not answer.
    """
    tries = 0
    while True:
        found = tools.caller.call("get_group_info", lambda: tools.target.read_profile(group_id))
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
        self._proven: set[tuple[str, str]] = set()
        self._stored: dict[str, MigrationError] = {}
        self._proving: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()

    @contextmanager
    def watching(self, group: GroupRecord, api: str) -> Iterator[Watch]:
        """Make one change within, say whether it was made, and record there what it did.

        Raises:
            StoppedError: it stored a notice, or one of this type of group did before; the latter makes no call.
        """
        kind = (group.type, api)
        if kind not in self._proven:
            with self._of_type(group.type):
                self._require_silence(group.type)
                if kind not in self._proven:
                    watch = Watch()
                    before = read_profile(self._tools, group.group_id)
                    yield watch
                    if watch.made:
                        self._compare(group, api, before)
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

    def _compare(self, group: GroupRecord, api: str, before: StoredProfile) -> None:
        after = read_profile(self._tools, group.group_id)
        if after.next_sequence != before.next_sequence:
            self._remember(group, after)
            error = _error(group, api, before, after)
            self._stored[group.type] = error
            raise error

    def _remember(self, group: GroupRecord, after: StoredProfile) -> None:
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
    group: GroupRecord, api: str, before: StoredProfile, after: StoredProfile
) -> StoppedError:
    shown = _SHOWN_TYPES.get(group.type, group.type)
    return StoppedError(
        f"A call of `{api}` stored a message in group `{group.group_id}`: its next MsgSeq went from "
        f"{before.next_sequence} to {after.next_sequence}.",
        expected="No notices are stored: older messages of a group that has one can no longer be imported.",
        advice=f"In the console, under the group settings, switch the notices (tips) about {NOTICES[api]} off for "
        f"groups of type {shown}, then run again; or use `sync_profiles=off`.",
        done=f"That change is made and recorded, and the group counts as live; no other group of type {shown} "
        "was changed after it. All messages of this run are dealt with.",
    )
