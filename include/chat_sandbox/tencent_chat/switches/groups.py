"""Switches of groups, topics, members and unread numbers."""

from __future__ import annotations

from typing import Literal

from chat_sandbox.switches import Switch

EXISTS_CODE: Switch[Literal["10021", "10025", "by_owner"]] = Switch(
    name="exists_code",
    values=("10021", "10025", "by_owner"),
    default="10021",
    unknowns=("U15",),
    meaning=(
        "code for a GroupId in use; `by_owner` says 10025 if the owner is the one in the request"
    ),
    reason="10021 is the only one that the import_group page lists",
)
DESTROYED_ID: Switch[Literal["reusable", "taken"]] = Switch(
    name="destroyed_id",
    values=("reusable", "taken"),
    default="reusable",
    unknowns=("U15",),
    meaning="whether the GroupId of a destroyed group can be imported again or answers 10021",
    reason="no page forbids it",
)
CREATE_TIME_RANGE: Switch[Literal["any", "past"]] = Switch(
    name="create_time_range",
    values=("any", "past"),
    default="any",
    unknowns=("U16",),
    meaning="whether CreateTime 0, negative or in the future is taken, or 10004",
    reason="no bounds are documented",
)
INITIAL_MEMBERS: Switch[Literal["ignore", "accept", "reject"]] = Switch(
    name="initial_members",
    values=("ignore", "accept", "reject"),
    default="ignore",
    unknowns=("U17",),
    meaning="MemberList in import_group is dropped, imported, or answered 10004",
    reason="a guide speaks of it, the field table does not",
)
DEFAULT_MAX_MEMBERS: Switch[Literal["2000", "plan"]] = Switch(
    name="default_max_members",
    values=("2000", "plan"),
    default="2000",
    unknowns=("U18",),
    meaning="member limit of a group imported without MaxMemberCount",
    reason="the import_group page says 2000; create_group says the plan's cap",
)
OVER_MAX_MEMBERS: Switch[Literal["10004", "10038", "clamp"]] = Switch(
    name="over_max_members",
    values=("10004", "10038", "clamp"),
    default="10004",
    unknowns=("U18",),
    meaning="a MaxMemberCount above the plan's cap is refused with a code or lowered",
    reason="a value above a stated maximum is a bad parameter",
)
MEMBER_BATCH_CAP: Switch[Literal["20", "100", "300", "500"]] = Switch(
    name="member_batch_cap",
    values=("20", "100", "300", "500"),
    default="20",
    unknowns=("U19",),
    meaning="members in one import_group_member",
    reason="20 stands in the newest page (2026-01), the others in older ones",
)
OVER_MEMBER_BATCH: Switch[Literal["10005", "10004"]] = Switch(
    name="over_member_batch",
    values=("10005", "10004"),
    default="10005",
    unknowns=("U19",),
    meaning="code for more members than that",
    reason="10005 is the code for too many accounts",
)
REJOIN_UPDATES: Switch[Literal["nothing", "all"]] = Switch(
    name="rejoin_updates",
    values=("nothing", "all"),
    default="nothing",
    unknowns=("U20",),
    meaning="whether importing a present member (Result 2) refreshes Role, JoinTime and unread",
    reason="`already a member` sounds like no change",
)
REIMPORT_KEEPS: Switch[Literal["nothing", "role_and_unread"]] = Switch(
    name="reimport_keeps",
    values=("nothing", "role_and_unread"),
    default="nothing",
    unknowns=("U46",),
    meaning="what a removed and re-imported member still has of the first time",
    reason="a removed member is gone",
)
MISSING_ACCOUNT_IN_MEMBERS: Switch[Literal["result_0", "10019"]] = Switch(
    name="missing_account_in_members",
    values=("result_0", "10019"),
    default="result_0",
    unknowns=("U20",),
    meaning="a member without account fails alone, or the whole call fails (a page of 2018)",
    reason="newer pages have dropped 10019",
)
ADMIN_IN_WORK_GROUP: Switch[Literal["accept", "as_member", "result_0"]] = Switch(
    name="admin_in_work_group",
    values=("accept", "as_member", "result_0"),
    default="accept",
    unknowns=("U20",),
    meaning="Role Admin in a Private group is kept, lowered to Member, or fails that member",
    reason="the import page does not tell types apart",
)
OWNER_JOIN_TIME: Switch[Literal["now", "create_time"]] = Switch(
    name="owner_join_time",
    values=("now", "create_time"),
    default="now",
    unknowns=("U21",),
    meaning="JoinTime of the owner whom import_group makes a member",
    reason="nothing else is said, so the request's time",
)
UNREAD_CLAMP_BASIS: Switch[Literal["messages", "seq"]] = Switch(
    name="unread_clamp_basis",
    values=("messages", "seq"),
    default="messages",
    unknowns=("U22",),
    meaning=(
        "what clamps unread: the number of messages, or the newest MsgSeq (tips and gaps included)"
    ),
    reason="the page says `number of messages`",
)
IMPORT_TOPIC_PATH: Switch[Literal["both", "group", "million_group"]] = Switch(
    name="import_topic_path",
    values=("both", "group", "million_group"),
    default="both",
    unknowns=("U14",),
    meaning="where import_topic answers: group_open_http_svc, million_group_open_http_svc, or both",
    reason="each is in one official page",
)
COMMUNITY_FEATURE: Switch[Literal["on", "off"]] = Switch(
    name="community_feature",
    values=("on", "off"),
    default="on",
    unknowns=(),
    meaning="the console's switch for communities and topics; off answers 11000",
    reason="a migrator that sends communities needs it",
)
MISSING_GROUP_CODE: Switch[Literal["10010", "10015"]] = Switch(
    name="missing_group_code",
    values=("10010", "10015"),
    default="10010",
    unknowns=("U38",),
    meaning="code for a well-formed GroupId that no group has",
    reason="10010 is `does not exist or was disbanded`; 10015 is said of unknown ids too",
)
TIPS: Switch[Literal["stored", "off"]] = Switch(
    name="tips",
    values=("stored", "off"),
    default="stored",
    unknowns=("U44",),
    meaning="whether changes of profile, owner, role, mute and leavers store a tip with a MsgSeq",
    reason="stored is the console's default, except member tips of ChatRoom groups",
)
SILENCE_SUPPRESSES_TIP: Switch[Literal["yes", "no"]] = Switch(
    name="silence_suppresses_tip",
    values=("yes", "no"),
    default="yes",
    unknowns=("U43",),
    meaning="whether delete_group_member with Silence 1 stores no tip",
    reason="two texts of one page disagree on who is told; none speaks of storage",
)
REMOVE_OWNER: Switch[Literal["10007", "accept"]] = Switch(
    name="remove_owner",
    values=("10007", "accept"),
    default="10007",
    unknowns=("U43",),
    meaning="delete_group_member on the owner is refused, or leaves a group without owner",
    reason="owners are replaced by change_group_owner",
)
PREVIOUS_OWNER_ROLE: Switch[Literal["Member", "Admin"]] = Switch(
    name="previous_owner_role",
    values=("Member", "Admin"),
    default="Member",
    unknowns=("U47",),
    meaning="what the previous owner is after change_group_owner",
    reason="no page says more",
)
NEW_OWNER_NOT_MEMBER: Switch[Literal["10004", "10007"]] = Switch(
    name="new_owner_not_member",
    values=("10004", "10007"),
    default="10004",
    unknowns=("U47",),
    meaning="code when the new owner is no member",
    reason="membership is a rule of the parameter",
)

TABLE = (
    EXISTS_CODE,
    DESTROYED_ID,
    CREATE_TIME_RANGE,
    INITIAL_MEMBERS,
    DEFAULT_MAX_MEMBERS,
    OVER_MAX_MEMBERS,
    MEMBER_BATCH_CAP,
    OVER_MEMBER_BATCH,
    REJOIN_UPDATES,
    REIMPORT_KEEPS,
    MISSING_ACCOUNT_IN_MEMBERS,
    ADMIN_IN_WORK_GROUP,
    OWNER_JOIN_TIME,
    UNREAD_CLAMP_BASIS,
    IMPORT_TOPIC_PATH,
    COMMUNITY_FEATURE,
    MISSING_GROUP_CODE,
    TIPS,
    SILENCE_SUPPRESSES_TIP,
    REMOVE_OWNER,
    PREVIOUS_OWNER_ROLE,
    NEW_OWNER_NOT_MEMBER,
)
