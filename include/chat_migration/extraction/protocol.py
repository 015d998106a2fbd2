"""What the parent and a reading process say to each other: one JSON line each, a line an answer."""

from __future__ import annotations

import msgspec

from chat_migration.extraction.reading import PieceResult
from chat_migration.sources.base import Piece
from chat_migration.sources.tree import ExportTree


class Setup(msgspec.Struct, frozen=True, tag="setup"):
    """What a worker needs once, before the first piece."""

    source: str
    source_name: str
    exports: list[ExportTree]
    folder: str
    name: str


class Order(msgspec.Struct, frozen=True, tag="order"):
    """One piece to read; answered by :class:`Done` or :class:`Failed`."""

    number: int
    piece: Piece


class Finish(msgspec.Struct, frozen=True, tag="finish"):
    """Nothing is left to read; answered by ``Done`` without a result."""


class Done(msgspec.Struct, frozen=True, tag="done"):
    """A piece has been read, or everything is written."""

    result: PieceResult | None = None


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Reading stopped. ``kind`` is the error's class; "" for a fault of the program, ``what`` its place."""

    kind: str
    what: str
    expected: str = ""
    advice: str = ""


Answer = Done | Failed
