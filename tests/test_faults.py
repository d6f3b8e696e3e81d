"""Faults over several runs: held and unconfirmed removals, wrong counts, bad pages.

The faults of a single run are rows of `tests/adversary/`.
"""
# ruff: noqa: E501 - a run is a line

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from sync.catalog.run_record import Status
from tests.adversary.attack import KEPT, rows
from tests.builders import HASTY, Database, record, records, run_against
from tests.hostile import Hostile, Reply, Request, catalog, failure, faulty, html, success

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sync.synchronise import Outcome
    from tests.hostile import Script

    Step = tuple[Script, str, dict[str, Any]]

SIZE = 10
BEFORE = records(60)
"""The catalog in every database before the fault: six pages of ten."""
HALF = catalog(BEFORE[:40])
"""20 of 60 templates are missing; at most 10 may be removed at once."""
WRONG_COUNT = catalog(BEFORE[:55], total=58)
TAKEN_OFFLINE = failure(404, message="The template was taken offline")


def run_on(database: Database, script: Script, **options: Any) -> Outcome:
    with Hostile(script) as server:
        return run_against(server.url, database.engine, **{"page_size": SIZE, **options})


@pytest.fixture
def stored(sqlite: Database) -> Database:
    """A database in which BEFORE is stored."""
    run_on(sqlite, catalog(BEFORE))
    return sqlite


def at(hour: float) -> Callable[[], datetime]:
    """Make the clock of a run that begins so many hours after the first one."""
    return partial(datetime.fromtimestamp, datetime(2026, 1, 1, tzinfo=UTC).timestamp() + 3600 * hour, UTC)


def unserved(gone: Collection[str], reply: Reply = TAKEN_OFFLINE) -> Script:
    """Make a catalog that lacks some templates, and answers a look-up of them otherwise than that of an unknown one."""
    left = [each for each in BEFORE if each["TemplateId"] not in gone]
    correct = catalog(left)
    unknown = failure(404, message="There is no such template")

    def look_up(request: Request) -> Reply:
        template_id = request.query["template_id"]
        if template_id in gone:
            return reply
        return correct(request) if any(each["TemplateId"] == template_id for each in left) else unknown

    return catalog(left, look_up=look_up)


def bad_page(script: Script, number: int = 3) -> Script:
    return faulty(script, {number: failure(500)})


def step(script: Script, result: str, **options: Any) -> Step:
    """One run: what the server sends, the result as `shown`, and the options of the run."""
    return script, result, options


def shown(outcome: Outcome, database: Database) -> str:
    """Return the status, the changes with the evidence of removals, and what is held or unconfirmed.

    `7?` is an unconfirmed removal whose look-up had a response.
    """
    run = outcome.run
    removed = [row for row in database.rows("template_changes") if (row["kind"], row["run_id"]) == ("removed", run.run_id)]
    evidence = "".join(f" by {each}" for each in sorted({row["evidence"] for row in removed}))
    held = f", {run.held} held" * bool(run.held)
    waiting = database.rows("unconfirmed_removals", "template_id")
    names = [f"{row['template_id']}{'?' * row['answered']}" for row in waiting]
    more = ", unconfirmed " + (" ".join(names) if len(names) < 4 else str(len(names)))
    return f"{run.status} {rows(outcome)}{evidence}{held}{more * bool(names)}"


