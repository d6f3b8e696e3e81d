"""The views that apps read, and their columns in order. `migrations/` makes them; docs/database.md tells what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

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
