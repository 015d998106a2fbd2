"""Switches of importing messages, of reading them back, and of what users see of them."""

from __future__ import annotations

from typing import Literal

from chat_sandbox.switches import Switch

DUPLICATE_IMPORT: Switch[Literal["stored", "suppressed"]] = Switch(
    name="zim_duplicate_import",
    values=("stored", "suppressed"),
    default="stored",
    unknowns=("Z1",),
    meaning=(
        "an import equal to a stored message is stored again, or answered with the first "
        "one's MsgSeq and MsgId"
    ),
    reason="no field could identify a repetition, and no page speaks of one",
)
TOO_OLD_TIME: Switch[Literal["660000002", "2", "clamp", "now", "accept"]] = Switch(
    name="zim_too_old_time",
    values=("660000002", "2", "clamp", "now", "accept"),
    default="660000002",
    unknowns=("Z5",),
    meaning=(
        "a SendMessageTime past retention: refused with a code, raised to the oldest permitted, "
        "taken as now, or stored as it is, expired at once"
    ),
    reason="the permitted range is documented, a code for it is not",
)
FUTURE_TIME: Switch[Literal["660800046", "660000002", "now"]] = Switch(
    name="zim_future_time",
    values=("660800046", "660000002", "now"),
    default="660800046",
    unknowns=("Z5",),
    meaning="a SendMessageTime in the future: refused with a code, or taken as now",
    reason="660800046 is `timestamp in the future`, though not listed for imports",
)
MSG_TIME: Switch[Literal["sent", "received"]] = Switch(
    name="zim_msg_time",
    values=("sent", "received"),
    default="sent",
    unknowns=("Z6",),
    meaning="MsgTime of an imported row: SendMessageTime, or the time of the import",
    reason="history that bears the time of its import would defeat the field",
)
OUT_OF_ORDER: Switch[Literal["accept", "lift", "660000002"]] = Switch(
    name="zim_out_of_order",
    values=("accept", "lift", "660000002"),
    default="accept",
    unknowns=("Z7",),
    meaning=(
        "an import older than the newest of its conversation: kept at its time, MsgTime "
        "raised to the newest, or refused"
    ),
    reason="oldest first is asked for, nothing says that it is enforced",
)
TIE_ORDER: Switch[Literal["late_first", "early_first"]] = Switch(
    name="zim_tie_order",
    values=("late_first", "early_first"),
    default="late_first",
    unknowns=("Z8",),
    meaning="which of two rows with one MsgTime is read back first: the one that arrived later, or earlier",
    reason="the list is newest first",
)
PEER_IDS: Switch[Literal["own", "one_counter", "shared"]] = Switch(
    name="zim_peer_ids",
    values=("own", "one_counter", "shared"),
    default="own",
    unknowns=("Z9",),
    meaning=(
        "the two sides of a one-to-one message: MsgId and MsgSeq of their own, one MsgSeq "
        "counter for both, or MsgId and MsgSeq in common"
    ),
    reason="two calls make two messages",
)
IMPORT_UNREAD: Switch[Literal["raise", "none"]] = Switch(
    name="zim_import_unread",
    values=("raise", "none"),
    default="raise",
    unknowns=("Z10",),
    meaning="whether imported messages count as unread for those who did not send them",
    reason="imports have no NoUnread",
)
SENDER_MEMBERSHIP: Switch[Literal["accept", "660600024"]] = Switch(
    name="zim_sender_membership",
    values=("accept", "660600024"),
    default="accept",
    unknowns=("Z11",),
    meaning="a group import whose sender is no member now",
    reason="the code exists but is not listed for imports",
)
PREJOIN_HISTORY: Switch[Literal["time", "seq", "visible"]] = Switch(
    name="zim_prejoin_history",
    values=("time", "seq", "visible"),
    default="time",
    unknowns=("Z12",),
    meaning=(
        "what members see of messages from before they joined: nothing by their join time, "
        "nothing by MsgSeq, or all"
    ),
    reason="not automatic unless support enables it; by which of the two is not said",
)
KILOBYTE: Switch[Literal["1024", "1000"]] = Switch(
    name="zim_kilobyte",
    values=("1024", "1000"),
    default="1024",
    unknowns=("Z13",),
    meaning="how many units a KB has in the limits of Message and ExtendedData",
    reason="the usual reading",
)
LENGTH_UNIT: Switch[Literal["utf8", "utf16", "escaped"]] = Switch(
    name="zim_length_unit",
    values=("utf8", "utf16", "escaped"),
    default="utf8",
    unknowns=("Z13",),
    meaning="what those limits count: UTF-8 bytes, UTF-16 units, or UTF-8 bytes after JSON escaping",
    reason="bytes are what is sent",
)
RAISED_CAPS: Switch[Literal["off", "on"]] = Switch(
    name="zim_raised_caps",
    values=("off", "on"),
    default="off",
    unknowns=(),
    meaning="whether support has raised Message and ExtendedData to 32 KB",
    reason="the default of a project",
)
ODD_NUMBERS: Switch[Literal["reject", "accept"]] = Switch(
    name="zim_odd_numbers",
    values=("reject", "accept"),
    default="reject",
    unknowns=("Z14",),
    meaning="Size, MediaDuration, Width and Height that are 0 or fractional",
    reason="only the thumbnail of a video says that 0 is wrong; the stricter reading",
)
MEDIA_REDIRECT: Switch[Literal["off", "resolve"]] = Switch(
    name="zim_media_redirect",
    values=("off", "resolve"),
    default="off",
    unknowns=("Z15",),
    meaning="whether the server fetches media: a Url with `sandbox-unreachable` then answers 660600022",
    reason="nothing says that it does",
)
CUSTOM_FIELDS_ELSEWHERE: Switch[Literal["ignore", "reject"]] = Switch(
    name="zim_custom_fields_elsewhere",
    values=("ignore", "reject"),
    default="ignore",
    unknowns=("Z16",),
    meaning="SubMsgType and SearchedContent with other types than 200",
    reason="the page's own sample has SubMsgType with type 1",
)
UNKNOWN_FIELDS: Switch[Literal["ignore", "reject"]] = Switch(
    name="zim_unknown_fields",
    values=("ignore", "reject"),
    default="ignore",
    unknowns=("Z17",),
    meaning="fields of an import that no page names",
    reason="JSON services ignore what they do not know",
)
BLANK_MESSAGE: Switch[Literal["reject", "accept", "trim"]] = Switch(
    name="zim_blank_message",
    values=("reject", "accept", "trim"),
    default="reject",
    unknowns=("Z17",),
    meaning=(
        "a Message of white space only is refused or kept; `trim` takes white space off both "
        "ends and refuses what is left empty"
    ),
    reason="an empty Message is not permitted",
)
PAYLOAD_READ_BACK: Switch[Literal["verbatim", "url_encoded", "truncated", "empty", "absent"]] = (
    Switch(
        name="zim_payload_read_back",
        values=("verbatim", "url_encoded", "truncated", "empty", "absent"),
        default="verbatim",
        unknowns=("Z18",),
        meaning=(
            "Payload of a row: ExtendedData as it was, URL-encoded, its first 64 characters, "
            "an empty text, or no such field"
        ),
        reason="nothing else is said",
    )
)
UNREGISTERED_PEER: Switch[Literal["660500002", "660700012", "accept"]] = Switch(
    name="zim_unregistered_peer",
    values=("660500002", "660700012", "accept"),
    default="660500002",
    unknowns=(),
    meaning="an import to a ToUserId that was never registered",
    reason="earlier pages demand it of both users",
)
SELF_CHAT: Switch[Literal["660000002", "accept"]] = Switch(
    name="zim_self_chat",
    values=("660000002", "accept"),
    default="660000002",
    unknowns=(),
    meaning="whether FromUserId may equal ToUserId",
    reason="SendPeerMessage forbids it",
)
MODERATION: Switch[Literal["off", "on"]] = Switch(
    name="zim_moderation",
    values=("off", "on"),
    default="off",
    unknowns=("Z23",),
    meaning="whether texts with the word `sandbox-blocked-word` answer 660500005",
    reason="server sends skip moderation by default",
)
READ_DELAY: Switch[Literal["0", "2"]] = Switch(
    name="zim_read_delay",
    values=("0", "2"),
    default="0",
    unknowns=("Z25",),
    meaning="seconds until a stored message is in the replies of queries",
    reason="a delay gets in the way of everything but its own tests",
)
CURSOR: Switch[Literal["offset", "anchored"]] = Switch(
    name="zim_cursor",
    values=("offset", "anchored"),
    default="offset",
    unknowns=("Z26",),
    meaning="Next counts rows, so that new messages shift the pages, or names the last row",
    reason="called opaque; rows may come twice",
)
DELETE_CONV: Switch[Literal["keep", "clear"]] = Switch(
    name="zim_delete_conv",
    values=("keep", "clear"),
    default="keep",
    unknowns=(),
    meaning="whether DeleteConv deletes the messages of that user's side too",
    reason="not said",
)

TABLE = (
    DUPLICATE_IMPORT,
    TOO_OLD_TIME,
    FUTURE_TIME,
    MSG_TIME,
    OUT_OF_ORDER,
    TIE_ORDER,
    PEER_IDS,
    IMPORT_UNREAD,
    SENDER_MEMBERSHIP,
    PREJOIN_HISTORY,
    KILOBYTE,
    LENGTH_UNIT,
    RAISED_CAPS,
    ODD_NUMBERS,
    MEDIA_REDIRECT,
    CUSTOM_FIELDS_ELSEWHERE,
    UNKNOWN_FIELDS,
    BLANK_MESSAGE,
    PAYLOAD_READ_BACK,
    UNREGISTERED_PEER,
    SELF_CHAT,
    MODERATION,
    READ_DELAY,
    CURSOR,
    DELETE_CONV,
)
