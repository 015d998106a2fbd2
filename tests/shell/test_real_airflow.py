"""What only a running Airflow can show: pages, forms, a whole run by its scheduler. One server for all tests."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from chat_migration.home import Home
from chat_migration.settings import Settings
from chat_migration.targets.vendors import VENDORS

ROOT = Path(__file__).resolve().parents[2]
DAG = "import_to_tencent_chat"
CHROMIUM = shutil.which("chromium")

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.xdist_group("real_airflow"),
    pytest.mark.timeout(240),
]


@dataclass(frozen=True, kw_only=True)
class RunningAirflow:
    """What ``make up`` has started."""

    url: str
    sandbox: str
    home: Path
    token: str

    def call(self, method, path, body=None):
        """Call Airflow's API; give status and answer, whatever the status."""
        return call(
            f"{self.url}{path}",
            method=method,
            body=body,
            headers={"Authorization": f"Bearer {self.token}"},
        )

    def run(self, run_id, **conf):
        """Trigger a run, wait for its end, give its state."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": conf}
        status, answer = self.call("POST", f"/api/v2/dags/{DAG}/dagRuns", body)
        assert status == 200, answer
        return wait(lambda: self.ended(run_id), seconds=120)

    def ended(self, run_id):
        """Return the final state of a run, None while it is under way."""
        state = self.call("GET", f"/api/v2/dags/{DAG}/dagRuns/{run_id}")[1]["state"]
        return state if state in {"success", "failed"} else None

    def nightly(self):
        """Return the id of the one scheduled run, None as long as there is none."""
        found = self.call("GET", f"/api/v2/dags/{DAG}/dagRuns?run_type=scheduled")[1]["dag_runs"]
        return found[0]["dag_run_id"] if found else None

    def tasks(self, run_id):
        """Return the states of a run's tasks, by task id without its group."""
        found = self.call("GET", f"/api/v2/dags/{DAG}/dagRuns/{run_id}/taskInstances")[1]
        return {
            each["task_id"].rpartition(".")[2]: each["state"] for each in found["task_instances"]
        }

    def folder(self, run_id):
        """Return the folder of a run's reports."""
        return Home.from_environment({"CHAT_MIGRATION_HOME": str(self.home)}).run_folder(run_id)


def call(url, *, method="GET", body=None, headers=None):
    """Make one HTTP call to this machine."""
    request = urllib.request.Request(
        url,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"} | (headers or {}),
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null")


def wait(ready, *, seconds):
    """Wait for something that is neither None nor False, and give it."""
    deadline = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < deadline, f"nothing after {seconds} s"
        time.sleep(0.25)
    return found


@pytest.fixture(scope="module")
def airflow(tmp_path_factory):
    """Run ``make up`` on free ports; Ctrl-C at the end must stop all of it."""
    home = tmp_path_factory.mktemp("up")
    command = [sys.executable, str(ROOT / "scripts" / "demo_up.py"), "--home", str(home)]
    with (home / "up.log").open("w+") as log:
        server = subprocess.Popen(
            [*command, "--port", "0", "--sandbox-port", "0"],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
        )
        try:
            yield _ready(server, home)
        finally:
            server.send_signal(signal.SIGINT)
            ended = server.wait(timeout=60)
    assert ended == 0, (home / "up.log").read_text()


def _ready(server, home):
    def printed():
        assert server.poll() is None, (home / "up.log").read_text()
        said = (home / "up.log").read_text()
        return re.search(r"Airflow: +(\S+)/dags(?:.*\n)+?Sandbox: +(\S+)", said)

    url, sandbox = wait(printed, seconds=180).groups()
    token = call(f"{url}/auth/token")[1]["access_token"]
    running = RunningAirflow(url=url, sandbox=sandbox, home=home, token=token)
    wait(lambda: running.call("GET", f"/api/v2/dags/{DAG}")[0] == 200, seconds=60)
    running.call("PATCH", f"/api/v2/dags/{DAG}", {"is_paused": False})
    wait(lambda: running.nightly() and running.ended(running.nightly()), seconds=120)
    return running


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=flags + quiet)
        yield started.new_context(viewport={"width": 1300, "height": 1400})
        started.close()


