"""The request and reply samples of the vendor's pages, with names and times of our own."""

from __future__ import annotations

from tests.sandbox.client import Json, Tencent, text

OK: Json = {"ActionStatus": "OK", "ErrorCode": 0, "ErrorInfo": ""}


def _import_harbour_crew(tencent: Tencent, start: int) -> Json:
    tencent.accounts("legacy_1007", "legacy_2001")
    return tencent.group(
        "import_group",
        {
            "Owner_Account": "legacy_1007",
            "Type": "Public",
            "GroupId": "mig_g_0042",
            "Name": "Harbour crew",
            "Introduction": "moved from old app",
            "MaxMemberCount": 500,
            "ApplyJoinOption": "NeedPermission",
            "CreateTime": start,
        },
    )


def test_account_import_answers_the_bare_envelope(tencent: Tencent) -> None:
    url = "https://cdn.example/u/1007.png"
    body = {"UserID": "legacy_1007", "Nick": "Mara", "FaceUrl": url}
    assert tencent.login("account_import", body) == OK


def test_multiaccount_import_takes_the_old_and_the_new_body(tencent: Tencent) -> None:
    old = tencent.login("multiaccount_import", {"Accounts": ["legacy_1", "legacy_2"]})
    rows = [{"UserID": "legacy_1", "Nick": "A", "FaceUrl": "https://cdn.example/1"}]
    new = tencent.login("multiaccount_import", {"AccountList": rows})
    assert (old, new) == (OK, OK)
    assert tencent.sandbox.dump()["accounts"]["legacy_1"]["Tag_Profile_IM_Nick"] == "A"


def test_account_check_tells_imported_from_not_imported(tencent: Tencent) -> None:
    body = {"CheckItem": [{"UserID": "ann"}, {"UserID": "legacy_1"}]}
    rows = tencent.login("account_check", body)["ResultItem"]
    assert [row["AccountStatus"] for row in rows] == ["Imported", "NotImported"]
    assert rows[0] == {
        "UserID": "ann",
        "ResultCode": 0,
        "ResultInfo": "",
        "AccountStatus": "Imported",
    }


def test_import_group_answers_the_group_id(tencent: Tencent) -> None:
    reply = _import_harbour_crew(tencent, tencent.now - 1000)
    assert reply == OK | {"GroupId": "mig_g_0042"}


def test_import_group_member_answers_a_result_per_member(tencent: Tencent) -> None:
    start = tencent.now - 1000
    _import_harbour_crew(tencent, start)
    members = [
        {"Member_Account": "legacy_2001", "Role": "Admin", "JoinTime": start + 100},
        {"Member_Account": "legacy_2002", "JoinTime": start + 200, "UnreadMsgNum": 3},
    ]
    body = {"GroupId": "mig_g_0042", "MemberList": members}
    assert tencent.group("import_group_member", body) == OK | {
        "MemberList": [
            {"Member_Account": "legacy_2001", "Result": 1},
            {"Member_Account": "legacy_2002", "Result": 0},
        ]
    }


def test_import_group_msg_answers_seq_time_and_result_per_message(tencent: Tencent) -> None:
    start = tencent.now - 1000
    _import_harbour_crew(tencent, start)
    messages = [
        {
            "From_Account": "legacy_2001",
            "SendTime": start + 1,
            "Random": 3141592653,
            "MsgBody": text("tide at six"),
        },
        {
            "From_Account": "legacy_2002",
            "SendTime": start + 1,
            "Random": 271828182,
            "MsgBody": text("aye"),
        },
    ]
    body = {"GroupId": "mig_g_0042", "RecentContactFlag": 1, "MsgList": messages}
    assert tencent.group("import_group_msg", body) == OK | {
        "ImportMsgResult": [
            {"MsgSeq": 1, "MsgTime": start + 1, "Result": 0},
            {"MsgSeq": 0, "MsgTime": start + 1, "Result": 10004},
        ]
    }
    assert tencent.group(
        "group_msg_get_simple", {"GroupId": "mig_g_0042", "ReqMsgNumber": 20, "ReqMsgSeq": 140}
    ) == OK | {
        "GroupId": "mig_g_0042",
        "IsFinished": 1,
        "RspMsgList": [
            {
                "From_Account": "legacy_2001",
                "IsPlaceMsg": 0,
                "MsgPriority": 2,
                "MsgRandom": 3141592653,
                "MsgSeq": 1,
                "MsgTimeStamp": start + 1,
                "MsgBody": text("tide at six"),
            }
        ],
    }


