"""Every call that a run makes, every symptom: the target ends as after a clean run, and the table told how.

The sandbox's own list of calls shows what followed the fault; the table of outcomes said it before.
"""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest
from tests.builders_neutral import HOUR, START_MS, NeutralExport, at
from tests.clocks_fast import FastClock
from tests.delivery.driving import PLANNED, SMALL, Ended, Migration, World, comparable
from tests.delivery.faults import SILENT, UNLISTED, Fault, of_api
from tests.delivery.interference import Answer

from chat_migration.errors import RowsInDoubtError, StoppedError
from chat_migration.targets.base import Advice
from chat_migration.targets.tencent_chat.codes import EDITS, GROUP_CHANGES
from chat_migration.targets.tencent_chat.limits import APIS, BACKEND_TIMEOUT_SECONDS
from chat_migration.targets.tencent_chat.outcomes import WRITES, Symptom, advice_for, is_repeatable
from chat_migration.targets.transport import HttpTransport, NoReply
from chat_sandbox import Effect, FaultAction, SandboxHandle

ONE_BY_ONE = SMALL | {"parallel_calls": 1}
IMPATIENT_SECONDS = 0.25
"""How long the one call is waited for that never gets a whole answer."""
CALLS = {
    "account_check": 1,
    "multiaccount_import": 1,
    "import_group": 2,
    "import_topic": 1,
    "import_group_member": 2,
    "import_group_msg": 3,
    "importmsg": 2,
    "get_group_info": 1,
    "get_topic": 1,
    "set_unread_msg_num": 1,
}
"""API → calls of a clean run after its plan."""


