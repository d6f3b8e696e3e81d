"""Databases of 0.1.0 and 0.2.0 are upgraded in place: no row, view or grant is lost, and the first run finds no change."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from sync import Catalog
from sync.catalog.served_records import wire_hash
from sync.errors import SchemaError
from sync.store import schema
from sync.store.engine import open_engine, reading
from tests.builders import Database, give_epoch
from tests.conftest import SERVERS, new_database
from tests.faults import anomalies, at, dumped, killed_upgrades, sync

if TYPE_CHECKING:
    from concurrent.futures import Future

pytestmark = pytest.mark.long_on_servers

DATA = Path(__file__).parents[1] / "data" / "0.1.0"
SERVED: list[dict[str, Any]] = json.loads((DATA / "served.json").read_text(encoding="utf-8"))
CURRENT = (
    "SELECT template_id, title, title_en, cover_url, released_at, extra, changed_at FROM current_templates ORDER BY template_id"
)
PRICES = "SELECT template_id, resolution, credit, valid_from, valid_until FROM price_history ORDER BY 1, 2, 4"
FEED = "SELECT seq, run_id, at, template_id, kind, fields, evidence, document FROM change_feed ORDER BY seq"


@pytest.fixture
def old(empty_database: Database) -> Database:
    """A database of each kind in turn, as 0.1.0 left it."""
    load(empty_database)
    return empty_database


def load(database: Database, data: Path = DATA) -> None:
    """Load the dump of an old version into an empty database with the driver."""
    written = (data / f"{database.kind}.sql").read_text(encoding="utf-8")
    if database.kind == "sqlite":
        with closing(sqlite3.connect(str(database.engine.url.database))) as file:
            file.executescript(f"PRAGMA journal_mode=WAL; {written}")
        return
    connection = database.engine.raw_connection()
    cursor = connection.cursor()
    for statement in [written] if database.kind == "postgresql" else written.split(";\n"):
        if statement.strip():
            cursor.execute(statement)
    connection.commit()
    connection.invalidate()  # the dump has changed its settings


def columns(engine: sa.Engine) -> set[tuple[str, str]]:
    """Return the columns of every table except that of the version."""
    inspector = sa.inspect(engine)
    return {
        (table, column["name"])
        for table in inspector.get_table_names()
        if table != schema.VERSION_TABLE
        for column in inspector.get_columns(table)
    }


def rows(engine: sa.Engine, of: set[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the rows of every table in these columns as the driver returns them; without the lease, which an upgrade takes."""
    found: dict[str, list[str]] = {}
    with engine.connect() as connection:
        for table in sorted({table for table, _ in of} - {"sync_lease"}):
            names = ", ".join(f"t.{name}" for name in sorted(name for each, name in of if each == table))
            found[table] = sorted(map(repr, connection.execute(sa.text(f"SELECT {names} FROM {table} t"))))  # noqa: S608 - existing names
    return found


def down_to_0001(engine: sa.Engine) -> None:
    while schema.current(engine)[0] != "0001":
        schema.upgrade(engine, "-1")


def select(engine: sa.Engine, query: str) -> list[Any]:
    with engine.connect() as connection:
        return [*connection.execute(sa.text(query))]


DROPPED = {("templates", "fingerprint"), *(("sync_state", name) for name in ("wire_fields", "absent_fields", "next_run_at"))}
"""Columns of 0.1.0 that the current schema does not have."""

# Upgrades in place ----------------------------------------------------------------------------------------------------


def test_an_upgrade_keeps_every_row(old: Database) -> None:
    engine, was = old.engine, columns(old.engine)
    kept = was - DROPPED
    before = rows(engine, kept)
    assert {name for name, found in before.items() if not found} == set(), "every table has rows"
    feed, prices = select(engine, FEED), select(engine, PRICES)
    assert schema.current(engine) == ("0001", schema.State.BEHIND)
    schema.upgrade(engine)
    assert schema.current(engine) == (schema.HEAD, schema.State.CURRENT)
    assert schema.differences(engine) == []
    assert was - columns(engine) == DROPPED
    assert rows(engine, kept) == before
    assert (select(engine, FEED), select(engine, PRICES)) == (feed, prices)
    added = columns(engine) - was
    assert {("templates", "wire_hash"), ("template_changes", "cursor"), ("price_changes", "old_credit")} <= added
    filled = {("sync_runs", "unconfirmed"), ("held_removals", "since_at")}
    unknown = {
        each for each in added - filled if each[0] not in {"template_changes", "price_changes", "sync_state", "sync_lease"}
    }
    assert {value for table, name in unknown for (value,) in select(engine, f"SELECT t.{name} FROM {table} t")} == {None}  # noqa: S608
    assert {row["unconfirmed"] for row in old.rows("sync_runs")} == {0}
    started = {row["run_id"]: row["started_at"] for row in old.rows("sync_runs")}
    assert {row["since_at"] for row in old.rows("held_removals")} == {started[9]}
    assert anomalies(old) == []


