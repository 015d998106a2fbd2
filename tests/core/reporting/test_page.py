"""The page that people look at first after a run: what it says, and what it must never do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

from chat_migration.model import Outcome, RecordType
from chat_migration.planning.quote import Quote
from chat_migration.reporting.page import SHOWN_ROWS, render_page
from chat_migration.reporting.page_plots import binned, drawn_shares
from chat_migration.reporting.page_text import visible
from chat_migration.reporting.report import ApiReport, RunReport, SlotReport, WindowReport

Rows = dict[str, dict[str, int]]
VOID = {"meta", "link", "wbr", "br", "img", "path"}
HOSTILE = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>$\\frac{1}{2}$ \u202egnp.exe"
ROWS: Rows = {
    "accounts": {"imported": 68, "already_imported": 3},
    "groups": {"imported": 16},
    "c2c_messages": {"imported": 260, "skipped": 5},
    "group_messages": {"imported": 1_098, "late_appended": 4, "rejected": 5, "late_rejected": 2},
}


class _Page(HTMLParser):
    """Reads a page as a browser would, and keeps what these tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.tables: list[list[list[str]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.words.append(data)
        if {"th", "td"} & set(self._open):
            self.tables[-1][-1][-1] += data

    @property
    def shown(self) -> str:
        """Return all text of the page, white space as one space."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of every element of one kind."""
        return [attributes for name, attributes in self.tags if name == tag]

    def table(self, first_head: str, *, last_head: str = "") -> list[list[str]]:
        """Return the table that begins with this head."""
        return next(
            [[cell.strip() for cell in row] for row in table]
            for table in self.tables
            if table[0][0].strip() == first_head and table[0][-1].strip().endswith(last_head)
        )


def quote(**changes: Any) -> Quote:
    values: dict[str, Any] = {
        "rows": {}, "reasons": {}, "calls": {}, "seconds_at_rate": 31.5, "longest_chain_calls": 0,
        "longest_chain": "", "deferred_groups": 0, "older_than_retention": 0, "late_rows": 0,
        "placeholders": {}, "shortened": {}, "direct_reads": 0, "parts": 0,
    }  # fmt: skip
    return Quote(**(values | changes))


def api(
    count: int, *, peak: int = 1, throttled: int = 0, retried: int = 0, writes: bool = True
) -> ApiReport:
    return ApiReport(
        count=count, throttled=throttled, retried=retried, peak_per_second=peak, writes=writes
    )


def report(rows: Rows | None = None, **changes: Any) -> RunReport:
    rows = {} if rows is None else rows
    values: dict[str, Any] = {
        "run_id": "run-7", "target": "tencent:1400000001", "source": "slack",
        "source_name": "houston",
        "window": WindowReport(start_ms=None, end_ms=None, text="everything"), "dry_run": False,
        "complete": True, "unfinished": [], "rows": rows, "reasons": {},
        "rows_read": {kind: sum(of.values()) for kind, of in rows.items()}, "outside_window": 0,
        "unknown_fields": {}, "placeholders": {}, "shortened": {},
        "slots": SlotReport(lifted=0, max_drift_seconds=0), "calls": {}, "calls_by_second": {},
        "seconds": {}, "in_doubt": 0, "rejected_rows": 0, "quote": None,
    }  # fmt: skip
    return RunReport(**(values | changes))


def full_report(**changes: Any) -> RunReport:
    values: dict[str, Any] = {
        "rows": ROWS,
        "reasons": {"group_messages": {"late": 2, "message_refused": 5}},
        "outside_window": 1_200,
        "unknown_fields": {"messages.hidden": 14},
        "placeholders": {"accounts": 3},
        "shortened": {"group_name": 2},
        "slots": SlotReport(lifted=38, max_drift_seconds=4),
        "calls": {
            "account_check": api(1, writes=False),
            "import_group_msg": api(1_109, peak=81, throttled=2, retried=3),
        },
        "calls_by_second": {
            "account_check": [(0, 1)],
            "import_group_msg": [(1, 81), (2, 40), (9, 7)],
        },
        "seconds": {"group": 28.6, "extract": 1.9, "plan": 0.84},
        "quote": quote(
            calls={"account_check": 1, "import_group_msg": 1_106, "importmsg": 4},
            longest_chain_calls=412,
            longest_chain="general",
            late_rows=2,
        ),
    }
    return report(**(values | changes))


def page_of(made: RunReport, folder: Path) -> _Page:
    return _Page(render_page(made, folder / "rejected.jsonl"))


def write_lines(folder: Path, *lines: dict[str, Any]) -> None:
    plain = {
        "record_type": "group_messages", "outcome": "rejected", "reason": "message_refused",
        "file": "general/2016-03-14.json", "line": 15,
    }  # fmt: skip
    text = "".join(json.dumps(plain | line) + "\n" for line in lines)
    (folder / "rejected.jsonl").write_text(text, encoding="utf-8")


# --- the headline ------------------------------------------------------------------------------


def test_headline_of_a_complete_run_says_how_many_rows_were_rejected(tmp_path: Path) -> None:
    page = page_of(full_report(), tmp_path)
    assert "Complete All 1,461 rows are accounted for, 7 of them rejected." in page.shown
    assert "See why 7 rows could not be taken" in page.shown


def test_headline_names_the_stages_that_did_not_end(tmp_path: Path) -> None:
    page = page_of(full_report(complete=False, unfinished=["group", "unread"]), tmp_path)
    assert (
        "Not complete Group messages and unread counts did not deal with every row." in page.shown
    )
    assert "Run again; what is done is not sent twice." in page.shown


@pytest.mark.parametrize(
    ("changes", "count"),
    [({"in_doubt": 3}, 3), ({"rows": {"c2c_messages": {"in_doubt": 12}}}, 12)],
)
def test_doubt_comes_before_everything_else(
    tmp_path: Path, changes: dict[str, Any], count: int
) -> None:
    page = page_of(full_report(complete=False, **changes), tmp_path)
    assert f"In doubt The outcome of {count} messages is unknown." in page.shown
    assert "Run again: it reads back what the target holds" in page.shown


def test_dry_run_says_that_nothing_was_sent(tmp_path: Path) -> None:
    assert "Dry run Nothing was sent." in page_of(full_report(dry_run=True), tmp_path).shown


def test_run_target_source_and_window_are_named(tmp_path: Path) -> None:
    shown = page_of(full_report(), tmp_path).shown
    assert "Run run-7 Target tencent:1400000001 Source houston (slack) Window everything" in shown


def test_key_figures_have_thousands_separators_and_units(tmp_path: Path) -> None:
    shown = page_of(full_report(), tmp_path).shown
    assert "Messages imported 1,362 of 1,374 read" in shown
    assert "Calls 1,110 2 throttled, 3 repeated Writes 1,109" in shown
    assert "Peak 81 calls/s" in shown
    assert "Time 0:00:31 h:mm:ss in 3 stages" in shown
    assert "Rejected 7 0.5 % of all rows" in shown


# --- tables -------------------------------------------------------------------------------------


def test_only_outcomes_that_occur_have_a_column(tmp_path: Path) -> None:
    heads = page_of(full_report(), tmp_path).table("Record type", last_head="Check")[0]
    assert heads == [
        "Record type", "Read", "Imported", "Already imported", "Late appended", "Skipped",
        "Late rejected", "Rejected", "All outcomes", "Check",
    ]  # fmt: skip


def test_totals_add_up_against_the_rows_read(tmp_path: Path) -> None:
    table = page_of(full_report(), tmp_path).table("Record type", last_head="Check")
    numbers = [[int(cell.replace(",", "")) for cell in row[1:-1]] for row in table[1:]]
    for read, *counts, total in numbers:
        assert sum(counts) == total == read
    assert numbers[-1] == [sum(column) for column in zip(*numbers[:-1], strict=True)]
    assert [row[-1] for row in table[1:]] == ["adds up"] * 5


def test_rows_that_are_missing_are_counted(tmp_path: Path) -> None:
    read = {"accounts": 71, "unread": 2_301}
    made = full_report(complete=False, rows={"accounts": {"imported": 71}}, rows_read=read)
    table = page_of(made, tmp_path).table("Record type", last_head="Check")
    assert table[2] == ["unread counts", "2,301", "0", "0", "2,301 missing"]
    assert table[3] == ["all", "2,372", "71", "71", "2,301 missing"]


def test_record_types_stand_in_the_order_of_the_import(tmp_path: Path) -> None:
    rows = {kind.value: {"imported": 1} for kind in reversed(RecordType)}
    table = page_of(report(rows), tmp_path).table("Record type", last_head="Check")
    assert [row[0] for row in table[1:]] == [
        "accounts", "groups and topics", "members", "one-to-one messages", "group messages",
        "unread counts", "all",
    ]  # fmt: skip


def test_reasons_are_listed_the_most_frequent_first(tmp_path: Path) -> None:
    table = page_of(full_report(), tmp_path).table("Record type", last_head="Rows")
    assert table[1:] == [
        ["group messages", "message refused", "5"],
        ["group messages", "late", "2"],
    ]


def test_calls_are_counted_per_api(tmp_path: Path) -> None:
    table = page_of(full_report(), tmp_path).table("API", last_head="target")
    assert table[2] == ["import_group_msg", "1,109", "2", "3", "81", "yes"]
    assert table[-1] == ["all", "1,110", "2", "3", "81", ""]


def test_planned_calls_stand_beside_those_made(tmp_path: Path) -> None:
    page = page_of(full_report(), tmp_path)
    assert page.table("API", last_head="Difference")[1:] == [
        ["account_check", "1", "1", "0"],
        ["import_group_msg", "1,106", "1,109", "+3"],
        ["importmsg", "4", "0", "\u22124"],
        ["all", "1,111", "1,110", "\u22121"],
    ]
    assert "Time at the rate limit 31.5 s" in page.shown
    assert "412 calls, one after the other, in general" in page.shown


def test_what_was_changed_on_the_way_is_told_with_units(tmp_path: Path) -> None:
    shown = page_of(full_report(), tmp_path).shown
    for text in (
        "given a later time 38 messages", "furthest move 4 seconds", "group name 2 values",
        "accounts 3", "messages.hidden 14 rows",
        "1,200 messages of the export lie outside the window",
    ):  # fmt: skip
        assert text in shown


# --- rejected rows ------------------------------------------------------------------------------


def test_rejected_rows_lead_back_to_the_export(tmp_path: Path) -> None:
    write_lines(
        tmp_path,
        {
            "id": "m-1",
            "conversation": "general",
            "code": 80001,
            "detail": "blocked",
            "advice": "Redrive.",
        },
    )
    page = page_of(full_report(rejected_rows=1), tmp_path)
    row = [" ".join(cell.split()) for cell in page.table("Place")[1]]
    assert row == [
        "general/2016-03-14.json:15", "m-1", "general", "rejectedmessage refused", "80001",
        "blockedRedrive.",
    ]  # fmt: skip


def test_only_the_first_rejected_rows_are_shown_and_the_file_with_all_is_named(
    tmp_path: Path,
) -> None:
    write_lines(tmp_path, *({"line": number} for number in range(1, SHOWN_ROWS + 11)))
    page = page_of(full_report(rejected_rows=1_060), tmp_path)
    assert len(page.table("Place")) == 1 + SHOWN_ROWS
    assert (
        f"These are the first {SHOWN_ROWS} of 1,060 rows. All are in rejected.jsonl" in page.shown
    )


def test_machine_paths_stay_off_the_page(tmp_path: Path) -> None:
    write_lines(tmp_path, {})
    assert str(tmp_path) not in page_of(full_report(rejected_rows=1), tmp_path).text


def test_rejected_rows_that_cannot_be_read_do_not_stop_the_report(tmp_path: Path) -> None:
    write_lines(tmp_path, {}, {})
    with (tmp_path / "rejected.jsonl").open("a") as file:
        file.write('{"record_type": "gro')
    assert len(page_of(full_report(rejected_rows=3), tmp_path).table("Place")) == 3


def test_missing_file_of_rejected_rows_leaves_their_number(tmp_path: Path) -> None:
    assert (
        "1,060 rows. All are in rejected.jsonl"
        in page_of(full_report(rejected_rows=1_060), tmp_path).shown
    )


def test_long_details_are_cut(tmp_path: Path) -> None:
    write_lines(tmp_path, {"detail": "long " * 10_000})
    assert len(page_of(full_report(rejected_rows=1), tmp_path).table("Place")[1][-1]) < 400


# --- hostile names ------------------------------------------------------------------------------


def hostile_report() -> RunReport:
    return full_report(
        run_id=HOSTILE, target=HOSTILE, source=HOSTILE, source_name=HOSTILE, unfinished=[HOSTILE],
        window=WindowReport(start_ms=None, end_ms=None, text=HOSTILE), complete=False,
        rows=ROWS | {HOSTILE: {HOSTILE: 4}}, reasons={HOSTILE: {HOSTILE: 4}},
        unknown_fields={HOSTILE: 1}, placeholders={HOSTILE: 1}, shortened={HOSTILE: 1},
        calls={HOSTILE: api(4)}, calls_by_second={HOSTILE: [(0, 4)]}, seconds={HOSTILE: 4.0},
        rejected_rows=9,
        quote=quote(calls={HOSTILE: 4}, longest_chain_calls=4, longest_chain=HOSTILE),
    )  # fmt: skip


def test_hostile_names_add_no_element_and_no_attribute(tmp_path: Path) -> None:
    fields = ("outcome", "reason", "file", "id", "conversation", "detail", "advice")
    write_lines(tmp_path, dict.fromkeys(fields, HOSTILE))
    page = page_of(hostile_report(), tmp_path)
    assert page.shown.count("<script>alert('x')</script>") > 20
    assert page.all("script") == page.all("img") == []
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_direction_overrides_are_shown_and_have_no_effect(tmp_path: Path) -> None:
    write_lines(tmp_path, {"id": "a\u202eb", "detail": "c\u2066d\x07e\nf"})
    page = page_of(hostile_report(), tmp_path)
    assert not set("\u202e\u2066\x07") & set(page.text)
    assert "a\\u202eb" in page.shown
    assert "c\\u2066d\\u0007e f" in page.shown


@pytest.mark.parametrize("text", ["مرحبا", "日本語", "👩‍👩‍👧", "naïve “quoted”"])
def test_ordinary_writing_is_left_alone(text: str) -> None:
    assert visible(text) == text


# --- a page of its own --------------------------------------------------------------------------


def test_page_loads_nothing_and_runs_nothing(tmp_path: Path) -> None:
    page = page_of(full_report(), tmp_path)
    assert re.search(r"https?:|//\w|@import|url\(|javascript:", page.text) is None
    assert page.all("script") == []
    sources = [
        attributes[name]
        for _, attributes in page.tags
        for name in ("src", "href", "xlink:href", "srcset", "data")
        if name in attributes
    ]
    assert [each for each in sources if not each.startswith(("#", "data:"))] == []


def test_page_forbids_itself_to_load_anything(tmp_path: Path) -> None:
    policies = [
        each["content"]
        for each in page_of(full_report(), tmp_path).all("meta")
        if each.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_page_suits_light_and_dark_and_phones(tmp_path: Path) -> None:
    page = page_of(full_report(), tmp_path)
    assert "prefers-color-scheme: dark" in page.text
    assert "width=device-width" in page.text
    used = set(re.findall(r"var\((--[\w-]+)\)", page.text))
    assert used <= set(re.findall(r"(--[\w-]+):", page.text))


def test_every_outcome_has_a_colour_in_the_page(tmp_path: Path) -> None:
    text = page_of(report({"groups": {name.value: 1 for name in Outcome}}), tmp_path).text
    for name in Outcome:
        assert f"--outcome-{name}: #" in text
        assert f"fill: var(--outcome-{name})" in text


def test_plots_say_in_words_what_they_show(tmp_path: Path) -> None:
    plots = page_of(full_report(), tmp_path).all("svg")
    assert [each["role"] for each in plots] == ["img"] * 6
    assert [each["class"] for each in plots] == ["wide", "narrow"] * 3
    outcomes, calls, stages = (each["aria-label"] for each in plots[::2])
    assert "Group messages: 99 % imported, 0.4 % late appended" in outcomes
    assert "import_group_msg at most 81 per second" in calls
    assert stages == "Time per stage: extract 1.9 s, plan 840 ms and group messages 28.6 s."


def test_page_is_accessible(tmp_path: Path) -> None:
    write_lines(tmp_path, {})
    page = page_of(full_report(rejected_rows=1), tmp_path)
    assert page.all("html") == [{"lang": "en"}]
    assert len(page.all("h1")) == 1
    assert len(page.all("caption")) == len(page.all("table")) == 5
    assert {each.get("scope") for each in page.all("th")} == {"col", "row"}
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = {each["aria-labelledby"] for each in page.all("section")}
    assert named <= set(ids)


# --- little or nothing to show ------------------------------------------------------------------


def test_empty_run_has_a_page_without_plots(tmp_path: Path) -> None:
    page = page_of(report(), tmp_path)
    assert page.all("svg") == page.all("table") == []
    for text in ("There was nothing to import.", "The run has no rows.", "The run made no calls."):
        assert text in page.shown
    assert "None: there is nothing in rejected.jsonl" in page.shown


def test_types_without_rows_are_left_out(tmp_path: Path) -> None:
    rows: Rows = {kind.value: {} for kind in RecordType} | {
        "groups": {"imported": 1, "rejected": 0}
    }
    table = page_of(report(rows), tmp_path).table("Record type", last_head="Check")
    assert table[0] == ["Record type", "Read", "Imported", "All outcomes", "Check"]
    assert [row[0] for row in table[1:]] == ["groups and topics", "all"]


def test_run_without_a_quote_says_so(tmp_path: Path) -> None:
    assert "There is no quote" in page_of(full_report(quote=None), tmp_path).shown


def test_quote_of_a_run_that_called_nothing_is_shown(tmp_path: Path) -> None:
    made = full_report(calls={}, calls_by_second={}, quote=quote(calls={"importmsg": 4}))
    assert page_of(made, tmp_path).table("API", last_head="Difference")[1] == [
        "importmsg",
        "4",
        "0",
        "\u22124",
    ]


@pytest.mark.parametrize("last_second", [0, 1, 59, 4_000, 90_000])
def test_calls_are_drawn_however_long_the_run_was(tmp_path: Path, last_second: int) -> None:
    points = {"importmsg": [(0, 3), (last_second, 200)] if last_second else [(0, 200)]}
    made = full_report(calls={"importmsg": api(203, peak=200)}, calls_by_second=points)
    assert "peak 200/s" in page_of(made, tmp_path).shown


# --- drawing ------------------------------------------------------------------------------------


def test_one_rejected_row_in_a_million_can_be_seen() -> None:
    shares = drawn_shares({"imported": 999_999, "rejected": 1}, 0.01)
    assert shares["rejected"] > 0.009
    assert sum(shares.values()) == pytest.approx(1)


def test_peaks_survive_when_a_long_run_is_drawn_small() -> None:
    points = [(second, 190 if second == 7_777 else 3) for second in range(10_000)]
    peaks = binned(points, 10_000, 100)
    assert (peaks.max(), peaks.min(), len(peaks)) == (190, 3, 100)


def test_page_is_the_same_from_many_threads_and_leaves_settings_alone(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    made, rejected = full_report(), tmp_path / "rejected.jsonl"
    with ThreadPoolExecutor(4) as pool:
        pages = set(pool.map(lambda _: render_page(made, rejected), range(4)))
    assert len(pages) == 1
    assert dict(mpl.rcParams) == before


def test_importing_the_module_loads_no_plotting_library_and_no_home_is_needed(
    tmp_path: Path,
) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from chat_migration.reporting.report import RunReport\n"
        "from chat_migration.reporting.page import render_page\n"
        "assert not {'matplotlib', 'pandas'} & set(sys.modules)\n"
        "made = RunReport.model_validate_json(sys.stdin.read())\n"
        "print(len(render_page(made, Path('rejected.jsonl'))))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    gone = {"HOME", "MPLCONFIGDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in gone}
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=full_report().model_dump_json(),
        env=environment | {"HOME": os.devnull, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10_000
