"""Examples in documents: fenced blocks, and the sample catalog of `demo` on which they run."""

from __future__ import annotations

import contextlib
import io
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from sync.sandbox.catalog import evolve, make_catalog
from sync.text import json_text
from tests.builders import ticking
from tests.faults import sync

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

    from tests.builders import Database


@dataclass(frozen=True)
class Snippet:
    """One fenced block.

    Attributes:
        where: file and number of its first line, as in editors and pytest.
        heading: the nearest heading above.
        language: the word after the fence.
        code: the text between the fences.
        shown: the documented output: the `text` block directly below; None without one.
    """

    where: str
    heading: str
    language: str
    code: str
    shown: str | None = None

    def at(self, offset: int) -> str:
        """Return the position of a line of the block."""
        file, line = self.where.rsplit(":", 1)
        return f"{file}:{int(line) + offset}"


@dataclass(frozen=True)
class Statement:
    """One statement of SQL, and its parameters from lines `-- :name = value` above it."""

    where: str
    sql: str
    parameters: dict[str, str | float]


@dataclass
class Step:
    """One shell command, and its documented output."""

    where: str
    command: str
    shown: list[str] = field(default_factory=list)


_FENCED = re.compile(r"^(#+ (?P<heading>[^\n]+))$|^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_PARAMETER = re.compile(r"^-- :(\w+) = (?:'([^']*)'|([\d.]+))$", re.MULTILINE)


def snippets(document: Path, *languages: str) -> list[Snippet]:
    """Return the blocks in these languages, in order."""
    text, heading = document.read_text(), ""
    found: list[Snippet] = []
    for match in _FENCED.finditer(text):
        if match["heading"]:
            heading = match["heading"]
            continue
        if match["language"] in languages:
            where = f"{document.name}:{text.count(chr(10), 0, match.start()) + 2}"
            below = re.match(r"\n\n```text\n(.*?)^```$", text[match.end() :], re.MULTILINE | re.DOTALL)
            found.append(Snippet(where, heading, match["language"], match["code"], below[1] if below else None))
    return found


def statements(snippet: Snippet) -> list[Statement]:
    """Split a block of SQL at semicolons at the end of a line."""
    found, start = [], 0
    for end in re.finditer(r";$", snippet.code, re.MULTILINE):
        text = snippet.code[start : end.start()]
        parameters = {name: _number(number) if number else word for name, word, number in _PARAMETER.findall(text)}
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("--")]
        found.append(Statement(snippet.at(snippet.code.count("\n", 0, end.start())), "\n".join(lines), parameters))
        start = end.end()
    assert not snippet.code[start:].strip(), f"{snippet.where}: a statement without a semicolon at its end"
    return found


def _number(text: str) -> float:
    return float(text) if "." in text else int(text)


def steps(snippet: Snippet) -> list[Step]:
    """Parse a shell session: `$ ` begins a command; a comment at its end is removed."""
    found: list[Step] = []
    for offset, line in enumerate(snippet.code.splitlines()):
        if line.startswith("$ "):
            found.append(Step(snippet.at(offset), re.sub(r"\s+# .*", "", line[2:])))
        else:
            found[-1].shown.append(line)
    return found


WEEKS = ((make_catalog(280, 7), 1), (evolve(make_catalog(280, 7), 7)[0], 8))
"""The served catalogs, and the day in June 2026 of each run, at 9:00. The clock does not advance during a run."""


def fill(engine: Engine) -> None:
    """Synchronise twice, as `demo` does, with the clock of the documents."""
    for catalog, day in WEEKS:
        assert sync(catalog, engine, clock=ticking(datetime(2026, 6, day, 9, tzinfo=UTC), step=0.0)).error is None


def plain_engine(database: Database) -> Engine:
    """Open the database as another app does: with the defaults of the driver, in autocommit mode."""
    return sa.create_engine(database.engine.url, isolation_level="AUTOCOMMIT")


def run_sql(snippet: Snippet, engine: Engine) -> str:
    """Execute each statement of a block; return the rows of all, one per line."""
    output = []
    with engine.connect() as connection:
        for statement in statements(snippet):
            found = connection.execute(sa.text(statement.sql), statement.parameters)
            if found.returns_rows:
                output += [" | ".join(map(written, row)) + "\n" for row in found]
    return "".join(output)


def written(value: Any) -> str:
    """Format a value equally for every engine: prices are decimals or doubles, JSON is text or decoded."""
    if value is None:
        return "null"
    if isinstance(value, Decimal | float):
        return format(Decimal(str(value)).normalize(), "f")
    if isinstance(value, str) and value[:1] in {"[", "{"}:
        value = json.loads(value)
    return json_text(value) if isinstance(value, list | dict) else str(value)


def run_python(snippet: Snippet, url: str) -> str:
    """Execute a block against a database; return its output."""
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile(snippet.code.replace("sqlite:///templates.db", url), snippet.where, "exec"), {})  # noqa: S102 - our own document
    return output.getvalue()
