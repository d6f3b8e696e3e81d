"""The documented queries read no large table completely, at 100,000 templates, on every engine.

The queries are those of docs/database.md, which also names the exceptions, and those of the cookbook.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sync.store import schema
from sync.store.bulk import insert_rows
from sync.store.tables import metadata
from tests.documented import snippets, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.builders import Database

TEMPLATES = 100_000
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
TYPES, SIZES, RATIOS = ("BEGIN_FRAME", "REFERENCE_IMAGE"), ("480p", "720p", "1080p"), ("9:16", "16:9", "1:1", "3:4")
LARGE = {
    "templates", "consume_items", "template_tags", "template_aspect_ratios", "price_periods", "template_changes",
    "template_versions", "price_changes",
}  # fmt: skip

DOCS = Path(__file__).parents[2] / "docs"
(SQL,) = re.findall(r"<!-- questions -->\n```sql\n(.*?)```", (DOCS / "database.md").read_text(), re.DOTALL)
VALUES = {
    "tag": "'Festival'", "most": "200", "credit": "113.22", "template_id": "'500'", "seq": "99000", "run": "1", "user_id": "1",
    "cursor": "'cursor 99000'",
}  # fmt: skip
"""The parameters of the recipes."""


def recipes() -> Iterator[tuple[str, str]]:
    """Yield the queries of the cookbook by heading and number, with values for the stored rows."""
    named, seen = re.compile(rf":({'|'.join(VALUES)})\b"), Counter[str]()
    for snippet in snippets(DOCS / "cookbook.md", "sql"):
        for each in statements(snippet):
            seen[snippet.heading] += 1
            if each.sql.startswith("SELECT"):
                yield f"{snippet.heading}, {seen[snippet.heading]}", named.sub(lambda found: VALUES[found[1]], each.sql)


QUERIES = {**dict(re.findall(r"^-- (.+)\n([^;]+);$", SQL, re.MULTILINE)), **dict(recipes())}
"""The documented queries, by name."""

READS_ALL = {
    "how things stand": "it counts the templates, and no engine stores a count",
    "A picker page, with filters and pages, 3": "it counts how many templates each tag has",
    "A copy in another database, 1": "it copies all there is",
}
"""The exceptions and their reasons."""

BY_INDEX = {
    "newest first", "the next page: behind the last row of this one", "newest of a type", "newest that support a ratio",
    "all that support a rare ratio", "cheapest at a resolution", "removed since", "what changed last", "how things stand",
}  # fmt: skip
"""The queries that use the indexes of revision 0004."""


@pytest.fixture
def filled(empty_database: Database) -> Database:
    """100,000 templates, a hundredth of them removed, a tenth with earlier versions."""
    schema.upgrade(empty_database.engine)
    with empty_database.engine.begin() as connection:
        tags = [{"tag_id": n, "name": f"签{n}", "name_en": "Festival" if n == 7 else f"Tag {n}"} for n in range(40)]
        insert_rows(connection, metadata.tables["tags"], tags)
        for first in range(0, TEMPLATES, 10_000):
            some = [rows_of(number) for number in range(first, first + 10_000)]
            for table in some[0]:
                insert_rows(connection, metadata.tables[table], [row for rows in some for row in rows[table]])
        for snippet in snippets(DOCS / "cookbook.md", "sql"):
            for each in statements(snippet) if snippet.heading == "Joins with your own tables" else ():
                if not each.sql.startswith("SELECT"):
                    connection.exec_driver_sql(each.sql)
    gather_statistics(empty_database)
    return empty_database


def gather_statistics(database: Database) -> None:
    """Gather statistics, which servers do by themselves later; SQLite has none, as for users."""
    for table in LARGE if database.kind != "sqlite" else ():
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"{'ANALYZE TABLE' if database.kind == 'mariadb' else 'VACUUM ANALYZE'} {table}").close()


def rows_of(number: int) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of one template, by table."""
    key = {"template_id": str(number)}
    day, old = BEGAN + timedelta(minutes=number * 7919 % TEMPLATES), number % 10 == 0
    template: dict[str, Any] = {
        **key, "title": "标题" * 4, "title_en": "A title of some length", "template_type": TYPES[number % 2],
        "cover_url": "https://media.example/" + "c" * 200, "preview_video_url": "https://media.example/" + "p" * 200,
        "input_requirement": "SINGLE_PERSON", "input_num": 1, "released_at": day, "extra": {}, "content_hash": "c" * 64,
        "first_seen_at": BEGAN, "changed_at": day if old else BEGAN, "removed_at": day if number % 100 == 1 else None,
        "first_seen_run_id": 1, "changed_run_id": 1,
    }  # fmt: skip
    prices = [{**key, "resolution": size, "credit": Decimal(number * 31 % 10_007) / 10} for size in SIZES[: 1 + number % 3]]
    period = {"from_run_id": 1, "valid_from": BEGAN, "valid_until": None, "until_run_id": None}
    change = {"seq": number + 1, "run_id": 1, "at": BEGAN, **key, "kind": "added", "cursor": f"cursor {number + 1}"}
    credit = Decimal(number % 300)
    moved = {"seq": number + 1, **key, "resolution": "480p", "old_credit": credit + 50, "new_credit": credit}
    document = {"tags": [], "consume_items": [], "aspect_ratios": [], "filler": "x" * 600}
    version = {**key, "document": document, "content_hash": "c" * 64}
    spans = [(1, 2), (2, None)] if old else [(1, None)]
    return {
        "templates": [template],
        "consume_items": [{**price, "position": position} for position, price in enumerate(prices)],
        "price_periods": [{**price, **period} for price in prices],
        "template_tags": [{**key, "position": n, "tag_id": (number * (n + 3)) % 40} for n in range(2)],
        "template_aspect_ratios": [
            {**key, "position": position, "aspect_ratio": ratio} for position, ratio in enumerate(RATIOS[: 1 + number % 4])
        ],
        "template_changes": [change],
        "price_changes": [moved] if old else [],
        "template_versions": [{**version, "from_run_id": since, "until_run_id": until} for since, until in spans],
    }


