"""Return codes of the service, with the texts the sandbox sends as ``Message``.

Source: ZIM return codes. The texts are ours: no client may match on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

SUCCESS: Final = 0
BAD_PARAMETER: Final = 660_000_002
TOO_MANY_USERS: Final = 660_000_011
USER_ID_TOO_LONG: Final = 660_000_012
FUTURE_TIME: Final = 660_800_046

TEXTS: Final[Mapping[int, str]] = {
    0: "success",
    1: "server busy",
    2: "parameter invalid",
    3: "authentication failed",
    7: "requests over the system's frequency setting",
    51102: "user does not exist",
    105001: "database error",
    100000000: "host invalid",
    100000001: "AppId missing, malformed or unknown",
    100000002: "Timestamp is missing",
    100000003: "Timestamp is no number",
    100000004: "signature expired",
    100000005: "signature does not match",
    100000006: "Action is missing",
    100000007: "Action is not supported",
    100000008: "SignatureNonce is missing",
    100000009: "SignatureNonce is malformed or was used before",
    100000010: "gateway internal error",
    100000013: "Signature is missing",
    100000014: "SignatureVersion is not 2.0",
    100000016: "AppId is not enabled for production",
    100000017: "service is not enabled",
    660000001: "operation failed",
    660000002: "parameter invalid",
    660000003: "logic error",
    660000011: "too many users",
    660000012: "UserID is longer than 32 bytes",
    660000022: "message not found",
    660000023: "message was recalled before",
    660000024: "message is older than it may be for a recall",
    660000028: "not available on the free plan",
    660300005: "frequency over the limit of the AppID",
    660300006: "frequency over the limit of the group",
    660400001: "message too large",
    660500002: "operator or sender is not registered",
    660500005: "refused by moderation",
    660600001: "group does not exist",
    660600004: "QueryGroupMemberList too frequent",
    660600005: "KickoutGroupUser too frequent",
    660600007: "QueryAppGroupList too frequent",
    660600008: "member to remove is not in the group",
    660600009: "group information failed",
    660600010: "CreateGroup too frequent",
    660600011: "group exists",
    660600012: "group count over the plan",
    660600013: "owner does not exist",
    660600016: "member count over the limit",
    660600017: "user could not join",
    660600019: "too many group attributes",
    660600020: "group attribute too long",
    660600022: "a media address could not be resolved",
    660600023: "message length wrong",
    660600024: "user is not in the group",
    660700001: "UserRegister too frequent",
    660700002: "user exists",
    660700006: "UserName is longer than 256 bytes",
    660700007: "UserAvatar is longer than 500 bytes",
    660700012: "user is not registered",
    660800002: "conversation does not exist",
    660800046: "time lies in the future",
    661000001: "message is older than it may be for an edit",
}


class RefusalError(Exception):
    """A call that ends with a ``Code`` other than 0, and changes nothing."""

    def __init__(self, code: int, info: str = "") -> None:
        self.code = code
        self.info = info or text_of(code)
        super().__init__(f"{code}: {self.info}")


def text_of(code: int) -> str:
    """Return the sandbox's words for a code."""
    return TEXTS.get(code, "unknown error")


def envelope(code: int, info: str = "") -> dict[str, Any]:
    """Return ``Code`` and ``Message`` of a reply."""
    return {"Code": code, "Message": info or text_of(code)}