def test_a_removal_held_since_a_pruned_run_is_held_since_the_newest_run(old: Database) -> None:
    old.execute("UPDATE held_removals SET since_run_id = 1 WHERE template_id = '101'")
    old.execute("DELETE FROM sync_runs WHERE run_id = 1")
    newest = old.scalar("SELECT MAX(run_id) FROM sync_runs")
    schema.upgrade(old.engine)
    (since,) = (row["since_at"] for row in old.rows("held_removals") if row["template_id"] == "101")
    assert [since] == [row["started_at"] for row in old.rows("sync_runs") if row["run_id"] == newest]


def test_upgraded_databases_are_equal_on_every_engine(old: Database, tmp_path: Path) -> None:
    url, _ = new_database("sqlite", tmp_path)
    other = Database("sqlite", url, open_engine(url))
    load(other)
    for database in (old, other):
        schema.upgrade(database.engine)
        give_epoch(database.engine)
    assert dumped(old.engine) == dumped(other.engine)


def test_down_and_up_again_loses_nothing(old: Database) -> None:
    engine, was = old.engine, columns(old.engine)
    schema.upgrade(engine)
    sync(SERVED, engine, clock=at(0))
    kept = was - DROPPED
    before = rows(engine, kept)
    down_to_0001(engine)
    assert columns(engine) == was
    assert rows(engine, kept) == before
    schema.upgrade(engine)
    assert rows(engine, kept) == before
    assert schema.differences(engine) == []
    outcome = sync(SERVED, engine, clock=at(1))
    assert (outcome.error, outcome.run.changes, outcome.run.unchanged) == (None, 0, 6)


# The first runs -------------------------------------------------------------------------------------------------------


def test_the_first_run_finds_no_change_and_the_second_loads_no_document(old: Database) -> None:
    schema.upgrade(old.engine)
    before, runs = old.catalog_dump(), old.rows("sync_runs", "run_id")
    hashes = {each["TemplateId"]: wire_hash(json.dumps(each).encode()) for each in SERVED}
    first = sync(SERVED, old.engine, clock=at(0))
    assert (first.error, first.run.changes, first.run.unchanged) == (None, 0, 6)
    assert old.rows("sync_runs", "run_id")[:-1] == runs
    assert {row["template_id"]: row.pop("wire_hash") for row in old.rows("templates")} == {**hashes, "109": None}
    without_hashes = [{**row, "wire_hash": None} for row in old.rows("templates")]
    found = {**old.catalog_dump(), "templates": sorted(repr(sorted(row.items())) for row in without_hashes)}
    assert found == {**before, "held_removals": []}, "the held templates are served again; nothing else changed"

    after, statements = old.dump(), list[str]()
    event.listen(old.engine, "before_cursor_execute", lambda _connection, _cursor, statement, *_: statements.append(statement))
    second = sync(SERVED, old.engine, clock=at(1))
    assert second.plan is not None
    assert second.error is None
    assert [each.offset for each in second.plan.snapshot.good.values()] == [None] * 6, "all are unchanged by their bytes"
    assert [statement for statement in statements if "template_versions" in statement] == [], "no document is loaded"
    same = {name: found for name, found in old.dump().items() if name not in {"sync_runs", "sync_lease"}}
    assert same == {name: after[name] for name in same}
    assert len(old.rows("sync_runs")) == len(runs) + 2


def test_the_first_run_after_the_upgrade_publishes_a_change(old: Database) -> None:
    schema.upgrade(old.engine)
    outcome = sync([{**SERVED[0], "Title_en": "Other"}, *SERVED[1:]], old.engine, clock=at(0))
    assert (outcome.error, outcome.run.changed, outcome.run.unchanged) == (None, 1, 5)
    published = old.rows("template_changes", "seq")[-1]
    assert (published["seq"], published["template_id"]) == (17, "101")
    assert published["fields"] == [{"field": "title_en", "old": "Battle Game", "new": "Other"}]
    assert anomalies(old) == []


