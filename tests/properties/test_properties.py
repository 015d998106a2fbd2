"""What holds for any input: keys, order, slots, identities and bodies, against naive references."""

from __future__ import annotations

import functools
from typing import Any

import msgspec
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from chat_migration.keys import (
    conversation_digest,
    hashed_id,
    message_key,
    message_key_in,
    order_key,
    vendor_random,
)
from chat_migration.model import Conversation, Custom, Element, Face, Image, Location, Text
from chat_migration.planning.identities import assign
from chat_migration.planning.slots import Slots, free_rank
from chat_migration.targets.base import DirectMessageOut
from chat_migration.targets.rules import Unsendable
from chat_migration.targets.tencent_chat.payloads import (
    MAX_PARTS,
    Oversize,
    direct_elements,
    encode,
    group_elements,
    pack,
    with_prefix,
)
from chat_migration.targets.tencent_chat.rules import TencentRules
from chat_migration.targets.tencent_chat.target import direct_message_body
from chat_migration.text import character_border, cut_to_bytes

ANY = st.text(st.characters(exclude_categories=()), max_size=6)
"""Lone surrogates too."""
NEAR = st.text("a:1/%\0é", max_size=4) | ANY
"""Texts that a careless key would mix up."""
PLAIN = st.text(st.characters(codec="utf-8"), max_size=200)
quick = settings(max_examples=60, deadline=None)


# --- keys ---------------------------------------------------------------------------------------


