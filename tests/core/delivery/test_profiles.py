"""What of a group differs, which rows say so, and how their counts are set right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chat_migration.delivery.profiles import difference
from chat_migration.delivery.tally import RowLine, Tally
from chat_migration.ledger.records import GroupRecord, MemberRecord
from chat_migration.ledger.states import EntityState
from chat_migration.model import Outcome, RecordType
from chat_migration.planning.changes import calls_for, changes_of, tells_the_past
from chat_migration.planning.tables import PlannedGroup, PlannedMember
from chat_migration.settings import Settings
from chat_migration.targets.base import ProfileChange, StoredProfile
from chat_migration.targets.rules import TargetRules
from chat_migration.targets.tencent_chat.rules import TencentRules
from chat_migration.targets.verbs import Verb
from chat_migration.targets.zego_zim.rules import ZimRules
from chat_migration.window import Window


def group(**changes: Any) -> PlannedGroup:
    fields: dict[str, Any] = {
        "conversation": "group:pier", "legacy_id": "pier", "group_id": "pier", "topic_id": "",
        "type": "public", "name": "Pier", "owner_id": "ada", "introduction": "", "notification": "",
        "avatar_url": "", "max_members": 2000, "stated_members": None, "join": None, "created_s": 1,
        "with_topics": False, "written_hash": "new", "outcome": "", "reason": "", "detail": "",
        "file": "groups.jsonl", "line": 1,
    }  # fmt: skip
    return PlannedGroup(**fields | changes)


def member(account: str, **changes: Any) -> PlannedMember:
    fields: dict[str, Any] = {
        "group_id": "pier", "account_id": account, "conversation": "group:pier",
        "legacy_id": f"pier/{account}", "role": "member", "joined_s": 2, "has_read_state": False,
        "first_unread_ms": None, "first_unread_order": "", "outcome": "", "reason": "",
        "file": "members.jsonl", "line": 1,
    }  # fmt: skip
    return PlannedMember(**fields | changes)


def record(**changes: Any) -> GroupRecord:
    fields: dict[str, Any] = {
        "conversation": "group:pier", "group_id": "pier", "type": "public", "created_s": 1,
        "state": EntityState.CREATED, "written_hash": "new", "run_id": "r1", "owner_id": "ada",
    }  # fmt: skip
    return GroupRecord(**fields | changes)


def known(role: str = "member", state: EntityState = EntityState.CREATED) -> MemberRecord:
    return MemberRecord(state=state, role=role, run_id="r1")


RULES = TencentRules(admin="administrator", max_body_bytes=12000)
ZIM = ZimRules(max_message_bytes=2048, retention_days=7)
ALL_FIELDS = TencentRules.group_fields
GONE = {"outcome": "skipped", "reason": "left"}


# --- fields -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "found", "sent"),
    [
        pytest.param({}, {}, {}, id="nothing"),
        pytest.param({"name": "Pier 9"}, {}, {"name": "Pier 9"}, id="name"),
        pytest.param({}, {"introduction": "theirs"}, {}, id="unstated-text-stays"),
        pytest.param({"introduction": "a"}, {"introduction": "a"}, {}, id="same-text"),
        pytest.param({"join": "free"}, {"join": None}, {"join": "free"}, id="join"),
        pytest.param({"join": None}, {"join": "free"}, {}, id="unstated-join-stays"),
        pytest.param({"max_members": 50}, {"max_members": 9}, {}, id="unstated-limit-stays"),
        pytest.param(
            {"max_members": 50, "stated_members": 40}, {"max_members": 9}, {"max_members": 50},
            id="stated-limit-holds-all-members",
        ),
        pytest.param(
            {"notification": "n", "avatar_url": "https://h.example/p.png"}, {},
            {"notification": "n", "avatar_url": "https://h.example/p.png"}, id="texts",
        ),
    ],
)  # fmt: skip
def test_only_what_a_row_states_and_the_target_holds_otherwise_is_written(
    stated: dict[str, Any], found: dict[str, Any], sent: dict[str, Any]
) -> None:
    there = StoredProfile(exists=True, **{"name": "Pier"} | found)
    change = difference(group(**stated), there, ALL_FIELDS)
    expected = ProfileChange(group_id="pier", type="public", **sent) if sent else None
    assert change == expected


def test_a_community_has_no_join_option_to_change() -> None:
    there = StoredProfile(exists=True, name="Pier", join="closed")
    assert difference(group(type="community", join="free"), there, ALL_FIELDS) is None


def test_what_a_target_does_not_keep_is_no_difference() -> None:
    row = group(introduction="a", notification="n", join="free", stated_members=40, name="Pier 9")
    change = difference(row, StoredProfile(exists=True), {"name", "notification", "avatar_url"})
    assert change == ProfileChange(group_id="pier", type="public", name="Pier 9", notification="n")
    assert difference(row, StoredProfile(exists=True), {"avatar_url"}) is None


# --- what differs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "has", "calls"),
    [
        pytest.param(member("bob"), known(), 0, id="same"),
        pytest.param(member("bob", role="admin"), known(), 1, id="named-admin"),
        pytest.param(member("bob"), known("admin"), 1, id="no-admin-any-more"),
        pytest.param(member("bob"), known(""), 1, id="only-the-target-knows"),
        pytest.param(member("bob"), known("owner"), 0, id="owner-is-changed-by-the-group"),
        pytest.param(member("bob", role="owner"), known(), 0, id="never-made-owner"),
        pytest.param(member("bob", role="admin"), None, 0, id="no-member"),
        pytest.param(member("bob", role="admin"), known(state=EntityState.LEFT), 0, id="left"),
        pytest.param(member("bob", role="admin", **GONE), known(), 0, id="leaving"),
    ],
)
def test_a_role_is_set_where_it_differs(
    row: PlannedMember, has: MemberRecord | None, calls: int
) -> None:
    changes = changes_of(group(), record(), [row], {"bob": has} if has else {}, RULES)
    assert len(changes.roles) == calls
    assert calls_for(changes, removals_per_call=100).get(Verb.CHANGE_ROLE, 0) == calls


@pytest.mark.parametrize(
    ("kind", "rules", "calls"), [("private", RULES, 0), ("public", RULES, 1), ("private", ZIM, 1)]
)
def test_no_role_is_set_in_a_group_whose_type_has_no_admins(
    kind: str, rules: TargetRules, calls: int
) -> None:
    rows = [member("bob"), member("ada")]
    changes = changes_of(
        group(type=kind, owner_id="cid"), record(owner_id="ada"), rows, {"bob": known("")}, rules
    )
    assert len(changes.roles) == calls
    assert calls_for(changes, removals_per_call=100)[Verb.CHANGE_ROLE] == 2 * calls


@pytest.mark.parametrize("state", list(EntityState))
def test_only_who_is_a_member_by_the_ledger_is_removed(state: EntityState) -> None:
    changes = changes_of(
        group(), record(), [member("bob", **GONE)], {"bob": known(state=state)}, RULES
    )
    is_there = state in (EntityState.CREATED, EntityState.ADOPTED)
    assert [each.account_id for each in changes.leavers] == (["bob"] if is_there else [])


@pytest.mark.parametrize(
    ("owner", "written", "hash_of_written", "differs"),
    [
        ("ada", "ada", "old", False),
        ("bob", "ada", "new", True),
        ("", "ada", "old", False),
        ("bob", "", "new", False),
        ("bob", "", "old", True),
    ],
)
def test_an_owner_differs_from_the_one_last_written(
    owner: str, written: str, hash_of_written: str, *, differs: bool
) -> None:
    there = record(owner_id=written, written_hash=hash_of_written)
    assert changes_of(group(owner_id=owner), there, [], {}, RULES).owner is differs


def test_a_placeholder_group_has_no_profile() -> None:
    assert not changes_of(group(file=""), record(written_hash="old"), [], {}, RULES).any


def test_a_group_without_changes_needs_no_call() -> None:
    assert calls_for(changes_of(group(), record(), [], {}, RULES), removals_per_call=100) == {}


# --- exports of the past ------------------------------------------------------------------------


class Windows:
    """A ledger's complete windows, and the one of this run."""

    def __init__(self, own: Window | None, *complete: Window) -> None:
        self._own, self._complete = own, list(complete)

    def window_of_run(self, run_id: str) -> Window | None:
        """Return this run's."""
        assert run_id == "r1"
        return self._own

    def complete_windows(self, source_name: str) -> list[Window]:
        """Return those of the source."""
        assert source_name == "neutral"
        return self._complete


