"""The cursor of a reader is valid if and only if the database has the history that the reader saw."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.catalog.diff import Change
from sync.catalog.feed import Cursor
from sync.errors import CursorLost, TryLater, UsageError
from sync.reader import feed, status
from sync.reader.feed import validate_cursor
from sync.reader.feed_check import feed_problems
from sync.store import schema
from sync.store.backup import back_up, restore
from sync.store.engine import open_engine, reading
from sync.store.feed_seq import Feed
from sync.store.prune import prune
from sync.store.tables import price_changes, sync_runs, sync_state, template_changes
from tests.builders import EPOCH, Database, give_epoch, record
from tests.command_line import template_sync
from tests.faults import at, sync
from tests.servers import postgresql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine

pytestmark = pytest.mark.long_on_servers

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
KEPT = (template_changes, sync_runs, sync_state)
"""The contents of a backup of a feed."""


def served(version: int) -> list[dict[str, Any]]:
    """A catalog of three, of which the first has another title and price in each version."""
    changing = record("1", Title_en=f"v{version}", ConsumeItems=[{"Resolution": "720p", "Credit": version}])
    return [changing, record("2"), record("3")]


def runs(database: Database, *versions: int, start: int = 0) -> None:
    for number, version in enumerate(versions, start):
        assert sync(served(version), database.engine, clock=at(number)).error is None


def validated(database: Database, since: str | int) -> int:
    with reading(database.engine) as connection:
        return validate_cursor(connection, since)


def seqs_after(database: Database, since: str) -> list[int]:
    return [change["seq"] for change in feed.changes(database.engine, since=since)]


def why_lost(database: Database, since: str | int) -> str:
    with pytest.raises(CursorLost) as lost:
        validated(database, since)
    now = status.overview(database.engine)
    assert (lost.value.oldest_seq, lost.value.last_seq, lost.value.cursor) == (now.oldest_seq, now.last_seq, now.cursor)
    assert "cursor" in str(lost.value)
    assert f"continue from cursor {now.cursor}" in lost.value.hint
    return lost.value.reason


# Valid cursors ----------------------------------------------------------------------------------------------------------


ENDS = ["9bdf88", "78cc17", "92a0fd", "9e223a"]
"""Hashed values and their form must not change, or the cursors of all readers would be lost."""


def test_the_cursor_of_every_change_is_valid_and_the_same_on_every_engine(database: Database) -> None:
    begun = status.overview(database.engine).cursor
    assert begun == str(Cursor.start(EPOCH))
    assert validated(database, begun) == 0
    runs(database, 1, 2, 3)
    found = feed.changes(database.engine)
    assert [validated(database, change["cursor"]) for change in found] == [1, 2, 3, 4, 5]
    assert len({change["cursor"] for change in found}) == 5
    assert [change["cursor"][-6:] for change in found[:4]] == ENDS
    assert seqs_after(database, found[2]["cursor"]) == [4, 5]
    assert seqs_after(database, begun) == [1, 2, 3, 4, 5]
    assert status.overview(database.engine).cursor == found[-1]["cursor"]


def test_a_cursor_can_be_validated_with_sql(database: Database) -> None:
    runs(database, 1, 2)
    mine = feed.changes(database.engine)[1]["cursor"]
    question = sa.text("SELECT 1 FROM change_feed f WHERE f.cursor = :mine")
    with database.engine.connect() as connection:
        assert connection.scalar(question, {"mine": mine}) == 1
        assert connection.scalar(question, {"mine": mine[:-1] + "x"}) is None
        ends = connection.execute(sa.text("SELECT s.cursor, s.feed_epoch, s.oldest_seq, s.last_seq FROM sync_status s")).one()
    assert tuple(ends) == (status.overview(database.engine).cursor, EPOCH, 1, 4)


def test_after_a_prune_only_older_cursors_are_lost(database: Database) -> None:
    runs(database, 1, 2, 3)
    cursors = [change["cursor"] for change in feed.changes(database.engine)]
    prune(database.engine, before=None, keep_runs=1)
    assert validated(database, cursors[3]) == 4
    assert validated(database, cursors[4]) == 5
    assert why_lost(database, cursors[2]) == "pruned"
    assert why_lost(database, str(Cursor.start(EPOCH))) == "pruned"
    assert feed_problems(database.engine) == []


def test_a_feed_without_changes_after_a_prune_keeps_its_end(database: Database) -> None:
    runs(database, 1, 1)
    end = str(status.overview(database.engine).cursor)
    prune(database.engine, before=None, keep_runs=1)
    assert status.overview(database.engine).oldest_seq == 4
    assert validated(database, end) == 3
    runs(database, 2, start=2)
    assert seqs_after(database, end) == [4]
    assert feed_problems(database.engine) == []


# Lost cursors -----------------------------------------------------------------------------------------------------------


def test_a_cursor_that_is_not_of_this_history_is_lost(database: Database) -> None:
    runs(database, 1)
    lost: dict[str | int, str] = {
        str(Cursor.start("ffffffffffff")): "other-feed", f"{EPOCH}-4-{'0' * 24}": "ahead", 4: "ahead", "99999": "ahead",
        **{f"{EPOCH}-{seq}-{'0' * 24}": "diverged" for seq in (0, 1, 3)},
    }  # fmt: skip
    assert {since: why_lost(database, since) for since in lost} == lost
    assert validated(database, 3) == 3


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "9223372036854775808", "0123456789ab-1-xyz", "１"])
def test_an_invalid_cursor_is_rejected_with_one_line(text: str, tmp_path: Path, sqlite: Database) -> None:
    with pytest.raises(UsageError, match="is not a cursor of the feed"):
        validated(sqlite, text)
    shown = template_sync("changes", "--since", text, folder=tmp_path, variables={"DATABASE_URL": sqlite.url})
    assert (shown.code, shown.out) == (2, "")
    assert "is neither a seq nor a cursor of the feed" in shown.err


def backed_up(database: Database, folder: Path) -> Callable[[], None]:
    """Run after a backup; return the function that restores it, and makes as many other changes."""
    runs(database, 1, 2)
    back_up(database.engine, folder)
    runs(database, 3, start=2)

    def go_back() -> None:
        database.engine.dispose()
        restore(database.engine, folder)
        runs(database, 4, 5, start=3)

    return go_back


def test_a_restored_database_with_new_runs_is_detected(tmp_path: Path, sqlite: Database) -> None:
    """A number alone cannot detect this: seq 5 exists again, but is another change."""
    go_back = backed_up(sqlite, tmp_path / "backup")
    mine = feed.changes(sqlite.engine)[-1]
    go_back()
    assert validated(sqlite, mine["seq"]) == 5
    assert why_lost(sqlite, mine["cursor"]) == "diverged"
    variables = {"DATABASE_URL": sqlite.url}
    refused = template_sync("changes", "--since", mine["cursor"], "--json", folder=tmp_path, variables=variables)
    assert (refused.code, json.loads(refused.out)["reason"]) == (65, "diverged")
    assert "cursor" in refused.err


def test_a_follower_gets_the_error_at_its_next_poll(tmp_path: Path, sqlite: Database) -> None:
    go_back = backed_up(sqlite, tmp_path / "backup")

    def pauses() -> Iterator[None]:
        yield None
        yield go_back()

    seen: list[int] = []
    with pytest.raises(CursorLost) as lost:  # noqa: PT012 - the changes before the error are tested
        for change in feed.follow(sqlite.engine, 0, pause=pauses()):
            seen.append(change["seq"])  # noqa: PERF401 - the list is needed after the error
    assert (seen, lost.value.reason) == ([1, 2, 3, 4, 5], "diverged")


def test_a_follower_reads_the_feed_in_batches(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    runs(sqlite, 1, 2, 3)
    read, sizes = feed.changes, []

    def counted(engine: Engine, **wanted: Any) -> list[dict[str, Any]]:
        found = read(engine, **wanted)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(feed, "changes", counted)
    monkeypatch.setattr(feed, "BATCH", 2)
    assert [change["seq"] for change in feed.follow(sqlite.engine, 0, pause=iter([None]))] == [1, 2, 3, 4, 5]
    assert sizes == [2, 2, 1, 0]


# What an older version appended -----------------------------------------------------------------------------------------


def test_an_upgrade_backfills_the_cursors_of_changes_of_an_older_version(empty_database: Database) -> None:
    database = empty_database
    schema.upgrade(database.engine)
    give_epoch(database.engine)
    runs(database, 1, 2, 3)
    database.execute("UPDATE sync_state SET origin = NULL")  # the downgrade drops this column
    whole = database.dump()
    third = feed.changes(database.engine)[2]["cursor"]
    schema.upgrade(database.engine, "-3")  # before 0007, which backfills
    with database.engine.begin() as connection:  # a daemon of 0.1.0 checks the schema only when it starts
        unknown = {"cursor": None, "document_hash": None, "breaking": None}
        connection.execute(sa.update(template_changes).where(template_changes.c.seq > 3).values(unknown))
        connection.execute(sa.update(sync_state).values(last_cursor=third))
        connection.execute(sa.delete(price_changes))
    schema.upgrade(database.engine)
    found = database.dump()
    for table in ("template_changes", "price_changes", "sync_state"):
        assert found[table] == whole[table]
    assert seqs_after(database, third) == [4, 5]
    runs(database, 4, start=3)
    assert feed_problems(database.engine) == []


def test_changed_prices_are_stored_as_numbers(database: Database) -> None:
    runs(database, 1, 2)
    gone = [{**served(2)[0], "ConsumeItems": [{"Resolution": "1080p", "Credit": 3.5}]}, *served(2)[1:]]
    assert sync(gone, database.engine, clock=at(2)).error is None
    columns = ("seq", "template_id", "resolution", "old_credit", "new_credit")
    found = sorted(tuple(row[name] for name in columns) for row in database.rows("price_changes"))
    assert found == [(4, "1", "720p", 1, 2), (5, "1", "1080p", None, Decimal("3.5")), (5, "1", "720p", 2, None)]
    assert database.scalar("SELECT sum(new_credit - old_credit) FROM price_changes") == 1
    assert feed.changes(database.engine)[-1]["breaking"] == ["resolution-gone:720p"]


@pytest.mark.long
def test_a_cursor_ahead_of_a_standby_waits_for_it() -> None:
    with postgresql() as server:
        server.start()
        database = Database("postgresql", server.url, open_engine(server.url))
        schema.upgrade(database.engine)
        runs(database, 1)
        database.engine.dispose()
        server.stop()
        (server.folder / "data" / "standby.signal").touch()  # as a standby without a primary: it only reads
        server.start()
        try:
            with pytest.raises(TryLater, match="ahead of this standby, which has replayed up to seq 3"):
                validated(database, 4)
            assert validated(database, 3) == 3
        finally:
            database.engine.dispose()


# Random histories -------------------------------------------------------------------------------------------------------


@dataclass
class Reader:
    """Keeps a copy of the feed, and continues from its cursor."""

    go_on: Callable[[Connection, str], int]
    cursor: str = str(Cursor.start(EPOCH))
    copy: list[str] = field(default_factory=list)
    wrong: int = 0
    noticed: int = 0

    def poll(self, engine: Engine, truth: list[str]) -> None:
        with reading(engine) as connection:
            try:
                after = self.go_on(connection, self.cursor)
            except CursorLost as lost:
                self.noticed += 1
                self.cursor, self.copy = str(lost.cursor), list(truth)
                return
            changes = template_changes.c
            query = sa.select(changes.template_id, changes.cursor).where(changes.seq > after).order_by(changes.seq)
            for row in connection.execute(query):
                self.copy.append(row.template_id)
                self.cursor = row.cursor
        self.wrong += self.copy != truth
        self.copy = list(truth)  # each mistake is counted once


def by_seq_alone(connection: Connection, cursor: str) -> int:
    """Continue from a seq, as readers did before cursors existed; a recreated feed is detected."""
    found = Cursor.parse(cursor)
    assert found is not None
    return validate_cursor(
        connection, cursor if found.epoch != connection.scalar(sa.select(sync_state.c.feed_epoch)) else found.seq
    )


class History:
    """A feed that is appended to, backed up, restored, recreated and pruned, and the list of its changes."""

    def __init__(self, database: Database, random: Random) -> None:
        self.engine, self.random = database.engine, random
        self.truth: list[str] = []
        self.saved: tuple[list[str], dict[str, list[dict[str, Any]]]] = ([], {})
        self.recreate()
        self.back_up()

    def append(self) -> None:
        # One of two, so that a restored feed sometimes continues as before; then the old cursors are valid again.
        template_id = self.random.choice(["a", "b"])
        with self.engine.begin() as connection:
            run_id = 1 + (connection.scalar(sa.select(sa.func.max(sync_runs.c.run_id))) or 0)
            run = {"trigger": "run", "status": "succeeded", "started_at": NOON, "finished_at": NOON, "holder": ""}
            connection.execute(sa.insert(sync_runs).values(run_id=run_id, **run))
            appended = Feed(connection, run_id, NOON)
            appended.append([(Change(template_id, "added"), "0" * 64)])
            appended.close()
        self.truth.append(template_id)

    def back_up(self) -> None:
        with reading(self.engine) as connection:
            rows = {table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()] for table in KEPT}
        self.saved = (list(self.truth), rows)

    def restore(self) -> None:
        self.truth, rows = list(self.saved[0]), self.saved[1]
        with self.engine.begin() as connection:
            for table in KEPT:
                connection.execute(sa.delete(table))
                if rows[table.name]:
                    connection.execute(sa.insert(table), rows[table.name])

    def recreate(self) -> None:
        self.truth = []
        epoch = f"{self.random.getrandbits(48):012x}"
        begun = {"feed_epoch": epoch, "last_cursor": str(Cursor.start(epoch)), "pruned_cursor": None, "oldest_run_id": None}
        with self.engine.begin() as connection:
            for table in (template_changes, sync_runs):
                connection.execute(sa.delete(table))
            connection.execute(sa.update(sync_state).values(last_seq=0, oldest_seq=1, **begun))

    def prune(self) -> None:
        prune(self.engine, before=None, keep_runs=2)


@pytest.mark.parametrize("histories", [pytest.param(8, id="some"), pytest.param(300, id="many", marks=pytest.mark.long)])
def test_random_histories_leave_no_reader_with_a_wrong_copy(
    histories: int, database: Database, report: Callable[[str], None]
) -> None:
    random = Random(7)  # noqa: S311 - the same histories each time
    mine, without = Reader(validate_cursor), Reader(by_seq_alone)
    for _ in range(histories):
        history = History(database, random)
        for _ in range(40):
            seldom = [history.back_up, history.restore, history.prune]
            random.choice([*[history.append] * 12, *seldom, *seldom, history.recreate])()
            if random.random() < 0.25:
                for reader in (mine, without):
                    reader.poll(database.engine, history.truth)
    report(f"{histories} histories: with the chain {mine.wrong} wrong, {mine.noticed} noticed; without {without.wrong} wrong")
    assert mine.wrong == 0
    assert mine.noticed > 0
    assert without.wrong > 0
