"""A client for tests of the ZIM stand-in, with quiet defaults for everything."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

import requests

from chat_sandbox import SandboxHandle

Json = dict[str, Any]
DAY = 86_400_000
LONG_AGO = 5 * DAY
"""How long before now groups of these tests were created, in milliseconds."""


def image(**fields: Any) -> str:
    """Return the `Message` of an image."""
    origin = {"Url": "https://cdn.example/a.jpg", "Width": 100, "Height": 200}
    return json.dumps({"Uid": "1", "Origin": origin, "FileName": "a.jpg", "Size": 1024, **fields})


def file(**fields: Any) -> str:
    """Return the `Message` of a file, a recording or a film."""
    body = {"Uid": "1", "Url": "https://cdn.example/a.bin", "FileName": "a.bin", "Size": 9}
    return json.dumps(body | fields)


class Zim:
    """Signs, sends and decodes. Times are milliseconds of the sandbox's clock, which stands still."""

    def __init__(self, sandbox: SandboxHandle) -> None:
        self.sandbox = sandbox
        self.zim = sandbox.zim
        self.session = requests.Session()
        self.session.trust_env = False

    @property
    def now(self) -> int:
        """The sandbox's present millisecond."""
        return self.sandbox.now_ms()

    def signed(self, **query: Any) -> Json:
        """Return common parameters; ``query`` replaces some before signing, None leaves one out."""
        app = self.zim.app
        common: Json = {
            "AppId": app.app_id,
            "SignatureNonce": secrets.token_hex(8),
            "Timestamp": self.now // 1000,
            "SignatureVersion": "2.0",
        } | query
        text = (
            f"{common['AppId']}{common['SignatureNonce']}{app.server_secret}{common['Timestamp']}"
        )
        return {"Signature": hashlib.md5(text.encode()).hexdigest(), **common}  # noqa: S324

    def raw(
        self, action: str | None, data: bytes | None = b"{}", *, method: str = "POST", **query: Any
    ) -> requests.Response:
        """Send one request."""
        params = {"Action": action, **self.signed(**query)}
        url = f"{self.sandbox.url}/"
        return self.session.request(method, url, params=params, data=data, timeout=20)

    def post(self, action: str, body: Json, **query: Any) -> Json:
        """Send one POST and return its reply, which is always an HTTP 200."""
        response = self.raw(action, json.dumps(body).encode(), **query)
        assert response.status_code == 200, response.text
        reply: Json = response.json()
        return reply

    def get(self, action: str, **query: Any) -> Json:
        """Send one GET and return its reply."""
        response = self.raw(action, None, method="GET", **query)
        assert response.status_code == 200, response.text
        reply: Json = response.json()
        return reply

    def code(self, action: str, body: Json) -> int:
        """Send one POST and return its Code."""
        return int(self.post(action, body)["Code"])

    def register(self, *user_ids: str) -> Json:
        """Register users."""
        return self.post("UserRegister", {"UserInfo": [{"UserId": each} for each in user_ids]})

    def make_group(self, group_id: str = "g", *members: str, **fields: Any) -> Json:
        """Create a group of ann, five days ago."""
        body = {"GroupId": group_id, "GroupOwner": "ann", "GroupName": "crew"}
        made = {"CreateGroupTime": self.now - LONG_AGO, "UserId": list(members)}
        return self.post("CreateGroup", {**body, **made, **fields})

    def invite(self, *rows: str | Json, group_id: str = "g", **fields: Any) -> Json:
        """Add members by id or row; ann is the operator."""
        infos = [{"UserId": row} if isinstance(row, str) else row for row in rows]
        body = {"FromUserId": "ann", "GroupId": group_id, "GroupMemberInfos": infos}
        return self.post("InviteUsersIntoGroup", body | fields)

    def message(self, age: int, content: str = "hi", **fields: Any) -> Json:
        """Return a group message of bob, sent ``age`` ms ago (0: without a time)."""
        return {
            "FromUserId": "bob",
            "GroupId": "g",
            "MessageType": 1,
            "Priority": 2,
            "MessageBody": {"Message": content, "ExtendedData": f"id:{content}"},
            "SendMessageTime": self.now - age if age else 0,
            **fields,
        }

    def send(self, age: int, content: str = "hi", **fields: Any) -> Json:
        """Import a group message."""
        return self.post("ImportGroupMsg", self.message(age, content, **fields))

    def peer(self, age: int, content: str = "hi", **fields: Any) -> Json:
        """Return a message from ann to bob, for ann's copy."""
        body = self.message(age, content, FromUserId="ann")
        del body["GroupId"]
        return {**body, "ToUserId": "bob", "ImportedUserId": "ann", **fields}

    def tell(self, age: int, content: str = "hi", **fields: Any) -> Json:
        """Import a one-to-one message into one copy."""
        return self.post("ImportPeerMsg", self.peer(age, content, **fields))

    def history(self, group_id: str = "g", **fields: Any) -> list[Json]:
        """Return one page of a group's messages, newest first."""
        body = {"GroupId": group_id, "Limit": 100, **fields}
        rows: list[Json] = self.post("QueryGroupMsg", body)["List"]
        return rows

    def roam(self, owner: str = "ann", peer: str = "bob", **fields: Any) -> list[Json]:
        """Return one page of one user's copy of a conversation, newest first."""
        body = {"FromUserId": owner, "ToUserId": peer, "Limit": 100, **fields}
        rows: list[Json] = self.post("QueryPeerMsg", body)["List"]
        return rows

    def members(self, group_id: str = "g") -> Json:
        """Return the members of a group as the world has them."""
        members: Json = self.zim.dump()["groups"][group_id]["members"]
        return members
