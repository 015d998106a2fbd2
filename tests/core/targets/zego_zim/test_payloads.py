"""Messages become bodies: types of their own, the envelope, several elements, and splitting at the size limit."""

from __future__ import annotations

import json
from hashlib import md5
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chat_migration.model import (
    MEDIA,
    Custom,
    Element,
    Face,
    File,
    Image,
    Location,
    Sound,
    Text,
    Video,
)
from chat_migration.targets.zego_zim.markers import MOST_RANDOM, mark_of
from chat_migration.targets.zego_zim.payloads import (
    AUDIO,
    CUSTOM,
    DEFAULT_PIXELS,
    FILE,
    IMAGE,
    MAX_PARTS,
    MOST_OF_TYPE,
    MULTIPLE,
    TEXT,
    VIDEO,
    Body,
    Oversize,
    Room,
    measured,
    pack,
    read_body,
    rendered,
)

ROOM = Room.of(2048)
LONG_URL = "https://h.example/" + "k" * 483
JPG = "https://h.example/a.jpg"


def bodies(*elements: Element, room: Room = ROOM, split: bool = True, **told: str) -> list[Body]:
    """Return the bodies of a message that can be sent."""
    items, reference = rendered(elements, room=room, **told)
    packed = pack(items, room=room, reference=reference, split=split)
    assert isinstance(packed, list)
    return [read_body(each) for each in packed]


def oversize(*elements: Element, split: bool = True, **told: str) -> Oversize:
    items, reference = rendered(elements, room=ROOM, **told)
    packed = pack(items, room=ROOM, reference=reference, split=split)
    assert isinstance(packed, Oversize)
    return packed


def items_of(body: Body) -> list[dict[str, Any]]:
    """Return the elements of a body, as those of type 10 are shown."""
    if body.type == MULTIPLE:
        items: list[dict[str, Any]] = json.loads(body.message)["MultiMsg"]
        return items
    alone = {"MsgType": body.type, "Msg": body.message}
    return [alone if body.sub_type is None else alone | {"SubMsgType": body.sub_type}]


def texts(made: list[Body]) -> str:
    return "".join(
        item["Msg"] for body in made for item in items_of(body) if item["MsgType"] == TEXT
    )


def envelope(body: Body) -> dict[str, Any]:
    """Return what the envelope of a body holds; there is one."""
    (found,) = (each for each in items_of(body) if each.get("SubMsgType") == 1)
    held: dict[str, Any] = json.loads(found["Msg"])
    return held


# --- one element --------------------------------------------------------------------------------


def test_a_text_is_sent_as_it_is() -> None:
    (body,) = bodies(Text(text='tide at six, says "é"\n日本'))
    assert body == Body(type=TEXT, message='tide at six, says "é"\n日本')


@pytest.mark.parametrize(
    ("element", "kind", "document"),
    [
        pytest.param(
            Image(url=JPG, width=640, height=480, size=99, name="boat.jpg"),
            IMAGE,
            {
                "Origin": {"Url": JPG, "Width": 640, "Height": 480}, "FileName": "boat.jpg", "Size": 99,
                "LargeImage": {"Url": JPG, "Width": 640, "Height": 480},
                "Thumbnail": {"Url": JPG, "Width": 640, "Height": 480},
            },
            id="image",
        ),
        pytest.param(
            File(url="https://h.example/f/plan.pdf?x=1", size=5000),
            FILE,
            {"Url": "https://h.example/f/plan.pdf?x=1", "FileName": "plan.pdf", "Size": 5000},
            id="file",
        ),
        pytest.param(
            Sound(url="https://h.example/s.m4a", seconds=7),
            AUDIO,
            {"Url": "https://h.example/s.m4a", "FileName": "s.m4a", "MediaDuration": 7},
            id="sound",
        ),
        pytest.param(
            Video(url="https://h.example/v.mp4", seconds=9, size=3, thumb_url=JPG, thumb_width=32),
            VIDEO,
            {
                "Url": "https://h.example/v.mp4", "FileName": "v.mp4", "Size": 3, "MediaDuration": 9,
                "Thumbnail": {"Url": JPG, "Width": 32, "Height": DEFAULT_PIXELS},
            },
            id="video",
        ),
    ],
)  # fmt: skip
def test_a_file_is_a_document_in_a_string(
    element: Element, kind: int, document: dict[str, Any]
) -> None:
    (body,) = bodies(element)
    held = json.loads(body.message)
    uid = held.pop("Uid")
    assert (body.type, held) == (kind, document)
    assert len(uid) == 32


