"""Migrations: one process migrates, a killed upgrade can be repeated, and nothing is lost."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from sync.errors import DatabaseError, SchemaError
from sync.store import schema
from sync.store.engine import open_engine
from sync.store.tables import VIEWS, metadata
from tests.builders import Database
from tests.conftest import SERVERS
from tests.faults import (
    AFTER,
    BEFORE,
    PROCESSES,
    anomalies,
    at,
    dumped,
    killed_upgrades,
    on_each_statement,
    process,
    sync,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.long_on_servers

ROOT = Path(__file__).parents[2]
BEFORE_TRIAL = schema.HEAD

TRIAL = '''"""A revision for this test only: rebuilds the parent table where SQLite must, and adds a table."""
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "trial", "HEAD", None, None


def rebuild():
    return "always" if op.get_bind().dialect.name == "sqlite" else "never"


def upgrade():
    with op.batch_alter_table("templates", recreate=rebuild()) as batch:
        batch.add_column(sa.Column("trial", sa.Integer(), nullable=False, server_default="0"))
    op.create_table("trial", sa.Column("trial_id", sa.Integer(), primary_key=True, autoincrement=False))
    op.execute("INSERT INTO trial (trial_id) VALUES (7)")


def downgrade():
    op.drop_table("trial")
    with op.batch_alter_table("templates", recreate=rebuild()) as batch:
        batch.drop_column("trial")
'''


@pytest.fixture
def migratable(empty_database: Database) -> Database:
    """A database of each kind in turn, whose schema the test may change."""
    schema.upgrade(empty_database.engine)
    return empty_database


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Add a revision."""
    scripts = tmp_path / "migrations"
    shutil.copytree(ROOT / "migrations", scripts, ignore=shutil.ignore_patterns("__pycache__"))
    (scripts / "versions" / "trial.py").write_text(TRIAL.replace("HEAD", schema.HEAD))
    monkeypatch.setattr(schema, "_migrations", lambda: scripts)
    monkeypatch.setattr(schema, "_REVISIONS", (*schema._REVISIONS, "trial"))
    monkeypatch.setattr(schema, "HEAD", "trial")


def _tables(engine: sa.Engine) -> set[str]:
    inspector = sa.inspect(engine)
    return {*inspector.get_table_names(), *inspector.get_view_names()} - {schema.VERSION_TABLE}


# Revisions --------------------------------------------------------------------------------------------------------------


def test_the_program_requires_the_only_head_revision() -> None:
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(schema._config())
    assert scripts.get_heads() == [schema.HEAD]
    assert tuple(reversed([each.revision for each in scripts.walk_revisions()])) == schema._REVISIONS


def test_the_schema_can_be_upgraded_downgraded_and_upgraded_again(empty_database: Database) -> None:
    engine = empty_database.engine
    assert schema.is_empty(engine)
    schema.upgrade(engine)
    assert _tables(engine) == {*metadata.tables, *VIEWS}
    schema.upgrade(engine, "base")
    assert _tables(engine) == set()
    assert schema.is_empty(engine)
    schema.upgrade(engine)
    assert schema.current(engine) == (schema.HEAD, schema.State.CURRENT)
    assert sync(BEFORE, engine).error is None
    assert anomalies(engine) == []


def test_differences_from_the_models_are_named_and_other_tables_ignored(migratable: Database) -> None:
    from alembic import command

    migratable.execute("CREATE TABLE of_an_app (id integer)")
    assert list(schema.differences(migratable.engine)) == []
    with migratable.engine.connect() as connection:
        config = schema._config()
        config.attributes["connection"] = connection
        config.stdout = io.StringIO()  # the default is the stdout at the import of Alembic, which may be closed
        command.check(config)
    migratable.execute("CREATE INDEX index_of_an_app ON templates (duration_ms)")
    assert list(schema.differences(migratable.engine)) == [], "an upgrade keeps the index, and runs are not affected"
    migratable.execute("CREATE UNIQUE INDEX unique_of_an_app ON templates (template_id, duration_ms)")
    assert "unique_of_an_app" in "".join(schema.differences(migratable.engine))
    migratable.execute("ALTER TABLE tags ADD COLUMN handmade integer")
    assert "handmade" in "".join(schema.differences(migratable.engine))


