"""The Atom feed: valid for feed readers; values of the catalog are text, never markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import feedparser
import pytest

from sync.terminal.lines import ATOM, as_atom
from tests.builders import record, records
from tests.command_line import command
from tests.faults import sync
from tests.webhooks.changes import change, field

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Database

TITLES: dict[str, Any] = {"title": "猫", "title_en": "Cat", "consume_items": [{"resolution": "720p", "credit": 2}]}


def parse(text: str) -> Any:
    ET.fromstring(text)  # noqa: S314 - our own; a strict XML parser must accept it
    found = feedparser.parse(text.encode())
    assert not found.bozo
    return found


@pytest.mark.parametrize("hostile", [
    "</title><script>alert(1)</script>", "]]>", "&lt;b&gt;", "a\x00b\x0bc\ufffed\uffff", "half \ud800 pair",
    "\u202eturned", "\x1b[31m",
])  # fmt: skip
def test_any_title_is_text_and_the_feed_is_valid(hostile: str) -> None:
    text = as_atom([change("added", title=hostile, title_en=None, consume_items=[])], "ab")
    root = ET.fromstring(text)  # noqa: S314 - our own
    assert "<script>" not in text
    (title,) = root.findall(f"{{{ATOM}}}entry/{{{ATOM}}}title")
    assert title.get("type") == "text"
    assert len(title) == 0
    text.encode()


WHOLE = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <id>tag:crun-template-sync,2026:feed:ab</id>
  <title type="text">ByteDance video-effect templates on Crun</title>
  <updated>2026-01-02T00:00:00Z</updated>
  <author>
    <name>crun-template-sync</name>
  </author>
  <link rel="self" href="https://example.com/feed.xml\N{REPLACEMENT CHARACTER}" />
  <entry>
    <id>tag:crun-template-sync,2026:change:ab-8-00</id>
    <title type="text">Removed: Cat · 猫</title>
    <updated>2026-01-02T00:00:00Z</updated>
    <category term="removed" />
    <content type="text">- 1  Cat · 猫  (no longer listed, and not found by its id)</content>
  </entry>
  <entry>
    <id>tag:crun-template-sync,2026:change:ab-7-00</id>
    <title type="text">Changed: 2\N{REPLACEMENT CHARACTER}</title>
    <updated>2026-01-01T00:00:00Z</updated>
    <category term="changed" />
    <content type="text">~ 2\\x00
    input_num    1 → 2
    duration_ms  3 → 4</content>
  </entry>
</feed>
"""


def test_the_text_of_a_feed_is_valid_for_a_feed_reader() -> None:
    fields = [field("input_num", 1, 2), field("duration_ms", 3, 4)]
    first = {**change("changed", *fields, template_id="2\x00"), "cursor": "ab-7-00"}
    last = {**change("removed", **TITLES), "cursor": "ab-8-00", "seq": 8, "at": "2026-01-02T00:00:00Z"}
    assert as_atom([first, last], "ab", self_url="https://example.com/feed.xml\x00") == WHOLE
    found = parse(WHOLE)
    assert (found.feed.author, found.feed.updated) == ("crun-template-sync", "2026-01-02T00:00:00Z")
    assert [entry.title for entry in found.entries] == ["Removed: Cat · 猫", "Changed: 2\N{REPLACEMENT CHARACTER}"]
    assert {entry.content[0].type for entry in found.entries} == {"text/plain"}


def test_the_text_of_a_feed_without_changes_is_valid_for_a_feed_reader() -> None:
    text = as_atom([], "ab")
    assert text == WHOLE[: WHOLE.index("  <link")].replace("2026-01-02", "1970-01-01") + "</feed>\n"
    assert parse(text).entries == []


def test_an_added_template_has_its_prices_in_the_text_of_its_entry() -> None:
    (entry,) = parse(as_atom([change("added", **TITLES)], "ab")).entries
    assert (entry.title, "720p 2" in entry.content[0].value) == ("New: Cat · 猫", True)


def test_a_change_without_a_document_has_its_id_as_title() -> None:
    text = as_atom([{**change("removed"), "before": None}], "ab")
    assert '<title type="text">Removed: 1</title>' in text


def test_export_writes_the_newest_changes_reproducibly(sqlite: Database, tmp_path: Path) -> None:
    sync(records(60), sqlite.engine)
    sync([record("1"), *records(60)[1:59]], sqlite.engine)
    first = command(tmp_path, ["export", "--format", "atom"], DATABASE_URL=sqlite.url).out
    found = parse(first)
    assert [entry.title for entry in found.entries][:2] == ["Removed: Number 60 · 战斗游戏", "Changed: Battle Game · 战斗游戏"]
    assert len(found.entries) == 50
    assert command(tmp_path, ["export", "--format", "atom"], DATABASE_URL=sqlite.url).out == first
    refused = command(tmp_path, ["export", "--format", "atom", "--as-of", "1"], DATABASE_URL=sqlite.url)
    assert (refused.code, refused.out) == (2, "")
    few = command(tmp_path, ["export", "--format", "atom", "--newest", "2"], DATABASE_URL=sqlite.url).out
    assert len(parse(few).entries) == 2
