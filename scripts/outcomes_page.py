"""Write docs/unknown-outcomes.md from the vendors' tables of outcomes, so that it cannot be out of date.

.venv/bin/python scripts/outcomes_page.py
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import outcomes_unknowns as unknowns

from chat_migration.connection import SETTLE_MARGIN_SECONDS
from chat_migration.delivery.calls import LOCKED_SECONDS, MOST_REPEATS, MOST_THROTTLES
from chat_migration.delivery.fruitless import MOST_ALONE, MOST_ATTEMPTS, MOST_FRUITLESS
from chat_migration.targets.base import Advice, Effect
from chat_migration.targets.outcome_table import Row, Write
from chat_migration.targets.tencent_chat import codes as tencent_codes
from chat_migration.targets.tencent_chat import limits as tencent_limits
from chat_migration.targets.tencent_chat import outcomes as tencent
from chat_migration.targets.zego_zim import codes as zim_codes
from chat_migration.targets.zego_zim import limits as zim_limits
from chat_migration.targets.zego_zim import outcomes as zim

PAGE = Path(__file__).parents[1] / "docs" / "unknown-outcomes.md"

FOLLOWS = {
    Advice.TRY_AGAIN: "again",
    Advice.READ_BACK: "read back",
    Advice.SLOW_DOWN: "slower, again",
    Advice.SIGN_AGAIN: "sign, again",
    Advice.WAIT_LOCKED: "wait, again",
    Advice.SMALLER_BATCH: "smaller calls",
    Advice.LATE: "plan anew",
    Advice.TOO_OLD: "reject as too old",
    Advice.REJECT_ITEM: "find and reject the record",
    Advice.MISSING_ACCOUNT: "find the record",
    Advice.MISSING_MESSAGE: "look at the message",
    Advice.EXISTS: "compare, adopt or reject",
    Advice.STOP_CONVERSATION: "end this conversation",
    Advice.QUOTA: "leave to the next run",
    Advice.STOP_RUN: "end the run",
}
EFFECTS = {Effect.NONE: "none", Effect.UNKNOWN: "**unknown**"}
TENCENT_SETTLES = tencent_limits.BACKEND_TIMEOUT_SECONDS + SETTLE_MARGIN_SECONDS
ZIM_SETTLES = zim_limits.BACKEND_TIMEOUT_SECONDS + SETTLE_MARGIN_SECONDS

MEANS = {
    "again": "The same request, after a random and growing wait, at most "
    f"{MOST_REPEATS} times; then the run stops, or the row is in doubt.",
    "read back": f"{TENCENT_SETTLES:g} s after the failure, with ZIM {ZIM_SETTLES:g} s, nothing can still be running "
    f"(Tencent gives up after {tencent_limits.BACKEND_TIMEOUT_SECONDS:g} s; ZIM names no time, "
    f"{zim_limits.BACKEND_TIMEOUT_SECONDS:g} s are assumed). Then the target is asked what it holds; what landed is "
    f"recorded, what did not is sent again. A single message of which {MOST_FRUITLESS} times nothing landed is "
    "rejected if others arrived meanwhile, or if the answers name no fault. Otherwise it is tried for longer: after "
    f"{MOST_ALONE} times it is rejected if the service answered. If it did not, it takes nothing: the run ends with "
    f"exit 3, and the next one goes on. After {MOST_ATTEMPTS} tries in all a message is rejected in any case.",
    "slower, again": "The whole app's budget of that API slows down; the same request again, at most "
    f"{MOST_THROTTLES} times. No message is lost to it.",
    "sign, again": "A new signature, once; then the run ends.",
    "wait, again": f"{LOCKED_SECONDS:g} s, once.",
    "smaller calls": "Half as many items in a call, from now on. One that is refused alone is rejected.",
    "plan anew": "A batch is halved, in order, until the message is found. The conversation's frontier is read, and "
    "what is left is planned after it.",
    "reject as too old": "The message is rejected as `older_than_retention`, the others go on.",
    "find and reject the record": "The batch is halved, in order, until the record is found. It is rejected, the "
    "others go on. Where the effect is unknown, the target is read first.",
    "find the record": "Likewise. A member or a one-to-one message is rejected; a group whose sender is not accepted "
    "ends with that reason.",
    "look at the message": "What nobody sees any more counts as withdrawn. A change, or a withdrawal of what people "
    "still see, is rejected as `edit_refused`; it is asked for again when the row's content changes again.",
    "compare, adopt or reject": "What is there is ours, plainly the same, or somebody else's; what was withdrawn "
    "before is withdrawn.",
    "end this conversation": "After a read-back where the effect is unknown. Its other rows are rejected with the "
    "reason, the other conversations go on. A one-to-one message and a member are rejected by themselves.",
    "leave to the next run": "A group, after three tries; with it its rows, and all groups that are not there yet.",
    "end the run": "Exit 3, nothing more is sent.",
}


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """One vendor's tables; symptoms and meanings are the vendor's own classes of one shape.

    ``repeatable`` is any write that may be repeated, for what follows there; ``families`` name calls of which codes
    are read alike; ``notes`` are paragraphs about answers.
    """

    title: str
    module: str
    table: Mapping[Any, Row]
    writes: Mapping[str, Write]
    apis: Sequence[str]
    common: Mapping[int, Any]
    of_api: Mapping[tuple[str, int], Any]
    advice_for: Callable[[str, Any], Advice]
    effect_of: Callable[[str, Any], Effect]
    families: Mapping[str, Sequence[str]]
    repeatable: str
    unlisted: str
    notes: tuple[str, ...]
    unknown: Sequence[unknowns.Unknown]
    differences: str

    @property
    def once(self) -> list[str]:
        """Return the writes that are never repeated blindly."""
        return [api for api, write in self.writes.items() if not write.key]

    def follows(self, symptom: Any) -> tuple[str, str]:
        """Return what follows for a call that may be repeated, and for one that may not."""
        return (
            FOLLOWS[self.advice_for(self.repeatable, symptom)],
            FOLLOWS[self.advice_for(self.once[-1], symptom)],
        )

    def row(self, symptom: Any) -> str:
        """Return the row of one symptom."""
        effect = EFFECTS[self.effect_of(self.once[-1], symptom)]
        return _line(self.table[symptom].text, effect, *self.follows(symptom))


TENCENT = Vendor(
    title="Tencent Cloud Chat",
    module="tencent_chat",
    table=tencent.TABLE,
    writes=tencent.WRITES,
    apis=list(tencent_limits.APIS),
    common=tencent_codes.COMMON,
    of_api=tencent_codes.OF_API,
    advice_for=tencent.advice_for,
    effect_of=tencent.effect_of,
    families={
        "changes and recalls of messages": tencent_codes.EDITS,
        "changes of a group": tencent_codes.GROUP_CHANGES,
    },
    repeatable="importmsg",
    unlisted="A code that no page lists may hide that the call was applied. A group's messages are read back, then "
    "the conversation ends as `unknown_result`. A one-to-one message is in doubt, and the run ends with exit 3. "
    "Members are rejected, though they may be there; the console shows it. Every other call ends the run with exit 3.",
    notes=(
        'A result of code 0 within an answer is believed only if it has the documented type: `false`, `"0"`, `0.0`\n'
        "and `null` are malformed. The code of a whole `get_group_info` does not count beside its groups' own.",
        "An item of `import_group_msg` with one of these codes means the same for that one message: what is\n"
        "late or refused is found and rejected, a throttled one is sent again, any other code ends the\n"
        "conversation. After any failed item the conversation is read back before anything else is sent.",
    ),
    unknown=unknowns.TENCENT,
    differences="DIFFERENCES.md",
)
ZIM = Vendor(
    title="ZEGOCLOUD ZIM",
    module="zego_zim",
    table=zim.TABLE,
    writes=zim.WRITES,
    apis=list(zim_limits.APIS),
    common=zim_codes.COMMON,
    of_api=zim_codes.OF_API,
    advice_for=zim.advice_for,
    effect_of=zim.effect_of,
    families={"changes and recalls of messages": zim_codes.EDITS},
    repeatable="UserRegister",
    unlisted="The pages' own samples show codes that no table lists, so one of those condemns a record, not a "
    "conversation. What it may hide is read first: the messages, the members. A group of which that leaves open "
    "whether it was made, an unread count, a change of a group and every read end the run with exit 3.",
    notes=(
        "`Code` 0 alone does not say that every item of a list was done: the failed ones are listed. A `Code` other\n"
        "than 0 beside a list says that all of them failed; if the list names fewer, the answer contradicts itself.\n"
        "A status of 429 is believed only with a `Code` of the service; any other than 200 is not.",
        "After an unknown outcome of `InviteUsersIntoGroup` the list of members is read: who is in it is done. After\n"
        "one of `CreateGroup` the group is looked up, and sent again without first members if it is not there.",
    ),
    unknown=unknowns.ZIM,
    differences="zego_zim/DIFFERENCES.md",
)
VENDORS = (TENCENT, ZIM)


def page() -> str:
    """Return the page."""
    return "\n".join([*_shared(), *(line for vendor in VENDORS for line in _part(vendor))])


def _shared() -> list[str]:
    once = " ".join(f"{_names(vendor.once)} of {vendor.title};" for vendor in VENDORS)
    return [
        "# What becomes of a call that goes wrong",
        "",
        "For each vendor one table in the code decides it, and this page is written from both:",
        *(f"[{each.title}](#{_anchor(each.title)})" + (" and" if each is TENCENT else ".") for each in VENDORS),
        "Only an answer of code 0 whose items fit what was sent is certain: the call is done.",
        "",
        "## What was seen, what it says, what follows",
        "",
        "This much is the same for both. *Effect*: whether a write may have been applied all the same; a read has",
        "none. Calls that are never repeated blindly:",
        f"{once.rstrip(';')}.",
        "",
        *_seen(TENCENT, _both()),
        "",
        *_table("What follows", "Means"),
        *(_line(follows, MEANS[follows]) for follows in dict.fromkeys(FOLLOWS.values())),
        "",
        "A change or withdrawal needs no intent in the ledger: one that a killed run may have made is made again.",
        "Without an answer after all repeats its row is rejected as `edit_unanswered`; the next run tries again.",
        "What is refused otherwise, or answered by a code that no page lists, is `edit_refused`, unless the target",
        "shows that the message is withdrawn: the old text stays, and no run asks again for that content.",
        "",
    ]  # fmt: skip


def _part(vendor: Vendor) -> list[str]:
    common = {each.name for each in _both()}
    own = [each for each in vendor.table if each.name not in common]
    reads = [api for api in vendor.apis if api not in vendor.writes]
    return [
        f"## {vendor.title}",
        "",
        f"The table is `include/chat_migration/targets/{vendor.module}/outcomes.py`, the codes are in `codes.py`.",
        "",
        f"### What doing a call of {vendor.title} twice costs",
        "",
        *_table("Call", "Known again by", "Repeated blindly", "Shown by"),
        *(_write(api, vendor.writes[api]) for api in vendor.writes),
        _line(_names(reads), "reads change nothing", "yes", ""),
        "",
        f"{_names(vendor.once)} are never sent again before a read-back, unless they certainly had no effect.",
        "",
        f"### Seen of {vendor.title} alone",
        "",
        *_seen(vendor, own),
        "",
        vendor.unlisted,
        "",
        f"### Codes of {vendor.title}",
        "",
        "*Again, or read back*: the second for calls that are never repeated blindly. What refuses a record refuses",
        "of a change the change alone: its row ends as `edit_refused`, `role_refused` and the like.",
        "",
        *_table("Code", "Says", "What follows"),
        *_codes(vendor),
        "",
        *(line for note in vendor.notes for line in (note, "")),
        f"### What no page of {vendor.title} says",
        "",
        f"Numbers as in [the stand-in's differences](../include/chat_sandbox/{vendor.differences}): most are a switch",
        "there.",
        "",
        *_table("", "What no page says", "What is done"),
        *(_line(*each) for each in vendor.unknown),
        "",
    ]  # fmt: skip


def _both() -> list[Any]:
    """Return the symptoms of which both vendors' tables say the same."""
    others = {symptom.name: (row, ZIM.follows(symptom)) for symptom, row in ZIM.table.items()}
    return [
        symptom
        for symptom, row in TENCENT.table.items()
        if others.get(symptom.name) == (row, TENCENT.follows(symptom))
    ]


