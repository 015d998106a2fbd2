"""Which accounts must be there: everybody whose id appears anywhere."""

from __future__ import annotations

from chat_migration.keys import content_hash, hashed_id
from chat_migration.planning.identities import Identities, assign, taken_of
from chat_migration.planning.quote import QuoteCounter
from chat_migration.planning.staged import Staged
from chat_migration.planning.tables import Plan, PlannedAccount, TableWriter
from chat_migration.targets.rules import TargetRules
from chat_migration.text import character_border, cut_to_bytes

_EVERYBODY = """
    SELECT id FROM users
    UNION SELECT sender_id FROM messages
    UNION SELECT recipient_id FROM messages
    UNION SELECT user_id FROM members
    UNION SELECT owner_id FROM groups
    UNION SELECT user_id FROM direct_reads
    UNION SELECT peer_id FROM direct_reads
"""


_UTF16_BYTES = 2


def assign_accounts(
    staged: Staged, identities: Identities, rules: TargetRules
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the target ids that people have, and new ones for those who have none yet."""
    everybody = [legacy for (legacy,) in staged.rows(_EVERYBODY) if legacy]
    known = identities.identities_of("user", everybody)

    def make(legacy: str, attempt: int) -> str:
        if attempt == 0 and rules.accepts_user_id(legacy):
            return legacy
        return hashed_id("user", legacy, attempt)

    folds = rules.folds_case
    fresh = assign(
        everybody,
        known,
        make,
        taken_of(identities, "user", folds_case=folds),
        folds_case=folds,
    )
    return known, fresh


def plan_accounts(
    staged: Staged, ids: dict[str, str], rules: TargetRules, plan: Plan, counter: QuoteCounter
) -> None:
    """Write the accounts, by legacy id; profiles are cut to the target's caps."""
    writer = TableWriter(plan.table("accounts"), PlannedAccount)
    rows = staged.rows(f"""
        SELECT everybody.id, coalesce(name, ''), coalesce(avatar_url, ''), coalesce(file, ''), coalesce(line, 0)
        FROM ({_EVERYBODY}) AS everybody LEFT JOIN users ON users.id = everybody.id
        WHERE everybody.id <> '' ORDER BY everybody.id
    """)  # noqa: S608 - constant text
    for legacy, name, avatar, file, line in rows:
        short = shorten(name, rules.caps.account_name, "account.name", counter)
        url = shorten_url(avatar, rules.caps.account_avatar, "account.avatar_url", counter)
        writer.add(
            PlannedAccount(
                account_id=ids[legacy],
                legacy_id=legacy,
                name=short,
                avatar_url=url,
                written_hash=content_hash(short, url),
                file=file,
                line=line,
            )
        )
        if not file:
            counter.placeholders["accounts"] += 1
    writer.close()


def shorten(text: str, max_bytes: int, field: str, counter: QuoteCounter) -> str:
    """Return a profile text cut to its cap at a character's border, and count the cut."""
    cut = cut_to_bytes(text, max_bytes)
    if cut != text:
        counter.shortened[field] += 1
    return cut


def shorten_to_characters(text: str, most: int, field: str, counter: QuoteCounter) -> str:
    """Return a profile text cut to a number of UTF-16 characters at a character's border, and count the cut."""
    raw = text.encode("utf-16-le", "replace")
    if len(raw) <= most * _UTF16_BYTES:
        return text
    counter.shortened[field] += 1
    cut = len(raw[: most * _UTF16_BYTES].decode("utf-16-le", "ignore"))
    return text[: character_border(text, cut)]


def shorten_url(url: str, max_bytes: int, field: str, counter: QuoteCounter) -> str:
    """Return a URL, or "" if it is too long: a cut URL would point elsewhere."""
    if len(url.encode("utf-8", "replace")) <= max_bytes:
        return url
    counter.shortened[field] += 1
    return ""
