"""Who may import whom, read off the syntax trees, and tried without Airflow."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INCLUDE = ROOT / "include"


def modules(package: str) -> list[Path]:
    """Return the files of a package, or the one file of a module."""
    place = INCLUDE.joinpath(*package.split("."))
    return sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]


def imports(file: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports, wherever the statement stands."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: relative import"
            yield from (f"{node.module}.{each.name}" for each in node.names)


def offences(package: str, *forbidden: str) -> list[str]:
    """Return who in a package imports what it must not."""
    return [
        f"{file.relative_to(INCLUDE)} imports {name}"
        for file in modules(package)
        for name in imports(file)
        if any(f"{name}.".startswith(f"{each}.") for each in forbidden)
    ]


CORE = "chat_migration"
PARTS = {part: f"{CORE}.{part}" for part in (
    "sources", "store", "targets", "ledger", "planning", "delivery", "extraction", "rebuild", "reporting",
    "cli",
)}  # fmt: skip
SHELL = ("airflow", "chat_sandbox", "chat_migration_airflow", "chat_migration_plugin")
NETWORK = ("requests", "urllib3", "http", "socket", "httpx", "urllib.request")


def parts(*names: str) -> tuple[str, ...]:
    return tuple(PARTS[name] for name in names)


ALONE = (
    "clock", "errors", "home", "keys", "model", "redaction", "stop", "text", "window", "settings",
)  # fmt: skip
READERS = (f"{CORE}.sources.neutral", f"{CORE}.sources.slack")
VENDORS = tuple(f"{PARTS['targets']}.{name}" for name in ("tencent_chat", "zego_zim"))
RULES = {
    "core": (CORE, SHELL),
    "sandbox": ("chat_sandbox", (CORE, "airflow", "chat_migration_airflow")),
    "sources": (
        PARTS["sources"],
        parts("targets", "ledger", "planning", "delivery", "extraction", "cli"),
    ),
    "targets": (
        PARTS["targets"],
        parts("ledger", "planning", "delivery", "sources", "store", "cli"),
    ),
    "ledger": (
        PARTS["ledger"],
        parts("targets", "sources", "planning", "delivery", "store", "cli"),
    ),
    "store": (
        PARTS["store"],
        (*READERS, *parts("targets", "ledger", "planning", "delivery", "cli")),
    ),
    "planning": (PARTS["planning"], (*NETWORK, *parts("delivery", "cli"))),
    "delivery": (PARTS["delivery"], (*NETWORK, *parts("sources", "rebuild", "cli"))),
    "rebuild": (PARTS["rebuild"], (*NETWORK, *parts("sources", "extraction", "cli"))),
    "connection": (
        f"{CORE}.connection",
        (
            *(part for name, part in PARTS.items() if name != "targets"),
            *VENDORS,
            f"{PARTS['targets']}.vendors",
        ),
    ),
    **{name: (f"{CORE}.{name}", tuple(PARTS.values())) for name in ALONE},
}


@pytest.mark.parametrize(("package", "forbidden"), RULES.values(), ids=RULES)
def test_a_package_keeps_to_its_side(package: str, forbidden: tuple[str, ...]) -> None:
    assert modules(package), "the package has files"
    assert offences(package, *forbidden) == []


def test_only_the_transport_talks_to_the_network() -> None:
    guilty = {
        file for file in modules(CORE) for name in imports(file) if name.split(".")[0] == "requests"
    }
    assert guilty == {INCLUDE / "chat_migration" / "targets" / "transport.py"}


def test_one_target_knows_nothing_of_another() -> None:
    folder = INCLUDE / "chat_migration" / "targets"
    names = {each.name for each in folder.iterdir() if (each / "__init__.py").exists()}
    assert "tencent_chat" in names
    for name in names:
        others = [f"{PARTS['targets']}.{other}" for other in names - {name}]
        assert offences(f"{PARTS['targets']}.{name}", *others) == []


def test_vendors_are_named_in_their_packages_and_one_table_alone() -> None:
    own = INCLUDE / "chat_migration" / "targets"
    guilty = [
        f"{file.relative_to(INCLUDE)} imports {name}"
        for file in modules(CORE)
        if file != own / "vendors.py" and file.parent.parent != own
        for name in imports(file)
        if name.startswith(tuple(f"{each}." for each in VENDORS))
    ]
    assert guilty == []


def test_one_source_knows_nothing_of_another() -> None:
    names = {"neutral", "slack"}
    for name in names:
        others = [f"{PARTS['sources']}.{other}" for other in names - {name}]
        assert offences(f"{PARTS['sources']}.{name}", *others) == []


def test_the_check_itself_sees_imports_wherever_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "guilty.py"
    file.write_text("def f():\n    import airflow.sdk\n    from chat_sandbox import running\n")
    assert [*imports(file)] == ["airflow.sdk", "chat_sandbox.running"]


@pytest.mark.parametrize(
    "module", ["chat_migration.stages", "chat_migration.cli.main", "chat_sandbox"]
)
def test_a_package_works_where_there_is_no_airflow(module: str) -> None:
    code = (
        "import sys\n"
        "class Nowhere:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'airflow':\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Nowhere())\n"
        f"import {module}\n"
        "print(*sorted(name for name in sys.modules if name.split('.')[0] == 'airflow'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(INCLUDE)},
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")