def test_a_daemon_of_0_1_0_cannot_write_after_the_upgrade(old: Database) -> None:
    """It checks the schema only at its start, and would write new rows with an old hash of bytes."""
    schema.upgrade(old.engine)
    for statement in ("UPDATE templates SET fingerprint = 'f'", "UPDATE sync_state SET wire_fields = NULL"):
        with pytest.raises(sa.exc.DBAPIError):
            old.execute(statement)


# Views and grants of other programs -----------------------------------------------------------------------------------

THEIRS = (
    "CREATE VIEW their_own AS SELECT template_id, title_en FROM current_templates WHERE template_id < '103'",
    "CREATE VIEW their_whole AS SELECT * FROM templates",
    "CREATE INDEX their_index ON templates (media_id)",
    "CREATE TABLE their_notes (template_id VARCHAR(255))",
)
NOTE = "INSERT INTO their_notes VALUES (NEW.template_id)"
TRIGGERS = {
    "sqlite": [f"CREATE TRIGGER their_trigger AFTER UPDATE ON templates BEGIN {NOTE}; END"],
    "postgresql": [
        f"CREATE FUNCTION their_function() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN {NOTE}; RETURN NEW; END'",
        "CREATE TRIGGER their_trigger AFTER UPDATE ON templates FOR EACH ROW EXECUTE FUNCTION their_function()",
    ],
    "mariadb": [f"CREATE TRIGGER their_trigger AFTER UPDATE ON templates FOR EACH ROW {NOTE}"],
}


def test_views_indexes_and_triggers_of_other_programs_are_kept(old: Database) -> None:
    engine = old.engine
    old.execute(*THEIRS, *TRIGGERS[old.kind])
    if old.kind != "sqlite":  # a server stores the columns of *, and one of them is dropped
        with pytest.raises(SchemaError, match=r": their_whole\.$"):
            schema.upgrade(engine)
        old.execute("DROP VIEW their_whole", "CREATE VIEW their_whole AS SELECT template_id, title FROM templates")
    schema.upgrade(engine)
    assert select(engine, "SELECT * FROM their_notes") == [], "the upgrade changes no row"
    assert "their_index" in {index["name"] for index in sa.inspect(engine).get_indexes("templates")}
    assert select(engine, "SELECT * FROM their_own ORDER BY 1") == [("101", "Battle Game"), ("102", "Renamed")]
    assert len(select(engine, "SELECT * FROM their_whole")) == 7
    assert sync([{**SERVED[0], "Title_en": "Other"}, *SERVED[1:]], engine, clock=at(0)).error is None
    assert select(engine, "SELECT * FROM their_own ORDER BY 1") == [("101", "Other"), ("102", "Renamed")]
    noted = [template_id for (template_id,) in select(engine, "SELECT template_id FROM their_notes")]
    assert sorted(noted) == ["101", "102", "103", "104", "105", "106"], "each row is written once, with the hash of its bytes"
    down_to_0001(engine)
    assert select(engine, "SELECT * FROM their_own ORDER BY 1") == [("101", "Other"), ("102", "Renamed")]


@pytest.mark.parametrize("empty_database", SERVERS, indirect=True)
def test_the_grants_of_a_reader_are_kept(old: Database) -> None:
    role = f"sync_test_0_1_0_{os.getpid()}"
    named = {"postgresql": role, "mariadb": f"{role}@'%'"}[old.kind]
    old.execute({"postgresql": f"CREATE ROLE {role} LOGIN", "mariadb": f"CREATE OR REPLACE USER {named}"}[old.kind])
    old.execute(*(f"GRANT SELECT ON {granted} TO {named}" for granted in ("templates", "current_templates", "sync_status")))
    as_reader = open_engine(old.engine.url.set(username=role, password=None).render_as_string(hide_password=False))
    try:
        before = select(as_reader, CURRENT)
        schema.upgrade(old.engine)
        assert select(as_reader, CURRENT) == before
        assert sync(SERVED, old.engine, clock=at(0)).error is None
        assert select(as_reader, "SELECT present_count FROM sync_status") == [(6,)]
        assert len(select(as_reader, "SELECT wire_hash FROM templates")) == 7
        for refused in ("SELECT * FROM tags", "DELETE FROM templates", "UPDATE templates SET wire_hash = 'x'"):
            with pytest.raises(sa.exc.DBAPIError, match="denied"):
                select(as_reader, refused)
    finally:
        dropped = {"postgresql": [f"DROP OWNED BY {role}", f"DROP ROLE {role}"], "mariadb": [f"DROP USER {named}"]}
        old.execute(*dropped[old.kind])


