"""Name the template of a refresh (`sync_runs.template_id`), and let a waiting run go first (`sync_lease.run_waits_until`).

A refresh that found no change is recorded by the row of its run only; `ensure_fresh` finds it by its template, so it is indexed.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.store.migrating import has_column, has_index

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

LOCKS = ("sync_lease", "sync_runs")
"""What is altered: see migrations/env.py."""

_INDEX = "ix_sync_runs_template_id"


def upgrade() -> None:
    bind = op.get_bind()
    if not has_column(bind, "sync_lease", "run_waits_until"):
        op.add_column("sync_lease", sa.Column("run_waits_until", sa.Double(), nullable=True))
    if not has_column(bind, "sync_runs", "template_id"):
        collation = "C" if bind.dialect.name == "postgresql" else None
        op.add_column("sync_runs", sa.Column("template_id", sa.String(255, collation=collation), nullable=True))
    if not has_index(bind, "sync_runs", _INDEX):
        op.create_index(_INDEX, "sync_runs", ["template_id"])


def downgrade() -> None:
    bind = op.get_bind()
    if has_index(bind, "sync_runs", _INDEX):
        op.drop_index(_INDEX, "sync_runs")
    for table, column in (("sync_runs", "template_id"), ("sync_lease", "run_waits_until")):
        if has_column(bind, table, column):
            op.drop_column(table, column)
