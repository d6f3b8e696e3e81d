"""Concurrent calls of `ensure_fresh` in threads and processes, on each database: callers wait, and share one result."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sync import Catalog
from sync.catalog.removals import RunOptions
from sync.client.api_client import ApiClient
from sync.errors import ConfigurationError, LeaseBusy, SyncError, TryLater, UnknownTemplate
from sync.sandbox.server import SANDBOX_KEY, Sandbox
from sync.store import lease
from sync.store.apply import Store
from sync.store.engine import open_engine, writing
from sync.synchronise import synchronise
from tests.builders import make_settings, record, records, run_against
from tests.command_line import of_sandbox
from tests.faults import PROCESSES, anomalies, on_each_statement, sync, take_lease, wait_for
from tests.faults import Catalog as Served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sync.client.api_client import Params
    from tests.builders import Database

CALLERS = 40


def now() -> datetime:
    return datetime.now(UTC)


def noon(minutes: float = 0) -> Callable[[], datetime]:
    """Return a clock that always returns some minutes past noon."""
    return lambda: datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(minutes=minutes)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sandbox]:
    """A catalog of three; the environment names its server."""
    with Sandbox(records(3)) as server:
        for name, value in of_sandbox(server).items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)
        yield server


@pytest.fixture
def synchronised(sqlite: Database, sandbox: Sandbox) -> Sandbox:
    """The catalog of three after a run at noon."""
    run_against(sandbox.url, sqlite.engine, clock=noon())
    return sandbox


@pytest.fixture
def upstream(database: Database, sandbox: Sandbox) -> Sandbox:
    """A catalog of 40 that was synchronised a year ago, and has changed since."""
    sandbox.replace(records(40))
    run_against(sandbox.url, database.engine, clock=lambda: now().replace(year=2025))
    sandbox.replace([record(each["TemplateId"], Title_en="Renamed") for each in records(40)])
    return sandbox


def titles_of(catalog: Catalog, ids: list[str], max_age: float, wait: float = 30.0) -> list[str]:
    """Call `ensure_fresh` for these templates concurrently; return the titles or the errors."""
    start = threading.Barrier(len(ids))

    def fresh_title(template_id: str) -> str:
        start.wait()
        try:
            return str(catalog.ensure_fresh(template_id, max_age, wait=wait).title_en)
        except SyncError as error:
            return type(error).__name__

    with ThreadPoolExecutor(len(ids)) as threads:
        return list(threads.map(fresh_title, ids))


def refreshes(database: Database) -> list[tuple[Any, ...]]:
    """Return template, status and number of requests of each refresh, by template."""
    rows = [row for row in database.rows("sync_runs") if row["trigger"] == "refresh"]
    return sorted((row["template_id"], row["status"], row["requests"]) for row in rows)


# One caller -----------------------------------------------------------------------------------------------------------


def test_ensure_fresh_requests_only_templates_older_than_max_age(sqlite: Database, synchronised: Sandbox) -> None:
    catalog, later = (Catalog(sqlite.engine, clock=noon(minutes)) for minutes in (10, 10.99))
    synchronised.replace([record("1", Title_en="Renamed"), *records(3)[1:]])
    assert catalog.ensure_fresh("1", timedelta(minutes=11)).title_en == "Number 1", "the walk of ten minutes ago is recent enough"
    assert catalog.ensure_fresh("1", timedelta(minutes=10)).title_en == "Renamed"
    synchronised.replace([record("1", Title_en="Renamed again"), *records(3)[1:]])
    assert later.ensure_fresh("1", 60).title_en == "Renamed", "a stored change counts"
    assert later.ensure_fresh("1", 0).title_en == "Renamed again"
    runs = sqlite.scalar("SELECT count(*) FROM sync_runs")
    assert [later.ensure_fresh("2", age).title_en for age in (0, 60)] == ["Number 2"] * 2
    assert sqlite.scalar("SELECT count(*) FROM sync_runs") == runs + 1, "so is a refresh without a change"


@pytest.mark.parametrize("by", ["run", "refresh"])
def test_ensure_fresh_does_not_trust_a_time_of_a_clock_that_was_ahead(sqlite: Database, synchronised: Sandbox, by: str) -> None:
    if by == "run":
        run_against(synchronised.url, sqlite.engine, clock=noon(24 * 60))
    else:
        Catalog(sqlite.engine, clock=noon(24 * 60)).ensure_fresh("1", 0)
    synchronised.replace([record("1", Title_en="Renamed"), *records(3)[1:]])
    assert Catalog(sqlite.engine, clock=noon(10)).ensure_fresh("1", 60).title_en == "Renamed"


def test_ensure_fresh_accepts_small_differences_of_clocks(sqlite: Database, synchronised: Sandbox) -> None:
    synchronised.replace([record("1", Title_en="Renamed"), *records(3)[1:]])
    ahead = Catalog(sqlite.engine, clock=noon(-0.5))
    assert ahead.ensure_fresh("1", 60).title_en == "Number 1"
    assert ahead.ensure_fresh("1", 0).title_en == "Renamed"


def test_ensure_fresh_of_a_removed_or_unknown_template(sqlite: Database, synchronised: Sandbox) -> None:
    catalog = Catalog(sqlite.engine, clock=noon(10))
    synchronised.replace([*records(2), record("9")])
    with pytest.raises(UnknownTemplate, match="The catalog no longer has template '3'"):
        catalog.ensure_fresh("3", 0)
    assert catalog.template("3").removed_at is None, "a removal also needs a walk"
    with pytest.raises(UnknownTemplate, match="No template '7' was ever seen"):
        catalog.ensure_fresh("7", timedelta(days=9))
    assert catalog.ensure_fresh("9", timedelta(days=9)).changed_run_id > 1, "a new template is requested and recorded"


def test_ensure_fresh_requests_a_template_whose_record_was_rejected(sqlite: Database, synchronised: Sandbox) -> None:
    first, *others = records(20)
    for minute, served in ((1, first), (9, {**first, "ConsumeItems": "many"})):
        synchronised.replace([served, *others])
        run_against(synchronised.url, sqlite.engine, clock=noon(minute))
    synchronised.replace([record("1", Title_en="Mended"), *others])
    catalog = Catalog(sqlite.engine, clock=noon(10))
    assert catalog.ensure_fresh("2", 300).title_en == "Number 2"
    assert catalog.ensure_fresh("1", 300).title_en == "Mended"


def test_ensure_fresh_reports_a_record_that_is_rejected_and_verifies_nothing(sqlite: Database, synchronised: Sandbox) -> None:
    synchronised.replace([record("1", ConsumeItems="many"), *records(3)[1:]])
    catalog = Catalog(sqlite.engine, clock=noon(10))
    for _ in range(2):
        with pytest.raises(SyncError, match="The record of template '1' is rejected: ConsumeItems must be a list") as refused:
            catalog.ensure_fresh("1", 60)
        assert refused.value.exit_code == 76
    assert refreshes(sqlite) == [("1", "incomplete", 1)] * 2
    assert catalog.template("1").title_en == "Number 1"
    synchronised.replace(records(3))
    assert catalog.ensure_fresh("1", 60).title_en == "Number 1"


def test_ensure_fresh_requests_a_template_that_is_missing_and_kept(database: Database, sandbox: Sandbox) -> None:
    class WithoutLookUp(Served):
        def _listed(self, question: Params) -> tuple[int, bytes]:
            return (500, b"") if question.get("template_id") == "3" else super()._listed(question)

    sync(records(20), database.engine, clock=noon(1))
    missing = sync(WithoutLookUp([each for each in records(20) if each["TemplateId"] != "3"]), database.engine, clock=noon(9))
    assert (missing.run.status, missing.run.unconfirmed) == ("succeeded", 1)
    sandbox.replace([record("3", Title_en="Renamed")])
    catalog = Catalog(database.engine, clock=noon(10))
    assert catalog.ensure_fresh("2", 300).title_en == "Number 2"
    assert catalog.ensure_fresh("3", 300).title_en == "Renamed"
    (kept,) = database.rows("unconfirmed_removals")
    assert (kept["since_run_id"], kept["reason"]) == (2, "its look-up found it, but the walk did not serve it")


def test_a_held_template_that_a_refresh_finds_is_reported_as_unconfirmed(sqlite: Database, sandbox: Sandbox) -> None:
    sync(records(20), sqlite.engine, clock=noon(1))
    assert sync(records(5), sqlite.engine, clock=noon(9)).run.held == 15
    sandbox.replace(records(6))
    Catalog(sqlite.engine, clock=noon(10)).ensure_fresh("6", 300)
    assert len(sqlite.rows("held_removals")) == 14
    assert [each["template_id"] for each in sqlite.rows("unconfirmed_removals")] == ["6"]


@pytest.mark.parametrize("argument", ["max_age", "wait"])
@pytest.mark.parametrize("value", [-1, timedelta(seconds=-1), float("nan"), "soon", None])
def test_ensure_fresh_rejects_an_invalid_time(sqlite: Database, argument: str, value: Any) -> None:
    with pytest.raises(ValueError, match=argument):
        Catalog(sqlite.engine).ensure_fresh("1", **{"max_age": 60, argument: value})


@pytest.mark.usefixtures("synchronised")
def test_ensure_fresh_raises_the_error_of_the_run(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog = Catalog(sqlite.engine)
    held = take_lease(sqlite.engine)
    with pytest.raises(LeaseBusy):
        catalog.ensure_fresh("1", 0, wait=0)
    with sqlite.engine.begin() as connection:
        lease.release(connection, held)
    monkeypatch.setenv("CRUN_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("SYNC_DEADLINE", "1s")
    with pytest.raises(TryLater):
        catalog.ensure_fresh("1", 0)
    monkeypatch.delenv("CRUN_API_KEY")
    with pytest.raises(ConfigurationError, match="CRUN_API_KEY: not set"):
        catalog.ensure_fresh("1", 0)


@pytest.mark.usefixtures("synchronised")
def test_ensure_fresh_rejects_another_origin(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite.execute("UPDATE sync_state SET origin = 'loopback'")
    monkeypatch.setenv("CRUN_BASE_URL", "https://example.invalid")
    with pytest.raises(ConfigurationError, match=r"a copy of the catalog at a loopback address .* is https://example\.invalid"):
        Catalog(sqlite.engine).ensure_fresh("1", 0)


# Many callers ----------------------------------------------------------------------------------------------------------


@pytest.mark.long_on_servers
@pytest.mark.ci_slice
def test_callers_of_one_template_share_one_request(database: Database, upstream: Sandbox) -> None:
    upstream.latency = 0.02
    assert titles_of(Catalog(database.engine), ["7"] * 12, 60) == ["Renamed"] * 12
    assert refreshes(database) == [("7", "succeeded", 1)]


@pytest.mark.parametrize(
    ("served", "max_age", "answer", "requests"),
    [(40, 60, "Number 7", 1), (40, 0, "Number 7", 2), (6, 60, "UnknownTemplate", 2)],
    ids=["the first verifies the template without a change", "max_age 0 always fetches", "an absent template is not verified"],
)
def test_a_second_call_requests_the_template_again_unless_the_first_one_verified_it(
    database: Database, upstream: Sandbox, served: int, max_age: float, answer: str, requests: int
) -> None:
    upstream.replace(records(served))
    for _ in range(2):
        assert titles_of(Catalog(database.engine), ["7"], max_age) == [answer]
    assert refreshes(database) == [("7", "succeeded", 1)] * requests


@pytest.mark.parametrize("found", [True, False])
def test_a_caller_that_waited_returns_a_record_fetched_since_its_call(
    sqlite: Database, synchronised: Sandbox, *, found: bool
) -> None:
    """Also with max_age=0, and if the catalog no longer has the template."""
    synchronised.replace(records(3 if found else 2))
    held = take_lease(sqlite.engine)
    polling: set[int] = set()

    def note_poll(statement: str) -> None:  # only a caller that was refused reads this column
        if "SELECT sync_lease.run_waits_until" in statement:
            polling.add(threading.get_ident())

    on_each_statement(sqlite.engine, note_poll)
    catalog = Catalog(sqlite.engine)
    with ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(catalog.ensure_fresh, "3", 0) for _ in range(2)]
        wait_for(lambda: len(polling) == 2)
        with writing(sqlite.engine) as connection:
            lease.release(connection, held)
        errors = [each.exception(20) for each in waiting]
    assert [type(error) for error in errors] == [type(None) if found else UnknownTemplate] * 2
    assert len(refreshes(sqlite)) == 1


def test_a_wait_that_expires_is_busy_and_leaves_no_row(database: Database, upstream: Sandbox) -> None:
    take_lease(database.engine)
    with pytest.raises(LeaseBusy) as busy:
        Catalog(database.engine).ensure_fresh("7", 0, wait=0.1)
    assert (busy.value.exit_code, busy.value.run_id, refreshes(database)) == (75, None, [])


@pytest.mark.long
@pytest.mark.ci_slice
def test_forty_threads_for_four_templates_make_four_requests_and_four_rows(database: Database, upstream: Sandbox) -> None:
    upstream.latency = 0.1
    ids = ["1", "2", "3", "4"] * (CALLERS // 4)
    assert titles_of(Catalog(database.engine), ids, 60) == ["Renamed"] * CALLERS
    assert refreshes(database) == [(number, "succeeded", 1) for number in "1234"]
    assert len(database.rows("sync_runs")) == 5
    assert anomalies(database) == []


def call_in_a_process(url: str, variables: dict[str, str], folder: str, answers: Any) -> None:
    """Call `ensure_fresh` for four templates from ten threads. The target of a process."""
    os.environ.update(variables)
    os.chdir(folder)
    engine = open_engine(url)
    answers.put(titles_of(Catalog(engine), (["1", "2", "3", "4"] * 3)[:10], 60))
    engine.dispose()


@pytest.mark.long
def test_forty_callers_in_four_processes_make_four_requests(database: Database, upstream: Sandbox, tmp_path: Path) -> None:
    upstream.latency = 0.1
    answers = PROCESSES.Queue()
    arguments = (database.url, of_sandbox(upstream), str(tmp_path), answers)
    several = [PROCESSES.Process(target=call_in_a_process, args=arguments) for _ in range(4)]
    for one in several:
        one.start()
    assert [answers.get(timeout=60) for _ in several] == [["Renamed"] * 10] * 4
    for one in several:
        one.join(60)
        one.close()
    assert refreshes(database) == [(number, "succeeded", 1) for number in "1234"]
    assert anomalies(database) == []


@pytest.mark.long
@pytest.mark.ci_slice
def test_a_run_precedes_forty_waiting_callers_which_share_its_records(database: Database, upstream: Sandbox) -> None:
    held = take_lease(database.engine, "refresh", "1")
    begun = threading.Event()
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        if not pauses:
            begun.set()
            wait_for(lambda: threading.active_count() > CALLERS)
            with writing(database.engine) as connection:
                lease.release(connection, held)
        pauses.append(seconds)
        threading.Event().wait(seconds)

    def crowd() -> list[str]:
        begun.wait(20)
        return titles_of(Catalog(database.engine), [str(number) for number in range(1, CALLERS + 1)], 60)

    with ThreadPoolExecutor(1) as later, ApiClient(make_settings(upstream.url), SANDBOX_KEY) as api:
        titles = later.submit(crowd)
        store = Store(database.engine, sleep=pause)
        outcome = synchronise(store, api, RunOptions(), trigger="daemon", ttl=60.0, clock=now)
        assert titles.result(60) == ["Renamed"] * CALLERS
    assert (outcome.error, outcome.run.fence, outcome.run.changed) == (None, held.fence + 1, CALLERS)
    assert refreshes(database) == [("1", "interrupted", 0)], "only the row of this test"
    assert anomalies(database) == []


@pytest.mark.long
@pytest.mark.ci_slice
def test_a_run_among_refreshes_of_forty_templates_succeeds_and_no_row_is_skipped(database: Database, upstream: Sandbox) -> None:
    upstream.latency = 0.05
    ids = [str(number) for number in range(1, CALLERS + 1)]
    with ThreadPoolExecutor(1) as crowd, ApiClient(make_settings(upstream.url), SANDBOX_KEY) as api:
        titles = crowd.submit(titles_of, Catalog(database.engine), ids, 60)
        wait_for(lambda: len(refreshes(database)) > 1)
        outcome = synchronise(Store(database.engine), api, RunOptions(), trigger="daemon", ttl=60.0, clock=now)
        assert titles.result(60) == ["Renamed"] * CALLERS
    assert outcome.error is None
    assert outcome.run.changed > 0, "the run came before some of the refreshes"
    assert {row["status"] for row in database.rows("sync_runs")} == {"succeeded"}
    assert len(refreshes(database)) < CALLERS, "callers that waited return the records of the run"
    assert anomalies(database) == []
