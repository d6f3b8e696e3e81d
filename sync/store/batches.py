"""Many rows at a time, by the way that each engine takes them fastest.

SQLAlchemy's own inserts cost two to thirteen times as much: it names each value of each row. Here values come column by column,
and only where a column's type converts them are they looked at one by one, so what is stored is the same.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from sync.store.column_types import Credit, Json, UtcDateTime, json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Columns = Mapping[str, Sequence[Any]]

T = TypeVar("T")

_remembered = lru_cache(maxsize=64)
"""Statements and converters are written once for each table, its columns and the engine."""
_AT_A_TIME = 10_000

BATCH = 500
"""Rows that are written, and ids in one IN (...), at a time: what every database takes, and little enough for memory."""


def insert_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; all of them name the same columns."""
    if rows:
        insert_columns(connection, table, {name: [row[name] for row in rows] for name in rows[0]})


def insert_columns(connection: sa.Connection, table: sa.Table, columns: Columns) -> None:
    """Insert rows that are given column by column, all of the same length."""
    names = tuple(columns)
    values = list(zip(*_converted(connection, table, columns), strict=True))
    if not values:
        return
    if connection.dialect.name == "postgresql":
        _copy(connection, table, names, values)
    else:
        connection.exec_driver_sql(_insert(table, names, connection.dialect), values)


def update_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Update rows by their `template_id`; all of them name the same columns."""
    if rows:
        update_columns(connection, table, {name: [row[name] for row in rows] for name in rows[0]})


def update_columns(connection: sa.Connection, table: sa.Table, columns: Columns, only: str = "") -> None:
    """Update rows by their `template_id`, the new values given column by column.

    Args:
        connection: in the run's transaction.
        table: which has one row of an id, or one for which `only` is true.
        columns: the new values.
        only: a condition in SQL.
    """
    names = (*(name for name in columns if name != "template_id"), "template_id")
    values = _converted(connection, table, {name: columns[name] for name in names})
    if not values[-1]:
        return
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_update_from_arrays(table, names, only, connection.dialect), tuple(map(_array, values)))
    else:
        connection.exec_driver_sql(_update(table, names, only, connection.dialect), list(zip(*values, strict=True)))


def the_same(values: Mapping[str, Any], count: int) -> dict[str, list[Any]]:
    """Give columns in which each of so many rows has the same values."""
    return {name: [value] * count for name, value in values.items()}


def delete_rows(connection: sa.Connection, table: sa.Table, ids: Sequence[str]) -> None:
    """Delete all rows of some templates."""
    for batch in batches(ids):
        connection.execute(sa.delete(table).where(table.c.template_id.in_(batch)))


def plain_rows(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[tuple[Any, ...]]:
    """Read columns that no type converts, as the driver gives them: SQLAlchemy's rows cost three times as much."""
    with connection.execute(query) as result, _as_sqlalchemy_errors(connection):
        while some := result.cursor.fetchmany(_AT_A_TIME):
            yield from some


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut a list into batches."""
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))


def _converted(connection: sa.Connection, table: sa.Table, columns: Columns) -> list[list[Any]]:
    return [
        list(map(change, columns[name])) if change else list(columns[name])
        for name, change in _converters(table, tuple(columns), connection.dialect)
    ]


@_remembered
def _converters(table: sa.Table, names: tuple[str, ...], dialect: sa.Dialect) -> list[tuple[str, Callable[[Any], Any] | None]]:
    """Name, for each column, what turns a value into the driver's."""
    found: list[tuple[str, Callable[[Any], Any] | None]] = []
    for name in names:
        kind = table.c[name].type
        # JSON as text: PostgreSQL's driver has a wrapper of its own for it, which takes longer.
        change = _json_or_null if isinstance(kind, Json) else kind.dialect_impl(dialect).bind_processor(dialect)
        # A run writes the same few times into each of its rows, and a catalog has few different prices.
        found.append((name, lru_cache(maxsize=1024)(change) if change and isinstance(kind, UtcDateTime | Credit) else change))
    return found


@_remembered
def _insert(table: sa.Table, names: tuple[str, ...], dialect: sa.Dialect) -> str:
    place = "?" if dialect.paramstyle == "qmark" else "%s"
    return f"INSERT INTO {_columns(table, names, dialect)} VALUES ({', '.join([place] * len(names))})"  # noqa: S608 - our names


@_remembered
def _update(table: sa.Table, names: tuple[str, ...], only: str, dialect: sa.Dialect) -> str:
    place = "?" if dialect.paramstyle == "qmark" else "%s"
    quote = dialect.identifier_preparer
    *changed, key = (f"{quote.format_column(table.c[name])} = {place}" for name in names)
    where = f"{key} AND {only}" if only else key
    return f"UPDATE {quote.format_table(table)} SET {', '.join(changed)} WHERE {where}"  # noqa: S608 - our own names


@_remembered
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


def _json_or_null(value: Any) -> str | None:
    return None if value is None else json_text(value)


def _array(values: list[Any]) -> Any:
    """Write texts as PostgreSQL reads an array of them: its driver, by a pattern for each letter, takes thirty times as long."""
    if not all(value is None or isinstance(value, str) for value in values):
        return values
    written = ("NULL" if value is None else '"' + value.replace("\\", r"\\").replace('"', r"\"") + '"' for value in values)
    return "{" + ",".join(written) + "}"


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
        raise exc.DBAPIError(None, None, error) from error
