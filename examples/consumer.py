"""Keep a copy of the catalog in a SQLite file. Run it after each synchronisation, or by cron.

    python examples/consumer.py sqlite:///templates.db copy.db

A cursor stores the position of the copy. It is written in the transaction that writes the changes, so they agree after a kill
at any point; it is read in that transaction, so that two processes do not apply a change twice. If the cursor is lost (the
database was restored or recreated, or history was pruned), the whole catalog is read again.

The copy contains published changes only: a new signature of a cover's URL is not a change. Read URLs when you show them.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing

from sync import Catalog, Change, CursorLost, SyncError, Template

TABLES = (
    "CREATE TABLE IF NOT EXISTS copied_templates (template_id TEXT PRIMARY KEY, title TEXT, lowest_price TEXT)",
    "CREATE TABLE IF NOT EXISTS copied_until (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), cursor TEXT NOT NULL)",
)
AT_A_TIME = 500
"""Changes in a transaction: few enough to be short, enough to be quick."""


def catch_up(catalog: Catalog, copy: sqlite3.Connection, at_a_time: int = AT_A_TIME) -> int:
    """Update the copy; read the whole catalog if its cursor is missing or lost. Return the number of writes.

    Args:
        catalog: the catalog to copy.
        copy: a connection with `isolation_level=None`, so that this function controls the transactions.
        at_a_time: changes per transaction.
    """
    for table in TABLES:
        copy.execute(table)
    written = 0
    while True:
        with copy:  # commits; an exception or a kill leaves no partial change
            copy.execute("BEGIN IMMEDIATE")
            row = copy.execute("SELECT cursor FROM copied_until").fetchone()
            if row is None:
                return written + read_all(catalog, copy)
            try:
                changes = catalog.changes(since=row[0], limit=at_a_time)
            except CursorLost as lost:
                print(f"The copy's place in the feed is lost ({lost.reason}): reading everything anew.", file=sys.stderr)
                return written + read_all(catalog, copy)
            for change in changes:
                apply(change, copy)
            if changes:
                remember(changes[-1].cursor, copy)
        if not changes:
            return written
        written += len(changes)


def read_all(catalog: Catalog, copy: sqlite3.Connection) -> int:
    """Replace the whole copy. Templates and cursor are read in one snapshot, because a run may commit between two reads."""
    with catalog.snapshot() as now:
        templates, cursor = now.templates(), now.status().cursor
    copy.execute("DELETE FROM copied_templates")
    for template in templates:
        put(template, copy)
    remember(cursor, copy)
    return len(templates)


def apply(change: Change, copy: sqlite3.Connection) -> None:
    """Apply a change to the copy. Put your own reaction here, if it uses the same database."""
    if change.kind == "removed":
        copy.execute("DELETE FROM copied_templates WHERE template_id = ?", (change.template_id,))
    else:
        put(change.template, copy)


def put(template: Template, copy: sqlite3.Connection) -> None:
    """Insert or replace a template."""
    lowest = min((price.credit for price in template.prices), default=None)
    row = (template.template_id, template.title_en, None if lowest is None else str(lowest))
    copy.execute("INSERT OR REPLACE INTO copied_templates VALUES (?, ?, ?)", row)


def remember(cursor: str, copy: sqlite3.Connection) -> None:
    """Store the position of the copy."""
    copy.execute("INSERT OR REPLACE INTO copied_until VALUES (1, ?)", (cursor,))


def main(arguments: list[str]) -> int:
    """Update once; return the exit code."""
    if len(arguments) != 2:  # noqa: PLR2004 - the two that it names
        print("usage: consumer.py DATABASE_URL COPY_FILE", file=sys.stderr)
        return 2
    url, file = arguments
    try:
        with Catalog(url) as catalog, closing(sqlite3.connect(file, isolation_level=None)) as copy:
            print(f"{catch_up(catalog, copy)} written")
    except SyncError as error:  # 75: retry later, for example if a standby lags; other codes need attention
        print(error, error.hint, file=sys.stderr)
        return error.exit_code
    except sqlite3.Error as error:
        print(f"{file}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