@pytest.fixture
def page(browser):
    opened = browser.new_page()
    opened.set_default_timeout(20_000)
    yield opened
    opened.close()


@pytest.fixture
def trigger_form(airflow, page):
    page.goto(f"{airflow.url}/dags/{DAG}")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    expect(form.get_by_role("button", name="What to move")).to_be_visible()
    return form


def open_section(form, name):
    form.get_by_role("button", name=name).click()


class TestServer:
    """Airflow has found what this project adds to it."""

    def test_dag_is_there_without_import_errors(self, airflow):
        assert airflow.call("GET", "/api/v2/importErrors")[1]["import_errors"] == []
        assert airflow.call("GET", f"/api/v2/dags/{DAG}")[1]["timetable_summary"] == "0 0 * * *"

    def test_plugin_is_registered_and_its_package_is_no_plugin(self, airflow):
        plugins = airflow.call("GET", "/api/v2/plugins")[1]["plugins"]
        assert [each["name"] for each in plugins] == ["chat_migration"]
        assert airflow.call("GET", "/api/v2/plugins/importErrors")[1]["total_entries"] == 0

    @pytest.mark.parametrize(
        ("kind", "secret"),
        [(VENDORS["tencent"], "SecretKey"), (VENDORS["zim"], "ServerSecret")],
        ids=["tencent", "zim"],
    )
    def test_connection_type_has_its_fields(self, airflow, kind, secret):
        types = airflow.call("GET", "/ui/connections/hook_meta")[1]
        (ours,) = [each for each in types if each["connection_type"] == kind.conn_type]
        assert ours["hook_name"] == kind.title
        assert ours["standard_fields"]["password"]["title"] == secret
        assert set(ours["extra_fields"]) == set(kind.extras())

    @pytest.mark.parametrize("dag", ["import_to_tencent_chat", "import_to_zego_zim"])
    def test_both_dags_are_there_and_every_night_is_one_run(self, airflow, dag):
        assert airflow.call("GET", f"/api/v2/dags/{dag}")[1]["timetable_summary"] == "0 0 * * *"

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            pytest.param({}, (True, "accepts the signature of administrator"), id="right"),
            pytest.param({"password": "another-key"}, (False, "SecretKey"), id="wrong secret"),
            pytest.param({"host": "http://127.0.0.1:1"}, (False, "127.0.0.1"), id="nobody there"),
            pytest.param({"extra": "{}"}, (False, "extra.sdk_app_id"), id="incomplete"),
        ],
    )
    def test_connection_can_be_tested_from_the_form(
        self, airflow, demo_connection, changes, expected
    ):
        body = {"connection_id": "tested", **demo_connection, "host": airflow.sandbox} | changes
        status, answer = airflow.call("POST", "/api/v2/connections/test", body)
        assert status == 200, answer
        assert answer["status"] is expected[0], answer
        assert expected[1] in answer["message"]
        assert demo_connection["password"] not in answer["message"]

    @pytest.mark.parametrize(
        "conf",
        [{"same_second": "drop"}, {"shards": 0}, {"max_rejected_ratio": 7}, {"from": "yesterday"}],
        ids=lambda conf: next(iter(conf)),
    )
    def test_bad_conf_is_refused_before_the_run_exists(self, airflow, conf):
        status, answer = airflow.call(
            "POST", f"/api/v2/dags/{DAG}/dagRuns", {"logical_date": None, "conf": conf}
        )
        assert status in {400, 422}
        assert next(iter(conf)) in json.dumps(answer)


