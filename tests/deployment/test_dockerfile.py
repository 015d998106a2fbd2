"""The image installs what the tests ran with, as nobody's root, and takes nothing along."""

from __future__ import annotations

import re
import tomllib

from tests.deployment.compose_file import ROOT, compose, filled_example

TEXT = (ROOT / "Dockerfile").read_text()
PINS = dict(
    line.split("==")
    for line in (ROOT / "requirements.txt").read_text().splitlines()
    if re.match(r"[\w.-]+==", line)
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
INSTRUCTIONS = [
    line.split(maxsplit=1)
    for line in re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE)).splitlines()
    if line.strip()
]


def _of(kind):
    return [rest for name, rest in INSTRUCTIONS if name == kind]


def test_every_instruction_is_one_of_the_format():
    known = {"ARG", "FROM", "ENV", "RUN", "COPY", "WORKDIR", "USER", "CMD"}
    assert {name for name, _ in INSTRUCTIONS} <= known


def test_it_installs_exactly_the_lock_and_then_this_project():
    installed = [run for run in _of("RUN") if "pip install" in run]
    assert installed == [
        "pip install --no-deps -r /build/requirements.txt && pip check",
        "pip install --no-deps /build && pip check",
    ]


def test_the_python_is_the_one_that_the_project_asks_for():
    version = re.search(r"^ARG PYTHON_VERSION=(3\.11\.\d+)$", TEXT, re.MULTILINE)
    assert version
    assert PROJECT["requires-python"] == ">=3.11,<3.12"
    assert all(base.startswith("python:${PYTHON_VERSION}-slim") for base in _of("FROM"))


def test_the_airflow_that_it_speaks_of_is_the_pinned_one():
    assert re.findall(r"apache/airflow:([\d.]+)-python3\.11", TEXT) == [PINS["apache-airflow"]]


def test_the_image_is_named_by_the_version_of_the_project():
    services = compose(filled_example())["services"].values()
    built = {service["image"] for service in services if "build" in service}
    assert built == {f"chat-migration:{PROJECT['version']}"}


def test_what_the_services_need_is_pinned():
    wanted = ["apache-airflow-providers-celery", "celery", "redis", "psycopg", "psycopg-binary"]
    assert [name for name in wanted if name not in PINS] == []


def test_it_ends_as_a_user_who_is_not_root():
    assert _of("USER") == ["50000:50000"]
    assert "useradd --uid 50000" in TEXT


def test_it_copies_only_what_exists_and_what_the_builder_is_given():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    copied = {
        source
        for copy in _of("COPY")
        if "--from" not in copy
        for source in copy.replace("--chown=airflow:airflow ", "").split()[:-1]
    }
    assert copied == allowed
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_every_folder_of_the_path_is_in_the_image():
    path = re.search(r"PYTHONPATH=(\S+)", TEXT)[1].split(":")
    destinations = {copy.split()[-1] for copy in _of("COPY")}
    assert len(path) == 3
    assert set(path) <= destinations


def test_volumes_are_mounted_on_folders_that_belong_to_the_user():
    volumes = compose(filled_example())
    mounted = {
        mount.split(":")[1]
        for service in volumes["services"].values()
        if "build" in service
        for mount in service["volumes"]
        if mount.split(":")[0] in volumes["volumes"]
    }
    assert mounted
    assert [path for path in mounted if path not in TEXT] == []


def test_it_holds_no_secret():
    assert re.findall(r"(?i)(?:password|secret|token|_key)\s*=\s*\S", TEXT) == []