# With open readers ----------------------------------------------------------------------------------------------------

WAITING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
    "mariadb": "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND state LIKE 'Waiting for table%'",
}


def until_waiting(database: Database, several: int, work: Future[Any]) -> None:
    """Wait until the work is done or this number of connections waits for a lock."""
    ends = time.monotonic() + 30
    while not work.done() and (database.kind == "sqlite" or select(database.engine, WAITING[database.kind])[0][0] < several):
        assert time.monotonic() < ends, "the work neither ended nor waits"
        time.sleep(0.01)


def test_an_open_reader_sees_the_old_schema_and_a_new_reader_waits(old: Database) -> None:
    """The upgrade of a server waits for open readers, and new readers of MariaDB wait for it; SQLite does not wait."""
    others = open_engine(old.url)
    with ThreadPoolExecutor() as pool, reading(old.engine) as connection:
        before = [*connection.execute(sa.text(CURRENT))]
        upgrade = pool.submit(schema.upgrade, others)
        until_waiting(old, 1, upgrade)
        assert upgrade.done() == (old.kind == "sqlite")
        newcomer = pool.submit(select, others, CURRENT)
        until_waiting(old, 2, newcomer)
        assert [*connection.execute(sa.text(CURRENT))] == before
        assert connection.scalar(sa.text("SELECT count(*) FROM templates")) == 7
    upgrade.result()
    assert newcomer.result() == before
    assert schema.current(old.engine)[1] is schema.State.CURRENT


def test_a_transaction_from_before_the_upgrade_can_read_other_tables_after_it(old: Database) -> None:
    others = open_engine(old.url)
    before = select(old.engine, CURRENT)
    with reading(old.engine) as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM tags")) == 9
        schema.upgrade(others)
        assert [*connection.execute(sa.text(CURRENT))] == before


@pytest.mark.parametrize("view", ["price_history", "sync_status"])
def test_a_reader_of_several_tables_does_not_deadlock_with_the_upgrade(old: Database, view: str) -> None:
    others = open_engine(old.url)
    before = select(old.engine, CURRENT)
    with ThreadPoolExecutor() as pool, reading(old.engine) as connection:
        connection.execute(sa.text(f"SELECT * FROM {view}")).all()  # noqa: S608 - one of the two above
        upgrade = pool.submit(schema.upgrade, others)
        until_waiting(old, 1, upgrade)
        assert [*connection.execute(sa.text(CURRENT))] == before
    upgrade.result()
    assert schema.current(old.engine)[1] is schema.State.CURRENT


# Kills ----------------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_an_upgrade_killed_at_every_statement_can_be_repeated(old: Database) -> None:
    """On MariaDB each completed ALTER stays, and the next upgrade continues after it; elsewhere all is rolled back."""
    engine, was = old.engine, columns(old.engine)
    lasting = was - DROPPED
    before = rows(engine, lasting)
    kept = []
    for _number in killed_upgrades(old):
        assert rows(engine, lasting) == before
        kept.append(schema.current(engine)[0] == "0001" and bool(columns(engine) - was))
    assert len(kept) > 8
    assert any(kept) == (old.kind == "mariadb")
    assert schema.current(engine) == (schema.HEAD, schema.State.CURRENT)
    assert schema.differences(engine) == []
    assert rows(engine, lasting) == before
    assert sync(SERVED, engine, clock=at(0)).run.unchanged == 6
    assert anomalies(old) == []


# 0.2.0 ----------------------------------------------------------------------------------------------------------------


def test_an_upgrade_of_0_2_0_keeps_the_feed_and_the_position_of_the_webhook_and_its_cursor_continues(tmp_path: Path) -> None:
    database = Database("sqlite", f"sqlite:///{tmp_path / 'old.db'}", open_engine(f"sqlite:///{tmp_path / 'old.db'}"))
    load(database, DATA.parent / "0.2.0")
    engine = database.engine
    kept = (FEED.replace("evidence", "evidence, cursor"), PRICES, "SELECT * FROM webhook_endpoints")
    feed, prices, position = before = [select(engine, query) for query in kept]
    assert (len(feed), len(prices) > 12, len(position)) == (17, True, 1)
    schema.upgrade(engine)
    assert schema.differences(engine) == []
    assert [select(engine, query) for query in kept] == before
    ((cursor,),) = select(engine, "SELECT cursor FROM change_feed WHERE seq = 12")
    assert [change.seq for change in Catalog(engine).changes(since=str(cursor))] == [13, 14, 15, 16, 17]
