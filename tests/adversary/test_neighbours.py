"""Every row of the table of other users, on its engines; isolation levels, session settings and encodings of databases."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.errors import SchemaError, SyncError
from sync.store.engine import open_engine
from sync.store.schema import prepare, upgrade
from tests.adversary.attack import AFTER, BEFORE, CORRECT, SIZE, exported, rows
from tests.adversary.neighbours import MORE_ON_SERVERS, QUICK_ON_SERVERS, RUNS, UPGRADES
from tests.builders import Database, run_against, run_with
from tests.command_line import command
from tests.faults import Catalog, sync, wait_for
from tests.hostile import Hostile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.adversary.neighbours import OtherProgram
    from tests.hostile import Reply, Request


def act(database: Database, statements: Sequence[str]) -> None:
    """Execute statements on another connection."""
    engine = sa.create_engine(database.engine.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    quoted = database.engine.dialect.identifier_preparer.quote_identifier("trigger")
    names = {"{database}": str(database.engine.url.database), "{trigger}": quoted}
    with engine.connect() as connection:
        for statement in statements:
            for name, value in names.items():
                statement = statement.replace(name, value)  # noqa: PLW2901 - the same statement
            connection.exec_driver_sql(statement)


def on_each_engine(lines: Sequence[OtherProgram]) -> pytest.MarkDecorator:
    """Pair each row with its engines; each needs its own database, so few of them are quick."""

    def marks(place: int, line: OtherProgram, kind: str) -> list[pytest.MarkDecorator]:
        if line.name in QUICK_ON_SERVERS or (kind == "sqlite" and place % 4 == 0):
            return []
        return [
            pytest.mark.ci_slice if line.name in MORE_ON_SERVERS or (kind == "sqlite" and place % 2 == 0) else pytest.mark.long
        ]

    params = [
        pytest.param(line, kind, id=f"{kind}: {line.name}", marks=marks(place, line, kind))
        for place, line in enumerate(lines)
        for kind in line.statements
    ]
    return pytest.mark.parametrize(("other", "empty_database"), params, indirect=["empty_database"])


def all_there(engine: sa.Engine) -> dict[str, list[str]]:
    """Return the rows of every table and view of a database."""
    inspector = sa.inspect(engine)
    with engine.connect() as connection:
        return {
            name: sorted(repr(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name}"))  # noqa: S608 - its own names
            for name in (*inspector.get_table_names(), *inspector.get_view_names())
        }


@on_each_engine(UPGRADES)
def test_an_upgrade_replaces_no_table_of_another_program(other: OtherProgram, empty_database: Database) -> None:
    act(empty_database, other.statements[empty_database.kind])
    before = all_there(empty_database.engine)
    if other.code:
        with pytest.raises(SchemaError) as caught:
            upgrade(empty_database.engine)
        assert other.message in str(caught.value)
        assert all_there(empty_database.engine) == before
        return
    upgrade(empty_database.engine)
    assert run_with(BEFORE, empty_database.engine).error is None
    assert empty_database.present == {each["TemplateId"] for each in BEFORE}
    after = all_there(empty_database.engine)
    assert {name: after[name] for name in before if name != "sync_alembic_version"} == {
        name: content for name, content in before.items() if name != "sync_alembic_version"
    }


@on_each_engine(RUNS)
def test_a_run_works_beside_other_programs_or_reports_the_reason(other: OtherProgram, empty_database: Database) -> None:
    upgrade(empty_database.engine)
    assert run_with(BEFORE, empty_database.engine).error is None
    statements = other.statements[empty_database.kind]

    def meanwhile(request: Request) -> Reply:
        if request.number == 2:
            act(empty_database, statements)
        return CORRECT(request)

    if not other.during:
        empty_database.engine.dispose()
        act(empty_database, statements)
    with Hostile(meanwhile if other.during else CORRECT) as server:
        if other.at_once:
            with pytest.raises(SyncError, match=other.message) as refused:
                prepare(empty_database.engine)
            assert refused.value.exit_code == other.code
            return
        prepare(empty_database.engine)
        outcome = run_against(server.url, empty_database.engine, page_size=SIZE, concurrency=1)
    code = outcome.error.exit_code if outcome.error else 0
    assert (code, rows(outcome)) == (other.code, other.rows), outcome.error
    assert other.message in str(outcome.error)
    if not code:
        assert empty_database.present == {each["TemplateId"] for each in AFTER}


WAITING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()",
    "mysql": "SELECT count(*) FROM information_schema.innodb_trx JOIN information_schema.processlist ON id = trx_mysql_thread_id "
    "WHERE trx_state = 'LOCK WAIT' AND db = database()",
}
"""Number of sessions that wait for a lock in this database."""


@pytest.mark.parametrize("isolation", ["SERIALIZABLE", "REPEATABLE READ", "READ COMMITTED"])
@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_a_run_is_skipped_if_another_commits_while_it_waits_for_the_lease(isolation: str, database: Database) -> None:
    ours = open_engine(database.url)
    default = {"postgresql": "SET SESSION CHARACTERISTICS AS TRANSACTION", "mariadb": "SET SESSION TRANSACTION"}[database.kind]
    sa.event.listen(ours, "connect", lambda raw, _record: execute(raw, f"{default} ISOLATION LEVEL {isolation}"))
    statuses: list[str] = []
    run = threading.Thread(target=lambda: statuses.append(str(sync(Catalog(BEFORE), ours).run.status)))
    with database.engine.begin() as rival:
        rival.exec_driver_sql("UPDATE sync_lease SET fence = fence + 1, holder = 'rival', expires = 9e9")
        run.start()
        wait_for(lambda: waits(database))
    run.join()
    ours.dispose()
    assert statuses == ["skipped"]


def waits(database: Database) -> bool:
    """Return whether a session waits for a lock; MariaDB updates this state only every 0.1 s."""
    time.sleep(0.15)
    return bool(database.scalar(WAITING[database.engine.dialect.name]))


def execute(raw: Any, statement: str) -> None:
    """Execute a statement on a connection of the driver."""
    cursor = raw.cursor()
    cursor.execute(statement)
    cursor.close()
    raw.commit()


# Settings of sessions --------------------------------------------------------------------------------------------------

SESSIONS = [
    ("postgresql", "PGCLIENTENCODING", "LATIN1"),
    ("postgresql", "PGCLIENTENCODING", "SQL_ASCII"),
    ("postgresql", "PGCLIENTENCODING", "nonsense"),
    ("postgresql", "PGDATESTYLE", "SQL, DMY"),
    ("postgresql", "PGTZ", "Asia/Tokyo"),
    ("postgresql", "PGOPTIONS", "-c default_transaction_isolation=serializable"),
    ("postgresql", "PGOPTIONS", "-c standard_conforming_strings=off -c extra_float_digits=-15 -c bytea_output=escape"),
    ("postgresql", "?", "client_encoding=latin1"),
    ("postgresql", "?", "options=-c%20datestyle%3Dgerman"),
    ("mariadb", "?", "charset=latin1"),
    ("mariadb", "?", "sql_mode=ANSI"),
    ("mariadb", "?", "init_command=SET%20SESSION%20sql_mode%3D''"),
]
"""The engine, a variable of its driver (`?`: the URL's query), and its value."""


@pytest.mark.long_on_servers
@pytest.mark.parametrize(("database", "variable", "value"), SESSIONS, indirect=["database"])
def test_no_variable_of_a_driver_changes_stored_or_read_values(
    variable: str, value: str, database: Database, tmp_path: Path
) -> None:
    assert run_with(BEFORE, database.engine).error is None
    variables = (
        {"DATABASE_URL": f"{database.url}?{value}"} if variable == "?" else {"DATABASE_URL": database.url, variable: value}
    )
    assert command(tmp_path, ["export"], **variables).out.encode() == exported("+0 ~0 -0")
    for line, shows in (("show 12", "战斗游戏"), ("status --json", '"present": 12'), ("changes --json", "2026-05-22T03:37:31Z")):
        result = command(tmp_path, line.split(), **variables)
        assert (result.code, shows in result.out) == (0, True), result.err


@pytest.mark.long_on_servers
@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "EUC_JP"])
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_database_with_an_insufficient_encoding_is_refused_by_name(encoding: str, database: Database, tmp_path: Path) -> None:
    name = f"{database.engine.url.database}_{encoding.lower()}"
    act(database, [f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"])
    try:
        url = database.engine.url.set(database=name).render_as_string(hide_password=False)
        for line in ("db upgrade", "run", "doctor"):
            result = command(tmp_path, line.split(), DATABASE_URL=url)
            output = result.out + result.err
            assert (result.code in {69, 75}, encoding in output, "Unexpected error" in output) == (True, True, False), (
                line,
                output,
            )
    finally:
        act(database, [f"DROP DATABASE {name} WITH (FORCE)"])
