"""A chat that lives on while it is moved: day after day it writes, edits, deletes, comes late, joins and leaves.

Its export is one folder that grows: a file of messages for each day, and the other tables as they are that evening.
Days are those of a place that sets its clocks forward on one of them. Always the same.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.builders_neutral import HOUR, MINUTE, SECOND, Row

ZONE = ZoneInfo("Europe/Berlin")
FIRST = date(2024, 3, 24)
"""Day 1. Day 8 has 23 hours."""
HISTORY_DAYS = 8
GROUPS = {
    "harbour": ("private", "ada", "bob", "cid", "dee"),
    "quay": ("public", "ada", "bob", "cid", "eve"),
    "pier": ("private", "bob", "cid", "eve"),
    "attic": ("private", "cid", "dee"),
}
LIVELY = ("harbour", "quay", "pier")
PAIRS = (("ada", "bob"), ("cid", "dee"), ("eve", "ada"))


def midnight(day: int) -> datetime:
    """Return the instant at which a day begins; day 1 is the first night's."""
    return datetime.combine(FIRST + timedelta(days=day - 1), time(), ZONE)


def at(day: int, hours: float) -> int:
    """Return an instant of a day, epoch milliseconds."""
    return round(midnight(day).timestamp()) * SECOND + round(hours * HOUR)


