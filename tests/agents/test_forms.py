"""The catalog's values as the tools' JSON: every field under its name, times as text, credits as numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from msgspec import to_builtins

from sync.agents.answers import change, period, status, summary, to_plain_json, whole
from sync.reader.values import CatalogStatus, Change, FieldChange, Price, PricePeriod, Tag, Template

DAY = datetime(2026, 1, 1, tzinfo=UTC)
TEMPLATE = Template(
    template_id="1",
    media_id="m",
    service_id="s",
    title="猫",
    title_en="Cat",
    cover_url="https://m.example/c.jpeg",
    cover_aspect_ratio="9:16",
    preview_video_url="https://m.example/p.mp4",
    duration_ms=5000,
    template_type="BEGIN_END_FRAME",
    input_requirement="SINGLE_PERSON",
    input_num=2,
    released_at=DAY,
    tags=(Tag("热", "Hot"), Tag("舞", None)),
    prices=(Price("480p", Decimal("166.5")), Price("720p", Decimal(400))),
    aspect_ratios=("9:16", "1:1"),
    extra=MappingProxyType({"Later": (1, MappingProxyType({"a": (2,)}))}),
    content_hash="c" * 64,
    first_seen_at=DAY + timedelta(days=1),
    changed_at=DAY + timedelta(days=2),
    removed_at=DAY + timedelta(days=3),
    first_seen_run_id=1,
    changed_run_id=2,
    removed_run_id=3,
)
IN_SHORT: dict[str, Any] = {
    "template_id": "1",
    "title": "猫",
    "title_en": "Cat",
    "template_type": "BEGIN_END_FRAME",
    "input_requirement": "SINGLE_PERSON",
    "input_num": 2,
    "duration_ms": 5000,
    "released_at": "2026-01-01T00:00:00Z",
    "consume_items": [{"resolution": "480p", "credit": 166.5}, {"resolution": "720p", "credit": 400}],
    "tags": [{"name": "热", "name_en": "Hot"}, {"name": "舞", "name_en": None}],
    "aspect_ratios": ["9:16", "1:1"],
    "cover_url": "https://m.example/c.jpeg",
}
WHOLE: dict[str, Any] = {
    **IN_SHORT,
    "media_id": "m",
    "service_id": "s",
    "cover_aspect_ratio": "9:16",
    "preview_video_url": "https://m.example/p.mp4",
    "extra": {"Later": [1, {"a": [2]}]},
    "first_seen_at": "2026-01-02T00:00:00Z",
    "changed_at": "2026-01-03T00:00:00Z",
    "removed_at": "2026-01-04T00:00:00Z",
}


def test_the_long_and_the_short_form_of_a_template() -> None:
    assert to_builtins(whole(TEMPLATE)) == WHOLE
    assert to_builtins(summary(TEMPLATE)) == IN_SHORT


def test_the_form_of_a_change() -> None:
    found = Change(
        seq=7,
        cursor="c",
        run_id=3,
        at=DAY,
        kind="changed",
        template_id="1",
        fields=(FieldChange(field="aspect_ratios", old=("9:16",), new=("9:16", "1:1")),),
        prices=(),
        breaking=("price",),
        evidence="lookup",
        template=TEMPLATE,
    )
    assert to_builtins(change(found)) == {
        "seq": 7,
        "run_id": 3,
        "at": "2026-01-01T00:00:00Z",
        "template_id": "1",
        "kind": "changed",
        "fields": [{"field": "aspect_ratios", "old": ["9:16"], "new": ["9:16", "1:1"]}],
        "evidence": "lookup",
        "breaking": ["price"],
        "title": "猫",
        "title_en": "Cat",
    }


def test_a_current_price_has_no_end() -> None:
    held = PricePeriod(template_id="1", resolution="480p", credit=Decimal("0.5"), valid_from=DAY, valid_until=None)
    written = {"resolution": "480p", "credit": 0.5, "valid_from": "2026-01-01T00:00:00Z", "valid_until": None}
    assert to_builtins(period(held)) == written


def test_the_age_in_a_status_has_milliseconds() -> None:
    fresh = CatalogStatus(
        present=5,
        held=1,
        unconfirmed=3,
        last_success_at=DAY,
        last_success_age=timedelta(seconds=1.23456),
        last_change_at=None,
        oldest_seq=2,
        last_seq=9,
        feed_epoch="e",
        cursor="c",
    )
    assert to_builtins(status(fresh)) == {
        "present": 5,
        "held": 1,
        "unconfirmed": 3,
        "last_success_at": "2026-01-01T00:00:00Z",
        "last_success_age_seconds": 1.235,
        "last_change_at": None,
        "oldest_seq": 2,
        "last_seq": 9,
        "cursor": "c",
    }


def test_a_copy_without_a_success_has_no_age() -> None:
    empty = CatalogStatus(
        present=0,
        held=0,
        unconfirmed=0,
        last_success_at=None,
        last_success_age=None,
        last_change_at=None,
        oldest_seq=1,
        last_seq=0,
        feed_epoch="0123456789ab",
        cursor="0123456789ab-0-",
    )
    assert (status(empty).last_success_at, status(empty).last_success_age_seconds) == (None, None)


def test_read_only_values_become_plain_json() -> None:
    frozen = (1, [("a",)], MappingProxyType({"b": MappingProxyType({"c": ()})}))
    assert to_plain_json(frozen) == [1, [["a"]], {"b": {"c": []}}]
    assert type(to_plain_json(frozen)[2]["b"]) is dict