@pytest.mark.parametrize(("statements", "expected"), [
    (["DROP VIEW picker"], ["The view picker is missing."]),
    (["DROP VIEW current_tags", "CREATE VIEW current_tags AS SELECT template_id, tag_id FROM template_tags"],
     ["The view current_tags lacks columns: position, name, name_en."]),
    (["DELETE FROM sync_lease"], ["sync_lease has 0 rows instead of one; docs/database.md describes how to insert it."]),
    (["INSERT INTO sync_lease (name, fence, expires) VALUES ('second', 0, 0)"],
     ["sync_lease has 2 rows instead of one; docs/database.md describes how to insert it."]),
])  # fmt: skip
def test_a_missing_view_or_row_is_a_difference(statements: list[str], expected: list[str], migratable: Database) -> None:
    migratable.execute(*statements)
    assert list(schema.differences(migratable.engine)) == expected


@pytest.mark.parametrize("table", ["sync_lease", "price_changes"])
def test_a_missing_table_is_a_difference_although_it_and_its_views_cannot_be_read(table: str, migratable: Database) -> None:
    migratable.execute(f"DROP TABLE {table}{' CASCADE' if migratable.kind == 'postgresql' else ''}")
    (difference,) = schema.differences(migratable.engine)
    assert difference.startswith(f"('add_table', Table('{table}'")


def test_a_view_that_cannot_be_read_is_a_difference(migratable: Database) -> None:
    if migratable.kind == "postgresql":
        pytest.skip("PostgreSQL drops no table that a view selects from")
    migratable.execute(
        "CREATE TABLE own (a integer)", "DROP VIEW picker", "CREATE VIEW picker AS SELECT a FROM own", "DROP TABLE own"
    )
    (difference,) = schema.differences(migratable.engine)
    assert difference.startswith("The view picker cannot be read: ")


# Data -------------------------------------------------------------------------------------------------------------------


def dump(engine: sa.Engine) -> dict[str, list[str]]:
    """Return all rows but that of the lease, which an upgrade takes."""
    return {name: rows for name, rows in dumped(engine).items() if name != "sync_lease"}


@pytest.mark.usefixtures("trial")
def test_data_survives_each_step_up_and_down(empty_database: Database) -> None:
    engine = empty_database.engine
    schema.upgrade(engine, BEFORE_TRIAL)
    sync(BEFORE, engine, clock=at(0))
    sync(AFTER, engine, clock=at(1))
    before = dump(engine)
    assert all(before[table] for table in ("consume_items", "template_tags", "template_aspect_ratios", "template_versions"))
    schema.upgrade(engine)
    assert empty_database.scalar("SELECT trial_id FROM trial") == 7
    assert empty_database.scalar("SELECT sum(trial) FROM templates") == 0
    assert dump(engine) == before
    assert sync(BEFORE, engine, clock=at(2)).error is None
    later = dump(engine)
    schema.upgrade(engine, "-1")
    assert dump(engine) == later
    assert sync(AFTER, engine, clock=at(3)).error is None
    assert anomalies(engine) == []


