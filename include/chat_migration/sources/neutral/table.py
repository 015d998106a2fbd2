"""What one table of the neutral export consists of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from chat_migration.model import Origin, Problem, Record, RecordType
from chat_migration.sources.base import BadRow
from chat_migration.sources.neutral.values import Row

Kind = Literal["text", "instant", "integer", "boolean", "json"]


class Table(NamedTuple):
    """A table: its fields, and how a row becomes a record.

    ``columns`` must be in the header of a CSV file; of ``either`` at least one. ``unknown`` names the fields
    of a row that the contract does not know, with their values; ``parse`` gets them to keep; ``problem``
    says what becomes of a row that it refused.
    """

    name: str
    record_type: RecordType
    fields: Mapping[str, Kind]
    columns: tuple[str, ...]
    parse: Callable[[Row, Origin, Row], Record]
    unknown: Callable[[Row], Row]
    problem: Callable[[Row, Origin, BadRow], Problem]
    either: tuple[str, ...] = ()


def unknown_in(fields: Mapping[str, Kind]) -> Callable[[Row], Row]:
    """Return a function that gives the unknown fields of a row; fields that are null are absent."""
    known = fields.keys()

    def unknown(row: Row) -> Row:
        if row.keys() <= known:
            return {}
        return {field: row[field] for field in row if field not in known and row[field] is not None}

    return unknown


def problem_of(
    record_type: RecordType, *id_fields: str
) -> Callable[[Row, Origin, BadRow], Problem]:
    """Return a function that makes a problem of a refused row, under the id that these fields give."""

    def problem(row: Row, origin: Origin, bad: BadRow) -> Problem:
        ids = [value for field in id_fields if isinstance(value := row.get(field), str)]
        return Problem(
            origin=origin,
            record_type=record_type,
            reason=bad.reason,
            detail=bad.detail,
            advice=bad.advice,
            id=printable("/".join(ids)),
        )

    return problem


def printable(legacy_id: str) -> str:
    """Return an id as a report can show it: without NULs and surrogates, and not endless."""
    return legacy_id[:200].encode("utf-8", "replace").decode().replace("\0", "?")
