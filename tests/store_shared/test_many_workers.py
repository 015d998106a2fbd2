"""The same run on one machine, and with every stage on a worker of its own: same report, same target."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.clocks_fast import FastClock
from tests.delivery.driving import QUICK, comparable
from tests.store_shared.conftest import BUCKET, SECRET

import chat_sandbox
from chat_migration import stages
from chat_migration.errors import MigrationError
from chat_migration.home import Home
from chat_migration.run import Run
from chat_migration.settings import Settings
from chat_migration.targets.tencent_chat.connection import TencentConnection
from chat_sandbox import SandboxHandle

ROOT = Path(__file__).parents[2]
STAGES: list[tuple[str, str, list[int]]] = [
    ("a", "extract_export", []),
    ("b", "plan_import", []),
    ("a", "import_accounts", []),
    ("c", "import_group_profiles", []),
    ("b", "import_group_members", []),
    ("a", "import_direct_messages", [0]),
    ("b", "import_direct_messages", [1]),
    ("b", "import_group_messages", [0]),
    ("a", "import_group_messages", [1]),
    ("b", "set_unread_counts", []),
    ("c", "write_report", []),
]
"""(worker, stage, shard), in order."""
SETTINGS = {"shards": 2, "max_rejected_ratio": 1.0}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxHandle]:
    with chat_sandbox.running(retention_days=None) as handle:
        handle.set_rates(enabled=False)
        yield handle


def export() -> NeutralExport:
    """Groups and pairs for two shards, and rows that do not make it, at extraction and at delivery."""
    made = NeutralExport().user("ada", "bob", "cid")
    for number, group in enumerate(("quay", "pier", "lock")):
        made.group(group, "ada", "bob", "cid")
        for turn in range(5 + number):
            made.say(group, ("ada", "bob", "cid")[turn % 3], at(10 * turn))
    made.member("quay", "bob", unread_count=2)
    made.tell("ada", "bob", at(5)).tell("bob", "cid", at(6)).tell("bob", "ada", at(7))
    made.say("quay", "bob", at(70), text="")
    made.say("pier", "bob", at(80))
    made.messages[-1]["sent_at"] = "yesterday"
    made.group("show", "ada", type="avchatroom").say("show", "ada", at(90))
    return made


@dataclass
class Workers:
    """Workers with a home each, one ledger, and a stage."""

    folder: Path
    sandbox: SandboxHandle
    stage: str
    environment: dict[str, str] = field(default_factory=dict)
    alone: bool = False
    said: str = ""

    def home(self, worker: str) -> Path:
        return self.folder / ("home" if self.alone else f"home-{worker}")

    def connection(self) -> dict[str, Any]:
        app = self.sandbox.app
        return {
            "host": self.sandbox.url,
            "sdk_app_id": app.sdk_app_id,
            "admin": app.admin,
            "secret_key": app.secret_key,
            **QUICK,
        }

    def places(self, worker: str) -> dict[str, str]:
        return {
            "CHAT_MIGRATION_HOME": str(self.home(worker)),
            "CHAT_MIGRATION_STAGE": self.stage,
            "CHAT_MIGRATION_LEDGER_URL": f"sqlite:///{self.folder / 'ledger.sqlite'}",
        }

    def here(self, worker: str, **settings: Any) -> Run:
        """Return the run as a worker in this process has it."""
        return Run(
            run_id="run-1",
            settings=Settings.load({**SETTINGS, **settings}, {}),
            connection=TencentConnection.model_validate(self.connection()),
            home=Home.from_environment(self.places(worker)),
            clock=FastClock(self.sandbox.advance_clock),
        )

    def start(
        self, worker: str, stage: str, shards: list[int], **settings: Any
    ) -> subprocess.Popen[str]:
        """Start one stage in a process of its own."""
        told = {
            "stage": stage,
            "shards": shards,
            "run_id": "run-1",
            "settings": {**SETTINGS, **settings},
            "connection": self.connection(),
        }
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "CHAT_"))
        }
        paths = {"PYTHONPATH": f"{ROOT / 'include'}{os.pathsep}{ROOT}"}
        return subprocess.Popen(
            [sys.executable, "-m", "tests.store_shared.one_stage", json.dumps(told)],
            env=inherited | self.environment | self.places(worker) | paths,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def do(self, worker: str, stage: str, shards: list[int], **settings: Any) -> str:
        """Run one stage in a process of its own; return what it says."""
        with self.start(worker, stage, shards, **settings) as process:
            said, complained = process.communicate(timeout=120)
        self.said += said + complained
        assert process.returncode == 0, f"{stage}: {complained[-3000:]}"
        return said

    def run(self, path: str) -> dict[str, Any]:
        """Run all stages; return the report."""
        for worker, stage, shards in STAGES:
            self.do(worker, stage, shards, export_path=path)
        report = self.home("c") / "runs" / "run-1" / "report.json"
        found: dict[str, Any] = json.loads(report.read_text())
        return found

    def rejected(self) -> list[dict[str, Any]]:
        lines = (self.home("c") / "runs" / "run-1" / "rejected.jsonl").read_text().splitlines()
        return sorted(
            (json.loads(line) for line in lines), key=lambda line: (line["file"], line["line"])
        )


LASTING = (
    "rows",
    "reasons",
    "rows_read",
    "complete",
    "unfinished",
    "slots",
    "rejected_rows",
    "in_doubt",
    "placeholders",
)


@pytest.fixture(scope="module")
def alone(
    sandbox: SandboxHandle, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Any, Any]:
    """What a run on one machine comes to: its report, its rejected rows, the target."""
    sandbox.reset()
    folder = tmp_path_factory.mktemp("alone")
    workers = Workers(folder, sandbox, "", alone=True)
    run = workers.here("c", export_path=str(export().write(folder / "export")))
    for _, stage, shards in STAGES:
        getattr(stages, stage)(run, *shards)
    report = json.loads((run.folder / "report.json").read_text())
    assert report["complete"]
    assert (workers.home("c") / "stage" / "runs" / "run-1" / "plan").is_dir()
    return report, workers.rejected(), comparable(sandbox.dump())


def writes(report: dict[str, Any]) -> dict[str, int]:
    """Return the calls that change the target; how many look at it depends on who is first."""
    return {api: each["count"] for api, each in report["calls"].items() if each["writes"]}


def assert_same(
    workers: Workers, report: dict[str, Any], alone: tuple[dict[str, Any], Any, Any]
) -> None:
    assert {name: report[name] for name in LASTING} == {name: alone[0][name] for name in LASTING}
    assert writes(report) == writes(alone[0])
    assert workers.rejected() == alone[1]
    assert comparable(workers.sandbox.dump()) == alone[2]


def test_workers_with_homes_of_their_own_share_a_folder(
    sandbox: SandboxHandle, tmp_path: Path, alone: tuple[dict[str, Any], Any, Any]
) -> None:
    sandbox.reset()
    workers = Workers(tmp_path, sandbox, str(tmp_path / "shared"))
    report = workers.run(str(export().write(tmp_path / "export")))
    assert_same(workers, report, alone)
    assert not any(workers.home(name).joinpath("stage").exists() for name in "abc")
    copy = tmp_path / "shared" / "runs" / "run-1" / "report"
    assert json.loads((copy / "report.json").read_text()) == report
    assert {each.name for each in copy.iterdir()} == {
        "report.json",
        "report.html",
        "rejected.jsonl",
    }
    assert str(copy) in workers.said


def test_workers_with_homes_of_their_own_share_a_bucket(
    sandbox: SandboxHandle,
    tmp_path: Path,
    s3: dict[str, str],
    alone: tuple[dict[str, Any], Any, Any],
) -> None:
    import s3fs

    sandbox.reset()
    workers = Workers(tmp_path, sandbox, f"s3://{BUCKET}/migration/", s3)
    report = workers.run(str(export().write(tmp_path / "export")))
    assert_same(workers, report, alone)
    bucket = s3fs.S3FileSystem()
    copy = f"{BUCKET}/migration/runs/run-1/report/report.json"
    assert json.loads(bucket.cat_file(copy)) == report
    assert f"s3://{copy.removesuffix('.json')}.html" in workers.said
    assert SECRET not in workers.said
    assert s3["AWS_ACCESS_KEY_ID"] not in workers.said
    held = {name: [*workers.home(name).rglob("*.parquet")] for name in "abc"}
    assert not [file for file in held["c"] if file.name.startswith(("group-", "direct-"))]
    assert not [
        file for file in held["a"] if file.name in ("group-00.parquet", "direct-01.parquet")
    ]
    modes = {
        file.stat().st_mode & 0o077
        for name in "abc"
        for file in (workers.home(name), workers.home(name) / "cache")
    }
    assert modes == {0}


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_a_worker_that_is_killed_leaves_nothing_that_counts_and_another_one_takes_over(
    sandbox: SandboxHandle,
    tmp_path: Path,
    s3: dict[str, str],
    alone: tuple[dict[str, Any], Any, Any],
    kind: str,
) -> None:
    sandbox.reset()
    stage = f"s3://{BUCKET}/migration" if kind == "bucket" else str(tmp_path / "shared")
    workers = Workers(tmp_path, sandbox, stage, s3)
    path = str(export().write(tmp_path / "export"))
    for worker, name, shards in STAGES:
        if (name, shards) == ("import_group_messages", [0]):
            fault = sandbox.add_fault("slow", api="import_group_msg", seconds=60, effect="applied")
            with workers.start("c", name, shards, export_path=path) as process:
                while not any(each["fired"] for each in sandbox.faults()):
                    assert process.poll() is None, process.communicate()
                process.kill()
            sandbox.remove_fault(fault)
            parts = workers.here("c").artefacts.names("runs/run-1/parts")
            assert not [each for each in parts if each.endswith("group-00")]
        getattr(stages, name)(workers.here(worker, export_path=path), *shards)
    report = json.loads((workers.home("c") / "runs" / "run-1" / "report.json").read_text())
    assert {name: report[name] for name in LASTING} == {name: alone[0][name] for name in LASTING}
    assert workers.rejected() == alone[1]
    assert comparable(sandbox.dump()) == alone[2]


def test_an_export_in_a_bucket_is_the_same_extract_on_every_worker(
    sandbox: SandboxHandle, tmp_path: Path, s3: dict[str, str]
) -> None:
    import s3fs

    sandbox.reset()
    local = export().write(tmp_path / "export")
    s3fs.S3FileSystem().put(str(local), f"{BUCKET}/drops/2024", recursive=True)
    workers = Workers(tmp_path, sandbox, f"s3://{BUCKET}/migration", s3)
    path = f"s3://{BUCKET}/drops/2024/"
    results = [stages.extract_export(workers.here(each, export_path=path)) for each in "ab"]
    assert results[0].path == results[1].path
    assert results[0].rows == results[1].rows
    assert results[0].rows["group_messages"]["staged"] > 0
    assert stages.plan_import(workers.here("c")).rows["accounts"]


def test_a_dry_run_whose_plan_is_on_another_worker_reads_the_export_again(
    sandbox: SandboxHandle, tmp_path: Path, s3: dict[str, str]
) -> None:
    sandbox.reset()
    path = str(export().write(tmp_path / "export"))
    workers = Workers(tmp_path, sandbox, f"s3://{BUCKET}/migration", s3)
    for worker, stage in (("a", "extract_export"), ("b", "plan_import")):
        workers.environment = {**s3, "TMPDIR": str(tmp_path / worker)}
        (tmp_path / worker).mkdir()
        said = workers.do(worker, stage, [], export_path=path, dry_run=True)
    assert json.loads(said)["rows"]["group_messages"]
    assert not any(workers.home(name).exists() for name in "ab")
    assert [*(tmp_path / "b").iterdir()] == []


@pytest.mark.parametrize(
    ("stage", "changes", "code", "says"),
    [
        pytest.param("s3://no-such-bucket/x", {}, 2, "`s3://no-such-bucket/x` does not exist", id="no bucket"),
        pytest.param("s3://", {}, 2, "names no bucket", id="nothing"),
        pytest.param("quux://bucket/x", {}, 2, "no installed package can open", id="unknown kind"),
        pytest.param("zip::s3://bucket/x", {}, 2, "chains several", id="chained"),
        pytest.param(f"s3://{BUCKET}/x", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, 3, "refuses access: NoCredentialsError", id="no credentials"),
        pytest.param(f"s3://{BUCKET}/x", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}, 3, "gives no usable answer", id="no server"),
        pytest.param(f"s3://AKIAX:{SECRET}@{BUCKET}/x", {}, 2, "a password in its URL", id="a secret in the URL"),
        pytest.param("/dev/null/stage", {}, 2, "`/dev/null/stage` cannot be used", id="no folder"),
    ],
)  # fmt: skip
def test_a_stage_that_cannot_be_used_ends_the_run_before_any_call_in_one_sentence(
    sandbox: SandboxHandle, tmp_path: Path, s3: dict[str, str], monkeypatch: pytest.MonkeyPatch,
    stage: str, changes: dict[str, str], code: int, says: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 1)
    sandbox.reset()
    for name, value in changes.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    workers = Workers(tmp_path, sandbox, stage)
    run = workers.here("a", export_path=str(export().write(tmp_path / "e")))
    with pytest.raises(MigrationError, match=re.escape(says)) as caught:
        stages.extract_export(run)
    assert caught.value.exit_code == code
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert sandbox.stats()["calls"] == 0