@pytest.mark.browser
class TestTriggerForm:
    """The form from which people start a migration."""

    @pytest.mark.parametrize(
        ("section", "titles"),
        [
            (
                "What to move",
                [
                    "Format of the export",
                    "Export",
                    "Name of the legacy system",
                    "From",
                    "To",
                    "Dry run",
                ],
            ),
            ("Nightly drops", ["Marker of a complete drop", "Look back, days"]),
            ("Pilot", ["Only these conversations", "All but these conversations"]),
            (
                "Rules",
                ["Messages at the same time", "Late messages", "Accounts that exist already"],
            ),
            ("Unread", ["One-to-one unread", "Allow pushes to phones"]),
            ("Safety and running", ["Ask before sending", "Rejected rows allowed"]),
        ],
    )
    def test_section_has_its_fields(self, trigger_form, section, titles):
        open_section(trigger_form, section)
        for title in titles:
            expect(trigger_form.get_by_text(title, exact=True)).to_be_visible()

    def test_field_says_what_it_does_and_what_not_set_means(self, trigger_form):
        open_section(trigger_form, "Safety and running")
        expect(
            trigger_form.get_by_text(Settings.model_fields["shards"].description)
        ).to_contain_text("Not set: the settings file, else 1.")

    def test_choices_are_a_list_and_the_chosen_one_enters_the_conf(self, trigger_form, page: Page):
        open_section(trigger_form, "Rules")
        trigger_form.locator("#element_late_messages").click()
        expect(page.get_by_role("option")).to_have_text(
            [
                "not set",
                "auto: named in the report, or at their own time where the target takes them there",
                "reject: named in the report",
                "append: at the end with their time in the text, or likewise at their own time",
            ]
        )
        page.get_by_role("option", name="append").click()
        # Nothing is triggered: the request is looked at and goes nowhere.
        page.route("**/dagRuns", lambda route: route.abort())
        with page.expect_request(
            lambda request: request.method == "POST" and request.url.endswith("/dagRuns")
        ) as sent:
            trigger_form.get_by_role("button", name="Trigger", exact=True).click()
        page.unroute("**/dagRuns")
        assert sent.value.post_data_json["conf"]["late_messages"] == "append"

    def test_number_beyond_its_limit_is_not_taken(self, trigger_form):
        open_section(trigger_form, "Safety and running")
        field = trigger_form.locator("input[name=element_max_rejected_ratio]")
        field.fill("7")
        field.press("Tab")
        expect(field).to_have_value("1")


@pytest.mark.browser
class TestConnectionForm:
    """The form in which people say where their app is."""

    def test_connection_type_is_offered_with_its_own_fields(self, airflow, page):
        page.goto(f"{airflow.url}/connections")
        page.get_by_role("button", name="Add Connection").click()
        form = page.get_by_role("dialog")
        form.get_by_role("combobox").first.fill("Tencent")
        page.get_by_role("option", name="Tencent Cloud Chat").click()
        for label in ("Region, host or URL", "Admin identifier", "SecretKey"):
            expect(form.get_by_text(label, exact=True)).to_be_visible()
        form.get_by_role("button", name="Extra Fields", exact=True).click()
        for label in (
            "SDKAppID",
            "Calls per second",
            "Timeout (seconds)",
            "Parallel calls per worker",
        ):
            expect(form.locator("label").filter(has_text=label)).to_be_visible()
        expect(form.get_by_text("This field is required")).to_be_visible()


