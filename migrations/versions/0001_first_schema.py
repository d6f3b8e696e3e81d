"""The first schema: catalog, history, runs, lease, and the views for apps.

Every statement is idempotent: MariaDB commits each DDL statement by itself, so an interrupted migration runs again.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from sync.store.column_types import BigId, Credit, Json, UtcDateTime
from sync.store.migrating import has_index, table_options

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


class _Make:
    """Creates tables and indexes, unless they exist."""

    def __init__(self) -> None:
        self._bind = op.get_bind()
        self.server = self._bind.dialect.name

    def text(self, length: int) -> sa.String:
        return sa.String(length, collation="C" if self.server == "postgresql" else None)  # ids and tags sort by code point

    @staticmethod
    def column(name: str, kind: Any, *rest: Any, null: bool = False, **options: Any) -> sa.Column[Any]:
        return sa.Column(name, kind, *rest, nullable=null, **options)

    def table(self, name: str, *parts: Any, key: tuple[str, ...], **options: Any) -> None:
        constraint = sa.PrimaryKeyConstraint(*key, name=f"pk_{name}")
        op.create_table(name, *parts, constraint, if_not_exists=True, **table_options(self._bind), **options)

    @staticmethod
    def template(name: str) -> sa.ForeignKeyConstraint:
        return sa.ForeignKeyConstraint(["template_id"], ["templates.template_id"], name=f"fk_{name}_template_id")

    def index(self, name: str, of: str, *columns: str) -> None:
        if not has_index(self._bind, of, name):
            op.create_index(name, of, list(columns))


def upgrade() -> None:
    make = _Make()
    _create_catalog(make)
    _create_history(make)
    _create_state(make)
    _create_views(make.server)


def _create_catalog(make: _Make) -> None:
    make.table(
        "templates",
        make.column("template_id", make.text(255)),
        make.column("media_id", make.text(255), null=True),
        make.column("service_id", make.text(255), null=True),
        make.column("title", sa.Text(), null=True),
        make.column("title_en", sa.Text(), null=True),
        make.column("cover_url", sa.Text(), null=True),
        make.column("cover_aspect_ratio", make.text(64), null=True),
        make.column("preview_video_url", sa.Text(), null=True),
        make.column("duration_ms", sa.BigInteger(), null=True),
        make.column("template_type", make.text(255), null=True),
        make.column("input_requirement", sa.Text(), null=True),
        make.column("input_num", sa.Integer(), null=True),
        make.column("released_at", UtcDateTime(), null=True),
        make.column("extra", Json()),
        make.column("content_hash", make.text(64)),
        make.column("fingerprint", make.text(64)),
        make.column("first_seen_at", UtcDateTime()),
        make.column("changed_at", UtcDateTime()),
        make.column("removed_at", UtcDateTime(), null=True),
        make.column("first_seen_run_id", sa.BigInteger()),
        make.column("changed_run_id", sa.BigInteger()),
        make.column("removed_run_id", sa.BigInteger(), null=True),
        key=("template_id",),
    )
    make.table(
        "consume_items",
        make.column("template_id", make.text(255)),
        make.column("resolution", make.text(64)),
        make.column("position", sa.Integer()),
        make.column("credit", Credit()),
        make.template("consume_items"),
        key=("template_id", "resolution"),
    )
    make.table(
        "price_periods",
        make.column("template_id", make.text(255)),
        make.column("resolution", make.text(64)),
        make.column("from_run_id", sa.BigInteger()),
        make.column("credit", Credit()),
        make.column("valid_from", UtcDateTime()),
        make.column("valid_until", UtcDateTime(), null=True),
        make.template("price_periods"),
        key=("template_id", "resolution", "from_run_id"),
    )
    make.table(
        "tags",
        make.column("tag_id", sa.Integer(), autoincrement=False),
        make.column("name", make.text(255)),
        make.column("name_en", make.text(255), null=True),
        sa.UniqueConstraint("name", "name_en", name="uq_tags_name_name_en"),
        key=("tag_id",),
    )
    make.table(
        "template_tags",
        make.column("template_id", make.text(255)),
        make.column("position", sa.Integer()),
        make.column("tag_id", sa.Integer()),
        make.template("template_tags"),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.tag_id"], name="fk_template_tags_tag_id"),
        key=("template_id", "position"),
    )
    make.index("ix_template_tags_tag_id", "template_tags", "tag_id")
    make.table(
        "template_aspect_ratios",
        make.column("template_id", make.text(255)),
        make.column("position", sa.Integer()),
        make.column("aspect_ratio", make.text(64)),
        make.template("template_aspect_ratios"),
        key=("template_id", "position"),
    )


def _create_history(make: _Make) -> None:
    counts = ("pages", "requests", "retries", "bytes", "seen", "added", "removed", "changed", "unchanged", "rejected", "held")
    make.table(
        "sync_runs",
        make.column("run_id", BigId, autoincrement=True),
        make.column("trigger", make.text(16)),
        make.column("status", make.text(16)),
        make.column("started_at", UtcDateTime()),
        make.column("finished_at", UtcDateTime(), null=True),
        make.column("catalog_total", sa.BigInteger(), null=True),
        *(make.column(name, sa.BigInteger() if name == "bytes" else sa.Integer(), server_default="0") for name in counts),
        make.column("fields_appeared", Json(), null=True),
        make.column("fields_vanished", Json(), null=True),
        make.column("error_code", make.text(32), null=True),
        make.column("error", sa.Text(), null=True),
        make.column("fence", sa.BigInteger(), null=True),
        make.column("holder", make.text(255)),
        sa.UniqueConstraint("fence", name="uq_sync_runs_fence"),
        sa.CheckConstraint(
            "status in ('running', 'succeeded', 'held', 'incomplete', 'deferred', 'failed', 'skipped', 'interrupted')",
            name="ck_sync_runs_status",
        ),
        key=("run_id",),
        sqlite_autoincrement=True,
    )
    make.index("ix_sync_runs_status_finished_at", "sync_runs", "status", "finished_at")
    make.table(
        "template_changes",
        make.column("seq", sa.BigInteger(), autoincrement=False),
        make.column("run_id", sa.BigInteger()),
        make.column("at", UtcDateTime()),
        make.column("template_id", make.text(255)),
        make.column("kind", make.text(16)),
        make.column("fields", Json(), null=True),
        make.column("evidence", make.text(16), null=True),
        sa.UniqueConstraint("run_id", "template_id", name="uq_template_changes_run_id_template_id"),
        sa.CheckConstraint("kind in ('added', 'removed', 'changed')", name="ck_template_changes_kind"),
        key=("seq",),
    )
    make.index("ix_template_changes_template_id", "template_changes", "template_id")
    make.table(
        "template_versions",
        make.column("template_id", make.text(255)),
        make.column("from_run_id", sa.BigInteger()),
        make.column("until_run_id", sa.BigInteger(), null=True),
        make.column("document", Json()),
        make.column("content_hash", make.text(64)),
        make.template("template_versions"),
        key=("template_id", "from_run_id"),
    )
    make.table(
        "rejected_templates",
        make.column("run_id", sa.BigInteger()),
        make.column("ordinal", sa.Integer()),
        make.column("page", sa.Integer()),
        make.column("position", sa.Integer()),
        make.column("template_id", make.text(255), null=True),
        make.column("reason", sa.Text()),
        make.column("payload", sa.Text()),
        key=("run_id", "ordinal"),
    )


def _create_state(make: _Make) -> None:
    make.table(
        "held_removals",
        make.column("template_id", make.text(255)),
        make.column("since_run_id", sa.BigInteger()),
        make.column("runs", sa.Integer()),
        make.template("held_removals"),
        key=("template_id",),
    )
    make.table(
        "sync_lease",
        make.column("name", make.text(16)),
        make.column("fence", sa.BigInteger()),
        make.column("holder", make.text(255), null=True),
        make.column("process", make.text(255), null=True),
        make.column("expires", sa.Double()),
        key=("name",),
    )
    make.table(
        "sync_state",
        make.column("name", make.text(16)),
        make.column("last_seq", sa.BigInteger()),
        make.column("oldest_seq", sa.BigInteger()),
        make.column("wire_fields", Json(), null=True),
        make.column("absent_fields", Json(), null=True),
        make.column("unreconciled_ids", make.text(64), null=True),
        make.column("unreconciled_runs", sa.Integer()),
        make.column("next_run_at", UtcDateTime(), null=True),
        key=("name",),
    )
    for row in (
        "INSERT INTO sync_lease (name, fence, expires) SELECT 'sync', 0, 0 WHERE NOT EXISTS (SELECT 1 FROM sync_lease)",
        (
            "INSERT INTO sync_state (name, last_seq, oldest_seq, unreconciled_runs) "
            "SELECT 'sync', 0, 1, 0 WHERE NOT EXISTS (SELECT 1 FROM sync_state)"
        ),
    ):
        op.execute(row)


def _create_views(server: str) -> None:
    # A later revision must not drop a view: on PostgreSQL that fails if another view depends on it, and loses grants.
    form = {"sqlite": "CREATE VIEW IF NOT EXISTS"}.get(server, "CREATE OR REPLACE VIEW")
    for name, query in views(server).items():
        op.execute(f"{form} {name} AS {query}")


def views(server: str) -> dict[str, str]:
    """Return the views, the stable interface for apps, in one dialect."""
    now = {"sqlite": "julianday('now')", "postgresql": "clock_timestamp()", "mysql": "utc_timestamp(6)"}[server]
    age = {
        "sqlite": f"round(({now} - julianday({{0}})) * 86400.0, 3)",
        "postgresql": f"cast(extract(epoch from {now} - {{0}}) as double precision)",
        "mysql": f"timestampdiff(microsecond, {{0}}, {now}) / 1000000.0",
    }[server]
    columns = (
        "template_id, media_id, service_id, title, title_en, cover_url, cover_aspect_ratio, preview_video_url, duration_ms, "
        "template_type, input_requirement, input_num, released_at, extra, content_hash, first_seen_at, changed_at, "
        "first_seen_run_id, changed_run_id"
    )
    moments = {
        "last_attempt": "SELECT max(started_at) FROM sync_runs",
        "last_success": "SELECT max(finished_at) FROM sync_runs WHERE status = 'succeeded' AND pages > 0",
        "last_change": "SELECT max(changed_at) FROM templates",
    }
    ages = ", ".join(f"{age.format(f'moments.{name}_at')} AS {name}_age_seconds" for name in moments)
    return {
        "current_templates": f"SELECT {columns} FROM templates WHERE removed_at IS NULL",
        "current_prices": "SELECT p.template_id, t.title, t.title_en, p.resolution, p.position, p.credit "
        "FROM consume_items p JOIN templates t ON t.template_id = p.template_id WHERE t.removed_at IS NULL",
        "price_history": "SELECT template_id, resolution, credit, valid_from, valid_until FROM price_periods",
        "change_feed": "SELECT c.seq, c.run_id, c.at, c.template_id, c.kind, c.fields, c.evidence, v.document "
        "FROM template_changes c LEFT JOIN template_versions v "
        "ON v.template_id = c.template_id AND v.from_run_id = c.run_id AND c.kind <> 'removed'",
        "sync_status": f"SELECT moments.*, {ages}, (SELECT count(*) FROM templates WHERE removed_at IS NULL) AS present_count "
        f"FROM (SELECT {', '.join(f'({query}) AS {name}_at' for name, query in moments.items())}) moments",
    }


def downgrade() -> None:
    for name in ("sync_status", "change_feed", "price_history", "current_prices", "current_templates"):
        op.execute(f"DROP VIEW IF EXISTS {name}")
    for name in (
        "sync_state", "sync_lease", "held_removals", "rejected_templates", "template_versions", "template_changes", "sync_runs",
        "template_aspect_ratios", "template_tags", "tags", "price_periods", "consume_items", "templates",
    ):  # fmt: skip
        op.drop_table(name, if_exists=True)
