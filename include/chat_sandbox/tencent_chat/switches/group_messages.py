"""Switches of ``import_group_msg`` and of reading group messages back."""

from __future__ import annotations

from typing import Literal

from chat_sandbox.switches import Switch

TIES: Switch[Literal["reject", "accept_in_request", "accept"]] = Switch(
    name="ties",
    values=("reject", "accept_in_request", "accept"),
    default="reject",
    unknowns=("U1",),
    meaning=(
        "a SendTime equal to the group's newest: refused, fine within one request, or always fine"
    ),
    reason="the rule says `later than`; samples that show ties prove nothing",
)
CREATE_TIME_BOUND: Switch[Literal["exclusive", "inclusive"]] = Switch(
    name="create_time_bound",
    values=("exclusive", "inclusive"),
    default="exclusive",
    unknowns=("U2",),
    meaning="whether SendTime or JoinTime may equal the group's CreateTime",
    reason="the rule says `later than`",
)
NOW_BOUND: Switch[Literal["exclusive", "inclusive"]] = Switch(
    name="now_bound",
    values=("exclusive", "inclusive"),
    default="exclusive",
    unknowns=("U2",),
    meaning="whether SendTime or JoinTime may equal the server's present second",
    reason="the rule says `earlier than`",
)
BATCH_AFTER_FAILURE: Switch[Literal["continue", "stop", "atomic"]] = Switch(
    name="batch_after_failure",
    values=("continue", "stop", "atomic"),
    default="continue",
    unknowns=("U3",),
    meaning=(
        "after a failed item the rest is tried, fails too with 10004, or nothing at all is stored"
    ),
    reason="per-item results make most sense if items stand alone",
)
DEDUP_SCOPE: Switch[Literal["group", "group_sender", "group_content", "app"]] = Switch(
    name="dedup_scope",
    values=("group", "group_sender", "group_content", "app"),
    default="group",
    unknowns=("U5",),
    meaning=(
        "what must be equal beside Random: the group, also the sender, also the body, or nothing"
    ),
    reason=(
        "the API page names Random alone; one stream per group is the narrowest reading that is "
        "strict"
    ),
)
DEDUP_CLOCK: Switch[Literal["arrival", "send_time", "either"]] = Switch(
    name="dedup_clock",
    values=("arrival", "send_time", "either"),
    default="arrival",
    unknowns=("U5",),
    meaning=(
        "what the five minutes are measured on: arrival at the server, SendTime, or either of them"
    ),
    reason="a window in a server's memory is wall-clock time",
)
DEDUP_RESULT: Switch[Literal["original_seq", "zero_seq", "time_invalid", "omitted"]] = Switch(
    name="dedup_result",
    values=("original_seq", "zero_seq", "time_invalid", "omitted"),
    default="original_seq",
    unknowns=("U5", "U6"),
    meaning=(
        "a dropped duplicate's item: 0 with the first MsgSeq, 0 with MsgSeq 0, 10004, or no item"
    ),
    reason="`discarded as duplicate` sounds like success",
)
FAILED_ITEM_SEQ: Switch[Literal["zero", "absent", "burned"]] = Switch(
    name="failed_item_seq",
    values=("zero", "absent", "burned"),
    default="zero",
    unknowns=("U6",),
    meaning="MsgSeq of a failed item: 0, no such field, or a number that is then used up",
    reason="the pages show none",
)
FAILED_ITEMS: Switch[Literal["listed", "omitted"]] = Switch(
    name="failed_items",
    values=("listed", "omitted"),
    default="listed",
    unknowns=("U6",),
    meaning="whether ImportMsgResult has an entry for each failed item",
    reason="the Result field would need no other value than 0 otherwise",
)
TOP_LEVEL_WHEN_ALL_FAIL: Switch[Literal["ok", "10004"]] = Switch(
    name="top_level_when_all_fail",
    values=("ok", "10004"),
    default="ok",
    unknowns=("U7",),
    meaning="top-level ErrorCode when no item of import_group_msg was stored",
    reason="a failing item never changes the top level in any sample",
)
UNDOCUMENTED_ITEM_CODE: Switch[Literal["off", "10002", "10023"]] = Switch(
    name="undocumented_item_code",
    values=("off", "10002", "10023"),
    default="off",
    unknowns=("U7",),
    meaning=(
        "the last item of each multi-item request fails with this unlisted Result and is not stored"
    ),
    reason="no page lists such a code",
)
EXPIRED_HISTORY: Switch[Literal["placeholder", "hidden", "reject", "visible"]] = Switch(
    name="expired_history",
    values=("placeholder", "hidden", "reject", "visible"),
    default="placeholder",
    unknowns=("U8", "U26"),
    meaning=(
        "messages past retention: IsPlaceMsg 1, left out, refused at import (10004; c2c 90026), "
        "or shown"
    ),
    reason=(
        "IsPlaceMsg 1 is documented as `expired`; c2c has no placeholder, so there they are left "
        "out"
    ),
)
PLACEHOLDER_ROW: Switch[Literal["full", "bare"]] = Switch(
    name="placeholder_row",
    values=("full", "bare"),
    default="full",
    unknowns=("U8",),
    meaning="whether a placeholder keeps sender, Random and time, or only its MsgSeq",
    reason="the page says only that its body is empty",
)
MEDIA_IN_GROUP: Switch[Literal["reject", "accept"]] = Switch(
    name="media_in_group",
    values=("reject", "accept"),
    default="reject",
    unknowns=("U9", "U37"),
    meaning="whether sound, image, file, video and relay elements are taken in groups, or 10004",
    reason="the API page lists four types, none of them media",
)
CLOUD_CUSTOM_DATA_IN_GROUP: Switch[Literal["ignore", "reject", "store"]] = Switch(
    name="cloud_custom_data_in_group",
    values=("ignore", "reject", "store"),
    default="ignore",
    unknowns=("U10",),
    meaning="CloudCustomData in import_group_msg is dropped, answered 10004, or stored",
    reason="the field is in no version of the page; JSON services ignore what they do not know",
)
UNIMPORTED_SENDER: Switch[Literal["accept", "reject"]] = Switch(
    name="unimported_sender",
    values=("accept", "reject"),
    default="accept",
    unknowns=("U11",),
    meaning=(
        "a group message whose sender was never imported is stored, or fails with item Result 10019"
    ),
    reason="no page makes it a precondition",
)
NON_MEMBER_SENDER: Switch[Literal["accept", "reject"]] = Switch(
    name="non_member_sender",
    values=("accept", "reject"),
    default="accept",
    unknowns=("U11",),
    meaning=(
        "a group message whose sender is no member now is stored, or fails with item Result 10007"
    ),
    reason="no page makes it a precondition",
)
OVERSIZE_GROUP_MESSAGE: Switch[Literal["item_80002", "request_10020"]] = Switch(
    name="oversize_group_message",
    values=("item_80002", "request_10020"),
    default="item_80002",
    unknowns=("U12",),
    meaning="a message over the size limit fails alone, or the whole request fails",
    reason="the page lists both codes; the item code names the limit",
)
GROUP_SIZE_BASIS: Switch[Literal["msgbody", "elements"]] = Switch(
    name="group_size_basis",
    values=("msgbody", "elements"),
    default="msgbody",
    unknowns=("U12",),
    meaning="what is measured: MsgBody as compact JSON, or the sum of the elements' field lengths",
    reason="the stricter count",
)
MESSAGE_BYTES: Switch[Literal["12000", "12288", "8000"]] = Switch(
    name="message_bytes",
    values=("12000", "12288", "8000"),
    default="12000",
    unknowns=("U12",),
    meaning=(
        "the size limit of a message, in groups and one-to-one; 8000 is that of pages before 2023"
    ),
    reason="`12,000 bytes` and `12 KB` stand side by side; the smaller is safe",
)
TOPIC_TIMELINE: Switch[Literal["own", "shared"]] = Switch(
    name="topic_timeline",
    values=("own", "shared"),
    default="own",
    unknowns=("U13",),
    meaning="whether a topic has its own MsgSeq numbers and newest time, or those of its community",
    reason="get_topic answers NextMsgSeq and LastMsgTime per topic",
)
TOPIC_RESETS_GROUP_UNREAD: Switch[Literal["no", "yes"]] = Switch(
    name="topic_resets_group_unread",
    values=("no", "yes"),
    default="no",
    unknowns=("U13",),
    meaning="whether messages imported into a topic zero the community's unread",
    reason="a topic counts as a conversation of its own",
)
UNREAD_ZEROED_BY: Switch[Literal["any_call", "stored_message"]] = Switch(
    name="unread_zeroed_by",
    values=("any_call", "stored_message"),
    default="any_call",
    unknowns=("U6",),
    meaning="whether an import_group_msg that stored nothing zeroes unread too",
    reason="the page says `after each call`",
)
ZERO_RANDOM: Switch[Literal["keep", "replace"]] = Switch(
    name="zero_random",
    values=("keep", "replace"),
    default="keep",
    unknowns=("U34",),
    meaning="Random 0 is a value like others, or counts as omitted and gets a server-made one",
    reason="0 lies in the documented range",
)
RANDOM_SIGN: Switch[Literal["unsigned", "signed"]] = Switch(
    name="random_sign",
    values=("unsigned", "signed"),
    default="unsigned",
    unknowns=("U34",),
    meaning="whether randoms of 2^31 and above read back as they were or as negative numbers",
    reason="documented as unsigned",
)
GROUP_PAGE_BYTES: Switch[Literal["65536", "13000"]] = Switch(
    name="group_page_bytes",
    values=("65536", "13000"),
    default="65536",
    unknowns=(),
    meaning="size at which a page of group_msg_get_simple is cut (IsFinished 0)",
    reason="the page says that size can cut, not at which size",
)

TABLE = (
    TIES,
    CREATE_TIME_BOUND,
    NOW_BOUND,
    BATCH_AFTER_FAILURE,
    DEDUP_SCOPE,
    DEDUP_CLOCK,
    DEDUP_RESULT,
    FAILED_ITEM_SEQ,
    FAILED_ITEMS,
    TOP_LEVEL_WHEN_ALL_FAIL,
    UNDOCUMENTED_ITEM_CODE,
    EXPIRED_HISTORY,
    PLACEHOLDER_ROW,
    MEDIA_IN_GROUP,
    CLOUD_CUSTOM_DATA_IN_GROUP,
    UNIMPORTED_SENDER,
    NON_MEMBER_SENDER,
    OVERSIZE_GROUP_MESSAGE,
    GROUP_SIZE_BASIS,
    MESSAGE_BYTES,
    TOPIC_TIMELINE,
    TOPIC_RESETS_GROUP_UNREAD,
    UNREAD_ZEROED_BY,
    ZERO_RANDOM,
    RANDOM_SIGN,
    GROUP_PAGE_BYTES,
)
