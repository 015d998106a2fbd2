"""Small neutral exports for tests of delivery: rows with quiet defaults, written as JSON lines.

Instants are epoch milliseconds; :data:`START_MS` is where a test's time begins.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

Row = dict[str, Any]

START_MS = 1_714_555_800_000
"""2024-05-01T09:30:00Z."""
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000


def at(seconds: float) -> int:
    """Return an instant, so many seconds after the start."""
    return START_MS + round(seconds * 1000)


class NeutralExport:
    """The rows of one export; each method adds a row and returns the export."""

    def __init__(self) -> None:
        self.users: list[Row] = []
        self.groups: list[Row] = []
        self.members: list[Row] = []
        self.direct_reads: list[Row] = []
        self.messages: list[Row] = []

    def user(self, *ids: str, **fields: Any) -> Self:
        """Add users, named like their ids with a capital."""
        self.users += [{"id": each, "name": each.title(), **fields} for each in ids]
        return self

    def group(self, group_id: str, *members: str, **fields: Any) -> Self:
        """Add a private group created an hour before the start; the first member owns it."""
        owner = {"owner_id": members[0]} if members else {}
        self.groups.append(
            {
                "id": group_id,
                "name": group_id.upper(),
                "created_at": START_MS - HOUR,
                **owner,
                **fields,
            }
        )
        for each in members:
            self.member(group_id, each, role="owner" if each == members[0] else "member")
        return self

    def member(self, group_id: str, user_id: str, **fields: Any) -> Self:
        """Add a membership that began half an hour before the start; a known one gets the fields."""
        for row in self.members:
            if (row["group_id"], row["user_id"]) == (group_id, user_id):
                row.update(fields)
                return self
        self.members.append(
            {
                "group_id": group_id,
                "user_id": user_id,
                "joined_at": START_MS - HOUR // 2,
                **fields,
            }
        )
        return self

    def read(self, user_id: str, peer_id: str, last_read_at: int) -> Self:
        """Add a read position of a one-to-one chat."""
        self.direct_reads.append(
            {"user_id": user_id, "peer_id": peer_id, "last_read_at": last_read_at}
        )
        return self

    def say(self, group_id: str, sender: str, sent_at: int, **fields: Any) -> Self:
        """Add a group message with an id and a text of its own."""
        number = len(self.messages) + 1
        self.messages.append(
            {
                "id": f"m{number:04d}",
                "group_id": group_id,
                "sender_id": sender,
                "sent_at": sent_at,
                "text": f"text {number}",
                **fields,
            }
        )
        return self

    def tell(self, sender: str, recipient: str, sent_at: int, **fields: Any) -> Self:
        """Add a one-to-one message with an id and a text of its own."""
        self.say("", sender, sent_at, recipient_id=recipient, **fields)
        del self.messages[-1]["group_id"]
        return self

    def write(self, folder: Path) -> Path:
        """Write the tables that have rows and return the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("users", "groups", "members", "direct_reads", "messages"):
            rows = getattr(self, name)
            lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            if rows or name == "messages":
                (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
        return folder
