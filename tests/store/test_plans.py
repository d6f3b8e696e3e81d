"""What apps usually ask reads no large table from one end to the other, at 100,000 templates, on every engine.

The questions are those of docs/database.md, which also tells the exceptions, and those of the cookbook's recipes.
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
from tests.snippets import snippets, statements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
"""What a recipe's parameters are here."""


def recipes() -> Iterator[tuple[str, str]]:
    """Give the cookbook's questions, by heading and number, with values that fit what is stored here."""
    named, seen = re.compile(rf":({'|'.join(VALUES)})\b"), Counter[str]()
    for snippet in snippets(DOCS / "cookbook.md", "sql"):
        for each in statements(snippet):
            seen[snippet.heading] += 1
            if each.sql.startswith("SELECT"):
                yield f"{snippet.heading}, {seen[snippet.heading]}", named.sub(lambda found: VALUES[found[1]], each.sql)


QUESTIONS = {**dict(re.findall(r"^-- (.+)\n([^;]+);$", SQL, re.MULTILINE)), **dict(recipes())}
"""As the documents put them, by name."""

READS_ALL = {
    "how things stand": "it says how many templates there are, and no engine keeps a count",
    "A picker page, with filters and pages, 3": "it counts how many templates each tag has",
    "A copy in another database, 1": "it copies all there is",
}
"""The exceptions, and why."""

BY_INDEX = {
    "newest first", "the next page: behind the last row of this one", "newest of a type", "newest that support a ratio",
    "all that support a rare ratio", "cheapest at a resolution", "removed since", "what changed last", "how things stand",
}  # fmt: skip
"""Those that the indexes of revision 0004 are for."""


@pytest.fixture
def filled(empty_database: Database) -> Database:
    """100,000 templates, a hundredth of them removed, a tenth with a past."""
    schema.upgrade(empty_database.engine)
    with empty_database.engine.begin() as connection:
        insert_rows(
            connection,
            metadata.tables["tags"],
            [
                {"tag_id": number, "name": f"签{number}", "name_en": "Festival" if number == 7 else f"Tag {number}"}
                for number in range(40)
            ],
        )
        for first in range(0, TEMPLATES, 10_000):
            numbers = range(first, first + 10_000)
            for table, of_template in ROWS.items():
                insert_rows(connection, metadata.tables[table], [row for number in numbers for row in of_template(number)])
        for snippet in snippets(DOCS / "cookbook.md", "sql"):
            for each in statements(snippet) if snippet.heading == "Joins with your own tables" else ():
                if not each.sql.startswith("SELECT"):
                    connection.exec_driver_sql(each.sql)
    gather_statistics(empty_database)
    return empty_database


def gather_statistics(database: Database) -> None:
    """Do at once what a server does by itself after a while; SQLite does without, as it does at a user's."""
    for table in LARGE if database.kind != "sqlite" else ():
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"{'ANALYZE TABLE' if database.kind == 'mariadb' else 'VACUUM ANALYZE'} {table}").close()


def templates(number: int) -> Iterator[dict[str, Any]]:
    day = BEGAN + timedelta(minutes=number * 7919 % TEMPLATES)
    yield {
        "template_id": str(number), "title": "标题" * 4, "title_en": "A title of some length", "template_type": TYPES[number % 2],
        "cover_url": "https://media.example/" + "c" * 200, "preview_video_url": "https://media.example/" + "p" * 200,
        "input_requirement": "SINGLE_PERSON", "input_num": 1, "released_at": day, "extra": {}, "content_hash": "c" * 64,
        "first_seen_at": BEGAN, "changed_at": day if number % 10 == 0 else BEGAN,
        "removed_at": day if number % 100 == 1 else None, "first_seen_run_id": 1, "changed_run_id": 1,
    }  # fmt: skip


def consume_items(number: int) -> Iterator[dict[str, Any]]:
    for position in range(1 + number % 3):
        credit = Decimal(number * 31 % 10_007) / 10
        yield {"template_id": str(number), "resolution": SIZES[position], "position": position, "credit": credit}


def price_periods(number: int) -> Iterator[dict[str, Any]]:
    for row in consume_items(number):
        del row["position"]
        yield {**row, "from_run_id": 1, "valid_from": BEGAN, "valid_until": None, "until_run_id": None}


def template_tags(number: int) -> Iterator[dict[str, Any]]:
    for position in range(2):
        yield {"template_id": str(number), "position": position, "tag_id": (number * (position + 3)) % 40}


