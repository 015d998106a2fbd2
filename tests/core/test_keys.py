"""Keys are the same everywhere and for ever, and no two things share one."""

from __future__ import annotations

import subprocess
import sys
from hashlib import blake2b
from pathlib import Path

import pytest

from chat_migration import keys

TRICKY = [
    pytest.param("slack", "group:C1", "1433558207.760577", id="plain"),
    pytest.param("", "", "", id="empty"),
    pytest.param("a:b", "group:1:2", "3:x", id="colons"),
    pytest.param("é", "topic:%F0/ü", "\U0001f600\u200d", id="unicode"),
    pytest.param("x", "group:g", "\ud800", id="lone-surrogate"),
    pytest.param("x\0", "group:g\n", "\0", id="control-characters"),
]


def netstrings(*parts: str) -> bytes:
    """Return what a key is made from, by the recipe's own words: each text after its length."""
    raws = [part.encode("utf-8", "surrogatepass") for part in parts]
    return b"".join(str(len(raw)).encode() + b":" + raw for raw in raws)


@pytest.mark.parametrize(("source", "conversation", "legacy_id"), TRICKY)
def test_a_message_key_is_the_recipe_of_version_1(
    source: str, conversation: str, legacy_id: str
) -> None:
    fed = netstrings(source, conversation, legacy_id)
    assert keys.KEY_VERSION == 1
    assert (
        keys.message_key(source, conversation, legacy_id)
        == blake2b(fed, digest_size=16).hexdigest()
    )


@pytest.mark.parametrize(("source", "conversation", "legacy_id"), TRICKY)
def test_a_shared_conversation_digest_gives_the_same_key_again_and_again(
    source: str, conversation: str, legacy_id: str
) -> None:
    shared = keys.conversation_digest(source, conversation)
    made = [keys.message_key_in(shared, each) for each in (legacy_id, "other", legacy_id)]
    assert made[0] == made[2] == keys.message_key(source, conversation, legacy_id)
    assert made[1] == keys.message_key(source, conversation, "other")


def test_recipes_of_other_keys_are_pinned() -> None:
    assert keys.vendor_random("48b442b219b548c7f6ce9347fb70f8b3", 0) == int.from_bytes(
        blake2b(
            netstrings("random", "48b442b219b548c7f6ce9347fb70f8b3", "0", "0"), digest_size=4
        ).digest()
    )
    hashed = blake2b(netstrings("id", "user", "Ünal", "2"), digest_size=12).hexdigest()
    assert keys.hashed_id("user", "Ünal", 2) == f"m{hashed}"
    assert (
        keys.content_hash("a", "")
        == blake2b(netstrings("a", ""), digest_size=8).hexdigest()
        != keys.content_hash("", "a")
    )


def test_keys_do_not_depend_on_the_process() -> None:
    code = (
        "from chat_migration.keys import *; print(message_key('s', 'group:ü', '7'),"
        " vendor_random('k', 1, 2), hashed_id('group', 'x'), content_hash('a', 'b'))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(Path(keys.__file__).parents[1]), "PYTHONHASHSEED": "12345"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert told.stdout.split() == [
        keys.message_key("s", "group:ü", "7"),
        str(keys.vendor_random("k", 1, 2)),
        keys.hashed_id("group", "x"),
        keys.content_hash("a", "b"),
    ]


def test_a_random_is_never_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    class Zero:
        def digest(self) -> bytes:
            return b"\0\0\0\0"

    monkeypatch.setattr(keys, "_digest", lambda *_: Zero())
    assert keys.vendor_random("k", 0) == 1


def test_candidates_and_parts_of_a_random_differ() -> None:
    made = {
        keys.vendor_random("k", part, candidate) for part in range(20) for candidate in range(20)
    }
    assert len(made) == 400


@pytest.mark.parametrize(
    ("shuffled", "ordered"),
    [
        pytest.param(["b", "10", "a", "9"], ["9", "10", "a", "b"], id="digits-first-by-value"),
        pytest.param(["007", "7", "07", "8"], ["7", "07", "007", "8"], id="then-by-length"),
        pytest.param(["00", "", "0"], ["0", "00", ""], id="zeros-and-nothing"),
        pytest.param(
            ["9" * 5000, "1" + "0" * 5000], ["9" * 5000, "1" + "0" * 5000], id="very-long"
        ),
        pytest.param(["٣", "10", "²", "z"], ["10", "z", "²", "٣"], id="other-digits-are-text"),
        pytest.param(["-1", "1.5", "+2", "1 "], ["+2", "-1", "1 ", "1.5"], id="signs-are-text"),
        pytest.param(
            ["\uffff", "\U00010000", "é"], ["é", "\uffff", "\U00010000"], id="utf-8-bytes"
        ),
    ],
)
def test_ids_of_one_instant_sort_as_the_input_contract_says(
    shuffled: list[str], ordered: list[str]
) -> None:
    assert sorted(shuffled, key=keys.order_key) == ordered
    assert sorted(shuffled, key=lambda each: keys.order_key(each).encode()) == ordered
