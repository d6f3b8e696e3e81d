"""Bulk inserts: COPY on PostgreSQL, the driver's `executemany` elsewhere.

SQLAlchemy's own `insert()` costs two to thirteen times as much for many rows, because it processes each parameter by name.
Everything else in the store is ordinary SQLAlchemy Core.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import bindparam, exc

from sync.catalog.json_values import encode_json
from sync.store.column_types import Credit, Json, UtcDateTime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

T = TypeVar("T")

BATCH = 500
"""Maximum number of rows of a statement and of ids in an IN list; every database accepts it."""


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield slices of at most `BATCH` items."""
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


def rows_in_batches(
    connection: sa.Connection, query: sa.Select[Any], key: sa.ColumnElement[Any], size: int = BATCH
) -> Iterator[Sequence[Any]]:
    """Yield the rows of a query in the order of a unique column of it, at most `size` at a time, to bound memory."""
    more = query = query.order_by(key).limit(size)
    while rows := connection.execute(more).all():
        yield rows
        if len(rows) < size:
            return
        more = query.where(key > getattr(rows[-1], str(key.key)))


def insert_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, which all have the keys of the first one."""
    if not rows:
        return
    convert = _converters(table, tuple(rows[0]), connection.dialect)
    values = [tuple([change(row[name]) if change else row[name] for name, change in convert]) for row in rows]
    quote = connection.dialect.identifier_preparer
    into = f"{quote.format_table(table)} ({', '.join(quote.format_column(table.c[name]) for name in rows[0])})"
    if connection.dialect.name == "postgresql":
        _copy(connection, into, values)
    else:
        places = ", ".join("?" if connection.dialect.paramstyle == "qmark" else "%s" for _ in rows[0])
        connection.exec_driver_sql(f"INSERT INTO {into} VALUES ({places})", values)  # noqa: S608 - names of constants


def update_rows(
    connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], *only: sa.ColumnElement[bool]
) -> None:
    """Update rows by `template_id` and further conditions; all of them have the keys of the first one."""
    if rows:
        changed: dict[str, Any] = {name: bindparam(f"new_{name}") for name in rows[0] if name != "template_id"}
        statement = sa.update(table).where(table.c.template_id == bindparam("new_template_id"), *only).values(changed)
        connection.execute(statement, [{f"new_{name}": value for name, value in row.items()} for row in rows])


@lru_cache(maxsize=64)
def _converters(table: sa.Table, names: tuple[str, ...], dialect: sa.Dialect) -> list[tuple[str, Callable[[Any], Any] | None]]:
    """Return, for each column, the function that converts a value for the driver; None if none is needed."""
    found: list[tuple[str, Callable[[Any], Any] | None]] = []
    for name in names:
        kind = table.c[name].type
        # JSON is passed as text, which is faster than psycopg's wrapper.
        change = _json_or_null if isinstance(kind, Json) else kind.dialect_impl(dialect).bind_processor(dialect)
        # Cached, because times and prices repeat in most rows.
        found.append((name, lru_cache(maxsize=128)(change) if change and isinstance(kind, UtcDateTime | Credit) else change))
    return found


def _json_or_null(value: Any) -> str | None:
    return None if value is None else encode_json(value)


def _copy(connection: sa.Connection, into: str, rows: Sequence[Sequence[Any]]) -> None:
    driver: Any = connection.connection.driver_connection
    errors: Any = connection.dialect.loaded_dbapi
    try:
        with driver.cursor() as cursor, cursor.copy(f"COPY {into} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    except errors.Error as error:
        raise exc.DBAPIError(None, None, error) from error
