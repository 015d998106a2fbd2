"""Putting a report together from the parts that stages and shards left behind, and from the ledger."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from chat_migration.artefacts import (
    find_plan,
    lines_of,
    part_folders,
    publish_report,
    read_parts,
    report_place,
)
from chat_migration.delivery.calls import ApiCalls, merge_calls
from chat_migration.errors import HeldElsewhereError, MigrationError, RowsInDoubtError
from chat_migration.ledger.ledger import Ledger
from chat_migration.model import Outcome, RecordType
from chat_migration.planning.quote import Quote
from chat_migration.reporting.page import render_page
from chat_migration.reporting.rejected import write_rejected
from chat_migration.reporting.report import ApiReport, RunReport, SlotReport
from chat_migration.reporting.windows import window_report
from chat_migration.run import Run
from chat_migration.store.extract import Extract, Manifest

PROBLEMS = "problems/"
"""The one table of an extract that a report reads."""
_POINTS = 2000
_TYPES_OF_STAGE = {
    "accounts": RecordType.ACCOUNTS,
    "groups": RecordType.GROUPS,
    "members": RecordType.MEMBERS,
    "direct": RecordType.C2C_MESSAGES,
    "group": RecordType.GROUP_MESSAGES,
    "unread": RecordType.UNREAD,
}


class ReportBuilder:
    """Builds the report of one run."""

    def __init__(self, run: Run, ledger: Ledger) -> None:
        self._run, self._ledger = run, ledger
        self.parts = part_folders(run)
        """The parts' folders, on this machine."""
        self._parts = read_parts(self.parts)

    def build(self) -> RunReport:
        """Return the report; nothing is written yet."""
        run = self._run
        manifests = [Extract.open(path).manifest for path in run.noted_extracts(PROBLEMS)]
        plan = find_plan(run)
        quote = (
            Quote.model_validate_json(plan.quote_path.read_text(encoding="utf-8"))
            if plan is not None
            else None
        )
        rows, reasons = self._counts()
        read = _sum_read(manifests, quote.carried if quote else {})
        unfinished = self._unfinished(rows, read) if manifests else ["extract"]
        calls = merge_calls([part.calls for part in self._parts])
        in_doubt = self._ledger.count_unresolved()
        held = sorted({name for part in self._parts for name in part.held_elsewhere})
        complete = not unfinished and not in_doubt and not held
        return RunReport(
            run_id=run.run_id,
            target=run.connection.app,
            source=run.settings.source,
            source_name=run.settings.name_of_source,
            window=window_report(run, self._ledger, manifests, complete=complete),
            dry_run=run.settings.dry_run,
            complete=complete,
            unfinished=unfinished,
            held_elsewhere=held,
            rows={kind: dict(rows[kind]) for kind in RecordType},
            reasons={kind: dict(of) for kind, of in reasons.items() if of},
            rows_read=read,
            outside_window=sum(each.outside_window for each in manifests),
            unknown_fields={
                f"{each.first.record_type}.{each.first.field}": each.rows
                for manifest in manifests
                for each in manifest.unknown_fields
            },
            placeholders=quote.placeholders if quote else {},
            shortened=quote.shortened if quote else {},
            slots=SlotReport(
                lifted=sum(part.lifted for part in self._parts),
                max_drift_seconds=max((part.max_drift_seconds for part in self._parts), default=0),
            ),
            calls={api: self._api_report(api, of) for api, of in sorted(calls.items())},
            calls_by_second=_timeline(calls),
            seconds=self._seconds(),
            in_doubt=in_doubt,
            rejected_rows=0,
            quote=quote,
        )

    def _counts(self) -> tuple[dict[str, Counter[str]], dict[str, Counter[str]]]:
        rows: dict[str, Counter[str]] = {kind: Counter() for kind in RecordType}
        reasons: dict[str, Counter[str]] = {kind: Counter() for kind in RecordType}
        for part in self._parts:
            for kind, of in part.rows.items():
                rows[kind].update(of)
            for kind, of in part.reasons.items():
                reasons[kind].update(of)
        for part in self._parts:
            for kind, of in part.instead.items():
                rows[kind].subtract(of)
            for kind, of in part.instead_reasons.items():
                reasons[kind].subtract(of)
        return (
            {kind: +counted for kind, counted in rows.items()},
            {kind: +counted for kind, counted in reasons.items()},
        )

    def _unfinished(self, rows: dict[str, Counter[str]], read: dict[str, int]) -> list[str]:
        """Return the stages whose rows do not add up to what was read: they were cut off, or never ran."""
        unfinished = [
            stage
            for stage, kind in _TYPES_OF_STAGE.items()
            if sum(rows[kind].values()) != read.get(kind, 0)
        ]
        return unfinished if self._has_synced() else [*unfinished, "profiles"]

    def _has_synced(self) -> bool:
        """Tell whether the changes of groups that exist are brought over, as far as that was asked for."""
        done = [part for part in self._parts if part.stage == "profiles"]
        is_off = self._run.settings.sync_profiles == "off" or self._run.settings.dry_run
        return is_off or (bool(done) and not any(part.open_work for part in done))

    def _api_report(self, api: str, calls: ApiCalls) -> ApiReport:
        return ApiReport(
            count=calls.count,
            throttled=calls.throttled,
            retried=calls.retried,
            peak_per_second=max(calls.by_second.values(), default=0),
            writes=self._run.connection.apis[api].writes,
        )

    def _seconds(self) -> dict[str, float]:
        seconds: dict[str, float] = {}
        for part in self._parts:
            seconds[part.stage] = max(seconds.get(part.stage, 0.0), part.seconds)
        return seconds


