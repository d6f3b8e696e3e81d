"""Helpers of the migrations: locks, statements that can be repeated, the backfill of cursors, and tables of other programs.

MariaDB commits after each DDL statement, so a migration that was killed finds its own changes when it is repeated.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import bindparam

from sync.catalog.feed import Cursor, breaking
from sync.errors import DatabaseError, SchemaError
from sync.store.bulk import BATCH
from sync.store.feed_seq import insert_price_changes
from sync.store.schema import HEAD, revision
from sync.store.tables import VIEWS, metadata, sync_state, template_changes, template_versions
from sync.text import iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

LOCK_SECONDS = 120


def lock_all(bind: Connection, names: Iterable[str]) -> None:
    """Lock the existing ones of some tables and views on PostgreSQL, before the first is altered.

    PostgreSQL holds each lock to the end of the transaction. An upgrade that holds one table and waits for another could
    deadlock with an app, and PostgreSQL might cancel the app. So each attempt waits briefly, and releases all locks if it fails.
    """
    ours = ", ".join(sorted(_tables_and_views(bind).intersection(names)))
    if not ours:
        return
    ends = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            with bind.begin_nested():
                bind.exec_driver_sql("SET LOCAL lock_timeout = '0.3s'")  # below PostgreSQL's deadlock_timeout
                bind.exec_driver_sql(f"LOCK TABLE {ours} IN ACCESS EXCLUSIVE MODE")
        except sa.exc.OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != "55P03" or time.monotonic() > ends:
                raise
            time.sleep(0.3)
        else:
            return


def _tables_and_views(bind: Connection) -> set[str]:
    inspector = sa.inspect(bind)
    return {*inspector.get_table_names(), *inspector.get_view_names()}


def has_column(bind: Connection, table: str, column: str) -> bool:
    """Return whether a column exists."""
    return column in {found["name"] for found in sa.inspect(bind).get_columns(table)}


def has_index(bind: Connection, table: str, index: str) -> bool:
    """Return whether an index exists."""
    return index in {found["name"] for found in sa.inspect(bind).get_indexes(table)}


def table_options(bind: Connection) -> dict[str, Any]:
    """Return the options of MariaDB tables: a binary collation without padding, which distinguishes case, accents and spaces."""
    exact = "utf8mb4_nopad_bin" if getattr(bind.dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
    # In the compact row format keys are too short for the indexes; the server may have it as its default.
    return {"mysql_charset": "utf8mb4", "mysql_collate": exact, "mysql_engine": "InnoDB", "mysql_row_format": "DYNAMIC"}


def put_view(bind: Connection, name: str, query: str) -> None:
    """Create a view, or replace it by one with more columns at its end; dependent views and grants are kept.

    SQLite can only drop and create it; its triggers are created again.
    """
    if bind.dialect.name == "sqlite":
        of_view = sa.text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :name")
        triggers = bind.execute(of_view, {"name": name}).scalars()
        for statement in (f"DROP VIEW IF EXISTS {name}", f"CREATE VIEW {name} AS {query}", *triggers.all()):
            bind.exec_driver_sql(statement)
    else:
        bind.exec_driver_sql(f"CREATE OR REPLACE VIEW {name} AS {query}")


def backfill_cursors(connection: sa.Connection) -> Cursor:
    """Set the cursor, document hash, breaking reasons and prices of each change that has no cursor; return the last cursor.

    The caller holds the lock of migrations and the lease, so nothing is appended meanwhile.

    Raises:
        DatabaseError: there are changes after the recorded end of the feed.
    """
    columns = [sync_state.c[name] for name in ("last_seq", "oldest_seq", "feed_epoch", "last_cursor")]
    state = connection.execute(sa.select(*columns)).one()
    end = Cursor.parse(state.last_cursor or "")
    if end is not None and end.seq == state.last_seq:
        return end
    cursor = _last_backfilled(connection, state)
    if cursor.seq == state.oldest_seq - 1 > 0:  # the feed was pruned before cursors existed, and begins here
        connection.execute(sa.update(sync_state).values(pruned_cursor=str(cursor)))
    while rows := _next_without_cursor(connection, cursor.seq):
        filled = []
        for row in rows:
            cursor = cursor.after({**row, "at": iso(row["at"])})
            why = breaking(row["kind"], row["fields"] or ())
            filled.append({"key": row["seq"], "hash": row["document_hash"], "why": why, "end": str(cursor)})
        fill = sa.update(template_changes).where(template_changes.c.seq == bindparam("key"))
        fill = fill.values(document_hash=bindparam("hash"), breaking=bindparam("why"), cursor=bindparam("end"))
        connection.execute(fill, filled)
        insert_price_changes(connection, rows)
    if cursor.seq > state.last_seq:
        raise DatabaseError(
            f"sync_state says that the feed ends at seq {state.last_seq}, but there are changes up to {cursor.seq}.",
            hint="Restore a backup, or correct last_seq.",
        )
    cursor = cursor._replace(seq=state.last_seq)  # numbers of rows that were deleted by hand are not reused
    connection.execute(sa.update(sync_state).values(feed_epoch=cursor.epoch, last_cursor=str(cursor)))
    return cursor


def _last_backfilled(connection: sa.Connection, state: sa.Row[Any]) -> Cursor:
    """Return the newest stored cursor; if there is none, the cursor before the oldest change."""
    changes = template_changes.c
    newest = sa.select(changes.cursor).where(changes.cursor.is_not(None)).order_by(changes.seq.desc()).limit(1)
    found = Cursor.parse(connection.scalar(newest) or "") or Cursor.parse(state.last_cursor or "")
    return found or Cursor.start(state.feed_epoch or secrets.token_hex(6), state.oldest_seq - 1)


def _next_without_cursor(connection: sa.Connection, after: int) -> Sequence[dict[str, Any]]:
    """Return the next changes, each with the hash of its document; of a removal, of the last document."""
    changes, versions = template_changes.c, template_versions.c
    of_template = sa.select(versions.content_hash).where(versions.template_id == changes.template_id)
    began = of_template.where(versions.from_run_id == changes.run_id).scalar_subquery()
    ended = of_template.where(versions.until_run_id == changes.run_id).scalar_subquery()
    hashed = sa.case((changes.kind == "removed", ended), else_=began)
    columns = [changes[name] for name in ("seq", "run_id", "at", "template_id", "kind", "fields", "evidence")]  # of revision 0003
    query = sa.select(*columns, sa.func.coalesce(changes.document_hash, hashed).label("document_hash"))
    query = query.where(changes.seq > after).order_by(changes.seq).limit(BATCH)
    return [dict(row) for row in connection.execute(query).mappings()]


_ADDED_LATER = {
    "wire_hash", "until_run_id", "oldest_run_id", "ttl", "version",
    "document_hash", "breaking", "cursor", "feed_epoch", "last_cursor", "pruned_cursor",
    "token", "turn", "unconfirmed", "since_at", "unreconciled_since", "origin", "run_waits_until", "sync_runs.template_id",
}  # fmt: skip
"""Columns that revision 0001 did not have; with the table, if other tables had one of that name."""
_DROPPED = {"fingerprint", "wire_fields", "absent_fields", "next_run_at"}
"""Columns that revision 0001 had and the newest one does not."""

_SINCE = {
    "price_changes": "0003",
    "current_tags": "0004",
    "picker": "0004",
    "webhook_endpoints": "0005",
    "planned_runs": "0006",
    "unconfirmed_removals": "0007",
}
"""Tables and views that revision 0001 did not have, and the revision that added them."""


def refuse_foreign_tables(connection: sa.Connection) -> None:
    """Refuse to migrate a database where tables or views of other programs have our names, or where ours are missing.

    Only the version row shows ownership. MariaDB's DDL is not transactional, so a killed upgrade leaves tables without that row;
    these have our columns, and only rows that the migration inserts. The caller holds the lock of migrations.

    Raises:
        SchemaError: with the names.
    """
    found = {name.casefold(): name for name in _tables_and_views(connection)}
    names = metadata.tables.keys() | VIEWS
    if version := revision(connection):
        ours = _existing(version)
        if missing := sorted((metadata.tables.keys() & ours) - found.keys()):
            raise SchemaError(
                f"The schema version is {version}, but these tables are missing: {', '.join(missing)}.",
                hint="Restore a backup, or start anew in an empty database.",
            )
        names = names - ours
    half_made = connection.dialect.name == "mysql"
    taken = sorted(names & found.keys())
    if foreign := [found[name] for name in taken if not (half_made and _is_from_killed_upgrade(connection, name))]:
        raise SchemaError(
            f"Tables or views of another program{' or version' * bool(version)} have the names of this program's: "
            f"{', '.join(foreign)}.",
            hint="Rename them; or, if an older backup was restored over newer tables, restore it into an empty database."
            if version
            else "Give this program a database, or on PostgreSQL a schema, of its own.",
        )


def _existing(version: str) -> set[str]:
    """Return the names of the tables and views that a revision has."""
    return {name for name in (*metadata.tables, *VIEWS) if _SINCE.get(name, version) <= version}


def parts(version: str) -> tuple[dict[str, set[str]], set[str]]:
    """Return what a database of a revision has at least: tables with their columns, and views."""
    there = _existing(version)
    tables = {name: {*table.columns.keys()} for name, table in metadata.tables.items() if name in there}
    if version != HEAD:
        tables = {name: columns - _added_later(name) for name, columns in tables.items()}
    return tables, VIEWS.keys() & there


def _added_later(table: str) -> set[str]:
    return {name.removeprefix(f"{table}.") for name in _ADDED_LATER}


def _is_from_killed_upgrade(connection: sa.Connection, name: str) -> bool:
    inspector = sa.inspect(connection)
    columns = {each["name"] for each in inspector.get_columns(name)}
    if name in VIEWS:  # views are created after the tables; newer ones in their present form
        tables, expected = set(inspector.get_table_names()), set(VIEWS[name])
        return metadata.tables.keys() - _SINCE.keys() <= tables and (
            columns == expected or (name not in _SINCE and columns < expected)
        )
    expected = {*metadata.tables[name].columns.keys()}
    rows = connection.scalar(sa.select(sa.func.count()).select_from(sa.table(name))) or 0
    inserted = {"sync_lease": 1, "sync_state": 1, "price_changes": rows}  # price_changes is backfilled from the feed
    return expected - _added_later(name) <= columns <= expected | _DROPPED and rows <= inserted.get(name, 0)