def template_aspect_ratios(number: int) -> Iterator[dict[str, Any]]:
    for position in range(1 + number % 4):
        yield {"template_id": str(number), "position": position, "aspect_ratio": RATIOS[position]}


def template_changes(number: int) -> Iterator[dict[str, Any]]:
    yield {
        "seq": number + 1, "run_id": 1, "at": BEGAN, "template_id": str(number), "kind": "added", "cursor": f"cursor {number + 1}"
    }  # fmt: skip


def price_changes(number: int) -> Iterator[dict[str, Any]]:
    if number % 10 == 0:
        credit = Decimal(number % 300)
        yield {
            "seq": number + 1, "template_id": str(number), "resolution": "480p", "old_credit": credit + 50, "new_credit": credit
        }  # fmt: skip


def template_versions(number: int) -> Iterator[dict[str, Any]]:
    document = {"tags": [], "consume_items": [], "aspect_ratios": [], "filler": "x" * 600}
    for run_id in (1, 2) if number % 10 == 0 else (1,):
        until = 2 if run_id == 1 and number % 10 == 0 else None
        yield {
            "template_id": str(number), "from_run_id": run_id, "until_run_id": until, "document": document,
            "content_hash": "c" * 64,
        }  # fmt: skip


ROWS: dict[str, Callable[[int], Iterator[dict[str, Any]]]] = {
    each.__name__: each
    for each in (
        templates,
        consume_items,
        price_periods,
        template_tags,
        template_aspect_ratios,
        template_changes,
        price_changes,
        template_versions,
    )
}


def whole_reads(database: Database, question: str) -> list[str]:
    """Name the large tables that a question reads from one end to the other, by an index too, or sorts whole.

    Going along an index is no such read where `LIMIT` ends it.
    """
    ends = "LIMIT" in question
    explain = {"sqlite": "EXPLAIN QUERY PLAN ", "postgresql": "EXPLAIN (FORMAT JSON) ", "mariadb": "EXPLAIN "}[database.kind]
    with database.engine.connect() as connection:
        plan = connection.exec_driver_sql(explain + question).all()
    if database.kind == "postgresql":
        read = [node for node in _nodes(plan[0][0][0]["Plan"]) if node.get("Relation Name") in LARGE]
        unbounded = {"Seq Scan"} if ends else {"Seq Scan", "Index Scan", "Index Only Scan"}
        return [node["Relation Name"] for node in read if node["Node Type"] in unbounded and "Index Cond" not in node]
    if database.kind == "mariadb":
        unbounded = {"ALL"} if ends else {"ALL", "index"}
        return [step.table for step in plan if step.type in unbounded and step.table in CALLED]
    told = [step.detail for step in plan]
    by_index = "" if ends else "(?: USING (?:COVERING )?INDEX .+)?"
    reads = re.compile(rf"(?:SCAN (\w+){by_index}|SEARCH (\w+))(?: LEFT-JOIN)?")
    scanned = [found[1] or found[2] for text in told if (found := reads.fullmatch(text))]
    large = [name for name in scanned if name in CALLED]
    return large + [text for text in told if text == "USE TEMP B-TREE FOR ORDER BY" and ends]


CALLED = {*LARGE, "t", "p", "x", "r", "c", "v", "h"}
"""How the questions, and the views, call the large tables: SQLite's and MariaDB's plans tell that name."""


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


@pytest.mark.long
def test_no_usual_question_reads_a_large_table_whole_but_without_the_indexes_they_do(filled: Database) -> None:
    reads = {name: read for name, question in QUESTIONS.items() if (read := whole_reads(filled, question))}
    assert reads.keys() <= READS_ALL.keys(), reads
    if filled.kind == "sqlite":  # which has no statistics: what a run reads of all must not go by an index, row by row
        hashes = "SELECT template_id, wire_hash FROM templates WHERE removed_at IS NULL"
        assert whole_reads(filled, hashes) == ["templates"]
    for table in metadata.tables.values():
        for index in table.indexes:
            if index.name in OF_0004:
                index.drop(filled.engine)
    filled.engine.dispose()  # SQLite keeps a plan that was only told with its connection
    gather_statistics(filled)
    assert {name for name, question in QUESTIONS.items() if whole_reads(filled, question)} >= BY_INDEX


OF_0004 = {
    "ix_templates_released_at_template_id_removed_at", "ix_templates_template_type_released_at_template_id_removed_at",
    "ix_templates_changed_at", "ix_templates_removed_at", "ix_consume_items_resolution_credit_template_id",
    "ix_template_aspect_ratios_aspect_ratio_template_id",
}  # fmt: skip
