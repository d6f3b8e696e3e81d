"""Many rows at a time, by the way that each engine takes them fastest.

SQLAlchemy's own inserts cost two to thirteen times as much: it names each value of each row. Here a row is a tuple, and only the
types convert its values, so what is stored is the same.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from sync.store.column_types import UtcDateTime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

T = TypeVar("T")

BATCH = 500
"""Rows that are written, and ids in one IN (...), at a time: what every database takes, and little enough for memory."""


def insert_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; all of them name the same columns."""
    if not rows:
        return
    names = tuple(rows[0])
    convert = _converters(table, names, connection.dialect)
    values = [[change(row[name]) if change else row[name] for name, change in convert] for row in rows]
    if connection.dialect.name == "postgresql":
        _copy(connection, table, names, values)
    else:
        connection.exec_driver_sql(_insert(table, names, connection.dialect), [tuple(row) for row in values])


def update_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]], only: str = "") -> None:
    """Update rows by their `template_id`; all of them name the same columns.

    Args:
        connection: in the run's transaction.
        table: which has one row of an id, or one for which `only` is true.
        rows: the new values.
        only: a condition in SQL.
    """
    if not rows:
        return
    names = (*(name for name in rows[0] if name != "template_id"), "template_id")
    convert = _converters(table, names, connection.dialect)
    if connection.dialect.name == "postgresql":
        columns = [[change(row[name]) if change else row[name] for row in rows] for name, change in convert]
        connection.exec_driver_sql(_update_from_arrays(table, names, only, connection.dialect), tuple(columns))
    else:
        values = [tuple(change(row[name]) if change else row[name] for name, change in convert) for row in rows]
        connection.exec_driver_sql(_update(table, names, only, connection.dialect), values)


def delete_rows(connection: sa.Connection, table: sa.Table, ids: Sequence[str]) -> None:
    """Delete all rows of some templates."""
    for batch in batches(ids):
        connection.execute(sa.delete(table).where(table.c.template_id.in_(batch)))


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut a list into batches."""
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


@lru_cache(maxsize=64)
def _converters(table: sa.Table, names: tuple[str, ...], dialect: sa.Dialect) -> list[tuple[str, Callable[[Any], Any] | None]]:
    """Name, for each column, what turns a value into the driver's."""
    found: list[tuple[str, Callable[[Any], Any] | None]] = []
    for name in names:
        kind = table.c[name].type
        change = kind.dialect_impl(dialect).bind_processor(dialect)
        # A run writes the same few times into each of its rows.
        found.append((name, lru_cache(maxsize=256)(change) if change and isinstance(kind, UtcDateTime) else change))
    return found


@lru_cache(maxsize=64)
def _insert(table: sa.Table, names: tuple[str, ...], dialect: sa.Dialect) -> str:
    place = "?" if dialect.paramstyle == "qmark" else "%s"
    return f"INSERT INTO {_columns(table, names, dialect)} VALUES ({', '.join([place] * len(names))})"  # noqa: S608 - our names


@lru_cache(maxsize=64)
def _update(table: sa.Table, names: tuple[str, ...], only: str, dialect: sa.Dialect) -> str:
    place = "?" if dialect.paramstyle == "qmark" else "%s"
    quote = dialect.identifier_preparer
    *changed, key = (f"{quote.format_column(table.c[name])} = {place}" for name in names)
    where = f"{key} AND {only}" if only else key
    return f"UPDATE {quote.format_table(table)} SET {', '.join(changed)} WHERE {where}"  # noqa: S608 - our own names


@lru_cache(maxsize=64)
def _update_from_arrays(table: sa.Table, names: tuple[str, ...], only: str, dialect: sa.Dialect) -> str:
    """Write PostgreSQL's way to update many rows by one statement: each column is an array."""
    quote = dialect.identifier_preparer
    columns = [quote.format_column(table.c[name]) for name in names]
    arrays = ", ".join(f"%s::{table.c[name].type.compile(dialect=dialect)}[]" for name in names)
    changed = ", ".join(f"{name} = new.{name}" for name in columns[:-1])
    target = quote.format_table(table)
    where = f"{target}.{columns[-1]} = new.{columns[-1]}" + (f" AND {target}.{only}" if only else "")
    new = f"unnest({arrays}) AS new ({', '.join(columns)})"
    return f"UPDATE {target} SET {changed} FROM {new} WHERE {where}"  # noqa: S608 - our own names


def _columns(table: sa.Table, names: tuple[str, ...], dialect: sa.Dialect) -> str:
    quote = dialect.identifier_preparer
    return f"{quote.format_table(table)} ({', '.join(quote.format_column(table.c[name]) for name in names)})"


def _copy(connection: sa.Connection, table: sa.Table, names: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> None:
    """Copy rows into PostgreSQL; its INSERT takes them one by one."""
    driver: Any = connection.connection.driver_connection
    statement = f"COPY {_columns(table, names, connection.dialect)} FROM STDIN"
    with _as_sqlalchemy_errors(connection), driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


@contextmanager
def _as_sqlalchemy_errors(connection: sa.Connection) -> Iterator[None]:
    errors: Any = connection.dialect.loaded_dbapi
    try:
        yield
    except errors.Error as error:
        raise exc.DBAPIError("COPY", None, error) from error
