"""Values are read as they were written, by a run and in bulk, the same on all three databases."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.catalog.run_record import Status
from sync.reader import feed as feed_reader
from sync.store import schema
from sync.store.bulk import BATCH, batches, insert_rows, update_rows
from sync.store.engine import open_engine, reading
from sync.store.tables import consume_items, sync_state, tags, template_changes, templates
from tests.builders import Database, record, records
from tests.conftest import KINDS, _on_server, drop_database, fresh, server_url
from tests.faults import AFTER, BEFORE, Catalog, anomalies, at, documents, dumped, exported_documents, on_each_statement, sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALIKE = [
    "🔥", "🎉", "❤", "❤️", "Hot", "hot", "cafe", "café", "cafe\N{COMBINING ACUTE ACCENT}", "a", "a ", "a  ", " a", "i", "İ", "ı",
    "ß", "ss", "ﬁ", "fi", "", " ", "Å", "\N{ANGSTROM SIGN}", "1", "１", "热门", "熱門", "a\tb", "a\nb", "%", "_", "\\", "'", '"',
    "\N{ZERO WIDTH SPACE}", "👩‍👩‍👧", "👩", "\U0010ffff",
]  # fmt: skip
"""Texts that one database or another compares as equal by default."""


def test_similar_texts_are_distinct_tags(database: Database) -> None:
    outcome = sync([record("1", Tags=ALIKE, Tags_en=ALIKE)], database.engine)
    assert outcome.error is None
    assert [(row["name"], row["name_en"]) for row in database.rows("tags", "tag_id")] == [(text, text) for text in ALIKE]
    with reading(database.engine) as connection:
        assert documents(connection)["1"]["tags"] == [{"name": text, "name_en": text} for text in ALIKE]
        for text in ALIKE:
            assert connection.scalars(sa.select(tags.c.name).where(tags.c.name == text)).all() == [text]


def test_similar_ids_are_distinct_templates(database: Database) -> None:
    ids = [text for text in ALIKE if text]
    sync([record(text, Title=f"of {text}") for text in ids], database.engine)
    found = {row["template_id"]: row["title"] for row in database.rows("templates", "template_id")}
    assert [*found.items()] == [(text, f"of {text}") for text in sorted(ids)], "sorted by code point"
    outcome = sync([record(text, Title=f"of {text}") for text in ids[1:]], database.engine)
    assert (outcome.run.removed, outcome.run.changed) == (1, 0)
    assert database.present == set(ids[1:])
    assert anomalies(database) == []


def test_similar_resolutions_are_distinct_prices(database: Database) -> None:
    sizes = [text for text in ALIKE if text]
    prices = [{"Resolution": size, "Credit": number} for number, size in enumerate(sizes)]
    sync([record("1", ConsumeItems=prices)], database.engine)
    assert [(row["resolution"], row["credit"]) for row in database.rows("consume_items", "position")] == [
        (size, Decimal(number)) for number, size in enumerate(sizes)
    ]


def test_long_texts_are_not_cut(database: Database) -> None:
    longest = record(
        "🔥" * 255, Title="🔥" * 2000, Cover="https://media.example/" + "x" * 7978, Tags=["é" * 255], Tags_en=["ñ" * 255]
    )
    longest["ConsumeItems"] = [{"Resolution": "𝟜" * 64, "Credit": 1}]
    outcome = sync([longest, record("9" * 19, MediaId="9" * 255)], database.engine)
    assert (outcome.error, outcome.run.rejected) == (None, 0)
    row = next(row for row in database.rows("templates") if row["template_id"] == "🔥" * 255)
    assert (row["title"], row["cover_url"]) == (longest["Title"], longest["Cover"])
    assert anomalies(database) == []


CREDITS = [
    "0", "0.000000000000001", "0.1", "0.2", "0.3", "1", "1.1", "9.99999999999999", "99.5", "100", "166.5", "355.2",
    "123456789.012345", "999999999999.999", "999999999999999",
]  # fmt: skip


def test_credits_of_up_to_15_digits_are_exact_and_sort_as_numbers(database: Database) -> None:
    prices = ", ".join(f'{{"Resolution": "r{number}", "Credit": {credit}}}' for number, credit in enumerate(CREDITS))
    served = record("1", ConsumeItems=json.loads(f"[{prices}]"))
    sync([served], database.engine)
    with reading(database.engine) as connection:
        column = consume_items.c.credit
        assert [str(credit) for credit in connection.scalars(sa.select(column).order_by(column))] == [
            format(Decimal(credit)) if Decimal(credit) >= Decimal("0.000001") else str(Decimal(credit)) for credit in CREDITS
        ]
        assert connection.scalars(sa.select(column).where(column == Decimal("355.2"))).all() == [Decimal("355.2")]
        assert len(connection.scalars(sa.select(column).where(column > Decimal("99.5"))).all()) == 6


def test_credits_compare_and_sum_as_numbers_in_plain_sql(database: Database) -> None:
    sync([record("1", ConsumeItems=[{"Resolution": "a", "Credit": 99.5}, {"Resolution": "b", "Credit": 355.2}])], database.engine)
    assert database.scalar("SELECT count(*) FROM current_prices WHERE credit > 100") == 1
    assert float(database.scalar("SELECT sum(credit) FROM current_prices")) == pytest.approx(454.7, rel=1e-12)
    assert database.scalar("SELECT resolution FROM current_prices ORDER BY credit LIMIT 1") == "a"


def test_times_are_stored_in_utc_with_microseconds(database: Database) -> None:
    moment = datetime(2026, 3, 29, 1, 59, 59, 999999, tzinfo=timezone(timedelta(hours=8)))
    with database.engine.begin() as connection:
        connection.execute(sa.update(sync_state).values(unreconciled_since=moment))
    with database.engine.connect() as connection:
        stored = connection.scalar(sa.select(sync_state.c.unreconciled_since))
    assert stored == moment
    assert stored is not None
    assert (stored.tzinfo, stored.isoformat()) == (UTC, "2026-03-28T17:59:59.999999+00:00")
    assert "2026-03-28 17:59:59.999999" in str(database.scalar("SELECT unreconciled_since FROM sync_state"))


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    with database.engine.begin() as connection, pytest.raises(sa.exc.StatementError, match="without a time zone"):
        connection.execute(sa.update(sync_state).values(unreconciled_since=datetime(2026, 1, 1)))  # noqa: DTZ001 - tested here


def test_unknown_fields_are_stored_exactly(database: Database) -> None:
    unknown = {"deep": [{"🔥": None, "b": [True, False, 1.5, 10**40, 1e-7, "a\\u0000b", "\N{LINE SEPARATOR}"]}], "": ""}
    sync([record("1", Unknown=unknown)], database.engine)
    (row,) = database.rows("templates")
    assert row["extra"] == {"Unknown": unknown}
    assert sync([record("1", Unknown=unknown)], database.engine).run.unchanged == 1
    assert len(database.rows("template_changes")) == 1
    outcome = sync([record("1", Unknown=unknown, Title="t")], database.engine)
    assert outcome.plan is not None
    (change,) = outcome.plan.changes.changes
    assert [each["field"] for each in change.fields] == ["title"]


def test_stored_json_is_valid_and_can_be_searched_as_text(database: Database) -> None:
    sync(BEFORE, database.engine)
    sync(AFTER, database.engine)
    valid = {
        "sqlite": "json_valid(document) AND json_extract(document, '$.title') = '战斗游戏'",
        "postgresql": "document->>'title' = '战斗游戏'",
        "mariadb": "json_valid(document) AND json_value(document, '$.title') = '战斗游戏'",
    }[database.kind]
    assert database.scalar(f"SELECT count(*) FROM template_versions WHERE NOT ({valid})") == 0  # noqa: S608 - literals of this test
    assert database.scalar("SELECT count(*) FROM template_versions") == 7
    text = "cast(document AS text)" if database.kind == "postgresql" else "document"
    assert database.scalar(f"SELECT count(*) FROM template_versions WHERE {text} LIKE '%🔥Seedance2.0模型%'") == 5  # noqa: S608


@pytest.fixture
def latin1(tmp_path: Path) -> Iterator[Database]:
    """A MariaDB database whose default character set has no emoji and no Chinese."""
    server = server_url("mariadb")
    name = f"sync_test_latin1_{os.getpid()}"
    _on_server(server, f"CREATE DATABASE {name} CHARACTER SET latin1 COLLATE latin1_swedish_ci")
    url = open_engine(server).url.set(database=name).render_as_string(hide_password=False)
    engine = open_engine(url)
    schema.upgrade(engine)
    yield Database("mariadb", url, engine)
    drop_database(url, server)


def test_a_latin1_database_on_mariadb_holds_every_text(latin1: Database) -> None:
    assert "latin1" in latin1.scalar("SELECT @@character_set_database")
    outcome = sync([record("🔥", Title="战斗游戏 🎉", Tags=ALIKE, Tags_en=ALIKE)], latin1.engine)
    assert outcome.error is None
    assert outcome.run.status is Status.SUCCEEDED
    assert {row["title"] for row in latin1.rows("templates")} == {"战斗游戏 🎉"}
    assert len(latin1.rows("tags")) == len(ALIKE)
    assert latin1.scalar("SELECT count(*) FROM template_versions WHERE document LIKE '%🎉%'") == 1
    assert anomalies(latin1) == []


def _history(engine: sa.Engine) -> None:
    """Make runs with every kind of change of a catalog."""
    unusual = record("é 🔥 ", Tags=ALIKE, Tags_en=ALIKE, Unknown={"b": [1.5, 10**20], "a": None})
    unusual["ConsumeItems"] = [{"Resolution": f"r{number}", "Credit": float(credit)} for number, credit in enumerate(CREDITS)]
    bad = {"TemplateId": "2", "Title": 7}
    for minute, served in enumerate((BEFORE, AFTER, [*AFTER, unusual], [*BEFORE, bad], records(40), records(12), BEFORE, AFTER)):
        sync(served, engine, clock=at(minute))
    failing = Catalog(BEFORE)
    failing.on_request = failing.interrupt
    sync(failing, engine, clock=at(20))
    sync([*AFTER, unusual], engine, clock=at(21), accept_removals=True)
    sync([*records(40), unusual], engine, clock=at(22))
    sync(records(5), engine, clock=at(23))


@pytest.mark.ci_slice
def test_equal_runs_give_equal_dumps_on_every_engine(migrated: dict[str, str], tmp_path: Path) -> None:
    found: dict[str, Any] = {}
    for kind in KINDS:
        for database in fresh(kind, migrated, tmp_path):
            _history(database.engine)
            assert anomalies(database) == []
            exported = [json.dumps(each, ensure_ascii=False) for each in exported_documents(database.engine)]
            feed = [json.dumps(each, ensure_ascii=False) for each in feed_reader.changes(database.engine)]
            found[kind] = {**dumped(database.engine), "exported": exported, "feed": feed}
    for kind in KINDS[1:]:
        for name, lines in found["sqlite"].items():
            assert found[kind][name] == lines, f"{name} on {kind}"
    empty = {name for name, lines in found["sqlite"].items() if not lines}
    # `tests/test_faults.py` compares unconfirmed removals on each engine.
    assert empty == {"planned_runs", "webhook_endpoints", "unconfirmed_removals"}, "every table has rows to compare"


# In bulk ---------------------------------------------------------------------------------------------------------------

NOON = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
TEXTS = (
    None, "", "NULL", "null", '"', "\\", '\\"', "\\\\", "{", "}", "{a,b}", ",", "a,b", " ", "\t", "\n", "\r\n", "\\N", "\\.",
    "'", "''", "%s", "$1", ":x", "\x1f", "战斗", "🔥", "e\u0301",
)  # fmt: skip
VALUES: tuple[Any, ...] = (*TEXTS[1:], [], {}, {'a"\\': [None, '"\\,{}']}, 1.5, 10**30, True, [["a"], ["b"]])


def rows_of(**columns: list[Any]) -> list[dict[str, Any]]:
    fixed = {"content_hash": "c", "first_seen_at": NOON, "changed_at": NOON, "first_seen_run_id": 1}
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [{**fixed, "changed_run_id": 1, "template_id": str(n), "extra": {}, **row} for n, row in enumerate(rows)]


def stored(database: Database, column: sa.ColumnElement[Any]) -> list[Any]:
    with database.engine.connect() as connection:
        return list(connection.scalars(sa.select(column).order_by(sa.cast(templates.c.template_id, sa.Integer))))


@pytest.mark.parametrize(("name", "values"), [("title", list(TEXTS)), ("extra", [{"x": value} for value in VALUES])])
def test_texts_and_json_are_inserted_and_updated_exactly(database: Database, name: str, values: list[Any]) -> None:
    with database.engine.begin() as connection:
        insert_rows(connection, templates, rows_of(**{name: values}))
    assert stored(database, templates.c[name]) == values
    turned = values[::-1]
    with database.engine.begin() as connection:
        update_rows(connection, templates, [{"template_id": str(n), name: value} for n, value in enumerate(turned)])
    assert stored(database, templates.c[name]) == turned


def test_no_rows_are_no_statement(database: Database) -> None:
    statements: list[str] = []
    with database.engine.begin() as connection:
        on_each_statement(database.engine, statements.append)
        insert_rows(connection, templates, [])
        update_rows(connection, templates, [])
    assert [statement for statement in statements if "templates" in statement] == []


def test_numbers_times_and_nulls_are_updated_under_a_condition(database: Database) -> None:
    with database.engine.begin() as connection:
        insert_rows(connection, templates, rows_of(title=["a", "b", None]))
        rows: list[dict[str, Any]] = [
            {"template_id": "0", "duration_ms": 2**62, "released_at": NOON},
            {"template_id": "1", "duration_ms": None, "released_at": None},
            {"template_id": "2", "duration_ms": 0, "released_at": NOON},
        ]
        update_rows(connection, templates, rows, templates.c.title.is_not(None))
    assert stored(database, templates.c.duration_ms) == [2**62, None, None]
    assert stored(database, templates.c.released_at) == [NOON, None, None]


def test_none_is_sql_null_and_not_json_null(database: Database) -> None:
    row = {"seq": 1, "run_id": 1, "at": NOON, "template_id": "1", "kind": "added", "fields": None, "breaking": []}
    with database.engine.begin() as connection:
        insert_rows(connection, template_changes, [row])
        assert connection.scalar(sa.select(sa.func.count()).where(template_changes.c.fields.is_(None))) == 1


def test_one_of_many_rows_is_updated(database: Database) -> None:
    count = 2 * BATCH + 1
    with database.engine.begin() as connection:
        insert_rows(connection, templates, rows_of(title=["x"] * count))
        update_rows(connection, templates, [{"template_id": "0", "title": "one row"}])
    assert stored(database, templates.c.title) == ["one row", *["x"] * (count - 1)]


def test_equal_prices_and_times_are_stored_in_every_row(database: Database) -> None:
    prices = [Decimal("0.1"), Decimal("166.5"), Decimal("0.1"), Decimal(999999999999999)]
    with database.engine.begin() as connection:
        insert_rows(connection, templates, rows_of(released_at=[NOON, None, NOON, NOON]))
        rows = [{"template_id": "0", "position": n, "resolution": f"{n}p", "credit": credit} for n, credit in enumerate(prices)]
        insert_rows(connection, consume_items, rows)
        assert [*connection.scalars(sa.select(consume_items.c.credit).order_by(consume_items.c.position))] == prices
    assert stored(database, templates.c.released_at) == [NOON, None, NOON, NOON]


def test_a_row_that_the_database_refuses_is_an_error_of_sqlalchemy(database: Database) -> None:
    rows = rows_of(title=["a", "b"])
    with pytest.raises(sa.exc.DBAPIError), database.engine.begin() as connection:
        insert_rows(connection, templates, [*rows, rows[0]])
    assert stored(database, templates.c.title) == []


def test_a_list_is_split_into_batches() -> None:
    assert [len(batch) for batch in batches(range(2 * BATCH + 1))] == [BATCH, BATCH, 1]
    assert [*batches("")] == []
