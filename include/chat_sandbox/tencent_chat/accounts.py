"""Accounts: importing one or many, and asking whether they exist.

Source: account_import (1047/34953), multiaccount_import (1047/34954; 269/4919), account_check
(1047/34956).
"""

from __future__ import annotations

from collections.abc import Iterable

from chat_sandbox.tencent_chat import fields
from chat_sandbox.tencent_chat.call import Call, Reply
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.fields import Body
from chat_sandbox.tencent_chat.world import Account

MAX_BATCH = 100
MAX_PROFILE_BYTES = 500
NICK = "Tag_Profile_IM_Nick"
FACE_URL = "Tag_Profile_IM_Image"
_PROFILE_FIELDS = {"Nick": NICK, "FaceUrl": FACE_URL}
BAD_REQUEST = 70402
BAD_COUNT = 70206


def account_import(call: Call) -> Reply:
    """Import one account; importing it again keeps one and overwrites the profile fields given."""
    user_id = fields.text(call.body, "UserID", code=BAD_REQUEST)
    if not fields.is_user_id(user_id):
        raise RefusalError(BAD_REQUEST, "UserID is no printable ASCII of at most 32 bytes")
    profile = _profile(call.body)
    _check_quota(call, [user_id])
    _store(call, user_id, profile)
    return {}


def multiaccount_import(call: Call) -> Reply:
    """Import up to 100 accounts, by the old body (``Accounts``) or the new one (``AccountList``).

    ``ErrorCode`` stays 0 when some fail; those are in ``FailAccounts``.
    """
    rows = _account_rows(call.body)
    if not 0 < len(rows) <= MAX_BATCH:
        raise RefusalError(BAD_COUNT)
    good: dict[str, dict[str, str | int]] = {}
    failed: list[str] = []
    for row in rows:
        user_id = fields.optional_text(row, "UserID", code=BAD_REQUEST) or ""
        try:
            profile = _profile(row)
        except RefusalError:
            profile = None
        if profile is None or not fields.is_user_id(user_id):
            failed.append(user_id)
        else:
            good[user_id] = good.get(user_id, {}) | profile
    _check_quota(call, good)
    for user_id, profile in good.items():
        _store(call, user_id, profile)
    return {"FailAccounts": failed} if failed else {}


def account_check(call: Call) -> Reply:
    """Tell for up to 100 UserIDs whether they were imported."""
    rows = fields.objects(call.body, "CheckItem", code=BAD_COUNT)
    if len(rows) > MAX_BATCH:
        raise RefusalError(BAD_COUNT)
    user_ids = [fields.text(row, "UserID", code=BAD_REQUEST) for row in rows]
    return {
        "ResultItem": [
            {
                "UserID": user_id,
                "ResultCode": 0,
                "ResultInfo": "",
                "AccountStatus": "Imported" if call.has_account(user_id) else "NotImported",
            }
            for user_id in user_ids
        ]
    }


def _account_rows(body: Body) -> list[Body]:
    if body.get("AccountList") is not None:
        return fields.objects(body, "AccountList", code=BAD_COUNT)
    return [{"UserID": user_id} for user_id in fields.texts(body, "Accounts", code=BAD_COUNT)]


def _profile(row: Body) -> dict[str, str | int]:
    """Return the profile tags given in an import row; 40601 if one is over 500 bytes."""
    profile: dict[str, str | int] = {}
    for field, tag in _PROFILE_FIELDS.items():
        value = fields.optional_text(row, field, code=BAD_REQUEST)
        if value is None:
            continue
        if fields.byte_length(value) > MAX_PROFILE_BYTES:
            raise RefusalError(40601, f"{field} is longer than {MAX_PROFILE_BYTES} bytes")
        profile[tag] = value
    return profile


def _check_quota(call: Call, user_ids: Iterable[str]) -> None:
    quota = call.quota.accounts
    new = sum(user_id not in call.world.accounts for user_id in user_ids)
    if quota is not None and new and len(call.world.accounts) + new > quota:
        raise RefusalError(70398)


def _store(call: Call, user_id: str, profile: dict[str, str | int]) -> None:
    account = call.world.accounts.setdefault(user_id, Account(user_id=user_id))
    account.profile.update(profile)
