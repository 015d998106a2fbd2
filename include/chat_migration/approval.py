"""Whether a plan is still the one that a person approved. Pure.

Between the question and the answer the world goes on: a drop grows, another run sends, a group gets new messages. So
the plan is made again after the approval, and what was approved is the most that it may send.
"""

from __future__ import annotations

from collections.abc import Mapping

from chat_migration.model import Outcome
from chat_migration.planning.forecast import TO_IMPORT
from chat_migration.planning.quote import Quote

_EFFECTS = (TO_IMPORT, Outcome.UPDATED.value, Outcome.WITHDRAWN.value)
"""The classes of a quote whose rows change something in the target."""


def exceeds(approved: Quote, now: Quote) -> list[str]:
    """Return what of a plan is more than was approved, in a few words each; empty if nothing is.

    Less is always right: what another run has sent meanwhile need not be sent again. Rows that the approved quote
    left to a later run because they were too new may go now: it showed them, and time has passed.

    >>> fields = {"calls": {}, "late_rows": 0, "stranded_groups": 0}
    >>> two, three = ({"accounts": {"to_import": rows}} for rows in (2, 3))
    >>> exceeds(Quote.model_construct(rows=two, **fields), Quote.model_construct(rows=three, **fields))
    ['accounts to_import: 3 instead of 2']
    """
    grown, waited = [], 0
    for kind in sorted({*approved.rows, *now.rows}):
        before, after = approved.rows.get(kind, {}), now.rows.get(kind, {})
        ripe = max(0, _count(before, Outcome.DEFERRED) - _count(after, Outcome.DEFERRED))
        waited += ripe
        for outcome in _EFFECTS:
            most = _count(before, outcome) + (ripe if outcome == TO_IMPORT else 0)
            grown += _more(f"{kind} {outcome}", most, _count(after, outcome))
    for api in sorted(now.calls):
        if not (waited and api in now.message_apis):
            grown += _more(f"calls of {api}", _count(approved.calls, api), now.calls[api])
    grown += _more("late rows", approved.late_rows, now.late_rows)
    if now.late_to_their_time:
        return grown
    return grown + _more(
        "groups with rows left behind", approved.stranded_groups, now.stranded_groups
    )


def _count(counts: Mapping[str, int], name: str) -> int:
    return counts.get(name, 0)


def _more(what: str, most: int, found: int) -> list[str]:
    return [f"{what}: {found:,} instead of {most:,}"] if found > most else []
