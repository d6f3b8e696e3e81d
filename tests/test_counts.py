"""The cost of a run in counts instead of seconds: statements, rows, parsed records, hashed bytes, imported modules.

A count does not depend on the machine, so it is exact: a regression changes a number. If a change has a good reason, the number
here changes with it, and the commit explains it. `bench/` measures the times.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from sync.catalog import served_records
from sync.reader import catalog, feed
from sync.sandbox.server import Sandbox
from tests.builders import records, run_against, run_with
from tests.command_line import environment, of_sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

    from tests.builders import Database

WRITTEN = re.compile(r"(?:INSERT INTO|UPDATE|DELETE FROM|COPY) (\w+)")
"""The beginning of a statement that writes into a table."""

EVERY_RUN = {"sync_lease": 3, "sync_runs": 2}
"""The lease is acquired, checked and released; the row of the run is inserted and completed."""

PINNED: dict[int, dict[str, dict[str, Any]]] = {
    280: {
        "first": {
            "requests": 6, "parsed": 280, "hashed": 182_344, "statements": {"sqlite": 31, "postgresql": 31, "mariadb": 30},
            "rows": {
                "templates": 280, "template_versions": 280, "template_changes": 280, "price_periods": 560, "consume_items": 560,
                "template_tags": 560, "template_aspect_ratios": 560, "tags": 2, "sync_state": 2,
            },
        },
        "no change": {
            "requests": 6, "parsed": 0, "hashed": 182_344,
            "statements": {"sqlite": 18, "postgresql": 18, "mariadb": 17}, "rows": {},
        },
        "1 %": {
            "requests": 12, "parsed": 4, "hashed": 182_236, "statements": {"sqlite": 51, "postgresql": 51, "mariadb": 48},
            "rows": {
                "templates": 5, "template_versions": 8, "template_changes": 5, "price_periods": 7, "consume_items": 5,
                "template_tags": 5, "template_aspect_ratios": 2, "tags": 1, "sync_state": 1, "price_changes": 2,
            },
        },
    },
    10_000: {
        "first": {
            "requests": 201, "parsed": 10_000, "hashed": 6_537_788,
            "statements": {"sqlite": 183, "postgresql": 183, "mariadb": 182},
            "rows": {
                "templates": 10_000, "template_versions": 10_000, "template_changes": 10_000, "price_periods": 20_000,
                "consume_items": 20_000, "template_tags": 20_000, "template_aspect_ratios": 20_000, "tags": 2, "sync_state": 2,
            },
        },
        "no change": {
            "requests": 201, "parsed": 0, "hashed": 6_537_788,
            "statements": {"sqlite": 18, "postgresql": 18, "mariadb": 17}, "rows": {},
        },
        "1 %": {
            "requests": 256, "parsed": 150, "hashed": 6_534_365,
            "statements": {"sqlite": 51, "postgresql": 51, "mariadb": 48},
            "rows": {
                "templates": 200, "template_versions": 300, "template_changes": 200, "price_periods": 302, "consume_items": 202,
                "template_tags": 199, "template_aspect_ratios": 100, "tags": 1, "sync_state": 1, "price_changes": 68,
            },
        },
    },
}  # fmt: skip
"""Catalog's size -> phase -> counts. `parsed` and `hashed`: records, and the bytes of records."""

MODULES = {
    "first": {
        "sync": 59, "sqlalchemy": 132, "httpx": 22, "httpcore": 26, "h11": 11, "structlog": 20, "click": 12, "msgspec": 12,
        "alembic": 50,
    },
    "no change": {
        "sync": 57, "sqlalchemy": 90, "httpx": 22, "httpcore": 26, "h11": 11, "structlog": 20, "click": 12, "msgspec": 12,
    },
}  # fmt: skip
"""Modules that `run` imports, by package; those of `COUNTED_PACKAGES` that are missing here are not imported."""
COUNTED_PACKAGES = (
    "sync", "sqlalchemy", "httpx", "httpcore", "h11", "structlog", "click", "msgspec", "alembic", "apscheduler",
    "prometheus_client", "cronsim", "wcwidth", "dotenv", "psycopg", "pymysql",
)  # fmt: skip


