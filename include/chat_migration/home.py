"""Where the project keeps what it must remember: one folder, readable by its owner alone."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Self

import msgspec

from chat_migration.errors import UsageError

HOME_VARIABLE = "CHAT_MIGRATION_HOME"
STAGE_VARIABLE = "CHAT_MIGRATION_STAGE"
LEDGER_VARIABLE = "CHAT_MIGRATION_LEDGER_URL"
BUDGET_VARIABLE = "CHAT_MIGRATION_BUDGET_URL"
BUDGET_WAIT_VARIABLE = "CHAT_MIGRATION_BUDGET_WAIT_SECONDS"


class Home(msgspec.Struct, frozen=True):
    """The folders of one installation: ledger, stage, runs."""

    path: Path
    stage: Path
    ledger_url: str
    budget_url: str = ""
    """The Redis that keeps the call budget of several machines, if there are several."""
    budget_wait_seconds: float = 900
    """How long a run waits for that Redis when it does not answer."""
    stage_url: str = ""
    """The object store that holds the stage, or "". ``stage`` is then this machine's copy of what it needs."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Return the folders that ``CHAT_MIGRATION_HOME``, ``…_STAGE`` and ``…_LEDGER_URL`` name."""
        environ = os.environ if environ is None else environ
        path = Path(environ.get(HOME_VARIABLE) or "var").expanduser().resolve()
        stage = (environ.get(STAGE_VARIABLE) or "").removeprefix("file://")
        stage_url = stage if "://" in stage or "::" in stage else ""
        if stage_url:
            stage = str(path / "cache" / f"stage-{short_hash(stage_url)}")
        return cls(
            path=path,
            stage=Path(stage).expanduser().resolve() if stage else path / "stage",
            ledger_url=environ.get(LEDGER_VARIABLE) or f"sqlite:///{path / 'ledger.sqlite'}",
            budget_url=environ.get(BUDGET_VARIABLE) or "",
            budget_wait_seconds=_seconds(environ, BUDGET_WAIT_VARIABLE, default=900),
            stage_url=stage_url,
        )

    def __repr__(self) -> str:
        """Return the folders; the URLs may hold passwords."""
        return f"Home(path={str(self.path)!r}, stage={str(self.stage)!r})"

    def create(self) -> Self:
        """Make the folders, 0700; nothing happens where they exist.

        Raises:
            UsageError: one cannot be made, or is somebody else's.
        """
        for folder in (self.path, self.stage, self.path / "runs", self.cache):
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                if stat.S_IMODE(folder.stat().st_mode) != 0o700:
                    folder.chmod(0o700)
            except OSError as error:
                raise UsageError(
                    f"`{folder}` cannot be used: {error.strerror}.",
                    expected="A folder of this user's own, mode 0700.",
                    advice=f"Correct {HOME_VARIABLE} or {STAGE_VARIABLE}, or the folder's owner.",
                ) from None
        return self

    @property
    def cache(self) -> Path:
        """Return the folder of what was fetched from elsewhere; it may be deleted at any time without a run."""
        return self.path / "cache"

    @property
    def shares_stage(self) -> bool:
        """Tell whether the stage lies elsewhere than in this home, where other workers find it."""
        return bool(self.stage_url) or self.stage != self.path / "stage"

    def run_folder(self, run_id: str) -> Path:
        """Return the folder of one run: reports and rejected rows."""
        return self.path / "runs" / slug(run_id)


def short_hash(text: str) -> str:
    """Return eight hex characters that tell texts apart, for names of folders.

    >>> short_hash("s3://bucket/prefix") == short_hash("s3://bucket/prefix")
    True
    """
    return blake2b(text.encode(), digest_size=4).hexdigest()


def _seconds(environ: Mapping[str, str], name: str, *, default: float) -> float:
    """Return a time that an environment variable gives, or the default."""
    given = environ.get(name) or str(default)
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1
    if not 0 <= seconds < float("inf"):
        raise UsageError(f"`{name}` is `{given}`.", expected="A number of seconds, such as 900.")
    return seconds


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
    return f"{plain[:100]}-{short_hash(run_id)}"
