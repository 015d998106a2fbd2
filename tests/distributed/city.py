"""A large made-up chat: groups of every size, pairs, members, what each of them has read. Always the same."""

from __future__ import annotations

import random

from tests.builders_neutral import NeutralExport, at

GROUPS, PAIRS, PEOPLE = 120, 40, 400
GROUP_ROWS, DIRECT_ROWS = 20_400, 1_600
LARGEST = 1_200
SPAN = 500_000
"""Seconds between the first and the last message."""


def large_city() -> NeutralExport:
    """Return 22,000 messages: one group holds more than 1,200 of them, the others 30 to 400."""
    chance = random.Random(22)
    people = [f"user{number:03d}" for number in range(PEOPLE)]
    export = NeutralExport().user(*people)
    members: list[list[str]] = []
    for number in range(GROUPS):
        name, kind = f"group{number:03d}", ("private", "public")[number % 2]
        members.append(chance.sample(people, chance.randint(2, 30)))
        export.group(name, *members[-1], type=kind)
        for each in members[-1]:
            known = chance.choice(("nothing", "count", "instant"))
            if known == "count":
                export.member(name, each, unread_count=chance.randint(0, 40))
            elif known == "instant":
                export.member(name, each, last_read_at=at(chance.randint(0, SPAN)))
    for number in range(GROUP_ROWS):
        group = int(chance.expovariate(0.02)) % GROUPS if number >= LARGEST else 0
        export.say(f"group{group:03d}", chance.choice(members[group]), at(chance.uniform(0, SPAN)))
    for number in range(DIRECT_ROWS):
        pair = int(chance.expovariate(0.05)) % PAIRS
        turn = chance.randrange(2)
        one, other = people[2 * pair + turn], people[2 * pair + 1 - turn]
        export.tell(one, other, at(number * 7 + chance.random()))
    chance.shuffle(export.messages)
    return export
