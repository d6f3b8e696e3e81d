"""A database that 0.2.0 made is upgraded in place: its cursors continue, and the position of its webhook stays."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from sync import Catalog
from sync.store import schema
from sync.store.engine import open_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parents[1] / "data" / "0.2.0" / "sqlite.sql"
FEED = "SELECT seq, cursor, run_id, at, template_id, kind, fields, document FROM change_feed ORDER BY seq"
PRICES = "SELECT template_id, resolution, credit, valid_from, valid_until FROM price_history ORDER BY 1, 2, 4"
POSITION = "SELECT * FROM webhook_endpoints"


@pytest.fixture
def old(tmp_path: Path) -> Iterator[sa.Engine]:
    """Give the database as 0.2.0 left it."""
    file = tmp_path / "old.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(f"PRAGMA journal_mode=WAL; {DATA.read_text(encoding='utf-8')}")
    engine = open_engine(f"sqlite:///{file}")
    yield engine
    engine.dispose()


def select(engine: sa.Engine, query: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


def test_an_upgrade_keeps_the_feed_the_prices_and_the_position_of_the_webhook(old: sa.Engine) -> None:
    feed, prices, position = (select(old, query) for query in (FEED, PRICES, POSITION))
    assert (len(feed), len(prices) > 12, len(position)) == (17, True, 1)
    schema.upgrade(old)
    assert schema.differences(old) == []
    assert select(old, FEED) == feed
    assert select(old, PRICES) == prices
    assert select(old, POSITION) == position


def test_a_cursor_of_0_2_0_continues_where_it_was(old: sa.Engine) -> None:
    ((cursor,),) = select(old, "SELECT cursor FROM change_feed WHERE seq = 12")
    schema.upgrade(old)
    assert [change.seq for change in Catalog(old).changes(since=str(cursor))] == [13, 14, 15, 16, 17]
