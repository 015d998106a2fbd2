"""Every call that changes or withdraws, every symptom: the target ends as after a clean run, and the table told how.

One run per API meets all its faults, each at a message of its own: what follows a fault is the call after it.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.builders_neutral import NeutralExport, at
from tests.delivery.changing import LATER, assert_shows, delete, edit, seen_between, seen_in
from tests.delivery.driving import SMALL, Ended, Migration, assert_adds_up
from tests.delivery.faults import SILENT, UNLISTED, Fault, of_api
from tests.delivery.interference import Answer

from chat_migration.delivery.calls import MOST_REPEATS
from chat_migration.errors import StoppedError
from chat_migration.targets.tencent_chat.codes import EDITS
from chat_migration.targets.tencent_chat.limits import APIS
from chat_migration.targets.tencent_chat.outcomes import WRITES, advice_for, is_repeatable
from chat_migration.targets.transport import HttpTransport
from chat_sandbox import Effect, FaultAction

ONE_BY_ONE = SMALL | {"parallel_calls": 1}
IMPATIENT_SECONDS = 0.25
MOST = max(len(of_api(api)) for api in EDITS)
OF_GROUPS = ("modify_group_msg", "group_msg_recall")
GROUP, DIRECT = "group_messages", "c2c_messages"


def kind_of(api: str) -> str:
    return GROUP if api in OF_GROUPS else DIRECT


def pair(number: int) -> NeutralExport:
    """A group and two people, with so many messages each."""
    export = NeutralExport().user("ada", "bob").group("jetty", "ada", "bob")
    for place in range(number):
        export.say("jetty", "ada", at(place))
    for place in range(number):
        export.tell("ada", "bob", at(place))
    return export


def changed(api: str, number: int, *, of: int = 0) -> NeutralExport:
    """Return :func:`pair` with so many messages edited or deleted, so that each needs a call of an API."""
    total = of or number
    export = pair(total)
    first = 1 if api in OF_GROUPS else total + 1
    for place in range(first, first + number):
        (edit if api.startswith("modify") else delete)(export, f"m{place:04d}")
    return export


@pytest.fixture
def imported(migration: Migration) -> Migration:
    """A migration whose runs are of one source and make one call after the other."""
    migration.settings["source_name"] = "old"
    migration.connection |= ONE_BY_ONE
    return migration


def bring(migration: Migration, export: NeutralExport) -> None:
    assert migration.run(export).error is None
    migration.sandbox.reset_stats()


def add(migration: Migration, api: str, fault: Fault, *, first: int = 1, last: int = 1) -> None:
    """Script a fault; calls that an earlier one took are not counted."""
    migration.sandbox.add_fault(api=api, first_call=first, last_call=last, **fault)


def assert_done(migration: Migration, ended: Ended, api: str, number: int) -> None:
    """Assert that everything came over and that the next run finds nothing to do."""
    assert ended.error is None, ended.error
    assert ended.report is not None
    assert_adds_up(ended.report)
    assert_shows(ended.world, changed(api, number), before=pair(number))
    outcome = "updated" if api.startswith("modify") else "withdrawn"
    assert ended.rows[kind_of(api)] == {outcome: number}
    migration.sandbox.clear_faults()
    assert migration.run(changed(api, number)).writes == 0


@pytest.mark.parametrize("api", EDITS)
def test_what_follows_is_what_the_table_says_and_the_target_ends_as_after_a_clean_run(
    imported: Migration, api: str
) -> None:
    faults = {name: each for name, each in of_api(api).items() if name not in SILENT}
    bring(imported, pair(len(faults)))
    for place, (_, fault) in enumerate(faults.values()):
        add(imported, api, fault, first=place + 1, last=place + 1)
    ended = imported.run(changed(api, len(faults)))
    assert ended.calls[api] == 2 * len(faults)
    assert all(each["fired"] == 1 for each in imported.sandbox.faults())
    let_everything_end(imported)
    calls = [call["api"] for call in imported.sandbox.stats()["recent_calls"]]
    told = [call["fault"] for call in imported.sandbox.stats()["recent_calls"]]
    for place, fault in enumerate(told):
        if fault:
            assert calls[place + 1] == api, fault
    assert_done(imported, ended, api, len(faults))


@pytest.mark.parametrize("api", EDITS)
def test_a_call_without_an_answer_in_time_is_made_again(
    imported: Migration, monkeypatch: pytest.MonkeyPatch, api: str
) -> None:
    faults = [each for name, each in of_api(api).items() if name in SILENT]
    bring(imported, pair(len(faults)))
    for place, (_, fault) in enumerate(faults):
        add(imported, api, fault, first=place + 1, last=place + 1)
    be_impatient(monkeypatch, api)
    ended = imported.run(changed(api, len(faults)))
    let_everything_end(imported)
    assert ended.calls[api] == 2 * len(faults)
    assert_done(imported, ended, api, len(faults))


def let_everything_end(migration: Migration) -> None:
    """Wait until the sandbox is done with every call, those that were given up too."""
    migration.sandbox.advance_clock(10)
    deadline = time.monotonic() + 20
    while any(call["result"] == "" for call in migration.sandbox.stats()["recent_calls"]):
        assert time.monotonic() < deadline
        time.sleep(0.005)


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
    assert all(is_repeatable(api) and APIS[api].writes and WRITES[api].key for api in EDITS)
    for api in EDITS:
        for symptom, _ in of_api(api).values():
            assert advice_for(api, symptom).value in (
                "try_again", "slow_down", "sign_again", "wait_locked",
            )  # fmt: skip


# --- the same answer again and again ------------------------------------------------------------


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize("api", EDITS)
def test_a_change_of_which_nobody_learns_the_effect_is_rejected_and_made_again_by_the_next_run(
    imported: Migration, api: str, effect: Effect
) -> None:
    bring(imported, pair(2))
    fault = {"action": FaultAction.ERROR, "code": 10002, "effect": effect}
    add(imported, api, fault, last=MOST_REPEATS + 1)
    ended = imported.run(changed(api, 2))
    assert ended.error is None
    assert ended.calls[api] == MOST_REPEATS + 2
    assert ended.reasons[kind_of(api)]["edit_unanswered"] == 1
    assert ended.rows[kind_of(api)]["rejected"] == 1
    again = imported.run(changed(api, 2))
    assert again.calls[api] == 1
    assert_shows(again.world, changed(api, 2), before=pair(2))
    assert imported.run(changed(api, 2)).writes == 0


@pytest.mark.parametrize("api", EDITS)
def test_an_api_that_never_answers_ends_the_run_and_the_next_one_completes(
    imported: Migration, api: str
) -> None:
    bring(imported, pair(2))
    imported.sandbox.add_fault(FaultAction.HTTP_ERROR, api=api)
    ended = imported.run(changed(api, 2))
    assert isinstance(ended.error, StoppedError)
    assert ended.error.exit_code == 3
    imported.sandbox.clear_faults()
    assert_done(imported, imported.run(changed(api, 2)), api, 2)


@pytest.mark.parametrize("name", list(UNLISTED))
@pytest.mark.parametrize("api", EDITS)
def test_a_code_that_no_page_lists_is_a_no_unless_the_target_shows_otherwise(
    imported: Migration, api: str, name: str
) -> None:
    bring(imported, pair(2))
    fault = UNLISTED[name][1]
    add(imported, api, fault, last=2)
    ended = imported.run(changed(api, 2))
    assert ended.error is None
    was_seen = api not in ("modify_group_msg", "modify_c2c_msg") and "effect" in fault
    if was_seen:
        assert ended.rows[kind_of(api)] == {"withdrawn": 2}
    else:
        assert ended.reasons[kind_of(api)] == {"edit_refused": 2}
    assert imported.run(changed(api, 2)).writes == 0, "it is not asked again"


REFUSALS = {
    "modify_group_msg": (10004, 10007, 80001, 80002, 20026, 20001),
    "group_msg_recall": (10004, 10007, 10032, 10033, 10030, 10031),
    "modify_c2c_msg": (20003, 20026, 80001, 93000, 90012, 90010),
    "admin_msgwithdraw": (20022, 90008, 90003, 20016, 90054),
}


@pytest.mark.parametrize(
    ("api", "code"), [(api, code) for api, codes in REFUSALS.items() for code in codes]
)
def test_what_is_refused_stays_as_it_is_and_is_asked_again_only_when_it_changes_again(
    imported: Migration, api: str, code: int
) -> None:
    bring(imported, pair(2))
    add(imported, api, {"action": FaultAction.ERROR, "code": code}, last=20)
    ended = imported.run(changed(api, 1, of=2))
    assert ended.error is None
    assert ended.reasons[kind_of(api)] == {"edit_refused": 1}
    assert ended.rows[kind_of(api)] == {"rejected": 1, "already_imported": 1}
    assert_shows(ended.world, pair(2), before=pair(2))
    imported.sandbox.clear_faults()
    again = imported.run(changed(api, 1, of=2))
    assert again.writes == 0
    assert again.reasons[kind_of(api)] == {"edit_refused": 1}
    other = edit(pair(2), "m0001" if api in OF_GROUPS else "m0003", "another text")
    ended = imported.run(other)
    assert ended.rows[kind_of(api)] == {"updated": 1, "already_imported": 1}
    assert_shows(ended.world, other, before=pair(2))


@pytest.mark.parametrize("api", EDITS)
def test_an_app_that_is_not_set_up_for_it_ends_the_run(imported: Migration, api: str) -> None:
    bring(imported, pair(1))
    add(imported, api, {"action": FaultAction.ERROR, "code": 10041})
    ended = imported.run(changed(api, 1))
    assert isinstance(ended.error, StoppedError)
    assert "console" in str(ended.error)
    assert_done(imported, imported.run(changed(api, 1)), api, 1)


# --- single items of a recall -------------------------------------------------------------------


def parted(**fields: Any) -> NeutralExport:
    """A message in several parts: they are recalled with one call."""
    export = NeutralExport().user("ada", "bob").group("jetty", "ada", "bob")
    return export.say("jetty", "ada", at(0), text="abcdefghij" * 200, **fields)


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize("code", [10002, 60008, 10023, 60011, 10030, 10031, 10032, 12345])
def test_an_item_that_fails_is_looked_at_and_asked_for_again(
    imported: Migration, code: int, effect: Effect
) -> None:
    imported.connection["max_body_bytes"] = 1000
    bring(imported, parted())
    item = {"action": FaultAction.ITEM_ERROR, "code": code, "effect": effect}
    add(imported, "group_msg_recall", item)
    ended = imported.run(parted(deleted_at=LATER))
    assert ended.error is None
    gone = [gone for _, gone in seen_in(ended.world, "jetty")]
    assert len(gone) > 2
    passing = code in (10002, 60008, 10023, 60011)
    is_refused = not passing and (effect is Effect.NONE or code == 10032)
    assert ended.rows[GROUP] == {"rejected" if is_refused else "withdrawn": 1}
    assert gone == [True] * (len(gone) - 1) + [passing or effect is Effect.APPLIED]
    assert ended.calls["group_msg_recall"] == (2 if passing else 1)
    assert imported.run(parted(deleted_at=LATER)).writes == 0


def test_an_item_that_says_that_the_app_is_not_set_up_for_it_ends_the_run(
    imported: Migration,
) -> None:
    bring(imported, pair(1))
    add(imported, "group_msg_recall", {"action": FaultAction.ITEM_ERROR, "code": 10041})
    assert isinstance(imported.run(changed("group_msg_recall", 1)).error, StoppedError)
    assert_done(imported, imported.run(changed("group_msg_recall", 1)), "group_msg_recall", 1)


def test_a_group_that_is_gone_ends_with_all_its_rows(imported: Migration) -> None:
    bring(imported, pair(2))
    for api in OF_GROUPS:
        imported.sandbox.add_fault(FaultAction.ERROR, api=api, code=10010)
    ended = imported.run(delete(changed("modify_group_msg", 1, of=2), "m0002"))
    assert ended.error is None
    assert ended.reasons[GROUP] == {"group_gone": 2}
    assert ended.rows[DIRECT] == {"already_imported": 2}


# --- what no page says --------------------------------------------------------------------------

HARMLESS = [
    {"recalled_again": "10030"},
    {"c2c_msg_key": "opaque"},
    {"c2c_key_direction": "either"},
    {"modify_missing": "ok_without_effect"},
    {"group_custom_data_read_back": "present"},
    {"random_sign": "signed"},
]


@pytest.mark.parametrize("positions", HARMLESS, ids=str)
@pytest.mark.parametrize("api", EDITS)
def test_changes_come_over_whatever_the_pages_leave_open(
    imported: Migration, api: str, positions: dict[str, str]
) -> None:
    bring(imported, pair(2))
    imported.sandbox.set_switches(positions)
    add(imported, api, {"action": FaultAction.DROP, "effect": Effect.APPLIED})
    assert_done(imported, imported.run(changed(api, 2)), api, 2)


@pytest.mark.parametrize("api", EDITS)
def test_an_app_that_changes_no_imported_messages_keeps_them_and_is_asked_once(
    imported: Migration, api: str
) -> None:
    bring(imported, pair(2))
    imported.sandbox.set_switches({"modify_imported": "20026", "recall_imported": "missing"})
    ended = imported.run(changed(api, 2))
    assert ended.error is None
    assert ended.reasons[kind_of(api)] == {"edit_refused": 2}
    assert_shows(ended.world, pair(2), before=pair(2))
    assert imported.run(changed(api, 2)).writes == 0


@pytest.mark.parametrize(
    "positions", [{}, {"recall_expired": "10030"}, {"modify_missing": "10004"}]
)
def test_what_has_expired_counts_as_withdrawn_and_cannot_be_changed(
    expiring_migration: Migration, positions: dict[str, str]
) -> None:
    migration = expiring_migration
    migration.settings["source_name"] = "old"
    migration.sandbox.set_switches(positions)
    now = migration.sandbox.now_ms()

    def export() -> NeutralExport:
        made = pair(2)
        for row in made.messages:
            row["sent_at"] = now - round(6.9 * 86_400_000) + (row["sent_at"] - at(0))
        return made

    bring(migration, export())
    migration.clock.sleep(86_400 / 2)
    every = delete(edit(delete(edit(export(), "m0001"), "m0002"), "m0003"), "m0004")
    ended = migration.run(every)
    assert ended.error is None, ended.error
    for kind in (GROUP, DIRECT):
        assert ended.rows[kind] == {"withdrawn": 1, "rejected": 1}
        assert ended.reasons[kind]["edit_refused"] == 1
    assert migration.run(every).writes == 0
    assert len(seen_between(ended.world, "ada", "bob")) == 2
