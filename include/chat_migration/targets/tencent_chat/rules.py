"""Tencent Cloud Chat's ids, sizes and bodies, as planning asks for them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from chat_migration.keys import hashed_id
from chat_migration.model import Element
from chat_migration.targets.rules import ProfileCaps, Unsendable
from chat_migration.targets.tencent_chat import limits
from chat_migration.targets.tencent_chat.limits import GROUP_ID_BYTES, TOPIC_ID_BYTES, USER_ID_BYTES
from chat_migration.targets.tencent_chat.payloads import (
    RENDER_VERSION,
    Oversize,
    direct_elements,
    direct_metadata,
    group_elements,
    pack,
    with_prefix,
)

_PRINTABLE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
"""Printable ASCII without a space at either end. Source: "Group System" (1047/33529)."""
_RESERVED = "@TGS#"
_COMMUNITY = "@TGS#_"
_TOPIC = "@TOPIC#_"

REQUEST_OVERHEAD_BYTES = 400
"""What ``importmsg`` adds to a body at most: names of fields, two ids of 32 bytes, five numbers. The whole
JSON counts there (93000). Source: importmsg (1047/35014)."""


class TencentRules:
    """The rules for one app."""

    render_version = RENDER_VERSION
    slot_ms = 1000
    direct_copies = 1
    chooses_direct_sequence = True
    late_goes_to_its_time = False
    has_topics = True
    only_type = ""
    type_names: Mapping[str, str] = MappingProxyType(
        {
            "private": "Work (private)",
            "public": "Public",
            "chatroom": "Meeting (chatroom)",
            "community": "Community",
        }
    )
    """Source: "Group System" (1047/33529)."""
    folds_case = False
    needs_owner = False
    first_members = 0
    random_bits = 32
    may_lose_numbers = False
    group_fields = frozenset(
        ("name", "introduction", "notification", "avatar_url", "max_members", "join")
    )
    adds_roles = True
    tells_members = True
    seconds_between_member_calls = 0.0
    sets_unread = True
    types_without_admins = frozenset(("private",))
    """Source: "Group System" (1047/33529)."""
    types_without_unread = frozenset(("chatroom",))
    """Their counts cannot be set: the call does nothing there. Source: set_unread_msg_num (1047/34909)."""
    api_of = limits.API_OF
    caps = ProfileCaps(
        account_name=limits.NICK_BYTES,
        account_avatar=limits.ACCOUNT_AVATAR_BYTES,
        group_name=limits.GROUP_NAME_BYTES,
        introduction=limits.INTRODUCTION_BYTES,
        notification=limits.NOTIFICATION_BYTES,
        group_avatar=limits.GROUP_AVATAR_BYTES,
        topic_name=limits.TOPIC_NAME_BYTES,
        default_members=limits.DEFAULT_MEMBERS,
        max_members=limits.MAX_MEMBERS,
    )

    def __init__(self, *, admin: str, max_body_bytes: int) -> None:
        self._admin, self._max_body_bytes = admin, max_body_bytes

    def oldest_slot(self, now_ms: int) -> int | None:
        """Return None: old messages are taken; whether they are shown is the app's plan (unknown U8)."""
        del now_ms
        return None

    def accepts_user_id(self, legacy_id: str) -> bool:
        """Tell whether a legacy id can be an account id: printable ASCII, at most 32 bytes, not the admin's."""
        return (
            len(legacy_id) <= USER_ID_BYTES
            and legacy_id != self._admin
            and _PRINTABLE.fullmatch(legacy_id) is not None
        )

    def group_id(self, legacy_id: str, attempt: int, *, community: bool) -> str:
        """Return a group id of at most 48 bytes; a community's begins with ``@TGS#_``, others' never do so."""
        prefix = _COMMUNITY if community else ""
        plain = legacy_id.removeprefix(_COMMUNITY) if community else legacy_id
        fits = _PRINTABLE.fullmatch(plain) and len(prefix + plain) <= GROUP_ID_BYTES
        if attempt == 0 and fits and not plain.startswith(_RESERVED) and _TOPIC not in plain:
            return prefix + plain
        return prefix + hashed_id("group", legacy_id, attempt)

    def topic_id(self, group_id: str, legacy_id: str, attempt: int) -> str:
        """Return ``{GroupId}@TOPIC#_{part}`` of at most 96 bytes. Source: import_topic (1047/53448)."""
        prefix = f"{group_id}{_TOPIC}"
        plain = legacy_id.removeprefix(prefix)
        fits = _PRINTABLE.fullmatch(plain) and len(prefix + plain) <= TOPIC_ID_BYTES
        if attempt == 0 and fits and _COMMUNITY not in plain and _TOPIC not in plain:
            return prefix + plain
        return prefix + hashed_id("topic", legacy_id, attempt)

    def group_bodies(
        self, elements: Sequence[Element], *, reply_to: str, extra: str, split: bool
    ) -> list[str]:
        """Return the bodies of a group message, each within the app's limit."""
        rendered = group_elements(elements, reply_to=reply_to, extra=extra)
        return _fitting(pack(rendered, max_bytes=self._max_body_bytes, split=split))

    def direct_bodies(
        self, elements: Sequence[Element], *, reply_to: str, extra: str, split: bool
    ) -> tuple[list[str], str]:
        """Return the bodies of a one-to-one message; together with its metadata each is within the limit."""
        metadata = direct_metadata(reply_to=reply_to, extra=extra)
        # The metadata is a JSON text inside JSON: quotes and backslashes in it count twice.
        taken = (
            REQUEST_OVERHEAD_BYTES
            + len(metadata.encode())
            + metadata.count('"')
            + metadata.count("\\")
        )
        room = self._max_body_bytes - taken
        return _fitting(pack(direct_elements(elements), max_bytes=room, split=split)), metadata

    def late_bodies(self, bodies: Sequence[str], prefix: str, *, split: bool) -> list[str]:
        """Return the bodies with a text before everything."""
        prefixed = with_prefix(bodies, prefix, max_bytes=self._max_body_bytes, split=split)
        return _fitting(prefixed)


def _fitting(packed: list[str] | Oversize) -> list[str]:
    if isinstance(packed, Oversize):
        raise Unsendable(
            "oversize",
            f"the message takes {packed.size} bytes, {packed.limit} are allowed",
            "Shorten it in the export, or raise `max_body_bytes` of the connection if the app allows more.",
        )
    return packed
