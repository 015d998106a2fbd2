"""What a stage gives back, and how it says that it goes on."""

from __future__ import annotations

import msgspec

from chat_migration.delivery.context import Tools
from chat_migration.errors import InterruptedRunError
from chat_migration.run import Run


class StageResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage did: ``rows`` is record type → outcome → rows; ``path`` what it wrote, or "".

    ``stranded``, of a plan: groups of which rows would be left behind for good; the summary names the worst.
    """

    stage: str
    rows: dict[str, dict[str, int]]
    seconds: float
    path: str = ""
    summary: str = ""
    """One screen at most, for people."""
    stranded: int = 0


def result_of(stage: str, tools: Tools, run: Run) -> StageResult:
    """Return what a stage has counted so far as its result."""
    part = tools.tally.part(stage, 0, {}, 0)
    lines = [
        f"{kind}: " + ", ".join(f"{count:,} {name}" for name, count in of.items())
        for kind, of in part.rows.items()
    ]
    return StageResult(
        stage=stage,
        rows=part.rows,
        seconds=run.clock.monotonic() - tools.started,
        path=run.artefacts.place(run.place),
        summary="\n".join(lines),
    )


def advance(run: Run, rows: int) -> None:
    """Show how far a stage is that calls nothing, and end it where that was asked for."""
    run.progress.advance(rows)
    if run.stop.is_set():
        raise InterruptedRunError(
            "The run was asked to stop.", advice="Run it again.", done="Nothing was sent."
        )