@pytest.mark.usefixtures("trial")
@pytest.mark.parametrize("fails", [False, True])
def test_on_sqlite_a_rebuilt_parent_table_keeps_its_child_rows_and_foreign_keys(tmp_path: Path, *, fails: bool) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'batch.db'}")
    schema.upgrade(engine, BEFORE_TRIAL)
    sync(BEFORE, engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE VIEW my_own AS SELECT title FROM current_templates")
    before = dump(engine)
    if fails:

        def fail(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if statement.startswith("INSERT INTO trial"):
                raise sa.exc.OperationalError(statement, {}, Exception("by this test"))

        event.listen(engine, "before_cursor_execute", fail)
        with pytest.raises(DatabaseError, match="by this test"):
            schema.upgrade(engine)
        event.remove(engine, "before_cursor_execute", fail)
        assert schema.current(engine)[0] == BEFORE_TRIAL
    else:
        schema.upgrade(engine)
    assert dump(engine) == before
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA legacy_alter_table").scalar() == 0
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        assert len(connection.exec_driver_sql("SELECT * FROM my_own").all()) == 5
        with pytest.raises(sa.exc.IntegrityError):
            connection.exec_driver_sql("INSERT INTO template_aspect_ratios VALUES ('no such template', 1, '1:1')")
    schema.upgrade(engine)
    assert sync(AFTER, engine).error is None


# Kills ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [
    pytest.param(100, id="a few"), pytest.param(9, id="some", marks=pytest.mark.ci_slice),
    pytest.param(1, id="all", marks=pytest.mark.long),
])  # fmt: skip
def test_an_upgrade_killed_at_any_statement_can_be_repeated(empty_database: Database, step: int) -> None:
    """MariaDB commits each statement, so there the upgrade continues; the others begin again."""
    engine = empty_database.engine
    unfinished = 0
    for _number in killed_upgrades(empty_database, step):
        if (state := schema.current(engine)[1]) is not schema.State.CURRENT:
            unfinished += 1
            if empty_database.kind == "mariadb":  # the first revision may be complete, the second not
                assert state in {schema.State.EMPTY, schema.State.BEHIND}
            else:
                assert (state, _tables(engine)) == (schema.State.EMPTY, set())
    assert unfinished > 20 / step
    assert list(schema.differences(engine)) == []
    assert _tables(engine) == {*metadata.tables, *VIEWS}
    assert (len(empty_database.rows("sync_lease")), len(empty_database.rows("sync_state"))) == (1, 1)
    assert sync(BEFORE, engine).error is None


@pytest.mark.long
def test_an_upgrade_from_the_previous_revision_killed_at_any_statement_can_be_repeated_and_loses_nothing(
    migratable: Database,
) -> None:
    assert sync(BEFORE, migratable.engine, clock=at(0)).error is None
    before = dump(migratable.engine)
    schema.upgrade(migratable.engine, "-1")
    assert len([*killed_upgrades(migratable)]) > 4
    assert list(schema.differences(migratable.engine)) == []
    assert dump(migratable.engine) == before
    assert sync(AFTER, migratable.engine, clock=at(1)).error is None
    assert anomalies(migratable.engine) == []


# Concurrent upgrades ----------------------------------------------------------------------------------------------------


def ends_of_four(work: Callable[..., None], *arguments: Any) -> set[int | None]:
    """Run four processes at once; return their exit codes."""
    with ExitStack() as running:
        several = [running.enter_context(process(work, *arguments)) for _ in range(4)]
        for one in several:
            one.join(60)
        return {one.exitcode for one in several}


def upgrade_and_count(url: str, start: Any, migrated: Any) -> None:
    """Upgrade when all processes are ready; count the process that creates the tables. The target of a process."""
    engine = open_engine(url)

    def count(statement: str) -> None:
        if statement.lstrip().startswith("CREATE TABLE") and "sync_lease" in statement:  # not SHOW CREATE TABLE
            migrated.release()

    on_each_statement(engine, count)
    start.wait()
    schema.upgrade(engine)


@pytest.mark.ci_slice
def test_of_four_concurrent_upgrades_one_migrates_and_all_succeed(empty_database: Database) -> None:
    start, migrated = PROCESSES.Barrier(4), PROCESSES.Semaphore(0)
    assert ends_of_four(upgrade_and_count, empty_database.url, start, migrated) == {0}
    assert [migrated.acquire(block=False) for _ in range(2)] == [True, False]
    assert schema.current(empty_database.engine) == (schema.HEAD, schema.State.CURRENT)
    assert list(schema.differences(empty_database.engine)) == []


@pytest.mark.ci_slice
@pytest.mark.parametrize("empty_database", ["mariadb"], indirect=True)
def test_the_lock_on_mariadb_is_held_until_the_new_version_is_committed(empty_database: Database) -> None:
    """Elsewhere the lock belongs to the transaction."""
    executed: list[str] = []
    on_each_statement(empty_database.engine, executed.append)
    event.listen(empty_database.engine, "commit", lambda _: executed.append("COMMIT"))
    schema.upgrade(empty_database.engine)
    writes = [statement.split("(")[0].strip() for statement in executed if not statement.startswith(("DESCRIBE", "SHOW"))]
    newest = f"UPDATE {schema.VERSION_TABLE} SET version_num='{schema.HEAD}'"  # noqa: S608 - compared, not executed
    version = next(place for place, statement in enumerate(writes) if statement.startswith(newest))
    assert writes[version + 1 : version + 3] == ["COMMIT", "SELECT RELEASE_LOCK"]


