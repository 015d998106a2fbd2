"""The trigger form's Params against the settings they stand for."""

from __future__ import annotations

import typing

import pytest
from airflow.sdk.exceptions import ParamValidationError

from chat_migration.settings import Settings
from chat_migration_airflow import params as module
from chat_migration_airflow.params import import_params

PARAMS = import_params()
SETTINGS = {field.alias or name: field for name, field in Settings.model_fields.items()}


def test_every_setting_is_a_param_and_back():
    assert set(PARAMS) == set(SETTINGS)


def test_every_setting_has_its_place_in_the_form():
    assert set(module._LOOKS) == set(SETTINGS)


def test_sections_come_in_the_order_of_the_work():
    sections = list(dict.fromkeys(param.schema["section"] for param in PARAMS.values()))
    assert sections == [
        "What to move", "Nightly drops", "Pilot", "Rules", "Unread", "Safety and running",
    ]  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
def test_help_names_the_setting_and_what_it_does(name):
    assert PARAMS[name].schema["description_md"].startswith(f"**{name}**: ")
    assert PARAMS[name].schema["title"]


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, field in SETTINGS.items()
        if typing.get_origin(field.annotation) is typing.Literal
    ],
)
def test_choices_are_those_of_the_setting_each_with_a_label(name):
    choices = typing.get_args(SETTINGS[name].annotation)
    assert PARAMS[name].schema["enum"] == [None, *choices]
    assert set(PARAMS[name].schema["values_display"]) == {"null", *choices}
    assert set(module._LOOKS[name].labels) == set(choices)


@pytest.mark.parametrize("name", SETTINGS)
def test_not_set_is_always_allowed(name):
    assert PARAMS[name].resolve() is None


@pytest.mark.parametrize("name", SETTINGS)
def test_default_of_the_setting_is_allowed(name):
    default = Settings().model_dump(mode="json", by_alias=True)[name]
    if default != "":
        assert import_params()[name].resolve(default) == default


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("same_second", "drop"),
        ("shards", 0),
        ("shards", 65),
        ("shards", "two"),
        ("max_rejected_ratio", 1.5),
        ("dry_run", "yes"),
        ("conversations", [1]),
        ("from", "yesterday"),
        ("to", "2024-05-01T09:30:00"),
    ],
)
def test_bad_value_is_refused_before_the_run_exists(name, value):
    with pytest.raises(ParamValidationError):
        PARAMS[name].resolve(value)


@pytest.mark.parametrize(
    "instant", ["2024-05-01", "2024-05-01T09:30:00+08:00", "2024-05-01T01:30:00.000Z"]
)
def test_instants_are_dates_or_have_an_offset(instant):
    assert import_params()["from"].resolve(instant) == instant
    assert Settings.load({"from": instant}).window.start_ms is not None
