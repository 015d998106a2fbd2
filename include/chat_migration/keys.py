"""Stable keys: the same on every machine, for every split of the input, for ever.

Changing a recipe here orphans every ledger in use: it needs a new :data:`KEY_VERSION` and a migration.
"""

from __future__ import annotations

from hashlib import blake2b

KEY_VERSION = 1
"""Version of the recipes below, kept in the ledger."""


def _digest(size: int, parts: tuple[str, ...]) -> blake2b:
    """Hash texts so that no two different tuples feed the same bytes: each is preceded by its length."""
    fed = b""
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        fed += b"%d:%b" % (len(raw), raw)
    return blake2b(fed, digest_size=size)


def message_key(source_name: str, conversation: str, legacy_id: str) -> str:
    """Return the key under which the ledger remembers one legacy message: 32 lower-case hex characters.

    Built from the source's name, the conversation's key and the legacy id only, never from a path, a time or
    the text, so an edited message keeps its key.

    >>> message_key("slack", "group:C1", "1433558207.760577")
    '48b442b219b548c7f6ce9347fb70f8b3'
    """
    return message_key_in(conversation_digest(source_name, conversation), legacy_id)


def conversation_digest(source_name: str, conversation: str) -> blake2b:
    """Return what all message keys of one conversation share, for :func:`message_key_in`."""
    return _digest(16, (source_name, conversation))


def message_key_in(conversation: blake2b, legacy_id: str) -> str:
    """Return :func:`message_key` for one message of a conversation whose digest is at hand."""
    digest = conversation.copy()
    raw = legacy_id.encode("utf-8", "surrogatepass")
    digest.update(b"%d:" % len(raw) + raw)
    return digest.hexdigest()


def content_hash(*parts: str) -> str:
    """Return the hash of a row's source content: 16 lower-case hex characters."""
    return _digest(8, parts).hexdigest()


def order_key(legacy_id: str) -> str:
    """Return a text that sorts legacy ids within one instant as the input contract says.

    Ids made only of digits come first, by value, then by length; all others after them, by UTF-8 bytes.
    Compare the result as bytes or code points, which is the same for UTF-8.

    >>> sorted(["b", "10", "010", "9", "a"], key=order_key)
    ['9', '10', '010', 'a', 'b']
    """
    if legacy_id.isascii() and legacy_id.isdigit():
        value = legacy_id.lstrip("0")
        return f"0{len(value):06d}{value}{len(legacy_id):06d}"
    return "1" + legacy_id


def vendor_random(message_key: str, part: int, candidate: int = 0, *, bits: int = 32) -> int:
    """Return the number by which a target knows a message: 1 … 2^bits-1, never 0.

    The candidates of one message are tried in order until one is free in the conversation.
    """
    size = -(-bits // 8)
    digest = _digest(size, ("random", message_key, str(part), str(candidate))).digest()
    return int.from_bytes(digest, "big") >> (8 * size - bits) or 1


def hashed_id(kind: str, legacy_id: str, attempt: int = 0) -> str:
    """Return a stable id for a legacy id that the target does not accept: ``m`` and 24 hex characters."""
    return "m" + _digest(12, ("id", kind, legacy_id, str(attempt))).hexdigest()
