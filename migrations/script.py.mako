"""${message}

The previous release may still use this schema: add columns in one release, and drop the old ones in a later release. MariaDB
commits every DDL statement by itself: write each statement so that a repetition after an interruption succeeds.
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
