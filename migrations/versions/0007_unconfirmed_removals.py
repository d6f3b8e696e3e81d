"""Store unconfirmed removals and the times of held ones; drop the state of fields between runs.

`held_removals.since_at` and `sync_state.unreconciled_since` are the start times of the first runs that agree. For existing held
removals, that is the run that first held them, or the newest run if that one is pruned.

`sync_state.wire_fields`, `sync_state.absent_fields` and `templates.fingerprint` are not used any more: each template is compared
with its stored document. A daemon of an older version checks the schema only at its start and reads these columns in each run, so
its runs now fail before they write. Changes that such a daemon appended to the feed since revision 0003 get their cursors here.
`sync_state.next_run_at` was written by such daemons only; `sync_runs.place` is not compared any more.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op

from sync.errors import SchemaError
from sync.store.column_types import Json, UtcDateTime
from sync.store.migrating import backfill_cursors, has_column, table_options
from sync.store.tables import VIEWS

if TYPE_CHECKING:
    from collections.abc import Iterator

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

LOCKS = ("held_removals", "sync_runs", "sync_state", "templates")
"""The tables and views that this migration alters, see migrations/env.py."""


def _added() -> list[tuple[str, sa.Column[Any]]]:
    return [
        ("sync_runs", sa.Column("unconfirmed", sa.Integer(), nullable=False, server_default="0")),
        ("sync_state", sa.Column("unreconciled_since", UtcDateTime(), nullable=True)),
        ("held_removals", sa.Column("since_at", UtcDateTime(), nullable=True)),  # nullable until existing rows have it
    ]


def _dropped() -> list[tuple[str, sa.Column[Any]]]:
    """Return the dropped columns with the defaults of a downgrade, which make the older version parse all records."""
    exact = "C" if op.get_bind().dialect.name == "postgresql" else None
    return [
        ("sync_state", sa.Column("wire_fields", Json(), nullable=True)),
        ("sync_state", sa.Column("absent_fields", Json(), nullable=True)),
        ("sync_state", sa.Column("next_run_at", UtcDateTime(), nullable=True)),
        ("sync_runs", sa.Column("place", sa.String(255, collation=exact), nullable=True)),
        ("templates", sa.Column("fingerprint", sa.String(64, collation=exact), nullable=False, server_default="")),
    ]


def upgrade() -> None:
    bind = op.get_bind()
    for table, column in _added():
        if not has_column(bind, table, column.name):
            op.add_column(table, column)
    _refuse_dependent_views(bind)
    _drop_columns(bind)
    backfill_cursors(bind)
    _backfill_since_at(bind)
    with op.batch_alter_table("held_removals") as batch:
        batch.alter_column("since_at", existing_type=UtcDateTime(), nullable=False)
    _create_unconfirmed_removals(bind)


def _refuse_dependent_views(bind: sa.Connection) -> None:
    """Raise an error if a foreign view uses the columns: PostgreSQL would refuse, MariaDB would leave a broken view."""
    inspector = sa.inspect(bind)
    dropped = [(table, column.name) for table, column in _dropped()]
    words = {
        view: set(re.findall(r"\w+", inspector.get_view_definition(view) or ""))
        for view in inspector.get_view_names()
        if view not in VIEWS
    }
    if using := sorted(view for view, found in words.items() if any(found.issuperset(each) for each in dropped)):
        names = sorted(name for _table, name in dropped)
        raise SchemaError(
            f"These views select columns that this version drops ({', '.join(names)}): {', '.join(using)}.",
            hint="Drop them, run `template-sync db upgrade`, and create them again without these columns.",
        )


def _drop_columns(bind: sa.Connection) -> None:
    """Drop the columns. SQLite drops none while a view selects from what no longer exists, and does not name the view."""
    try:
        for table, column in _dropped():
            if has_column(bind, table, column.name):
                op.drop_column(table, column.name)
    except sa.exc.OperationalError as error:
        if bind.dialect.name != "sqlite" or not (broken := [*_unreadable_views(bind)]):
            raise
        raise SchemaError(
            f"SQLite cannot upgrade a database with views that cannot be read: {', '.join(broken)}.",
            hint="Drop or correct them, then run `template-sync db upgrade`.",
        ) from error


def _unreadable_views(bind: sa.Connection) -> Iterator[str]:
    for view in sa.inspect(bind).get_view_names():
        try:
            bind.execute(sa.select(sa.text("1")).select_from(sa.table(view)).limit(0))
        except sa.exc.OperationalError as error:
            if not re.match("no such (function|collation)", str(error.orig)):  # an app may define them in its own connections
                yield f"{view} ({error.orig})"


def _backfill_since_at(bind: sa.Connection) -> None:
    started = "(SELECT started_at FROM sync_runs WHERE sync_runs.run_id = held_removals.since_run_id)"
    newest = "(SELECT MAX(started_at) FROM sync_runs)"
    statement = f"UPDATE held_removals SET since_at = COALESCE({started}, {newest}, :now) WHERE since_at IS NULL"
    bind.execute(sa.text(statement).bindparams(sa.bindparam("now", datetime.now(UTC), type_=UtcDateTime())))


def _create_unconfirmed_removals(bind: sa.Connection) -> None:
    text = {"collation": "C"} if bind.dialect.name == "postgresql" else {}
    op.create_table(
        "unconfirmed_removals",
        sa.Column("template_id", sa.String(255, **text), nullable=False),
        sa.Column("since_run_id", sa.BigInteger(), nullable=False),
        sa.Column("since_at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["template_id"], ["templates.template_id"], name="fk_unconfirmed_removals_template_id"),
        sa.PrimaryKeyConstraint("template_id", name="pk_unconfirmed_removals"),
        if_not_exists=True,
        **table_options(bind),
    )


def downgrade() -> None:
    bind = op.get_bind()
    op.drop_table("unconfirmed_removals", if_exists=True)
    for table, column in reversed(_added()):
        if has_column(bind, table, column.name):
            op.drop_column(table, column.name)
    for table, column in _dropped():
        if not has_column(bind, table, column.name):
            op.add_column(table, column)
    bind.execute(sa.text("UPDATE templates SET wire_hash = NULL"))  # the older version hashes differently
