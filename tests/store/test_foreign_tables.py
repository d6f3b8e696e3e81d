"""Tables of other programs with our names are not changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from sync.errors import SchemaError
from sync.store.schema import upgrade

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