ACCEPT = {"accept_removals": True}
NOTHING = "+0 ~0 -0"
HELD = f"held {NOTHING}, 20 held"
REMOVED = "succeeded +0 ~0 -20 by lookup"
INCOMPLETE = f"incomplete {NOTHING}"
WITHOUT_7 = [each for each in BEFORE if each["TemplateId"] != "7"]
NO_ID = [{**each, "TemplateId": None} if each["TemplateId"] == "7" else each for each in BEFORE]
HISTORIES: dict[str, list[Step]] = {
    "held removals wait while everything else is applied": [
        step(catalog([*BEFORE[:40], record("61")]), "held +1 ~0 -0, 20 held"),
    ],
    "an operator accepts held removals": [step(HALF, HELD), step(HALF, "succeeded +0 ~0 -20 by accepted", **ACCEPT)],
    "an empty catalog is held until an operator accepts": [
        *[step(catalog([]), f"held {NOTHING}, 60 held")] * 5, step(catalog([]), "succeeded +0 ~0 -60 by accepted", **ACCEPT),
    ],
    "a failed run does not change held removals": [
        *[step(HALF, HELD, hold=0.0), step(faulty(HALF, {2: failure(455)}), f"deferred {NOTHING}", hold=0.0)] * 2, step(HALF, REMOVED, hold=0.0),
    ],
    "a failed page does not change held removals": [
        *[step(HALF, HELD, hold=0.0), step(bad_page(HALF, 2), f"{INCOMPLETE}, 20 held", hold=0.0)] * 2, step(HALF, REMOVED, hold=0.0),
    ],
    "a clock that is set back removes nothing early": [
        *(step(HALF, HELD, clock=at(hour)) for hour in (9, 9.1, 0, 0.5)), step(HALF, REMOVED, clock=at(1)),
    ],
    "a wrong count has the same hold as removals": [
        *(step(WRONG_COUNT, INCOMPLETE, clock=at(hour)) for hour in (0, 0.1, 0.2, 0.3)), step(WRONG_COUNT, "succeeded +0 ~0 -5 by lookup", clock=at(1)),
    ],
    "a constant count mismatch is accepted in the fourth run": [
        *[step(WRONG_COUNT, INCOMPLETE, hold=0.0)] * 3, step(WRONG_COUNT, "succeeded +0 ~0 -5 by lookup", hold=0.0),
    ],
    "a walk with a failing page does not change the count mismatch": [
        *(step(script, INCOMPLETE, hold=0.0) for script in (WRONG_COUNT, bad_page(WRONG_COUNT, 2), WRONG_COUNT, WRONG_COUNT, bad_page(WRONG_COUNT, 2))),
        step(WRONG_COUNT, "succeeded +0 ~0 -5 by lookup", hold=0.0),
    ],
    "an empty page removes no template that look-ups find": [*[step(faulty(catalog(BEFORE), {3: success([], 60)}), INCOMPLETE)] * 5],
    "ten unconfirmed removals are no error, eleven are": [
        step(unserved({str(number) for number in range(1, 11)}), f"succeeded {NOTHING}, unconfirmed 10"),
        step(unserved({str(number) for number in range(1, 12)}), f"incomplete {NOTHING}, unconfirmed 11"),
    ],
    "templates that are served or confirmed are not unconfirmed; an unverified walk keeps the rest": [
        step(unserved({"7", "8"}), f"succeeded {NOTHING}, unconfirmed 7? 8?"),
        step(bad_page(catalog(WITHOUT_7)), f"incomplete {NOTHING}, unconfirmed 7?"),
        step(catalog(WITHOUT_7), "succeeded +0 ~0 -1 by lookup"),
    ],
    "templates that only their look-ups find are kept and reported": [
        step(catalog(WITHOUT_7, look_up=catalog(BEFORE)), f"succeeded {NOTHING}, unconfirmed 7", **ACCEPT),
        step(catalog(BEFORE[:49], look_up=catalog(BEFORE)), f"incomplete {NOTHING}, unconfirmed 11"),
        step(catalog(BEFORE), f"succeeded {NOTHING}"),
    ],
    "templates that look-ups find hold no removal of another one": [
        step(catalog(BEFORE[:48], look_up=catalog(BEFORE[:57])), "succeeded +0 ~0 -3 by lookup, unconfirmed 9"),
    ],
    "an unconfirmed removal without a response cannot be accepted": [
        step(unserved({"7"}, failure(503, 503)), f"succeeded {NOTHING}, unconfirmed 7"),
        step(unserved({"7"}, failure(503, 503)), f"succeeded {NOTHING}, unconfirmed 7", **ACCEPT),
    ],
    "the removal of a template that was served without a readable id cannot be accepted": [
        step(catalog(NO_ID, look_up=unserved({"7"})), f"succeeded {NOTHING}, 1 rejected, unconfirmed 7", **ACCEPT),
        step(faulty(catalog(NO_ID), {0: html(404)}), f"succeeded {NOTHING}, 1 rejected, unconfirmed 7", **ACCEPT),
    ],
    "an operator accepts removals after failed controls": [
        step(faulty(catalog(BEFORE[:58]), {0: html(404)}), f"incomplete {NOTHING}, unconfirmed 59 60"),
        step(faulty(catalog(BEFORE[:58]), {0: html(404)}), "succeeded +0 ~0 -2 by accepted", **ACCEPT),
    ],
    "an operator accepts removals although look-ups ignore the id": [
        step(catalog(WITHOUT_7, look_up=lambda _: success(WITHOUT_7[:20], 59)), f"incomplete {NOTHING}, unconfirmed 7"),
        step(catalog(WITHOUT_7, look_up=lambda _: success(WITHOUT_7[:20], 59)), "succeeded +0 ~0 -1 by accepted", **ACCEPT),
    ],
    "look-ups of a catalog without Chinese tags have controls, too": [
        step(catalog([{**each, "Tags": None} for each in WITHOUT_7], look_up=lambda _: failure(404)), f"incomplete {NOTHING}, unconfirmed 7"),
    ],
    "an operator cannot accept removals of an unverified walk": [step(bad_page(unserved({"60"})), INCOMPLETE, **ACCEPT)],
}  # fmt: skip


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_each_run_of_a_history_has_its_result(history: list[Step], stored: Database) -> None:
    codes = {"succeeded": 0, "held": 4, "deferred": 75, "incomplete": 76}
    for script, result, options in history:
        outcome = run_on(stored, script, **options)
        assert shown(outcome, stored) == result
        assert (outcome.error.exit_code if outcome.error else 0) == codes[str(outcome.run.status)]