def whole_reads(database: Database, query: str) -> list[str]:
    """Return the large tables that a query reads or sorts completely, also by an index.

    Going along an index is no such read where `LIMIT` ends it.
    """
    ends = "LIMIT" in query
    explain = {"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN (FORMAT JSON) ", "mariadb": "EXPLAIN "}[database.kind]
    with database.engine.connect() as connection:
        plan = connection.exec_driver_sql(explain + query).all()
    if database.kind == "postgresql":
        read = [node for node in _nodes(plan[0][0][0]["Plan"]) if node.get("Relation Name") in LARGE]
        unbounded = {"Seq Scan"} if ends else {"Seq Scan", "Index Scan", "Index Only Scan"}
        return [node["Relation Name"] for node in read if node["Node Type"] in unbounded and "Index Cond" not in node]
    if database.kind == "mariadb":
        unbounded = {"ALL"} if ends else {"ALL", "index"}
        return [step.table for step in plan if step.type in unbounded and step.table in CALLED]
    steps = [step.detail for step in plan]
    by_index = "" if ends else "(?: USING (?:COVERING )?INDEX .+)?"
    reads = re.compile(rf"(?:SCAN (\w+){by_index}|SEARCH (\w+))(?: LEFT-JOIN)?")
    scanned = [found[1] or found[2] for text in steps if (found := reads.fullmatch(text))]
    large = [name for name in scanned if name in CALLED]
    return large + [text for text in steps if text == "USE TEMP B-TREE FOR ORDER BY" and ends]


CALLED = {*LARGE, "t", "p", "x", "r", "c", "v", "h"}
"""The aliases of the large tables in queries and views, which the plans of SQLite and MariaDB show."""


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


@pytest.mark.long
def test_a_documented_query_reads_a_large_table_completely_only_without_the_indexes(filled: Database) -> None:
    reads = {name: read for name, query in QUERIES.items() if (read := whole_reads(filled, query))}
    assert reads.keys() <= READS_ALL.keys(), reads
    if filled.kind == "sqlite":  # it has no statistics: reads of all rows must not use an index
        hashes = "SELECT template_id, wire_hash FROM templates WHERE removed_at IS NULL"
        assert whole_reads(filled, hashes) == ["templates"]
    for table in metadata.tables.values():
        for index in table.indexes:
            if index.name in OF_0004:
                index.drop(filled.engine)
    filled.engine.dispose()  # SQLite keeps the plan of EXPLAIN with its connection
    gather_statistics(filled)
    assert {name for name, query in QUERIES.items() if whole_reads(filled, query)} >= BY_INDEX


OF_0004 = {
    "ix_templates_released_at_template_id_removed_at", "ix_templates_template_type_released_at_template_id_removed_at",
    "ix_templates_changed_at", "ix_templates_removed_at", "ix_consume_items_resolution_credit_template_id",
    "ix_template_aspect_ratios_aspect_ratio_template_id",
}  # fmt: skip