@pytest.mark.ci_slice
def test_concurrent_first_runs_create_one_sqlite_database(tmp_path: Path) -> None:
    codes = ends_of_four(prepare_and_sync, f"sqlite:///{tmp_path / 'new.db'}")
    assert {0} <= codes <= {0, 75}


def prepare_and_sync(url: str) -> None:
    """Prepare the schema as `run` does. The target of a process."""
    engine = open_engine(url)
    schema.prepare(engine)
    error = sync(BEFORE, engine).error
    raise SystemExit(error.exit_code if error else 0)


# Schemas of other versions ----------------------------------------------------------------------------------------------


def refused_by_prepare(database: Database, sentence: str, hint: str) -> None:
    with pytest.raises(SchemaError, match=sentence) as refused:
        schema.prepare(database.engine)
    assert (refused.value.exit_code, refused.value.hint) == (69, hint)


def test_a_run_refuses_a_server_without_tables_and_creates_those_of_an_empty_sqlite_file(empty_database: Database) -> None:
    if empty_database.kind == "sqlite":
        schema.prepare(empty_database.engine)
        assert schema.current(empty_database.engine)[1] is schema.State.CURRENT
        return
    refused_by_prepare(empty_database, "none of this program's tables", "Run `template-sync db upgrade` once.")


