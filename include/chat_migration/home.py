"""Where the project keeps what it must remember: one folder, readable by its owner alone."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Self

import msgspec

HOME_VARIABLE = "CHAT_MIGRATION_HOME"
STAGE_VARIABLE = "CHAT_MIGRATION_STAGE"
LEDGER_VARIABLE = "CHAT_MIGRATION_LEDGER_URL"


class Home(msgspec.Struct, frozen=True):
    """The folders of one installation: ledger, stage, runs."""

    path: Path
    stage: Path
    ledger_url: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Return the folders that ``CHAT_MIGRATION_HOME``, ``…_STAGE`` and ``…_LEDGER_URL`` name."""
        environ = os.environ if environ is None else environ
        path = Path(environ.get(HOME_VARIABLE) or "var").expanduser().resolve()
        stage = environ.get(STAGE_VARIABLE)
        return cls(
            path=path,
            stage=Path(stage).expanduser().resolve() if stage else path / "stage",
            ledger_url=environ.get(LEDGER_VARIABLE) or f"sqlite:///{path / 'ledger.sqlite'}",
        )

    def create(self) -> Self:
        """Make the folders, 0700; nothing happens where they exist."""
        for folder in (self.path, self.stage, self.path / "runs"):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.chmod(0o700)
        return self

    def run_folder(self, run_id: str) -> Path:
        """Return the folder of one run: reports and rejected rows."""
        return self.path / "runs" / slug(run_id)


def slug(run_id: str) -> str:
    """Return a run id as a folder's name; distinct ids give distinct names.

    >>> slug("demo-1")
    'demo-1'
    >>> slug("manual__2024-05-01T00:00:00+00:00").startswith("manual__2024-05-01T00-00-00-00-00-")
    True
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", run_id).strip(".") or "run"
    if plain == run_id and len(plain) <= 100:
        return plain
    return f"{plain[:100]}-{blake2b(run_id.encode(), digest_size=4).hexdigest()}"
