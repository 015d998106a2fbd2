"""Write docs/unknown-outcomes.md from the table of outcomes itself, so that it cannot be out of date.

.venv/bin/python scripts/outcomes_page.py
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from chat_migration.connection import SETTLE_MARGIN_SECONDS
from chat_migration.delivery.calls import LOCKED_SECONDS, MOST_REPEATS, MOST_THROTTLES
from chat_migration.delivery.group_messages import MOST_FRUITLESS
from chat_migration.targets.base import Advice, Effect
from chat_migration.targets.tencent_chat.codes import COMMON, OF_API, Meaning
from chat_migration.targets.tencent_chat.limits import APIS, BACKEND_TIMEOUT_SECONDS
from chat_migration.targets.tencent_chat.outcomes import (
    TABLE,
    WRITES,
    Symptom,
    advice_for,
    effect_of,
)

PAGE = Path(__file__).parents[1] / "docs" / "unknown-outcomes.md"

FOLLOWS = {
    Advice.TRY_AGAIN: "again",
    Advice.READ_BACK: "read back",
    Advice.SLOW_DOWN: "slower, again",
    Advice.SIGN_AGAIN: "sign, again",
    Advice.WAIT_LOCKED: "wait, again",
    Advice.SMALLER_BATCH: "smaller calls",
    Advice.LATE: "plan anew",
    Advice.REJECT_ITEM: "find and reject the record",
    Advice.MISSING_ACCOUNT: "find the record",
    Advice.MISSING_MESSAGE: "look at the message",
    Advice.EXISTS: "compare, adopt or reject",
    Advice.STOP_CONVERSATION: "end this conversation",
    Advice.QUOTA: "leave to the next run",
    Advice.STOP_RUN: "end the run",
}
EFFECTS = {Effect.NONE: "none", Effect.UNKNOWN: "**unknown**"}
SETTLE_SECONDS = BACKEND_TIMEOUT_SECONDS + SETTLE_MARGIN_SECONDS

MEANS = {
    "again": "The same request, after a random and growing wait, at most "
    f"{MOST_REPEATS} times; then the run stops, or the row is in doubt.",
    "read back": f"{SETTLE_SECONDS:g} s after the failure nothing can still be running (the service gives up after "
    f"{BACKEND_TIMEOUT_SECONDS:g} s). Then the target is asked what it holds; what landed is recorded, what did not "
    f"is sent again. A single message of which {MOST_FRUITLESS} times nothing landed is rejected.",
    "slower, again": "The whole app's budget of that API slows down; the same request again, at most "
    f"{MOST_THROTTLES} times. No message is lost to it.",
    "sign, again": "A new signature, once.",
    "wait, again": f"{LOCKED_SECONDS:g} s, once.",
    "smaller calls": "Half as many items in a call, from now on.",
    "plan anew": "A batch is halved, in order, until the message is found. The conversation's frontier is read, and "
    "what is left is planned after it.",
    "find and reject the record": "The batch is halved, in order, until the record is found. It is rejected, the "
    "others go on.",
    "find the record": "Likewise. A member or a one-to-one message is rejected; a group whose sender is not accepted "
    "ends with that reason.",
    "look at the message": "What nobody sees any more counts as withdrawn. A change, or a withdrawal of what people "
    "still see, is rejected as `edit_refused`; it is asked for again when the row's content changes again.",
    "compare, adopt or reject": "What is there is ours, plainly the same, or somebody else's; what was withdrawn "
    "before is withdrawn.",
    "end this conversation": "After a read-back where the effect is unknown. Its other rows are rejected with the "
    "reason, the other conversations go on. The members of such a call are rejected, though they may be there; "
    "`verify` shows it. Two kinds of calls end otherwise: a one-to-one message of unknown effect "
    "is in doubt, and the run ends with exit 3; a call that concerns no single conversation's messages (accounts, "
    "creating a group, unread counts, every read) ends the run with exit 3.",
    "leave to the next run": "After three tries.",
    "end the run": "Exit 3, nothing more is sent.",
}


def page() -> str:
    """Return the page."""
    return "\n".join(
        [
            "# What becomes of a call that goes wrong",
            "",
            "One table in the code decides it: `include/chat_migration/targets/tencent_chat/outcomes.py`. This page is",
            "written from it. Only an answer of code 0 whose items fit what was sent is certain: the call is done.",
            "",
            "## What doing a call twice costs",
            "",
            "| Call | Known again by | Repeated blindly | Shown by |",
            "|---|---|---|---|",
            *(_write(api) for api in WRITES),
            f"| {', '.join(f'`{api}`' for api in APIS if api not in WRITES)} | reads change nothing | yes | |",
            "",
            "`import_group_msg` is never sent again before a read-back, unless it certainly had no effect.",
            "",
            "A change or withdrawal needs no intent in the ledger: one that a killed run may have made is made again.",
            "Without an answer after all repeats its row is rejected as `edit_unanswered`; the next run tries again.",
            "What is refused otherwise, or answered by a code that no page lists, is `edit_refused`, unless the target",
            "shows that the message is withdrawn: the old text stays, and no run asks again for that content.",
            "",
            "## What was seen, what it says, what follows",
            "",
            "*Effect*: whether a write may have been applied all the same. What is read has none.",
            "",
            "| Seen | Effect of a write | A repeatable call | `import_group`, `import_topic`, `import_group_msg` |",
            "|---|---|---|---|",
            *(_symptom(symptom) for symptom in Symptom),
            "",
            "| What follows | Means |",
            "|---|---|",
            *(f"| {follows} | {MEANS[follows]} |" for follows in dict.fromkeys(FOLLOWS.values())),
            "",
            'A result of code 0 within an answer is believed only if it has the documented type: `false`, `"0"`, `0.0`',
            "and `null` are malformed. The code of a whole `get_group_info` does not count beside its groups' own.",
            "",
            "## Which code is what",
            "",
            "| Seen | Codes |",
            "|---|---|",
            *_codes(),
            "",
            "Read otherwise by one API:",
            "",
            "| API | Code | Seen |",
            "|---|---|---|",
            *(
                f"| `{api}` | {code} {meaning.text} | {TABLE[meaning.symptom].text} |"
                for (api, code), meaning in OF_API.items()
            ),
            "",
            "An item of `import_group_msg` with one of these codes means the same for that one message: what is",
            "late or refused is found and rejected, a throttled one is sent again, any other code ends the",
            "conversation. After any failed item the conversation is read back before anything else is sent.",
            "",
        ]
    )


def _write(api: str) -> str:
    write = WRITES[api]
    again = "yes" if write.key else "**no**"
    shown = f"`{write.read_back}`" if write.read_back else "its own answer to the repeat"
    return f"| `{api}` | {write.key or 'nothing'} | {again} | {shown} |"


def _symptom(symptom: Symptom) -> str:
    effect = EFFECTS[effect_of("import_group_msg", symptom)]
    repeatable = FOLLOWS[advice_for("importmsg", symptom)]
    once = FOLLOWS[advice_for("import_group_msg", symptom)]
    return f"| {TABLE[symptom].text} | {effect} | {repeatable} | {once} |"


def _codes() -> list[str]:
    found: dict[Symptom, list[str]] = defaultdict(list)
    for code, meaning in COMMON.items():
        found[meaning.symptom].append(_code(code, meaning))
    return [f"| {TABLE[symptom].text} | {'; '.join(codes)} |" for symptom, codes in found.items()]


def _code(code: int, meaning: Meaning) -> str:
    return f"{code} {meaning.text}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE.name}\n")
