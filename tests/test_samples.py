"""The sample exports hold what their descriptions say, and name no real person."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import json
import re
import sys
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SLACK = ROOT / "samples" / "slack-houstondatavis"
HARBOUR = ROOT / "samples" / "neutral-harbour"
ELEMENTS = {"text", "face", "location", "custom", "image", "sound", "file", "video"}
REQUIRED = {
    "text": ("text",),
    "face": ("index",),
    "location": ("latitude", "longitude"),
    "custom": ("data",),
    **dict.fromkeys(("image", "sound", "file", "video"), ("url",)),
}

Row = dict[str, Any]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """Return scripts/pseudonymise_slack.py as a module."""
    path = ROOT / "scripts" / "pseudonymise_slack.py"
    spec = importlib.util.spec_from_file_location("pseudonymise_slack", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their own module up
    spec.loader.exec_module(module)
    return module


# --- the Slack export ---------------------------------------------------------------------------


def slack(name: str) -> list[Row]:
    """Return one of the tables at the root of the Slack export."""
    rows: list[Row] = json.loads((SLACK / name).read_text(encoding="utf-8"))
    return rows


@pytest.fixture(scope="module")
def slack_messages() -> list[Row]:
    """Return all messages of the Slack export."""
    return [m for path in SLACK.glob("*/*.json") for m in json.loads(path.read_text("utf-8"))]


def test_slack_counts(slack_messages: list[Row]) -> None:
    assert len(slack("channels.json")) == 16
    assert len({path.parent.name for path in SLACK.glob("*/*.json")}) == 16
    assert len(slack("users.json")) == 71
    assert len(slack_messages) == 1382
    assert sum("edited" in message for message in slack_messages) == 37
    reactions = [r for message in slack_messages for r in message.get("reactions", [])]
    assert (len(reactions), sum(len(r["users"]) for r in reactions)) == (119, 199)


def test_slack_users_are_pseudonyms_of_their_ids(script: ModuleType) -> None:
    users = slack("users.json")
    names = script.pseudonyms(user["id"] for user in users)
    assert len({name.handle for name in names.values()}) == 71
    for user in users:
        name, profile = names[user["id"]], user["profile"]
        assert user["name"] == name.handle
        assert profile["email"] == name.email
        assert (profile.get("first_name") or name.first) == name.first
        assert (profile.get("last_name") or name.last) == name.last
        for real_name in (user.get("real_name"), profile["real_name"]):
            assert real_name in (None, "", name.first, name.full)


def test_slack_labels_bear_the_handle_of_their_id(slack_messages: list[Row]) -> None:
    handles = {user["id"]: user["name"] for user in slack("users.json")}
    texts = "\n".join(f"{m['text']}\n{m.get('username', '')}" for m in slack_messages)
    labels = re.findall(r"<@(U\w+)\|([^>]*)>", texts)
    assert len(labels) > 400
    assert all(handles[user_id] == label for user_id, label in labels)


def test_slack_files_leak_nothing(script: ModuleType) -> None:
    assert script.leaks(SLACK) == []
    for path in SLACK.rglob("*"):
        text = path.read_text("utf-8").replace("\\/", "/") if path.is_file() else ""
        assert not re.search(r"xox[a-z]|gravatar|githubusercontent|profile_images", text), path
        assert set(re.findall(r"//(avatars?\d*\.[\w.-]+)", text)) <= {"avatars.example.invalid"}


def test_pseudonyms_do_not_depend_on_outsiders(script: ModuleType) -> None:
    alone, beside = script.pseudonyms(["U1", "U2"]), script.pseudonyms(["U2", "U1"], ["a", "b"])
    assert {key: beside[key] for key in alone} == alone


def test_script_replaces_people_and_nothing_else(script: ModuleType, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "general").mkdir(parents=True)
    profile = {"first_name": "Quillan", "last_name": "Back", "email": "q@real.example"}
    user = {"id": "U00000001", "name": "qback", "real_name": "Quillan Back", "profile": profile}
    text = (
        "<@U00000001|qback> aka Quillan Back: QUILLAN is back, see https://github.com/qback/x, "
        "http://qback.com/a, q@real.example, @qback, @stranger, (212) 555-1234, <@U00000001>"
    )
    message = {"type": "message", "user": "U00000001", "ts": "1.000001", "text": text}
    (source / "users.json").write_text(json.dumps([user]))
    (source / "general" / "2024-05-01.json").write_text(json.dumps([message], indent=4))

    assert script.main([str(source), str(target)]) == 0
    (new,) = script.load(target / "general" / "2024-05-01.json")
    name = script.pseudonyms(["U00000001"])["U00000001"]
    assert {**new, "text": text} == message
    assert new["text"].startswith(
        f"<@U00000001|{name.handle}> aka {name.full}: {name.first.upper()} is back, "
        f"see https://github.com/{name.handle}/x, http://{name.host}/a, {name.email}, "
        f"@{name.handle}"
    )
    assert new["text"].endswith("<@U00000001>")
    assert "stranger" not in new["text"]
    assert "212" not in new["text"]

    (target / "general" / "2024-05-01.json").write_text(json.dumps([message]))
    problems = script.check(source, target)
    assert any("qback" in problem for problem in problems)
    assert any("real.example" in problem for problem in problems)


# --- the neutral export -------------------------------------------------------------------------


def rows_of(path: Path) -> list[Row]:
    """Return the rows of a table file, empty CSV cells left out."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    text = data.decode("utf-8")
    if ".jsonl" in path.name:
        return [json.loads(line) for line in text.splitlines()]
    nested = ("elements", "extra", "topics", "custom")
    rows = csv.DictReader(text.splitlines(keepends=True), strict=True)
    return [{k: json.loads(v) if k in nested else v for k, v in r.items() if v} for r in rows]


