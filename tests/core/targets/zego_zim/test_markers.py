"""The mark by which a message is known again comes back whole, whatever the service does to it on the way."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_migration.keys import vendor_random
from chat_migration.targets.zego_zim.markers import (
    MARK_BYTES,
    MOST_RANDOM,
    is_cut,
    mark_of,
    read_mark,
)
from chat_migration.targets.zego_zim.rules import ZimRules

RANDOMS = st.integers(1, MOST_RANDOM)
SLOTS = st.integers(1, 36**11 - 1)


@given(RANDOMS, SLOTS)
def test_a_mark_reads_back_as_what_it_was_made_of(random: int, slot: int) -> None:
    mark = mark_of(random, slot)
    assert read_mark(mark) == (random, slot)
    assert mark.isascii()
    assert len(mark) <= MARK_BYTES


@given(st.text(), st.integers(0, 99), SLOTS)
def test_every_number_that_planning_draws_can_be_marked(key: str, part: int, slot: int) -> None:
    assert 2**ZimRules.random_bits - 1 == MOST_RANDOM
    random = vendor_random(key, part, bits=ZimRules.random_bits)
    assert read_mark(mark_of(random, slot)) == (random, slot)


@given(RANDOMS, SLOTS, st.text())
def test_a_mark_survives_what_the_service_may_do_to_a_payload(
    random: int, slot: int, reference: str
) -> None:
    """Unknown 18: URL-encoded, or cut to some length."""
    payload = f"{mark_of(random, slot)} {reference}"
    every = "".join(f"%{byte:02X}" for byte in payload.encode(errors="replace"))
    for shown in (payload, payload[:64], quote(payload, safe="", errors="replace"), every):
        assert read_mark(shown) == (random, slot)
        assert not is_cut(shown, slot)


@given(RANDOMS, st.integers(36**7, 36**8 - 1), st.integers(0, 10**11), st.data())
def test_a_payload_that_ends_within_its_mark_is_known_as_such(
    random: int, slot: int, later: int, data: st.DataObject
) -> None:
    mark = mark_of(random, slot)
    kept = data.draw(st.integers(len("cm1."), len(mark) - 1))
    assert is_cut(mark[:kept], min(slot + later, 36**8 - 1))
    assert is_cut(quote(mark[:kept]), slot)


@given(RANDOMS, SLOTS, RANDOMS, SLOTS)
def test_different_messages_have_different_marks(
    random: int, slot: int, other_random: int, other_slot: int
) -> None:
    same = (random, slot) == (other_random, other_slot)
    assert (mark_of(random, slot) == mark_of(other_random, other_slot)) is same


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("", id="empty"),
        pytest.param("d", id="of-somebody-else"),
        pytest.param('{"legacyId":"abc-1"}', id="json"),
        pytest.param("cm1.ff.mt10qhrv", id="short-number"),
        pytest.param("cm1.00000000000000FF.mt10qhrv", id="capitals"),
        pytest.param("cm1.0000000000000000.mt10qhrv", id="number-0"),
        pytest.param("cm1.8000000000000000.mt10qhrv", id="number-of-64-bits"),
        pytest.param("cm1.00000000000000ff.0", id="time-0"),
        pytest.param("cm1.00000000000000ff.", id="cut-off-time"),
        pytest.param("cm1.00000000000000ff.mt10qhrvmt10qhrv", id="long-time"),
        pytest.param("cm2.00000000000000ff.mt10qhrv", id="another-version"),
        pytest.param(" cm1.00000000000000ff.mt10qhrv", id="not-at-the-beginning"),
    ],
)
def test_what_is_no_mark_is_somebody_elses(payload: str) -> None:
    assert read_mark(payload) is None


@given(st.text())
def test_any_text_can_be_asked_for_its_mark(payload: str) -> None:
    found = read_mark(payload)
    assert is_cut(payload, 1_787_200_000_123) in (False, payload.startswith("cm1."))
    assert found is None or unquote(payload).startswith(f"cm1.{found[0]:016x}.")


@pytest.mark.parametrize(
    ("random", "slot"), [(0, 1), (-1, 1), (MOST_RANDOM + 1, 1), (1, 0), (1, -5), (1, 36**11)]
)
def test_a_message_that_could_not_be_found_again_is_not_marked(random: int, slot: int) -> None:
    with pytest.raises(ValueError, match="no message can be marked"):
        mark_of(random, slot)
