"""The copy of a sample that is recent enough for a target with a retention."""

from __future__ import annotations

import gzip
import importlib
import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from chat_migration.extraction import extract
from chat_migration.sources import open_source
from chat_migration.store.extract import Extract
from chat_migration.window import Window

ROOT = Path(__file__).resolve().parents[2]
TODAY = date(2026, 6, 30)
SAMPLES = {"slack": "slack-houstondatavis", "neutral": "neutral-harbour"}


@pytest.fixture
def dates(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("demo_dates")


def staged(source: str, export: Path, stage: Path) -> Extract:
    """Return what an export holds, as a run stages it."""
    everything = Window(None, None)
    return extract(
        open_source(source), export, source_name=source, window=everything, stage_dir=stage
    )


@pytest.mark.parametrize("source", SAMPLES)
def test_copy_holds_the_same_rows_and_no_message_older_than_the_retention(dates, tmp_path, source):
    sample = ROOT / "samples" / SAMPLES[source]
    copy = dates.recent_copy(sample, tmp_path / "copy", TODAY)
    before = staged(source, sample, tmp_path / "before").manifest
    after = staged(source, copy, tmp_path / "after").manifest
    assert after.rows_read == before.rows_read
    assert Counter((each.reason, each.rows) for each in after.ended) == Counter(
        (each.reason, each.rows) for each in before.ended
    )
    oldest, newest = (
        datetime.fromtimestamp(each / 1000, UTC).date()
        for each in (after.first_message_ms, after.last_message_ms)
    )
    assert TODAY - timedelta(days=dates.ROOM_DAYS + 3) <= oldest <= newest < TODAY


def test_times_within_a_day_and_their_order_stay(dates, tmp_path):
    sample = tmp_path / "sample"
    (sample / "general").mkdir(parents=True)
    texts = {
        "2015-06-05.json": '[{"ts": "1433505600.000002", "thread": 1433505600000}]',
        "2018-01-01.json": '[{"ts": "1514764801.000003"}]',
    }
    for name, text in texts.items():
        (sample / "general" / name).write_text(text)
    (sample / "notes.csv.gz").write_bytes(gzip.compress(b"at,2018-01-01T00:00:01.5+01:00"))
    copy = dates.recent_copy(sample, tmp_path / "copy", TODAY)
    first, last = sorted(copy.glob("general/*.json"))
    assert last.name == "2026-06-28.json"
    seconds = [int(re.search(r'"(\d+)\.', each.read_text())[1]) for each in (first, last)]
    assert [each % 86_400 for each in seconds] == [12 * 3600, 1]
    assert seconds[1] - seconds[0] < dates.ROOM_DAYS * 86_400
    assert f'"thread": {seconds[0]}000' in first.read_text()
    assert (
        gzip.decompress((copy / "notes.csv.gz").read_bytes()) == b"at,2026-06-28T00:00:01.5+01:00"
    )


def test_copy_is_made_once_because_another_time_is_another_message(dates, tmp_path):
    sample = tmp_path / "sample"
    sample.mkdir()
    (sample / "2020-01-01.json").write_text("[]")
    copy = dates.recent_copy(sample, tmp_path / "copy", TODAY)
    again = dates.recent_copy(sample, tmp_path / "copy", TODAY + timedelta(days=9))
    assert again == copy
    assert [each.name for each in copy.iterdir()] == ["2026-06-28.json"]
