"""The floor: a hand-tuned minimum in Python for the same tables. It is only for comparison.

    python bench/floor.py BASE_URL DATABASE_URL [--workers 4]

It uses threads with http.client, recognises records by a hash of their bytes, and writes one transaction by sqlite3's
`executemany` or PostgreSQL's COPY. It has no SQLAlchemy, retries, timeouts, validation, lease, second confirmation, old values,
versions or price history: the difference to the project is the cost of these.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import http.client
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PATH = "/api/v1/client/job/bytedance-templates"
PAGE_SIZE = 50

FIELDS = (
    "TemplateId", "MediaId", "Title", "Cover", "Duration", "PreviewVideo", "ServiceId", "TemplateType", "InputRequirement",
    "InputNum", "ReleaseOnlineTime", "Title_en", "CoverAspectRatio", "SupportAspectRatio",
)  # fmt: skip
NUMBERS = {"Duration", "InputNum", "ReleaseOnlineTime"}


class Price(msgspec.Struct):
    """One price."""

    Resolution: str
    Credit: float


class Template(msgspec.Struct):
    """One record; read only where it is new or other bytes than last time."""

    MediaId: str
    Title: str
    Cover: str
    Duration: int
    PreviewVideo: str
    Tags: list[str]
    ServiceId: str
    TemplateId: str
    TemplateType: str
    InputRequirement: str
    InputNum: int
    ReleaseOnlineTime: int
    ConsumeItems: list[Price]
    Title_en: str
    Tags_en: list[str]
    CoverAspectRatio: str
    SupportAspectRatio: str


class Id(msgspec.Struct):
    """A record's id alone."""

    TemplateId: str


class Data(msgspec.Struct):
    """What an answer holds."""

    total: int
    templates: list[msgspec.Raw]


class Answer(msgspec.Struct):
    """An answer, its records left as bytes."""

    code: int
    data: Data


read_answer = msgspec.json.Decoder(Answer).decode
read_id = msgspec.json.Decoder(Id).decode
read_template = msgspec.json.Decoder(Template).decode


def fetch(base_url: str, workers: int) -> Iterator[Answer]:
    """Return every page, in order."""
    base, own = urlsplit(base_url), threading.local()

    def page(number: int) -> Answer:
        if not hasattr(own, "line"):
            own.line = http.client.HTTPConnection(str(base.hostname), base.port)
        own.line.request("GET", f"{base.path}{PATH}?page={number}&page_size={PAGE_SIZE}", headers={"x-api-key": "k"})
        return read_answer(own.line.getresponse().read())

    first = page(1)
    yield first
    last = -(-first.data.total // PAGE_SIZE)
    if last > 1:
        with ThreadPoolExecutor(min(workers, last - 1)) as pool:
            yield from pool.map(page, range(2, last + 1))


class Sqlite:
    """A SQLite file."""

    def __init__(self, path: str) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")

    def run(self, statement: str, *values: Any) -> list[Any]:
        """Run one statement."""
        return self.connection.execute(statement, values).fetchall()

    def insert(self, table: str, rows: Iterable[Sequence[Any]], width: int) -> None:
        """Insert rows."""
        self.connection.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * width)})", rows)  # noqa: S608 - constants

    def per_id(self, statement: str, ids: Sequence[str]) -> None:
        """Run a statement for each id."""
        self.connection.executemany(f"{statement} WHERE id = ?", [(key,) for key in ids])


class Postgresql:
    """A PostgreSQL database."""

    def __init__(self, url: str) -> None:
        import psycopg

        self.connection = psycopg.connect(url, autocommit=True)

    def run(self, statement: str, *values: Any) -> list[Any]:
        """Run one statement."""
        cursor = self.connection.execute(statement.replace("?", "%s").encode(), values)
        return cursor.fetchall() if cursor.description else []

    def insert(self, table: str, rows: Iterable[Sequence[Any]], width: int) -> None:  # noqa: ARG002 - COPY does not need it
        """Copy rows in."""
        with self.connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row(row)

    def per_id(self, statement: str, ids: Sequence[str]) -> None:
        """Run a statement for all ids."""
        self.connection.execute(f"{statement} WHERE id = ANY(%s)".encode(), (ids,))


