"""What a server says of itself. On clusters: tests/clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.store.doctor import server_state

if TYPE_CHECKING:
    from tests.builders import Database


def test_a_server_says_what_it_is_and_a_file_nothing(database: Database) -> None:
    state = server_state(database.engine)
    if database.kind == "sqlite":
        assert state is None
        return
    assert state is not None
    assert state.summary.startswith({"postgresql": "PostgreSQL ", "mariadb": "MariaDB "}[database.kind])
