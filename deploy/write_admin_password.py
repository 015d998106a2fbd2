"""Write the log-in of Airflow's pages: the user and password of the environment, for the simple auth manager.

Run by the service ``airflow-init``. Repeating it replaces the file, so a password that was changed in ``.env``
holds from the next ``docker compose up`` on.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

USER = "AIRFLOW_ADMIN_USER"
PASSWORD = "AIRFLOW_ADMIN_PASSWORD"  # noqa: S105 - the name of a variable
FILE = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"


def main() -> int:
    """Write the file, readable by its owner alone; return the exit code."""
    missing = [name for name in (USER, PASSWORD, FILE) if not os.environ.get(name)]
    if missing:
        sys.stderr.write(f"The environment lacks {', '.join(missing)}; set it in `.env`.\n")
        return 2
    path = Path(os.environ[FILE])
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = path.with_name(path.name + ".partial")
    partial.touch(mode=0o600)
    partial.write_text(
        json.dumps({os.environ[USER]: os.environ[PASSWORD]}) + "\n", encoding="utf-8"
    )
    partial.rename(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