def test_get_group_info_answers_only_the_fields_of_the_filter(crew: Tencent) -> None:
    crew.results("g", crew.message(50))
    wanted = ["Type", "CreateTime", "NextMsgSeq", "LastMsgTime", "MemberNum"]
    body = {"GroupIdList": ["g"], "ResponseFilter": {"GroupBaseInfoFilter": wanted}}
    assert crew.group("get_group_info", body) == OK | {
        "GroupInfo": [
            {
                "GroupId": "g",
                "ErrorCode": 0,
                "ErrorInfo": "",
                "Type": "Public",
                "CreateTime": crew.now - 100_000,
                "NextMsgSeq": 2,
                "LastMsgTime": crew.now - 50,
                "MemberNum": 3,
            }
        ]
    }


def test_importmsg_and_admin_getroammsg_agree_on_every_field(tencent: Tencent) -> None:
    sent = tencent.now - 60
    message = {
        "SyncFromOldSystem": 2,
        "From_Account": "ann",
        "To_Account": "bob",
        "MsgSeq": 41,
        "MsgRandom": 987654321,
        "MsgTimeStamp": sent,
        "MsgBody": text("see you at the pier"),
        "CloudCustomData": '{"legacyId":"c-88121"}',
    }
    assert tencent.openim("importmsg", message) == OK
    assert tencent.roam(Operator_Account="bob", Peer_Account="ann") == OK | {
        "Complete": 1,
        "MsgCnt": 1,
        "LastMsgTime": sent,
        "LastMsgKey": f"41_987654321_{sent}",
        "MsgList": [
            {
                "From_Account": "ann",
                "To_Account": "bob",
                "MsgSeq": 41,
                "MsgRandom": 987654321,
                "MsgTimeStamp": sent,
                "MsgFlagBits": 0,
                "IsPeerRead": 0,
                "MsgKey": f"41_987654321_{sent}",
                "MsgBody": text("see you at the pier"),
                "CloudCustomData": '{"legacyId":"c-88121"}',
            }
        ],
    }


def test_set_unread_msg_num_answers_the_bare_envelope(crew: Tencent) -> None:
    body = {"GroupId": "g", "Member_Account": "bob", "UnreadMsgNum": 3}
    assert crew.group("set_unread_msg_num", body) == OK


def test_import_topic_answers_the_topic_id(tencent: Tencent) -> None:
    tencent.make_group("@TGS#_harbour", Type="Community", SupportTopic=1)
    topic = "@TGS#_harbour@TOPIC#_tides"
    body = {"GroupId": "@TGS#_harbour", "TopicId": topic, "TopicName": "Tides"}
    assert tencent.group("import_topic", body) == OK | {"TopicId": topic}


def test_group_msg_recall_answers_a_code_per_seq_and_ok_on_top(crew: Tencent) -> None:
    crew.results("g", crew.message(50))
    body = {"GroupId": "g", "MsgSeqList": [{"MsgSeq": 1}, {"MsgSeq": 19}], "Reason": "withdrawn"}
    assert crew.group("group_msg_recall", body) == OK | {
        "RecallRetList": [{"MsgSeq": 1, "RetCode": 0}, {"MsgSeq": 19, "RetCode": 10030}]
    }