def elements_of(row: Row) -> list[Row]:
    """Return the elements of a message row."""
    elements: list[Row] | None = row.get("elements")
    return elements or ([{"type": "text", "text": row["text"]}] if "text" in row else [])


def instant_ms(value: str | int) -> int:
    """Return an instant as epoch milliseconds; fail for a form that the contract does not allow."""
    if isinstance(value, str) and not value.isdigit():
        parsed = datetime.fromisoformat(value)
        assert parsed.tzinfo
        return round(parsed.timestamp() * 1000)
    assert int(value) >= 10**11
    return int(value)


@pytest.fixture(scope="module")
def tables() -> dict[str, list[Row]]:
    """Return the tables but the messages."""
    names = ("users.jsonl", "groups.csv", "members.jsonl", "direct_reads.jsonl")
    return {name.partition(".")[0]: rows_of(HARBOUR / name) for name in names}


@pytest.fixture(scope="module")
def messages() -> list[Row]:
    """Return the message rows of all three days, in order of file and line."""
    return [row for path in sorted((HARBOUR / "messages").iterdir()) for row in rows_of(path)]


def test_harbour_counts(tables: dict[str, list[Row]]) -> None:
    counts = {name: len(rows) for name, rows in tables.items()}
    assert counts == {"users": 12, "groups": 5, "members": 39, "direct_reads": 11}
    days = {path.name: len(rows_of(path)) for path in (HARBOUR / "messages").iterdir()}
    assert days == {"2024-05-01.jsonl": 51, "2024-05-02.jsonl.gz": 55, "2024-05-03.csv": 44}


def test_harbour_instants_are_of_an_allowed_form(
    tables: dict[str, list[Row]], messages: list[Row]
) -> None:
    rows = [*messages, *(row for rows in tables.values() for row in rows)]
    values = [v for row in rows for k, v in row.items() if k.endswith("_at")]
    values += [topic["created_at"] for row in rows for topic in row.get("topics", [])]
    assert all(instant_ms(value) for value in values)
    assert {type(value) for value in values} == {int, str}


def test_harbour_messages_keep_the_contract(messages: list[Row]) -> None:
    for row in messages:
        assert row["id"]
        assert row["sender_id"]
        assert row["sent_at"]
        assert ("group_id" in row) != ("recipient_id" in row), row["id"]
        assert row["sender_id"] != row.get("recipient_id")
        assert row.get("kind", "message") in ("message", "system")
        assert elements_of(row) or "deleted_at" in row, row["id"]
        for element in elements_of(row):
            assert all(element.get(field) not in (None, "") for field in REQUIRED[element["type"]])


def test_harbour_has_all_elements_in_groups_and_one_to_one(messages: list[Row]) -> None:
    seen: dict[bool, set[str]] = defaultdict(set)
    for row in messages:
        seen["group_id" in row].update(element["type"] for element in elements_of(row))
    assert seen == {True: ELEMENTS, False: ELEMENTS}


def test_harbour_rows_belong_together(tables: dict[str, list[Row]], messages: list[Row]) -> None:
    groups = {group["id"]: group for group in tables["groups"]}
    assert {group["type"] for group in groups.values()} == {
        "private", "public", "chatroom", "community",
    }  # fmt: skip
    assert {topic["id"] for topic in groups["c-regatta"]["topics"]} == {
        row["topic_id"] for row in messages if "topic_id" in row
    }
    known = {message["id"] for message in messages}
    assert all(row["reply_to"] in known for row in messages if "reply_to" in row)
    members = {(row["group_id"], row["user_id"]) for row in tables["members"]}
    for row in messages:
        if row.get("group_id") in groups and row.get("kind") != "system":
            assert (row["group_id"], row["sender_id"]) in members, row["id"]
    pairs = {
        frozenset((r["sender_id"], r["recipient_id"])) for r in messages if "recipient_id" in r
    }
    assert all(frozenset((r["user_id"], r["peer_id"])) in pairs for r in tables["direct_reads"])
    assert len(pairs) >= 4


def test_harbour_shows_the_awkward_cases(tables: dict[str, list[Row]], messages: list[Row]) -> None:
    users = {user["id"] for user in tables["users"]}
    assert any(len(user) > 32 and user.isascii() for user in users)
    assert any(not user.isascii() for user in users)
    assert [user["id"] for user in tables["users"] if user.get("deleted")] == ["hannah.lee"]
    assert {row["sender_id"] for row in messages} - users == {"pilot-station"}
    groups = {row["group_id"] for row in messages if "group_id" in row}
    assert groups - {group["id"] for group in tables["groups"]} == {"g-old-slipway"}
    assert sum(row.get("kind") == "system" for row in messages) == 2
    assert sum("deleted_at" in row for row in messages) == 3
    assert sum("edited_at" in row for row in messages) == 3
    assert sum(count - 1 for count in Counter(row["id"] for row in messages).values()) == 4
    assert [row["id"] for row in messages if len(row.get("text", "").encode()) > 12_000] == [
        "240502007"
    ]
    seconds: dict[tuple[str, int], set[str]] = defaultdict(set)
    for row in messages:
        seconds[row.get("group_id", ""), instant_ms(row["sent_at"]) // 1000].add(row["id"])
    assert max(len(ids) for (group, _), ids in seconds.items() if group) >= 4


def test_expected_md_names_only_ids_that_exist(messages: list[Row]) -> None:
    text = (HARBOUR / "EXPECTED.md").read_text(encoding="utf-8")
    named = set(re.findall(r"\b2405\d\d(?:\d{3}|-\w+)\b", text))
    assert named
    assert named <= {row["id"] for row in messages}
