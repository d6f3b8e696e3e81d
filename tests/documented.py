"""The catalog that the documents' examples speak of: the sample catalog of `demo`, before and after its first week."""

from __future__ import annotations

import contextlib
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.sandbox.catalog import evolve, make_catalog
from sync.text import json_text
from tests.builders import ticking
from tests.faults import sync
from tests.snippets import statements

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tests.builders import Database
    from tests.snippets import Snippet

WEEKS = ((make_catalog(280, 7), 1), (evolve(make_catalog(280, 7), 7)[0], 8))
"""What is served, and on which day of June 2026, at nine. The clock stands still, so that a run ends when it began."""


def fill(engine: Engine) -> None:
    """Synchronise twice, as `demo` does, with the documents' clock."""
    for catalog, day in WEEKS:
        assert sync(catalog, engine, clock=ticking(datetime(2026, 6, day, 9, tzinfo=UTC), step=0.0)).error is None


def plain_engine(database: Database) -> Engine:
    """Open the database as a stranger's app would: with the driver's own settings, each statement by itself."""
    return sa.create_engine(database.engine.url, isolation_level="AUTOCOMMIT")


def run_sql(snippet: Snippet, engine: Engine) -> str:
    """Execute each statement of a block; give the rows of all, a line each."""
    said = []
    with engine.connect() as connection:
        for statement in statements(snippet):
            found = connection.execute(sa.text(statement.sql), statement.parameters)
            if found.returns_rows:
                said += [" | ".join(map(written, row)) + "\n" for row in found]
    return "".join(said)


def written(value: Any) -> str:
    """Write a value alike for every engine: prices come as decimals or doubles, JSON as text or as what it says."""
    if value is None:
        return "null"
    if isinstance(value, Decimal | float):
        return format(Decimal(str(value)).normalize(), "f")
    if isinstance(value, str) and value[:1] in {"[", "{"}:
        value = json.loads(value)
    return json_text(value) if isinstance(value, list | dict) else str(value)


def run_python(snippet: Snippet, url: str) -> str:
    """Execute a block against a database; give what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(snippet.code.replace("sqlite:///templates.db", url), snippet.where, "exec"), {})  # noqa: S102 - our own document
    return said.getvalue()
