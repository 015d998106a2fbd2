"""``report.html``: the report as one self-contained page."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from chat_migration.delivery.tally import RowLine
from chat_migration.reporting.page_text import (
    OUTCOMES,
    RECORD_TYPES,
    amount,
    shortened,
    spaced,
    visible,
)
from chat_migration.reporting.report import RunReport

SHOWN_ROWS = 50
"""Rows of ``rejected.jsonl`` that the page shows."""
_LONGEST_TEXT = 300


def render_page(report: RunReport, rejected: Path) -> str:
    """Return the page: plain HTML that loads nothing and runs nothing.

    ``rejected`` is the run's ``rejected.jsonl``: the page shows its first rows and names the file.
    If it is not there, the page has the number of rows only.
    """
    from chat_migration.reporting import page_plots as plots  # noqa: PLC0415 - loads matplotlib
    from chat_migration.reporting import page_view as view  # noqa: PLC0415 - loads pandas

    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            headline=view.headline(report),
            figures=view.key_figures(report),
            outcomes=view.outcome_table(report),
            reasons=view.reason_rows(report),
            calls=view.call_rows(report),
            quoted=view.quoted_facts(report),
            adjustments=view.adjustments(report),
            held_back=report.held_back(),
            outcomes_plot=plots.outcomes_plot(report),
            calls_plot=plots.calls_plot(report),
            stages_plot=plots.stages_plot(report),
            lines=_first_lines(rejected),
            rejected_name=rejected.name,
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("chat_migration.reporting"),
        autoescape=True,
        finalize=_harmless,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": "{:,}".format,
        "spaced": spaced,
        "cut": _cut,
        "breakable": _breakable,
    }
    environment.globals |= {"amount": amount, "meanings": OUTCOMES, "record_types": RECORD_TYPES}
    return environment


def _harmless(value: object) -> object:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _breakable(text: str) -> Markup:
    """Let a long name break behind its underscores."""
    return escape(visible(text)).replace("_", Markup("_<wbr>"))


def _cut(text: str) -> str:
    return shortened(text, _LONGEST_TEXT)


def _first_lines(rejected: Path) -> list[RowLine]:
    """Return the first rows of the file, without what cannot be read: a report is to be had."""
    if not rejected.is_file():
        return []
    lines = []
    with rejected.open("rb") as file:
        for raw in islice(file, SHOWN_ROWS):
            try:
                lines.append(msgspec.json.decode(raw, type=RowLine))
            except msgspec.DecodeError:
                continue
    return lines
