"""What the server counts: calls, errors, peaks, writes, overlaps in one conversation."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from chat_sandbox.faults import FaultAction
from chat_sandbox.vendor import Admission

WINDOW_SECONDS = 1.0
RECENT_WRITES = 1000
RECENT_CALLS = 2000
UNKNOWN_API = "(unknown)"


@dataclass(slots=True)
class _ApiCounts:
    count: int = 0
    rows: int = 0
    throttled: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    peak_per_second: int = 0
    arrivals: deque[float] = field(default_factory=deque)


class Statistics:
    """Counts since the start or the last reset, in real time whatever the sandbox's clock."""

    def __init__(self) -> None:
        self._apis: dict[str, _ApiCounts] = {}
        self._in_flight: Counter[str] = Counter()
        self._recent: deque[dict[str, Any]] = deque(maxlen=RECENT_WRITES)
        self._calls: deque[dict[str, Any]] = deque(maxlen=RECENT_CALLS)
        self._running: dict[int, dict[str, Any]] = {}
        self._overlaps: Counter[str] = Counter()
        self._writes = 0

    def begin(self, admission: Admission, *, now: float) -> None:
        """Count a call that has come in at ``now`` (monotonic seconds)."""
        call = {"api": admission.api, "rows": admission.rows, "result": "", "fault": ""}
        self._calls.append(call)
        self._running[id(admission)] = call
        counts = self._of(admission)
        counts.count += 1
        counts.rows += admission.rows
        self._writes += admission.writes
        counts.arrivals.append(now)
        while counts.arrivals[0] <= now - WINDOW_SECONDS:
            counts.arrivals.popleft()
        counts.peak_per_second = max(counts.peak_per_second, len(counts.arrivals))
        if conversation := admission.conversation:
            self._in_flight[conversation] += 1
            if self._in_flight[conversation] > 1:
                self._overlaps[conversation] += 1

    def end(self, admission: Admission, *, result: str, fault: str, now_ms: int) -> None:
        """Count how a call ended.

        ``result`` is the error code as text, or what took the place of a reply; ``fault`` is the
        action of the fault that fired, or empty.
        """
        self._running.pop(id(admission)).update(result=result, fault=fault)
        counts = self._of(admission)
        counts.throttled += admission.is_throttled or fault == FaultAction.THROTTLE
        if result != "0":
            counts.errors[result] += 1
        if fault:
            counts.faults[fault] += 1
        if conversation := admission.conversation:
            self._in_flight[conversation] -= 1
            if not self._in_flight[conversation]:
                del self._in_flight[conversation]
        if admission.writes:
            self._recent.append(_summary(admission, result, fault, now_ms))

    def reset(self) -> None:
        """Forget all counts, but not which calls are running."""
        self._apis.clear()
        self._recent.clear()
        self._calls.clear()
        self._overlaps.clear()
        self._writes = 0

    def as_json(self) -> dict[str, Any]:
        """Return everything counted.

        ``overlaps`` has the conversations in which a message call came in while another was
        running; ``recent_calls`` has all calls in the order in which they came in, reads too.
        """
        return {
            "apis": {
                name: {
                    "count": counts.count,
                    "rows": counts.rows,
                    "throttled": counts.throttled,
                    "peak_per_second": counts.peak_per_second,
                    "errors": dict(counts.errors),
                    "faults": dict(counts.faults),
                }
                for name, counts in sorted(self._apis.items())
            },
            "calls": sum(counts.count for counts in self._apis.values()),
            "writes": self._writes,
            "overlaps": dict(self._overlaps),
            "recent_writes": list(self._recent),
            "recent_calls": list(self._calls),
        }

    def _of(self, admission: Admission) -> _ApiCounts:
        return self._apis.setdefault(admission.api or UNKNOWN_API, _ApiCounts())


def _summary(admission: Admission, result: str, fault: str, now_ms: int) -> dict[str, Any]:
    return {
        "at_ms": now_ms,
        "api": admission.api,
        "app": admission.app_id,
        "conversation": admission.conversation,
        "rows": admission.rows,
        "result": result,
        "fault": fault,
    }
