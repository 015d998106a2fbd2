"""What a run's stages hand to each other through the stage: its plan, the parts of its report, its report."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec

from chat_migration.delivery.tally import StagePart
from chat_migration.errors import UsageError
from chat_migration.planning.tables import Plan
from chat_migration.run import Run

PART = "part.json"
LINES = "rows.jsonl"
"""The lines of ``rejected.jsonl`` that come from one stage or shard."""
REPORT_FILES = ("report.json", "report.html", "rejected.jsonl")

_log = logging.getLogger(__name__)


@contextmanager
def making_plan(run: Run) -> Iterator[Plan]:
    """Give an empty plan to fill; it replaces the run's plan once it is whole."""
    with run.artefacts.making(f"{run.place}/plan") as folder:
        yield Plan(folder)


def plan_of(run: Run) -> Plan:
    """Return the plan of a run; each of its files is fetched when it is read first.

    Raises:
        UsageError: there is none.
    """
    plan = find_plan(run)
    if plan is None:
        raise UsageError(
            f"`{run.artefacts.place(f'{run.place}/plan')}` holds no plan.",
            advice="Run the stages `extract` and `plan` first.",
        )
    return plan


def find_plan(run: Run) -> Plan | None:
    """Return the plan of a run, or None."""
    found = run.artefacts.find(f"{run.place}/plan")
    plan = None if found is None else Plan(found.folder, found.fetch)
    return plan if plan is not None and plan.exists() else None


def making_part(run: Run, stage: str, shard: int) -> AbstractContextManager[Path]:
    """Give an empty folder for one stage's part of the report; it is published after a failure too.

    What it says of rows is true either way. It replaces what an earlier try left.
    """
    return run.artefacts.making(f"{run.place}/parts/{stage}-{shard:02d}", keep=PART)


def write_part(folder: Path, part: StagePart) -> None:
    """Write a stage's counts to the folder of its part."""
    (folder / PART).write_bytes(msgspec.json.encode(part))


def publish_part(run: Run, part: StagePart) -> None:
    """Publish the part of a stage that lists no rows."""
    with making_part(run, part.stage, part.shard) as folder:
        write_part(folder, part)


def part_folders(run: Run) -> list[Path]:
    """Return the parts that this run's stages published, whichever worker did, by stage and shard."""
    folders = []
    for name in run.artefacts.names(f"{run.place}/parts"):
        part = run.artefacts.find(name)
        if part is not None:
            part.fetch()
            folders.append(part.folder)
    return folders


def read_parts(folders: list[Path]) -> list[StagePart]:
    """Return the counts of parts."""
    return [msgspec.json.decode((folder / PART).read_bytes(), type=StagePart) for folder in folders]


def lines_of(folders: list[Path]) -> list[Path]:
    """Return the files of lines that parts hold; some stages list no rows."""
    return [folder / LINES for folder in folders if (folder / LINES).exists()]


def publish_report(run: Run) -> None:
    """Put a copy of the report where all workers find it, if that is elsewhere than in this home."""
    name = _shared_report(run)
    if not name:
        return
    with run.artefacts.making(name, plain=True) as folder:
        for file in REPORT_FILES:
            shutil.copyfile(run.folder / file, folder / file)
    _log.info("A copy of the report is at `%s`.", run.artefacts.place(name))


def report_place(run: Run) -> str:
    """Return where the page of a run's report lies, for people: in this home, and on a shared stage."""
    here, name = str(run.folder / "report.html"), _shared_report(run)
    return f"{here} and {run.artefacts.place(name)}/report.html" if name else here


def _shared_report(run: Run) -> str:
    return f"{run.place}/report" if run.home.shares_stage and not run.settings.dry_run else ""
