"""Session settings of the environment, the URL or the database: a run sets what it needs, or reports the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.adversary.attack import BEFORE, exported
from tests.adversary.test_neighbours import act
from tests.builders import Database, run_with
from tests.command_line import command

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long_on_servers

SESSIONS = [
    ("postgresql", "PGCLIENTENCODING", "LATIN1"),
    ("postgresql", "PGCLIENTENCODING", "SQL_ASCII"),
    ("postgresql", "PGCLIENTENCODING", "nonsense"),
    ("postgresql", "PGDATESTYLE", "SQL, DMY"),
    ("postgresql", "PGTZ", "Asia/Tokyo"),
    ("postgresql", "PGOPTIONS", "-c default_transaction_isolation=serializable"),
    ("postgresql", "PGOPTIONS", "-c standard_conforming_strings=off -c extra_float_digits=-15 -c bytea_output=escape"),
    ("postgresql", "?", "client_encoding=latin1"),
    ("postgresql", "?", "options=-c%20datestyle%3Dgerman"),
    ("mariadb", "?", "charset=latin1"),
    ("mariadb", "?", "sql_mode=ANSI"),
    ("mariadb", "?", "init_command=SET%20SESSION%20sql_mode%3D''"),
]
"""The engine, a variable of its driver (`?`: the URL's query), and its value."""


@pytest.mark.parametrize(("database", "variable", "value"), SESSIONS, indirect=["database"])
def test_no_variable_of_a_driver_changes_stored_or_read_values(
    variable: str, value: str, database: Database, tmp_path: Path
) -> None:
    assert run_with(BEFORE, database.engine).error is None
    variables = (
        {"DATABASE_URL": f"{database.url}?{value}"} if variable == "?" else {"DATABASE_URL": database.url, variable: value}
    )
    assert command(tmp_path, ["export"], **variables).out == exported("+0 ~0 -0")
    for line, shows in (("show 12", "战斗游戏"), ("status --json", '"present": 12'), ("changes --json", "2026-05-22T03:37:31Z")):
        said = command(tmp_path, line.split(), **variables)
        assert (said.code, shows in said.out.decode()) == (0, True), said.err


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "EUC_JP"])
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_database_with_an_insufficient_encoding_is_refused_by_name(encoding: str, database: Database, tmp_path: Path) -> None:
    name = f"{database.engine.url.database}_{encoding.lower()}"
    act(database, [f"CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"])
    try:
        url = database.engine.url.set(database=name).render_as_string(hide_password=False)
        for line in ("db upgrade", "run", "doctor"):
            said = command(tmp_path, line.split(), DATABASE_URL=url)
            output = (said.out + said.err).decode()
            assert (said.code in {69, 75}, encoding in output, "Unexpected error" in output) == (True, True, False), (
                line,
                output,
            )
    finally:
        act(database, [f"DROP DATABASE {name} WITH (FORCE)"])