def _seen(vendor: Vendor, symptoms: Sequence[Any]) -> list[str]:
    head = _table(
        "Seen", "Effect of a write", "A repeatable call", "One that is never repeated blindly"
    )
    return [*head, *map(vendor.row, symptoms)]


def _codes(vendor: Vendor) -> Iterator[str]:
    """Yield a row for each code, and behind it one for each other reading of it by some calls."""
    others: dict[int, dict[tuple[str, Any], list[str]]] = {}
    for (api, code), meaning in vendor.of_api.items():
        readings = others.setdefault(code, {})
        readings.setdefault((meaning.text, meaning.symptom), []).append(api)
    for code in sorted({*vendor.common, *others}):
        if code in vendor.common:
            meaning = vendor.common[code]
            yield _line(str(code), meaning.text, _follows(vendor, meaning.symptom))
        for (text, symptom), apis in others.get(code, {}).items():
            yield _line(str(code), f"{_of(vendor, apis)}: {text}", _follows(vendor, symptom))


def _of(vendor: Vendor, apis: Sequence[str]) -> str:
    """Return for which calls a reading of a code holds, families of calls by their name."""
    families = [name for name, members in vendor.families.items() if set(members) <= set(apis)]
    named = {api for name in families for api in vendor.families[name]}
    others = [f"`{api}`" for api in apis if api not in named]
    return "of " + ", ".join([*others, *families])


def _follows(vendor: Vendor, symptom: Any) -> str:
    repeatable, once = vendor.follows(symptom)
    return repeatable if repeatable == once else f"{repeatable}, or {once}"


def _write(api: str, write: Write) -> str:
    shown = f"`{write.read_back}`" if write.read_back else "its own answer to the repeat"
    return _line(f"`{api}`", write.key or "nothing", "yes" if write.key else "**no**", shown)


def _table(*heads: str) -> list[str]:
    return [_line(*heads), "|" + "---|" * len(heads)]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _names(apis: Sequence[str]) -> str:
    return ", ".join(f"`{api}`" for api in apis)


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE.name}\n")
