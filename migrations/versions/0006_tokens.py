"""A lease has a random token, a run knows where it was written, each daemon's plan has a row of its own.

After a fail-over that lost commits, or a restore, the fence counts the same numbers again; a token never comes twice. `place` is
what the database said of itself when a run began, so that the next one sees that it speaks to another server, or to one that went
back. `turn` is raised by what must not work beside a run: with several nodes only a row that changes keeps others out. What a
daemon plans stood in `sync_state`, which every run with changes writes: on a cluster the one ended the other's transaction.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from sync.store.migrating import has_column, table_options

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

LOCKS = ("sync_lease", "sync_runs", "sync_state")
"""What is altered: see migrations/env.py."""


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
    moment: Any = {"mysql": mysql.DATETIME(fsp=6), "postgresql": sa.DateTime(timezone=True)}.get(bind.dialect.name, sa.DateTime())
    op.create_table(
        "planned_runs",
        sa.Column("host", _text(255), nullable=False),
        sa.Column("next_run_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("host", name="pk_planned_runs"),
        if_not_exists=True,
        **table_options(bind),
    )
    # A daemon of the version before, if one is still at work, goes on to write its plan there.
    bind.execute(sa.text("UPDATE sync_state SET next_run_at = NULL"))


def downgrade() -> None:
    bind = op.get_bind()
    op.drop_table("planned_runs", if_exists=True)
    for table, column in reversed(_added()):
        if has_column(bind, table, column.name):
            op.drop_column(table, column.name)