@pytest.mark.parametrize("number", [None, 0, -1])
def test_sizes_that_nobody_knows_are_left_out_or_positive(number: int | None) -> None:
    """Unknown 14: 0 may be refused; widths and heights are demanded."""
    (picture,) = bodies(Image(url=JPG, width=number, height=number, size=number))
    held = json.loads(picture.message)
    sizes = {"Width": DEFAULT_PIXELS, "Height": DEFAULT_PIXELS}
    assert held["Origin"] == {"Url": JPG, **sizes}
    assert "Size" not in held
    (film,) = bodies(Video(url="https://h/v", seconds=number, size=number))
    assert not {"Size", "MediaDuration", "Thumbnail"} & set(json.loads(film.message))


def test_one_url_has_one_uid() -> None:
    made = [json.loads(bodies(File(url=url, name=n))[0].message) for url, n in
            (("https://h/1", "a"), ("https://h/1", "b"), ("https://h/2", "a"))]  # fmt: skip
    assert made[0]["Uid"] == made[1]["Uid"] != made[2]["Uid"]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        pytest.param(File(url="https://h/a", name="b"), "b", id="named"),
        pytest.param(File(url="https://h/plan.pdf?x=1"), "plan.pdf", id="from-the-url"),
        pytest.param(File(url="https://h/", name=" "), "file", id="nothing-to-go-by"),
        pytest.param(File(url="https://h/", name="é" * 99 + ".pdf"), "é" * 73 + ".pdf", id="long"),
        pytest.param(
            File(url="https://h/", name="a." + "b" * 200), "a." + "b" * 148, id="long-suffix"
        ),
    ],
)
def test_a_file_always_has_a_name_within_150_bytes(file: File, name: str) -> None:
    assert json.loads(bodies(file)[0].message)["FileName"] == name
    assert len(name.encode()) <= 150


def test_a_picture_of_a_long_url_is_sent_in_the_one_size_that_is_demanded() -> None:
    url = "https://h.example/" + chr(34) * 200
    (body,) = bodies(Image(url=url))
    assert set(json.loads(body.message)) == {"Origin", "Uid", "FileName"}
    assert measured(body.message) <= ROOM.one


@pytest.mark.parametrize("description", ["", "card", "é" * 32])
def test_custom_data_alone_is_sent_as_it_is_and_found_by_its_description(description: str) -> None:
    (body,) = bodies(Custom(data='{"k":1}', description=description))
    assert body == Body(type=CUSTOM, sub_type=0, searched=description, message='{"k":1}')


@pytest.mark.parametrize(
    "element",
    [
        pytest.param(Face(index=3, data="wave"), id="face"),
        pytest.param(Location(latitude=54.5, longitude=-0.75, description="pier"), id="place"),
        pytest.param(Custom(data="d", extension="x"), id="extended-custom"),
        pytest.param(Custom(data="d", description="é" * 33), id="custom-of-long-description"),
        pytest.param(Custom(data="", description="card"), id="custom-without-data"),
        pytest.param(Image(url=LONG_URL, width=5), id="image-of-too-long-url"),
        pytest.param(Sound(url=LONG_URL), id="sound-of-too-long-url"),
    ],
)
def test_what_has_no_type_travels_whole_in_the_envelope_behind_a_text_for_others(
    element: Element,
) -> None:
    (body,) = bodies(element)
    assert [each["MsgType"] for each in items_of(body)] == [TEXT, CUSTOM]
    assert texts([body]).startswith(f"[{type(element).__name__.lower()}")
    assert getattr(element, "url", "") in texts([body])
    held = envelope(body)
    ((at, kind),) = ((each.pop("at"), each["type"]) for each in held["elements"])
    assert (held["chat_migration"], at, kind) == (1, 0, type(element).__name__.lower())
    told = {key: value for key, value in held["elements"][0].items() if key != "type"}
    assert type(element)(**told) == element


def test_a_place_can_be_read_by_everybody() -> None:
    place = Location(latitude=54.5, longitude=-0.75, description="pier")
    assert texts(bodies(place)) == "[location: pier] 54.5, -0.75"


# --- several elements ---------------------------------------------------------------------------


def test_several_elements_are_one_message_of_documents_in_a_document() -> None:
    (body,) = bodies(Text(text="hi"), Image(url=JPG))
    assert (body.type, body.sub_type) == (MULTIPLE, None)
    first, second = items_of(body)
    assert first == {"MsgType": 1, "Msg": "hi"}
    assert (second["MsgType"], json.loads(second["Msg"])["Origin"]["Url"]) == (IMAGE, JPG)


def test_what_several_strange_elements_are_is_told_once_with_their_places() -> None:
    (body,) = bodies(Face(index=1), Text(text="a"), Custom(data="x"), Custom(data="y"))
    assert [each["at"] for each in envelope(body)["elements"]] == [0, 2, 3]
    assert texts([body]) == "a[face]\n[custom]\n[custom]"


