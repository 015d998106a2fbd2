"""Result codes of the service, with the texts the sandbox sends as ``ErrorInfo``.

Source: error codes page (1047/34348; 269/1671). The texts are ours: the vendor's are not stable,
and no client may match on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[int, str]] = {
    10002: "internal error",
    10003: "command word wrong",
    10004: "parameter invalid",
    10005: "too many accounts in the request",
    10006: "operation frequency limit",
    10007: "not permitted",
    10010: "group does not exist or was disbanded",
    10011: "request could not be parsed",
    10013: "already a member",
    10014: "group is full",
    10015: "GroupId invalid",
    10018: "response would be larger than 1 MB",
    10019: "account does not exist",
    10020: "message too long",
    10021: "GroupId already in use",
    10025: "GroupId already used by you",
    10030: "message does not exist",
    10031: "message is outside the permitted time",
    10032: "message cannot be recalled",
    10033: "group type does not support recall",
    10037: "group count limit of the user, or topic count limit of the community",
    10038: "group member limit over the plan",
    10058: "free plan's group quota is used",
    11000: "community is not switched on",
    20001: "request illegal",
    20003: "sender or recipient invalid",
    20022: "message does not exist",
    20023: "message was recalled before",
    20026: "message does not exist",
    20028: "concurrent modification",
    40001: "profile parameter invalid",
    40003: "profile user does not exist",
    40006: "profile write failed",
    40008: "profile field is not writable",
    40009: "profile tag unknown",
    40601: "profile value too long",
    40605: "standard profile field has a wrong value",
    40610: "profile value has a wrong type",
    60002: "HTTP request or URL could not be parsed",
    60003: "body is not valid JSON",
    60004: "account or signature in the URL is wrong",
    60006: "SDKAppID is not valid",
    60007: "call frequency over the limit of the API",
    60008: "service request timed out",
    60009: "requested resource does not exist",
    60010: "caller is not an App admin",
    60011: "frequency over the limit of the app",
    60012: "sdkappid is missing",
    60018: "requests too frequent",
    60019: "requests too frequent",
    70001: "UserSig expired",
    70002: "UserSig is empty",
    70003: "UserSig is malformed",
    70009: "UserSig verification failed",
    70013: "identifier differs from the UserSig",
    70014: "sdkappid differs from the UserSig",
    70020: "SDKAppID not found here, check the data centre",
    70050: "too many failed verifications, locked for a minute",
    70107: "account has not been imported",
    70206: "batch count wrong",
    70398: "account quota reached",
    70402: "parameter invalid",
    70500: "internal error",
    80001: "content blocked by moderation",
    80002: "message too long",
    90001: "request could not be parsed",
    90002: "MsgBody format wrong",
    90003: "To_Account is missing or no string",
    90005: "MsgRandom is missing or no integer",
    90006: "MsgTimeStamp is missing or no integer",
    90007: "MsgBody is no array",
    90008: "From_Account is missing or invalid",
    90010: "message format wrong",
    90012: "To_Account is not registered",
    90026: "message is older than it may be kept",
    90030: "SyncFromOldSystem is missing or no integer",
    90048: "account does not exist",
    90054: "MsgKey is illegal",
    91000: "internal error",
    93000: "JSON is larger than 12 KB",
    110003: "topic was deleted",
}


class RefusalError(Exception):
    """A call that ends with a non-zero ``ErrorCode`` and changes nothing."""

    def __init__(self, code: int, info: str = "") -> None:
        self.code = code
        self.info = info or TEXTS.get(code, "unknown error")
        super().__init__(f"{code}: {self.info}")
