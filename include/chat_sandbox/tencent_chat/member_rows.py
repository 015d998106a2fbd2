"""How members are shown, in every API that shows them."""

from __future__ import annotations

from collections.abc import Collection

from chat_sandbox.tencent_chat.fields import Body
from chat_sandbox.tencent_chat.timelines import read_seq
from chat_sandbox.tencent_chat.world import Group, Member


def member_row(group: Group, member: Member, wanted: Collection[str] | None) -> Body:
    """Return a member's row; ``wanted`` names the fields beside ``Member_Account``, None wants all.

    Source: get_group_member_info page (1047/34948): ``MsgSeq`` is the seq read up to.
    """
    row: Body = {
        "Role": member.role,
        "JoinTime": member.join_time,
        "MsgSeq": read_seq(group, member),
        "MsgFlag": member.msg_flag,
        "LastSendMsgTime": member.last_send_time,
        "MuteUntil": member.mute_until,
        "NameCard": member.name_card,
        "AppMemberDefinedData": [
            {"Key": key, "Value": text} for key, text in member.app_data.items()
        ],
    }
    if wanted is not None:
        row = {name: value for name, value in row.items() if name in wanted}
    return {"Member_Account": member.user_id, **row}
