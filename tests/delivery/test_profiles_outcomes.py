"""Every call that changes a group that exists, every symptom: the group ends as after a clean run.

One run per API meets all its faults, each in a group of its own: what follows a fault is the call after it.
"""

from __future__ import annotations

from copy import deepcopy

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.delivery.driving import Ended, Migration, World, assert_adds_up
from tests.delivery.faults import SILENT, UNLISTED, Fault, of_api
from tests.delivery.interference import Answer

from chat_migration.errors import StoppedError
from chat_migration.targets.tencent_chat.codes import GROUP_CHANGES
from chat_migration.targets.tencent_chat.limits import APIS
from chat_migration.targets.tencent_chat.outcomes import WRITES, advice_for, is_repeatable
from chat_migration.targets.transport import HttpTransport
from chat_sandbox import FaultAction

IMPATIENT_SECONDS = 0.25


@pytest.fixture
def silent(migration: Migration) -> Migration:
    """A migration into an app whose notices are switched off, one call after the other, in large batches."""
    migration.sandbox.set_switch("tips", "off")
    migration.settings["sync_profiles"] = "after_messages"
    migration.connection |= {"parallel_calls": 1, "members_per_call": 20, "accounts_per_call": 100}
    return migration


def harbour_of(names: list[str]) -> NeutralExport:
    """Some groups of three."""
    export = NeutralExport().user("ada", "bob", "cid")
    for name in names:
        export.group(name, "ada", "bob", "cid", type="public", introduction="moored")
    return export


def changed(api: str, export: NeutralExport) -> NeutralExport:
    """Return an export with one change of each group, by a call of one API."""
    night = deepcopy(export)
    for group in night.groups:
        name = group["id"]
        match api:
            case "delete_group_member":
                night.member(name, "cid", left_at=at(500))
            case "modify_group_member_info":
                night.member(name, "cid", role="admin")
            case "change_group_owner":
                # Whoever owned the group before has left, so that nothing but the owner changes.
                group["owner_id"] = "bob"
                night.members = [
                    row
                    for row in night.members
                    if (row["group_id"], row["user_id"]) != (name, "ada")
                ]
            case _:
                group["name"] = f"new {name}"[:30]
    return night


def shown(world: World, name: str) -> tuple[str, str, dict[str, str]]:
    """Return name, owner and roles of a group."""
    group = world["groups"][name]
    roles = {user: member["role"] for user, member in sorted(group["members"].items())}
    return group["name"], group["owner"], roles


def expected(api: str, name: str) -> tuple[str, str, dict[str, str]]:
    """Return what :func:`shown` must be after the change."""
    roles = {"ada": "Owner", "bob": "Member", "cid": "Member"}
    match api:
        case "delete_group_member":
            del roles["cid"]
        case "modify_group_member_info":
            roles["cid"] = "Admin"
        case "change_group_owner":
            roles |= {"ada": "Member", "bob": "Owner"}
    shown_name = f"new {name}"[:30] if api == "modify_group_base_info" else name.upper()[:30]
    return shown_name, "bob" if api == "change_group_owner" else "ada", roles


def bring(migration: Migration, export: NeutralExport) -> None:
    assert migration.run(export).error is None
    migration.sandbox.reset_stats()


def add(migration: Migration, api: str, fault: Fault, group: str) -> None:
    migration.sandbox.add_fault(
        api=api, where={"GroupId": group}, first_call=1, last_call=1, **fault
    )


def assert_done(migration: Migration, ended: Ended, api: str, night: NeutralExport) -> None:
    """Assert that everything came over and that the next run finds nothing to do."""
    assert ended.error is None, ended.error
    assert ended.report is not None
    assert ended.report.complete
    assert_adds_up(ended.report)
    migration.sandbox.advance_clock(10)
    names = [group["id"] for group in night.groups]
    assert {name: shown(migration.sandbox.dump(), name) for name in names} == {
        name: expected(api, name) for name in names
    }
    kind = "groups" if api in ("change_group_owner", "modify_group_base_info") else "members"
    assert ended.rows[kind]["updated"] == len(names)
    migration.sandbox.clear_faults()
    assert migration.run(night).writes == 0


