"""Switches of groups and their members."""

from __future__ import annotations

from typing import Literal

from chat_sandbox.switches import Switch

DISMISSED_GROUP: Switch[Literal["660600011", "660600009", "reusable"]] = Switch(
    name="zim_dismissed_group",
    values=("660600011", "660600009", "reusable"),
    default="660600011",
    unknowns=("Z20",),
    meaning="CreateGroup with the GroupId of a dismissed group",
    reason="ids of dismissed groups are gone for ever; no code of their own is listed",
)
REINVITE: Switch[Literal["660000015", "660600017", "nothing", "update"]] = Switch(
    name="zim_reinvite",
    values=("660000015", "660600017", "nothing", "update"),
    default="660000015",
    unknowns=("Z21", "Z22"),
    meaning="inviting a present member: listed with a SubCode, no change, or EnterGroupTime is taken anew",
    reason="the harder case; the first SubCode is in a sample and in no table",
)
UNREGISTERED_MEMBER: Switch[Literal["660000015", "660700012", "660600017"]] = Switch(
    name="zim_unregistered_member",
    values=("660000015", "660700012", "660600017"),
    default="660000015",
    unknowns=("Z22",),
    meaning="SubCode of a user who is not registered, in CreateGroup and InviteUsersIntoGroup",
    reason="the sample of the CreateGroup page",
)
ALL_MEMBERS_FAIL: Switch[Literal["made", "not_made"]] = Switch(
    name="zim_all_members_fail",
    values=("made", "not_made"),
    default="made",
    unknowns=("Z22",),
    meaning="whether CreateGroup whose users all failed (Code is not 0 then) has made the group",
    reason="the owner is not among those who failed",
)
GROUP_NAME_UNIT: Switch[Literal["characters", "bytes"]] = Switch(
    name="zim_group_name_unit",
    values=("characters", "bytes"),
    default="characters",
    unknowns=("Z13",),
    meaning="what the 50 of a GroupName count",
    reason="characters since 2026-08-17, bytes before",
)
GROUP_ID_CHARSET: Switch[Literal["dash", "quote"]] = Switch(
    name="zim_group_id_charset",
    values=("dash", "quote"),
    default="dash",
    unknowns=("Z19",),
    meaning="whether GroupIds may have `-`, or, as CreateGroup prints it, an apostrophe in its place",
    reason="client guides list the dash; the apostrophe looks like a slip",
)
GROUP_LIST_DELAY: Switch[Literal["60", "0"]] = Switch(
    name="zim_group_list_delay",
    values=("60", "0"),
    default="60",
    unknowns=("Z25",),
    meaning="seconds until a new group is in QueryAppGroupList",
    reason="up to one minute is documented",
)
TIPS: Switch[Literal["off", "on"]] = Switch(
    name="zim_tips",
    values=("off", "on"),
    default="off",
    unknowns=(),
    meaning="whether making groups and adding members stores tips (type 32) with a MsgSeq",
    reason="off unless enabled",
)

TABLE = (
    DISMISSED_GROUP,
    REINVITE,
    UNREGISTERED_MEMBER,
    ALL_MEMBERS_FAIL,
    GROUP_NAME_UNIT,
    GROUP_ID_CHARSET,
    GROUP_LIST_DELAY,
    TIPS,
)
