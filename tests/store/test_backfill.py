"""Changes that an older version appended get, from their rows alone, exactly what a run of today would have given them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.catalog.feed_chain import Cursor
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
def told(sqlite: Database) -> Database:
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
    """Leave of the changes behind a number what version 0.1.0 wrote."""
    unknown = {"cursor": None, "document_hash": None, "breaking": None}
    connection.execute(sa.update(template_changes).where(template_changes.c.seq > after).values(unknown))
    connection.execute(sa.delete(price_changes).where(price_changes.c.seq > after))
    connection.execute(sa.update(sync_state).values(state))


@pytest.mark.parametrize("after", [0, 1, 5, 6, 14])
def test_whatever_lacks_its_cursor_gets_the_one_that_it_would_have_had(after: int, told: Database) -> None:
    before = kept(told)
    last = before[2][0]["last_cursor"]
    assert len(before[0]) == 15
    with told.engine.begin() as connection:
        forget(connection, after, last_cursor=None if after == 0 else before[0][after - 1]["cursor"])
        assert str(backfill_cursors(connection)) == last
    assert kept(told) == before


def test_a_feed_that_lacks_nothing_is_left_as_it_is(told: Database) -> None:
    before = kept(told)
    with told.engine.begin() as connection:
        assert str(backfill_cursors(connection)) == before[2][0]["last_cursor"]
    assert kept(told) == before


def test_of_a_feed_that_was_pruned_before_there_were_cursors_the_kept_part_begins_the_chain(told: Database) -> None:
    prune(told.engine, before=None, keep_runs=2)
    (state,) = told.rows("sync_state")
    first = state["oldest_seq"]
    with told.engine.begin() as connection:
        forget(connection, 0, last_cursor=None, pruned_cursor=None)
        end = backfill_cursors(connection)
    (after,) = told.rows("sync_state")
    assert (first > 1, after["pruned_cursor"], after["last_cursor"]) == (True, str(Cursor.start(EPOCH, first - 1)), str(end))
    assert [Cursor.parse(row["cursor"]) for row in told.rows("template_changes", "seq")][-1] == end


def test_so_does_one_of_which_only_the_first_change_is_gone(sqlite: Database) -> None:
    for count in (1, 2):
        assert sync(BEFORE[:count], sqlite.engine).error is None
    prune(sqlite.engine, before=None, keep_runs=1)
    with sqlite.engine.begin() as connection:
        forget(connection, 0, last_cursor=None, pruned_cursor=None)
        backfill_cursors(connection)
    assert sqlite.rows("sync_state")[0]["pruned_cursor"] == str(Cursor.start(EPOCH, 1))


def test_a_feed_that_was_never_pruned_has_no_beginning_but_its_first_change(told: Database) -> None:
    with told.engine.begin() as connection:
        forget(connection, 0, last_cursor=None)
        backfill_cursors(connection)
    assert told.rows("sync_state")[0]["pruned_cursor"] is None


def test_a_database_without_an_epoch_gets_one_of_its_own(told: Database) -> None:
    epochs = set()
    for _ in range(2):
        with told.engine.begin() as connection:
            forget(connection, 0, last_cursor=None, feed_epoch=None)
            epochs.add(backfill_cursors(connection).epoch)
        assert told.rows("sync_state")[0]["feed_epoch"] in epochs
    assert (len(epochs), {len(epoch) for epoch in epochs}) == (2, {12})


def test_the_seq_of_a_deleted_change_is_not_reused(told: Database) -> None:
    with told.engine.begin() as connection:
        connection.execute(sa.delete(template_changes).where(template_changes.c.seq == 15))
        forget(connection, 10, last_cursor=None)
        assert backfill_cursors(connection).seq == 15
        assert last_cursor(connection).seq == 15
    assert str(told.rows("sync_state")[0]["last_cursor"]).startswith(f"{EPOCH}-15-")


def test_a_feed_end_that_was_set_back_is_refused_with_a_hint(told: Database) -> None:
    with told.engine.begin() as connection:
        forget(connection, 0, last_cursor=None, last_seq=3)
    with told.engine.connect() as connection, pytest.raises(DatabaseError) as caught:
        backfill_cursors(connection)
    assert str(caught.value) == "sync_state says that the feed ends at seq 3, but there are changes up to 15."
    assert caught.value.hint == "Restore a backup, or correct last_seq."