def test_three_runs_within_two_seconds_remove_nothing(database: Database) -> None:
    run_on(database, catalog(BEFORE))
    outcomes = [run_on(database, HALF, clock=at(hour)) for hour in (0, 0.0003, 0.0006)]
    assert [(str(outcome.run.status), outcome.run.removed) for outcome in outcomes] == [("held", 0)] * 3
    assert str(outcomes[-1].error) == (
        "20 removals are held: 20 of 60 templates are missing, and at most 10 may be removed at once; 3 runs agree so far, the "
        "first at "
        "2026-01-01 00:00:00 UTC, and SYNC_HOLD ends in 3598 s."
    )
    assert run_on(database, HALF, clock=at(1)).run.removed == 20


@pytest.mark.parametrize("share", [0, 1])
@pytest.mark.parametrize(("rejected", "status"), [(15, Status.SUCCEEDED), (16, Status.INCOMPLETE)])
def test_a_tenth_of_the_records_may_be_rejected_whatever_share_may_be_removed(
    sqlite: Database, rejected: int, status: Status, share: int
) -> None:
    served = [{**each, "Duration": "long"} if number < rejected else each for number, each in enumerate(records(150))]
    outcome = run_on(sqlite, catalog(served), page_size=50, max_removed=share)
    assert (outcome.run.status, outcome.run.rejected, len(sqlite.present)) == (status, rejected, 150 - rejected)


def test_a_first_run_with_a_failing_page_stores_the_other_pages(sqlite: Database) -> None:
    for _ in range(2):
        outcome = run_on(sqlite, bad_page(catalog(BEFORE)))
        assert (str(outcome.run.status), len(sqlite.present)) == ("incomplete", 50)
    assert str(outcome.error) == (
        "The walk could not be verified: page 3 could not be fetched (The server failed (500). Message: no). "
        "The served records are stored; nothing was removed."
    )