@pytest.mark.parametrize(
    ("elements", "sizes"),
    [
        pytest.param([Text(text="t")] * 21, [20, 1], id="elements"),
        pytest.param([Image(url="https://h/i")] * 11, [10, 1], id="pictures"),
        pytest.param([File(url="https://h/f")] * 3, [1, 1, 1], id="files"),
        pytest.param([Text(text="t"), *[Sound(url="https://h/s")] * 2], [2, 1], id="sounds"),
        pytest.param([*[Video(url="https://h/v")] * 2, Text(text="t")], [1, 2], id="films"),
    ],
)
@pytest.mark.parametrize("split", [True, False])
def test_a_message_has_no_more_elements_than_a_client_could_put_together(
    elements: list[Element], sizes: list[int], *, split: bool
) -> None:
    room = Room.of(32768)
    assert [len(items_of(each)) for each in bodies(*elements, room=room, split=split)] == sizes


# --- references ---------------------------------------------------------------------------------


def test_what_a_message_refers_to_follows_the_mark() -> None:
    (body,) = bodies(Text(text="hi"), reply_to="m-1", extra='{"a":[1]}')
    assert json.loads(body.reference) == {"chat_migration": 1, "reply_to": "m-1", "extra": {"a": [1]}}  # fmt: skip


def test_a_split_message_refers_with_its_first_part() -> None:
    made = bodies(Text(text="x" * 5000), reply_to="m-1")
    assert [bool(each.reference) for each in made] == [True, False, False]


@pytest.mark.parametrize("element", [Text(text="hi"), Custom(data="d")])
def test_a_reference_that_is_too_long_goes_into_the_envelope(element: Element) -> None:
    extra = json.dumps({"k": "v" * 960})
    made = bodies(element, reply_to="m-1", extra=extra)
    held = envelope(made[-1])
    assert (held["reply_to"], held["extra"]) == ("m-1", json.loads(extra))
    assert {each.reference for each in made} == {""}
    assert ("elements" in held) is isinstance(element, Custom)


def test_a_reference_that_fits_nowhere_is_oversize() -> None:
    found = oversize(Text(text="hi"), extra=json.dumps({"k": "v" * 2000}))
    assert found.size > found.limit == 2000


@given(st.text(st.characters(exclude_categories=["Cs"])), st.dictionaries(st.text(max_size=9), st.text(max_size=9)))  # fmt: skip
def test_extended_data_stays_within_a_kilobyte_with_the_longest_mark(
    reply_to: str, extra: dict[str, str]
) -> None:
    told = json.dumps(extra) if extra else ""
    items, reference = rendered([Text(text="hi")], room=ROOM, reply_to=reply_to, extra=told)
    whole = f"{mark_of(MOST_RANDOM, 36**11 - 1)} {reference}"
    assert measured(whole) <= 1000
    assert bool(reference) or len(items) > 1 or not (reply_to or extra)


# --- splitting ----------------------------------------------------------------------------------


def readings(text: str) -> set[int]:
    """Return what a text takes in every reading of the vendor's pages (unknown 13), as if a KB had 1024 units."""
    escaped = len(json.dumps(text, ensure_ascii=False)[1:-1].encode())
    return {
        round(size * kilobyte)
        for size in (len(text.encode()), len(text.encode("utf-16-le")) // 2, escaped)
        for kilobyte in (1, 1.024)
    }


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
URLS = st.builds(lambda path: f"https://h.example/{path}", st.text("abc/?=&%é", max_size=600))
NUMBERS = st.none() | st.integers(-1, 10**6)
LONG = st.builds(lambda text, times: text * times, st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=9), st.integers(1, 900))  # fmt: skip
ELEMENTS = st.one_of(
    st.builds(Text, text=TEXTS | LONG),
    st.builds(Face, index=st.integers(0, 99), data=st.text(max_size=9)),
    st.builds(Location, latitude=st.floats(-90, 90), longitude=st.floats(-180, 180)),
    st.builds(Custom, data=st.text(st.characters(exclude_categories=["Cs"]), max_size=50), description=st.text("aé", max_size=80)),
    st.builds(Image, url=URLS, width=NUMBERS, height=NUMBERS, size=NUMBERS, name=st.text("aé.", max_size=200)),
    st.builds(Sound, url=URLS, seconds=NUMBERS, size=NUMBERS),
    st.builds(File, url=URLS, name=st.text("aé.", max_size=200), size=NUMBERS),
    st.builds(Video, url=URLS, seconds=NUMBERS, thumb_url=st.just("") | URLS, thumb_width=NUMBERS),
)  # fmt: skip


