"""Tables of other people that merely have our names are left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from sync.errors import SchemaError
from sync.store.schema import current, upgrade

if TYPE_CHECKING:
    from tests.builders import Database

pytestmark = pytest.mark.long_on_servers


def test_an_upgrade_refuses_a_foreign_table_and_writes_nothing(empty_database: Database) -> None:
    with empty_database.engine.begin() as connection:
        connection.exec_driver_sql("create table tags (id integer primary key, label varchar(20))")
        connection.exec_driver_sql("insert into tags values (1, 'theirs')")
    with pytest.raises(SchemaError, match="not this program's: tags"):
        upgrade(empty_database.engine)
    with empty_database.engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == ["tags"]
        assert connection.exec_driver_sql("select * from tags").all() == [(1, "theirs")]


def test_an_upgrade_goes_on_where_one_was_killed_after_a_table(empty_database: Database) -> None:
    with empty_database.engine.begin() as connection:
        connection.exec_driver_sql(
            "create table tags (tag_id integer not null primary key, name varchar(255) not null, name_en varchar(255))"
        )
    if empty_database.engine.dialect.name == "mysql":  # elsewhere a killed upgrade leaves nothing
        upgrade(empty_database.engine)
        assert current(empty_database.engine)[0] is not None
