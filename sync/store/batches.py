"""Many rows at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import bindparam

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

T = TypeVar("T")

BATCH = 500
"""Rows that are written, and ids in one IN (...), at a time: what every database takes, and little enough for memory."""


def insert_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows; all of them name the same columns."""
    if rows:
        connection.execute(sa.insert(table), rows)


def update_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Update rows by their `template_id`; all of them name the same columns."""
    if rows:
        changed: dict[str, Any] = {name: bindparam(f"new_{name}") for name in rows[0] if name != "template_id"}
        bound = [{"key" if name == "template_id" else f"new_{name}": value for name, value in row.items()} for row in rows]
        connection.execute(sa.update(table).where(table.c.template_id == bindparam("key")).values(changed), bound)


def delete_rows(connection: sa.Connection, table: sa.Table, ids: Sequence[str]) -> None:
    """Delete all rows of some templates."""
    for batch in batches(ids):
        connection.execute(sa.delete(table).where(table.c.template_id.in_(batch)))


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut a list into batches."""
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))
