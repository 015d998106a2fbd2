"""The plots of ``report.html``: each for wide screens and for phones, with a text instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from chat_migration.model import Outcome, RecordType
from chat_migration.reporting.page_svg import BAR, NARROW, Lanes, colour, svg
from chat_migration.reporting.page_text import (
    RECORD_TYPES,
    STAGES,
    amount,
    in_order,
    listed,
    seconds_text,
    share_text,
    spaced,
    visible,
)
from chat_migration.reporting.report import RunReport

_LEAST_PIXELS = 7
"""Outcomes of few rows are drawn this wide, so that a single rejected row can be seen."""
_WIDE, _HALF = 1040, 500
_BINS = {_WIDE: 260, NARROW: 110}
_TIME_UNITS = ((3 * 3600, 3600, "h"), (180, 60, "min"), (0, 1, "s"))


@dataclass(frozen=True)
class Plot:
    """One plot in its two forms."""

    wide: Markup
    narrow: Markup


def outcomes_plot(report: RunReport) -> Plot | None:
    """Return the shares of the outcomes of each record type, or None without rows."""
    kinds = [kind for kind in in_order(RecordType, report.rows) if any(report.rows[kind].values())]
    if not kinds:
        return None
    alt = "Share of each outcome per record type. " + " ".join(
        _shares(kind, report.rows[kind]) for kind in kinds
    )
    return _twice(lambda width: _draw_outcomes(report, kinds, width), _WIDE, alt)


def calls_plot(report: RunReport) -> Plot | None:
    """Return the calls per second of each API over the run, or None without calls."""
    series = {api: points for api, points in sorted(report.calls_by_second.items()) if points}
    if not series:
        return None
    span = 1 + max(second for points in series.values() for second, _ in points)
    peaks = [
        f"{api} at most {max(count for _, count in points):,} per second"
        for api, points in series.items()
    ]
    alt = f"Calls per second of each API over {seconds_text(span)}: {listed(peaks)}."
    return _twice(lambda width: _draw_calls(series, span, width), _WIDE, alt)


def stages_plot(report: RunReport) -> Plot | None:
    """Return the seconds of each stage, or None if no stage ran."""
    stages = in_order(STAGES, report.seconds)
    if not stages:
        return None
    times = [
        f"{STAGES.get(stage, stage)} {seconds_text(report.seconds[stage])}" for stage in stages
    ]
    return _twice(
        lambda width: _draw_stages(report, stages, width),
        _HALF,
        f"Time per stage: {listed(times)}.",
    )


def _twice(draw: Callable[[int], Figure], width: int, alt: str) -> Plot:
    return Plot(
        svg(draw(width), label=visible(alt), css_class="wide"),
        svg(draw(NARROW), label=visible(alt), css_class="narrow"),
    )


def _shares(kind: str, of: dict[str, int]) -> str:
    total = sum(of.values())
    parts = [
        f"{share_text(of[name], total)} {spaced(name)}"
        for name in in_order(Outcome, of)
        if of[name]
    ]
    return f"{RECORD_TYPES.get(kind, kind)}: {listed(parts)}.".capitalize()


def _draw_outcomes(report: RunReport, kinds: list[str], width: int) -> Figure:
    lanes = Lanes.of(len(kinds), width, height=32, left=190, right=110)
    lanes.axes.set_xlim(0, 1)
    least = _LEAST_PIXELS / float(lanes.axes.get_window_extent().width)
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        lanes.tick(tick, f"{tick:.0%}".replace("%", " %"))
    for row, kind in enumerate(kinds):
        of, place = report.rows[kind], 0.0
        lanes.texts(row, RECORD_TYPES.get(kind, kind), amount(sum(of.values()), "row"))
        for name, share in drawn_shares(of, least).items():
            lanes.axes.barh(
                lanes.middle(row), share, left=place, height=BAR, clip_on=False,
                color=colour(f"outcome-{name}"), edgecolor=colour("card"), linewidth=1.5,
            )  # fmt: skip
            place += share
    return lanes.figure


def drawn_shares(of: dict[str, int], least: float) -> dict[str, float]:
    """Return how wide each outcome that occurs is drawn; the widths add up to 1."""
    names = [name for name in in_order(Outcome, of) if of[name] > 0]
    total = sum(of[name] for name in names)
    shares = {name: max(of[name] / total, least) for name in names}
    drawn = sum(shares.values())
    return {name: share / drawn for name, share in shares.items()}


def _draw_calls(series: dict[str, list[tuple[int, int]]], span: int, width: int) -> Figure:
    lanes = Lanes.of(len(series), width, height=40, left=190, right=110)
    lanes.axes.set_xlim(0, span)
    _, unit_seconds, unit = next(each for each in _TIME_UNITS if span > each[0])
    ticks = MaxNLocator(nbins=4 if lanes.narrow else 8, steps=[1, 2, 5, 10], integer=unit == "s")
    for tick in ticks.tick_values(0, span / unit_seconds):
        if 0 <= tick * unit_seconds <= span:
            lanes.tick(tick * unit_seconds, f"{tick:,g} {unit}")
    bins = min(span, _BINS[width])
    for row, (api, points) in enumerate(series.items()):
        peaks = binned(points, span, bins)
        base, room = (row + 1) * lanes.height - 3, (row + 1) * lanes.height - 3 - lanes.top(row) - 6
        drawn = np.where(peaks > 0, np.maximum(peaks / max(peaks.max(), 1) * room, 1.5), 0)
        lanes.texts(row, api, f"peak {int(peaks.max()):,}/s")
        edges = np.linspace(0, span, bins + 1)
        lanes.axes.stairs(
            base - drawn,
            edges,
            baseline=base,
            fill=True,
            color=colour("accent"),
            linewidth=0,
            clip_on=False,
        )
        lanes.axes.hlines(base, 0, span, color=colour("line"), linewidth=1, clip_on=False)
    return lanes.figure


def binned(
    points: list[tuple[int, int]], span: int, bins: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the highest count within each of ``bins`` equal stretches of the time."""
    peaks = np.zeros(bins, dtype=np.int64)
    seconds, counts = np.array(points, dtype=np.int64).T
    np.maximum.at(peaks, np.clip(seconds * bins // span, 0, bins - 1), counts)
    return peaks


def _draw_stages(report: RunReport, stages: list[str], width: int) -> Figure:
    lanes = Lanes.of(len(stages), width, height=30, left=160, right=88, axis=False)
    longest = max(report.seconds[stage] for stage in stages) or 1.0
    lanes.axes.set_xlim(0, longest)
    for row, stage in enumerate(stages):
        spent = report.seconds[stage]
        lanes.texts(row, STAGES.get(stage, stage), seconds_text(spent))
        lanes.axes.barh(
            lanes.middle(row), max(spent, longest * 0.004), height=BAR, color=colour("accent"),
            linewidth=0, clip_on=False,
        )  # fmt: skip
    return lanes.figure
