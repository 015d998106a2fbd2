"""Streaming one group conversation: oldest first, one call in flight, nothing repeated blindly.

A stream turns rows into parts, parts into batches, batches into calls, and answers into moves of the ledger.
The moves of one call are written together with the intents of the next, so each call costs one commit. When
anything but plain success comes back, the stream reads the conversation back down to the last confirmed
sequence, records what landed, and decides about the remaining rows anew.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice

import msgspec

from chat_migration.delivery.context import Tools
from chat_migration.delivery.decisions import Decisions
from chat_migration.delivery.frontiers import Frontiers
from chat_migration.delivery.fruitless import Fruitless, Next
from chat_migration.delivery.groups import without_group
from chat_migration.delivery.history import ConversationStoppedError, History
from chat_migration.delivery.rows import KeyConflicts, Part
from chat_migration.delivery.stream_state import StreamState
from chat_migration.delivery.verdicts import Todo, verdict
from chat_migration.errors import MigrationError
from chat_migration.ledger.moves import doubt, intend, reject, release
from chat_migration.ledger.records import GroupRecord
from chat_migration.ledger.states import DeliveryState, EntityState
from chat_migration.model import Outcome
from chat_migration.planning.tables import MessageReader, PlannedConversation, PlannedMessage
from chat_migration.targets.base import (
    Advice,
    Done,
    Effect,
    Failure,
    GroupMessageOut,
    ItemResult,
)
from chat_migration.targets.verbs import Verb

_log = logging.getLogger(__name__)
_CHUNK = 500
"""Rows that are decided together, at most."""
_FIRST_CHUNK = 8 * 7
"""Rows that are decided before a stream's first call: many streams begin at once, and the budget waits for none."""
TOO_OLD = "older_than_retention"
"""The reason of what is older than the app keeps messages; it was not sent."""


