"""Every fault that a server can serve, end to end: how the run ended, and what it did to the rows.

`python -m tests.test_faults` writes the results to the section "Faults" of docs/verification.md.
"""

from __future__ import annotations

import tempfile
import textwrap
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import starmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sync.catalog.run_record import Status
from sync.store import schema
from sync.store.engine import open_engine
from tests.builders import HASTY, QUICK, Database, record, records, run_against
from tests.hostile import (
    GARBAGE,
    NO_REPLY,
    RESET,
    Hostile,
    Reply,
    Request,
    as_json,
    bomb,
    catalog,
    chunked,
    failure,
    faulty,
    html,
    one_after_another,
    redirect,
    success,
    zipped,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from sync.synchronise import Outcome
    from tests.hostile import Script

SIZE = 10
DOCUMENT = Path(__file__).parent.parent / "docs" / "verification.md"
BEFORE = records(60)
"""What every database here holds before the fault: six pages of ten."""
PRICES: list[dict[str, Any]] = BEFORE[0]["ConsumeItems"]
AFTER = [*BEFORE[:58], record("59", Title="changed"), record("61")]
"""What the catalog really is during the fault: 60 is gone, 59 changed, 61 is new."""


@dataclass(frozen=True)
class Fault:
    """One fault, and what the run must do about it: `+1 ~1 -1` is all that really happened, `-0` is never a false removal."""

    name: str
    script: Script
    status: str
    exit_code: int
    rows: str
    settings: tuple[tuple[str, Any], ...] = ()


NOTHING = "+0 ~0 -0"
ALL = "+1 ~1 -1"
KEPT = "+1 ~1 -0"
HONEST = catalog(AFTER)


def on_page_3(name: str, reply: Reply, status: str, exit_code: int, rows: str = NOTHING, **settings: Any) -> Fault:
    return Fault(f"page 3: {name}", faulty(HONEST, {3: reply}), status, exit_code, rows, tuple(settings.items()))


def unread_page_3(name: str, reply: Reply) -> Fault:
    """Make page 3 one that cannot be read: what the others served is applied."""
    return on_page_3(name, reply, "incomplete", 76, KEPT)


def served(name: str, status: str, exit_code: int, rows: str, **oddities: Any) -> Fault:
    return Fault(name, catalog(AFTER, **oddities), status, exit_code, rows)


def looked_up(name: str, reply: Reply, rows: str, status: str = "succeeded", exit_code: int = 0) -> Fault:
    """Answer a look-up of whatever is not served so; templates that are served are found."""
    return Fault(f"look-up: {name}", catalog(AFTER, look_up=unless_served(reply)), status, exit_code, rows)


def every_look_up(name: str, reply: Reply, status: str = "incomplete", exit_code: int = 76) -> Fault:
    """Answer every look-up so, also those of templates that the walk has just brought."""
    return Fault(f"every look-up: {name}", faulty(HONEST, {0: reply}), status, exit_code, KEPT)


def only_of_60(name: str, reply: Reply, rows: str = KEPT) -> Fault:
    """Answer the look-up of the missing template so; the controls are answered honestly, with an empty list."""
    script = catalog(AFTER, look_up=lambda request: reply if request.query["template_id"] == "60" else HONEST(request))
    return Fault(f"look-up of the missing one alone: {name}", script, "succeeded", 0, rows)


def unless_served(reply: Reply) -> Script:
    served_ids = {each["TemplateId"] for each in AFTER}
    return lambda request: HONEST(request) if request.query["template_id"] in served_ids else reply


def id_that_cannot_be(reply: Reply) -> Script:
    """Answer so to the control that cannot exist: an id that no catalog ever had. The missing one is denied honestly."""
    known = {each["TemplateId"] for each in [*BEFORE, *AFTER]}
    return catalog(AFTER, look_up=lambda request: HONEST(request) if request.query["template_id"] in known else reply)


def bad(name: str, **changes: Any) -> Fault:
    """Make template 59 a bad record: the others go on, and 59 keeps its last good values."""
    spoilt = [*AFTER[:58], record("59", **changes), AFTER[59]]
    return Fault(f"record: {name}", catalog(spoilt), "succeeded", 0, "+1 ~0 -1, 1 rejected")


def everything(request: Request) -> Reply:
    return success(AFTER) if request.page else HONEST(request)


def moving_total(request: Request) -> int:
    return 60 + request.number


def swapped(request: Request) -> Reply:
    """Serve a catalog in which a template moves, between two requests, from an unread page to a read one."""
    order = [*AFTER] if request.number % 2 else [AFTER[59], *AFTER[:59]]
    return catalog(order)(request)


def signed(request: Request) -> Reply:
    """Sign every URL anew at every request."""
    return catalog([{**each, "Cover": f"https://media.example/cover.jpeg?sig={request.number}"} for each in AFTER])(request)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def deep_page(request: Request) -> Reply:
    reply = HONEST(request)
    return Reply(reply.body.replace(b'"changed"', b'"changed", "x": ' + b"[" * 50_000 + b"]" * 50_000))


def twice_a_key(request: Request) -> Reply:
    return Reply(HONEST(request).body.replace(b'"Title": "changed"', b'"Title": "other", "Title": "changed"'))


def latin_1(request: Request) -> Reply:
    return Reply(HONEST(request).body.replace(b'"changed"', b'"\xe9"'))


def page(number: int) -> list[dict[str, Any]]:
    return AFTER[(number - 1) * SIZE : number * SIZE]


GOOD = success(page(3), 60)
AN_HOUR = (("retry-after", "3600"),)
NO_DATE = (("retry-after", f"1 Jan {'9' * 30}"),)
FAULTS = [
    Fault("none", HONEST, "succeeded", 0, ALL),
    on_page_3("body code 401 under HTTP 200", failure(401), "failed", 77),
    on_page_3("body code 402 under HTTP 200", failure(402), "failed", 77),
    on_page_3("body code 505 under HTTP 200", failure(505), "failed", 77),
    on_page_3("body code 404 under HTTP 200", failure(404), "failed", 76),
    on_page_3("body code 422 under HTTP 200", failure(422), "failed", 76),
    on_page_3("body code 429 under HTTP 200", failure(429), "deferred", 75),
    on_page_3("body code 455 under HTTP 200", failure(455), "deferred", 75),
    unread_page_3("body code 500 under HTTP 200", failure(500)),
    unread_page_3("body code 501 under HTTP 200", failure(501)),
    on_page_3("body code 299 under HTTP 200", failure(299), "failed", 76),
    unread_page_3("body code of 40 digits", failure(10**40)),
    *(unread_page_3(f"HTTP {code}", html(code)) for code in (408, 500, 502, 503, 504)),
    on_page_3("HTTP 401", html(401), "failed", 77),
    on_page_3("HTTP 403", html(403), "failed", 77),
    on_page_3("HTTP 429", html(429), "deferred", 75),
    on_page_3("HTTP 429, Retry-After: 3600", failure(429, 429, headers=AN_HOUR), "deferred", 75),
    on_page_3("HTTP 503, Retry-After: 3600", failure(503, 503, headers=AN_HOUR), "deferred", 75),
    on_page_3("HTTP 429, Retry-After without sense", failure(429, 429, headers=NO_DATE), "deferred", 75),
    unread_page_3("HTTP 500 over a good body", replace(GOOD, status=500)),
    on_page_3("HTTP 404 over a good body", replace(GOOD, status=404), "failed", 76),
    on_page_3("HTTP 204", Reply(status=204, length=-1), "failed", 76),
    on_page_3("a redirect", redirect("http://127.0.0.1:9/"), "failed", 76),
    on_page_3("a redirect to mailto:", redirect("mailto:x@y"), "failed", 76),
    unread_page_3("HTML", html()),
    unread_page_3("no reply", NO_REPLY),
    unread_page_3("a reset", RESET),
    unread_page_3("garbage instead of HTTP", GARBAGE),
    unread_page_3("200 KB of headers", replace(GOOD, headers=(("x", "x" * 200_000),))),
    unread_page_3("a body shorter than its length", replace(GOOD, cut=400)),
    unread_page_3("a truncated body without a length", replace(GOOD, length=-1, cut=400)),
    on_page_3("a whole body without a length", replace(GOOD, length=-1, end="close"), "succeeded", 0, ALL),
    on_page_3("a whole body in chunks", chunked(GOOD.body), "succeeded", 0, ALL),
    unread_page_3("broken chunks", chunked(GOOD.body, b"zzz\r\n")),
    on_page_3("gzip", zipped(GOOD), "succeeded", 0, ALL),
    unread_page_3("truncated gzip", replace(zipped(GOOD), body=zipped(GOOD).body[:-9])),
    unread_page_3("gzip that is none", replace(GOOD, headers=(("content-encoding", "gzip"),))),
    unread_page_3("brotli", zipped(GOOD, encoding="br")),
    on_page_3("a gzip bomb of 64 MiB", bomb(64), "failed", 76),
    unread_page_3("a gzip bomb in gzip", bomb(64, 2)),
    on_page_3("a BOM", Reply(b"\xef\xbb\xbf" + GOOD.body), "succeeded", 0, ALL),
    unread_page_3("UTF-16", Reply(GOOD.body.decode().encode("utf-16"))),
    unread_page_3("100,000 brackets", Reply(b"[" * 100_000)),
    unread_page_3("no list of templates", Reply(b'{"code": 200, "data": {}}')),
    on_page_3("`templates: null`", Reply(b'{"code": 200, "data": {"total": 60, "templates": null}}'), "incomplete", 76, KEPT),
    on_page_3("an empty list", success([], 60), "incomplete", 76, KEPT),
    on_page_3("an empty list and total 0", success([], 0), "incomplete", 76, KEPT),
    on_page_3("a short page", success(page(3)[:4], 60), "incomplete", 76, KEPT),
    on_page_3("page 2 again", success(page(2), 60), "incomplete", 76, KEPT),
    on_page_3("one template of page 2 instead of its own", success([page(2)[0], *page(3)[1:]], 60), "incomplete", 76, KEPT),
    on_page_3("a byte a second", replace(GOOD, pause=1.0), "failed", 75, deadline=1.0),
    on_page_3("no answer", replace(GOOD, hold=30), "failed", 75, deadline=0.5),
    Fault("page 3: 500 once, then good", faulty(HONEST, {3: failure(500)}, times=1), "succeeded", 0, ALL),
    Fault("page 3: a reset once, then good", faulty(HONEST, {3: RESET}, times=1), "succeeded", 0, ALL),
    Fault("page 3: empty once, then good", faulty(HONEST, {3: success([], 60)}, times=1), "succeeded", 0, ALL),
    Fault("page 1: 404", one_after_another(failure(404)), "failed", 76, NOTHING),
    Fault("page 1: 422", one_after_another(failure(422)), "failed", 76, NOTHING),
    served("total: missing", "incomplete", 76, KEPT, total=None),
    served("total: a string", "incomplete", 76, KEPT, total="60"),
    served("total: negative", "incomplete", 76, KEPT, total=-1),
    served("total: 10^50", "incomplete", 76, KEPT, total=10**50),
    served("total: too low", "incomplete", 76, KEPT, total=40),
    served("total: too high", "incomplete", 76, KEPT, total=90),
    served("total: too high, and 404 past the end", "incomplete", 76, KEPT, total=90, past_end=404),
    served("total: too high, and the last page past the end", "incomplete", 76, KEPT, total=90, past_end="last"),
    served("total: growing", "incomplete", 76, KEPT, total=moving_total),
    *(
        served(f"past the end: {what}", "succeeded", 0, ALL, past_end=what)
        for what in ("empty", "null", "last", "first", 404, 422)
    ),
    served("pages capped at 7", "succeeded", 0, ALL, cap=7),
    served("`page` ignored", "incomplete", 76, "+0 ~0 -0", ignores_page=True),
    Fault("`page` and `page_size` ignored", everything, "succeeded", 0, ALL),
    Fault("a template moves during every walk", swapped, "incomplete", 76, KEPT),
    Fault("URLs signed anew", signed, "succeeded", 0, ALL),
    Fault("an empty catalog", catalog([]), "held", 4, NOTHING),
    Fault("half of the catalog", catalog(AFTER[::2]), "held", 4, "+0 ~1 -0"),
    looked_up("404 in the body", failure(404), ALL),
    looked_up("404 in the body and as status", failure(404, 404), ALL),
    looked_up("an empty list", success([]), ALL),
    looked_up("an empty list and the catalog's count", success([], 60), KEPT, "incomplete", 76),
    looked_up("`templates: null`", Reply(b'{"code": 200, "data": {"total": 0, "templates": null}}'), ALL),
    looked_up("an empty list and total 1", success([], 1), KEPT, "incomplete", 76),
    looked_up("HTTP 404 and a web page", html(404), KEPT, "incomplete", 76),
    looked_up("HTTP 404 and another program's JSON", as_json({"detail": "Not Found"}, status=404), KEPT, "incomplete", 76),
    looked_up("HTTP 404 and bytes that are no text", Reply(b"\xff\xfe\x00", 404), KEPT, "incomplete", 76),
    looked_up("other templates", success(page(1)), KEPT, "incomplete", 76),
    looked_up("the template itself", success([BEFORE[59]]), KEPT, "incomplete", 76),
    looked_up("422", failure(422), KEPT, "incomplete", 76),
    looked_up("429", failure(429), KEPT),
    looked_up("500", failure(500), KEPT),
    only_of_60("404 in the body", failure(404)),
    only_of_60("an empty list", success([]), ALL),
    only_of_60("an empty list, total 1", success([], 1)),
    only_of_60("an empty list, said in other words", as_json({"code": 200, "message": "busy", "data": {"templates": []}})),
    only_of_60("HTTP 404 over the template", replace(success([BEFORE[59]]), status=404)),
    only_of_60("the template itself", success([BEFORE[59]])),
    only_of_60("the template without its id", success([record(TemplateId=...)])),
    only_of_60("other templates", success(page(1))),
    only_of_60("no reply", NO_REPLY),
    Fault("look-up of an id that cannot be: a template", id_that_cannot_be(success([BEFORE[0]])), "incomplete", 76, KEPT),
    Fault("look-up of an id that cannot be: an error", id_that_cannot_be(failure(500)), "succeeded", 0, KEPT),
    every_look_up("404 in the body", failure(404)),
    every_look_up("HTTP 404", html(404)),
    every_look_up("an empty list", success([])),
    every_look_up("`templates: null`", Reply(b'{"code": 200, "data": {"total": 0, "templates": null}}')),
    every_look_up("other templates", success(page(1))),
    every_look_up("HTTP 404 over the template", replace(success([BEFORE[59]]), status=404)),
    every_look_up("HTTP 500 over 404 in the body", failure(404, status=500), "succeeded", 0),
    every_look_up("the template itself", success([BEFORE[59]])),
    every_look_up("the template without its id", success([record(TemplateId=...)])),
    every_look_up("429", failure(429), "succeeded", 0),
    every_look_up("455", failure(455), "succeeded", 0),
    every_look_up("500", failure(500), "succeeded", 0),
    every_look_up("401", failure(401)),
    every_look_up("422", failure(422)),
    every_look_up("HTML", html()),
    every_look_up("no reply", NO_REPLY, "succeeded", 0),
    bad("numeric TemplateId", TemplateId=59),
    bad("Title of the wrong type", Title=[]),
    bad("Title of 10 MB", Title="x" * 10**7),
    Fault("record: Title of 17 MB", catalog([*AFTER[:59], record("61", Title="x" * 17_000_000)]), "failed", 76, NOTHING),
    bad("NUL in the title", Title="a\x00b"),
    bad("half a surrogate pair", Title="\ud83d"),
    bad("a field's name with NUL", **{"a\x00": 1}),
    bad("negative credit", ConsumeItems=[{"Resolution": "480p", "Credit": -1}]),
    bad("credit that is no number", ConsumeItems=[{"Resolution": "480p", "Credit": float("nan")}]),
    bad("infinite credit", ConsumeItems=[{"Resolution": "480p", "Credit": float("inf")}]),
    bad("credit of 40 digits", ConsumeItems=[{"Resolution": "480p", "Credit": 10**40}]),
    bad("a resolution twice", ConsumeItems=[*PRICES, PRICES[0]]),
    bad("no Credit", ConsumeItems=[{"Resolution": "480p"}]),
    bad("tag lists of unequal length", Tags=["a"]),
    bad("a number as null in a list", Tags=[None, "a"]),
    bad("nesting of 40 levels", x=nested(40)),
    bad("two unknown fields of one name", **{"ConsumeItems.Unit": 1, "ConsumeItems": [{**PRICES[0], "Unit": 1}]}),
    Fault("record: nesting of 50,000 levels", deep_page, "succeeded", 0, "+1 ~0 -1, 1 rejected"),
    Fault("record: a key twice", twice_a_key, "succeeded", 0, ALL),
    Fault("record: Latin-1", latin_1, "succeeded", 0, "+1 ~0 -1, 1 rejected"),
    *(
        Fault(f"record: one {what}", catalog([*AFTER, odd]), "succeeded", 0, f"{rows}, 1 rejected")
        for what, odd, rows in (
            ("without TemplateId, whose media id is new", record(TemplateId=..., MediaId="9"), ALL),
            ("without TemplateId, whose media id 60 had", record(TemplateId=...), KEPT),
            ("with TemplateId null, whose media id 60 had", record(TemplateId=None), KEPT),
            ("without TemplateId and MediaId", record(TemplateId=..., MediaId=...), KEPT),
            ("that is no object", "x", KEPT),
        )
    ),
    Fault("record: the same twice", catalog([AFTER[0], *AFTER], total=60), "succeeded", 0, ALL),
    Fault(
        "record: 59 twice, differently", catalog([*AFTER[:59], record("59", Title="other"), AFTER[59]], total=60), "succeeded", 0,
        "+1 ~0 -1, 1 rejected",
    ),
    Fault("a field new to every template", catalog([{**each, "New": 1} for each in AFTER]), "succeeded", 0, ALL),
    Fault(
        "a field dropped by every template", catalog([record(each["TemplateId"], Title_en=...) for each in BEFORE]),
        "succeeded", 0, NOTHING,
    ),
    Fault(
        "tags, ratios and prices in another order",
        catalog([{**each, "Tags": each["Tags"][::-1], "Tags_en": each["Tags_en"][::-1], "SupportAspectRatio": "1:1,9:16",
                  "ConsumeItems": each["ConsumeItems"][::-1]} for each in BEFORE]),
        "succeeded", 0, NOTHING,
    ),
]  # fmt: skip


def with_fault(fault: Fault, database: Database) -> Outcome:
    with Hostile(fault.script) as server:
        return run_against(
            server.url,
            database.engine,
            page_size=SIZE,
            retry_policy=replace(HASTY, attempts=2),
            timeouts=replace(QUICK, read=5.0),
            **dict(fault.settings),
        )


def rows(outcome: Outcome) -> str:
    run = outcome.run
    return f"+{run.added} ~{run.changed} -{run.removed}" + (f", {run.rejected} rejected" if run.rejected else "")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give an SQLite file in which BEFORE is stored, as bytes."""
    return fill(tmp_path_factory.mktemp("filled"))


def fill(folder: Path) -> bytes:
    file = folder / "before.db"
    engine = open_engine(f"sqlite:///{file}")
    schema.upgrade(engine)
    with Hostile(catalog(BEFORE)) as server:
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


@pytest.mark.parametrize(
    "fault",
    [pytest.param(fault, id=fault.name, marks=[pytest.mark.ci_slice] if place % 4 else []) for place, fault in enumerate(FAULTS)],
)
def test_no_fault_removes_or_changes_anything_falsely(fault: Fault, stored: Database) -> None:
    before = stored.catalog_dump()
    outcome = with_fault(fault, stored)
    exit_code = outcome.error.exit_code if outcome.error else 0
    assert (str(outcome.run.status), exit_code, rows(outcome)) == (fault.status, fault.exit_code, fault.rows)
    assert stored.present >= {each["TemplateId"] for each in AFTER} - {"61"}
    assert ("60" in stored.present) is ("-0" in fault.rows)
    assert ("changed" in titles(stored).values()) is ("~1" in fault.rows)
    assert set(titles(stored).values()) <= {"changed", BEFORE[0]["Title"]}
    assert len(stored.rows("rejected_templates")) == outcome.run.rejected
    if fault.status in {"failed", "deferred"}:
        assert stored.catalog_dump() == before
    (row,) = [row for row in stored.rows("sync_runs") if row["run_id"] == outcome.run.run_id]
    assert (row["status"], row["finished_at"] is None) == (fault.status, False)


@pytest.mark.ci_slice
def test_after_any_fault_one_calm_run_makes_it_right(stored: Database) -> None:
    for fault in FAULTS[::9]:
        with_fault(fault, stored)
    with Hostile(HONEST) as server:
        outcome = run_against(server.url, stored.engine, page_size=SIZE)
    assert outcome.error is None
    assert stored.present == {each["TemplateId"] for each in AFTER}
    assert titles(stored)["59"] == "changed"


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


def test_held_removals_are_removed_when_a_person_accepts_them(stored: Database) -> None:
    run_on(stored, catalog(BEFORE[:40]))
    outcome = run_on(stored, catalog(BEFORE[:40]), accept_removals=True)
    assert (outcome.run.status, outcome.run.removed, outcome.run.held) == (Status.SUCCEEDED, 20, 0)
    assert set(evidence(stored).values()) == {"accepted"}


def test_held_removals_are_removed_when_three_runs_agree(stored: Database) -> None:
    outcomes = [run_on(stored, catalog(BEFORE[:40]), hold=0.0) for _ in range(3)]
    assert [str(outcome.run.status) for outcome in outcomes] == ["held", "held", "succeeded"]
    assert [outcome.run.removed for outcome in outcomes] == [0, 0, 20]
    assert set(evidence(stored).values()) == {"lookup"}
    assert stored.rows("held_removals") == []


def test_a_failed_run_between_neither_counts_nor_forgets(stored: Database) -> None:
    half = catalog(BEFORE[:40])
    scripts = [half, faulty(half, {2: failure(455)}), half, half]
    statuses = [str(run_on(stored, script, hold=0.0).run.status) for script in scripts]
    assert statuses == ["held", "deferred", "held", "succeeded"]


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


def test_two_runs_with_an_hour_between_them_remove_nothing(stored: Database) -> None:
    assert [run_on(stored, catalog(BEFORE[:40]), clock=clock).run.removed for clock in days(0, 9)] == [0, 0]


def test_a_clock_that_is_set_back_removes_nothing_early(stored: Database) -> None:
    clocks = days(9, 9.1, 0, 0.5, 1)
    assert [run_on(stored, catalog(BEFORE[:40]), clock=clock).run.removed for clock in clocks] == [0, 0, 0, 0, 20]


def test_a_wrong_count_waits_as_long_as_a_held_removal(stored: Database) -> None:
    wrong = catalog(BEFORE[:55], total=58)
    assert [run_on(stored, wrong, clock=clock).run.removed for clock in days(0, 0.1, 0.2, 0.3, 1)] == [0, 0, 0, 0, 5]


# A bad page -------------------------------------------------------------------------------------------------------------


def test_of_a_first_run_with_a_page_that_answers_500_for_ever_the_other_pages_are_stored(sqlite: Database) -> None:
    for _ in range(2):
        outcome = run_on(sqlite, faulty(catalog(BEFORE), {3: failure(500)}))
        assert (str(outcome.run.status), len(sqlite.present)) == ("incomplete", 50)
    assert str(outcome.error) == (
        "The walk could not be verified: page 3 could not be fetched (The server failed (500). Message: no). "
        "The served records are stored; nothing was removed."
    )
    assert outcome.error is not None
    assert outcome.error.exit_code == 76


def test_a_walk_with_a_bad_page_neither_counts_for_a_held_removal_nor_forgets_it(stored: Database) -> None:
    half = catalog(BEFORE[:40])
    scripts = [half, faulty(half, {2: failure(500)}), half, faulty(half, {2: failure(500)}), half]
    statuses = [str(run_on(stored, script, hold=0.0).run.status) for script in scripts]
    assert statuses == ["held", "incomplete", "held", "incomplete", "succeeded"]


def test_a_walk_with_a_bad_page_neither_counts_for_a_wrong_count_nor_forgets_it(stored: Database) -> None:
    wrong = catalog(BEFORE[:55], total=58)
    scripts = [wrong, faulty(wrong, {2: failure(500)}), wrong, wrong, faulty(wrong, {2: failure(500)}), wrong]
    assert [run_on(stored, script, hold=0.0).run.removed for script in scripts] == [0, 0, 0, 0, 0, 5]


def test_a_server_error_that_outlasts_every_retry_after_is_that_page_s_alone(stored: Database) -> None:
    at_once = failure(503, 503, headers=(("retry-after", "0"),))
    patient = replace(HASTY, attempts=2, longest_asked=5.0)
    outcome = run_on(stored, faulty(HONEST, {3: at_once}), retry_policy=patient)
    assert (str(outcome.run.status), rows(outcome)) == ("incomplete", KEPT)


# Absences that nothing confirms -----------------------------------------------------------------------------------------


TAKEN_OFFLINE = failure(404, message="The template was taken offline")


def offline(gone: Collection[str], reply: Reply = TAKEN_OFFLINE, served: Sequence[dict[str, Any]] = BEFORE) -> Script:
    """Make a catalog that lacks some templates, and answers a look-up of them otherwise than that of an unknown one."""
    left = [each for each in served if each["TemplateId"] not in gone]
    honest = catalog(left)
    unknown = failure(404, message="There is no such template")

    def look_up(request: Request) -> Reply:
        asked = request.query["template_id"]
        if asked in gone:
            return reply
        return honest(request) if any(each["TemplateId"] == asked for each in left) else unknown

    return catalog(left, look_up=look_up)


@pytest.mark.parametrize("reply", [TAKEN_OFFLINE, html(404)], ids=["taken offline", "a web server's 404"])
def test_what_the_api_denies_in_another_form_is_kept_and_reported_until_a_person_accepts(
    database: Database, reply: Reply
) -> None:
    script = offline({"7", "8", "9"}, reply)
    run_on(database, catalog(BEFORE))
    first = run_on(database, script, clock=days(0)[0])
    before = database.catalog_dump()
    second = run_on(database, script, clock=days(5)[0])
    assert database.catalog_dump() == before, "what was unconfirmed before is not written again"
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


def test_more_unconfirmed_absences_than_may_be_removed_at_once_are_no_success(stored: Database) -> None:
    few, many = ({str(number) for number in range(1, count + 1)} for count in (10, 11))
    assert run_on(stored, offline(few)).error is None
    outcome = run_on(stored, offline(many))
    assert (str(outcome.run.status), outcome.run.error_code, outcome.run.unconfirmed) == ("incomplete", "unconfirmed", 11)
    assert outcome.error is not None
    assert outcome.error.exit_code == 76


def test_unconfirmed_absences_that_are_served_again_or_confirmed_are_forgotten(stored: Database) -> None:
    run_on(stored, offline({"7", "8"}))
    run_on(stored, faulty(catalog([each for each in BEFORE if each["TemplateId"] != "7"]), {3: failure(500)}))
    assert [row["template_id"] for row in stored.rows("unconfirmed_removals")] == ["7"], "an unverified walk keeps the rest"
    outcome = run_on(stored, catalog([each for each in BEFORE if each["TemplateId"] != "7"]))
    assert (outcome.run.removed, stored.rows("unconfirmed_removals")) == (1, [])


def test_a_look_up_that_is_not_answered_leaves_its_template_unconfirmed_and_nobody_can_accept_that(stored: Database) -> None:
    script = offline({"7"}, failure(503, 503))
    for accept in (False, True):
        outcome = run_on(stored, script, accept_removals=accept)
        assert (outcome.error, outcome.run.removed, outcome.run.unconfirmed) == (None, 0, 1)
    (row,) = stored.rows("unconfirmed_removals")
    assert (row["reason"], row["answered"]) == ("the look-up failed: HTTP 503", False)


def test_where_the_controls_fail_a_person_can_accept_what_was_answered(stored: Database) -> None:
    script = faulty(catalog(BEFORE[:58]), {0: html(404)})
    outcome = run_on(stored, script)
    assert (str(outcome.run.status), outcome.run.removed, outcome.run.unconfirmed) == ("incomplete", 0, 2)
    accepted = run_on(stored, script, accept_removals=True)
    assert (accepted.error, accepted.run.removed, set(evidence(stored).values())) == (None, 2, {"accepted"})


def test_a_person_accepts_nothing_after_a_walk_that_is_not_verified(stored: Database) -> None:
    outcome = run_on(stored, faulty(offline({"60"}), {3: failure(500)}), accept_removals=True)
    assert (str(outcome.run.status), outcome.run.removed) == ("incomplete", 0)


def test_an_index_that_is_rebuilt_and_lists_a_part_removes_nothing_that_look_ups_find(sqlite: Database) -> None:
    whole = records(2300)
    run_on(sqlite, catalog(whole), page_size=50)
    rebuilt = catalog(whole[:2080], look_up=catalog(whole))
    outcome = run_on(sqlite, rebuilt, page_size=50)
    assert (outcome.run.removed, len(sqlite.present)) == (0, 2300)
    assert 180 <= outcome.run.unconfirmed < 220, "those that the look-ups found are there"
    accepted = run_on(sqlite, rebuilt, page_size=50, accept_removals=True)
    assert (accepted.run.removed, accepted.run.unconfirmed, len(sqlite.present)) == (0, 0, 2300)


def test_held_removals_that_return_are_forgotten(stored: Database) -> None:
    for script in (catalog(BEFORE[:40]), catalog(BEFORE[:40]), catalog(BEFORE)):
        last = run_on(stored, script)
    assert (last.run.status, last.run.held, len(stored.present)) == (Status.SUCCEEDED, 0, 60)
    assert run_on(stored, catalog(BEFORE[:40])).run.status is Status.HELD


def test_an_empty_catalog_removes_nothing_however_often_it_is_served(stored: Database) -> None:
    for _ in range(5):
        outcome = run_on(stored, catalog([]))
    assert (outcome.run.status, len(stored.present)) == (Status.HELD, 60)
    assert run_on(stored, catalog([]), accept_removals=True).run.removed == 60


def test_an_empty_catalog_does_not_empty_a_small_one_either(sqlite: Database) -> None:
    run_on(sqlite, catalog(records(3)))
    outcome = run_on(sqlite, catalog([]))
    assert (outcome.run.status, sqlite.present) == (Status.HELD, {"1", "2", "3"})


def test_of_more_than_200_missing_a_second_walk_is_the_witness(sqlite: Database) -> None:
    run_on(sqlite, catalog(records(250)), page_size=50)
    with Hostile(catalog(records(40))) as server:
        outcome = run_against(server.url, sqlite.engine, max_removed=1)
        assert [page for page in server.pages if page] == [1, 1]
        assert len({request.query["template_id"] for request in server.requests if not request.page}) >= 20
    assert (outcome.run.removed, set(evidence(sqlite).values())) == (210, {"walks"})


def test_a_second_walk_that_brings_them_back_removes_nothing(sqlite: Database) -> None:
    run_on(sqlite, catalog(records(250)), page_size=50)
    outcome = run_on(
        sqlite, lambda request: catalog(records(40 if request.number == 1 else 250))(request), max_removed=1, workers=1
    )
    assert (outcome.run.removed, len(sqlite.present)) == (0, 250)


def test_a_count_that_never_agrees_is_taken_to_be_wrong_in_the_fourth_run(stored: Database) -> None:
    wrong = catalog(BEFORE[:55], total=58)
    outcomes = [run_on(stored, wrong, hold=0.0) for _ in range(4)]
    assert [str(outcome.run.status) for outcome in outcomes] == ["incomplete", "incomplete", "incomplete", "succeeded"]
    assert [outcome.run.removed for outcome in outcomes] == [0, 0, 0, 5]
    assert set(evidence(stored).values()) == {"lookup"}


def test_a_page_that_stays_empty_removes_nothing_for_the_look_up_finds_them(stored: Database) -> None:
    broken = faulty(catalog(BEFORE), {3: success([], 60)})
    outcomes = [run_on(stored, broken) for _ in range(5)]
    assert [outcome.run.removed for outcome in outcomes] == [0] * 5
    assert len(stored.present) == 60


def test_other_ids_start_the_count_of_disagreeing_runs_anew(stored: Database) -> None:
    scripts = [catalog(BEFORE[:count], total=58) for count in (55, 55, 54, 54, 54)]
    assert {str(run_on(stored, script).run.status) for script in scripts} == {"incomplete"}


def test_a_template_that_moved_past_the_walk_unseen_is_not_removed(stored: Database) -> None:
    """The invisible case: one goes and one comes while 60 moves to a page already read; every count agrees."""
    seen = [*BEFORE[:59], record("61")]
    script = catalog(seen, look_up=one_after_another(success([BEFORE[59]])))
    outcome = run_on(stored, script)
    assert (rows(outcome), "60" in stored.present) == ("+1 ~0 -0", True)


def test_a_bad_record_keeps_the_last_good_values_and_is_told(stored: Database) -> None:
    spoilt = [*BEFORE[:59], record("60", Title="new", Duration="long")]
    outcome = run_on(stored, catalog(spoilt))
    assert (rows(outcome), titles(stored)["60"]) == ("+0 ~0 -0, 1 rejected", BEFORE[59]["Title"])
    (row,) = stored.rows("rejected_templates")
    assert (row["page"], row["position"], row["template_id"], row["reason"]) == (
        6, 9, "60", "Duration must be a number, not a string",
    )  # fmt: skip
    assert '"Duration": "long"' in row["payload"]


@pytest.mark.parametrize("hostile_name", ["a\x00b", "\ud83d", "x" * 5000])
def test_a_bad_record_with_an_odd_field_is_stored_by_every_database(database: Database, hostile_name: str) -> None:
    spoilt = [record("1"), record("2", Title=["\x00"], **{hostile_name: float("nan")}), record("3", Title="\x1b[2J")]
    outcome = run_on(database, catalog(spoilt, total=3))
    assert (outcome.error, rows(outcome)) == (None, "+2 ~0 -0, 1 rejected")
    assert run_on(database, catalog(spoilt, total=10**60)).run.status is Status.INCOMPLETE


def test_a_field_new_to_every_template_is_reported_in_one_run_only(stored: Database) -> None:
    new = catalog([{**each, "New": 1} for each in BEFORE])
    first, second = run_on(stored, new), run_on(stored, new)
    assert (first.run.fields_appeared, second.run.fields_appeared) == (("New",), ())
    assert (first.run.changed, second.run.changed) == (0, 0)
    assert {row["extra"]["New"] for row in stored.rows("templates")} == {1}


@pytest.mark.parametrize("field", ["Title_en", "Tags", "Tags_en", "ConsumeItems", "SupportAspectRatio", "Cover", "InputNum"])
def test_a_field_that_no_template_has_is_reported_by_each_run_and_its_values_stay(stored: Database, field: str) -> None:
    before = stored.values_dump()
    without = catalog([{name: value for name, value in each.items() if name != field} for each in BEFORE])
    first, second = run_on(stored, without), run_on(stored, without)
    assert (first.run.fields_vanished, second.run.fields_vanished) == ((field,), (field,))
    assert (first.run.rejected, first.run.changed) == (0, 0)
    assert stored.values_dump() == before


def test_signed_urls_are_stored_as_the_newest_and_never_told(stored: Database) -> None:
    def anew(request: Request) -> Reply:
        return catalog([{**each, "Cover": f"https://media.example/cover.jpeg?sig={request.number}"} for each in BEFORE])(request)

    for _ in range(2):
        outcome = run_on(stored, anew, workers=1)
        assert (rows(outcome), outcome.run.unchanged) == (NOTHING, 60)
    assert {row["cover_url"] for row in stored.rows("templates")} == {
        f"https://media.example/cover.jpeg?sig={number}" for number in range(1, 7)
    }


# The section of the document -----------------------------------------------------------------------------------------------

BEGIN, END = "<!-- faults: written by `python -m tests.test_faults` -->\n", "<!-- end of faults -->\n"


def section(faults: Sequence[Fault]) -> str:
    """Group the faults by result, then by what their names begin with."""
    groups: dict[str, dict[str, list[str]]] = {}
    for fault in faults:
        where, colon, what = fault.name.partition(": ")
        result = f"**`{fault.status}`, exit code {fault.exit_code}, `{fault.rows}`**"
        groups.setdefault(result, {}).setdefault(where if colon else "other", []).append(what if colon else where)
    return "\n".join(f"{result}\n\n" + "".join(starmap(item, named.items())) for result, named in groups.items())


def item(where: str, what: Sequence[str]) -> str:
    line = f"- {where}: {' · '.join(what)}"
    return textwrap.fill(line, 130, subsequent_indent="  ", break_on_hyphens=False) + "\n"


def written_section() -> str:
    return DOCUMENT.read_text().partition(BEGIN)[2].partition(END)[0]


def test_the_document_says_what_the_runs_do() -> None:
    """Each result is checked against a run by the first test here; this one checks the document."""
    assert written_section() == section(FAULTS)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        content = fill(Path(temporary))

        def observed(fault: Fault) -> Fault:
            database = copied(content, Path(temporary))
            try:
                outcome = with_fault(fault, database)
            finally:
                database.engine.dispose()
            exit_code = outcome.error.exit_code if outcome.error else 0
            return replace(fault, status=str(outcome.run.status), exit_code=exit_code, rows=rows(outcome))

        DOCUMENT.write_text(DOCUMENT.read_text().replace(written_section(), section([observed(fault) for fault in FAULTS])))
