"""What can be seen of a call gone wrong, as the sandbox scripts it, by symptom of the table of outcomes."""

from __future__ import annotations

from typing import Any

from chat_migration.targets.zego_zim.outcomes import Symptom
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
    "busy_1": (Symptom.PASSING_FAULT, _error(1)),
    "failed_660000001": (Symptom.PASSING_FAULT, _error(660000001)),
    "failed_660000003": (Symptom.PASSING_FAULT, _error(660000003)),
    "database_105001": (Symptom.PASSING_FAULT, _error(105001)),
    "gateway_100000015": (Symptom.PASSING_FAULT, _error(100000015)),
}
UNLISTED: dict[str, tuple[Symptom, Fault]] = {
    "unlisted_code": (Symptom.UNLISTED_CODE, _error(660099999)),
}
REFUSED: dict[str, tuple[Symptom, Fault]] = {
    "throttled": (Symptom.THROTTLED, {"action": FaultAction.THROTTLE}),
    "throttle_660300005": (Symptom.THROTTLED, _error(660300005)),
    "throttle_660300006": (Symptom.THROTTLED, _error(660300006)),
    "signature_expired": (Symptom.SIGNATURE_REFUSED, _error(100000004)),
    "signature_wrong": (Symptom.SIGNATURE_REFUSED, _error(100000005)),
}
"""What certainly had no effect, and is done again."""
REFUSED_FOR_GOOD: dict[str, tuple[Symptom, Fault]] = {
    "authentication_failed": (Symptom.RUN_REFUSED, _error(3)),
    "app_not_enabled": (Symptom.RUN_REFUSED, _error(100000016)),
}


def twice(faults: dict[str, tuple[Symptom, Fault]]) -> dict[str, tuple[Symptom, Fault]]:
    """Return each fault without and with an effect behind the client's back."""
    after = {
        f"{name}_after_effect": (symptom, fault | APPLIED)
        for name, (symptom, fault) in faults.items()
    }
    return {**faults, **after}


SAYS_NOTHING = twice(_SAYS_NOTHING)
LATE: dict[str, tuple[Symptom, Fault]] = {
    "applied_late": (Symptom.NO_REPLY, {"action": FaultAction.APPLY_LATE, "seconds": 8}),
}
PASSING = {**SAYS_NOTHING, **LATE, **REFUSED}
"""Faults of every Action, after which a run goes on."""

_ITEMS = {
    "no_items": (Symptom.ITEMS_MISSING, {"action": FaultAction.OMIT_ROWS}),
    "items_of_other_types": (Symptom.ITEMS_MISSING, {"action": FaultAction.MISTYPED_ROWS}),
}
SPOILED: dict[str, dict[str, tuple[Symptom, Fault]]] = {
    "UserRegister": _ITEMS,
    "InviteUsersIntoGroup": _ITEMS
    | {"no_items": (Symptom.MAYBE_THERE, {"action": FaultAction.OMIT_ROWS})},
    "CreateGroup": _ITEMS,
    "QueryGroupMsg": _ITEMS,
    "QueryPeerMsg": _ITEMS,
    "QueryGroupMemberList": _ITEMS,
    "QueryUserInfos": {
        "no_items": (Symptom.ITEMS_MISCOUNTED, {"action": FaultAction.OMIT_ROWS}),
        "more_items": (Symptom.ITEMS_MISCOUNTED, {"action": FaultAction.MORE_ROWS}),
        "fewer_items": (Symptom.ITEMS_MISCOUNTED, {"action": FaultAction.FEWER_ROWS}),
        "items_of_others": (Symptom.ITEMS_OF_OTHERS, {"action": FaultAction.OTHER_ROWS}),
        "items_of_other_types": (Symptom.ITEMS_MISSING, {"action": FaultAction.MISTYPED_ROWS}),
    },
    "ImportGroupMsg": {
        "flat_sequence": (Symptom.SEQUENCE_NOT_RISING, {"action": FaultAction.FLAT_SEQ}),
    },
}
"""Faults of single Actions' answers."""