def test_a_run_that_creates_the_sqlite_database_waits_for_locks_no_longer_than_others(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'new.db'}", lock_timeout=5)
    schema.prepare(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 5000


@pytest.mark.usefixtures("trial")
def test_an_older_schema_is_refused_with_the_command_that_upgrades_it(empty_database: Database) -> None:
    schema.upgrade(empty_database.engine, BEFORE_TRIAL)
    sentence = f"schema is {BEFORE_TRIAL}, this version needs trial"
    refused_by_prepare(empty_database, sentence, "Run `template-sync db upgrade`.")
    schema.upgrade(empty_database.engine)
    schema.prepare(empty_database.engine)


def test_a_newer_schema_is_refused_by_runs_and_upgrades(migratable: Database) -> None:
    migratable.execute(f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'")  # noqa: S608 - a constant
    for refusing in (schema.prepare, schema.upgrade):
        with pytest.raises(SchemaError, match=r"schema \(9999\) is newer than this version knows") as refused:
            refusing(migratable.engine)
        assert refused.value.exit_code == 69
        assert "Upgrade this program" in refused.value.hint
    assert migratable.scalar("SELECT count(*) FROM templates") == 0


# Other users and programs -----------------------------------------------------------------------------------------------


def test_an_upgrade_refuses_a_foreign_table_and_writes_nothing(empty_database: Database) -> None:
    empty_database.execute("create table tags (id integer primary key, label varchar(20))")
    empty_database.execute("insert into tags values (1, 'theirs')")
    with pytest.raises(SchemaError, match="of another program have the names of this program's: tags"):
        schema.upgrade(empty_database.engine)
    if empty_database.kind == "sqlite":
        assert empty_database.scalar("PRAGMA journal_mode") == "delete", "the file is not switched to WAL"
    assert sa.inspect(empty_database.engine).get_table_names() == ["tags"]
    assert empty_database.scalar("select label from tags where id = 1") == "theirs"
    assert empty_database.scalar("select count(*) from tags") == 1


@pytest.fixture
def reader(empty_database: Database) -> Iterator[sa.Engine | None]:
    """A role that may only read, created before any table with the statements of docs/database.md; None on SQLite."""
    engine = empty_database.engine
    if empty_database.kind == "sqlite":
        yield None
        return
    name = f"sync_test_reader_{os.getpid()}"
    drop = {"postgresql": f"DROP ROLE IF EXISTS {name}", "mariadb": f"DROP USER IF EXISTS {name}@'%'"}[empty_database.kind]
    empty_database.execute(drop, *documented_grants(empty_database.kind, name, str(engine.url.database)))
    as_reader = open_engine(engine.url.set(username=name, password="...").render_as_string(hide_password=False))
    yield as_reader
    as_reader.dispose()
    empty_database.execute(*[f"DROP OWNED BY {name}"] * (empty_database.kind == "postgresql"), drop)


def documented_grants(kind: str, role: str, database: str) -> list[str]:
    """Read the documented statements that create a reader, for a role and a database of these names."""
    text = (ROOT / "docs" / "database.md").read_text()
    title = {"postgresql": "**PostgreSQL.** Execute the last line", "mariadb": "**MariaDB.** A grant"}[kind]
    sql = text[text.index(title) :].split("```")[1].removeprefix("sql\n").replace("catalog_reader", role)
    for written in ("DATABASE templates", "templates.*"):
        sql = sql.replace(written, written.replace("templates", database))
    return [statement.strip() for statement in sql.split(";\n") if statement.strip()]


@pytest.mark.usefixtures("trial")
def test_views_of_apps_and_grants_of_readers_are_kept(empty_database: Database, reader: sa.Engine | None) -> None:
    engine = empty_database.engine
    schema.upgrade(engine, BEFORE_TRIAL)
    empty_database.execute("CREATE VIEW my_own AS SELECT template_id, title_en FROM current_templates WHERE title_en LIKE 'N%'")
    reading = Database(empty_database.kind, "", reader or engine)
    for source in (BEFORE, AFTER, BEFORE):
        assert sync(source, engine).error is None
        assert reading.scalar("SELECT count(*) FROM my_own") == len([each for each in source if each["Title_en"] != "Renamed"])
    schema.upgrade(engine)
    assert sync(AFTER, engine).error is None
    assert reading.scalar("SELECT count(*) FROM my_own") == 4
    assert reading.scalar("SELECT present_count FROM sync_status") == 5
    assert reading.scalar("SELECT trial_id FROM trial") == 7, "a table of the upgrade can be read, too"
    if reader is not None:
        for refused in ("DELETE FROM tags", "UPDATE templates SET title = 'x'", "INSERT INTO trial VALUES (1)"):
            with pytest.raises(sa.exc.DBAPIError, match="denied"):
                reading.execute(refused)


def test_a_view_that_selects_a_dropped_column_is_refused_by_name(empty_database: Database) -> None:
    schema.upgrade(empty_database.engine, "0006")
    empty_database.execute(
        "CREATE VIEW mine AS SELECT template_id, fingerprint FROM templates",
        "CREATE VIEW other AS SELECT template_id, title FROM templates",
        "CREATE VIEW plans AS SELECT host, next_run_at FROM planned_runs",  # a column of another table
    )
    with pytest.raises(SchemaError, match=r"wire_fields\): mine\.$"):
        schema.upgrade(empty_database.engine)
    empty_database.execute("DROP VIEW mine")
    schema.upgrade(empty_database.engine)
    assert empty_database.scalar("SELECT count(*) FROM other") == 0
    assert empty_database.scalar("SELECT count(next_run_at) FROM plans") == 0


@pytest.mark.parametrize("empty_database", ["sqlite"], indirect=True)
def test_a_view_that_cannot_be_read_is_refused_by_name_on_sqlite(empty_database: Database) -> None:
    schema.upgrade(empty_database.engine, "0006")
    empty_database.execute("CREATE VIEW theirs AS SELECT a_function_of_theirs(title) AS title FROM templates")
    empty_database.execute("CREATE TABLE things (id INTEGER)")
    empty_database.execute('CREATE VIEW "their things" AS SELECT id FROM things')
    empty_database.execute("DROP TABLE things")
    with pytest.raises(SchemaError, match=r"cannot be read: their things \(no such table: main\.things\)\.$"):
        schema.upgrade(empty_database.engine)
    assert schema.current(empty_database.engine)[0] == "0006"
    empty_database.execute('DROP VIEW "their things"')
    schema.upgrade(empty_database.engine)


@pytest.mark.parametrize("empty_database", SERVERS, indirect=True)
def test_the_documented_rights_suffice_for_upgrades_and_runs(empty_database: Database) -> None:
    owner, writer = f"sync_test_owner_{os.getpid()}", f"sync_test_writer_{os.getpid()}"
    url = empty_database.engine.url
    four = "SELECT, INSERT, UPDATE, DELETE"
    first, then, last = {
        "postgresql": (
            [f"CREATE ROLE {role} LOGIN" for role in (owner, writer)] + [f"GRANT USAGE, CREATE ON SCHEMA public TO {owner}"],
            [
                f"GRANT USAGE ON SCHEMA public TO {writer}",
                f"GRANT {four} ON ALL TABLES IN SCHEMA public TO {writer}",
                f"GRANT USAGE ON SEQUENCE sync_runs_run_id_seq TO {writer}",
            ],
            [f"{what} {role}" for role in (owner, writer) for what in ("DROP OWNED BY", "DROP ROLE")],
        ),
        "mariadb": (
            [
                *(f"{what} {role}@'%'" for role in (owner, writer) for what in ("DROP USER IF EXISTS", "CREATE USER")),
                f"GRANT CREATE, ALTER, DROP, INDEX, REFERENCES, CREATE VIEW, {four} ON {url.database}.* TO {owner}@'%'",
            ],
            [f"GRANT {four} ON {url.database}.* TO {writer}@'%'"],
            [f"DROP USER {role}@'%'" for role in (owner, writer)],
        ),
    }[empty_database.kind]
    empty_database.execute(*first)
    as_owner, as_writer = (
        open_engine(url.set(username=role, password=None).render_as_string(hide_password=False)) for role in (owner, writer)
    )
    try:
        schema.upgrade(as_owner)
        empty_database.execute(*then)
        for source in (BEFORE, AFTER, BEFORE):
            assert sync(source, as_writer).error is None
        assert anomalies(as_writer) == []
    finally:
        empty_database.execute(*last)


# Installations ----------------------------------------------------------------------------------------------------------


def run_python(*arguments: str, env: dict[str, str] | None = None, cwd: str = "/") -> str:
    ended = subprocess.run([sys.executable, *arguments], check=False, cwd=cwd, env=env, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.ci_slice
def test_the_alembic_command_works_in_a_checkout(empty_database: Database) -> None:
    environment = {**os.environ, "DATABASE_URL": empty_database.url}
    for arguments in (["upgrade", "head"], ["check"]):
        run_python("-m", "alembic", "-c", str(ROOT / "alembic.ini"), *arguments, env=environment)
    assert schema.current(empty_database.engine) == (schema.HEAD, schema.State.CURRENT)


def test_the_alembic_command_refuses_to_print_sql() -> None:
    command = [sys.executable, "-m", "alembic", "-c", str(ROOT / "alembic.ini"), "upgrade", "head", "--sql"]
    ended = subprocess.run(command, check=False, cwd="/", capture_output=True, text=True)
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    assert "--sql is not supported" in ended.stderr + ended.stdout


@pytest.mark.ci_slice
def test_an_installed_wheel_creates_a_sqlite_database(tmp_path: Path) -> None:
    run_python("-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path), cwd=str(ROOT))
    (wheel,) = tmp_path.glob("*.whl")
    target = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    environment = {**os.environ, "PYTHONPATH": str(target), "DATABASE_URL": f"sqlite:///{tmp_path / 'migratable.db'}"}
    where = "import sync.store.schema as s; print(s.__file__, s._migrations(), sep='\\n')"
    found = run_python("-P", "-c", where, env=environment).splitlines()
    assert found == [str(target / "sync" / "store" / "schema.py"), str(target / "sync" / "_migrations")]
    for arguments in (["db", "upgrade"], ["db", "check"]):
        run_python("-P", "-m", "sync", *arguments, env=environment)
    with closing(sqlite3.connect(tmp_path / "migratable.db")) as raw:
        assert raw.execute(f"SELECT version_num FROM {schema.VERSION_TABLE}").fetchall() == [(schema.HEAD,)]  # noqa: S608
