"""Faults of a database that an operator meets: what the next run does, and what the checks say of it."""

from __future__ import annotations

import json
import os
import resource
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.sandbox.server import Sandbox
from sync.store.tables import VIEWS, metadata, sync_runs
from tests.builders import records, run_with
from tests.command_line import of_sandbox, template_sync
from tests.servers import mariadb_in, own_folder

if TYPE_CHECKING:
    from tests.builders import Database


@pytest.mark.parametrize("copied", ["runs", "runs without the lease's row"])
def test_rows_that_were_copied_with_their_numbers_do_not_stop_the_next_run(
    database: Database, copied: str, tmp_path: Path
) -> None:
    old = {"trigger": "run", "status": "succeeded", "started_at": datetime(2026, 1, 1, tzinfo=UTC), "holder": "another host"}
    with database.engine.begin() as connection:
        connection.execute(sa.insert(sync_runs), [{**old, "run_id": number, "fence": number} for number in range(1, 41)])
    if copied == "runs":
        database.execute("UPDATE sync_lease SET fence = 40")
    with Sandbox(records(3)) as sandbox:
        variables = of_sandbox(sandbox, DATABASE_URL=database.url)
        for run_id in (41, 42):
            ran = template_sync("run", "--json", folder=tmp_path, variables=variables)
            assert (ran.code, json.loads(ran.out)["run_id"]) == (0, run_id), ran.err
    assert template_sync("db", "check", folder=tmp_path, variables=variables).code == 0


def small_files() -> None:
    """Stand for a full disk: no file may grow past a few pages."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (16384, resource.RLIM_INFINITY))


@pytest.mark.parametrize("fault", ["none", "full disk", pytest.param("damaged page", marks=pytest.mark.ci_slice)])
def test_doctor_leaves_with_the_exit_code_of_a_run_on_a_full_or_damaged_disk(
    fault: str, sqlite: Database, tmp_path: Path
) -> None:
    run_with(records(50), sqlite.engine)
    sqlite.engine.dispose()
    file = Path(sqlite.url.removeprefix("sqlite:///"))
    if fault == "damaged page":
        with closing(sqlite3.connect(file)) as opened:
            (page,) = opened.execute("SELECT rootpage FROM sqlite_master WHERE name = 'template_versions'").fetchone()
            (size,) = opened.execute("PRAGMA page_size").fetchone()
        with file.open("r+b") as raw:
            raw.seek((page - 1) * size)
            raw.write(b"x" * size)
    before = file.read_bytes()
    with Sandbox(records(300)) as sandbox:
        variables = of_sandbox(sandbox, DATABASE_URL=sqlite.url)
        limits: dict[str, Any] = {"preexec_fn": small_files} if fault == "full disk" else {}
        variables["PYTHONDONTWRITEBYTECODE"] = "1"  # half a compiled file would stay
        checked = template_sync("doctor", folder=tmp_path, variables=variables, **limits)
        unchanged = file.read_bytes() == before
        ran = template_sync("run", folder=tmp_path, variables=variables, **limits)
    code = 0 if fault == "none" else 69
    assert (checked.code, ran.code, unchanged) == (code, code, True), (checked.out, ran.err)


@pytest.mark.long
@pytest.mark.parametrize("row_format", ["compact", "redundant"])
def test_mariadb_s_default_row_format_does_not_matter(row_format: str, tmp_path: Path) -> None:
    with own_folder("mysql") as folder:
        options = ["--skip-log-bin", f"--innodb-default-row-format={row_format}"]
        with mariadb_in(folder, options) as server:
            server.start()
            variables = {"DATABASE_URL": f"{server.url}?ssl_disabled=1"}
            for command in ("upgrade", "check"):
                done = template_sync("db", command, folder=tmp_path, variables=variables)
                assert done.code == 0, done.err


def test_a_run_s_duration_includes_its_commit(sqlite: Database, tmp_path: Path) -> None:
    passed = [0.0]

    def stand_still(_connection: sa.Connection) -> None:
        passed[0] += 200.0  # as a process that is stopped in its commit

    clock = lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=passed[0])  # noqa: E731 - it is one expression
    sa.event.listen(sqlite.engine, "commit", stand_still)
    ran = run_with(records(3), sqlite.engine, clock=clock).run
    shown = template_sync("runs", "--json", folder=tmp_path, variables={"DATABASE_URL": sqlite.url})
    assert ran.seconds == 600.0  # three transactions: for the lease, for what is stored, and the run's own
    assert json.loads(shown.out)[0]["seconds"] == ran.seconds


@pytest.mark.ci_slice
@pytest.mark.parametrize("table", ["template_versions", "unconfirmed_removals"])
def test_doctor_names_a_table_that_a_run_may_not_write(database: Database, table: str, tmp_path: Path) -> None:
    """As after an upgrade by another role, whose new tables the program's own role may only read."""
    if database.kind == "sqlite":
        pytest.skip("SQLite has no grants")
    role, name = f"sync_test_writer_{os.getpid()}", database.engine.url.database
    postgresql = database.kind == "postgresql"
    database.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'" if postgresql else f"CREATE USER {role} IDENTIFIED BY 'x'")
    try:
        if postgresql:
            kinds = ("TABLES", "SEQUENCES")
            grants = [f"GRANT ALL ON ALL {kind} IN SCHEMA public TO {role}" for kind in kinds]
            grants += [f"REVOKE INSERT ON {table} FROM {role}"]
        else:
            names = [*metadata.tables, "sync_alembic_version", *VIEWS]
            grants = [f"GRANT {'SELECT' if each == table else 'ALL'} ON {name}.{each} TO {role}" for each in names]
        for grant in grants:
            database.execute(grant)
        url = database.engine.url.set(username=role, password="x", drivername=database.kind).render_as_string(hide_password=False)
        with Sandbox(records(3)) as sandbox:
            checked = template_sync("doctor", folder=tmp_path, variables=of_sandbox(sandbox, DATABASE_URL=url))
    finally:
        database.execute(f"DROP OWNED BY {role}" if postgresql else "SELECT 1")
        database.execute(f"DROP ROLE {role}" if postgresql else f"DROP USER {role}")
    assert (checked.code, table in checked.out, "Grant this user" in checked.out) == (69, True, True), checked.out
