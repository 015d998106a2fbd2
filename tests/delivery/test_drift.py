"""What the report says of lifted messages is the same however often a run had to begin anew."""

from __future__ import annotations

from tests.builders_neutral import NeutralExport, at
from tests.delivery.driving import Migration


def _bursts() -> NeutralExport:
    export = NeutralExport().group("g", "ann", "bob")
    for number in range(30):
        export.say("g", "ann", at(number // 5))
    export.say("g", "bob", at(500))
    return export


def test_a_repeated_try_of_a_run_reports_the_drift_of_all_its_tries(migration: Migration) -> None:
    export = _bursts()
    first = migration.run(export, run_id="again")
    second = migration.run(export, run_id="again")
    assert first.report.slots == second.report.slots
    assert first.report.slots.lifted > 20


def test_a_later_run_reports_none_of_it(migration: Migration) -> None:
    export = _bursts()
    migration.run(export, run_id="first")
    assert migration.run(export, run_id="second").report.slots.lifted == 0
