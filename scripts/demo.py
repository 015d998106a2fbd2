"""``make demo``: two real exports through the whole DAG in Airflow, into the sandbox, and what became of them."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo_common import (
    BIN,
    DEFAULT_HOME,
    REPOSITORY,
    SANDBOX_PORT,
    DemoError,
    environment,
    fetch,
    held,
    logged,
    sandbox,
)
from demo_exports import EXPORTS, settings_of
from demo_progress import Watch
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from chat_migration.home import Home
from chat_migration.model import Outcome
from chat_migration.targets.vendors import DEFAULT_TARGET

DAGS = {"tencent": "import_to_tencent_chat", "zim": "import_to_zego_zim"}

_RUN_ID = re.compile(r"\brun_id=(manual__[^\s,]+)")
_ERROR = re.compile(r"^(?:[\w.]+\.)?(\w+Error\b.*)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One export that has been moved."""

    source: str
    report: dict[str, Any]
    folder: Path
    writes: int
    seconds: float


def main() -> int:
    """Run the demo; return the exit code."""
    options = _options()
    console = Console()
    try:
        with held(options.home), sandbox(options.home, options.sandbox_port) as url:
            console.print(f"Sandbox at {url}, everything under {_shown(options.home)}")
            # `dags test` is no scheduler, and Airflow 3.3.2 fails in it at the end of a DAG that has a deadline.
            env = environment(options.home, url) | {"CHAT_MIGRATION_NIGHT_HOURS": "0"}
            log = options.home / "logs" / "demo.log"
            with console.status("Preparing Airflow's database"):
                _airflow(["db", "migrate"], env, log)
            done = []
            for source, path in EXPORTS.items():
                settings = settings_of(options.target, source, options.home)
                with Watch(console, path) as watch:
                    moved = _move(options.target, settings, env, url=url, log=log, told=watch.line)
                done.append(moved)
                console.print(f"{path} moved in {moved.seconds:.0f} s")
    except DemoError as error:
        console.print(f"[bold red]{error}")
        return 1
    _summarise(console, done, options.target)
    return 0


def _move(
    target: str,
    settings: dict[str, Any],
    env: dict[str, str],
    *,
    url: str,
    log: Path,
    told: Callable[[str], None],
) -> Import:
    writes, begun = _writes(url), time.monotonic()
    command = ["dags", "test", DAGS[target], "--conf", json.dumps(settings)]
    run_id = _RUN_ID.search(_airflow(command, env, log, told))
    if run_id is None:
        message = f"Airflow names no run of {settings['export_path']}. Its log: {log}"
        raise DemoError(message)
    folder = Home.from_environment(env).run_folder(run_id[1])
    return Import(
        source=settings["source"],
        report=json.loads((folder / "report.json").read_text(encoding="utf-8")),
        folder=folder,
        writes=_writes(url) - writes,
        seconds=time.monotonic() - begun,
    )


def _airflow(
    command: list[str],
    env: dict[str, str],
    log: Path,
    told: Callable[[str], None] = lambda _: None,
) -> str:
    """Run an Airflow command and return what it wrote, which the log holds too; ``told`` gets each line at once.

    Raises:
        DemoError: it failed; the text has its last error and names the log.
    """
    lines = []
    with (
        logged(log) as out,
        subprocess.Popen(
            [str(BIN / "airflow"), *command],
            env=env | {"PYTHONUNBUFFERED": "1"},
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as running,
    ):
        assert running.stdout is not None  # noqa: S101 - it is a pipe
        for raw in running.stdout:
            out.write(raw)
            out.flush()  # whoever wonders can follow the log
            lines.append(raw.decode(errors="replace"))
            told(lines[-1])
    output = "".join(lines)
    if running.returncode:
        errors = _ERROR.findall(output)
        cause = errors[0] if errors else f"exit code {running.returncode}"
        message = (
            f"`airflow {command[0]} {command[1]}` failed: {cause}\nThe whole log: {_shown(log)}"
        )
        raise DemoError(message)
    return output


def _writes(url: str) -> int:
    return int(json.loads(fetch(f"{url}/_sandbox/stats"))["writes"])


def _summarise(console: Console, done: list[Import], target: str) -> None:
    console.print(_rows_table(done))
    if any(each.report["calls"] for each in done):
        console.print(_calls_table(done))
    for each in done:
        stages = " · ".join(
            f"{stage} {took:.1f}" for stage, took in each.report["seconds"].items() if took >= 0.05
        )
        console.print(
            f"[bold]{each.source}[/bold]: {each.writes} write calls, counted by the sandbox"
        )
        console.print(f"  seconds  {stages} · with Airflow {each.seconds:.1f}", highlight=False)
        console.print(
            f"  report   {_shown(each.folder / 'report.html')}", highlight=False, soft_wrap=True
        )
    again = "make demo" if target == DEFAULT_TARGET else f"make demo TARGET={target}"
    console.print(f"Run `{again}` again: nothing is sent twice. Look at it in Airflow: `make up`.")


def _rows_table(done: list[Import]) -> Table:
    """Return record types by outcome, an export after the other; only what occurs."""
    kinds = {each.source: _occurring(each.report["rows"]) for each in done}
    seen = {outcome for rows in kinds.values() for counts in rows.values() for outcome in counts}
    outcomes = [outcome.value for outcome in Outcome if outcome.value in seen]
    table = Table("export", "rows of", box=SIMPLE_HEAD, pad_edge=False)
    for outcome in outcomes:
        table.add_column(outcome, justify="right")
    for source, rows in kinds.items():
        for number, (kind, counts) in enumerate(rows.items()):
            table.add_row(
                "" if number else source,
                kind,
                *(str(counts.get(outcome, "")) for outcome in outcomes),
            )
    return table


def _occurring(rows: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    counted = {
        kind: {name: count for name, count in counts.items() if count}
        for kind, counts in rows.items()
    }
    return {kind: counts for kind, counts in counted.items() if counts}


def _calls_table(done: list[Import]) -> Table:
    """Return calls per API and, in brackets, the most within one second."""
    table = Table("calls (peak per second)", box=SIMPLE_HEAD, pad_edge=False)
    for each in done:
        table.add_column(each.source, justify="right")
    table.add_column("throttled", justify="right")
    for api in sorted({api for each in done for api in each.report["calls"]}):
        found = [each.report["calls"].get(api, {}) for each in done]
        cells = (
            f"{calls['count']} ({calls['peak_per_second']})" if calls else "" for calls in found
        )
        table.add_row(api, *cells, str(sum(calls.get("throttled", 0) for calls in found) or ""))
    return table


def _shown(path: Path) -> str:
    return str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else str(path)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--target",
        choices=tuple(DAGS),
        default=DEFAULT_TARGET,
        help="where to (default: %(default)s)",
    )
    parser.add_argument("--home", type=Path, default=DEFAULT_HOME, help="where everything is kept")
    parser.add_argument(
        "--sandbox-port", type=int, default=SANDBOX_PORT, help="another is taken if it is busy"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