def test_a_server_error_with_retry_after_fails_only_its_page(stored: Database) -> None:
    after = catalog([*BEFORE[:58], record("59", Title="changed"), record("61")])
    at_once = failure(503, 503, headers=(("retry-after", "0"),))
    patient = replace(HASTY, attempts=2, longest_asked=5.0)
    outcome = run_on(stored, faulty(after, {3: at_once}), retry_policy=patient)
    assert (str(outcome.run.status), rows(outcome)) == ("incomplete", KEPT)


@pytest.mark.parametrize("reply", [TAKEN_OFFLINE, html(404)], ids=["taken offline", "a web server's 404"])
def test_a_look_up_with_another_404_leaves_its_template_unconfirmed(database: Database, reply: Reply) -> None:
    script = unserved({"7", "8", "9"}, reply)
    run_on(database, catalog(BEFORE))
    waiting = f"succeeded {NOTHING}, unconfirmed 7? 8? 9?"
    assert shown(run_on(database, script, clock=at(0)), database) == waiting
    before = database.catalog_dump()
    assert shown(run_on(database, script, clock=at(5)), database) == waiting
    assert database.catalog_dump() == before, "an unconfirmed removal is not written again"
    reason = "the look-up's response differs from that for an ID that cannot exist"
    assert {
        (row["since_run_id"], row["since_at"], row["reason"]) for row in database.rows("unconfirmed_removals")
    } == {(2, datetime(2026, 1, 1, tzinfo=UTC), reason)}  # fmt: skip
    assert shown(run_on(database, script, **ACCEPT), database) == "succeeded +0 ~0 -3 by accepted"


def test_a_partial_catalog_removes_no_template_that_look_ups_find(sqlite: Database) -> None:
    whole = records(2300)
    run_on(sqlite, catalog(whole), page_size=50)
    rebuilt = catalog(whole[:2080], look_up=catalog(whole))
    outcome = run_on(sqlite, rebuilt, page_size=50)
    accepted = run_on(sqlite, rebuilt, page_size=50, accept_removals=True)
    assert [(each.run.removed, each.run.unconfirmed) for each in (outcome, accepted)] == [(0, 220), (0, 220)]
    assert len(sqlite.present) == 2300


def test_more_than_200_missing_templates_are_confirmed_by_a_second_walk(sqlite: Database) -> None:
    run_on(sqlite, catalog(records(250)), page_size=50)
    with Hostile(catalog(records(40))) as server:
        outcome = run_against(server.url, sqlite.engine, max_removed=1)
        assert [page for page in server.pages if page] == [1, 1]
        assert len({request.query["template_id"] for request in server.requests if not request.page}) >= 20
    assert shown(outcome, sqlite) == "succeeded +0 ~0 -210 by walks"


def test_a_second_walk_with_all_templates_removes_nothing(sqlite: Database) -> None:
    run_on(sqlite, catalog(records(250)), page_size=50)
    turning = lambda request: catalog(records(40 if request.number == 1 else 250))(request)  # noqa: E731 - one argument
    outcome = run_on(sqlite, turning, max_removed=1, concurrency=1)
    assert (outcome.run.removed, len(sqlite.present)) == (0, 250)


@pytest.mark.parametrize("hostile_name", ["a\x00b", "\ud83d", "x" * 5000])
def test_every_database_stores_the_rejection_of_an_odd_record(database: Database, hostile_name: str) -> None:
    spoilt = [record("1"), record("2", Title=["\x00"], **{hostile_name: float("nan")}), record("3", Title="\x1b[2J")]
    outcome = run_on(database, catalog(spoilt, total=3))
    assert (outcome.error, rows(outcome)) == (None, "+2 ~0 -0, 1 rejected")
    assert run_on(database, catalog(spoilt, total=10**60)).run.status is Status.INCOMPLETE
