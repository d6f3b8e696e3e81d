"""`db check` finds modifications of the feed and of the tables."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.catalog.document import content_hash
from sync.reader.feed_check import MAX_SHOWN, feed_problems
from sync.store.prune import prune
from sync.store.tables import template_changes, template_versions, templates
from tests.builders import Database, record
from tests.command_line import template_sync
from tests.faults import at, sync

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long_on_servers


@pytest.fixture
def filled(database: Database) -> Database:
    """A feed of five: three templates come, one changes, one goes."""
    catalog = [record(str(number), Title_en="first") for number in (1, 2, 3)]
    assert sync(catalog, database.engine, clock=at(0)).error is None
    assert sync([record("1", Title_en="second"), *catalog[1:2]], database.engine, clock=at(1)).error is None
    return database


def change(database: Database, table: sa.Table, which: Any, **values: Any) -> None:
    with database.engine.begin() as connection:
        assert connection.execute(sa.update(table).where(which).values(values)).rowcount == 1


SEQ = template_changes.c.seq


def test_an_unmodified_database_has_no_problem(filled: Database) -> None:
    assert feed_problems(filled.engine) == []
    prune(filled.engine, before=None, keep_runs=1)
    assert feed_problems(filled.engine) == []
    for number in (2, 3, 4):  # templates that were removed before the prune return, change and are removed again
        returned = [record(name, Title_en=f"title {number}") for name in ("1", "2", *(["3"] * (number < 4)))]
        assert sync(returned, filled.engine, clock=at(number), accept_removals=True).error is None
        assert feed_problems(filled.engine) == []
        prune(filled.engine, before=None, keep_runs=2)
        assert feed_problems(filled.engine) == []


OTHERWISE: dict[str, Any] = {
    "kind": "changed", "template_id": "4", "run_id": 9, "evidence": "walks", "document_hash": "0" * 64, "fields": [],
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERWISE)
def test_a_modified_change_breaks_the_hash_chain(name: str, filled: Database) -> None:
    change(filled, template_changes, SEQ == 2, **{name: OTHERWISE[name]})
    assert feed_problems(filled.engine)[0] == ("The hash chain is broken at seq 2: this change, or an earlier one, was modified.")


DIFFERS = "Template 1: its newest version differs from the tables."
OTHER_PRICES = "Template 1: the latest prices of its history differ from the tables."
PROBLEMS = {
    "DELETE FROM template_changes WHERE seq = 3": [
        "The feed lacks seq 3 to 3.", "Change 5 is 'removed' of template 3, which was not present.",
    ],
    "DELETE FROM template_changes WHERE seq = 5": [
        "sync_state has the end of the feed at seq 5; it is at 4, or at another cursor.",
        "Template 3 is not present, but the feed differs.", "Template 3: its version of run 1 does not end with the next change.",
    ],
    "UPDATE sync_state SET last_cursor = (SELECT c.cursor FROM template_changes c WHERE c.seq = 1)": [
        "sync_state has the end of the feed at seq 5; it is at 5, or at another cursor."
    ],
    "UPDATE templates SET removed_at = changed_at WHERE template_id = '2'": [
        "Template 2 is not present, but the feed differs.", "Template 2: its version of run 1 does not end with the next change.",
        "Template 2 is removed, but a price of its history has not ended.",
    ],
    "UPDATE templates SET removed_at = NULL WHERE template_id = '3'": [
        "Template 3 is present, but the feed differs.", "Template 3 is present and has no open version.",
    ],
    "UPDATE templates SET title_en = 'by hand' WHERE template_id = '1'": [DIFFERS],
    "UPDATE consume_items SET credit = 99 WHERE template_id = '1' AND resolution = '720p'": [DIFFERS, OTHER_PRICES],
    "DELETE FROM template_tags WHERE template_id = '1'": [DIFFERS],
    "DELETE FROM template_aspect_ratios WHERE template_id = '1'": [DIFFERS],
    "UPDATE template_versions SET content_hash = 'another' WHERE template_id = '1' AND until_run_id IS NULL": [
        "Template 1: its newest version has another hash than its row.", "The document of seq 4 was modified.",
    ],
    "DELETE FROM template_versions WHERE template_id = '1' AND until_run_id IS NOT NULL": ["The document of seq 1 is missing."],
    "UPDATE price_periods SET credit = 1 WHERE template_id = '1' AND resolution = '480p'": [
        OTHER_PRICES, "The price history of template 1 differs from the document of seq 1.",
        "The price history of template 1 differs from the document of seq 4.",
    ],
    "DELETE FROM price_periods WHERE valid_until IS NOT NULL": [
        "The price history of template 3 differs from the document of seq 3.",
    ],
    "UPDATE price_periods SET valid_until = NULL, until_run_id = NULL WHERE template_id = '3'": [
        "Template 3 is removed, but a price of its history has not ended.",
    ],
    "UPDATE template_versions SET until_run_id = NULL WHERE template_id = '3'": [
        "Template 3: its version of run 1 does not end with the next change.",
    ],
    "UPDATE template_versions SET until_run_id = 3 WHERE template_id = '1' AND until_run_id IS NOT NULL": [
        "Template 1: its version of run 1 does not end with the next change.",
    ],
    "UPDATE sync_state SET oldest_seq = 3, pruned_cursor = (SELECT c.cursor FROM template_changes c WHERE c.seq = 2)": [
        "sync_state has the start of the feed at seq 3, but there are earlier changes.",
    ],
}  # fmt: skip


def test_a_row_without_its_parent_is_reported(sqlite: Database) -> None:
    assert sync([record("1")], sqlite.engine).error is None
    with closing(sqlite3.connect(str(sqlite.engine.url.database))) as other, other:  # ignores foreign keys
        other.execute("INSERT INTO consume_items VALUES ('9', '720p', 0, 1)")
    assert feed_problems(sqlite.engine) == ["consume_items has rows of template_id 9, which templates does not have."]


@pytest.mark.parametrize("statement", PROBLEMS)
def test_a_modification_is_reported(statement: str, filled: Database) -> None:
    filled.execute(statement)
    assert feed_problems(filled.engine) == PROBLEMS[statement]


def test_the_number_of_reported_problems_is_limited(database: Database) -> None:
    assert sync([record(str(number)) for number in range(30)], database.engine).error is None
    database.execute("UPDATE templates SET title = 'by hand'")
    found = feed_problems(database.engine)
    assert (len(found), found[-1]) == (MAX_SHOWN + 1, "and perhaps more")


def test_the_command_prints_the_problems_and_exits_with_69(tmp_path: Path, sqlite: Database) -> None:
    assert sync([record("1")], sqlite.engine).error is None
    variables = {"DATABASE_URL": sqlite.url}
    fine = template_sync("db", "check", folder=tmp_path, variables=variables)
    assert (fine.code, fine.out) == (0, "")
    assert "Applying the feed from its start gives the contents of the tables" in fine.err
    sqlite.execute("UPDATE templates SET title = 'by hand'")
    found = template_sync("db", "check", "--json", folder=tmp_path, variables=variables)
    assert found.code == 69
    assert json.loads(found.out) == ["Template 1: its newest version differs from the tables."]
    assert "The feed and the tables are inconsistent." in found.err


def test_a_modified_document_is_reported(filled: Database) -> None:
    of_1 = sa.and_(template_versions.c.template_id == "1", template_versions.c.until_run_id.is_not(None))
    first, *_ = (row["document"] for row in filled.rows("template_versions", "from_run_id") if row["template_id"] == "1")
    change(filled, template_versions, of_1, document={**first, "title": "another"})
    assert feed_problems(filled.engine) == ["The document of seq 1 was modified."]


def test_the_hash_of_an_older_release_of_a_url_with_query_and_fragment_is_valid(sqlite: Database) -> None:
    link = "https://m.example/a?sig=1#x"
    assert sync([record("1", Cover=link, Link=link)], sqlite.engine).error is None
    (row,) = sqlite.rows("template_versions")
    older = content_hash({**row["document"], "cover_url": "https://m.example/a", "extra": {"Link": "https://m.example/a"}})
    assert older != row["content_hash"]
    change(sqlite, templates, sa.true(), content_hash=older)
    change(sqlite, template_versions, sa.true(), content_hash=older)
    assert feed_problems(sqlite.engine) == []


def test_a_modified_or_deleted_price_change_is_reported(filled: Database) -> None:
    dearer = record("1", Title_en="second", ConsumeItems=[{"Resolution": "480p", "Credit": 200.25}])
    assert sync([dearer, record("2", Title_en="first")], filled.engine, clock=at(2)).error is None
    assert feed_problems(filled.engine) == []
    for statement in ("UPDATE price_changes SET old_credit = 1", "DELETE FROM price_changes"):
        filled.execute(f"{statement} WHERE seq = 6 AND resolution = '480p'")
        assert feed_problems(filled.engine) == ["The numeric prices of seq 6 differ from the feed."]


@pytest.mark.parametrize("document", ["5", "[1]", "{}", '{"consume_items": 1}'])
def test_an_invalid_document_is_reported(filled: Database, document: str) -> None:
    filled.execute(f"UPDATE template_versions SET document = '{document}' WHERE template_id = '2'")  # noqa: S608 - ours
    found = feed_problems(filled.engine)
    assert found
    assert all("has an invalid value" in each or "Template 2" in each or "seq 2" in each for each in found)
