"""A client for tests of the Tencent Cloud Chat stand-in, with quiet defaults for everything."""

from __future__ import annotations

import json
import random
from typing import Any

import requests
import TLSSigAPIv2

from chat_sandbox import SandboxHandle

Json = dict[str, Any]
LONG_AGO = 100_000
"""How long before now groups of these tests were created, in seconds."""


def text(content: str) -> list[Json]:
    """Return a MsgBody of one text element."""
    return [{"MsgType": "TIMTextElem", "MsgContent": {"Text": content}}]


def custom(content: str = "{}") -> Json:
    """Return one custom element."""
    return {"MsgType": "TIMCustomElem", "MsgContent": {"Data": content}}


IMAGE: Json = {
    "MsgType": "TIMImageElem",
    "MsgContent": {
        "UUID": "u",
        "ImageInfoArray": [
            {"Type": 1, "Size": 9, "Width": 1, "Height": 1, "URL": "https://cdn.example/1.png"}
        ],
    },
}


class Tencent:
    """Signs, sends and decodes. Times are seconds of the sandbox's clock, which stands still."""

    def __init__(self, sandbox: SandboxHandle) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.trust_env = False
        self.usersig = self.sign(sandbox.app.admin)
        self._randoms = random.Random(7)

    @property
    def now(self) -> int:
        """The sandbox's present second."""
        return self.sandbox.now_ms() // 1000

    def sign(self, identifier: str, *, key: str | None = None, expire: int = 15_552_000) -> str:
        """Return a UserSig made by the vendor's own library."""
        app = self.sandbox.app
        maker = TLSSigAPIv2.TLSSigAPIv2(app.sdk_app_id, key or app.secret_key)
        return str(maker.gen_sig(identifier, expire))

    def raw(
        self, path: str, data: bytes = b"{}", *, method: str = "POST", **query: Any
    ) -> requests.Response:
        """Send one request; ``query`` replaces URL parameters, None leaves one out."""
        params: Json = {
            "sdkappid": self.sandbox.app.sdk_app_id,
            "identifier": self.sandbox.app.admin,
            "usersig": self.usersig,
            "random": self._randoms.getrandbits(32),
            "contenttype": "json",
        } | query
        return self.session.request(
            method, f"{self.sandbox.url}/v4/{path}", params=params, data=data, timeout=20
        )

    def call(self, path: str, body: Json, **query: Any) -> Json:
        """Send one request and return its reply, which is always an HTTP 200."""
        data = json.dumps(body).encode()
        response = self.raw(path, data, **query)
        assert response.status_code == 200, response.text
        reply: Json = response.json()
        return reply

    def group(self, command: str, body: Json) -> Json:
        """Call the group service."""
        return self.call(f"group_open_http_svc/{command}", body)

    def openim(self, command: str, body: Json) -> Json:
        """Call the message service."""
        return self.call(f"openim/{command}", body)

    def login(self, command: str, body: Json) -> Json:
        """Call the account service."""
        return self.call(f"im_open_login_svc/{command}", body)

    def code(self, path: str, body: Json) -> int:
        """Send one request and return its top-level ErrorCode."""
        return int(self.call(path, body)["ErrorCode"])

    def accounts(self, *user_ids: str) -> None:
        """Import accounts."""
        rows = [{"UserID": user_id} for user_id in user_ids]
        reply = self.login("multiaccount_import", {"AccountList": rows})
        assert reply["ErrorCode"] == 0, reply

    def make_group(self, group_id: str = "g", **fields: Any) -> Json:
        """Import a group."""
        created = {"CreateTime": self.now - LONG_AGO}
        body = {"GroupId": group_id, "Type": "Public", "Name": "crew", **created, **fields}
        return self.group("import_group", body)

    def join(self, group_id: str, *rows: str | Json) -> list[int]:
        """Import members by id or row and return their results."""
        members = [{"Member_Account": row} if isinstance(row, str) else row for row in rows]
        body = {"GroupId": group_id, "MemberList": members}
        reply = self.group("import_group_member", body)
        assert reply["ErrorCode"] == 0, reply
        return [member["Result"] for member in reply["MemberList"]]

    def message(self, age: int, *, content: str = "hi", **fields: Any) -> Json:
        """Return a message sent ``age`` seconds ago."""
        drawn = self._randoms.getrandbits(32) or 1
        defaults = {"From_Account": "ann", "SendTime": self.now - age, "Random": drawn}
        return {**defaults, "MsgBody": text(content), **fields}

    def send(self, group_id: str, *messages: Json, **fields: Any) -> Json:
        """Import group messages and return the whole reply."""
        body = {"GroupId": group_id, "MsgList": list(messages), **fields}
        return self.group("import_group_msg", body)

    def results(self, group_id: str, *messages: Json, **fields: Any) -> list[int]:
        """Import group messages and return each one's Result."""
        reply = self.send(group_id, *messages, **fields)
        assert reply["ErrorCode"] == 0, reply
        return [item["Result"] for item in reply["ImportMsgResult"]]

    def fill(self, group_id: str, count: int) -> None:
        """Import ``count`` messages, one a second, ending 100 s before now."""
        for start in range(0, count, 7):
            ages = range(100 + count - start, max(100, 100 + count - start - 7), -1)
            batch = [self.message(age, content=f"m{100 + count - age + 1}") for age in ages]
            assert set(self.results(group_id, *batch)) == {0}

    def history(self, group_id: str, **fields: Any) -> list[Json]:
        """Return one page of a group's messages, newest first."""
        body = {"GroupId": group_id, "ReqMsgNumber": 20, **fields}
        rows: list[Json] = self.group("group_msg_get_simple", body)["RspMsgList"]
        return rows

    def info(self, group_id: str) -> Json:
        """Return one row of get_group_info."""
        row: Json = self.group("get_group_info", {"GroupIdList": [group_id]})["GroupInfo"][0]
        return row

    def peer(self, age: int = 100, **fields: Any) -> Json:
        """Return the body of an importmsg from ann to bob."""
        return {
            "SyncFromOldSystem": 2,
            "From_Account": "ann",
            "To_Account": "bob",
            "MsgSeq": 1,
            "MsgRandom": 11,
            "MsgTimeStamp": self.now - age,
            "MsgBody": text("hello"),
            **fields,
        }

    def tell(self, age: int = 100, **fields: Any) -> int:
        """Import a one-to-one message and return the ErrorCode."""
        return self.code("openim/importmsg", self.peer(age, **fields))

    def roam(self, **fields: Any) -> Json:
        """Return one page of the conversation of ann and bob."""
        body = {
            "Operator_Account": "ann",
            "Peer_Account": "bob",
            "MaxCnt": 100,
            "MinTime": 0,
            "MaxTime": self.now,
            **fields,
        }
        return self.openim("admin_getroammsg", body)

    def unread(self, group_id: str, user_id: str) -> int:
        """Return a member's unread number as the world has it."""
        members: Json = self.sandbox.dump()["groups"][group_id]["members"]
        return int(members[user_id]["unread"])

    def set_unread(self, group_id: str, user_id: str, count: int) -> int:
        """Set a member's unread number and return the ErrorCode."""
        body = {"GroupId": group_id, "Member_Account": user_id, "UnreadMsgNum": count}
        return self.code("group_open_http_svc/set_unread_msg_num", body)
