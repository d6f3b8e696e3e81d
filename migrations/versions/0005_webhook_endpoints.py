"""Store the delivery position of each webhook endpoint; the feed is the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from sync.store.column_types import UtcDateTime
from sync.store.migrating import table_options

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    bind = op.get_bind()
    text = {"collation": "C"} if bind.dialect.name == "postgresql" else {}
    op.create_table(
        "webhook_endpoints",
        sa.Column("name", sa.String(64, **text), nullable=False),
        sa.Column("position", sa.String(64, **text), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failing_since", UtcDateTime(), nullable=True),
        sa.Column("next_attempt_at", UtcDateTime(), nullable=True),
        sa.Column("last_attempt_at", UtcDateTime(), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_answer", sa.String(200, **text), nullable=True),
        sa.Column("paused", sa.String(32, **text), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.String(255, **text), nullable=True),
        sa.Column("process", sa.String(255, **text), nullable=True),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_webhook_endpoints"),
        if_not_exists=True,
        **table_options(bind),
    )


def downgrade() -> None:
    op.drop_table("webhook_endpoints", if_exists=True)