def _sum_read(manifests: list[Manifest], carried: dict[str, int]) -> dict[str, int]:
    """Return the rows that the run had to deal with: those of its extract, and what earlier runs deferred."""
    read: Counter[str] = Counter(carried)
    for manifest in manifests:
        read.update({str(kind): count for kind, count in manifest.rows_read.items()})
    return dict(read)


def _timeline(calls: dict[str, ApiCalls]) -> dict[str, list[tuple[int, int]]]:
    """Return the calls over the time of the run; a long one is thinned out, keeping the peaks."""
    seconds = [second for of in calls.values() for second in of.by_second]
    if not seconds:
        return {}
    start, width = min(seconds), max(1, (max(seconds) - min(seconds)) // _POINTS + 1)
    timeline: dict[str, list[tuple[int, int]]] = {}
    for api, of in calls.items():
        peaks: dict[int, int] = {}
        for second, count in of.by_second.items():
            place = (second - start) // width * width
            peaks[place] = max(peaks.get(place, 0), count)
        timeline[api] = sorted(peaks.items())
    return timeline


def finish(run: Run, ledger: Ledger, report: RunReport, parts: list[Path]) -> None:
    """Write the report's files, close the run in the ledger, and raise what the run must end with.

    Raises:
        RowsInDoubtError: some outcomes are unknown.
        HeldElsewhereError: another run held some conversations.
        MigrationError: stages did not run to their end, or more rows were rejected than allowed.
    """
    run.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    extracts = [Extract.open(path) for path in run.noted_extracts(PROBLEMS)]
    rejected = write_rejected(extracts, lines_of(parts), run.folder / "rejected.jsonl")
    report = report.model_copy(update={"rejected_rows": rejected})
    _write(run.folder / "report.json", report.model_dump_json(indent=2))
    _write(run.folder / "report.html", render_page(report, run.folder / "rejected.jsonl"))
    publish_report(run)
    done = report.window.completed
    ledger.finish_run(
        run.run_id,
        complete=report.complete,
        source_name=report.source_name,
        window=None if done is None else (done.start_ms, done.end_ms),
    )
    _raise_end(run, report)


def _write(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.chmod(0o600)
    partial.rename(path)


def _raise_end(run: Run, report: RunReport) -> None:
    where = f"See {report_place(run)}."
    doubtful = sum(of.get(Outcome.IN_DOUBT, 0) for of in report.rows.values())
    if doubtful or report.in_doubt:
        raise RowsInDoubtError(
            f"The outcome of {max(doubtful, report.in_doubt)} messages is unknown.",
            advice="Run again: it reads back what the target holds before it sends anything.",
            done=where,
        )
    if report.held_elsewhere:
        raise HeldElsewhereError(
            f"{len(report.held_elsewhere)} conversations were held by another run.",
            advice="Run again when that run has ended.",
            done=f"Everything else is done. {where}",
        )
    if report.unfinished:
        raise MigrationError(
            f"The run is not complete: {', '.join(report.unfinished)} did not deal with every row.",
            advice="Run again; what is done is not sent twice.",
            done=where,
        )
    over = [
        kind
        for kind in report.rows
        if report.rejected_ratio(kind) > run.settings.max_rejected_ratio
    ]
    if over:
        shares = ", ".join(f"{kind} {report.rejected_ratio(kind):.1%}" for kind in over)
        raise MigrationError(
            f"More rows were rejected than `max_rejected_ratio` "
            f"({run.settings.max_rejected_ratio:.1%}) allows: {shares}.",
            advice=f"Read `{run.folder / 'rejected.jsonl'}`, correct the export and run again; or raise the ratio.",
            done="Everything else is imported.",
        )
