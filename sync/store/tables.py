"""The tables and views; apps rely on the names of both. `migrations/` creates them, docs/database.md describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from sync.store.column_types import BigId, Credit, Json, UtcDateTime

if TYPE_CHECKING:
    from collections.abc import Mapping

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _template_id() -> Column[str]:
    return Column("template_id", String(255), ForeignKey("templates.template_id"), primary_key=True)


def _counts(*names: str) -> list[Column[int]]:
    return [Column(name, Integer, nullable=False, server_default="0") for name in names]


_BY_RELEASE = ("released_at", "template_id", "removed_at")  # removed_at lets the index alone count present templates

templates = Table(
    "templates",
    metadata,
    Column("template_id", String(255), primary_key=True),
    Column("media_id", String(255)),
    Column("service_id", String(255)),
    Column("title", Text),
    Column("title_en", Text),
    Column("cover_url", Text),
    Column("cover_aspect_ratio", String(64)),
    Column("preview_video_url", Text),
    Column("duration_ms", BigInteger),
    Column("template_type", String(255)),
    Column("input_requirement", Text),
    Column("input_num", Integer),
    Column("released_at", UtcDateTime),
    Column("extra", Json, nullable=False),
    Column("content_hash", String(64), nullable=False),  # equal hashes mean no change
    Column("first_seen_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("removed_at", UtcDateTime),
    Column("first_seen_run_id", BigInteger, nullable=False),
    Column("changed_run_id", BigInteger, nullable=False),
    Column("removed_run_id", BigInteger),
    Column("wire_hash", String(64)),  # of the served bytes; null if the document also has values that were kept
    Index("ix_templates_released_at_template_id_removed_at", *_BY_RELEASE),
    Index("ix_templates_template_type_released_at_template_id_removed_at", "template_type", *_BY_RELEASE),
    Index("ix_templates_changed_at", "changed_at"),
    # The migration makes it partial where supported, because SQLite would use it in every query for present templates.
    # Declared here, it would make every run import another dialect.
    Index("ix_templates_removed_at", "removed_at"),
)

consume_items = Table(
    "consume_items",
    metadata,
    _template_id(),
    Column("resolution", String(64), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("credit", Credit, nullable=False),
    Index("ix_consume_items_resolution_credit_template_id", "resolution", "credit", "template_id"),
)

price_periods = Table(  # behind the view `price_history`
    "price_periods",
    metadata,
    _template_id(),
    Column("resolution", String(64), primary_key=True),
    Column("from_run_id", BigInteger, primary_key=True, autoincrement=False),
    Column("credit", Credit, nullable=False),
    Column("valid_from", UtcDateTime, nullable=False),
    Column("valid_until", UtcDateTime),
    Column("until_run_id", BigInteger),  # the run that ended it; null: it is open, or an old version did not store it
)

tags = Table(
    "tags",
    metadata,
    Column("tag_id", Integer, primary_key=True, autoincrement=False),
    Column("name", String(255), nullable=False),
    Column("name_en", String(255)),
    UniqueConstraint("name", "name_en"),
)

template_tags = Table(
    "template_tags",
    metadata,
    _template_id(),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("tag_id", Integer, ForeignKey("tags.tag_id"), nullable=False, index=True),
)

template_aspect_ratios = Table(
    "template_aspect_ratios",
    metadata,
    _template_id(),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("aspect_ratio", String(64), nullable=False),
    Index("ix_template_aspect_ratios_aspect_ratio_template_id", "aspect_ratio", "template_id"),
)

sync_runs = Table(
    "sync_runs",
    metadata,
    Column("run_id", BigId, primary_key=True, autoincrement=True),
    Column("trigger", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Column("catalog_total", BigInteger),
    *_counts("pages", "requests", "retries"),
    Column("bytes", BigInteger, nullable=False, server_default="0"),
    # `held`: held removals; `unconfirmed`: missing templates that are kept without a confirmation.
    *_counts("seen", "added", "removed", "changed", "unchanged", "rejected", "held", "unconfirmed"),
    Column("fields_appeared", Json),  # unknown wire fields that a template gained
    Column("fields_vanished", Json),  # wire fields that the whole catalog stopped sending
    Column("error_code", String(32)),
    Column("error", Text),
    Column("fence", BigInteger, unique=True),  # fencing token of the attempt's lease; null without a lease
    Column("holder", String(255), nullable=False),
    Column("version", String(32)),  # of the program; null: 0.1.0
    Column("token", String(32)),  # random token of the lease, because fence and run_id can be assigned again after a failover
    Column("template_id", String(255)),  # of a refresh; null: the run walked the catalog
    sa.CheckConstraint(
        "status in ('running', 'succeeded', 'held', 'incomplete', 'deferred', 'failed', 'skipped', 'interrupted')", name="status"
    ),
    Index("ix_sync_runs_status_finished_at", "status", "finished_at"),
    Index("ix_sync_runs_template_id", "template_id"),
    sqlite_autoincrement=True,  # otherwise SQLite reuses the numbers of pruned runs
)

template_changes = Table(
    "template_changes",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("run_id", BigInteger, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("template_id", String(255), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("fields", Json),
    Column("evidence", String(16)),
    # Not null since revision 0007, which backfills them; not declared so, because SQLite would rebuild the table.
    Column("document_hash", String(64)),  # content hash of the document after the change; of a removal: of the last document
    Column("breaking", Json),  # reasons why it breaks callers
    Column("cursor", String(64)),
    UniqueConstraint("run_id", "template_id"),
    sa.CheckConstraint("kind in ('added', 'removed', 'changed')", name="kind"),
    Index("ix_template_changes_template_id", "template_id"),
    Index("ix_template_changes_cursor", "cursor", unique=True),
)

price_changes = Table(  # the price changes of the feed, as numbers
    "price_changes",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("resolution", String(64), primary_key=True),
    Column("template_id", String(255), nullable=False),
    Column("old_credit", Credit),  # null: new price
    Column("new_credit", Credit),  # null: removed price
)

template_versions = Table(
    "template_versions",
    metadata,
    _template_id(),
    Column("from_run_id", BigInteger, primary_key=True, autoincrement=False),
    Column("until_run_id", BigInteger),
    Column("document", Json, nullable=False),
    Column("content_hash", String(64), nullable=False),
)

rejected_templates = Table(
    "rejected_templates",
    metadata,
    Column("run_id", BigInteger, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("page", Integer, nullable=False),  # 0: a look-up by id
    Column("position", Integer, nullable=False),
    Column("template_id", String(255)),
    Column("reason", Text, nullable=False),
    Column("payload", Text, nullable=False),
)

held_removals = Table(  # removals that the last verified run held
    "held_removals",
    metadata,
    _template_id(),
    Column("since_run_id", BigInteger, nullable=False),
    Column("since_at", UtcDateTime, nullable=False),  # start of that run
    Column("runs", Integer, nullable=False),  # number of consecutive verified runs that agree
)

unconfirmed_removals = Table(  # missing templates whose removal is not confirmed
    "unconfirmed_removals",
    metadata,
    _template_id(),
    Column("since_run_id", BigInteger, nullable=False),
    Column("since_at", UtcDateTime, nullable=False),  # start of that run
    Column("reason", Text, nullable=False),
    Column("answered", sa.Boolean, nullable=False),  # whether the look-up was answered, so that the removal can be accepted
)

sync_lease = Table(  # one row: the lease of runs
    "sync_lease",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("fence", BigInteger, nullable=False),  # raised by each acquisition; a run with an older one cannot commit
    Column("holder", String(255)),
    Column("process", String(255)),  # mark of the process; see `sync.store.lease`
    Column("expires", sa.Double, nullable=False),  # Unix seconds of the database's clock
    Column("ttl", sa.Double),  # seconds; a clock that was set back must not extend the lease
    Column("token", String(32)),  # random, new for each acquisition
    Column("turn", BigInteger),  # raised to block commits of runs; see `block_commits`
    Column("run_waits_until", sa.Double),  # Unix seconds of the database's clock: refreshes do not acquire the lease before
)

planned_runs = Table(  # the next run of each daemon; one row per host avoids conflicts
    "planned_runs",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("next_run_at", UtcDateTime, nullable=False),
)

sync_state = Table(  # one row: state that runs keep
    "sync_state",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
    Column("oldest_seq", BigInteger, nullable=False),  # start of the feed; older changes are pruned
    Column("unreconciled_ids", String(64)),  # hash of the ids served by walks with a count mismatch
    Column("unreconciled_runs", Integer, nullable=False),
    Column("unreconciled_since", UtcDateTime),  # start of the first of those runs
    Column("oldest_run_id", BigInteger),  # history is complete after this run; null: from the start
    Column("feed_epoch", String(12)),  # not null; random id of this feed, created with the tables
    Column("last_cursor", String(64)),  # not null; end of the feed
    Column("origin", String(300)),  # scheme, host and port of the copied catalog; null: no verified run yet
    Column("pruned_cursor", String(64)),  # cursor of the last pruned change; null: none was pruned
)

webhook_endpoints = Table(  # one row per endpoint: its position in the feed, its last attempt, and the lease of its dispatcher
    "webhook_endpoints",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("position", String(64), nullable=False),  # cursor: all matching changes up to it were delivered
    Column("attempts", Integer, nullable=False),  # failed attempts of the next message
    Column("failing_since", UtcDateTime),
    Column("next_attempt_at", UtcDateTime),  # null: at once
    Column("last_attempt_at", UtcDateTime),
    Column("last_status", Integer),  # status of the last response; null: no response
    Column("last_answer", String(200)),  # the response, or the reason why there is none
    Column("paused", String(32)),  # reason of the pause; null: not paused
    Column("fence", BigInteger, nullable=False),  # fencing token of the dispatcher's lease
    Column("holder", String(255)),
    Column("process", String(255)),
    Column("expires", sa.Double, nullable=False),
)

VIEWS: Mapping[str, tuple[str, ...]] = {
    "picker": (
        "template_id", "title", "title_en", "cover_url", "cover_aspect_ratio", "preview_video_url", "duration_ms",
        "template_type", "input_requirement", "input_num", "lowest_credit", "prices", "tags", "aspect_ratios", "released_at",
        "first_seen_at", "changed_at", "released_at_iso", "first_seen_at_iso", "changed_at_iso",
    ),
    "current_templates": (
        "template_id", "media_id", "service_id", "title", "title_en", "cover_url", "cover_aspect_ratio", "preview_video_url",
        "duration_ms", "template_type", "input_requirement", "input_num", "released_at", "extra", "content_hash", "first_seen_at",
        "changed_at", "first_seen_run_id", "changed_run_id", "released_at_iso", "first_seen_at_iso", "changed_at_iso",
    ),
    "current_prices": ("template_id", "title", "title_en", "resolution", "position", "credit"),
    "current_tags": ("template_id", "position", "tag_id", "name", "name_en"),
    "price_history": (
        "template_id", "resolution", "credit", "valid_from", "valid_until", "valid_from_iso", "valid_until_iso",
    ),
    "change_feed": (
        "seq", "run_id", "at", "template_id", "kind", "fields", "evidence", "document", "breaking", "cursor", "at_iso",
    ),
    "sync_status": (
        "last_attempt_at", "last_success_at", "last_change_at", "last_attempt_age_seconds", "last_success_age_seconds",
        "last_change_age_seconds", "present_count", "feed_epoch", "oldest_seq", "last_seq", "cursor", "last_attempt_at_iso",
        "last_success_at_iso", "last_change_at_iso",
    ),
}  # fmt: skip
