"""Remember the bytes of each record, which run ended a price, where the past begins and how long a lease was taken for.

Null is "not known", which is right for every row that an older version wrote. Apps' views and triggers over the tables stay,
because nothing is rebuilt: every engine adds a nullable column in place. On MariaDB, where each of these statements commits by
itself, an upgrade that was killed goes on with those that are missing.
"""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LOCK_SECONDS = 120
_AT_A_TIME = 0.3  # seconds; below PostgreSQL's deadlock_timeout
_LOCK_NOT_AVAILABLE = "55P03"


def _added() -> list[tuple[str, sa.Column[Any]]]:
    collation = "C" if op.get_bind().dialect.name == "postgresql" else None
    return [
        ("templates", sa.Column("wire_hash", sa.String(64, collation=collation), nullable=True)),
        ("price_periods", sa.Column("until_run_id", sa.BigInteger(), nullable=True)),
        ("sync_state", sa.Column("oldest_run_id", sa.BigInteger(), nullable=True)),
        ("sync_lease", sa.Column("ttl", sa.Double(), nullable=True)),
        ("sync_runs", sa.Column("version", sa.String(32, collation=collation), nullable=True)),
    ]


def upgrade() -> None:
    _lock_all()
    for table, column in _added():
        if not _there(table, column.name):
            op.add_column(table, column)


def downgrade() -> None:
    _lock_all()
    for table, column in reversed(_added()):
        if _there(table, column.name):
            op.drop_column(table, column.name)


def _lock_all() -> None:
    """Lock all tables before the first is altered, on PostgreSQL: there a transaction keeps each lock to its end.

    Holding one table and waiting for another, the upgrade would be in a deadlock with an app that read them the other way round,
    and PostgreSQL would end the app's transaction. So it waits briefly, lets go of all, and tries again; whoever came meanwhile
    is let through.
    """
    bind = op.get_bind()
    if bind.dialect.name != "postgresql":
        return
    tables = ", ".join(table for table, _ in _added())
    ends = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            with bind.begin_nested():
                bind.exec_driver_sql(f"SET LOCAL lock_timeout = '{_AT_A_TIME}s'")
                bind.exec_driver_sql(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
        except sa.exc.OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE or time.monotonic() > ends:
                raise
            time.sleep(_AT_A_TIME)
        else:
            return


def _there(table: str, column: str) -> bool:
    return column in {found["name"] for found in sa.inspect(op.get_bind()).get_columns(table)}
