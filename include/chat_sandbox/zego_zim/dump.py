"""The whole world as plain JSON, the same for the same final state, for comparing two of them."""

from __future__ import annotations

from typing import Any

from chat_sandbox.switches import SwitchBoard
from chat_sandbox.zego_zim.timelines import sees, unread_of
from chat_sandbox.zego_zim.world import Group, Message, Side, Timeline, World

Json = dict[str, Any]


def dump_world(world: World, switches: SwitchBoard) -> Json:
    """Return users, groups and sides, sorted by id; messages by time and arrival, oldest first.

    Nothing that only tells in which order conversations were written is in it: no MsgId, no time of
    arrival. ``visible`` is how many messages a member's client shows. Retention is not applied.
    """
    return {
        "users": {
            user_id: {"name": user.name, "avatar": user.avatar, "extra": user.extra}
            for user_id, user in sorted(world.users.items())
        },
        "groups": {
            group_id: _group(group, switches) for group_id, group in sorted(world.groups.items())
        },
        "dismissed_groups": sorted(world.dismissed_groups),
        "sides": [
            _side(side) for _, own in sorted(world.sides.items()) for _, side in sorted(own.items())
        ],
    }


def _group(group: Group, switches: SwitchBoard) -> Json:
    messages = group.timeline.messages
    return {
        "name": group.name,
        "owner": group.owner,
        "create_time": group.create_time,
        "notice": group.notice,
        "avatar": group.avatar,
        "attributes": dict(sorted(group.attributes.items())),
        "members": {
            user_id: {
                "role": member.role,
                "join_time": member.join_time,
                "nickname": member.nickname,
                "unread": unread_of(group.timeline, member.read_seq, user_id),
                "visible": sum(sees(switches, member, message) for message in messages),
            }
            for user_id, member in sorted(group.members.items())
        },
        "messages": _messages(group.timeline),
    }


def _side(side: Side) -> Json:
    return {
        "owner": side.owner,
        "peer": side.peer,
        "unread": unread_of(side.timeline, side.read_seq, side.owner),
        "messages": _messages(side.timeline),
    }


def _messages(timeline: Timeline) -> list[Json]:
    in_order = sorted(timeline.messages, key=lambda message: (message.time, message.seq))
    return [_message(message) for message in in_order]


def _message(message: Message) -> Json:
    return {
        "seq": message.seq,
        "from": message.sender,
        "time": message.time,
        "sent_at": message.sent_at,
        "type": message.type,
        "sub_type": message.sub_type,
        "body": message.body,
        "payload": message.payload,
        "searched": message.searched,
        "priority": message.priority,
        "imported": message.imported,
        "recalled": message.recalled,
        "deleted": message.deleted,
    }
