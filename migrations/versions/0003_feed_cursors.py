"""Store for every change its cursor, the hash of its document, its breaking reasons, and its prices as numbers.

Existing changes are backfilled by the functions that runs use. On MariaDB each DDL statement commits by itself; an interrupted
upgrade continues with the missing ones.
"""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op

from sync.store.column_types import Credit, Json
from sync.store.migrating import backfill_cursors, has_column, has_index, put_view, table_options

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INDEX = "ix_template_changes_cursor"
LOCKS = ("template_changes", "sync_state", "change_feed", "sync_status")
"""The tables and views that this migration alters, see migrations/env.py."""


def _added() -> list[tuple[str, sa.Column[Any]]]:
    text = {"collation": "C"} if op.get_bind().dialect.name == "postgresql" else {}
    return [
        ("template_changes", sa.Column("document_hash", sa.String(64, **text), nullable=True)),
        ("template_changes", sa.Column("breaking", Json(), nullable=True)),
        ("template_changes", sa.Column("cursor", sa.String(64, **text), nullable=True)),
        ("sync_state", sa.Column("feed_epoch", sa.String(12, **text), nullable=True)),
        ("sync_state", sa.Column("last_cursor", sa.String(64, **text), nullable=True)),
        ("sync_state", sa.Column("pruned_cursor", sa.String(64, **text), nullable=True)),
    ]


def upgrade() -> None:
    bind = op.get_bind()
    for table, column in _added():
        if not has_column(bind, table, column.name):
            op.add_column(table, column)
    if not has_index(bind, "template_changes", INDEX):
        op.create_index(INDEX, "template_changes", ["cursor"], unique=True)
    text = {"collation": "C"} if bind.dialect.name == "postgresql" else {}
    op.create_table(
        "price_changes",
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("resolution", sa.String(64, **text), nullable=False),
        sa.Column("template_id", sa.String(255, **text), nullable=False),
        sa.Column("old_credit", Credit(), nullable=True),
        sa.Column("new_credit", Credit(), nullable=True),
        sa.PrimaryKeyConstraint("seq", "resolution", name="pk_price_changes"),
        if_not_exists=True,
        **table_options(bind),
    )
    bind.execute(sa.text("UPDATE sync_state SET feed_epoch = :new WHERE feed_epoch IS NULL"), {"new": secrets.token_hex(6)})
    backfill_cursors(bind)
    for name, query in views(bind.dialect.name).items():
        put_view(bind, name, query)


def views(server: str) -> dict[str, str]:
    """Return the extended views in one dialect. PostgreSQL permits new columns at the end of a view only."""
    now = {"sqlite": "julianday('now')", "postgresql": "clock_timestamp()", "mysql": "utc_timestamp(6)"}[server]
    age = {
        "sqlite": f"round(({now} - julianday({{0}})) * 86400.0, 3)",
        "postgresql": f"cast(extract(epoch from {now} - {{0}}) as double precision)",
        "mysql": f"timestampdiff(microsecond, {{0}}, {now}) / 1000000.0",
    }[server]
    moments = {
        "last_attempt": "SELECT max(started_at) FROM sync_runs",
        "last_success": "SELECT max(finished_at) FROM sync_runs WHERE status = 'succeeded' AND pages > 0",
        "last_change": "SELECT max(changed_at) FROM templates",
    }
    ages = ", ".join(f"{age.format(f'moments.{name}_at')} AS {name}_age_seconds" for name in moments)
    return {
        "change_feed": "SELECT c.seq, c.run_id, c.at, c.template_id, c.kind, c.fields, c.evidence, v.document, c.breaking, "
        "c.cursor FROM template_changes c LEFT JOIN template_versions v "
        "ON v.template_id = c.template_id AND v.from_run_id = c.run_id AND c.kind <> 'removed'",
        "sync_status": f"SELECT moments.*, {ages}, (SELECT count(*) FROM templates WHERE removed_at IS NULL) AS present_count, "
        "s.feed_epoch, s.oldest_seq, s.last_seq, s.last_cursor AS "
        f"{'`cursor`' if server == 'mysql' else 'cursor'} "
        f"FROM (SELECT {', '.join(f'({query}) AS {name}_at' for name, query in moments.items())}) moments "
        "CROSS JOIN sync_state s",
    }


def downgrade() -> None:
    bind = op.get_bind()
    scripts = op.get_context().script
    assert scripts is not None  # noqa: S101 - this is one of them
    before = scripts.get_revision("0001").module.views(bind.dialect.name)
    for name in views(bind.dialect.name):
        op.execute(f"DROP VIEW IF EXISTS {name}")
        put_view(bind, name, before[name])
    op.drop_table("price_changes", if_exists=True)
    if has_index(bind, "template_changes", INDEX):
        op.drop_index(INDEX, "template_changes")
    for table, column in reversed(_added()):
        if has_column(bind, table, column.name):
            op.drop_column(table, column.name)
