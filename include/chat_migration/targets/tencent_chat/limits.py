"""Tencent Cloud Chat's limits as data. Lengths are UTF-8 bytes, rates calls per second and app."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from chat_migration.targets.verbs import Verb


class ApiLimit(msgspec.Struct, frozen=True):
    """How often one API may be called. ``path`` is what follows the host."""

    path: str
    calls_per_second: int
    writes: bool


_GROUP, _OPENIM, _LOGIN = "v4/group_open_http_svc/", "v4/openim/", "v4/im_open_login_svc/"

APIS: dict[str, ApiLimit] = {
    "account_check": ApiLimit(_LOGIN + "account_check", 100, writes=False),
    "multiaccount_import": ApiLimit(_LOGIN + "multiaccount_import", 100, writes=True),
    "import_group": ApiLimit(_GROUP + "import_group", 200, writes=True),
    "import_topic": ApiLimit(_GROUP + "import_topic", 200, writes=True),
    "import_group_member": ApiLimit(_GROUP + "import_group_member", 200, writes=True),
    "import_group_msg": ApiLimit(_GROUP + "import_group_msg", 200, writes=True),
    "importmsg": ApiLimit(_OPENIM + "importmsg", 200, writes=True),
    "admin_getroammsg": ApiLimit(_OPENIM + "admin_getroammsg", 200, writes=False),
    "set_unread_msg_num": ApiLimit(_GROUP + "set_unread_msg_num", 200, writes=True),
    "modify_group_base_info": ApiLimit(_GROUP + "modify_group_base_info", 200, writes=True),
    "modify_group_member_info": ApiLimit(_GROUP + "modify_group_member_info", 200, writes=True),
    "change_group_owner": ApiLimit(_GROUP + "change_group_owner", 200, writes=True),
    "delete_group_member": ApiLimit(_GROUP + "delete_group_member", 200, writes=True),
    "modify_group_msg": ApiLimit(_OPENIM + "modify_group_msg", 200, writes=True),
    "group_msg_recall": ApiLimit(_GROUP + "group_msg_recall", 200, writes=True),
    "modify_c2c_msg": ApiLimit(_OPENIM + "modify_c2c_msg", 200, writes=True),
    "admin_msgwithdraw": ApiLimit(_OPENIM + "admin_msgwithdraw", 200, writes=True),
    "get_group_info": ApiLimit(_GROUP + "get_group_info", 200, writes=False),
    "get_topic": ApiLimit("v4/million_group_open_http_svc/get_topic", 200, writes=False),
    "get_group_member_info": ApiLimit(_GROUP + "get_group_member_info", 200, writes=False),
    "group_msg_get_simple": ApiLimit(_GROUP + "group_msg_get_simple", 200, writes=False),
}
"""Source: "RESTful API Overview" (1047/34620) and the pages of the single APIs."""

API_OF: Mapping[Verb, str] = {
    Verb.EXISTING_ACCOUNTS: "account_check",
    Verb.IMPORT_ACCOUNTS: "multiaccount_import",
    Verb.CHANGE_ACCOUNTS: "multiaccount_import",
    Verb.CREATE_GROUP: "import_group",
    Verb.CREATE_TOPIC: "import_topic",
    Verb.ADD_MEMBERS: "import_group_member",
    Verb.READ_MEMBERS: "get_group_member_info",
    Verb.READ_PROFILE: "get_group_info",
    Verb.CHANGE_PROFILE: "modify_group_base_info",
    Verb.CHANGE_OWNER: "change_group_owner",
    Verb.CHANGE_ROLE: "modify_group_member_info",
    Verb.REMOVE_MEMBERS: "delete_group_member",
    Verb.GROUP_FRONTIERS: "get_group_info",
    Verb.TOPIC_FRONTIERS: "get_topic",
    Verb.SEND_GROUP_MESSAGES: "import_group_msg",
    Verb.READ_GROUP: "group_msg_get_simple",
    Verb.CHANGE_GROUP_MESSAGE: "modify_group_msg",
    Verb.WITHDRAW_GROUP_MESSAGES: "group_msg_recall",
    Verb.SEND_DIRECT_MESSAGE: "importmsg",
    Verb.READ_DIRECT: "admin_getroammsg",
    Verb.CHANGE_DIRECT_MESSAGE: "modify_c2c_msg",
    Verb.WITHDRAW_DIRECT_MESSAGE: "admin_msgwithdraw",
    Verb.SET_UNREAD: "set_unread_msg_num",
    Verb.CLEAR_UNREAD: "set_unread_msg_num",
}
"""API by what the target is asked to do."""

LIVE_APIS = frozenset({
    "account_check", "multiaccount_import", "set_unread_msg_num", "admin_getroammsg", "get_group_info",
    "get_group_member_info", "get_topic", "group_msg_get_simple", "modify_group_msg", "group_msg_recall",
    "modify_c2c_msg", "admin_msgwithdraw", "modify_group_base_info", "modify_group_member_info",
    "change_group_owner", "delete_group_member",
})  # fmt: skip
"""What a company's servers may call for living users too, from the same limit; the others only serve imports."""

USER_ID_BYTES = 32
"""Source: "Importing a Single Account" (1047/34953)."""
GROUP_ID_BYTES = 48
"""Source: "Group System" (1047/33529)."""
TOPIC_ID_BYTES = 96
"""Source: "Importing Topic Profiles" (1047/53448)."""
NICK_BYTES = 500
ACCOUNT_AVATAR_BYTES = 500
"""Source: "Importing Multiple Accounts" (1047/34954)."""
GROUP_NAME_BYTES = 30
INTRODUCTION_BYTES = 240
NOTIFICATION_BYTES = 300
GROUP_AVATAR_BYTES = 100
TOPIC_NAME_BYTES = 30
MAX_MEMBERS = 6000
DEFAULT_MEMBERS = 2000
"""Source: "Importing a Group Profile" (1047/34967)."""
GROUPS_PER_QUERY = 50
"""Source: "Obtaining Group Profiles" (1047/34961)."""
RECALLS_PER_CALL = 10
"""Source: "Recalling Group Messages" (1047/34965)."""
REMOVALS_PER_CALL = 100
"""Source: "Deleting Group Members" (1047/34949)."""
MEMBERS_PER_PAGE = 100
"""Source: "Obtaining Group Members" (1047/34948): at most 200, or 100 in a community; 100 is advised."""
DIRECT_MESSAGES_PER_PAGE = 100
"""Source: "Querying One-to-One Messages" (1047/35478); an answer ends at about 13 KB all the same."""
MESSAGES_PER_PAGE = 20
"""Source: "Pulling Historical Group Messages" (1047/34971)."""
BACKEND_TIMEOUT_SECONDS = 3.0
"""After this the service has given up a request. Source: "RESTful API Overview" (1047/34620)."""
