"""Which files of an export hold which table, in which format."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from chat_migration.errors import UnreadableExportError
from chat_migration.sources.packaging.streams import codec_of, without_codec
from chat_migration.sources.tree import ExportTree

Format = Literal["jsonl", "csv", "parquet"]

_FORMATS: dict[str, Format] = {".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet"}
_EXPECTED = "`.jsonl` or `.csv` (also `.gz`, `.zst`), or `.parquet`"
_OTHER_FORMATS = (
    ("channels.json", "a Slack export: use the source `slack`"),
    ("users.json", "a Slack export: use the source `slack`"),
    ("result.json", "a Telegram Desktop export"),
    ("realm.json", "a Zulip export"),
    (".bson", "a MongoDB dump, as Rocket.Chat makes it"),
    ("version.json", "a Mattermost export"),
)


class TableFile(NamedTuple):
    """One file of a table."""

    path: str
    format: Format
    size: int


def format_of(path: str) -> Format | None:
    """Return the format that a file's name calls for; Parquet is never compressed from outside."""
    name = without_codec(path)
    known = next((kind for suffix, kind in _FORMATS.items() if name.endswith(suffix)), None)
    return None if known == "parquet" and codec_of(path) else known


def find_tables(export: ExportTree, names: Iterable[str]) -> dict[str, list[TableFile]]:
    """Return the files of each table that is there, by path.

    Raises:
        UnreadableExportError: there is no table ``messages``, a table is given in two ways, or one of its
            files is in no known format.
    """
    known = frozenset(names)
    found: dict[str, list[TableFile]] = {}
    roots: dict[str, str] = {}
    unknown: list[tuple[str, str]] = []
    for file in export.files():
        root, _, rest = file.path.partition("/")
        table = root if rest else root.split(".", 1)[0]
        if table not in known or file.path.rsplit("/", 1)[-1].startswith("_"):
            continue
        if roots.setdefault(table, root) != root:
            raise UnreadableExportError(
                f"The table `{table}` is given twice: as `{roots[table]}` and as `{root}`.",
                expected="One file, or one folder of files.",
                advice=f"Move both into the folder `{table}/`.",
            )
        kind = format_of(file.path)
        if kind is None:
            unknown.append((table, file.path))
        else:
            found.setdefault(table, []).append(TableFile(file.path, kind, file.size))
    if "messages" not in roots:
        raise _no_messages(export)
    for table, path in unknown:
        raise UnreadableExportError(
            f"`{path}` belongs to the table `{table}` but is in no format that is known.",
            expected=f"Tables are {_EXPECTED}.",
            advice="Convert the file, or move it out of the export.",
        )
    return found


def _no_messages(export: ExportTree) -> UnreadableExportError:
    paths = [file.path for file in export.files()]
    tops = sorted({path.split("/", 1)[0] for path in paths})
    shown = ", ".join(f"`{top}`" for top in tops[:8]) + (", …" if len(tops) > 8 else "")
    looks = next(
        (text for end, text in _OTHER_FORMATS if any(path.endswith(end) for path in paths)), None
    )
    nested = next((path for path in paths if path.rsplit("/", 1)[-1].startswith("messages.")), None)
    advice = f"It looks like {looks}." if looks else ""
    if nested:
        advice = (
            f"`{nested}` lies too deep: give its folder as `export_path`, "
            "with `{date}` in it if there is one per day."
        )
    return UnreadableExportError(
        f"`{export.export}` holds no table `messages`; it holds {shown or 'nothing'}.",
        expected=f"A file `messages` or a folder `messages/` of files, each {_EXPECTED}.",
        advice=advice,
    )
