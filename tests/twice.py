"""Plays a history with and without recognition, and requires that nothing differs but the work.

A history is what the catalog serves, run after run. It is played once as it is, and once with every remembered hash forgotten
before each run, so that every record is read. The answers, the clock and the choice of controls are the same both times; so must
be the questions asked, every row of every table after every run, and the hash remembered of each template that was served.
"""

from __future__ import annotations

import json
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
from tests.answering import Answering, listed, not_there
from tests.builders import OF_ITS_OWN
from tests.conftest import fresh
from tests.faults import at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sync.catalog.served_records import ServedRecord
    from sync.client.worker import Params
    from tests.answering import Given
    from tests.builders import Database

    Record = dict[str, Any] | bytes
    History = Callable[[], Iterator["Attempt"]]
    """Makes the attempts one by one, the same each time that it is called: answers may keep count of what was asked."""


class Attempt(NamedTuple):
    """One run, or one refresh; `name` says which one it was, where there are many."""

    endpoint: Answering
    options: RunOptions = RunOptions(page_size=3, workers=1, hold=0.0)
    refreshed: str | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """What is to be seen of one attempt.

    Attributes:
        name: which one it was.
        asked: every question, in the order answered.
        rows: every table as sorted lines, without `templates.wire_hash`, and without the payload of a rejected record: of one
            that is recognised it is the stored document.
        hashes: that column, of each template whose record was good and served in its own bytes. A record of a page that was
            rewritten has no hash, and leaves one that still holds.
        recognised: how many records were: what may differ.
        status: how it ended.
    """

    name: str
    asked: list[Params]
    rows: dict[str, list[str]]
    hashes: dict[str, str | None] = field(compare=False)
    recognised: int = field(compare=False)
    status: str


class Twice:
    """Plays histories both ways on new databases of one kind."""

    def __init__(self, kind: str, migrated: dict[str, str], folder: Path) -> None:
        self._kind, self._migrated, self._folder = kind, migrated, folder

    def play(self, history: History) -> list[Account]:
        """Require that both ways give the same; give the account of the one that recognises."""
        accounts = []
        for forgetful in (False, True):
            with contextmanager(fresh)(self._kind, self._migrated, self._folder) as database:
                accounts.append([_account(database, number, each, forgetful) for number, each in enumerate(history())])
        recognising, reading = accounts
        assert sum(account.recognised for account in reading) == 0, "nothing was forgotten"
        for found, expected in zip(recognising, reading, strict=True):
            assert found.asked == expected.asked, f"{found.name} asked something else"
            for table, rows in expected.rows.items():
                assert found.rows[table] == rows, f"{found.name} left another {table}"
            hashes = {key: found.hashes.get(key) for key in expected.hashes}
            assert hashes == expected.hashes, f"{found.name} remembers other bytes"
            assert found == expected, f"{found.name} ended otherwise"
        return recognising


def _account(database: Database, number: int, attempt: Attempt, forgetful: bool) -> Account:  # noqa: FBT001 - one of two plays
    if database.kind == "sqlite" and number == 0:
        sa.event.listen(database.engine, "connect", without_waiting_for_the_disk)
    if forgetful:
        database.execute("UPDATE templates SET wire_hash = NULL")
    store, clock = Store(database.engine, sleep=lambda _: None), at(number)
    with counting_unchanged() as unchanged:
        if attempt.refreshed is None:
            dice = random.Random(number).random  # noqa: S311 - the same controls both times
            outcome = synchronise(store, attempt.endpoint, attempt.options, trigger="run", ttl=60.0, clock=clock, random=dice)
        else:
            outcome = refresh(store, attempt.endpoint, attempt.refreshed, ttl=60.0, clock=clock)
    rows, served = seen(database, outcome)
    name = f"attempt {number} ({attempt.name})" if attempt.name else f"attempt {number}"
    return Account(name, attempt.endpoint.asked, rows, served, sum(unchanged), str(outcome.run.status))


def seen(database: Database, outcome: Outcome) -> tuple[dict[str, list[str]], dict[str, str | None]]:
    """Give the rows and the hashes of an `Account` after a run."""
    templates = database.rows("templates")
    hashes = {row["template_id"]: row.pop("wire_hash") for row in templates}
    rows = {
        **database.dump(without={*OF_ITS_OWN, "payload"}),
        "templates": sorted(repr(sorted(row.items())) for row in templates),
    }
    plan = outcome.plan
    return rows, {} if plan is None else {key: hashes[key] for key, each in plan.snapshot.good.items() if each.wire_hash}


@contextmanager
def counting_unchanged() -> Iterator[list[int]]:
    """Count, page by page, the records that are unchanged by the hash of their bytes."""
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


# What a catalog serves --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pages:
    """A catalog by its pages, which may be of any size; it says how many records that is, unless it is told what to say.

    A look-up finds what `looked_up` says of the id; without that, what stands on a page, or nothing.
    """

    pages: Sequence[Sequence[Record]]
    total: int | None = None
    looked_up: Mapping[str, Sequence[Record]] = field(default_factory=dict)

    def answer(self, question: Params) -> Given:
        if "template_id" in question:
            asked = str(question["template_id"])
            here = [each for page in self.pages for each in page if _id(each) == asked]
            found = self.looked_up.get(asked, here[:1])
            return listed(found, len(found)) if found else not_there()
        number = int(question["page"])
        page = self.pages[number - 1] if number <= len(self.pages) else []
        return listed(page, sum(map(len, self.pages)) if self.total is None else self.total)


def serving(*walks: Pages) -> Answering:
    """Serve something else at each walk of one run; the last one stays."""
    begun = 0

    def answer(question: Params) -> Given:
        nonlocal begun
        begun += question.get("page") == 1
        return walks[max(0, min(begun, len(walks)) - 1)].answer(question)

    return Answering(answer)


def _id(each: Record) -> Any:
    value = json.loads(each) if isinstance(each, bytes) else each
    return value.get("TemplateId")