@dataclass
class LivingChat:
    """The legacy system and its export folder."""

    folder: Path
    users: dict[str, Row] = field(default_factory=dict)
    groups: dict[str, Row] = field(default_factory=dict)
    members: dict[tuple[str, str], Row] = field(default_factory=dict)
    rows: dict[str, Row] = field(default_factory=dict)
    too_late: set[str] = field(default_factory=set)
    """Rows that turned up when their group had newer messages already, and so were refused."""
    counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._chance = random.Random(14)
        self._today: list[Row] = []
        for name in ("ada", "bob", "cid", "dee", "eve"):
            self.users[name] = {"id": name, "name": name.title()}
        for group, (kind, *people) in GROUPS.items():
            self._found(group, kind, people, at(1 - HISTORY_DAYS, -2))

    # --- days ----------------------------------------------------------------------------------------

    def live_through_history(self) -> None:
        """Write the days before the first night."""
        for day in range(1 - HISTORY_DAYS, 1):
            self._chat(day, (*LIVELY, "attic") if day < -3 else LIVELY)
            self.export(day)

    def live(self, day: int) -> None:
        """Let one day pass and export it in the evening."""
        self._happenings(day)
        self._chat(day, (*LIVELY, "loft") if day > 11 else LIVELY)
        self._read(day)
        self.export(day)

    def export(self, day: int) -> None:
        """Write the day's file of messages and every other table anew."""
        (self.folder / "messages").mkdir(parents=True, exist_ok=True)
        _write(self.folder / "messages" / f"{midnight(day):%Y-%m-%d}.jsonl", self._today)
        self._today = []
        self._write_tables(self.folder)

    def export_as_it_ended(self, folder: Path) -> None:
        """Write an export that was made in one go at the end, without what came too late."""
        folder.mkdir(parents=True)
        _write(
            folder / "messages.jsonl",
            [row for name, row in self.rows.items() if name not in self.too_late],
        )
        self._write_tables(folder)

    # --- what happens on a day -------------------------------------------------------------------------

    def _happenings(self, day: int) -> None:
        self._second_thoughts(day)
        self._latecomers(day)
        self._people(day)

    def _second_thoughts(self, day: int) -> None:
        if day >= 2:
            self._edit(self._some(day - 1, group=True), day)
        if day == 4:
            # Longer ago than anything that a night looks back to.
            self._edit(self._some(-5, group=True), day)
        if day == 6:
            self._edit(self._some(5, group=False), day)
        sent_on = {3: 2, 5: 4, 8: 1, 13: 12}.get(day)
        if sent_on is not None:
            self._delete(self._some(sent_on, group=day != 5), day)

    def _latecomers(self, day: int) -> None:
        if day == 5:
            self._late("attic", "cid", sent=at(4, 11), too_late=False)
        if day == 6:
            self._late("harbour", "bob", sent=at(5, 9.5), too_late=True)
        if day == 7:
            self._late("quay", "cid", sent=at(6, 9.5), too_late=True)
        if day == 8:
            # Its day and this one are taken by one run.
            self._late("pier", "eve", sent=at(7, 9.5), too_late=False)
        if day == 10:
            self._say({"recipient_id": "bob", "sender_id": "ada"}, at(9, 9.51))

    def _people(self, day: int) -> None:
        if day == 3:
            self._join("harbour", "fay", day)
        if day == 6:
            self._leave("harbour", "dee", day)
        if day == 8:
            self._join("quay", "gus", day)
        if day == 9:
            self.members["quay", "bob"]["role"] = "admin"
        if day == 10:
            self._leave("quay", "eve", day)
        if day == 11:
            self._found("loft", "private", ["ada", "fay"], at(11, 7))
        if day == 12:
            self.groups["pier"]["name"] = "THE OLD PIER"

    def _chat(self, day: int, groups: tuple[str, ...]) -> None:
        for group in groups:
            people = [
                who for where, who in self.members if where == group and self._is_in(where, who)
            ]
            for number in range(self._chance.randint(4, 6)):
                sent = at(day, 10 + number) + self._chance.randint(0, 50) * MINUTE
                self._say({"group_id": group, "sender_id": self._chance.choice(people)}, sent)
            tie = at(day, 20)
            for number in range(2):
                self._say({"group_id": group, "sender_id": people[0]}, tie + number)
        for number, (one, other) in enumerate(PAIRS):
            self._say({"recipient_id": other, "sender_id": one}, at(day, 12 + number))
            self._say({"recipient_id": one, "sender_id": other}, at(day, 12.5 + number))

    def _read(self, day: int) -> None:
        for (_, who), row in self.members.items():
            if who == "ada":
                row["last_read_at"] = at(day, 15)
            elif who == "bob":
                row["unread_count"] = day % 4

    # --- what can happen -------------------------------------------------------------------------------

    def _say(self, fields: dict[str, Any], sent: int) -> str:
        name = f"m{len(self.rows) + 1:05d}"
        row = {"id": name, "sent_at": sent, "text": f"text {name}", **fields}
        self.rows[name] = row
        self._today.append(row)
        return name

    def _late(self, group: str, sender: str, *, sent: int, too_late: bool) -> None:
        name = self._say({"group_id": group, "sender_id": sender}, sent)
        if too_late:
            self.too_late.add(name)
        self._count("late")

    def _some(self, day: int, *, group: bool) -> Row:
        """Return a row of a day that was neither edited nor deleted, and that shares its second with none."""
        found = [
            row
            for row in self.rows.values()
            if at(day, 10) <= row["sent_at"] < at(day, 19)
            and ("group_id" in row) == group
            and not row.keys() & {"edited_at", "deleted_at"}
        ]
        return self._chance.choice(found)

    def _edit(self, row: Row, day: int) -> None:
        self._change(row, text=f"{row['text']}, edited on day {day}", edited_at=at(day, 9))
        self._count("edited")

    def _delete(self, row: Row, day: int) -> None:
        self._change(row, text="", deleted_at=at(day, 9))
        self._count("deleted")

    def _change(self, row: Row, **fields: Any) -> None:
        changed = row | fields
        self.rows[row["id"]] = changed
        self._today.append(changed)

    def _found(self, group: str, kind: str, people: list[str], created: int) -> None:
        self.groups[group] = {
            "id": group,
            "name": group.upper(),
            "type": kind,
            "owner_id": people[0],
            "created_at": created,
        }
        for who in people:
            role = "owner" if who == people[0] else "member"
            self.members[group, who] = _membership(group, who, created + MINUTE, role)

    def _join(self, group: str, who: str, day: int) -> None:
        self.users[who] = {"id": who, "name": who.title()}
        self.members[group, who] = _membership(group, who, at(day, 8), "member")
        self._count("joined")

    def _leave(self, group: str, who: str, day: int) -> None:
        self.members[group, who]["left_at"] = at(day, 8)
        self._count("left")

    def _is_in(self, group: str, who: str) -> bool:
        return "left_at" not in self.members[group, who]

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def _write_tables(self, folder: Path) -> None:
        for name in ("users", "groups", "members"):
            _write(folder / f"{name}.jsonl", list(getattr(self, name).values()))


def _membership(group: str, who: str, joined: int, role: str) -> Row:
    return {"group_id": group, "user_id": who, "role": role, "joined_at": joined}


def _write(file: Path, rows: list[Row]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
