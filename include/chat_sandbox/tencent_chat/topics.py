"""Topics of communities. Source: import_topic page (1047/53448; 269/85313)."""

from __future__ import annotations

from chat_sandbox.tencent_chat import fields
from chat_sandbox.tencent_chat.call import COMMUNITY, Call, Reply
from chat_sandbox.tencent_chat.codes import RefusalError
from chat_sandbox.tencent_chat.fields import Body
from chat_sandbox.tencent_chat.quotas import TOPICS_PER_COMMUNITY
from chat_sandbox.tencent_chat.switches.groups import COMMUNITY_FEATURE
from chat_sandbox.tencent_chat.world import Group, Topic

MAX_TOPIC_ID_BYTES = 96
MAX_NAME_BYTES = 30
MAX_CUSTOM_BYTES = 3000
MAX_FACE_URL_BYTES = 100
MAX_NOTIFICATION_BYTES = 300
MAX_INTRODUCTION_BYTES = 240
SEPARATOR = "@TOPIC#_"


def import_topic(call: Call) -> Reply:
    """Create a topic with a past creation time in a community that has topics."""
    group = _community(call)
    body = call.body
    if fields.optional_text(body, "Type") not in {None, COMMUNITY}:
        raise RefusalError(fields.BAD_PARAMETER, "Type is Community")
    created = fields.optional_integer(body, "CreateTime")
    topic = Topic(
        topic_id=_topic_id(call, group),
        name=fields.text(body, "TopicName", max_bytes=MAX_NAME_BYTES),
        create_time=call.now if created is None else created,
        creator=fields.optional_text(body, "From_Account") or "",
        custom=_capped(body, "CustomString", MAX_CUSTOM_BYTES),
        face_url=_capped(body, "FaceUrl", MAX_FACE_URL_BYTES),
        notification=_capped(body, "Notification", MAX_NOTIFICATION_BYTES),
        introduction=_capped(body, "Introduction", MAX_INTRODUCTION_BYTES),
    )
    if topic.topic_id in group.topics:
        raise RefusalError(10021, "TopicId already in use")
    if len(group.topics) >= TOPICS_PER_COMMUNITY:
        raise RefusalError(10037)
    group.topics[topic.topic_id] = topic
    return {"TopicId": topic.topic_id}


def get_topic(call: Call) -> Reply:
    """Return a community's topics, or those of ``TopicIdList``, each with its ``ErrorCode``."""
    group = _community(call)
    wanted = list(group.topics)
    if call.body.get("TopicIdList") is not None:
        wanted = fields.texts(call.body, "TopicIdList")
    return {"TopicInfo": [_row(group, topic_id) for topic_id in wanted]}


def _community(call: Call) -> Group:
    if call.switches[COMMUNITY_FEATURE] == "off":
        raise RefusalError(11000)
    group = call.group()
    if group.type != COMMUNITY or not group.support_topic:
        raise RefusalError(10007, "the group is no community with topics")
    return group


def _capped(body: Body, name: str, max_bytes: int) -> str:
    return fields.optional_text(body, name, max_bytes=max_bytes) or ""


def _topic_id(call: Call, group: Group) -> str:
    wanted = fields.optional_text(call.body, "TopicId")
    prefix = group.group_id + SEPARATOR
    if not wanted:
        return f"{prefix}{call.world.next_random():08x}"
    part = wanted.removeprefix(prefix)
    well_formed = wanted.startswith(prefix) and fields.is_printable(part)
    if not well_formed or len(wanted) > MAX_TOPIC_ID_BYTES or fields.COMMUNITY_PREFIX in part:
        raise RefusalError(fields.BAD_PARAMETER, f"TopicId is no {prefix}… of at most 96 bytes")
    if "@TOPIC#_@TOPIC#" in wanted:
        raise RefusalError(fields.BAD_PARAMETER, "TopicId holds the reserved @TOPIC#_@TOPIC#")
    return wanted


def _row(group: Group, topic_id: str) -> Body:
    topic = group.topics.get(topic_id)
    if topic is None:
        return {"TopicId": topic_id, "ErrorCode": 110003, "ErrorInfo": "topic does not exist"}
    return {
        "TopicId": topic.topic_id,
        "ErrorCode": 0,
        "ErrorInfo": "",
        "TopicName": topic.name,
        "CreateTime": topic.create_time,
        "From_Account": topic.creator,
        "CustomString": topic.custom,
        "FaceUrl": topic.face_url,
        "Notification": topic.notification,
        "Introduction": topic.introduction,
        "NextMsgSeq": topic.timeline.last_seq + 1,
        "LastMsgTime": topic.timeline.newest_time,
    }
