"""Store the hash of each record's bytes, the run that ended a price, the oldest retained run, and the duration of a lease.

Null means unknown, as for every row of an older version. No table is rebuilt, because every engine adds a nullable column in
place, so views and triggers of apps stay. On MariaDB each statement commits by itself; an interrupted upgrade continues with the
missing ones.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from sync.store.migrating import has_column

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

LOCKS = ("templates", "price_periods", "sync_state", "sync_lease", "sync_runs")
"""The tables and views that this migration alters, see migrations/env.py."""


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
    bind = op.get_bind()
    for table, column in _added():
        if not has_column(bind, table, column.name):
            op.add_column(table, column)


def downgrade() -> None:
    bind = op.get_bind()
    for table, column in reversed(_added()):
        if has_column(bind, table, column.name):
            op.drop_column(table, column.name)
