"""The whole world as plain JSON, the same for the same final state, for comparing two of them."""

from __future__ import annotations

from typing import Any

from chat_sandbox.tencent_chat.timelines import unread_of
from chat_sandbox.tencent_chat.world import (
    Conversation,
    Group,
    GroupMessage,
    PeerMessage,
    Timeline,
    World,
)

Json = dict[str, Any]


def dump_world(world: World) -> Json:
    """Return accounts, groups and conversations, sorted by id, messages by seq or time.

    Times that only tell when a call was made (``LastInfoTime``) are left out.
    """
    return {
        "accounts": {
            user_id: dict(sorted(account.profile.items()))
            for user_id, account in sorted(world.accounts.items())
        },
        "groups": {group_id: _group(group) for group_id, group in sorted(world.groups.items())},
        "destroyed_groups": sorted(world.destroyed_groups),
        "conversations": [
            _conversation(key, conversation)
            for key, conversation in sorted(world.conversations.items())
        ],
    }


def _group(group: Group) -> Json:
    return {
        "type": group.type,
        "name": group.name,
        "owner": group.owner,
        "create_time": group.create_time,
        "introduction": group.introduction,
        "notification": group.notification,
        "face_url": group.face_url,
        "max_members": group.max_members,
        "apply_join_option": group.apply_join_option,
        "invite_join_option": group.invite_join_option,
        "mute_all": group.mute_all,
        "support_topic": group.support_topic,
        "app_data": dict(sorted(group.app_data.items())),
        "members": {
            user_id: {
                "role": member.role,
                "join_time": member.join_time,
                "unread": unread_of(group, member),
                "name_card": member.name_card,
            }
            for user_id, member in sorted(group.members.items())
        },
        **_timeline(group.timeline),
        "topics": {
            topic_id: {
                "name": topic.name,
                "create_time": topic.create_time,
                "creator": topic.creator,
                **_timeline(topic.timeline),
            }
            for topic_id, topic in sorted(group.topics.items())
        },
    }


def _timeline(timeline: Timeline) -> Json:
    return {
        "next_msg_seq": timeline.last_seq + 1,
        "last_msg_time": timeline.newest_time,
        "messages": [_group_message(message) for message in timeline.messages],
    }


def _group_message(message: GroupMessage) -> Json:
    return {
        "seq": message.seq,
        "from": message.sender,
        "time": message.time,
        "random": message.random,
        "body": message.body,
        "recalled": message.recalled,
        "system": message.is_system,
        "imported": message.imported,
        "cloud_custom_data": message.cloud_custom_data,
    }


def _conversation(key: str, conversation: Conversation) -> Json:
    return {
        "accounts": key.split("\0"),
        "unread": {
            user_id: count for user_id, count in sorted(conversation.unread.items()) if count
        },
        "messages": [_peer_message(message) for message in conversation.messages],
    }


def _peer_message(message: PeerMessage) -> Json:
    return {
        "from": message.sender,
        "to": message.recipient,
        "seq": message.seq,
        "random": message.random,
        "time": message.time,
        "body": message.body,
        "recalled": message.recalled,
        "cloud_custom_data": message.cloud_custom_data,
    }
