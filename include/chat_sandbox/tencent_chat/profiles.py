"""User profiles.

Source: portrait_set page (1047/34916; 269/1640), profile fields page (1047/33520).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from chat_sandbox.tencent_chat import fields
from chat_sandbox.tencent_chat.call import Call, Reply
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.fields import Body
from chat_sandbox.tencent_chat.world import Account

MAX_VALUE_BYTES = 500
MAX_CUSTOM_FIELDS = 20
MAX_READ = 100
CUSTOM_PREFIX = "Tag_Profile_Custom_"
_TEXT_CAPS: Final[Mapping[str, int]] = {
    "Tag_Profile_IM_Nick": MAX_VALUE_BYTES,
    "Tag_Profile_IM_Image": MAX_VALUE_BYTES,
    "Tag_Profile_IM_Location": 16,
    "Tag_Profile_IM_SelfSignature": MAX_VALUE_BYTES,
}
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "Tag_Profile_IM_Gender": ("Gender_Type_Unknown", "Gender_Type_Female", "Gender_Type_Male"),
    "Tag_Profile_IM_AllowType": (
        "AllowType_Type_NeedConfirm",
        "AllowType_Type_AllowAny",
        "AllowType_Type_DenyAny",
    ),
    "Tag_Profile_IM_AdminForbidType": ("AdminForbid_Type_None", "AdminForbid_Type_SendOut"),
}
_NUMBERS: Final = frozenset(
    f"Tag_Profile_IM_{name}" for name in ("BirthDay", "Language", "Level", "Role")
)
_CUSTOM_TAG = re.compile(CUSTOM_PREFIX + r"[A-Za-z]{1,8}")


def portrait_set(call: Call) -> Reply:
    """Set profile fields of one account; all of them or, if one is wrong, none."""
    user_id = fields.text(call.body, "From_Account", code=40001)
    if not call.has_account(user_id):
        raise RefusalError(40003)
    rows = fields.objects(call.body, "ProfileItem", code=40001)
    changes = dict(_checked(row) for row in rows)
    account = call.world.accounts.setdefault(user_id, Account(user_id=user_id))
    profile = account.profile | changes
    if sum(tag.startswith(CUSTOM_PREFIX) for tag in profile) > MAX_CUSTOM_FIELDS:
        raise RefusalError(40001, f"more than {MAX_CUSTOM_FIELDS} custom fields")
    account.profile = profile
    return {}


def portrait_get(call: Call) -> Reply:
    """Return profile fields of up to 100 accounts; unknown ones are in ``Fail_Account``."""
    user_ids = fields.texts(call.body, "To_Account", code=40001)
    tags = fields.texts(call.body, "TagList", code=40001)
    if len(user_ids) > MAX_READ:
        raise RefusalError(40001, f"more than {MAX_READ} accounts")
    reply: Reply = {"UserProfileItem": [_row(call, user_id, tags) for user_id in user_ids]}
    if missing := [user_id for user_id in user_ids if not call.has_account(user_id)]:
        reply["Fail_Account"] = missing
    return reply


def _row(call: Call, user_id: str, tags: list[str]) -> Body:
    account = call.world.accounts.get(user_id)
    profile = {} if account is None else account.profile
    known = call.has_account(user_id)
    return {
        "To_Account": user_id,
        "ProfileItem": [{"Tag": tag, "Value": profile[tag]} for tag in tags if tag in profile],
        "ResultCode": 0 if known else 40003,
        "ResultInfo": "" if known else "profile user does not exist",
    }


def _checked(row: Body) -> tuple[str, str | int]:
    tag = fields.text(row, "Tag", code=40001)
    value = row.get("Value")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise RefusalError(40610)
    if tag in _NUMBERS:
        return tag, _number(value)
    if _CUSTOM_TAG.fullmatch(tag):
        return tag, _capped(value, MAX_VALUE_BYTES) if isinstance(value, str) else _number(value)
    if tag not in _TEXT_CAPS and tag not in _CHOICES:
        raise RefusalError(40009)
    if not isinstance(value, str):
        raise RefusalError(40610)
    if tag in _CHOICES and value not in _CHOICES[tag]:
        raise RefusalError(40605)
    return tag, _capped(value, _TEXT_CAPS.get(tag, MAX_VALUE_BYTES))


def _number(value: str | int) -> int:
    if not isinstance(value, int) or not 0 <= value <= fields.MAX_U32:
        raise RefusalError(40610)
    return value


def _capped(value: str, max_bytes: int) -> str:
    if fields.byte_length(value) > max_bytes:
        raise RefusalError(40601)
    return value