@given(one=st.tuples(NEAR, NEAR, NEAR), other=st.tuples(NEAR, NEAR, NEAR))
@example(one=("a", "b:c", "d"), other=("a:b", "c", "d"))
@example(one=("", "", "1:a"), other=("", "1:a", ""))
@example(one=("x", "y", "\ud83d\ude00"), other=("x", "y", "\U0001f600"))
def test_message_keys_are_equal_only_for_equal_messages(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    assert (message_key(*one) == message_key(*other)) is (one == other)
    assert message_key_in(conversation_digest(*one[:2]), one[2]) == message_key(*one)


@given(ANY, st.integers(0, 255), st.integers(0, 9))
def test_randoms_are_unsigned_stable_and_never_zero(key: str, part: int, candidate: int) -> None:
    made = vendor_random(key, part, candidate)
    assert 1 <= made < 2**32
    assert made == vendor_random(key, part, candidate)


@given(ANY, ANY, st.integers(0, 9))
def test_hashed_ids_fit_every_target(kind: str, legacy: str, attempt: int) -> None:
    made = hashed_id(kind, legacy, attempt)
    assert made.isascii()
    assert made.isalnum()
    assert len(made) == 25


def by_the_contract(one: str, other: str) -> int:
    """Compare ids as neutral-export.md says it: digits first, by value, then by length; others by bytes."""

    def is_number(text: str) -> bool:
        return text != "" and set(text) <= set("0123456789")

    if is_number(one) and is_number(other):
        left, right = (int(one), len(one)), (int(other), len(other))
        return (left > right) - (left < right)
    if is_number(one) or is_number(other):
        return -1 if is_number(one) else 1
    raw, rest = (text.encode("utf-8", "surrogatepass") for text in (one, other))
    return (raw > rest) - (raw < rest)


IDS = (
    st.text("019", max_size=5)
    | st.integers(0).map(str)
    | st.text("0a²٣é\ud800\uffff\U00010000", max_size=3)
    | ANY
)


@given(st.lists(IDS, unique=True, max_size=12))
def test_order_keys_sort_as_the_contract_says(ids: list[str]) -> None:
    ordered = sorted(ids, key=functools.cmp_to_key(by_the_contract))
    assert sorted(ids, key=order_key) == ordered
    assert sorted(ids, key=lambda each: order_key(each).encode("utf-8", "surrogatepass")) == ordered
    assert len({order_key(each) for each in ids}) == len(ids)


UNICODE = st.text("a/%:\0é", max_size=4) | st.text(max_size=4)
CONVERSATIONS = (
    st.builds(Conversation.group, UNICODE)
    | st.builds(Conversation.topic, UNICODE, UNICODE)
    | st.builds(Conversation.direct, UNICODE, UNICODE)
)


@given(CONVERSATIONS, CONVERSATIONS)
@example(Conversation.group("a/b"), Conversation.topic("a", "b"))
@example(Conversation.group("a%2Fb"), Conversation.group("a/b"))
def test_conversation_keys_are_injective_and_can_be_read_back(
    one: Conversation, other: Conversation
) -> None:
    assert (one.key == other.key) is (one == other)
    assert Conversation.parse(one.key) == one
    assert one.key.isprintable()
    assert one.key.isascii()


# --- slots --------------------------------------------------------------------------------------

INSTANTS = st.lists(st.integers(0, 9000), max_size=30).map(sorted)


@given(INSTANTS, st.none() | st.integers(-2, 12))
def test_slots_rise_strictly_and_are_never_too_early_nor_later_than_needed(
    instants: list[int], newest: int | None
) -> None:
    slots = Slots(newest, slot_ms=1000, keep_ties=False)
    last = newest
    for instant in instants:
        slot = slots.take(instant)
        assert slot >= instant // 1000
        assert last is None or slot > last
        assert slot == instant // 1000 or slot == (last or 0) + 1
        last = slot
    assert slots.last == last


@given(INSTANTS, st.none() | st.integers(-2, 12), st.integers(0, 30), st.booleans())
def test_slots_are_the_same_for_every_ascending_split(
    instants: list[int], newest: int | None, cut: int, keep_ties: bool
) -> None:
    whole, first = (Slots(newest, slot_ms=1000, keep_ties=keep_ties) for _ in range(2))
    at_once = [whole.take(each) for each in instants]
    in_two = [first.take(each) for each in instants[:cut]]
    second = Slots(first.last, slot_ms=1000, keep_ties=keep_ties)
    in_two += [second.take(each) for each in instants[cut:]]
    assert in_two == at_once == sorted(at_once)


@given(st.integers(0, 5), st.frozensets(st.integers(0, 5)))
def test_a_rank_is_free_and_not_before_the_one_wanted(wanted: int, taken: frozenset[int]) -> None:
    rank = free_rank(wanted, taken)
    assert rank not in taken
    assert rank == wanted or rank > max(taken)


# --- identities ---------------------------------------------------------------------------------

RULES = TencentRules(admin="administrator", max_body_bytes=1000)
LEGACY = (
    st.text("aé ", max_size=4) | st.just("administrator") | st.text("ab", min_size=31, max_size=34)
)


def account_id(legacy: str, attempt: int) -> str:
    if attempt == 0 and RULES.accepts_user_id(legacy):
        return legacy
    return hashed_id("user", legacy, attempt)


def crowded(legacy: str, attempt: int) -> str:
    """Return one of very few ids, or the legacy id where it is short: everything collides."""
    return legacy if attempt == 0 and len(legacy) == 1 else f"{len(legacy) % 2}" + "'" * attempt


@given(
    st.lists(LEGACY, max_size=12), st.lists(LEGACY, max_size=12), st.randoms(use_true_random=False)
)
def test_identities_are_the_same_in_any_order_and_for_any_split(
    first: list[str], second: list[str], shuffler: Any
) -> None:
    whole = assign(first + second, {}, account_id)
    mixed = [*second, *first, *first]
    shuffler.shuffle(mixed)
    assert assign(mixed, {}, account_id) == whole
    known = assign(first, {}, account_id)
    assert known | assign(second, known, account_id) == whole


@pytest.mark.parametrize("make", [account_id, crowded], ids=["real", "crowded"])
@given(st.lists(st.lists(st.text("01ab", max_size=3), max_size=8), max_size=4))
@quick
def test_identities_never_collide_and_what_is_known_is_never_displaced(
    make: Any, runs: list[list[str]]
) -> None:
    known: dict[str, str] = {}
    for legacy_ids in runs:
        before = dict(known)
        fresh = assign(legacy_ids, known, make)
        assert known == before
        assert set(fresh) == set(legacy_ids) - set(known)
        known |= fresh
        assert len(set(known.values())) == len(known)


@given(st.lists(st.text("01ab", max_size=3), max_size=12))
def test_an_id_that_can_be_kept_is_kept_whatever_comes_with_it(legacy_ids: list[str]) -> None:
    given_out = assign(legacy_ids, {}, crowded)
    assert {legacy: given_out[legacy] for legacy in legacy_ids if len(legacy) == 1} == {
        legacy: legacy for legacy in legacy_ids if len(legacy) == 1
    }


# --- text and bodies ----------------------------------------------------------------------------

WORDS = st.lists(
    st.sampled_from(["a", "é", "日", "\U0001f600", '"', "\\", "\n", "\x01", "e\u0301", "\U0001f1e9\U0001f1ea",
                     "\U0001f468\u200d\U0001f469\u200d\U0001f467", "</", "\u2028"]),
    max_size=150,
).map("".join)  # fmt: skip
ELEMENTS = st.lists(
    (WORDS | PLAIN).map(lambda text: Text(text=text))
    | st.builds(Face, index=st.integers(0, 9), data=st.text(max_size=5))
    | st.builds(Location, latitude=st.floats(-90, 90), longitude=st.floats(-180, 180))
    | st.builds(Custom, data=st.text(max_size=20), description=st.text(max_size=9))
    | st.builds(Image, url=st.just("https://h/i"), name=st.text(max_size=9)),
    max_size=5,
)


@given(PLAIN | WORDS, st.integers(0, 300))
def test_a_cut_text_is_a_beginning_within_its_bytes(text: str, most: int) -> None:
    cut = cut_to_bytes(text, most)
    assert text.startswith(cut)
    assert len(cut.encode()) <= max(most, 0)
    assert cut == text or len(text.encode()) > most


@given(st.text("aé日\U0001f600", max_size=30), st.integers(0, 60))
def test_no_more_is_cut_than_needed(text: str, most: int) -> None:
    cut = cut_to_bytes(text, most)
    assert cut == text or len(text[: len(cut) + 1].encode()) > most


def flat(bodies: list[str]) -> list[dict[str, Any]]:
    return [each for body in bodies for each in msgspec.json.decode(body)]


def joined(elements: list[dict[str, Any]]) -> list[Any]:
    """Return the elements with neighbouring texts put together, which is what splitting may change."""
    merged: list[Any] = [""]
    for each in elements:
        if each["MsgType"] == "TIMTextElem":
            merged[-1] += each["MsgContent"]["Text"]
        else:
            merged += [each, ""]
    return merged


@given(ELEMENTS, st.integers(60, 600), st.sampled_from([group_elements, direct_elements]))
@settings(max_examples=150, deadline=None)
def test_bodies_hold_everything_in_order_within_the_limit(
    elements: list[Element], most: int, render: Any
) -> None:
    rendered = render(elements)
    packed = pack(rendered, max_bytes=most)
    if isinstance(packed, Oversize):
        others = [len(encode([each])) for each in rendered if each["MsgType"] != "TIMTextElem"]
        assert max(others, default=0) > most or most < 120
        assert packed.size > packed.limit == most
        return
    assert joined(flat(packed)) == joined(msgspec.json.decode(encode(rendered)))
    assert max(len(body.encode()) for body in packed) <= most
    assert len(packed) <= MAX_PARTS
    assert "[]" not in packed or not rendered
    assert all(len(msgspec.json.decode(body)) for body in packed[1:])


@given(WORDS, st.integers(120, 400))
def test_a_long_text_is_cut_only_where_characters_end(text: str, most: int) -> None:
    assume(text)
    packed = pack(group_elements([Text(text=text)]), max_bytes=most)
    assert isinstance(packed, list)
    places = [
        len("".join(each["MsgContent"]["Text"] for each in flat(packed[:n])))
        for n in range(1, len(packed))
    ]
    assert places == [character_border(text, place) for place in places]


@given(ELEMENTS, st.integers(60, 600))
def test_without_splitting_there_is_one_body_or_none(elements: list[Element], most: int) -> None:
    rendered = group_elements(elements)
    packed = pack(rendered, max_bytes=most, split=False)
    if len(encode(rendered)) <= most:
        assert packed == [encode(rendered).decode()]
    else:
        assert packed == Oversize(len(encode(rendered)), most)


@given(ELEMENTS, st.integers(300, 600))
def test_a_late_message_is_the_same_with_a_text_before(elements: list[Element], most: int) -> None:
    bodies = pack(group_elements(elements), max_bytes=most)
    assume(isinstance(bodies, list))
    late = with_prefix(bodies, "[2024-05-01 09:30 UTC] ", max_bytes=most)
    assume(isinstance(late, list))
    before, after = joined(flat(bodies)), joined(flat(late))
    assert after == ["[2024-05-01 09:30 UTC] " + before[0], *before[1:]]
    assert max(len(body.encode()) for body in late) <= most


IDS_OF_TARGET = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=32, max_size=32
)


@given(
    ELEMENTS,
    IDS_OF_TARGET,
    IDS_OF_TARGET,
    PLAIN,
    st.dictionaries(st.text(max_size=5), WORDS, max_size=2),
)
@quick
def test_a_whole_one_to_one_request_is_within_the_apps_limit(
    elements: list[Element], sender: str, recipient: str, reply_to: str, extra: dict[str, str]
) -> None:
    try:
        bodies, metadata = RULES.direct_bodies(
            elements, reply_to=reply_to, extra=encode(extra).decode(), split=True
        )
    except Unsendable:
        return
    for body in bodies:
        request = DirectMessageOut(
            sender=sender, recipient=recipient, slot=2**33, sequence=2**32 - 1, random=2**32 - 1,
            body=body, metadata=metadata,
        )  # fmt: skip
        assert len(msgspec.json.encode(direct_message_body(request))) <= 1000
