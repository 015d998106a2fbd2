"""What becomes of each message of one import_group_msg: stored, dropped as a duplicate, or failed.

Source: import_group_msg page (1047/34968). The order of the checks is ours: size, moderation,
sender, retention, duplicate, time.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import msgspec

from chat_sandbox.tencent_chat.call import Call
from chat_sandbox.tencent_chat.elements import is_blocked
from chat_sandbox.tencent_chat.switches.group_messages import (
    CREATE_TIME_BOUND,
    DEDUP_CLOCK,
    DEDUP_RESULT,
    DEDUP_SCOPE,
    EXPIRED_HISTORY,
    FAILED_ITEM_SEQ,
    NON_MEMBER_SENDER,
    NOW_BOUND,
    TIES,
    UNDOCUMENTED_ITEM_CODE,
    UNIMPORTED_SENDER,
)
from chat_sandbox.tencent_chat.timelines import Stream
from chat_sandbox.tencent_chat.world import Element, Recent

BAD_TIME = 10004
BLOCKED = 80001
TOO_LONG = 80002
DEDUP_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One message of ``MsgList``, well formed. ``random`` None means the server makes one."""

    sender: str
    send_time: int
    random: int | None
    body: list[Element]
    cloud_custom_data: str
    is_oversize: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of one message.

    Attributes:
        seq: 0 where no number belongs to it.
        to_remember: what the dedup keeps of a message that is to be stored; None for all others.
    """

    message: Incoming
    result: int
    seq: int = 0
    random: int = 0
    to_remember: Recent | None = None
    is_duplicate: bool = False


class Judge:
    """Judges the messages of one request in order; remembers what this request would store."""

    def __init__(self, call: Call, stream: Stream) -> None:
        self._call = call
        self._stream = stream
        self._next_seq = stream.counter.last_seq + 1
        self._newest = stream.counter.newest_time
        self._has_stored = False
        self._pending: dict[int, list[Recent]] = {}

    def judge(self, message: Incoming, *, is_last_of_several: bool) -> Verdict:
        """Return the verdict on the next message."""
        if code := self._refused_content(message):
            return self.fail(message, code)
        content = zlib.crc32(msgspec.json.encode(message.body))
        if first := self._earlier(message, content):
            return self._duplicate(message, first)
        if not self._time_fits(message.send_time):
            return self.fail(message, BAD_TIME)
        odd = self._call.switches[UNDOCUMENTED_ITEM_CODE]
        if odd != "off" and is_last_of_several:
            return self.fail(message, int(odd))
        return self._accept(message, content)

    def fail(self, message: Incoming, code: int) -> Verdict:
        """Return a failed verdict; it may use up a seq."""
        seq = 0
        if self._call.switches[FAILED_ITEM_SEQ] == "burned":
            seq = self._take_seq()
        return Verdict(message=message, result=code, seq=seq)

    def _refused_content(self, message: Incoming) -> int:
        switches = self._call.switches
        if message.is_oversize:
            return TOO_LONG
        if is_blocked(message.body, switches):
            return BLOCKED
        known = self._call.has_account(message.sender)
        if not known and switches[UNIMPORTED_SENDER] == "reject":
            return 10019
        is_member = message.sender in self._stream.group.members
        if not is_member and switches[NON_MEMBER_SENDER] == "reject":
            return 10007
        too_old = self._call.is_past_retention(message.send_time)
        return BAD_TIME if too_old and switches[EXPIRED_HISTORY] == "reject" else 0

    def _earlier(self, message: Incoming, content: int) -> Recent | None:
        if message.random is None:
            return None
        known = self._call.world.recent.get(message.random, [])
        pending = self._pending.get(message.random, [])
        for recent in (*known, *pending):
            if self._is_recent(recent, message) and self._is_same(recent, message, content):
                return recent
        return None

    def _is_recent(self, recent: Recent, message: Incoming) -> bool:
        by_arrival = abs(self._call.now - recent.arrived_at) < DEDUP_SECONDS
        by_send_time = abs(message.send_time - recent.send_time) < DEDUP_SECONDS
        match self._call.switches[DEDUP_CLOCK]:
            case "arrival":
                return by_arrival
            case "send_time":
                return by_send_time
            case "either":
                return by_arrival or by_send_time

    def _is_same(self, recent: Recent, message: Incoming, content: int) -> bool:
        scope = self._call.switches[DEDUP_SCOPE]
        same_stream = recent.timeline_id == self._stream.stream_id
        match scope:
            case "app":
                return True
            case "group":
                return same_stream
            case "group_sender":
                return same_stream and recent.sender == message.sender
            case "group_content":
                return same_stream and recent.content == content

    def _duplicate(self, message: Incoming, first: Recent) -> Verdict:
        position = self._call.switches[DEDUP_RESULT]
        return Verdict(
            message=message,
            result=BAD_TIME if position == "time_invalid" else 0,
            seq=first.seq if position == "original_seq" else 0,
            is_duplicate=True,
        )

    def _time_fits(self, send_time: int) -> bool:
        switches = self._call.switches
        created = self._stream.create_time
        lowest = created + (switches[CREATE_TIME_BOUND] == "exclusive")
        highest = self._call.now - (switches[NOW_BOUND] == "exclusive")
        ties = switches[TIES]
        tie_fits = ties == "accept" or (ties == "accept_in_request" and self._has_stored)
        earliest = self._newest + (not tie_fits) if self._newest else lowest
        return max(lowest, earliest) <= send_time <= highest

    def _accept(self, message: Incoming, content: int) -> Verdict:
        random = message.random
        if random is None:
            random = self._call.world.next_random()
        seq = self._take_seq()
        recent = Recent(
            timeline_id=self._stream.stream_id,
            sender=message.sender,
            content=content,
            arrived_at=self._call.now,
            send_time=message.send_time,
            seq=seq,
        )
        self._pending.setdefault(random, []).append(recent)
        self._newest = message.send_time
        self._has_stored = True
        return Verdict(message=message, result=0, seq=seq, random=random, to_remember=recent)

    def _take_seq(self) -> int:
        self._next_seq += 1
        return self._next_seq - 1
