"""What Airflow reads to offer the connection type."""

from __future__ import annotations

import json
from importlib import metadata, resources

import jsonschema

from chat_migration.connection import TencentConnection
from chat_migration_airflow.hooks.tencent_chat import TencentChatHook
from chat_migration_airflow.provider import get_provider_info

(CONNECTION,) = get_provider_info()["connection-types"]
FIELDS = CONNECTION["conn-fields"]


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


def test_connection_type_is_that_of_the_hook():
    path = f"{TencentChatHook.__module__}.{TencentChatHook.__qualname__}"
    assert CONNECTION["hook-class-name"] == path
    assert CONNECTION["connection-type"] == TencentChatHook.conn_type
    assert CONNECTION["hook-name"] == TencentChatHook.hook_name


def test_every_extra_of_the_connection_is_a_field_with_label_and_help():
    assert set(FIELDS) == set(TencentConnection.model_fields) - {"host", "admin", "secret_key"}
    assert all(field["label"] != name and field["description"] for name, field in FIELDS.items())


def test_only_the_app_id_must_be_filled_in():
    required = {name for name, field in FIELDS.items() if "null" not in field["schema"]["type"]}
    assert required == {"sdk_app_id"}


def test_defaults_are_told_not_stored():
    assert not any("default" in field["schema"] for field in FIELDS.values())
    assert FIELDS["calls_per_second"]["description"].endswith("Empty: 190.")
