"""The backfill gives changes of older versions the cursors that a run of this version would have given them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.catalog.feed import Cursor
from sync.errors import DatabaseError
from sync.store.feed_seq import last_cursor
from sync.store.migrating import backfill_cursors
from sync.store.prune import prune
from sync.store.tables import price_changes, sync_state, template_changes
from tests.builders import EPOCH, record
from tests.faults import AFTER, BEFORE, at, sync

if TYPE_CHECKING:
    from tests.builders import Database

DEARER = [
    record(str(number), Title_en=f"Number {number}", ConsumeItems=[{"Resolution": "480p", "Credit": 200}]) for number in (1, 2)
]


@pytest.fixture
def filled(sqlite: Database) -> Database:
    """A feed of five additions, a change with prices, an addition, removals and returns: 15 changes in four runs."""
    for minute, source in enumerate((BEFORE, AFTER, [*DEARER, *BEFORE[2:]], BEFORE)):
        assert sync(source, sqlite.engine, clock=at(minute), max_removed=1).error is None
    return sqlite


def kept(database: Database) -> list[Any]:
    return [
        database.rows("template_changes", "seq"),
        sorted(map(str, database.rows("price_changes"))),
        database.rows("sync_state"),
    ]


def forget(connection: sa.Connection, after: int, **state: Any) -> None:
    """Reduce the changes after a seq to what version 0.1.0 wrote."""
    unknown = {"cursor": None, "document_hash": None, "breaking": None}
    connection.execute(sa.update(template_changes).where(template_changes.c.seq > after).values(unknown))
    connection.execute(sa.delete(price_changes).where(price_changes.c.seq > after))
    connection.execute(sa.update(sync_state).values(state))


@pytest.mark.parametrize("after", [0, 1, 5, 6, 14, 15])
def test_a_missing_cursor_is_the_one_that_a_run_would_have_written(after: int, filled: Database) -> None:
    before = kept(filled)
    last = before[2][0]["last_cursor"]
    assert len(before[0]) == 15  # after 15: nothing is missing
    with filled.engine.begin() as connection:
        forget(connection, after, last_cursor=None if after == 0 else before[0][after - 1]["cursor"])
        assert str(backfill_cursors(connection)) == last
    assert kept(filled) == before


def test_the_chain_of_a_pruned_feed_begins_with_the_kept_part(filled: Database) -> None:
    prune(filled.engine, before=None, keep_runs=2)
    (state,) = filled.rows("sync_state")
    first = state["oldest_seq"]
    with filled.engine.begin() as connection:
        forget(connection, 0, last_cursor=None, pruned_cursor=None)
        end = backfill_cursors(connection)
    (after,) = filled.rows("sync_state")
    assert (first > 1, after["pruned_cursor"], after["last_cursor"]) == (True, str(Cursor.start(EPOCH, first - 1)), str(end))
    assert [Cursor.parse(row["cursor"]) for row in filled.rows("template_changes", "seq")][-1] == end


def test_the_chain_of_a_feed_without_its_first_change_begins_with_the_second(sqlite: Database) -> None:
    for count in (1, 2):
        assert sync(BEFORE[:count], sqlite.engine).error is None
    prune(sqlite.engine, before=None, keep_runs=1)
    with sqlite.engine.begin() as connection:
        forget(connection, 0, last_cursor=None, pruned_cursor=None)
        backfill_cursors(connection)
    assert sqlite.rows("sync_state")[0]["pruned_cursor"] == str(Cursor.start(EPOCH, 1))


def test_a_feed_that_was_never_pruned_gets_no_pruned_cursor(filled: Database) -> None:
    with filled.engine.begin() as connection:
        forget(connection, 0, last_cursor=None)
        backfill_cursors(connection)
    assert filled.rows("sync_state")[0]["pruned_cursor"] is None


def test_a_database_without_an_epoch_gets_a_new_one(filled: Database) -> None:
    epochs = set()
    for _ in range(2):
        with filled.engine.begin() as connection:
            forget(connection, 0, last_cursor=None, feed_epoch=None)
            epochs.add(backfill_cursors(connection).epoch)
        assert filled.rows("sync_state")[0]["feed_epoch"] in epochs
    assert (len(epochs), {len(epoch) for epoch in epochs}) == (2, {12})


def test_the_seq_of_a_deleted_change_is_not_reused(filled: Database) -> None:
    with filled.engine.begin() as connection:
        connection.execute(sa.delete(template_changes).where(template_changes.c.seq == 15))
        forget(connection, 10, last_cursor=None)
        assert backfill_cursors(connection).seq == 15
        assert last_cursor(connection).seq == 15
    assert str(filled.rows("sync_state")[0]["last_cursor"]).startswith(f"{EPOCH}-15-")


def test_a_feed_end_that_was_set_back_is_refused_with_a_hint(filled: Database) -> None:
    with filled.engine.begin() as connection:
        forget(connection, 0, last_cursor=None, last_seq=3)
    with filled.engine.connect() as connection, pytest.raises(DatabaseError) as caught:
        backfill_cursors(connection)
    assert str(caught.value) == "sync_state says that the feed ends at seq 3, but there are changes up to 15."
    assert caught.value.hint == "Restore a backup, or correct last_seq."
