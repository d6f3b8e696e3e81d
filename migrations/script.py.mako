"""${message}

Before you merge: the previous release may still be running against this schema, so add, then move, then drop in a later
release. MariaDB commits every DDL statement by itself: write each one so that a second try finds it done and goes on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
