"""What ``rebuild.json`` holds, and its one screen for people."""

from __future__ import annotations

from pydantic import BaseModel, Field

from chat_migration.model import RecordType
from chat_migration.progress import clock_text
from chat_migration.rebuild.findings import Found


class RebuildReport(BaseModel):
    """The report of one rebuild."""

    run_id: str
    target: str = Field(description="The app, as the ledger names it.")
    source: str
    source_name: str
    complete: bool = Field(description="Whether everything of the export was looked for.")
    rows: dict[str, dict[str, int]] = Field(description="Record type → what was found → rows.")
    reasons: dict[str, dict[str, int]] = Field(description="Record type → reason → rows.")
    recognised_messages: int = Field(description="Messages of the target that are the export's.")
    foreign_messages: int = Field(description="Messages of the target that somebody else wrote.")
    unproved_rows: int = Field(description="Rows that could not be proved.")
    lines: int = Field(description="Lines of unproved.jsonl.")
    calls: dict[str, int] = Field(description="API → calls; all of them read.")
    seconds: float

    def text(self) -> str:
        """Return one screen for people."""
        lines = []
        for kind in RecordType:
            of = self.rows.get(kind, {})
            if of:
                shown = ", ".join(f"{of[found]:,} {found}" for found in Found if of.get(found))
                lines.append(f"{kind}: {shown}")
        for name, reasons in self.reasons.items():
            shown = ", ".join(f"{count:,} {reason}" for reason, count in sorted(reasons.items()))
            lines.append(f"  {name}: {shown}")
        lines.append(
            f"messages in the app: {self.recognised_messages:,} of this export, "
            f"{self.foreign_messages:,} of others"
        )
        lines.append(f"calls: {sum(self.calls.values()):,}, none of them a write")
        lines.append(f"time: {clock_text(self.seconds)}")
        return "\n".join(lines)
