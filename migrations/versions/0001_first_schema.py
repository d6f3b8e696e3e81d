"""The first schema: the catalog, its history, the runs, the lease, and the views that apps read.

Every statement can be repeated: MariaDB commits each DDL statement by itself, so a first try that was killed half-way is
simply run again.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql, postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    bind = op.get_bind()
    dialect = bind.dialect
    server = dialect.name
    moment: Any = mysql.DATETIME(fsp=6) if server == "mysql" else sa.DateTime(timezone=server == "postgresql")
    credit: Any = sa.Double() if server == "sqlite" else sa.Numeric(30, 15)
    json: Any = postgresql.JSONB() if server == "postgresql" else sa.JSON()
    counted: Any = sa.Integer() if server == "sqlite" else sa.BigInteger()
    collation = "C" if server == "postgresql" else None  # ids and tags sort by code point on every engine

    def text(length: int) -> sa.String:
        return sa.String(length, collation=collation)

    def column(name: str, kind: Any, *rest: Any, null: bool = False, **options: Any) -> sa.Column[Any]:
        return sa.Column(name, kind, *rest, nullable=null, **options)

    def table(name: str, *parts: Any, key: tuple[str, ...], **options: Any) -> None:
        # Only a no-pad binary collation tells a from A, é from e, and "a " from "a"; the server's default may be latin1.
        exact = "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"
        op.create_table(
            name,
            *parts,
            sa.PrimaryKeyConstraint(*key, name=f"pk_{name}"),
            if_not_exists=True,
            mysql_charset="utf8mb4",
            mysql_collate=exact,
            mysql_engine="InnoDB",
            **options,
        )

    def template(name: str) -> sa.ForeignKeyConstraint:
        return sa.ForeignKeyConstraint(["template_id"], ["templates.template_id"], name=f"fk_{name}_template_id")

    def index(name: str, of: str, *columns: str) -> None:
        if name not in {found["name"] for found in sa.inspect(bind).get_indexes(of)}:
            op.create_index(name, of, list(columns))

    table(
        "templates",
        column("template_id", text(255)),
        column("media_id", text(255), null=True),
        column("service_id", text(255), null=True),
        column("title", sa.Text(), null=True),
        column("title_en", sa.Text(), null=True),
        column("cover_url", sa.Text(), null=True),
        column("cover_aspect_ratio", text(64), null=True),
        column("preview_video_url", sa.Text(), null=True),
        column("duration_ms", sa.BigInteger(), null=True),
        column("template_type", text(255), null=True),
        column("input_requirement", sa.Text(), null=True),
        column("input_num", sa.Integer(), null=True),
        column("released_at", moment, null=True),
        column("extra", json),
        column("content_hash", text(64)),
        column("fingerprint", text(64)),
        column("first_seen_at", moment),
        column("changed_at", moment),
        column("removed_at", moment, null=True),
        column("first_seen_run_id", sa.BigInteger()),
        column("changed_run_id", sa.BigInteger()),
        column("removed_run_id", sa.BigInteger(), null=True),
        key=("template_id",),
    )
    table(
        "consume_items",
        column("template_id", text(255)),
        column("resolution", text(64)),
        column("position", sa.Integer()),
        column("credit", credit),
        template("consume_items"),
        key=("template_id", "resolution"),
    )
    table(
        "price_periods",
        column("template_id", text(255)),
        column("resolution", text(64)),
        column("from_run_id", sa.BigInteger()),
        column("credit", credit),
        column("valid_from", moment),
        column("valid_until", moment, null=True),
        template("price_periods"),
        key=("template_id", "resolution", "from_run_id"),
    )
    table(
        "tags",
        column("tag_id", sa.Integer(), autoincrement=False),
        column("name", text(255)),
        column("name_en", text(255), null=True),
        sa.UniqueConstraint("name", "name_en", name="uq_tags_name_name_en"),
        key=("tag_id",),
    )
    table(
        "template_tags",
        column("template_id", text(255)),
        column("position", sa.Integer()),
        column("tag_id", sa.Integer()),
        template("template_tags"),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.tag_id"], name="fk_template_tags_tag_id"),
        key=("template_id", "position"),
    )
    index("ix_template_tags_tag_id", "template_tags", "tag_id")
    table(
        "template_aspect_ratios",
        column("template_id", text(255)),
        column("position", sa.Integer()),
        column("aspect_ratio", text(64)),
        template("template_aspect_ratios"),
        key=("template_id", "position"),
    )
    counts = ("pages", "requests", "retries", "bytes", "seen", "added", "removed", "changed", "unchanged", "rejected", "held")
    table(
        "sync_runs",
        column("run_id", counted, autoincrement=True),
        column("trigger", text(16)),
        column("status", text(16)),
        column("started_at", moment),
        column("finished_at", moment, null=True),
        column("catalog_total", sa.BigInteger(), null=True),
        *(column(name, sa.BigInteger() if name == "bytes" else sa.Integer(), server_default="0") for name in counts),
        column("fields_appeared", json, null=True),
        column("fields_vanished", json, null=True),
        column("error_code", text(32), null=True),
        column("error", sa.Text(), null=True),
        column("fence", sa.BigInteger(), null=True),
        column("holder", text(255)),
        sa.UniqueConstraint("fence", name="uq_sync_runs_fence"),
        sa.CheckConstraint(
            "status in ('running', 'succeeded', 'held', 'incomplete', 'deferred', 'failed', 'skipped', 'interrupted')",
            name="ck_sync_runs_status",
        ),
        key=("run_id",),
        sqlite_autoincrement=True,
    )
    index("ix_sync_runs_status_finished_at", "sync_runs", "status", "finished_at")
    table(
        "template_changes",
        column("seq", sa.BigInteger(), autoincrement=False),
        column("run_id", sa.BigInteger()),
        column("at", moment),
        column("template_id", text(255)),
        column("kind", text(16)),
        column("fields", json, null=True),
        column("evidence", text(16), null=True),
        sa.UniqueConstraint("run_id", "template_id", name="uq_template_changes_run_id_template_id"),
        sa.CheckConstraint("kind in ('added', 'removed', 'changed')", name="ck_template_changes_kind"),
        key=("seq",),
    )
    index("ix_template_changes_template_id", "template_changes", "template_id")
    table(
        "template_versions",
        column("template_id", text(255)),
        column("from_run_id", sa.BigInteger()),
        column("until_run_id", sa.BigInteger(), null=True),
        column("document", json),
        column("content_hash", text(64)),
        template("template_versions"),
        key=("template_id", "from_run_id"),
    )
    table(
        "rejected_templates",
        column("run_id", sa.BigInteger()),
        column("ordinal", sa.Integer()),
        column("page", sa.Integer()),
        column("position", sa.Integer()),
        column("template_id", text(255), null=True),
        column("reason", sa.Text()),
        column("payload", sa.Text()),
        key=("run_id", "ordinal"),
    )
    table(
        "held_removals",
        column("template_id", text(255)),
        column("since_run_id", sa.BigInteger()),
        column("runs", sa.Integer()),
        template("held_removals"),
        key=("template_id",),
    )
    table(
        "sync_lease",
        column("name", text(16)),
        column("fence", sa.BigInteger()),
        column("holder", text(255), null=True),
        column("process", text(255), null=True),
        column("expires", sa.Double()),
        key=("name",),
    )
    table(
        "sync_state",
        column("name", text(16)),
        column("last_seq", sa.BigInteger()),
        column("oldest_seq", sa.BigInteger()),
        column("wire_fields", json, null=True),
        column("absent_fields", json, null=True),
        column("unreconciled_ids", text(64), null=True),
        column("unreconciled_runs", sa.Integer()),
        column("next_run_at", moment, null=True),
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
    # A later revision must not drop a view either: on PostgreSQL that fails where an app built its own on it, and loses grants.
    form = {"sqlite": "CREATE VIEW IF NOT EXISTS"}.get(server, "CREATE OR REPLACE VIEW")
    for name, query in views(server).items():
        op.execute(f"{form} {name} AS {query}")


def views(server: str) -> dict[str, str]:
    """Give the views, the stable surface for apps, in one dialect."""
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