DAY = 86_400_000


@pytest.mark.parametrize(
    ("path", "windows", "past"),
    [
        ("drops/{date}", Windows(Window(0, DAY), Window(DAY, 2 * DAY)), True),
        ("drops/{date}", Windows(Window(DAY, 2 * DAY), Window(0, 2 * DAY)), False),
        ("drops/{date}", Windows(Window(0, None), Window(0, DAY)), False),
        ("drops/{date}", Windows(None, Window(0, DAY)), False),
        ("folder", Windows(Window(0, DAY), Window(DAY, 2 * DAY)), False),
    ],
)
def test_a_drop_of_before_what_is_complete_tells_the_past(
    path: str, windows: Windows, *, past: bool
) -> None:
    settings = Settings.load({"export_path": path}, {})
    assert tells_the_past(settings, "r1", windows) is past


# --- counts -------------------------------------------------------------------------------------


def line(outcome: Outcome, reason: str = "") -> RowLine:
    return RowLine(record_type=RecordType.MEMBERS, outcome=outcome, reason=reason, file="m", line=3)


def test_a_row_counted_otherwise_is_taken_off_what_it_was_counted_as(tmp_path: Path) -> None:
    with Tally(tmp_path / "rows.jsonl") as tally:
        tally.correct(line(Outcome.UPDATED, "removed"), Outcome.SKIPPED, "left")
        tally.correct(line(Outcome.SKIPPED, "left"), Outcome.SKIPPED, "left")
        part = tally.part("profiles", 0, {}, 0)
    assert part.rows == {"members": {"updated": 1}}
    assert part.reasons == {"members": {"removed": 1}}
    assert part.instead == {"members": {"skipped": 1}}
    assert part.instead_reasons == {"members": {"left": 1}}
    listed = (tmp_path / "rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(listed) == 1, (
        "who stays as counted still gets the line that the earlier stage left out"
    )


def test_work_that_was_begun_and_not_ended_is_told(tmp_path: Path) -> None:
    with Tally(tmp_path / "rows.jsonl") as tally:
        tally.begin_work(3)
        tally.end_work()
        assert tally.part("profiles", 0, {}, 0).open_work == 2
