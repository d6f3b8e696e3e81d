"""Faults over several runs: held and unconfirmed removals, wrong counts, bad pages, fields that appear and vanish.

The faults of a single run are rows of `tests/adversary/`; `python -m tests.test_faults` writes their results to the section
"Faults" of docs/verification.md.
"""

from __future__ import annotations

import tempfile
import textwrap
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sync.catalog.run_record import Status
from sync.store import schema
from sync.store.engine import open_engine
from tests.adversary.answers import ENVELOPES, STORED
from tests.adversary.attack import BEFORE as TWELVE
from tests.adversary.attack import KEPT, rows, run_against_attack
from tests.adversary.faults import FAULTS
from tests.adversary.transport import ATTACKS
from tests.builders import HASTY, Database, record, records, run_against
from tests.hostile import Hostile, Reply, Request, catalog, failure, faulty, html, success

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from sync.synchronise import Outcome
    from tests.adversary.attack import Attack
    from tests.hostile import Script

SIZE = 10
DOCUMENT = Path(__file__).parent.parent / "docs" / "verification.md"
BEFORE = records(60)
"""The catalog in every database before the fault: six pages of ten."""
AFTER = [*BEFORE[:58], record("59", Title="changed"), record("61")]
"""The true catalog during the fault: 60 is deleted, 59 changed, 61 is new."""
CORRECT = catalog(AFTER)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of an SQLite file that contains BEFORE."""
    return fill(tmp_path_factory.mktemp("filled"), BEFORE)


def fill(folder: Path, served: Sequence[dict[str, Any]]) -> bytes:
    file = folder / "before.db"
    engine = open_engine(f"sqlite:///{file}")
    schema.upgrade(engine)
    with Hostile(catalog(served)) as server:
        run_against(server.url, engine, page_size=SIZE)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return file.read_bytes()


def copied(content: bytes, folder: Path) -> Database:
    file = folder / "templates.db"
    file.write_bytes(content)
    url = f"sqlite:///{file}"
    return Database("sqlite", url, open_engine(url))


@pytest.fixture
def stored(filled: bytes, tmp_path: Path) -> Iterator[Database]:
    """A database in which BEFORE is stored."""
    database = copied(filled, tmp_path)
    yield database
    database.engine.dispose()


def titles(database: Database) -> dict[str, str]:
    return {row["template_id"]: row["title"] for row in database.rows("templates") if row["removed_at"] is None}


# Over several runs ------------------------------------------------------------------------------------------------------


def run_on(database: Database, script: Script, **options: Any) -> Outcome:
    with Hostile(script) as server:
        return run_against(server.url, database.engine, **{"page_size": SIZE, **options})


def evidence(database: Database) -> dict[str, str]:
    return {row["template_id"]: row["evidence"] for row in database.rows("template_changes") if row["kind"] == "removed"}


def test_held_removals_wait_while_everything_else_is_applied(stored: Database) -> None:
    outcome = run_on(stored, catalog([*BEFORE[:40], record("61")]))
    assert (outcome.run.status, outcome.run.held, rows(outcome)) == (Status.HELD, 20, "+1 ~0 -0")
    assert len(stored.present) == 61


def test_an_operator_accepts_held_removals(stored: Database) -> None:
    run_on(stored, catalog(BEFORE[:40]))
    outcome = run_on(stored, catalog(BEFORE[:40]), accept_removals=True)
    assert (outcome.run.status, outcome.run.removed, outcome.run.held) == (Status.SUCCEEDED, 20, 0)
    assert set(evidence(stored).values()) == {"accepted"}


@pytest.mark.parametrize(("code", "statuses"), [
    (455, ["held", "deferred", "held", "deferred", "succeeded"]),
    (500, ["held", "incomplete", "held", "incomplete", "succeeded"]),
])  # fmt: skip
def test_a_failed_run_or_page_does_not_change_held_removals(stored: Database, code: int, statuses: list[str]) -> None:
    half = catalog(BEFORE[:40])
    bad = faulty(half, {2: failure(code)})
    assert [str(run_on(stored, script, hold=0.0).run.status) for script in (half, bad, half, bad, half)] == statuses


def days(*hours: float) -> list[Callable[[], datetime]]:
    """Make the clocks of runs that begin so many hours after the first."""
    return [partial(datetime.fromtimestamp, datetime(2026, 1, 1, tzinfo=UTC).timestamp() + 3600 * hour, UTC) for hour in hours]


def test_three_runs_within_two_seconds_remove_nothing(database: Database) -> None:
    run_on(database, catalog(BEFORE))
    outcomes = [run_on(database, catalog(BEFORE[:40]), clock=clock) for clock in days(0, 0.0003, 0.0006)]
    assert [(str(outcome.run.status), outcome.run.removed) for outcome in outcomes] == [("held", 0)] * 3
    assert str(outcomes[-1].error) == (
        "20 removals are held: 20 of 60 templates are missing, and at most 10 may be removed at once; 3 runs agree so far, the "
        "first at "
        "2026-01-01 00:00:00 UTC, and SYNC_HOLD ends in 3598 s."
    )
    assert run_on(database, catalog(BEFORE[:40]), clock=days(1)[0]).run.removed == 20


def test_a_clock_that_is_set_back_removes_nothing_early(stored: Database) -> None:
    clocks = days(9, 9.1, 0, 0.5, 1)
    assert [run_on(stored, catalog(BEFORE[:40]), clock=clock).run.removed for clock in clocks] == [0, 0, 0, 0, 20]


def test_a_wrong_count_has_the_same_hold_as_removals(stored: Database) -> None:
    wrong = catalog(BEFORE[:55], total=58)
    assert [run_on(stored, wrong, clock=clock).run.removed for clock in days(0, 0.1, 0.2, 0.3, 1)] == [0, 0, 0, 0, 5]


@pytest.mark.parametrize("share", [0, 1])
@pytest.mark.parametrize(("rejected", "status"), [(15, Status.SUCCEEDED), (16, Status.INCOMPLETE)])
def test_a_tenth_of_the_records_may_be_rejected_whatever_share_may_be_removed(
    sqlite: Database, rejected: int, status: Status, share: int
) -> None:
    served = [{**each, "Duration": "long"} if number < rejected else each for number, each in enumerate(records(150))]
    outcome = run_on(sqlite, catalog(served), page_size=50, max_removed=share)
    assert (outcome.run.status, outcome.run.rejected, len(sqlite.present)) == (status, rejected, 150 - rejected)


# A bad page -------------------------------------------------------------------------------------------------------------


def test_a_first_run_with_a_failing_page_stores_the_other_pages(sqlite: Database) -> None:
    for _ in range(2):
        outcome = run_on(sqlite, faulty(catalog(BEFORE), {3: failure(500)}))
        assert (str(outcome.run.status), len(sqlite.present)) == ("incomplete", 50)
    assert str(outcome.error) == (
        "The walk could not be verified: page 3 could not be fetched (The server failed (500). Message: no). "
        "The served records are stored; nothing was removed."
    )
    assert outcome.error is not None
    assert outcome.error.exit_code == 76


def test_a_walk_with_a_failing_page_does_not_change_the_count_mismatch(stored: Database) -> None:
    wrong = catalog(BEFORE[:55], total=58)
    scripts = [wrong, faulty(wrong, {2: failure(500)}), wrong, wrong, faulty(wrong, {2: failure(500)}), wrong]
    assert [run_on(stored, script, hold=0.0).run.removed for script in scripts] == [0, 0, 0, 0, 0, 5]


def test_a_server_error_with_retry_after_fails_only_its_page(stored: Database) -> None:
    at_once = failure(503, 503, headers=(("retry-after", "0"),))
    patient = replace(HASTY, attempts=2, longest_asked=5.0)
    outcome = run_on(stored, faulty(CORRECT, {3: at_once}), retry_policy=patient)
    assert (str(outcome.run.status), rows(outcome)) == ("incomplete", KEPT)


# Unconfirmed removals ---------------------------------------------------------------------------------------------------


TAKEN_OFFLINE = failure(404, message="The template was taken offline")


def offline(gone: Collection[str], reply: Reply = TAKEN_OFFLINE, served: Sequence[dict[str, Any]] = BEFORE) -> Script:
    """Make a catalog that lacks some templates, and answers a look-up of them otherwise than that of an unknown one."""
    left = [each for each in served if each["TemplateId"] not in gone]
    correct = catalog(left)
    unknown = failure(404, message="There is no such template")

    def look_up(request: Request) -> Reply:
        template_id = request.query["template_id"]
        if template_id in gone:
            return reply
        return correct(request) if any(each["TemplateId"] == template_id for each in left) else unknown

    return catalog(left, look_up=look_up)


@pytest.mark.parametrize("reply", [TAKEN_OFFLINE, html(404)], ids=["taken offline", "a web server's 404"])
def test_a_look_up_with_another_404_leaves_its_template_unconfirmed(database: Database, reply: Reply) -> None:
    script = offline({"7", "8", "9"}, reply)
    run_on(database, catalog(BEFORE))
    first = run_on(database, script, clock=days(0)[0])
    before = database.catalog_dump()
    second = run_on(database, script, clock=days(5)[0])
    assert database.catalog_dump() == before, "an unconfirmed removal is not written again"
    assert [(outcome.error, outcome.run.removed, outcome.run.unconfirmed) for outcome in (first, second)] == [(None, 0, 3)] * 2
    reason = "the look-up's response differs from that for an ID that cannot exist"
    assert [
        (row["template_id"], row["since_run_id"], row["since_at"], row["reason"], row["answered"])
        for row in database.rows("unconfirmed_removals", "template_id")
    ] == [(key, 2, datetime(2026, 1, 1, tzinfo=UTC), reason, True) for key in ("7", "8", "9")]
    accepted = run_on(database, script, accept_removals=True)
    assert (accepted.error, accepted.run.removed, accepted.run.unconfirmed) == (None, 3, 0)
    assert evidence(database) == dict.fromkeys(("7", "8", "9"), "accepted")
    assert database.rows("unconfirmed_removals") == []


def test_more_unconfirmed_removals_than_the_limit_are_an_error(stored: Database) -> None:
    few, many = ({str(number) for number in range(1, count + 1)} for count in (10, 11))
    assert run_on(stored, offline(few)).error is None
    outcome = run_on(stored, offline(many))
    assert (str(outcome.run.status), outcome.run.error_code, outcome.run.unconfirmed) == ("incomplete", "unconfirmed", 11)
    assert outcome.error is not None
    assert outcome.error.exit_code == 76


def test_templates_that_are_served_or_confirmed_are_not_unconfirmed(stored: Database) -> None:
    run_on(stored, offline({"7", "8"}))
    run_on(stored, faulty(catalog([each for each in BEFORE if each["TemplateId"] != "7"]), {3: failure(500)}))
    assert [row["template_id"] for row in stored.rows("unconfirmed_removals")] == ["7"], "an unverified walk keeps the rest"
    outcome = run_on(stored, catalog([each for each in BEFORE if each["TemplateId"] != "7"]))
    assert (outcome.run.removed, stored.rows("unconfirmed_removals")) == (1, [])


def test_an_unconfirmed_removal_without_a_response_cannot_be_accepted(stored: Database) -> None:
    script = offline({"7"}, failure(503, 503))
    for accept in (False, True):
        outcome = run_on(stored, script, accept_removals=accept)
        assert (outcome.error, outcome.run.removed, outcome.run.unconfirmed) == (None, 0, 1)
    (row,) = stored.rows("unconfirmed_removals")
    assert (row["reason"], row["answered"]) == ("the look-up failed: HTTP 503", False)


def test_an_operator_cannot_accept_the_removal_of_a_template_that_was_served_without_a_readable_id(stored: Database) -> None:
    whole = [{**each, "TemplateId": None} if each["TemplateId"] == "7" else each for each in BEFORE]
    for script in (catalog(whole, look_up=offline({"7"})), faulty(catalog(whole), {0: html(404)})):
        outcome = run_on(stored, script, accept_removals=True)
        assert (outcome.run.removed, outcome.run.unconfirmed) == (0, 1)
        (row,) = stored.rows("unconfirmed_removals")
        assert (row["template_id"], row["answered"]) == ("7", False)


def test_an_operator_accepts_removals_after_failed_controls(stored: Database) -> None:
    script = faulty(catalog(BEFORE[:58]), {0: html(404)})
    outcome = run_on(stored, script)
    assert (str(outcome.run.status), outcome.run.removed, outcome.run.unconfirmed) == ("incomplete", 0, 2)
    accepted = run_on(stored, script, accept_removals=True)
    assert (accepted.error, accepted.run.removed, set(evidence(stored).values())) == (None, 2, {"accepted"})


def test_an_operator_cannot_accept_removals_of_an_unverified_walk(stored: Database) -> None:
    outcome = run_on(stored, faulty(offline({"60"}), {3: failure(500)}), accept_removals=True)
    assert (str(outcome.run.status), outcome.run.removed) == ("incomplete", 0)


def test_a_partial_catalog_removes_no_template_that_look_ups_find(sqlite: Database) -> None:
    whole = records(2300)
    run_on(sqlite, catalog(whole), page_size=50)
    rebuilt = catalog(whole[:2080], look_up=catalog(whole))
    outcome = run_on(sqlite, rebuilt, page_size=50)
    assert (outcome.run.removed, len(sqlite.present)) == (0, 2300)
    assert 180 <= outcome.run.unconfirmed < 220, "the templates found by look-ups are stored"
    accepted = run_on(sqlite, rebuilt, page_size=50, accept_removals=True)
    assert (accepted.run.removed, accepted.run.unconfirmed, len(sqlite.present)) == (0, 0, 2300)


def test_an_empty_catalog_is_held_until_an_operator_accepts(stored: Database) -> None:
    for _ in range(5):
        outcome = run_on(stored, catalog([]))
    assert (outcome.run.status, len(stored.present)) == (Status.HELD, 60)
    assert run_on(stored, catalog([]), accept_removals=True).run.removed == 60


def test_more_than_200_missing_templates_are_confirmed_by_a_second_walk(sqlite: Database) -> None:
    run_on(sqlite, catalog(records(250)), page_size=50)
    with Hostile(catalog(records(40))) as server:
        outcome = run_against(server.url, sqlite.engine, max_removed=1)
        assert [page for page in server.pages if page] == [1, 1]
        assert len({request.query["template_id"] for request in server.requests if not request.page}) >= 20
    assert (outcome.run.removed, set(evidence(sqlite).values())) == (210, {"walks"})


def test_a_second_walk_with_all_templates_removes_nothing(sqlite: Database) -> None:
    run_on(sqlite, catalog(records(250)), page_size=50)
    outcome = run_on(
        sqlite, lambda request: catalog(records(40 if request.number == 1 else 250))(request), max_removed=1, workers=1
    )
    assert (outcome.run.removed, len(sqlite.present)) == (0, 250)


def test_a_constant_count_mismatch_is_accepted_in_the_fourth_run(stored: Database) -> None:
    wrong = catalog(BEFORE[:55], total=58)
    outcomes = [run_on(stored, wrong, hold=0.0) for _ in range(4)]
    assert [str(outcome.run.status) for outcome in outcomes] == ["incomplete", "incomplete", "incomplete", "succeeded"]
    assert [outcome.run.removed for outcome in outcomes] == [0, 0, 0, 5]
    assert set(evidence(stored).values()) == {"lookup"}


def test_an_empty_page_removes_no_template_that_look_ups_find(stored: Database) -> None:
    broken = faulty(catalog(BEFORE), {3: success([], 60)})
    outcomes = [run_on(stored, broken) for _ in range(5)]
    assert [outcome.run.removed for outcome in outcomes] == [0] * 5
    assert len(stored.present) == 60


@pytest.mark.parametrize("hostile_name", ["a\x00b", "\ud83d", "x" * 5000])
def test_every_database_stores_the_rejection_of_an_odd_record(database: Database, hostile_name: str) -> None:
    spoilt = [record("1"), record("2", Title=["\x00"], **{hostile_name: float("nan")}), record("3", Title="\x1b[2J")]
    outcome = run_on(database, catalog(spoilt, total=3))
    assert (outcome.error, rows(outcome)) == (None, "+2 ~0 -0, 1 rejected")
    assert run_on(database, catalog(spoilt, total=10**60)).run.status is Status.INCOMPLETE


# The section of the document -----------------------------------------------------------------------------------------------

BEGIN, END = "<!-- faults: written by `python -m tests.test_faults` -->\n", "<!-- end of faults -->\n"
TABLE = [*FAULTS, *STORED, *ENVELOPES, *ATTACKS]


GROUPS = {
    "code": "codes in the body, and HTTP statuses",
    "page": "pages",
    "total": "the reported total",
    "look-ups": "look-ups of the missing template",
    "record": "records",
    "walk": "the whole walk",
    "envelope": "the JSON object around the records",
    "framing": "HTTP messages",
    "connection": "connections",
    "encoding": "content encoding and character set",
    "direction": "redirects and other servers",
    "patience": "requests to retry later",
}
"""First word of the name of a fault -> name of the group in the document."""


def section(faults: Sequence[Attack]) -> str:
    """Group the rows by result, then by the first word of their names; of a large group the document has the number."""
    groups: dict[str, dict[str, list[str]]] = {}
    for fault in faults:
        where, _, what = fault.name.partition(": ")
        result = f"**`{fault.status}`, exit code {fault.code}, `{fault.rows}`**"
        groups.setdefault(result, {}).setdefault(where, []).append(what)
    return "\n".join(f"{result}\n\n" + "".join(starmap(item, named.items())) for result, named in sorted(groups.items()))


def item(where: str, what: Sequence[str]) -> str:
    more = f"; and {len(what) - 4} more" if len(what) > 5 else ""
    line = f"- {GROUPS[where]}: {'; '.join(what[:4] if more else what)}{more}"
    return textwrap.fill(line, 130, subsequent_indent="  ", break_on_hyphens=False) + "\n"


def written_section() -> str:
    return DOCUMENT.read_text().partition(BEGIN)[2].partition(END)[0]


def test_the_section_faults_is_current() -> None:
    """`tests/adversary/test_attacks.py` compares each row with a run; this test compares the document with the rows."""
    assert written_section() == section(TABLE)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        content = fill(Path(temporary), TWELVE)

        def observed(fault: Attack) -> Attack:
            database = copied(content, Path(temporary))
            try:
                outcome = run_against_attack(fault, database)
            finally:
                database.engine.dispose()
            code = outcome.error.exit_code if outcome.error else 0
            return replace(fault, ended=str(outcome.run.status), code=code, rows=rows(outcome))

        DOCUMENT.write_text(DOCUMENT.read_text().replace(written_section(), section([observed(fault) for fault in TABLE])))
