"""Rows that are inserted and updated in bulk hold exactly the given values, on every engine."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.store.bulk import BATCH, batches, insert_rows, update_rows
from sync.store.tables import consume_items, template_changes, templates
from tests.faults import hear_statements

if TYPE_CHECKING:
    from tests.builders import Database

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
        hear_statements(database.engine, statements.append)
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
        update_rows(connection, templates, [{"template_id": "0", "title": "one row is enough"}])
    assert stored(database, templates.c.title) == ["one row is enough", *["x"] * (count - 1)]


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
