"""Everything that can be seen of a call gone wrong, as the sandbox scripts it, by symptom of the table of outcomes."""

from __future__ import annotations

from typing import Any

from chat_migration.targets.tencent_chat.outcomes import Symptom
from chat_sandbox import Effect, FaultAction

Fault = dict[str, Any]

APPLIED = {"effect": Effect.APPLIED}


def _error(code: int) -> Fault:
    return {"action": FaultAction.ERROR, "code": code}


_SAYS_NOTHING: dict[str, tuple[Symptom, Fault]] = {
    "connection_reset": (Symptom.NO_REPLY, {"action": FaultAction.DROP}),
    "connection_closed": (Symptom.NO_REPLY, {"action": FaultAction.CLOSE}),
    "truncated_body": (Symptom.NO_REPLY, {"action": FaultAction.TRUNCATED_BODY}),
    "gateway_502": (Symptom.HTTP_STATUS, {"action": FaultAction.HTTP_ERROR, "status": 502}),
    "gateway_429": (Symptom.HTTP_STATUS, {"action": FaultAction.HTTP_ERROR, "status": 429}),
    "empty_body": (Symptom.NO_JSON, {"action": FaultAction.EMPTY_BODY}),
    "page_of_html": (Symptom.NO_JSON, {"action": FaultAction.HTML_BODY}),
    "json_list": (Symptom.NO_CODE, {"action": FaultAction.LIST_BODY}),
    "json_without_fields": (Symptom.NO_CODE, {"action": FaultAction.BARE_BODY}),
    "fail_with_code_0": (Symptom.CONTRADICTION, {"action": FaultAction.CONTRADICTION}),
    "internal_error_10002": (Symptom.PASSING_FAULT, _error(10002)),
    "timeout_60008": (Symptom.PASSING_FAULT, _error(60008)),
    "internal_error_91000": (Symptom.PASSING_FAULT, _error(91000)),
}
_UNLISTED: dict[str, tuple[Symptom, Fault]] = {
    "unlisted_code": (Symptom.UNLISTED_CODE, _error(12345)),
}
SILENT = frozenset(("no_answer_in_time", "no_answer_in_time_after_effect", "dripping_answer"))
"""Faults that only a client's own timeout ends."""


def _twice(faults: dict[str, tuple[Symptom, Fault]]) -> dict[str, tuple[Symptom, Fault]]:
    """Return each fault without and with an effect behind the client's back."""
    after = {
        f"{name}_after_effect": (symptom, fault | APPLIED)
        for name, (symptom, fault) in faults.items()
    }
    return {**faults, **after}


PASSING: dict[str, tuple[Symptom, Fault]] = {
    **_twice(_SAYS_NOTHING),
    **_twice(
        {"no_answer_in_time": (Symptom.NO_REPLY, {"action": FaultAction.SLOW, "seconds": 2.5})}
    ),
    "dripping_answer": (
        Symptom.NO_REPLY,
        {"action": FaultAction.DRIP, "seconds": 0.05} | APPLIED,
    ),
    "applied_late": (Symptom.NO_REPLY, {"action": FaultAction.APPLY_LATE, "seconds": 2.5}),
    **{f"throttle_{code}": (Symptom.THROTTLED, _error(code)) for code in (60007, 60011, 60018, 60019)},
    "throttle_10006": (Symptom.THROTTLED, _error(10006)),
    "signature_expired": (Symptom.SIGNATURE_EXPIRED, _error(70001)),
    "locked_70050": (Symptom.LOCKED, _error(70050)),
}  # fmt: skip
"""Faults of every API, after which a run goes on."""
UNLISTED = _twice(_UNLISTED)
"""Codes that no page lists: the honest stop."""
SPOILED: dict[str, tuple[Symptom, Fault]] = {
    "no_items": (Symptom.ITEMS_MISSING, {"action": FaultAction.OMIT_ROWS}),
    "fewer_items": (Symptom.ITEMS_MISCOUNTED, {"action": FaultAction.FEWER_ROWS}),
    "more_items": (Symptom.ITEMS_MISCOUNTED, {"action": FaultAction.MORE_ROWS}),
    "items_of_others": (Symptom.ITEMS_OF_OTHERS, {"action": FaultAction.OTHER_ROWS}),
    "items_of_other_types": (Symptom.ITEMS_MISSING, {"action": FaultAction.MISTYPED_ROWS}),
}
"""Faults of answers with items."""
FLAT: dict[str, tuple[Symptom, Fault]] = {
    "flat_sequences": (Symptom.SEQUENCE_NOT_RISING, {"action": FaultAction.FLAT_SEQ}),
}


def of_api(api: str) -> dict[str, tuple[Symptom, Fault]]:
    """Return the passing faults that an API's calls can have."""
    return {**PASSING, **_SPOILED_OF.get(api, {})}


_WITHOUT_NAMES = {name: SPOILED[name] for name in ("no_items", "items_of_other_types")}
_SPOILED_OF = {
    "account_check": SPOILED,
    "get_group_info": SPOILED,
    "get_topic": SPOILED,
    "import_group_member": SPOILED,
    "import_group_msg": SPOILED | FLAT,
    # Its items have no text that could name somebody else's.
    "group_msg_recall": {name: each for name, each in SPOILED.items() if name != "items_of_others"},
    # Success lists no account: nothing can be left out.
    "multiaccount_import": {
        name: SPOILED[name] for name in ("more_items", "items_of_others", "items_of_other_types")
    },
    # A page may hold any number of messages of anybody.
    "group_msg_get_simple": _WITHOUT_NAMES,
    "admin_getroammsg": _WITHOUT_NAMES,
}