class GroupStream:
    """Streams the rows of one group or topic."""

    def __init__(
        self,
        tools: Tools,
        place: PlannedConversation,
        reader: MessageReader,
        *,
        frontiers: Frontiers,
        conflicts: KeyConflicts,
    ) -> None:
        self._tools = tools
        self._group = tools.ledger.group(place.conversation)
        self._state = StreamState(tools, place)
        self._history = History(self._state, reader, frontiers)
        self._decisions = Decisions(self._state, self._history, conflicts)
        self._rows = reader.rows(place)
        self._chunk = _FIRST_CHUNK
        self._backlog: deque[PlannedMessage] = deque()
        self._in_flight: list[Part] = []
        self._limit = tools.sizes.messages
        self._fruitless = Fruitless(tools.caller, Verb.SEND_GROUP_MESSAGES)

    def run(self) -> None:
        """Send what is left to send; every row ends with its outcome.

        Raises:
            LostHoldError: another run has taken the conversation over; :meth:`skip` ends what is left.
            StoppedError, InterruptedRunError: the run ends; what was sent is recorded, nothing is lost.
        """
        if self._group is None or self._group.state not in (
            EntityState.CREATED,
            EntityState.ADOPTED,
        ):
            self._end_without_group()
            return
        try:
            self._history.resolve_unresolved()
            while batch := self._next_batch():
                if fresh := self._without_too_old(batch):
                    self._send(fresh)
        except ConversationStoppedError as stopped:
            self._end_stopped(stopped, self._group)
        finally:
            self._state.flush()

    def skip(self) -> None:
        """End the rows that are left: another run holds the conversation, and what it sends is not ours to say."""
        self._state.moves.clear()
        rows = {
            part.progress.row.message_key: part.progress.row
            for part in self._in_flight
            if part.progress.waiting
        }
        begun = chain(self._decisions.take_back(), self._decisions.undecided, self._backlog)
        rows |= {row.message_key: row for row in begun}
        for row in chain(rows.values(), self._rows):
            self._state.end(row, Outcome.DEFERRED, "held_elsewhere")

    def _next_batch(self) -> list[Part]:
        """Return the parts of the next call; one more is made ready, to know which call is the last."""
        ready = self._decisions.ready
        while len(ready) <= self._limit and (chunk := self._next_rows()):
            self._decisions.decide(chunk)
        return [ready.popleft() for _ in range(min(self._limit, len(ready)))]

    def _next_rows(self) -> list[PlannedMessage]:
        if self._backlog:
            chunk = list(self._backlog)
            self._backlog.clear()
            return chunk
        size, self._chunk = self._chunk, min(2 * self._chunk, _CHUNK)
        return list(islice(self._rows, size))

    def _without_too_old(self, batch: list[Part]) -> list[Part]:
        """End the parts that are older than what the target takes now, which slides; return the others.

        Of a row whose beginning is refused nothing is sent.
        """
        oldest = self._tools.target.oldest_slot()
        if oldest is None:
            return batch
        fresh: list[Part] = []
        for part in batch:
            if part.delivery.slot < oldest or part.progress.reason == TOO_OLD:
                self._refuse(part, self._too_old())
            else:
                fresh.append(part)
        return fresh

    def _too_old(self) -> Failure:
        return Failure(
            api=self._tools.rules.api_of[Verb.SEND_GROUP_MESSAGES],
            code=None,
            text="older than the app's retention; nothing was sent",
            advice=Advice.TOO_OLD,
            effect=Effect.NONE,
        )

    # --- sending --------------------------------------------------------------------------------

    def _send(self, batch: list[Part]) -> None:
        """Write the intents, call once, settle what came back."""
        self._in_flight = batch
        run_id = self._tools.run_id
        self._state.moves += [intend(part.delivery, run_id) for part in batch]
        self._state.flush(dirty=True)
        for part in batch:
            attempts = part.delivery.attempts + 1
            part.delivery = msgspec.structs.replace(
                part.delivery, state=DeliveryState.INTENT, attempts=attempts, run_id=run_id
            )
        try:
            answer = self._call(batch)
        except MigrationError as error:
            # The caller raises only for calls that were never sent or certainly had no effect.
            self._state.moves += [
                release(part.delivery, code=None, reason=error.what) for part in batch
            ]
            raise
        if isinstance(answer, Failure):
            self._whole_call_failed(batch, answer)
        elif any(isinstance(result, Failure) for result in answer):
            self._some_failed(batch, answer)
        else:
            self._all_done(batch, answer)

    def _call(self, batch: list[Part]) -> list[ItemResult] | Failure:
        state, target = self._state, self._tools.target
        messages = [
            GroupMessageOut(
                sender=part.delivery.sender,
                slot=part.delivery.slot,
                random=part.delivery.random,
                body=part.body,
            )
            for part in batch
        ]
        return self._tools.caller.call(
            Verb.SEND_GROUP_MESSAGES,
            lambda: state.held(
                target.send_group_messages,
                state.address,
                messages,
                refresh_conversation=self._is_last(),
                above=state.stream.confirmed_sequence,
            ),
            priority=state.remaining,
        )

    def _is_last(self) -> bool:
        """Tell whether the group's conversation entry is to be refreshed: with its last call, if it can be."""
        community = self._group is not None and self._group.type == "community"
        return not community and not self._decisions.ready and not self._backlog

    def _all_done(self, batch: list[Part], results: list[ItemResult]) -> None:
        for part, result in zip(batch, results, strict=True):
            sequence = result.sequence if isinstance(result, Done) else None
            self._history.landed(part, sequence or 0)
        self._limit = self._tools.sizes.messages
        self._fruitless.end()

    # --- failures -------------------------------------------------------------------------------

    def _whole_call_failed(self, batch: list[Part], failed: Failure) -> None:
        """Settle a call that was refused as a whole, or whose answer says nothing."""
        _log.warning("%s: %s (batch of %d)", self._state.place.conversation, failed, len(batch))
        if failed.effect is Effect.UNKNOWN:
            self._unknown(batch, failed)
            return
        if failed.advice is Advice.LATE and any(part.delivery.attempts > 1 for part in batch):
            # Sent before: the time may be refused because the first attempt landed after all.
            missing = self._history.record_landed(batch)
            if len(missing) < len(batch):
                self._plan_again(missing, failed)
                return
        match failed.advice:
            case Advice.SMALLER_BATCH if len(batch) > 1:
                self._tools.sizes.messages = self._limit = max(1, len(batch) // 2)
                self._plan_again(batch, failed)
            case advice if advice in _OF_ONE and len(batch) > 1:
                self._limit = max(1, len(batch) // 2)
                self._plan_again(batch, failed)
            case Advice.LATE | Advice.REJECT_ITEM | Advice.TOO_OLD | Advice.SMALLER_BATCH:
                self._single_refused(batch[0], failed)
            case _:
                self._plan_again(batch, failed)
                raise ConversationStoppedError(self._stop_reason(batch, failed), failed)

    def _some_failed(self, batch: list[Part], results: list[ItemResult]) -> None:
        """Settle a batch with refused items by what the target really holds (unknowns U3, U6)."""
        failures = {
            _key(part): result
            for part, result in zip(batch, results, strict=True)
            if isinstance(result, Failure)
        }
        first = next(iter(failures.values()))
        _log.warning(
            "%s: %d of %d messages refused: %s",
            self._state.place.conversation, len(failures), len(batch), first,
        )  # fmt: skip
        if any(failed.effect is Effect.UNKNOWN for failed in failures.values()):
            self._tools.caller.pause(self._tools.settle_seconds)
        missing = self._history.record_landed(batch)
        stopping = next(
            (failed for failed in failures.values() if failed.advice in _STOPPING), None
        )
        if stopping is not None:
            self._plan_again(missing, stopping)
            raise ConversationStoppedError(self._stop_reason(missing, stopping), stopping)
        if len(batch) == 1 and missing:
            self._single_refused(missing[0], first)
            return
        overtaken = _overtaken(batch, missing)
        again: list[Part] = []
        for part in missing:
            failed = failures.get(_key(part))
            if failed is not None and failed.advice in _REFUSED and part in overtaken:
                self._refuse(part, failed)
            else:
                again.append(part)
        if any(failed.advice is Advice.SLOW_DOWN for failed in failures.values()):
            self._tools.caller.slow_down(Verb.SEND_GROUP_MESSAGES)
        elif again:
            # What stands behind a refused message may only have been skipped: ask about fewer at a time.
            self._limit = max(1, len(batch) // 2)
            self._history.forget()
        self._plan_again(again, first)

    def _single_refused(self, part: Part, failed: Failure) -> None:
        """Settle a message that was refused on its own: nothing else can be meant."""
        if failed.advice is Advice.LATE:
            self._time_refused(part, failed)
        elif failed.advice is Advice.SLOW_DOWN:
            self._tools.caller.slow_down(Verb.SEND_GROUP_MESSAGES)
            self._plan_again([part], failed)
        else:
            self._refuse(part, failed)

    def _time_refused(self, part: Part, failed: Failure) -> None:
        """Read the frontier again and plan the part anew; if it has not moved, the message itself is wrong."""
        self._history.forget()
        self._release([part], failed)
        self._state.flush()
        foreign_before = self._state.stream.foreign_slot
        slots = self._history.slots(part.delivery.sent_at_ms)
        is_free = slots.peek(part.delivery.sent_at_ms) <= part.delivery.slot
        if is_free and self._state.stream.foreign_slot == foreign_before:
            self._refuse(part, failed)
            self._take_back([])
        else:
            self._take_back([part])

    def _unknown(self, batch: list[Part], failed: Failure) -> None:
        """Wait until the request cannot still be running, read back, and plan anew what did not land.

        A batch that never lands is sent in smaller calls; a single message that never lands is refused.
        """
        self._state.moves += [
            doubt(part.delivery, code=failed.code, reason=failed.text) for part in batch
        ]
        for part in batch:
            part.delivery = msgspec.structs.replace(part.delivery, state=DeliveryState.IN_DOUBT)
        self._state.flush()
        self._tools.caller.pause(self._fruitless.pause_seconds(self._tools.settle_seconds))
        missing = self._history.record_landed(batch)
        if len(missing) == len(batch):
            self._fruitless.add()
        else:
            self._fruitless.end()
        if failed.advice in _REFUSED and missing:
            self._refused_unseen(missing, failed)
            return
        if failed.advice is not Advice.READ_BACK and missing:
            self._plan_again(missing, failed)
            raise ConversationStoppedError(self._stop_reason(missing, failed), failed)
        if len(missing) == len(batch) == 1 and self._is_given_up(batch[0], failed):
            return
        self._limit = max(1, len(batch) // 2) if self._fruitless.count else self._limit
        self._plan_again(missing, failed)

    def _is_given_up(self, part: Part, failed: Failure) -> bool:
        """Reject a message that the service cannot take; tell whether that is so.

        Raises:
            TargetUnreachableError: it takes no other one either.
        """
        follows = self._fruitless.next(failed, part.delivery.attempts)
        if follows is Next.STOP:
            self._plan_again([part], failed)
            raise self._fruitless.stopped(failed, self._state.place.conversation)
        if follows is Next.GIVE_UP:
            self._fruitless.end()
            self._refuse(part, failed)
        return follows is Next.GIVE_UP

    def _refused_unseen(self, missing: list[Part], failed: Failure) -> None:
        """Settle parts that are not there, of a call whose answer refuses a record in words that no page explains."""
        if len(missing) == 1:
            self._refuse(missing[0], failed)
        else:
            self._limit = max(1, len(missing) // 2)
            self._plan_again(missing, failed)

    # --- putting back ---------------------------------------------------------------------------

    def _plan_again(self, parts: list[Part], failed: Failure) -> None:
        self._release(parts, failed)
        self._take_back(parts)

    def _release(self, parts: list[Part], failed: Failure) -> None:
        """Say that some parts are not in the target and may be sent again under the same keys."""
        for part in parts:
            self._state.moves.append(release(part.delivery, code=failed.code, reason=failed.text))
            part.delivery = msgspec.structs.replace(part.delivery, state=DeliveryState.PLANNED)

    def _take_back(self, parts: list[Part]) -> None:
        """Put the rows of some parts, and of everything behind them, back in front: they are decided anew."""
        self._state.flush()
        rows = {part.progress.row.message_key: part.progress.row for part in parts}
        rows |= {row.message_key: row for row in self._decisions.take_back()}
        self._backlog.extendleft(reversed(list(rows.values())))
        self._in_flight = []
        if self._state.slots is not None:
            self._state.new_slots([])

    def _refuse(self, part: Part, failed: Failure) -> None:
        reason = TOO_OLD if failed.advice is Advice.TOO_OLD else "message_refused"
        self._state.moves.append(reject(part.delivery, code=failed.code, reason=reason))
        self._state.settle(part, Outcome.REJECTED, reason, failed)

    # --- endings --------------------------------------------------------------------------------

    def _end_without_group(self) -> None:
        outcome, reason = without_group(self._group)
        self._end_all(self._rows, outcome, reason)

    def _end_all(
        self,
        rows: Iterable[PlannedMessage],
        outcome: Outcome,
        reason: str,
        failure: Failure | None = None,
    ) -> None:
        """End rows that cannot be sent; those that the ledger has dealt with end as it says."""
        remaining = iter(rows)
        while chunk := list(islice(remaining, _CHUNK)):
            known = self._tools.ledger.deliveries([row.message_key for row in chunk])
            for row in chunk:
                ended = verdict(row, known.get(row.message_key, []), self._tools.run_id)
                if isinstance(ended, Todo):
                    self._state.end(row, outcome, reason, failure=failure)
                else:
                    self._state.end(row, *ended)

    def _end_stopped(self, stopped: ConversationStoppedError, group: GroupRecord) -> None:
        """End all rows that are left; the group stays refused, without further calls, until its row changes."""
        _log.error("%s: stopped: %s", self._state.place.conversation, stopped.failure)
        self._state.flush()
        self._tools.ledger.record_group(
            msgspec.structs.replace(group, state=EntityState.REJECTED, reason=stopped.reason)
        )
        self._end_all(self._rows_left(), Outcome.REJECTED, stopped.reason, stopped.failure)

    def _stop_reason(self, batch: list[Part], failed: Failure) -> str:
        """Return why a conversation ends: its group, its senders, or an answer that no page explains.

        No page says whether senders must be members (unknown U11), nor which code tells that they are not.
        """
        if failed.effect is Effect.UNKNOWN:
            return "unknown_result"
        members = self._tools.ledger.members(self._state.place.group_id)
        strangers = any(part.delivery.sender not in members for part in batch)
        is_missing = failed.advice is Advice.MISSING_ACCOUNT
        return "sender_not_accepted" if strangers or is_missing else "group_refused"

    def _rows_left(self) -> Iterator[PlannedMessage]:
        yield from self._decisions.take_back()
        yield from self._decisions.undecided
        yield from self._backlog
        yield from self._rows


_REFUSED = (Advice.REJECT_ITEM, Advice.TOO_OLD)
"""What says of one message that it is refused for good."""
_OF_ONE = (*_REFUSED, Advice.LATE, Advice.MISSING_ACCOUNT)
"""What says of a call that one of its messages is not taken, and not which."""
_STOPPING = frozenset(Advice) - {*_REFUSED, Advice.LATE, Advice.SLOW_DOWN}
"""What an item's result may say that ends its conversation."""


def _overtaken(batch: list[Part], missing: list[Part]) -> list[Part]:
    """Return the missing parts behind which later ones of the same call landed: they can never follow."""
    gone = {_key(part) for part in missing}
    landed = [place for place, part in enumerate(batch) if _key(part) not in gone]
    last = landed[-1] if landed else -1
    return [part for part in batch[: last + 1] if _key(part) in gone]


def _key(part: Part) -> tuple[str, int]:
    return part.delivery.message_key, part.delivery.part