class TestWholeRun:
    """The scheduler runs the DAG against the sandbox."""

    def test_dry_run_plans_and_writes_nothing(self, airflow, export):
        before = writes(airflow)
        assert airflow.run("dry", export_path=str(export), dry_run=True) == "success"
        states = airflow.tasks("dry")
        assert {task for task, state in states.items() if state == "success"} == {
            "open_window",
            "wait_for_export",
            "extract_export",
            "plan_import",
        }
        assert set(states.values()) == {"success", "skipped"}
        assert writes(airflow) == before
        assert not airflow.folder("dry").exists()

    def test_history_arrives_once_and_the_asset_is_updated(self, airflow, export):
        assert airflow.run("first", export_path=str(export), shards=2) == "success"
        rows = json.loads((airflow.folder("first") / "report.json").read_text())["rows"]
        assert (rows["group_messages"], rows["c2c_messages"]) == ({"imported": 3}, {"imported": 1})
        (event,) = airflow.call("GET", "/api/v2/assets/events?source_run_id=first")[1][
            "asset_events"
        ]
        assert event["extra"]["rows"]["group_messages"] == {"imported": 3}

        before = writes(airflow)
        assert airflow.run("second", export_path=str(export), shards=2) == "success"
        rows = json.loads((airflow.folder("second") / "report.json").read_text())["rows"]
        assert rows["group_messages"] == {"already_imported": 3}
        assert writes(airflow) == before

    def test_refused_group_messages_fail_the_run_and_still_give_a_report(self, airflow, tmp_path):
        rule = {"action": "error", "api": "import_group_msg", "code": 60020}
        call(f"{airflow.sandbox}/_sandbox/faults", method="POST", body=rule)
        try:
            export = write_export(tmp_path, group="g-refused")
            assert (
                airflow.run("refused", export_path=str(export), source_name="refused") == "failed"
            )
        finally:
            call(f"{airflow.sandbox}/_sandbox/faults", method="DELETE")
        states = airflow.tasks("refused")
        assert states["import_group_messages"] == "failed"
        assert states["import_direct_messages"] == "success"
        assert states["set_unread_counts"] == "upstream_failed"
        assert states["write_report"] == "failed"
        assert (airflow.folder("refused") / "report.json").exists()

    def test_unreadable_export_fails_at_once_without_retries(self, airflow, tmp_path):
        assert airflow.run("nothing", export_path=str(tmp_path / "nothing")) == "failed"
        path = f"/api/v2/dags/{DAG}/dagRuns/nothing/taskInstances"
        for task in ("extract.extract_export", "set_unread.write_report"):
            assert airflow.call("GET", f"{path}/{task}")[1]["try_number"] == 1

    def test_nightly_run_takes_its_export_from_the_settings_file(self, airflow):
        nightly = airflow.nightly()
        assert airflow.ended(nightly) == "success"
        report = json.loads((airflow.folder(nightly) / "report.json").read_text())
        assert report["source"] == "neutral"
        # Nothing was complete before it: the first night takes everything up to its end.
        assert (report["window"]["kind"], report["window"]["start_ms"]) == ("scheduled", None)

    def test_secret_is_in_no_log_and_no_report(self, airflow, demo_connection):
        secret = demo_connection["password"].encode()
        written = [
            path
            for path in airflow.home.rglob("*")
            if path.is_file() and path.suffix in {".log", ".json", ".jsonl", ".html"}
        ]
        assert written
        assert [path for path in written if secret in path.read_bytes()] == []


def writes(airflow):
    """Return how many write calls the sandbox has had."""
    return call(f"{airflow.sandbox}/_sandbox/stats")[1]["writes"]


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return write_export(tmp_path_factory.mktemp("export"))


def write_export(folder, group="g-1"):
    """Write a tiny neutral export: two people, one group, three messages in it and one between the two."""
    message = {"group_id": group, "sender_id": "ann"}
    rows = [
        message | {"id": "m1", "sent_at": "2024-05-01T09:00:00Z", "text": "Good morning"},
        message | {"id": "m2", "sent_at": "2024-05-01T09:00:00Z", "text": "Same second"},
        message
        | {"id": "m3", "sent_at": "2024-05-01T09:01:00Z", "text": "Later", "sender_id": "bob"},
        {
            "id": "m4",
            "recipient_id": "bob",
            "sender_id": "ann",
            "sent_at": "2024-05-01T10:00:00Z",
            "text": "Hi",
        },
    ]
    tables = {
        "users": [{"id": "ann", "name": "Ann"}, {"id": "bob", "name": "Bob"}],
        "groups": [
            {
                "id": group,
                "name": "Harbour",
                "owner_id": "ann",
                "created_at": "2024-05-01T08:00:00Z",
            }
        ],
        "members": [{"group_id": group, "user_id": each} for each in ("ann", "bob")],
        "messages": rows,
    }
    for name, records in tables.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    return folder


@pytest.fixture(scope="module")
def demo_connection():
    """Return the fields of the connection to the sandbox as the form sends them."""
    text = (ROOT / "scripts" / "demo_common.py").read_text()
    secret = re.search(r'SECRET_KEY = "(.+?)"', text)[1]
    return {
        "conn_type": "tencent_chat",
        "login": "administrator",
        "password": secret,
        "extra": json.dumps({"sdk_app_id": 1_400_000_001}),
    }
