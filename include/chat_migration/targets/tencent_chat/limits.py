"""Tencent Cloud Chat's limits as data. Lengths are UTF-8 bytes, rates calls per second and app."""

from __future__ import annotations

import msgspec


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
    "get_group_info": ApiLimit(_GROUP + "get_group_info", 200, writes=False),
    "get_topic": ApiLimit("v4/million_group_open_http_svc/get_topic", 200, writes=False),
    "group_msg_get_simple": ApiLimit(_GROUP + "group_msg_get_simple", 200, writes=False),
}
"""Source: "RESTful API Overview" (1047/34620) and the pages of the single APIs."""

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
MESSAGES_PER_PAGE = 20
"""Source: "Pulling Historical Group Messages" (1047/34971)."""
BACKEND_TIMEOUT_SECONDS = 3.0
"""After this the service has given up a request. Source: "RESTful API Overview" (1047/34620)."""
