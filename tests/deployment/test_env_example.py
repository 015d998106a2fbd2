"""`.env.example` documents every variable of the compose files, and a copy that nobody filled in starts nothing."""

from __future__ import annotations

import re

import pytest
from tests.deployment.compose_file import (
    COMPOSE,
    ENV_EXAMPLE,
    ROOT,
    SEVERAL_MACHINES,
    MissingVariableError,
    compose,
    example,
    filled_example,
    strings,
    template,
    variables,
)

from chat_migration.targets.vendors import VENDORS

REQUIRED = sorted(name for name, rules in variables().items() if ":?" in rules)
EXTRA = {"PRIVATE_ADDRESS": "10.0.0.1", "NFS_SERVER": "10.0.0.2", "NFS_PATH": "/shared"}


def test_every_variable_is_documented_and_every_documented_one_is_used():
    assert set(variables(COMPOSE, SEVERAL_MACHINES)) == set(example(with_optional=True))


def test_variables_are_written_one_way_throughout():
    for name, rules in variables(COMPOSE, SEVERAL_MACHINES).items():
        assert len(set(rules)) == 1, name
        assert rules[0] in {":-", ":?", "passed on"}, name


@pytest.mark.parametrize("name", REQUIRED)
def test_a_needed_variable_that_is_empty_or_missing_stops_compose_with_its_name(name):
    given = filled_example()
    for env in ({**given, name: ""}, {key: each for key, each in given.items() if key != name}):
        with pytest.raises(MissingVariableError, match=rf"{name} is missing .*\.env"):
            compose(env)


def test_the_example_itself_holds_no_secret():
    assert [name for name, value in example().items() if name in REQUIRED and value] == []
    for name in example():
        assert (name in REQUIRED) == bool(re.search(r"PASSWORD|SECRET|_KEY$", name)), name


def test_defaults_of_the_compose_file_are_those_of_the_example():
    shown = example()
    for text in strings(template()):
        for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", text):
            assert shown[name] == default, name


def test_a_filled_in_example_leaves_nothing_open():
    for paths in ((COMPOSE,), (COMPOSE, SEVERAL_MACHINES)):
        for text in strings(compose(filled_example() | EXTRA, *paths)):
            assert "${" not in text


@pytest.mark.parametrize("kind", VENDORS.values(), ids=VENDORS)
def test_the_example_of_each_target_is_a_connection(kind):
    assert kind.from_environment(example(with_optional=True)).target == kind.target


def test_a_connection_that_is_not_set_is_not_passed_on_empty():
    worker = compose(filled_example())["services"]["airflow-worker"]["environment"]
    assert not {kind.variable for kind in VENDORS.values()} & set(worker)
    assert "AWS_SECRET_ACCESS_KEY" not in worker


def test_the_filled_in_file_is_ignored_by_git_and_by_the_image():
    assert ".env" in (ROOT / ".gitignore").read_text().split()
    assert (ROOT / ".dockerignore").read_text().splitlines().count("**/.env") == 1
    assert ENV_EXAMPLE.name == ".env.example"
