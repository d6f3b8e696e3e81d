"""A template's document: the form in which it is stored, and back again."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from sync.catalog.raw_record import decode
from sync.catalog.validation import read_record

from sync.catalog.template import COLUMNS, DOCUMENTED, Template, document, from_document, json_number
from tests.builders import record
from tests.catalog.runs import base, wire


def test_a_document_has_the_columns_names_and_every_value_as_served() -> None:
    assert document(read_record(decode(wire(record("1", Later=[1.5]))))) == {
        "template_id": "1",
        "media_id": "7642552612302307355",
        "service_id": "217677058",
        "title": "战斗游戏",
        "title_en": "Battle Game",
        "cover_url": "https://media.example/cover.jpeg?x-expires=1&x-signature=a",
        "cover_aspect_ratio": "9:16",
        "preview_video_url": "https://media.example/preview.mp4",
        "duration_ms": 10123,
        "template_type": "BEGIN_END_FRAME",
        "input_requirement": "SINGLE_PERSON",
        "input_num": 1,
        "released_at": "2026-05-22T03:37:31Z",
        "consume_items": [{"resolution": "480p", "credit": 166.5}, {"resolution": "720p", "credit": 355.2}],
        "tags": [
            {"name": "🔥Seedance2.0模型", "name_en": "🔥Seedance2.0 Model"},
            {"name": "热门", "name_en": "Trending"},
        ],
        "aspect_ratios": ["9:16", "1:1"],
        "extra": {"Later": [1.5]},
    }  # fmt: skip


@pytest.mark.parametrize(
    "made", [base(), {"TemplateId": "1"}, base(ReleaseOnlineTime=0), base(ReleaseOnlineTime=253_402_300_799)]
)
def test_what_was_written_is_read_back(made: dict[str, object]) -> None:
    template = read_record(decode(wire(made)))
    assert from_document(json.loads(json.dumps(document(template)))) == template


def test_what_says_nothing_is_null_or_empty() -> None:
    written = document(Template("1"))
    assert {name for name, value in written.items() if value is None} == {*COLUMNS.values()} - {
        "consume_items",
        "tags",
        "aspect_ratios",
    }
    assert [written[name] for name in ("consume_items", "tags", "aspect_ratios", "extra")] == [[], [], [], {}]


def test_every_field_of_a_record_is_documented() -> None:
    assert record().keys() == DOCUMENTED


@pytest.mark.parametrize(
    ("number", "written"),
    [("400", "400"), ("4E+2", "400"), ("355.20", "355.2"), ("0.1", "0.1"), ("999999999999999", "999999999999999"),
     ("0.000000000000001", "1e-15"), ("123456789012.345", "123456789012.345")],
)  # fmt: skip
def test_a_credit_is_a_plain_number_and_exact(number: str, written: str) -> None:
    found = json_number(Decimal(number))
    assert json.dumps(found) == written
    assert Decimal(repr(found)) == Decimal(number)
