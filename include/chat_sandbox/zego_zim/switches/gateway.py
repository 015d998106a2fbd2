"""Switches of what stands before every Action: signature, rates, ids, plans."""

from __future__ import annotations

from typing import Literal

from chat_sandbox.switches import Switch

THROTTLE_CODE: Switch[Literal["7", "660300005", "660300006"]] = Switch(
    name="zim_throttle_code",
    values=("7", "660300005", "660300006"),
    default="7",
    unknowns=("Z2",),
    meaning="Code of a call over the rate, where the Action has none of its own",
    reason="no page names one for imports",
)
THROTTLE_STATUS: Switch[Literal["200", "429"]] = Switch(
    name="zim_throttle_status",
    values=("200", "429"),
    default="200",
    unknowns=("Z2",),
    meaning="HTTP status of that reply",
    reason="200 is the only documented status",
)
RATE_SCOPE: Switch[Literal["action", "imports", "app"]] = Switch(
    name="zim_rate_scope",
    values=("action", "imports", "app"),
    default="action",
    unknowns=("Z3",),
    meaning="what shares the 20 calls a second: nothing, the two imports, or all Actions of a project",
    reason="each page gives its own number",
)
RATE_WINDOW: Switch[Literal["sliding", "fixed", "bucket"]] = Switch(
    name="zim_rate_window",
    values=("sliding", "fixed", "bucket"),
    default="sliding",
    unknowns=("Z3",),
    meaning="calls counted in a sliding second, in a calendar second, or from a bucket of a tenth",
    reason="a client that keeps to the sliding second also keeps to the calendar second",
)
PRIORITY_THROTTLING: Switch[Literal["none", "low_first"]] = Switch(
    name="zim_priority_throttling",
    values=("none", "low_first"),
    default="none",
    unknowns=("Z4",),
    meaning="whether imports with Priority 1 are throttled from half of the rate on",
    reason="documented for sends only",
)
ID_CASE: Switch[Literal["sensitive", "insensitive"]] = Switch(
    name="zim_id_case",
    values=("sensitive", "insensitive"),
    default="sensitive",
    unknowns=("Z19",),
    meaning="whether ids that differ in case are two",
    reason="nothing says that they are one",
)
EDGE_SPACES: Switch[Literal["keep", "trim", "reject"]] = Switch(
    name="zim_edge_spaces",
    values=("keep", "trim", "reject"),
    default="keep",
    unknowns=("Z19",),
    meaning="spaces at the ends of ids",
    reason="the space is in the alphabet",
)
FREE_PLAN_REFUSES: Switch[Literal["nothing", "imports", "groups"]] = Switch(
    name="zim_free_plan_refuses",
    values=("nothing", "imports", "groups"),
    default="nothing",
    unknowns=("Z24",),
    meaning="which Actions answer 660000028: none, the two imports, or those that make groups and members",
    reason="the free plan has groups and history",
)
NONCE_REPLAY: Switch[Literal["reject", "accept"]] = Switch(
    name="zim_nonce_replay",
    values=("reject", "accept"),
    default="reject",
    unknowns=("Z25",),
    meaning="a SignatureNonce that was used before answers 100000009 or passes",
    reason="each request is to be signed anew",
)
PLAN: Switch[Literal["unlimited", "free", "signaling", "pro", "enterprise"]] = Switch(
    name="zim_plan",
    values=("unlimited", "free", "signaling", "pro", "enterprise"),
    default="unlimited",
    unknowns=(),
    meaning=(
        "quotas of users, groups, groups per user, members and attributes; signaling has no "
        "groups and no history"
    ),
    reason="quotas get in the way of everything but their own tests",
)

TABLE = (
    THROTTLE_CODE,
    THROTTLE_STATUS,
    RATE_SCOPE,
    RATE_WINDOW,
    PRIORITY_THROTTLING,
    ID_CASE,
    EDGE_SPACES,
    FREE_PLAN_REFUSES,
    NONCE_REPLAY,
    PLAN,
)
