"""The repository as a whole: targets that explain themselves, pinned packages, nothing of one machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TARGETS = ["help", "install", "lock", "check", "test", "demo", "demo-reset", "up", "bench", "clean"]
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
    ".cfg",
    ".sh",
    ".html",
    ".css",
    ".js",
    ".json",
    "",
}
MACHINE_PATHS = re.compile(r"(?<![\w.~-])/(?:work|root|home/\w+|Users/\w+)/")
REGISTRIES = re.compile(
    r"--(?:extra-)?index-url|--trusted-host|pypi\.org/simple|://[^/\s]*(?:artifactory|nexus|mirror)\b"
)


def tracked():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = [Path(line) for line in listed.stdout.splitlines()]
    return [
        name
        for name in names
        if name.suffix in TEXT
        and name.parts[0] != "samples"
        and name != Path(__file__).relative_to(ROOT)
    ]


@pytest.mark.parametrize("target", TARGETS)
def test_every_make_target_says_what_it_does(target):
    shown = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert re.search(rf"^  make {target} +\S", shown, re.MULTILINE)


def test_make_alone_shows_the_help():
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "make demo" in shown


def test_continuous_integration_checks_and_tests():
    script = (ROOT / ".ci" / "run").read_text()
    assert script.startswith("#!/usr/bin/env bash")
    assert "set -euo pipefail" in script
    assert re.findall(r"^make (\w+)$", script, re.MULTILINE) == ["check", "test"]
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned(name):
    lines = [line.partition(" ;")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    wanted = [line for line in lines if line and not line.startswith(("#", "-c"))]
    assert wanted
    assert [line for line in wanted if not re.fullmatch(r"[\w.\[\],-]+==[\w.!+-]+", line)] == []


def test_runtime_requirements_are_part_of_the_development_ones():
    assert _pins("requirements.txt").items() <= _pins("requirements-dev.txt").items()


@pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="not a checkout: what is tracked is unknown"
)
def test_no_file_knows_one_machine_or_its_package_registry():
    found = []
    for name in tracked():
        for number, line in enumerate(
            (ROOT / name).read_text(errors="replace").splitlines(), start=1
        ):
            if MACHINE_PATHS.search(line) or REGISTRIES.search(line):
                found.append(f"{name}:{number}: {line.strip()}")
    assert found == []


def test_plugin_folder_hides_its_package_from_the_loader():
    assert (ROOT / "plugins" / ".airflowignore").read_text().split() == ["chat_migration_airflow/"]
    assert [each.name for each in (ROOT / "plugins").glob("*.py")] == ["chat_migration_plugin.py"]


def _pins(name):
    lines = (line.strip() for line in (ROOT / name).read_text().splitlines())
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