@pytest.mark.parametrize("api", GROUP_CHANGES)
def test_what_follows_is_what_the_table_says_and_the_groups_end_as_after_a_clean_run(
    silent: Migration, api: str
) -> None:
    faults = {name: each for name, each in of_api(api).items() if name not in SILENT}
    export = harbour_of([name.replace("_", "-") for name in faults])
    bring(silent, export)
    for name, (_, fault) in faults.items():
        add(silent, api, fault, name.replace("_", "-"))
    night = changed(api, export)
    ended = silent.run(night)
    assert ended.calls[api] == 2 * len(faults)
    assert all(each["fired"] == 1 for each in silent.sandbox.faults())
    calls = silent.sandbox.stats()["recent_calls"]
    followed = [
        calls[place + 1]["api"]
        for place, call in enumerate(calls)
        if call["api"] == api and call["fault"]
    ]
    assert followed == [api] * len(faults)
    assert_done(silent, ended, api, night)


@pytest.mark.parametrize("api", GROUP_CHANGES)
def test_a_call_without_an_answer_in_time_is_made_again(
    silent: Migration, monkeypatch: pytest.MonkeyPatch, api: str
) -> None:
    faults = {name: each for name, each in of_api(api).items() if name in SILENT}
    export = harbour_of([name.replace("_", "-")[:40] for name in faults])
    bring(silent, export)
    for name, (_, fault) in faults.items():
        add(silent, api, fault, name.replace("_", "-")[:40])
    be_impatient(monkeypatch, api)
    night = changed(api, export)
    ended = silent.run(night)
    assert ended.calls[api] == 2 * len(faults)
    assert_done(silent, ended, api, night)


def be_impatient(monkeypatch: pytest.MonkeyPatch, api: str) -> None:
    """Give every other call of an API a short timeout: it would take the connection's whole one otherwise."""
    send = HttpTransport.post
    seen: list[str] = []

    def post(self: HttpTransport, url: str, body: bytes, timeout_seconds: float) -> Answer:
        if f"/{api}?" in url:
            seen.append(api)
            timeout_seconds = IMPATIENT_SECONDS if len(seen) % 2 else timeout_seconds
        return send(self, url, body, timeout_seconds)

    monkeypatch.setattr(HttpTransport, "post", post)


def test_every_change_is_repeatable_and_every_symptom_of_it_is_tried() -> None:
    assert all(is_repeatable(api) and APIS[api].writes and WRITES[api].key for api in GROUP_CHANGES)
    for api in GROUP_CHANGES:
        for symptom, _ in of_api(api).values():
            assert advice_for(api, symptom).value in (
                "try_again", "slow_down", "sign_again", "wait_locked",
            )  # fmt: skip


@pytest.mark.parametrize("name", list(UNLISTED))
@pytest.mark.parametrize("api", GROUP_CHANGES)
def test_an_unlisted_code_ends_the_run_and_the_next_one_completes(
    silent: Migration, api: str, name: str
) -> None:
    _, fault = UNLISTED[name]
    export = harbour_of(["quay", "pier"])
    bring(silent, export)
    add(silent, api, fault, "quay")
    night = changed(api, export)
    ended = silent.run(night, run_id="again")
    assert isinstance(ended.error, StoppedError)
    assert ended.error.exit_code == 3
    assert ended.report is not None
    assert "profiles" in ended.report.unfinished
    assert_done(silent, silent.repeat(), api, night)


@pytest.mark.parametrize("api", GROUP_CHANGES)
def test_an_api_that_never_answers_ends_the_run_and_the_next_one_completes(
    silent: Migration, api: str
) -> None:
    export = harbour_of(["quay", "pier"])
    bring(silent, export)
    silent.sandbox.add_fault(FaultAction.HTTP_ERROR, api=api)
    night = changed(api, export)
    assert isinstance(silent.run(night, run_id="again").error, StoppedError)
    silent.sandbox.clear_faults()
    assert_done(silent, silent.repeat(), api, night)
