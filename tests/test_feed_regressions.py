"""Regression tests: histories in which the feed, the past or a webhook once had wrong values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sync.catalog.feed import Cursor
from sync.reader.feed import changes
from sync.refresh import refresh
from sync.store.apply import Store
from sync.webhooks.endpoints import Endpoint, Rules
from sync.webhooks.outbox import steps
from tests.builders import EPOCH, Database, record
from tests.fake_client import FakeClient, Pages, listed, serving
from tests.faults import at, exported_documents, sync
from tests.world import documented_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from sync.synchronise import Outcome

    Record = dict[str, Any]


def run(endpoint: FakeClient, engine: sa.Engine, minute: int) -> Outcome:
    endpoint.workers = 1
    return sync(endpoint, engine, clock=at(minute), page_size=3)


def refreshed(found: Record, engine: sa.Engine, minute: int) -> Outcome:
    endpoint = FakeClient(lambda _question: listed([found], 1))
    return refresh(Store(engine, sleep=lambda _: None), endpoint, found["TemplateId"], ttl=60.0, clock=at(minute))


def shown(engine: sa.Engine, after_run: int) -> dict[str, Any]:
    """Return the documented fields of the catalog after an earlier run."""
    then = exported_documents(engine, after_run=after_run)
    return documented_values({each["template_id"]: each for each in then})


def fields_of(engine: sa.Engine, run_id: int) -> list[tuple[str, str, Any, Any]]:
    found = changes(engine, run_id=run_id)
    return [(each["template_id"], field["field"], field["old"], field["new"]) for each in found for field in each["fields"]]


def test_a_look_up_with_fewer_fields_empties_none(sqlite: Database) -> None:
    whole, slim = [record("1"), record("2", Mood="calm")], {"TemplateId": "2", "Title": "战斗游戏"}
    assert sync(whole, sqlite.engine, clock=at(0)).error is None
    before = shown(sqlite.engine, 1)
    assert refreshed(slim, sqlite.engine, 1).run.changed == 0
    unlisted = Pages([whole[:1]], looked_up={"2": [slim]})
    assert run(serving(unlisted), sqlite.engine, 2).run.changed == 0
    assert refreshed({**slim, "Title": "New"}, sqlite.engine, 3).run.changed == 1
    assert sync(whole, sqlite.engine, clock=at(4)).run.changed == 1
    assert [fields_of(sqlite.engine, number) for number in (4, 5)] == [
        [("2", "title", "战斗游戏", "New")], [("2", "title", "New", "战斗游戏")],
    ]  # fmt: skip
    assert shown(sqlite.engine, 5) == before
    assert sqlite.rows("templates", "template_id")[1]["extra"] == {"Mood": "calm"}


NEW_TAGS = {"Tags": ["新", "热"], "Tags_en": ["New", "Hot"]}
OTHER = "https://media.example/other.jpeg?x-signature="


@pytest.mark.parametrize(
    ("changed", "rewritten"),
    [
        pytest.param({"Mood": "wild"}, {}, id="an unknown field disappears"),
        pytest.param(NEW_TAGS, {name: tags[::-1] for name, tags in NEW_TAGS.items()}, id="another order"),
        pytest.param({"ConsumeItems": []}, {"ConsumeItems": ...}, id="a field is lost"),
        pytest.param({"Cover": f"{OTHER}b"}, {"Cover": f"{OTHER}c"}, id="a URL"),
    ],
)
def test_a_message_that_is_sent_again_after_a_prune_of_versions_is_consistent(
    changed: Record, rewritten: Record, sqlite: Database
) -> None:
    for minute, fields in enumerate([{"Mood": "calm"}, changed]):
        assert sync([record(**fields)], sqlite.engine, clock=at(minute)).error is None
    first = message(sqlite.engine)
    assert sync([record(**rewritten)], sqlite.engine, clock=at(2)).run.changed == 0
    again = message(sqlite.engine)
    assert first["id"] == again["id"]
    for body in (first, again):
        check_values(body["data"]["document"], body["data"]["fields"])
    assert documented_values({"1": first["data"]["document"]}) == documented_values({"1": again["data"]["document"]})


def message(engine: sa.Engine) -> dict[str, Any]:
    """Return the newest message of an endpoint, with its id."""
    endpoint = Endpoint("shop", "https://example.com/", (), Rules(), "change")
    *_, last = steps(engine, endpoint, str(Cursor.start(EPOCH)))
    assert last.message is not None
    return {"id": last.message.id, **json.loads(last.message.body)}


def check_values(document: Record, fields: Sequence[Record]) -> None:
    """Compare a document with the new value of each field; a URL may have a new signature."""
    prices = {price["resolution"]: price["credit"] for price in document["consume_items"]}
    assert fields
    for each in fields:
        kind, _, name = each["field"].partition(".")
        value = {"extra": document["extra"].get(name), "consume_items": prices.get(name)}.get(kind, document.get(kind))
        if kind == "cover_url":
            assert str(value).partition("?")[0] == each["new"].partition("?")[0]
        else:
            assert value == each["new"]
