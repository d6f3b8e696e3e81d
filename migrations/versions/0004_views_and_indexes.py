"""Add the view `picker`, times as ISO 8601 text, and indexes for common queries of apps.

Existing views get new columns at their end only, as PostgreSQL requires, so dependent views and grants stay. Every statement is
idempotent, because on MariaDB each commits by itself.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from sync.store.migrating import has_index, put_view

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NEW_VIEWS = ("picker", "current_tags")

TIMES = {
    "current_templates": ("released_at", "first_seen_at", "changed_at"),
    "price_history": ("valid_from", "valid_until"),
    "change_feed": ("at",),
    "sync_status": ("last_attempt_at", "last_success_at", "last_change_at"),
}
"""Existing view -> its time columns."""

LOCKS = ("templates", "consume_items", "template_aspect_ratios", *TIMES)
"""The tables and views that this migration alters, see migrations/env.py."""


def upgrade() -> None:
    bind = op.get_bind()
    for name, (table, columns, options) in _indexes().items():
        if not has_index(bind, table, name):
            op.create_index(name, table, columns, **options)
    for name, query in views(bind.dialect.name).items():
        put_view(bind, name, query)


def downgrade() -> None:
    bind = op.get_bind()
    for name in NEW_VIEWS:
        op.execute(f"DROP VIEW IF EXISTS {name}")
    if bind.dialect.name != "postgresql":  # it cannot remove a column from a view, nor drop one with dependent views
        for name, query in _views_before(bind.dialect.name).items():
            if name in TIMES:
                put_view(bind, name, query)
    for name, (table, _columns, _options) in _indexes().items():
        if has_index(bind, table, name):
            op.drop_index(name, table)


def _indexes() -> dict[str, tuple[str, list[str], dict[str, Any]]]:
    """Return the indexes by name: table, columns, options. docs/architecture.md has the reasons."""
    gone = sa.text("removed_at IS NOT NULL")  # MariaDB has no partial indexes and creates a complete one
    newest = ["released_at", "template_id", "removed_at"]
    return {
        "ix_templates_released_at_template_id_removed_at": ("templates", newest, {}),
        "ix_templates_template_type_released_at_template_id_removed_at": ("templates", ["template_type", *newest], {}),
        "ix_templates_removed_at": ("templates", ["removed_at"], {"sqlite_where": gone, "postgresql_where": gone}),
        "ix_templates_changed_at": ("templates", ["changed_at"], {}),
        "ix_consume_items_resolution_credit_template_id": ("consume_items", ["resolution", "credit", "template_id"], {}),
        "ix_template_aspect_ratios_aspect_ratio_template_id": ("template_aspect_ratios", ["aspect_ratio", "template_id"], {}),
    }


def views(server: str) -> dict[str, str]:
    """Return the views in one dialect."""
    iso = {
        "sqlite": "replace(replace({0}, ' ', 'T'), '.000000', '') || 'Z'",
        "postgresql": "replace(to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US'), '.000000', '') || 'Z'",
        "mysql": "concat(replace(replace(cast({0} AS char(26)), ' ', 'T'), '.000000', ''), 'Z')",
    }[server]
    part = {"postgresql": "v.document -> '{}'"}.get(server, "json_extract(v.document, '$.{}')")

    def listed(name: str) -> str:
        # No join: without statistics SQLite would start an inner join with all versions and sort, and after an outer join
        # json_each of Datasette would return no rows.
        present = "v.template_id = t.template_id AND v.until_run_id IS NULL"
        return f"(SELECT {part.format(name)} FROM template_versions v WHERE {present})"

    # Without the cast PostgreSQL's column would have no precision, and SQLite's would compare as less than every text, which
    # drivers that bind decimals as text, such as Django's, send.
    number = {"sqlite": "real"}.get(server, "decimal(30, 15)")
    lowest = f"cast((SELECT min(p.credit) FROM consume_items p WHERE p.template_id = t.template_id) AS {number})"

    def with_iso(of: str, times: tuple[str, ...]) -> str:
        return ", ".join(f"{iso.format(f'{of}.{time}')} AS {time}_iso" for time in times)

    before = _views_before(server)
    more = {name: f"SELECT seen.*, {with_iso('seen', times)} FROM ({before[name]}) seen" for name, times in TIMES.items()}
    return {
        **more,
        "current_tags": "SELECT x.template_id, x.position, x.tag_id, g.name, g.name_en FROM template_tags x "
        "JOIN tags g ON g.tag_id = x.tag_id JOIN templates t ON t.template_id = x.template_id WHERE t.removed_at IS NULL",
        "picker": "SELECT t.template_id, t.title, t.title_en, t.cover_url, t.cover_aspect_ratio, t.preview_video_url, "
        f"t.duration_ms, t.template_type, t.input_requirement, t.input_num, {lowest} AS lowest_credit, "
        f"{listed('consume_items')} AS prices, {listed('tags')} AS tags, {listed('aspect_ratios')} AS aspect_ratios, "
        f"t.released_at, t.first_seen_at, t.changed_at, {with_iso('t', TIMES['current_templates'])} "
        "FROM templates t WHERE t.removed_at IS NULL",
    }


def _views_before(server: str) -> dict[str, str]:
    """Return the views of the previous revision."""
    scripts = op.get_context().script
    assert scripts is not None  # noqa: S101 - this is one of them
    first, third = (scripts.get_revision(number).module.views(server) for number in ("0001", "0003"))
    return {**first, **third}
