"""What Airflow reads to offer the connection type."""

from __future__ import annotations

import json
from importlib import metadata, resources

import jsonschema
import pytest

from chat_migration.targets.vendors import VENDORS
from chat_migration_airflow.hooks import HOOKS
from chat_migration_airflow.provider import get_provider_info

DECLARED = {each["connection-type"]: each for each in get_provider_info()["connection-types"]}
REQUIRED = {"tencent": {"sdk_app_id"}, "zim": {"retention_days"}}
RATES = {"tencent": "190", "zim": "19"}

every_target = pytest.mark.parametrize("target", VENDORS)


def fields(target):
    """Return the extras of a target's connection, as Airflow's form shows them."""
    return DECLARED[VENDORS[target].conn_type]["conn-fields"]


def test_entry_point_names_the_provider():
    (found,) = metadata.distribution("chat-migration").entry_points.select(
        group="apache_airflow_provider"
    )
    assert found.load() is get_provider_info


def test_provider_info_follows_the_schema_of_airflow():
    schema = json.loads(
        resources.files("airflow").joinpath("provider_info.schema.json").read_text()
    )
    jsonschema.validate(get_provider_info(), schema)


def test_every_target_has_a_connection_type_and_a_hook():
    assert set(DECLARED) == {each.conn_type for each in VENDORS.values()}
    assert set(HOOKS) == set(VENDORS)


@every_target
def test_connection_type_is_that_of_the_hook(target):
    hook, declared = HOOKS[target], DECLARED[VENDORS[target].conn_type]
    assert declared["hook-class-name"] == f"{hook.__module__}.{hook.__qualname__}"
    assert declared["connection-type"] == hook.conn_type == hook.typed.conn_type
    assert declared["hook-name"] == hook.hook_name == hook.typed.title
    assert f"AIRFLOW_CONN_{hook.default_conn_name.upper()}" == hook.typed.variable


@every_target
def test_every_extra_of_the_connection_is_a_field_with_label_and_help(target):
    of = VENDORS[target]
    assert set(fields(target)) == set(of.model_fields) - set(of.parts)
    shown = fields(target).items()
    assert all(field["label"] != name and field["description"] for name, field in shown)


@every_target
def test_only_what_has_no_default_must_be_filled_in_and_stands_first(target):
    shown = fields(target)
    required = [name for name, field in shown.items() if "null" not in field["schema"]["type"]]
    assert set(required) == REQUIRED[target]
    assert list(shown)[: len(required)] == required


@every_target
def test_defaults_are_told_not_stored(target):
    assert not any("default" in field["schema"] for field in fields(target).values())
    told = fields(target)["calls_per_second"]["description"]
    assert told.endswith(f"Empty: {RATES[target]}.")