@given(st.lists(ELEMENTS, min_size=1, max_size=25), st.booleans())
def test_every_body_is_within_all_limits_in_every_reading(
    elements: list[Element], split: bool
) -> None:
    items, reference = rendered(elements, room=ROOM)
    packed = pack(items, room=ROOM, reference=reference, split=split)
    assume(isinstance(packed, list))
    assert isinstance(packed, list)
    for body in map(read_body, packed):
        assert max(readings(body.message)) <= (5 if body.type == MULTIPLE else 2) * 1024
        assert body.message.strip()
        inside = items_of(body)
        assert len(inside) <= 20
        kinds = [each["MsgType"] for each in inside]
        if body.type == MULTIPLE:
            assert all(kinds.count(kind) <= most for kind, most in MOST_OF_TYPE.items())
        assert all(each["Msg"].strip() for each in inside)


MEDIA_TYPES = (IMAGE, FILE, AUDIO, VIDEO)


def is_short(url: str) -> bool:
    return len(url.encode()) <= 500


@given(st.lists(ELEMENTS, min_size=1, max_size=8))
def test_nothing_is_lost_and_texts_joined_are_the_original(elements: list[Element]) -> None:
    items, _ = rendered(elements, room=ROOM)
    packed = pack(items, room=ROOM)
    assume(isinstance(packed, list))
    assert isinstance(packed, list)
    made = [read_body(each) for each in packed]
    said = "".join(each.text for each in elements if isinstance(each, Text))
    told = texts(made)
    assert told.replace("\u200b", "").startswith(said.replace("\u200b", ""))
    inside = [each for body in made for each in items_of(body)]
    enclosed = [
        e
        for each in inside
        if each.get("SubMsgType") == 1
        for e in json.loads(each["Msg"])["elements"]
    ]
    kinds = [each["MsgType"] for each in inside]
    sent = [json.loads(each["Msg"])["Uid"] for each in inside if each["MsgType"] in MEDIA_TYPES]
    given_urls = [each.url for each in elements if isinstance(each, MEDIA) and is_short(each.url)]
    assert sent == [md5(url.encode()).hexdigest() for url in given_urls]  # noqa: S324
    native = sum(kinds.count(kind) for kind in MEDIA_TYPES)
    plain = sum(each.get("SubMsgType") == 0 for each in inside)
    assert native + plain + len(enclosed) == sum(not isinstance(each, Text) for each in elements)


@pytest.mark.parametrize(
    "unit",
    [
        "x",
        "é",
        "日",
        "\U0001f600",
        '"',
        "\\",
        "\x01",
        "<",
        "e\u0301",
        "\U0001f1e9\U0001f1ea",
    ],
)
def test_a_long_text_is_cut_at_characters_into_parts_that_fill_the_room(unit: str) -> None:
    made = bodies(Text(text=unit * 3000))
    assert texts(made) == unit * 3000
    assert {each.type for each in made} == {TEXT}
    assert all(measured(each.message) > ROOM.one - 32 for each in made[:-1])
    assert not {len(each.message) % len(unit) for each in made} - {0}


def test_a_piece_of_white_space_only_is_not_sent_blank() -> None:
    made = bodies(Text(text="a" + " " * 6000 + "b"))
    assert all(each.message.strip() for each in made)
    assert texts(made).replace("\u200b", "") == "a" + " " * 6000 + "b"


def test_pieces_of_one_text_are_not_shown_as_two_elements_of_one_message() -> None:
    made = bodies(Image(url="https://h/i"), Text(text="x" * 2500), Image(url="https://h/j"))
    assert [[each["MsgType"] for each in items_of(body)] for body in made] == [
        [IMAGE, TEXT], [TEXT, IMAGE],
    ]  # fmt: skip


def test_without_splitting_a_long_text_is_oversize_and_what_fits_is_not() -> None:
    assert oversize(Text(text="x" * 2001), split=False) == Oversize(2001, 2000)
    assert len(bodies(Text(text="x" * 2000), split=False)) == 1


@pytest.mark.parametrize(("size", "room"), [(2048, (2000, 5000)), (8192, (8000, 8000)), (32768, (32000, 32000))])  # fmt: skip
def test_an_app_whose_caps_were_raised_has_more_room(size: int, room: tuple[int, int]) -> None:
    assert Room.of(size) == Room(*room)
    assert len(bodies(Text(text="x" * 2001), room=Room.of(size))) == (2 if size == 2048 else 1)


@pytest.mark.parametrize("more", [0, 1], ids=["most-parts", "one-too-many"])
def test_a_row_has_no_more_parts_than_can_be_numbered(more: int) -> None:
    packed = pack(rendered([Text(text="x" * (1997 * MAX_PARTS + more))], room=ROOM)[0], room=ROOM)
    if more:
        assert isinstance(packed, Oversize)
    else:
        assert not isinstance(packed, Oversize)
        assert len(packed) == MAX_PARTS


def test_an_element_that_fits_no_body_is_oversize() -> None:
    assert oversize(Custom(data="x" * 2001)) == Oversize(2001, 2000)
