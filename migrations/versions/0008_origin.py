"""`sync_state.origin`: the catalog that the tables are a copy of.

A database that the demo synchronised is a copy of a sandbox; of any other the next verified run records the origin.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.config.addresses import LOOPBACK_ORIGIN
from sync.store.migrating import has_column

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

LOCKS = ("sync_state",)
"""What is altered: see migrations/env.py."""

_RUNS = sa.table("sync_runs", sa.column("trigger"))
_STATE = sa.table("sync_state", sa.column("origin"))


def upgrade() -> None:
    bind = op.get_bind()
    if not has_column(bind, "sync_state", "origin"):
        collation = "C" if bind.dialect.name == "postgresql" else None
        op.add_column("sync_state", sa.Column("origin", sa.String(300, collation=collation), nullable=True))
    ran = sa.exists(sa.select(_RUNS).where(_RUNS.c.trigger == "demo"))
    bind.execute(sa.update(_STATE).where(_STATE.c.origin.is_(None), ran).values(origin=LOOPBACK_ORIGIN))


def downgrade() -> None:
    bind = op.get_bind()
    if has_column(bind, "sync_state", "origin"):
        op.drop_column("sync_state", "origin")
