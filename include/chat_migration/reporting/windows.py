"""What a report says of the run's window, and which window the run completes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from chat_migration import calendar
from chat_migration.ledger.ledger import Ledger
from chat_migration.reporting.report import SpanReport, WindowReport
from chat_migration.run import Run
from chat_migration.store.extract import Manifest
from chat_migration.window import Window


def window_report(
    run: Run, ledger: Ledger, manifests: Sequence[Manifest], *, complete: bool
) -> WindowReport:
    """Return which window the run took, why, what it completes, and what is missing between complete ones then."""
    taken = run.window
    done = _completed(run, manifests, complete=complete)
    ranges = ledger.complete_windows(run.settings.name_of_source)
    gaps = calendar.gaps([*ranges, done] if done is not None else ranges)
    return WindowReport(
        start_ms=taken.window.start_ms,
        end_ms=taken.window.end_ms,
        text=str(taken.window),
        kind=taken.kind,
        why=taken.text,
        lookback_start_ms=taken.lookback_start_ms,
        completed=None if done is None else _span(done),
        gaps=[_span(each) for each in gaps],
        newest_message=_stale(taken.window, manifests),
        missing_drops=[drop for manifest in manifests for drop in manifest.missing_drops],
    )


def _span(window: Window) -> SpanReport:
    return SpanReport(start_ms=window.start_ms, end_ms=window.end_ms, text=str(window))


def _completed(run: Run, manifests: Sequence[Manifest], *, complete: bool) -> Window | None:
    """Return the window that a run completes; None for dry runs, pilots and runs that are not complete.

    Args:
        run: the run, at its end.
        manifests: of its extracts; they say how far the export goes, for a run without an end.
        complete: whether it dealt with every row.
    """
    if not complete or run.settings.dry_run or run.settings.is_pilot:
        return None
    return calendar.completed(run.window.window, _newest(manifests), run.clock.now_ms())


def _newest(manifests: Sequence[Manifest]) -> int | None:
    found = (each.last_message_ms for each in manifests)
    return max((each for each in found if each is not None), default=None)


def _stale(window: Window, manifests: Sequence[Manifest]) -> str:
    """Return when the newest message was sent, if the whole export is older than the window, else ""."""
    newest = _newest(manifests)
    if newest is None or window.start_ms is None or newest >= window.start_ms:
        return ""
    return datetime.fromtimestamp(newest // 1000, UTC).isoformat()
