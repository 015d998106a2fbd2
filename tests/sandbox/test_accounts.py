"""Accounts and profiles."""

from __future__ import annotations

from typing import Any

import pytest
from tests.sandbox.client import Json, Tencent

IMPORT = "im_open_login_svc/account_import"
MULTI = "im_open_login_svc/multiaccount_import"
CHECK = "im_open_login_svc/account_check"
SET = "profile/portrait_set"


def _rows(count: int) -> list[Json]:
    return [{"UserID": f"u{number}"} for number in range(count)]


@pytest.mark.parametrize(("count", "code"), [(0, 70206), (1, 0), (100, 0), (101, 70206)])
def test_a_batch_holds_1_to_100_accounts(tencent: Tencent, count: int, code: int) -> None:
    rows = _rows(count)
    assert tencent.code(MULTI, {"AccountList": rows}) == code
    assert tencent.code(MULTI, {"Accounts": [row["UserID"] for row in rows]}) == code
    assert tencent.code(CHECK, {"CheckItem": rows}) == code


@pytest.mark.parametrize(
    "row",
    [
        pytest.param({"UserID": "x" * 33}, id="33 bytes"),
        pytest.param({"UserID": "müller"}, id="not ASCII"),
        pytest.param({"UserID": "a\tb"}, id="control character"),
        pytest.param({"UserID": "late", "Nick": "é" * 251}, id="Nick over 500 bytes"),
        pytest.param({"UserID": "late", "FaceUrl": "x" * 501}, id="FaceUrl over 500 bytes"),
    ],
)
def test_a_bad_account_fails_alone_and_the_top_level_stays_0(tencent: Tencent, row: Json) -> None:
    reply = tencent.call(MULTI, {"AccountList": [{"UserID": "good"}, row]})
    assert reply["ErrorCode"] == 0
    assert reply["FailAccounts"] == [row["UserID"]]
    assert "good" in tencent.sandbox.dump()["accounts"]


def test_ids_of_32_bytes_and_names_of_500_bytes_fit(tencent: Tencent) -> None:
    row = {"UserID": "x" * 32, "Nick": "é" * 250, "FaceUrl": "u" * 500}
    assert tencent.call(MULTI, {"AccountList": [row]}) == tencent.call(IMPORT, row)


def test_importing_again_overwrites_only_the_fields_given(tencent: Tencent) -> None:
    tencent.call(IMPORT, {"UserID": "x", "Nick": "A", "FaceUrl": "u"})
    tencent.call(MULTI, {"AccountList": [{"UserID": "x", "Nick": "B"}]})
    profile = tencent.sandbox.dump()["accounts"]["x"]
    assert profile == {"Tag_Profile_IM_Image": "u", "Tag_Profile_IM_Nick": "B"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 70402),
        ({"UserID": ""}, 70402),
        ({"UserID": 7}, 70402),
        ({"UserID": "x" * 33}, 70402),
        ({"UserID": "x", "Nick": "n" * 501}, 40601),
        ({"UserID": "x", "Nick": 3}, 70402),
    ],
)
def test_account_import_refuses_what_does_not_fit(tencent: Tencent, body: Json, code: int) -> None:
    assert tencent.code(IMPORT, body) == code


def test_the_admin_is_an_account_without_import(tencent: Tencent) -> None:
    admin = tencent.sandbox.app.admin
    rows = tencent.call(CHECK, {"CheckItem": [{"UserID": admin}]})["ResultItem"]
    assert rows[0]["AccountStatus"] == "Imported"
    assert admin not in tencent.sandbox.dump()["accounts"]


def test_user_ids_are_case_sensitive(tencent: Tencent) -> None:
    rows = tencent.call(CHECK, {"CheckItem": [{"UserID": "Ann"}]})["ResultItem"]
    assert rows[0]["AccountStatus"] == "NotImported"


@pytest.mark.parametrize(
    ("tag", "value", "code"),
    [
        ("Tag_Profile_IM_Nick", "x" * 500, 0),
        ("Tag_Profile_IM_Nick", "x" * 501, 40601),
        ("Tag_Profile_IM_Nick", 5, 40610),
        ("Tag_Profile_IM_Location", "x" * 17, 40601),
        ("Tag_Profile_IM_SelfSignature", "x" * 501, 40601),
        ("Tag_Profile_IM_Gender", "Gender_Type_Female", 0),
        ("Tag_Profile_IM_Gender", "female", 40605),
        ("Tag_Profile_IM_AllowType", "AllowType_Type_AllowAny", 0),
        ("Tag_Profile_IM_AdminForbidType", "no", 40605),
        ("Tag_Profile_IM_BirthDay", 20000131, 0),
        ("Tag_Profile_IM_BirthDay", "20000131", 40610),
        ("Tag_Profile_IM_Level", -1, 40610),
        ("Tag_Profile_Custom_Team", "blue", 0),
        ("Tag_Profile_Custom_Team", 3, 0),
        ("Tag_Profile_Custom_TooLongKey", "x", 40009),
        ("Tag_Profile_Custom_Team", "x" * 501, 40601),
        ("Tag_Profile_IM_Shoe", "43", 40009),
        ("Tag_Profile_IM_Nick", None, 40610),
    ],
)
def test_profile_fields_have_types_and_caps(
    tencent: Tencent, tag: str, value: Any, code: int
) -> None:
    body = {"From_Account": "ann", "ProfileItem": [{"Tag": tag, "Value": value}]}
    assert tencent.code(SET, body) == code
    stored = tencent.sandbox.dump()["accounts"]["ann"].get(tag)
    assert stored == (value if code == 0 else None)


def test_one_wrong_profile_field_changes_none(tencent: Tencent) -> None:
    items = [{"Tag": "Tag_Profile_IM_Nick", "Value": "A"}, {"Tag": "Tag_X", "Value": "B"}]
    assert tencent.code(SET, {"From_Account": "ann", "ProfileItem": items}) == 40009
    assert tencent.sandbox.dump()["accounts"]["ann"] == {}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"From_Account": "nobody", "ProfileItem": [{"Tag": "x", "Value": "y"}]}, 40003),
        ({"ProfileItem": [{"Tag": "x", "Value": "y"}]}, 40001),
        ({"From_Account": "ann", "ProfileItem": []}, 40001),
    ],
)
def test_portrait_set_checks_its_request(tencent: Tencent, body: Json, code: int) -> None:
    assert tencent.code(SET, body) == code


def test_at_most_20_custom_profile_fields_are_kept(tencent: Tencent) -> None:
    keys = [f"Tag_Profile_Custom_{chr(97 + number)}" for number in range(21)]
    items = [{"Tag": key, "Value": "x"} for key in keys]
    assert tencent.code(SET, {"From_Account": "ann", "ProfileItem": items[:20]}) == 0
    assert tencent.code(SET, {"From_Account": "ann", "ProfileItem": items[20:]}) == 40001


def test_portrait_get_reads_what_was_set(tencent: Tencent) -> None:
    item = {"Tag": "Tag_Profile_IM_Nick", "Value": "Mara"}
    tencent.call(SET, {"From_Account": "ann", "ProfileItem": [item]})
    body = {"To_Account": ["ann", "nobody"], "TagList": ["Tag_Profile_IM_Nick"]}
    reply = tencent.call("profile/portrait_get", body)
    assert reply["UserProfileItem"][0]["ProfileItem"] == [item]
    assert reply["Fail_Account"] == ["nobody"]
