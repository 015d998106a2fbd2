"""Messages become bodies: native elements, the envelope, and splitting at the size limit."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from chat_migration.model import (
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
from chat_migration.targets.tencent_chat.payloads import (
    MAX_PARTS,
    Oversize,
    direct_elements,
    direct_metadata,
    encode,
    group_elements,
    pack,
    url_uuid,
    with_prefix,
)

TEXT, FACE = Text(text="tide at six"), Face(index=3, data="wave")
PLACE, CUSTOM = Location(latitude=1.5, longitude=-2.5, description="pier"), Custom(data="{}")
IMAGE, SOUND = Image(url="https://h/i.png", format="png", name="boat"), Sound(url="https://h/s")
FILE = File(url="https://h/f/plan.pdf?x=1")
VIDEO = Video(url="https://h/v.mp4", thumb_url="https://h/v.jpg")
EVERY: list[Element] = [TEXT, FACE, PLACE, CUSTOM, IMAGE, SOUND, FILE, VIDEO]
NATIVE_IN_GROUPS = {"TIMTextElem", "TIMFaceElem", "TIMLocationElem", "TIMCustomElem"}


def kinds(rendered: list[dict[str, Any]]) -> list[str]:
    return [each["MsgType"].removeprefix("TIM").removesuffix("Elem") for each in rendered]


def texts(bodies: list[str]) -> str:
    return "".join(
        each["MsgContent"]["Text"]
        for body in bodies
        for each in msgspec.json.decode(body)
        if each["MsgType"] == "TIMTextElem"
    )


def say(text: str) -> dict[str, Any]:
    return group_elements([Text(text=text)])[0]


# --- groups -------------------------------------------------------------------------------------


def test_a_plain_group_message_needs_no_envelope() -> None:
    assert kinds(group_elements([TEXT, FACE, PLACE])) == ["Text", "Face", "Location"]


@pytest.mark.parametrize(
    "element", [CUSTOM, IMAGE, SOUND, FILE, VIDEO], ids=lambda each: type(each).__name__
)
def test_media_and_custom_travel_in_one_envelope_with_a_text_for_others(element: Element) -> None:
    rendered = group_elements([element, element, TEXT])
    assert kinds(rendered) == ["Text", "Text", "Custom"]
    envelope = msgspec.json.decode(rendered[2]["MsgContent"]["Data"])
    assert envelope["chat_migration"] == 1
    assert [each.pop("at") for each in envelope["elements"]] == [0, 1]
    assert msgspec.convert(envelope["elements"], list[Element]) == [element, element]
    assert getattr(element, "url", "") in rendered[1]["MsgContent"]["Text"]


def test_a_group_message_of_everything_keeps_to_what_groups_take() -> None:
    rendered = group_elements(EVERY, reply_to="m-1", extra='{"a": [1]}')
    assert {each["MsgType"] for each in rendered} == NATIVE_IN_GROUPS
    assert kinds(rendered).count("Custom") == 1
    envelope = msgspec.json.decode(rendered[-1]["MsgContent"]["Data"])
    assert (envelope["reply_to"], envelope["extra"]) == ("m-1", {"a": [1]})
    assert [each["at"] for each in envelope["elements"]] == [3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("reference", "held"),
    [
        pytest.param({"reply_to": "m-1"}, {"chat_migration": 1, "reply_to": "m-1"}, id="reply"),
        pytest.param({"extra": '{"k":1}'}, {"chat_migration": 1, "extra": {"k": 1}}, id="extra"),
    ],
)
def test_a_reference_alone_makes_an_envelope_without_a_fallback(
    reference: dict[str, str], held: dict[str, Any]
) -> None:
    rendered = group_elements([TEXT], **reference)
    assert kinds(rendered) == ["Text", "Custom"]
    assert msgspec.json.decode(rendered[1]["MsgContent"]["Data"]) == held


def test_a_preview_is_short_and_ends_at_a_character() -> None:
    preview = group_elements([Image(url="https://h/i", name="日" * 99)])[-1]["MsgContent"]["Desc"]
    assert preview == "[image: " + "日" * 30
    assert len(preview.encode()) <= 100


# --- one-to-one ---------------------------------------------------------------------------------


def test_one_to_one_messages_take_everything_as_it_is() -> None:
    assert kinds(direct_elements(EVERY)) == [
        "Text", "Face", "Location", "Custom", "Image", "Sound", "File", "VideoFile",
    ]  # fmt: skip


def test_several_custom_elements_share_an_envelope() -> None:
    rendered = direct_elements([Custom(data="a", description="x"), TEXT, Custom(data="b")])
    assert kinds(rendered) == ["Text", "Custom"]
    envelope = msgspec.json.decode(rendered[1]["MsgContent"]["Data"])
    assert [(each["at"], each["data"]) for each in envelope["elements"]] == [(0, "a"), (2, "b")]
    assert rendered[1]["MsgContent"]["Desc"] == "[custom: x] [custom]"


def test_metadata_carries_what_a_reply_refers_to() -> None:
    assert direct_metadata() == ""
    assert msgspec.json.decode(direct_metadata(reply_to="é", extra="[]")) == {
        "chat_migration": 1, "reply_to": "é", "extra": [],
    }  # fmt: skip


def test_a_video_without_a_poster_goes_as_a_file() -> None:
    (rendered,) = direct_elements([Video(url="https://h/v.mp4?t=1", size=5)])
    assert rendered["MsgType"] == "TIMFileElem"
    assert rendered["MsgContent"] == {
        "Url": "https://h/v.mp4?t=1", "UUID": url_uuid("https://h/v.mp4?t=1"), "FileSize": 5,
        "FileName": "v.mp4", "Download_Flag": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("file", "name"),
    [
        pytest.param(File(url="https://h/a", name="b"), "b", id="named"),
        pytest.param(File(url="https://h/plan.pdf?x=1"), "plan.pdf", id="from-the-url"),
        pytest.param(File(url="https://h/"), "file", id="nothing-to-go-by"),
    ],
)
def test_a_file_always_has_a_name(file: File, name: str) -> None:
    assert direct_elements([file])[0]["MsgContent"]["FileName"] == name


def test_one_url_has_one_uuid() -> None:
    sizes = direct_elements([IMAGE, Image(url=IMAGE.url), Image(url="https://h/j.png")])
    assert [each["MsgContent"]["UUID"] for each in sizes] == [
        url_uuid(IMAGE.url), url_uuid(IMAGE.url), url_uuid("https://h/j.png"),
    ]  # fmt: skip
    assert url_uuid("a") == "0cc175b9c0f1b6a831c399e269772661"


# --- splitting ----------------------------------------------------------------------------------


def test_what_fits_is_one_body() -> None:
    body = [say("é")]
    assert pack(body, max_bytes=len(encode(body))) == [encode(body).decode()]


def test_a_long_text_is_cut_into_bodies_that_fill_the_limit() -> None:
    bodies = pack([say("x" * 1000)], max_bytes=300)
    assert isinstance(bodies, list)
    assert [len(body) for body in bodies[:-1]] == [300] * (len(bodies) - 1)
    assert texts(bodies) == "x" * 1000


@pytest.mark.parametrize(
    "unit",
    ["é", "日", "\U0001f600", '"', "\\", "\x01", "\n", "<", "e\u0301", "\U0001f1e9\U0001f1ea"],
)
def test_characters_that_take_more_bytes_in_json_are_counted_as_such(unit: str) -> None:
    bodies = pack([say(unit * 200)], max_bytes=200)
    assert isinstance(bodies, list)
    assert max(len(body.encode()) for body in bodies) <= 200
    assert texts(bodies) == unit * 200
    assert not {len(texts([body])) % len(unit) for body in bodies} - {0}


def test_other_elements_stay_whole_and_in_order() -> None:
    faces = [group_elements([Face(index=n, data="x" * 60)])[0] for n in range(5)]
    bodies = pack(faces, max_bytes=len(encode(faces[:2])))
    assert isinstance(bodies, list)
    assert [msgspec.json.decode(body) for body in bodies] == [faces[:2], faces[2:4], faces[4:]]


@pytest.mark.parametrize(
    "elements",
    [
        pytest.param([FACE, Face(index=1, data="x" * 500)], id="element-after-one-that-fits"),
        pytest.param([Custom(data="x" * 500)], id="element-alone"),
    ],
)
def test_an_element_that_fits_no_body_is_oversize(elements: list[Element]) -> None:
    assert isinstance(pack(direct_elements(elements), max_bytes=400), Oversize)


def test_without_splitting_a_long_text_is_oversize() -> None:
    body = [say("x" * 500)]
    assert pack(body, max_bytes=400, split=False) == Oversize(len(encode(body)), 400)
    assert isinstance(pack(body, max_bytes=len(encode(body)), split=False), list)


@pytest.mark.parametrize("more", [0, 1], ids=["most-parts", "one-too-many"])
def test_a_row_has_no_more_parts_than_a_sequence_can_number(more: int) -> None:
    room = 200 - len(encode([say("")]))
    packed = pack([say("x" * (room * MAX_PARTS + more))], max_bytes=200)
    assert isinstance(packed, Oversize) if more else len(packed) == MAX_PARTS


def test_nothing_at_all_is_an_empty_body() -> None:
    assert pack([], max_bytes=500) == ["[]"]


@pytest.mark.parametrize(
    ("elements", "shown"),
    [
        pytest.param([TEXT], ["Text"], id="before-a-text"),
        pytest.param([FACE, TEXT], ["Text", "Face", "Text"], id="before-another-element"),
        pytest.param([], ["Text"], id="before-nothing"),
    ],
)
def test_a_late_message_begins_with_its_time(elements: list[Element], shown: list[str]) -> None:
    bodies = pack(group_elements(elements), max_bytes=12000)
    (late,) = with_prefix(bodies, "[then] ", max_bytes=12000)
    decoded = msgspec.json.decode(late)
    assert kinds(decoded) == shown
    assert decoded[0]["MsgContent"]["Text"].startswith("[then] ")


def test_a_late_message_is_split_anew() -> None:
    bodies = pack([say("x" * 1000)], max_bytes=300)
    late = with_prefix(bodies, "[then] ", max_bytes=300)
    assert texts(late) == "[then] " + "x" * 1000
    assert max(len(body) for body in late) <= 300


def test_a_late_message_whose_time_fits_no_body_is_oversize() -> None:
    assert isinstance(with_prefix(["[]"], "x" * 70, max_bytes=50), Oversize)
