"""Legacy ids keep their name where they can; no two share one; what is known never changes."""

from __future__ import annotations

import pytest

from chat_migration.keys import hashed_id
from chat_migration.planning.identities import assign
from chat_migration.targets.tencent_chat.rules import TencentRules

RULES = TencentRules(admin="administrator", max_body_bytes=12000)


def account_id(legacy: str, attempt: int) -> str:
    """Return the account id for a legacy id, as planning makes it."""
    if attempt == 0 and RULES.accepts_user_id(legacy):
        return legacy
    return hashed_id("user", legacy, attempt)


def colliding(legacy: str, attempt: int) -> str:
    """Return an id whose first letter alone counts, so that many collide."""
    return legacy[:1] + "'" * attempt


@pytest.mark.parametrize(
    "legacy",
    ["U0A1", "a", "x" * 32, "a b", "~!@#$%^&*()", "Administrator", "administrator2"],
)
def test_an_id_that_the_target_accepts_is_kept(legacy: str) -> None:
    assert assign([legacy], {}, account_id) == {legacy: legacy}


@pytest.mark.parametrize(
    "legacy",
    ["administrator", "x" * 33, "ünal", " a", "a ", "a\n", "a\0", "\x7f", "日本"],
)
def test_any_other_id_becomes_a_hash(legacy: str) -> None:
    assert assign([legacy], {}, account_id) == {legacy: hashed_id("user", legacy)}


def test_a_hash_never_takes_a_kept_id_away() -> None:
    victim = hashed_id("user", " a")
    given = assign([" a", victim], {}, account_id)
    assert given == {victim: victim, " a": hashed_id("user", " a", 1)}


def test_ids_that_collide_try_again_in_the_order_of_their_legacy_ids() -> None:
    assert assign(["ac", "ab", "aa", "b"], {}, colliding) == {
        "b": "b", "aa": "a", "ab": "a'", "ac": "a''",
    }  # fmt: skip


def test_what_is_known_stays_and_is_not_given_again() -> None:
    known = {"ab": "a", "gone": "b"}
    assert assign(["ab", "ac", "b"], known, colliding) == {"ac": "a'", "b": "b'"}
    assert known == {"ab": "a", "gone": "b"}


def test_repeats_and_order_change_nothing() -> None:
    once = assign(["b", "ü", "a"], {}, account_id)
    assert assign(iter(["a", "ü", "b", "ü", "a"]), {}, account_id) == once
    assert assign([], once, account_id) == {}