def tables() -> list[str]:
    """Return the tables, in words that both databases understand."""
    columns = ", ".join(f"{name} {'bigint' if name in NUMBERS else 'text'}" for name in FIELDS[1:])
    return [
        "CREATE TABLE IF NOT EXISTS runs (at bigint, total bigint, added bigint, changed bigint, removed bigint)",
        f"CREATE TABLE IF NOT EXISTS templates (id text PRIMARY KEY, {columns}, hash text, removed_at bigint)",
        "CREATE TABLE IF NOT EXISTS prices (id text, resolution text, credit double precision, PRIMARY KEY (id, resolution))",
        "CREATE TABLE IF NOT EXISTS tags (number bigint PRIMARY KEY, name text, name_en text)",
        "CREATE TABLE IF NOT EXISTS template_tags (id text, place bigint, number bigint, PRIMARY KEY (id, place))",
        "CREATE TABLE IF NOT EXISTS changes (at bigint, id text, kind text, record text)",
    ]


def synchronise(database: Sqlite | Postgresql, answers: Iterable[Answer], now: int) -> tuple[int, int, int]:
    """Update the tables; return the numbers of added, changed and removed."""
    for statement in tables():
        database.run(statement)
    database.run("BEGIN")
    known: dict[str, tuple[str, int | None]] = {
        key: (hashed, removed) for key, hashed, removed in database.run("SELECT id, hash, removed_at FROM templates")
    }
    served: set[str] = set()
    differing: list[tuple[str, str, bytes]] = []
    total = 0
    for answer in answers:
        total = answer.data.total
        for raw in answer.data.templates:
            record = bytes(raw)
            key, hashed = read_id(record).TemplateId, hashlib.blake2b(record, digest_size=16).hexdigest()
            served.add(key)
            if known.get(key) != (hashed, None):
                differing.append((key, hashed, record))
    if len(served) != total:
        raise SystemExit("the walk does not add up")
    gone = [key for key, (_, removed) in known.items() if removed is None and key not in served]
    changed = [key for key, _, _ in differing if key in known]
    write(database, differing, changed, now)
    if gone:
        database.per_id(f"UPDATE templates SET removed_at = {now}", gone)  # noqa: S608 - a constant
        database.insert("changes", ((now, key, "removed", None) for key in gone), 4)
    counts = len(differing) - len(changed), len(changed), len(gone)
    database.run("INSERT INTO runs VALUES (?, ?, ?, ?, ?)", now, total, *counts)
    database.run("COMMIT")
    return counts


def write(database: Sqlite | Postgresql, differing: list[tuple[str, str, bytes]], changed: list[str], now: int) -> None:
    """Write new and changed records."""
    if not differing:
        return
    if changed:
        for table in ("templates", "prices", "template_tags"):
            database.per_id(f"DELETE FROM {table}", changed)  # noqa: S608 - constants
    before = set(changed)
    read = [(read_template(record), hashed, record) for _, hashed, record in differing]
    columns = attrgetter(*FIELDS)
    database.insert("templates", ((*columns(each), hashed, None) for each, hashed, _ in read), len(FIELDS) + 2)
    prices = ((each.TemplateId, price.Resolution, price.Credit) for each, _, _ in read for price in each.ConsumeItems)
    database.insert("prices", prices, 3)
    numbers = {name: number for number, name in database.run("SELECT number, name FROM tags")}
    new = {
        name: name_en for each, _, _ in read for name, name_en in zip(each.Tags, each.Tags_en, strict=True) if name not in numbers
    }
    numbers |= {name: len(numbers) + place for place, name in enumerate(new)}
    database.insert("tags", ((numbers[name], name, name_en) for name, name_en in new.items()), 3)
    placed = ((each.TemplateId, place, numbers[tag]) for each, _, _ in read for place, tag in enumerate(each.Tags))
    database.insert("template_tags", placed, 3)
    feed = ((now, key, "changed" if key in before else "added", record.decode()) for key, _, record in differing)
    database.insert("changes", feed, 4)


def main() -> None:
    """Synchronise once and print the counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("base_url")
    parser.add_argument("database_url")
    parser.add_argument("--workers", type=int, default=4)
    given = parser.parse_args()
    gc.disable()
    path = given.database_url.removeprefix("sqlite:///")
    database = Sqlite(path) if path != given.database_url else Postgresql(given.database_url)
    added, changed, removed = synchronise(database, fetch(given.base_url, given.workers), int(time.time()))
    print(f"added {added} changed {changed} removed {removed}")


if __name__ == "__main__":
    main()
