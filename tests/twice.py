"""Makes the runs of a history with and without recognition of unchanged records, and requires the same result.

A history is what the catalog serves in each run. The second time all stored hashes are deleted before each run, so that every
record is parsed. The responses, the clock and the choice of controls are the same both times. The requests, every row of every
table after every run, and the stored hash of each served template must be the same.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import sqlalchemy as sa

from sync.catalog.removals import RunOptions
from sync.catalog.served_records import RecordParser
from sync.refresh import refresh
from sync.store.apply import Store
from sync.synchronise import Outcome, synchronise
from tests.builders import RANDOM_COLUMNS
from tests.conftest import fresh
from tests.faults import at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from sync.catalog.served_records import ServedRecord
    from sync.client.api_client import Params
    from tests.builders import Database
    from tests.fake_client import FakeClient

    Record = dict[str, Any] | bytes
    History = Callable[[], Iterator["Attempt"]]
    """Makes the attempts one by one, with new clients in each call, because a client may count its requests."""


class Attempt(NamedTuple):
    """One run, or one refresh; `name` identifies it in a long history."""

    endpoint: FakeClient
    options: RunOptions = RunOptions(page_size=3, hold=0.0)
    refreshed: str | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """The observable result of one attempt.

    Attributes:
        name: identifies the attempt.
        requests: every request, in the order answered.
        rows: every table as sorted lines, without `templates.wire_hash` and the payload of a rejected record: of a recognised
            record it is the stored document.
        hashes: that column, of each template whose record was valid and served in its own bytes. A record of a page that was
            parsed exactly has no hash, and does not change a hash that is still correct.
        recognised: number of recognised records; it may differ.
        status: of the run.
    """

    name: str
    requests: list[Params]
    rows: dict[str, list[str]]
    hashes: dict[str, str | None] = field(compare=False)
    recognised: int = field(compare=False)
    status: str


class Twice:
    """Makes histories both ways on new databases of one kind."""

    def __init__(self, kind: str, migrated: dict[str, str], folder: Path) -> None:
        self._kind, self._migrated, self._folder = kind, migrated, folder

    def play(self, history: History) -> list[Account]:
        """Require the same result both ways; return the accounts with recognition."""
        accounts = []
        for forgetful in (False, True):
            with contextmanager(fresh)(self._kind, self._migrated, self._folder) as database:
                accounts.append([_account(database, number, each, forgetful) for number, each in enumerate(history())])
        recognising, parsing = accounts
        assert sum(account.recognised for account in parsing) == 0, "a hash was not deleted"
        for found, expected in zip(recognising, parsing, strict=True):
            assert found.requests == expected.requests, f"{found.name} sent other requests"
            for table, rows in expected.rows.items():
                assert found.rows[table] == rows, f"{found.name} stored other rows in {table}"
            hashes = {key: found.hashes.get(key) for key in expected.hashes}
            assert hashes == expected.hashes, f"{found.name} stored other hashes"
            assert found == expected, f"{found.name} had another status"
        return recognising


def _account(database: Database, number: int, attempt: Attempt, forgetful: bool) -> Account:  # noqa: FBT001 - one of two ways
    if database.kind == "sqlite" and number == 0:
        sa.event.listen(database.engine, "connect", without_waiting_for_the_disk)
    if forgetful:
        database.execute("UPDATE templates SET wire_hash = NULL")
    store, clock = Store(database.engine, sleep=lambda _: None), at(number)
    attempt.endpoint.workers = 1
    with counting_unchanged() as unchanged:
        if attempt.refreshed is None:
            rng = random.Random(number).random  # noqa: S311 - the same controls both times
            outcome = synchronise(store, attempt.endpoint, attempt.options, trigger="run", ttl=60.0, clock=clock, random=rng)
        else:
            outcome = refresh(store, attempt.endpoint, attempt.refreshed, ttl=60.0, clock=clock)
    rows, served = seen(database, outcome)
    name = f"attempt {number} ({attempt.name})" if attempt.name else f"attempt {number}"
    return Account(name, attempt.endpoint.requests, rows, served, sum(unchanged), str(outcome.run.status))


def seen(database: Database, outcome: Outcome) -> tuple[dict[str, list[str]], dict[str, str | None]]:
    """Return the rows and the hashes of an `Account` after a run."""
    templates = database.rows("templates")
    hashes = {row["template_id"]: row.pop("wire_hash") for row in templates}
    rows = {
        **database.dump(without={*RANDOM_COLUMNS, "payload"}),
        "templates": sorted(repr(sorted(row.items())) for row in templates),
    }
    plan = outcome.plan
    return rows, {} if plan is None else {key: hashes[key] for key, each in plan.snapshot.good.items() if each.wire_hash}


@contextmanager
def counting_unchanged() -> Iterator[list[int]]:
    """Count, for each page, the records that are recognised by the hash of their bytes."""
    counts: list[int] = []
    parse_page = RecordParser.parse_page

    def counted(parser: RecordParser, page: int, records: Iterable[bytes], *, exact: bool = True) -> list[ServedRecord]:
        parsed = parse_page(parser, page, records, exact=exact)
        counts.append(sum(each.offset is None for each in parsed))
        return parsed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RecordParser, "parse_page", counted)
        yield counts


def without_waiting_for_the_disk(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")
