"""Plans of small exports for a target of the test's choice; nothing is sent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.builders_neutral import HOUR, NeutralExport
from tests.clocks import START_MS, HandClock

from chat_migration.extraction import extract
from chat_migration.ledger.ledger import Ledger
from chat_migration.ledger.records import Delivery, GroupRecord
from chat_migration.ledger.states import EntityState
from chat_migration.model import Conversation
from chat_migration.planning.build import PlanBuilder
from chat_migration.planning.forecast import Forecast
from chat_migration.planning.quote import Quote
from chat_migration.planning.tables import MessageReader, Plan, PlannedGroup, PlannedMessage
from chat_migration.settings import Settings
from chat_migration.sources import open_source
from chat_migration.targets.rules import TargetRules
from chat_migration.targets.sizes import BatchSizes
from chat_migration.targets.tencent_chat.rules import TencentRules
from chat_migration.targets.zego_zim.rules import ZimRules
from chat_migration.window import Window

ZIM = ZimRules(max_message_bytes=2048, retention_days=7)
TENCENT = TencentRules(admin="administrator", max_body_bytes=12000)
SIZES = BatchSizes(messages=1, members=100, accounts=100, removals=50)


class Planner:
    """Plans exports one after the other against one ledger."""

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self._folder, self._ledger, self._number = folder, ledger, 0
        self.plan = Plan(folder)

    def quote(
        self,
        export: NeutralExport,
        rules: TargetRules = ZIM,
        *,
        calls_per_second: float = 20.0,
        **given: str,
    ) -> Quote:
        """Plan an export as a run an hour after the start would, and return the quote."""
        self._number += 1
        here = self._folder / str(self._number)
        staged = extract(
            open_source("neutral"),
            export.write(here / "export"),
            source_name="neutral",
            window=Window(),
            stage_dir=here / "stage",
        )
        self.plan, settings = Plan(here / "plan"), Settings.load(given, {})
        forecast = Forecast(
            self._ledger,
            settings,
            HandClock(START_MS + HOUR),
            SIZES,
            rules,
            retention_days=None,
            judge=_nothing_is_settled,
        )
        return PlanBuilder(
            [staged],
            self.plan,
            settings=settings,
            rules=rules,
            ledger=self._ledger,
            forecast=forecast,
            advance=lambda _: None,
        ).build(dict.fromkeys(rules.api_of.values(), calls_per_second))

    def group(self, legacy_id: str) -> PlannedGroup:
        """Return a group of the last plan."""
        (found,) = (each for each in self.plan.groups() if each.legacy_id == legacy_id)
        return found

    def messages(self) -> list[PlannedMessage]:
        """Return the group messages of the last plan."""
        reader = MessageReader(self.plan.messages_path("group", 0))
        rows = [row for place in self.plan.conversations("group") for row in reader.rows(place)]
        reader.close()
        return rows

    def make(self, legacy_id: str) -> None:
        """Let the ledger know a group of the last plan as created."""
        group = self.group(legacy_id)
        self._ledger.record_group(
            GroupRecord(
                conversation=Conversation.group(legacy_id).key, group_id=group.group_id,
                type=group.type, created_s=group.created_s, state=EntityState.CREATED, run_id="r1",
                written_hash=group.written_hash, owner_id=group.owner_id,
            )
        )  # fmt: skip


def _nothing_is_settled(row: PlannedMessage, parts: Sequence[Delivery]) -> None:
    del row, parts
