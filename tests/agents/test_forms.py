"""The values of the catalog as JSON of the tools."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from msgspec import to_builtins

from sync.agents.answers import change, period, status, template_as, to_plain_json
from sync.outputs.tools import TemplateSummary, WholeTemplate
from sync.reader.values import CatalogStatus, Change, FieldChange, Price, PricePeriod, Tag, Template

DAY = datetime(2026, 1, 1, tzinfo=UTC)
TEMPLATE = Template(
    template_id="1", media_id="m", service_id="s", title="猫", title_en="Cat", cover_url="https://m.example/c.jpeg",
    cover_aspect_ratio="9:16", preview_video_url="https://m.example/p.mp4", duration_ms=5000, template_type="BEGIN_END_FRAME",
    input_requirement="SINGLE_PERSON", input_num=2, released_at=DAY, tags=(Tag("热", "Hot"), Tag("舞", None)),
    prices=(Price("480p", Decimal("166.5")), Price("720p", Decimal(400))), aspect_ratios=("9:16", "1:1"),
    extra=MappingProxyType({"Later": (1, MappingProxyType({"a": (2,)}))}), content_hash="c" * 64,
    first_seen_at=DAY + timedelta(days=1), changed_at=DAY + timedelta(days=2), removed_at=DAY + timedelta(days=3),
    first_seen_run_id=1, changed_run_id=2, removed_run_id=3,
)  # fmt: skip
IN_SHORT: dict[str, Any] = {
    "template_id": "1", "title": "猫", "title_en": "Cat", "template_type": "BEGIN_END_FRAME",
    "input_requirement": "SINGLE_PERSON", "input_num": 2, "duration_ms": 5000, "released_at": "2026-01-01T00:00:00Z",
    "consume_items": [{"resolution": "480p", "credit": 166.5}, {"resolution": "720p", "credit": 400}],
    "tags": [{"name": "热", "name_en": "Hot"}, {"name": "舞", "name_en": None}], "aspect_ratios": ["9:16", "1:1"],
    "cover_url": "https://m.example/c.jpeg",
}  # fmt: skip
WHOLE: dict[str, Any] = {
    **IN_SHORT, "media_id": "m", "service_id": "s", "cover_aspect_ratio": "9:16",
    "preview_video_url": "https://m.example/p.mp4", "extra": {"Later": [1, {"a": [2]}]},
    "first_seen_at": "2026-01-02T00:00:00Z", "changed_at": "2026-01-03T00:00:00Z", "removed_at": "2026-01-04T00:00:00Z",
}  # fmt: skip


def test_the_long_and_the_short_form_of_a_template() -> None:
    assert to_builtins(template_as(WholeTemplate, TEMPLATE)) == WHOLE
    assert to_builtins(template_as(TemplateSummary, TEMPLATE)) == IN_SHORT


def test_the_form_of_a_change() -> None:
    found = Change(
        seq=7, cursor="c", run_id=3, at=DAY, kind="changed", template_id="1",
        fields=(FieldChange(field="aspect_ratios", old=("9:16",), new=("9:16", "1:1")),), prices=(), breaking=("price",),
        evidence="lookup", template=TEMPLATE,
    )  # fmt: skip
    assert to_builtins(change(found)) == {
        "seq": 7, "run_id": 3, "at": "2026-01-01T00:00:00Z", "template_id": "1", "kind": "changed",
        "fields": [{"field": "aspect_ratios", "old": ["9:16"], "new": ["9:16", "1:1"]}], "evidence": "lookup",
        "breaking": ["price"], "title": "猫", "title_en": "Cat",
    }  # fmt: skip


def test_a_current_price_has_no_end() -> None:
    held = PricePeriod(template_id="1", resolution="480p", credit=Decimal("0.5"), valid_from=DAY, valid_until=None)
    written = {"resolution": "480p", "credit": 0.5, "valid_from": "2026-01-01T00:00:00Z", "valid_until": None}
    assert to_builtins(period(held)) == written


@pytest.mark.parametrize(("success", "age", "seconds"), [
    (DAY, timedelta(seconds=1.23456), 1.235), (None, None, None),
])  # fmt: skip
def test_the_age_in_a_status_has_milliseconds(success: datetime | None, age: timedelta | None, seconds: float | None) -> None:
    counts = {"present": 5, "held": 1, "unconfirmed": 3, "oldest_seq": 2, "last_seq": 9}
    found = CatalogStatus(
        last_success_at=success, last_success_age=age, last_change_at=None, feed_epoch="e", cursor="c", **counts
    )
    assert to_builtins(status(found)) == {
        **counts, "last_success_at": success and "2026-01-01T00:00:00Z", "last_success_age_seconds": seconds,
        "last_change_at": None, "cursor": "c",
    }  # fmt: skip


def test_read_only_values_become_plain_json() -> None:
    frozen = (1, [("a",)], MappingProxyType({"b": MappingProxyType({"c": ()})}))
    assert to_plain_json(frozen) == [1, [["a"]], {"b": {"c": []}}]
    assert type(to_plain_json(frozen)[2]["b"]) is dict
    assert to_plain_json((DAY, Decimal("1.0"))) == ["2026-01-01T00:00:00Z", 1]