class Counted:
    """Statements that went through an engine, and the rows that they wrote, whether or not those differ from before."""

    def __init__(self) -> None:
        self.statements = 0
        self.rows: Counter[str] = Counter()

    def see(self, _connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        """Count one statement after its execution."""
        self.statements += 1
        if found := WRITTEN.match(statement):
            self.rows[found[1]] += cursor.rowcount


@contextmanager
def counting(engine: Engine) -> Iterator[Counted]:
    counted = Counted()
    event.listen(engine, "after_cursor_execute", counted.see)
    with seeing_copies(counted):
        yield counted
    event.remove(engine, "after_cursor_execute", counted.see)


@contextmanager
def seeing_copies(counted: Counted) -> Iterator[None]:
    """Count COPY of PostgreSQL, too, which does not go through SQLAlchemy."""
    psycopg: Any = pytest.importorskip("psycopg")
    copy_of_driver = psycopg.Cursor.copy

    @contextmanager
    def copy(cursor: Any, statement: str) -> Iterator[Any]:
        with copy_of_driver(cursor, statement) as copying:
            yield copying
        counted.see(None, cursor, statement)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "copy", copy)
        yield


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of the records whose bytes were hashed."""
    sizes: list[int] = []

    def counted(raw: bytes) -> str:
        sizes.append(len(raw))
        return wire_hash(raw)

    wire_hash = served_records.wire_hash
    monkeypatch.setattr(served_records, "wire_hash", counted)
    return sizes


def changed(count: int) -> list[dict[str, Any]]:
    """Make a catalog in which 1 % changed (price, title and tags in turn), 0.5 % were removed and as many added."""
    kinds: list[dict[str, Any]] = [
        {"ConsumeItems": [{"Resolution": "480p", "Credit": 1}]}, {"Title": "新"}, {"Tags": ["新"], "Tags_en": ["New"]},
    ]  # fmt: skip
    gone = max(1, count // 200)
    listed = records(count + gone)[gone:]
    for place in range(max(3, count // 100)):
        listed[place] |= kinds[place % 3]
    return listed


def count_runs(database: Database, templates: int, hashed: list[int]) -> dict[str, dict[str, Any]]:
    """Make a first run, one without changes and one with 1 %; return the counts of each."""
    counts = {}
    with Sandbox(records(templates)) as sandbox:
        for phase in ("first", "no change", "1 %"):
            if phase == "1 %":
                sandbox.replace(changed(templates))
            hashed.clear()
            with counting(database.engine) as counted:
                # Random controls could be the same ID twice, which is one request less.
                outcome = run_against(sandbox.url, database.engine, random=Random(1).random)  # noqa: S311 - a test's input
            assert outcome.error is None
            assert outcome.plan is not None
            counts[phase] = {
                "requests": outcome.run.requests,
                "statements": counted.statements,
                "rows": dict(counted.rows),
                "parsed": sum(each.offset is not None for each in outcome.plan.snapshot.good.values()),
                "hashed": sum(hashed),
            }
    return counts


def pinned(templates: int, kind: str) -> dict[str, dict[str, Any]]:
    """Return the counts for one kind of database; only those of statements differ."""
    expected = {}
    for phase, counts in PINNED[templates].items():
        expected[phase] = {**counts, "statements": counts["statements"][kind], "rows": EVERY_RUN | counts["rows"]}
    return expected


def test_runs_of_280_templates_take_these_counts(database: Database, hashed: list[int]) -> None:
    assert count_runs(database, 280, hashed) == pinned(280, database.kind)


@pytest.mark.long
def test_runs_of_10_000_templates_take_these_counts(database: Database, hashed: list[int]) -> None:
    assert count_runs(database, 10_000, hashed) == pinned(10_000, database.kind)


LIST_MODULES = """
import atexit, pathlib, sys
atexit.register(lambda: pathlib.Path("modules").write_text(" ".join(sys.modules)))
from sync.__main__ import main
main()
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, int]]:
    """Modules that a first run imports on SQLite, and one without change, by package."""
    folder = tmp_path_factory.mktemp("modules")
    found = {}
    with Sandbox(records(3)) as sandbox:
        variables = environment(**of_sandbox(sandbox, SYNC_LOG_LEVEL="error"))
        for phase in MODULES:
            subprocess.run(
                [sys.executable, "-c", LIST_MODULES, "run"], cwd=folder, env=variables, check=True, capture_output=True
            )
            packages = Counter(name.partition(".")[0] for name in (folder / "modules").read_text().split())
            found[phase] = {name: packages[name] for name in COUNTED_PACKAGES if packages[name]}
    return found


@pytest.mark.parametrize("phase", MODULES)
def test_the_number_of_modules_that_a_run_imports(imported: dict[str, dict[str, int]], phase: str) -> None:
    assert imported[phase] == MODULES[phase]


BOUNDED: dict[str, Callable[[Engine], object]] = {
    "changes --since": lambda engine: feed.changes(engine, since=299, run_id=None, most=None),
    "changes --run": lambda engine: feed.changes(engine, since=None, run_id=2, most=None),
    "changes": lambda engine: feed.changes(engine, since=None, run_id=None, most=50),
    "show": lambda engine: catalog.find_template(engine, "7"),
    "history": lambda engine: feed.changes(engine, template_id="7"),
}
"""Queries with a small result, for a database of any size."""


@pytest.fixture
def filled(sqlite: Database) -> Database:
    """A database of 300 templates in which one changed and one was removed."""
    run_with(records(300), sqlite.engine)
    run_with([{**records(299)[0], "Title": "新"}, *records(299)[1:]], sqlite.engine)
    return sqlite


@pytest.mark.parametrize("query", BOUNDED)
def test_a_bounded_query_scans_neither_versions_nor_changes(filled: Database, query: str) -> None:
    statements: list[tuple[str, Any]] = []
    record_statement = lambda _connection, _cursor, statement, parameters, *_: statements.append((statement, parameters))  # noqa: E731
    event.listen(filled.engine, "before_cursor_execute", record_statement)
    BOUNDED[query](filled.engine)
    event.remove(filled.engine, "before_cursor_execute", record_statement)
    with filled.engine.connect() as connection:
        for statement, parameters in statements:
            if statement.startswith("SELECT"):
                steps = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
                assert [step for step in steps if step.startswith(whole_tables(statement))] == []
    assert any("template_versions" in statement for statement, _ in statements)


def whole_tables(statement: str) -> tuple[str, ...]:
    """Return the beginnings of steps that read a whole table; along an index, up to a LIMIT, is allowed."""
    along = "USE TEMP B-TREE FOR ORDER BY" if "LIMIT" in statement else "SCAN template_changes"
    return ("SCAN template_versions", along)
