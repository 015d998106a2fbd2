"""ZIM's ids, sizes and bodies, as planning asks for them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from chat_migration.keys import hashed_id
from chat_migration.model import Element
from chat_migration.targets.rules import ProfileCaps, Unsendable
from chat_migration.targets.zego_zim import limits
from chat_migration.targets.zego_zim.payloads import (
    RENDER_VERSION,
    Oversize,
    Room,
    pack,
    rendered,
)

_ID = re.compile(rf"[0-9A-Za-z][0-9A-Za-z_.@:=~]{{0,{limits.ID_BYTES - 1}}}")
"""What every page permits; they differ about dash, apostrophe and space, and ``#`` begins the service's own ids.
Source: "Create a group", "Import group messages", "Transfer the group ownership"."""


class ZimRules:
    """The rules for one app."""

    render_version = RENDER_VERSION
    slot_ms = 1
    """How fine the target's times are: send times are milliseconds, ties are lifted by one."""
    direct_copies = 2
    """A one-to-one message is sent once for each of the two people."""
    chooses_direct_sequence = False
    """The service numbers messages itself, and knows no repeat."""
    late_goes_to_its_time = True
    """A message may be older than the newest of its conversation."""
    has_topics = False
    only_type = "public"
    """ZIM's groups have no types; this one is everybody's that has admins and unread counts."""
    type_names: Mapping[str, str] = MappingProxyType({})
    folds_case = True
    """Whether it does is not known (unknown 19)."""
    needs_owner = True
    """No group can be created without an owner."""
    first_members = limits.FIRST_MEMBERS
    random_bits = 63
    may_lose_numbers = True  # unknown 18: Payload may come back empty
    group_fields = frozenset(("name", "notification", "avatar_url"))
    """Source: "Update group data"."""
    adds_roles = False
    tells_members = False
    """Unknown 21 of the vendor's pages."""
    seconds_between_member_calls = 1.0 / limits.MEMBER_CALLS_PER_SECOND
    sets_unread = False
    types_without_admins: frozenset[str] = frozenset()
    types_without_unread: frozenset[str] = frozenset()
    api_of = limits.API_OF
    caps = ProfileCaps(
        account_name=limits.ACCOUNT_NAME_BYTES,
        account_avatar=limits.ACCOUNT_AVATAR_BYTES,
        group_name=limits.GROUP_NAME_CHARACTERS,
        introduction=0,
        notification=limits.GROUP_NOTICE_BYTES,
        group_avatar=limits.GROUP_AVATAR_BYTES,
        topic_name=0,
        default_members=limits.DEFAULT_MEMBERS,
        max_members=limits.MAX_MEMBERS,
        group_name_in_characters=True,
    )
    """ZIM's groups have no introduction."""

    def __init__(self, *, max_message_bytes: int, retention_days: int) -> None:
        self._room, self._retention_days = Room.of(max_message_bytes), retention_days

    def oldest_slot(self, now_ms: int) -> int:
        """Return the oldest send time that the app takes at this moment, epoch milliseconds; it slides."""
        return limits.oldest_slot(now_ms, self._retention_days)

    def accepts_user_id(self, legacy_id: str) -> bool:
        """Tell whether a legacy id can be an account id: what every page permits, at most 32 bytes."""
        return _ID.fullmatch(legacy_id) is not None

    def group_id(self, legacy_id: str, attempt: int, *, community: bool) -> str:
        """Return a group id of at most 32 bytes; communities are groups like all others."""
        del community
        if attempt == 0 and _ID.fullmatch(legacy_id):
            return legacy_id
        return hashed_id("group", legacy_id, attempt)

    def topic_id(self, group_id: str, legacy_id: str, attempt: int) -> str:
        """Return an id for a topic, of which ZIM has none: nothing can be sent to it."""
        return hashed_id("topic", f"{group_id}/{legacy_id}", attempt)

    def group_bodies(
        self, elements: Sequence[Element], *, reply_to: str, extra: str, split: bool
    ) -> list[str]:
        """Return the bodies of a message, each within the app's limit."""
        items, reference = rendered(elements, room=self._room, reply_to=reply_to, extra=extra)
        return _fitting(pack(items, room=self._room, reference=reference, split=split))

    def direct_bodies(
        self, elements: Sequence[Element], *, reply_to: str, extra: str, split: bool
    ) -> tuple[list[str], str]:
        """Return the bodies of a one-to-one message, which are those of a group message; no metadata."""
        return self.group_bodies(elements, reply_to=reply_to, extra=extra, split=split), ""

    def late_bodies(self, bodies: Sequence[str], prefix: str, *, split: bool) -> list[str]:
        """Return the bodies as they are: a late message goes to its true time."""
        del prefix, split
        return list(bodies)


def _fitting(packed: list[str] | Oversize) -> list[str]:
    if isinstance(packed, Oversize):
        raise Unsendable(
            "oversize",
            f"the message takes {packed.size} bytes, {packed.limit} are allowed",
            "Shorten it in the export, or raise `max_message_bytes` of the connection if the app allows more.",
        )
    return packed
