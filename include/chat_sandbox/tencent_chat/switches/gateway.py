"""Switches of what stands before every API: rates, text, moderation, plans."""

from __future__ import annotations

from typing import Literal

from chat_sandbox.switches import Switch

THROTTLE_CODE: Switch[Literal["60007", "60011", "60018", "60019", "10006"]] = Switch(
    name="throttle_code",
    values=("60007", "60011", "60018", "60019", "10006"),
    default="60007",
    unknowns=("U23",),
    meaning="ErrorCode of a call over the rate limit",
    reason="60007 is said of a single API's limit",
)
RATE_WINDOW: Switch[Literal["sliding", "fixed", "bucket"]] = Switch(
    name="rate_window",
    values=("sliding", "fixed", "bucket"),
    default="sliding",
    unknowns=("U23",),
    meaning="calls counted in a sliding second, in a calendar second, or from a bucket of a tenth",
    reason="a client that keeps to the sliding second also keeps to the calendar second",
)
MODERATION: Switch[Literal["off", "on"]] = Switch(
    name="moderation",
    values=("off", "on"),
    default="off",
    unknowns=("U27",),
    meaning="whether texts with the word `sandbox-blocked-word` answer 80001, in groups per item",
    reason="moderation is bought separately",
)
INVALID_UNICODE: Switch[Literal["reject", "replace"]] = Switch(
    name="invalid_unicode",
    values=("reject", "replace"),
    default="reject",
    unknowns=("U32",),
    meaning="bodies with invalid UTF-8 or lone surrogates answer 60003, or get U+FFFD for them",
    reason="such a body is no valid JSON text",
)
EMPTY_TEXT: Switch[Literal["accept", "reject"]] = Switch(
    name="empty_text",
    values=("accept", "reject"),
    default="accept",
    unknowns=("U32",),
    meaning="whether TIMTextElem may have an empty Text",
    reason="Text is not marked as one that must be filled",
)
EMPTY_BODY: Switch[Literal["reject", "accept"]] = Switch(
    name="empty_body",
    values=("reject", "accept"),
    default="reject",
    unknowns=("U32",),
    meaning="whether MsgBody may be an empty array",
    reason="MsgBody is required",
)
NUL_TEXT: Switch[Literal["accept", "reject", "truncate"]] = Switch(
    name="nul_text",
    values=("accept", "reject", "truncate"),
    default="accept",
    unknowns=("U32",),
    meaning="a NUL in a text is kept, refused as a malformed element, or ends the text",
    reason="JSON allows it",
)
UNKNOWN_APP_CODE: Switch[Literal["70020", "60006"]] = Switch(
    name="unknown_app_code",
    values=("70020", "60006"),
    default="70020",
    unknowns=("U30",),
    meaning="code for an sdkappid this host does not know",
    reason="70020 is what a wrong region answers",
)
PLAN: Switch[Literal["unlimited", "trial", "standard", "pro", "pro_plus", "enterprise"]] = Switch(
    name="plan",
    values=("unlimited", "trial", "standard", "pro", "pro_plus", "enterprise"),
    default="unlimited",
    unknowns=("U18",),
    meaning="quotas of accounts, groups, groups per user, members per group and new groups per day",
    reason="quotas get in the way of everything but their own tests",
)

TABLE = (
    THROTTLE_CODE,
    RATE_WINDOW,
    MODERATION,
    INVALID_UNICODE,
    EMPTY_TEXT,
    EMPTY_BODY,
    NUL_TEXT,
    UNKNOWN_APP_CODE,
    PLAN,
)
