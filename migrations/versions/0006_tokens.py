"""Add a random token to each lease, the database server to each run, and a row for the plan of each daemon.

After a failover that lost commits, or a restore, the fence repeats earlier numbers; a token is never repeated. `place` describes
the database server at the start of a run. `turn` is incremented by operations that exclude runs, because on a cluster only a
changed row excludes other nodes. Plans move out of `sync_state`, which every run with changes writes, so that on a cluster they
do not conflict.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from sync.store.column_types import UtcDateTime
from sync.store.migrating import has_column, table_options

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

LOCKS = ("sync_lease", "sync_runs", "sync_state")
"""The tables and views that this migration alters, see migrations/env.py."""


def _text(length: int) -> sa.String:
    return sa.String(length, collation="C" if op.get_bind().dialect.name == "postgresql" else None)


def _added() -> list[tuple[str, sa.Column[Any]]]:
    return [
        ("sync_lease", sa.Column("token", _text(32), nullable=True)),
        ("sync_lease", sa.Column("turn", sa.BigInteger(), nullable=True)),
        ("sync_runs", sa.Column("token", _text(32), nullable=True)),
        ("sync_runs", sa.Column("place", _text(255), nullable=True)),
    ]


def upgrade() -> None:
    bind = op.get_bind()
    for table, column in _added():
        if not has_column(bind, table, column.name):
            op.add_column(table, column)
    op.create_table(
        "planned_runs",
        sa.Column("host", _text(255), nullable=False),
        sa.Column("next_run_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("host", name="pk_planned_runs"),
        if_not_exists=True,
        **table_options(bind),
    )
    # A running daemon of the previous version still writes its plan there.
    bind.execute(sa.text("UPDATE sync_state SET next_run_at = NULL"))


def downgrade() -> None:
    bind = op.get_bind()
    op.drop_table("planned_runs", if_exists=True)
    for table, column in reversed(_added()):
        if has_column(bind, table, column.name):
            op.drop_column(table, column.name)
