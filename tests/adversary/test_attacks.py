"""Every row of the tables of faults, attacks, output, settings and arguments."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from sync.commands.export import as_json_lines
from sync.reader.catalog import catalog as catalog_of
from sync.store.engine import reading, writing
from sync.store.tables import metadata
from tests.adversary import answers, faults, output, settings, transport
from tests.adversary.attack import LONGEST_ERROR, strike, withstood
from tests.adversary.server import AFTER, BEFORE, SIZE, exported
from tests.builders import record, run_against, run_with
from tests.command_line import NO_SERVER, command, template_sync
from tests.conftest import KINDS, fresh
from tests.hostile import Hostile, catalog, one_after_another

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.mark.structures import ParameterSet

    from tests.adversary.attack import Attack
    from tests.adversary.output import Cell, Command
    from tests.adversary.settings import Setting
    from tests.builders import Database

_filled: dict[str, Any] = {}
"""By engine: the file of the filled SQLite database, or the rows of a server's."""


@pytest.fixture
def stored(database: Database) -> Database:
    """A database of each kind that contains the previous catalog: filled by a run once, then copied."""
    return fill(database)


@pytest.fixture
def stored_in_sqlite(sqlite: Database) -> Database:
    """The same on SQLite."""
    return fill(sqlite)


def fill(database: Database) -> Database:
    file = Path(database.engine.url.database or "")
    if database.kind not in _filled:
        with Hostile(catalog(BEFORE)) as server:
            assert run_against(server.url, database.engine, page_size=SIZE).error is None
        if database.kind == "sqlite":
            database.engine.dispose()
            _filled[database.kind] = file.read_bytes()
            return database
        with reading(database.engine) as connection:
            _filled[database.kind] = {
                name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
                for name, table in metadata.tables.items()
            }
        return database
    if database.kind == "sqlite":
        database.engine.dispose()
        file.write_bytes(_filled[database.kind])
        return database
    with writing(database.engine) as connection:
        for table in metadata.sorted_tables:
            if table.name in {"sync_lease", "sync_state"}:
                connection.execute(sa.delete(table))
            if rows := _filled[database.kind][table.name]:
                connection.execute(sa.insert(table), rows)
        if database.kind == "postgresql":
            connection.exec_driver_sql("ALTER SEQUENCE sync_runs_run_id_seq RESTART WITH 2")
    return database


def cases() -> Iterator[ParameterSet]:
    """Pair each row with its engines. A slice is quick, CI runs a second slice, the long tests run the rest."""
    tables = ((answers.STORED, 3, 1), (answers.ENVELOPES, 4, 1), (faults.FAULTS, 4, 1), (transport.ATTACKS, 9, 3))
    for table, quick, in_ci in tables:
        for place, attack in enumerate(table):
            marks = [] if place % quick == 0 else [pytest.mark.long if place % in_ci else pytest.mark.ci_slice]
            yield pytest.param(attack, "sqlite", id=f"sqlite: {attack.name}", marks=marks)
    for kind in KINDS[1:]:
        for place, attack in enumerate(answers.STORED):
            yield pytest.param(attack, kind, id=f"{kind}: {attack.name}", marks=[pytest.mark.long] if place % 12 else [])


@pytest.mark.parametrize(("attack", "database"), [*cases()], indirect=["database"])
def test_a_fault_or_attack_has_the_result_of_its_row(attack: Attack, stored: Database) -> None:
    withstood(attack, stored)


@pytest.mark.ci_slice
def test_after_any_fault_one_run_without_faults_corrects_the_database(stored_in_sqlite: Database) -> None:
    for fault in faults.FAULTS[::9]:
        strike(fault, stored_in_sqlite)
    assert run_with(AFTER, stored_in_sqlite.engine, page_size=SIZE).error is None
    assert "".join(as_json_lines(catalog_of(stored_in_sqlite.engine))).encode() == exported("+1 ~1 -1")


@pytest.fixture(scope="module")
def evil(migrated: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which every text is an attack on a terminal, after three runs."""
    folder = tmp_path_factory.mktemp("evil")
    for database in fresh("sqlite", migrated, folder):
        for records in (output.evil(1), output.evil(2), output.evil(2, later=output.EVIL)):
            with Hostile(catalog(records)) as server:
                assert run_against(server.url, database.engine).error is None
    return folder / "templates.db"


@pytest.mark.parametrize("attack", output.COMMANDS, ids=lambda attack: attack.name)
def test_output_contains_no_active_control_characters(attack: Command, evil: Path, tmp_path: Path) -> None:
    shutil.copy(evil, tmp_path)
    served = one_after_another(attack.answer) if attack.answer else catalog(output.evil(2, later=output.EVIL))
    colors = {"FORCE_COLOR": "1"} if attack.colored else {}
    with Hostile(served) as server:
        said = command(tmp_path, attack.arguments, CRUN_BASE_URL=server.url, **colors)
    everything = (said.out + said.err).decode()
    assert (said.code, attack.shows in said.out + said.err) == (attack.code, True), everything
    assert output.ACTS.findall(output.COLOURS.sub("", everything) if attack.colored else everything) == []
    assert (output.COLOURS.search(everything) is not None) is attack.colored


@pytest.mark.parametrize("cell", output.CELLS, ids=lambda cell: cell.name)
def test_no_cell_of_a_csv_export_is_a_formula(cell: Cell, sqlite: Database, tmp_path: Path) -> None:
    with Hostile(catalog([record("1", Title=cell.sent, Title_en="end")])) as server:
        run_against(server.url, sqlite.engine)
    said = command(tmp_path, ["export", "--format", "csv"], DATABASE_URL=sqlite.url)
    assert said.out.decode().partition("7642552612302307355,217677058,")[2].partition(",end,")[0] == cell.written


@pytest.mark.parametrize("attack", settings.SETTINGS, ids=lambda attack: attack.name)
def test_an_invalid_setting_is_refused_by_name_and_nothing_is_written(attack: Setting, tmp_path: Path) -> None:
    (tmp_path / "real").write_text("theirs")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    others = {"CRUN_API_KEY": ""} if attack.variable == "CRUN_API_KEY_FILE" else {}
    variables = {**NO_SERVER, **others, attack.variable: attack.value}
    result = template_sync(attack.line, folder=tmp_path, variables=variables, in_process=True)
    assert (result.code, attack.says in result.err, result.out) == (attack.code, True, ""), result.err
    assert "Unexpected error" not in result.err
    assert "Traceback" not in result.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "link", "pipe", "real"]
    assert ((tmp_path / "real").read_text(), (tmp_path / "link").is_symlink()) == ("theirs", True)


@pytest.mark.parametrize("attack", settings.LINES, ids=lambda attack: attack.name)
def test_an_invalid_argument_is_refused_and_nothing_is_written(
    attack: Setting, stored_in_sqlite: Database, tmp_path: Path
) -> None:
    before = stored_in_sqlite.dump()
    said = command(tmp_path, attack.line.split(" "), DATABASE_URL=stored_in_sqlite.url)
    assert (said.code, attack.says in said.err.decode()) == (attack.code, True), said.err.decode()[-500:]
    assert len(said.err) < LONGEST_ERROR
    assert stored_in_sqlite.dump() == before
