"""Runs one stage of a run as a worker does: a process of its own, told everything by its environment and arguments."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from chat_migration import stages
from chat_migration.errors import MigrationError
from chat_migration.home import Home
from chat_migration.run import Run
from chat_migration.settings import Settings
from chat_migration.targets.tencent_chat.connection import TencentConnection


def main(told: dict[str, Any]) -> int:
    """Run a stage and print what it returns; a failure prints its sentences and gives its exit code."""
    logging.basicConfig(level=logging.INFO)
    run = Run(
        run_id=told["run_id"],
        settings=Settings.load(told["settings"], {}),
        connection=TencentConnection.model_validate(told["connection"]),
        home=Home.from_environment(),
        shared_budget=True,
    )
    try:
        result = getattr(stages, told["stage"])(run, *told["shards"])
    except MigrationError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    said = {"rows": result.rows, "path": result.path, "summary": result.summary}
    sys.stdout.write(f"{json.dumps(said)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