def quay() -> NeutralExport:
    """A small export that needs every API: a group of two calls, a topic, two one-to-one messages, one unread count."""
    export = NeutralExport().user("ada", "bob").group("quay", "ada", "bob")
    topics = [{"id": "tides", "name": "Tides", "created_at": START_MS - HOUR // 2}]
    export.group("reef", "ada", type="community", topics=topics)
    for number in range(5):
        export.say("quay", ("ada", "bob")[number % 2], at(number * 5))
    export.say("reef", "ada", at(7), topic_id="tides").say("reef", "ada", at(8), topic_id="tides")
    export.tell("ada", "bob", at(3)).tell("bob", "ada", at(4))
    return export.member("quay", "bob", unread_count=2)


@pytest.fixture(scope="module")
def planned_quay(shared_sandbox: SandboxHandle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    shared_sandbox.reset()
    folder = tmp_path_factory.mktemp("planned-quay")
    there = Migration(sandbox=shared_sandbox, folder=folder, connection=dict(ONE_BY_ONE))
    assert there.run(quay(), run_id=PLANNED, until="accounts").error is None
    return there.home.path


@pytest.fixture(scope="module")
def clean(
    shared_sandbox: SandboxHandle, planned_quay: Path, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """The world and the counted rows of a clean run."""
    shared_sandbox.reset()
    shared_sandbox.set_rates(enabled=False)
    folder = tmp_path_factory.mktemp("clean-quay")
    there = Migration(sandbox=shared_sandbox, folder=folder, connection=dict(ONE_BY_ONE))
    ended = there.run_planned(planned_quay)
    assert ended.error is None
    assert ended.calls == CALLS
    return told(ended)


def told(ended: Ended) -> World:
    """Return the world and the rows of a run, without what may differ between two right ones."""
    return comparable(ended.world) | {"rows": ended.rows}


# --- one fault, at one call ---------------------------------------------------------------------

PROVOKED = {
    "group_msg_get_simple": ("import_group_msg", {"action": FaultAction.DROP}),
    "admin_getroammsg": ("importmsg", {"action": FaultAction.DROP, "effect": Effect.APPLIED}),
}
"""Read → the fault of a write without which a small run never needs it."""
EVERY_CALL = [*CALLS, *PROVOKED]
CASES = [(api, name) for api in EVERY_CALL for name in of_api(api)]


class Scene:
    """A planned run with one fault at the last call of one API."""

    def __init__(
        self, migration: Migration, planned: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.migration, self.sandbox, self._planned = migration, migration.sandbox, planned
        self._monkeypatch = monkeypatch
        migration.connection |= ONE_BY_ONE
        self.sandbox.reset_stats()

    def run(self, api: str, fault: Fault, *, silent: bool = False) -> Ended:
        """Run to the end, and wait until the sandbox is done with every call, those that were given up too."""
        if api in PROVOKED:
            written, lost = PROVOKED[api]
            self.sandbox.set_switch("duplicate_c2c_reply", "90010")
            self.sandbox.add_fault(api=written, first_call=1, last_call=1, **lost)
        number = CALLS.get(api, 1)
        self.sandbox.add_fault(api=api, first_call=number, last_call=number, **fault)
        if silent:
            self._be_impatient(api, number)
        ended = self.migration.run_planned(self._planned)
        self._let_everything_end()
        assert self.sandbox.faults()[-1]["fired"] == 1
        return ended

    def after_the_fault(self, api: str, fault: Fault) -> str:
        """Return the API that was called next after the call that went wrong, "" if none was."""
        calls = self.sandbox.stats()["recent_calls"]
        (place,) = (
            place
            for place, call in enumerate(calls)
            if call["api"] == api and call["fault"] == fault["action"]
        )
        return calls[place + 1]["api"] if place + 1 < len(calls) else ""

    def _be_impatient(self, api: str, wanted: int) -> None:
        """Give the faulted call a short timeout: it would take the connection's whole one otherwise."""
        send = HttpTransport.post
        seen: list[str] = []

        def post(self: HttpTransport, url: str, body: bytes, timeout_seconds: float) -> Answer:
            if f"/{api}?" in url:
                seen.append(api)
                timeout_seconds = IMPATIENT_SECONDS if len(seen) == wanted else timeout_seconds
            return send(self, url, body, timeout_seconds)

        self._monkeypatch.setattr(HttpTransport, "post", post)

    def _let_everything_end(self) -> None:
        self.sandbox.advance_clock(10)
        deadline = time.monotonic() + 20
        while any(call["result"] == "" for call in self.sandbox.stats()["recent_calls"]):
            assert time.monotonic() < deadline
            time.sleep(0.005)


@pytest.fixture
def scene(migration: Migration, planned_quay: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(migration, planned_quay, monkeypatch)


def expected_next(api: str, symptom: Symptom) -> str:
    """Return the API that the table says is called next."""
    advice = advice_for(api, symptom)
    return WRITES[api].read_back if advice is Advice.READ_BACK else api


@pytest.mark.parametrize(("api", "name"), CASES)
def test_what_follows_is_what_the_table_says_and_the_target_ends_as_after_a_clean_run(
    scene: Scene, clean: World, api: str, name: str
) -> None:
    symptom, fault = of_api(api)[name]
    ended = scene.run(api, fault, silent=name in SILENT)
    assert ended.error is None, ended.error
    assert scene.after_the_fault(api, fault) == expected_next(api, symptom)
    assert told(ended) == clean
    assert ended.report is not None
    assert ended.report.in_doubt == 0
    if not is_repeatable(api):
        assert scene.migration.repeat().writes == 0


def test_every_api_and_every_symptom_of_a_call_is_tried() -> None:
    elsewhere = {"get_group_member_info", *EDITS, *GROUP_CHANGES}
    assert set(EVERY_CALL) | elsewhere == set(APIS), "a rebuild alone lists members"
    tried = {symptom for api in EVERY_CALL for symptom, _ in of_api(api).values()}
    codes_with_tests_of_their_own = {
        Symptom.NOT_SENT, Symptom.TOO_MANY_ITEMS, Symptom.TIME_REFUSED,
        Symptom.ITEM_REFUSED, Symptom.ACCOUNT_MISSING, Symptom.IS_THERE,
        Symptom.CONVERSATION_REFUSED, Symptom.QUOTA_USED, Symptom.RUN_REFUSED,
        Symptom.UNLISTED_CODE, Symptom.MESSAGE_MISSING,
    }  # fmt: skip
    assert tried | codes_with_tests_of_their_own == set(Symptom)


# --- never sent ---------------------------------------------------------------------------------


def closed_address() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("api", list(CALLS))
def test_a_call_whose_connection_is_refused_is_made_again_at_once(
    migration: Migration,
    planned_quay: Path,
    clean: World,
    monkeypatch: pytest.MonkeyPatch,
    api: str,
) -> None:
    """Over real sockets: nobody listens where the last call of this API is sent to, three times."""
    migration.connection |= ONE_BY_ONE
    send, nobody = HttpTransport.post, closed_address()
    refused: list[NoReply] = []
    seen: list[str] = []

    def post(self: HttpTransport, url: str, body: bytes, timeout_seconds: float) -> Answer:
        if f"/{api}?" in url:
            seen.append(api)
            if len(seen) >= CALLS[api] and len(refused) < 3:
                answer = send(self, nobody + url.removeprefix(migration.sandbox.url), body, 5)
                assert isinstance(answer, NoReply)
                refused.append(answer)
                return answer
        return send(self, url, body, timeout_seconds)

    monkeypatch.setattr(HttpTransport, "post", post)
    ended = migration.run_planned(planned_quay)
    assert ended.error is None
    assert refused == [NoReply("the connection was refused", sent=False)] * 3
    assert told(ended) == clean
    assert ended.calls == CALLS, "nothing is read back: nothing can have happened"


# --- codes that no page lists: the honest stop --------------------------------------------------

STOPS_THE_RUN = {
    "account_check", "multiaccount_import", "importmsg", "get_group_info", "get_topic",
    "set_unread_msg_num", "group_msg_get_simple",
}  # fmt: skip
"""An unlisted code ends the run; the next one completes."""
REJECTS_ROWS = {"import_group_member": "members", "import_group_msg": "group_messages"}
"""An unlisted code rejects the rows that it concerns; nothing is sent twice."""
LOOKS_AGAIN = {"import_group", "import_topic"}
"""What was created under an unlisted code is found; what was not is tried once more."""


@pytest.mark.parametrize("name", list(UNLISTED))
@pytest.mark.parametrize("api", sorted(STOPS_THE_RUN))
def test_an_unlisted_code_ends_the_run_and_the_next_one_completes(
    scene: Scene, clean: World, api: str, name: str
) -> None:
    _, fault = UNLISTED[name]
    ended = scene.run(api, fault)
    assert isinstance(ended.error, StoppedError)
    assert ended.error.exit_code == 3
    if api == "importmsg":
        assert isinstance(ended.error, RowsInDoubtError)
        assert ended.rows["c2c_messages"] == {"imported": 1, "in_doubt": 1}
    after = scene.migration.repeat()
    assert after.error is None, after.error
    assert told(after) == clean
    assert after.report is not None
    assert after.report.in_doubt == 0


@pytest.mark.parametrize("name", list(UNLISTED))
@pytest.mark.parametrize("api", sorted(LOOKS_AGAIN))
def test_what_an_unlisted_code_created_or_did_not_create_is_looked_up(
    scene: Scene, clean: World, api: str, name: str
) -> None:
    _, fault = UNLISTED[name]
    ended = scene.run(api, fault)
    assert ended.error is None
    assert scene.after_the_fault(api, fault) == WRITES[api].read_back
    assert told(ended) == clean


@pytest.mark.parametrize("name", list(UNLISTED))
@pytest.mark.parametrize("api", sorted(REJECTS_ROWS))
def test_an_unlisted_code_rejects_rows_and_sends_nothing_twice(
    scene: Scene, clean: World, api: str, name: str
) -> None:
    _, fault = UNLISTED[name]
    ended = scene.run(api, fault)
    assert ended.error is None
    rows = ended.rows[REJECTS_ROWS[api]]
    assert sum(rows.values()) == sum(clean["rows"][REJECTS_ROWS[api]].values())
    for group, of_clean in clean["groups"].items():
        for topic, messages in streams(ended.world["groups"][group]).items():
            expected = streams(of_clean)[topic]
            assert messages == expected[: len(messages)], "what is there is there once, in order"
    applied = fault.get("effect") is Effect.APPLIED
    if api == "import_group_msg":
        # The answer is about two messages of the topic; what landed is found.
        assert scene.after_the_fault(api, fault) == "group_msg_get_simple"
        assert rows == (
            clean["rows"]["group_messages"] if applied else {"imported": 5, "rejected": 2}
        )
    assert ended.report is not None
    assert ended.report.in_doubt == 0
    assert scene.migration.repeat().writes == 0


def streams(group: World) -> dict[str, list[Any]]:
    """Return the texts of a group and its topics."""
    places = {"": group, **group["topics"]}
    return {name: [each["body"] for each in place["messages"]] for name, place in places.items()}


# --- single items -------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize("code", [10006, 10023, 60007, 60011, 60018, 60019])
def test_a_throttled_item_costs_nothing_whether_it_was_stored_or_not(
    scene: Scene, clean: World, code: int, effect: Effect
) -> None:
    fault = {"action": FaultAction.ITEM_ERROR, "code": code, "effect": effect}
    ended = scene.run("import_group_msg", fault)
    assert ended.error is None
    assert scene.after_the_fault("import_group_msg", fault) == "group_msg_get_simple"
    assert told(ended) == clean
    assert scene.migration.repeat().writes == 0


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize("code", [10002, 60008, 12345, 10010, 90992])
def test_an_item_with_any_other_code_ends_its_conversation_after_a_read_back(
    scene: Scene, clean: World, code: int, effect: Effect
) -> None:
    """The page lists no such item: what landed counts, what did not is rejected, nothing comes twice."""
    fault = {"action": FaultAction.ITEM_ERROR, "code": code, "effect": effect}
    ended = scene.run("import_group_msg", fault)
    assert ended.error is None
    assert scene.after_the_fault("import_group_msg", fault) == "group_msg_get_simple"
    clock = scene.migration.clock
    assert isinstance(clock, FastClock)
    assert (clock.slept > BACKEND_TIMEOUT_SECONDS) is (code != 10010), "it may be stored until then"
    stored = 7 if effect is Effect.APPLIED else 6
    assert ended.rows["group_messages"]["imported"] == stored
    for group, of_clean in clean["groups"].items():
        for topic, messages in streams(ended.world["groups"][group]).items():
            assert messages == streams(of_clean)[topic][: len(messages)]
    assert scene.migration.repeat().writes == 0


# --- more than one fault ------------------------------------------------------------------------


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize("api", [api for api in WRITES if api in CALLS])
def test_two_faults_in_a_row_change_nothing(
    migration: Migration, planned_quay: Path, clean: World, api: str, effect: Effect
) -> None:
    migration.connection |= ONE_BY_ONE
    migration.sandbox.add_fault(FaultAction.DROP, api=api, last_call=2, effect=effect)
    ended = migration.run_planned(planned_quay)
    assert ended.error is None, ended.error
    assert told(ended) == clean


@pytest.mark.parametrize("api", [api for api in WRITES if api in CALLS])
def test_an_api_that_never_answers_ends_the_run_and_the_next_one_completes(
    migration: Migration, planned_quay: Path, clean: World, api: str
) -> None:
    migration.connection |= ONE_BY_ONE
    migration.sandbox.add_fault(FaultAction.HTTP_ERROR, api=api)
    ended = migration.run_planned(planned_quay)
    assert isinstance(ended.error, StoppedError)
    migration.sandbox.clear_faults()
    after = migration.repeat()
    assert after.error is None, after.error
    assert told(after) == clean


@pytest.mark.parametrize("seconds", [0.5, 2.5, 2.99])
@pytest.mark.parametrize(
    ("api", "read_back"), [(a, w.read_back) for a, w in WRITES.items() if not w.key]
)
def test_the_read_back_waits_for_a_request_that_is_applied_after_it_was_given_up(
    scene: Scene, clean: World, api: str, read_back: str, seconds: float
) -> None:
    """The service gives a request up after three seconds: until then it may still come."""
    fault = {"action": FaultAction.APPLY_LATE, "seconds": seconds}
    ended = scene.run(api, fault)
    assert ended.error is None
    calls = [call["api"] for call in scene.sandbox.stats()["recent_calls"]]
    assert calls.count(api) == CALLS[api], "it landed after all: it is not sent again"
    assert scene.after_the_fault(api, fault) == read_back
    assert told(ended) == clean


def test_only_what_the_vendor_knows_again_is_repeated_blindly() -> None:
    once = {api for api in APIS if not is_repeatable(api)}
    assert once == {"import_group", "import_topic", "import_group_msg"}
    assert set(WRITES) == {api for api, limit in APIS.items() if limit.writes}
