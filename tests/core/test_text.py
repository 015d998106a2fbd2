"""Text is cut at a byte count without breaking what is drawn as one character."""

from __future__ import annotations

import pytest

from chat_migration.text import character_border, cut_to_bytes

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
GERMANY, FRANCE = "\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7"

CLUSTERS = [
    pytest.param("e\u0301", id="combining-accent"),
    pytest.param("q\u0323\u0307", id="two-accents"),
    pytest.param(FAMILY, id="joined-family"),
    pytest.param("\U0001f44b\U0001f3fd", id="skin-tone"),
    pytest.param("\u2764\ufe0f", id="variation-selector"),
    pytest.param("1\ufe0f\u20e3", id="keycap"),
    pytest.param(GERMANY, id="flag"),
    pytest.param("\u0915\u093f", id="devanagari-vowel-sign"),
    pytest.param("\U0001f9d1\U0001f3fd\u200d\U0001f680", id="astronaut"),
]


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_cluster_goes_whole_or_not_at_all(cluster: str) -> None:
    size = len(cluster.encode())
    assert cut_to_bytes(f"a{cluster}", 1 + size) == f"a{cluster}"
    assert {cut_to_bytes(f"a{cluster}", 1 + less) for less in range(size)} == {"a"}


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_cluster_is_not_torn_from_inside_a_text(cluster: str) -> None:
    text = f"a{cluster}b"
    borders = {character_border(text, cut) for cut in range(1, len(text) + 1)}
    assert borders == {1, 1 + len(cluster), len(text)}


def test_flags_in_a_row_are_cut_between_flags() -> None:
    text = "x" + GERMANY + FRANCE + GERMANY
    assert [cut_to_bytes(text, 1 + 4 * letters) for letters in range(7)] == [
        "x", "x", text[:3], text[:3], text[:5], text[:5], text,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "most", "cut"),
    [
        pytest.param("héllo", 2, "h", id="within-a-character"),
        pytest.param("héllo", 3, "hé", id="after-a-character"),
        pytest.param("hello", 5, "hello", id="fits"),
        pytest.param("hello", 0, "", id="no-room"),
        pytest.param("", 0, "", id="nothing"),
        pytest.param("日本語", 8, "日本", id="three-bytes-each"),
        pytest.param("日", 2, "", id="first-does-not-fit"),
        pytest.param("a\U0001f600b", 4, "a", id="four-bytes"),
    ],
)
def test_a_text_is_cut_at_a_character(text: str, most: int, cut: str) -> None:
    assert cut_to_bytes(text, most) == cut


def test_a_cluster_of_absurd_length_is_cut_all_the_same() -> None:
    zalgo = "a" + "\u0301" * 500
    assert cut_to_bytes(zalgo, 601) == zalgo[:301]


def test_lone_surrogates_are_counted_and_do_not_stop_anything() -> None:
    assert cut_to_bytes("ab\ud800cd", 2) == "ab"


@pytest.mark.parametrize("cut", [4, 5, 99])
def test_the_end_of_a_text_is_a_border(cut: int) -> None:
    assert character_border("abe\u0301", cut) == 4
