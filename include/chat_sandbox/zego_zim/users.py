"""Users and their profiles. Source: batch register users; modify / query user information."""

from __future__ import annotations

from collections.abc import Callable

from chat_sandbox.zego_zim import fields
from chat_sandbox.zego_zim.call import Call, Reply
from chat_sandbox.zego_zim.codes import TOO_MANY_USERS, RefusalError, envelope
from chat_sandbox.zego_zim.fields import Body
from chat_sandbox.zego_zim.world import User

MAX_USERS = 100
MAX_QUERIED_ID_BYTES = 64
"""QueryUserInfos alone says 64."""
MAX_NAME_BYTES, MAX_AVATAR_BYTES, MAX_EXTRA_BYTES = 256, 500, 2048
EXISTS, UNREGISTERED = 660_700_002, 660_700_012
NAME_TOO_LONG, AVATAR_TOO_LONG = 660_700_006, 660_700_007
PLAN_REACHED = 660_000_001


def user_register(call: Call) -> Reply:
    """Register up to 100 users. Users who exist keep their profile and are listed as failed.

    ``Code`` is not 0 only when all users exist already.
    """
    errors, count = _errors(call, _register)
    all_exist = len(errors) == count and {row["SubCode"] for row in errors} == {EXISTS}
    return {**(envelope(EXISTS) if all_exist else {}), "ErrorList": errors}


def modify_user_info(call: Call) -> Reply:
    """Change the profiles of up to 100 users; fields that are absent stay as they are."""
    errors, count = _errors(call, _modify)
    return {**failed_wholly(errors, of=count), "ErrorList": errors}


def query_user_infos(call: Call) -> Reply:
    """Return the profiles of up to 100 users; those who do not exist are listed as failed."""
    found: list[Body] = []
    errors: list[Body] = []
    wanted = fields.texts(call.body, "UserIds", max_count=MAX_USERS, code=TOO_MANY_USERS)
    for user_id in wanted:
        user = _found(call, user_id)
        if user is None:
            errors.append({"UserId": user_id, "SubCode": UNREGISTERED})
            continue
        profile = {"UserName": user.name, "UserAvatar": user.avatar, "Extra": user.extra}
        found.append({"UserId": user_id, **profile})
    return {**failed_wholly(errors, of=len(wanted)), "Result": found, "ErrorList": errors}


def failed_wholly(errors: list[Body], *, of: int) -> Body:
    """Return the ``Code`` of a call whose items all failed: the first one's; else nothing."""
    return envelope(errors[0]["SubCode"]) if errors and len(errors) == of else {}


def _errors(call: Call, change: Callable[[Call, Body], None]) -> tuple[list[Body], int]:
    """Change every user of ``UserInfo``; return the errors and how many users there were."""
    rows = fields.objects(call.body, "UserInfo", max_count=MAX_USERS, code=TOO_MANY_USERS)
    errors: list[Body] = []
    for row in rows:
        try:
            change(call, row)
        except RefusalError as refusal:
            failed = {"UserId": row.get("UserId", ""), "SubCode": refusal.code}
            errors.append({**failed, "SubMessage": refusal.info})
    return errors, len(rows)


def _register(call: Call, row: Body) -> None:
    user = User(user_id=call.known_as(fields.text(row, "UserId")))
    _fill(user, row)
    if user.user_id in call.world.users:
        raise RefusalError(EXISTS)
    if call.quota.users is not None and len(call.world.users) >= call.quota.users:
        raise RefusalError(PLAN_REACHED, "user count over the plan")
    call.world.users[user.user_id] = user


def _modify(call: Call, row: Body) -> None:
    user = call.world.users.get(call.known_as(fields.text(row, "UserId")))
    if user is None:
        raise RefusalError(UNREGISTERED)
    changed = User(user.user_id, name=user.name, avatar=user.avatar, extra=user.extra)
    _fill(changed, row)
    if "Extra" in row:
        changed.extra = fields.optional_text(row, "Extra", max_bytes=MAX_EXTRA_BYTES)
    call.world.users[user.user_id] = changed


def _fill(user: User, row: Body) -> None:
    if "UserName" in row:
        user.name = fields.optional_text(
            row, "UserName", max_bytes=MAX_NAME_BYTES, code=NAME_TOO_LONG
        )
    if "UserAvatar" in row:
        user.avatar = fields.optional_text(
            row, "UserAvatar", max_bytes=MAX_AVATAR_BYTES, code=AVATAR_TOO_LONG
        )


def _found(call: Call, user_id: str) -> User | None:
    try:
        return call.world.users.get(call.known_as(user_id, max_bytes=MAX_QUERIED_ID_BYTES))
    except RefusalError:
        return None
