"""Every row of the tables of faults and attacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sync.commands.export import as_json_lines
from tests.adversary import answers, faults, transport
from tests.adversary.attack import AFTER, SIZE, check_result, exported, fill, run_against_attack
from tests.builders import run_with
from tests.conftest import KINDS
from tests.faults import exported_documents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.mark.structures import ParameterSet

    from tests.adversary.attack import Attack
    from tests.builders import Database


@pytest.fixture
def stored(database: Database) -> Database:
    """A database of each kind that contains the previous catalog: filled by a run; on SQLite by one, then copied."""
    return fill(database)


@pytest.fixture
def stored_in_sqlite(sqlite: Database) -> Database:
    """The same on SQLite."""
    return fill(sqlite)


def cases() -> Iterator[ParameterSet]:
    """Pair each row with its engines. A slice is quick, CI runs the rest on SQLite, the long tests run the rest."""
    tables = ((answers.STORED, 3), (answers.ENVELOPES, 2), (faults.FAULTS, 4), (transport.ATTACKS, 4))
    for table, quick in tables:
        for place, attack in enumerate(table):
            marks = [pytest.mark.ci_slice] if place % quick else []
            yield pytest.param(attack, "sqlite", id=f"sqlite: {attack.name}", marks=marks)
    for kind in KINDS[1:]:
        for place, attack in enumerate(answers.STORED):
            yield pytest.param(attack, kind, id=f"{kind}: {attack.name}", marks=[pytest.mark.long] if place % 12 else [])


@pytest.mark.parametrize(("attack", "database"), [*cases()], indirect=["database"])
def test_a_fault_or_attack_has_the_result_of_its_row(attack: Attack, stored: Database) -> None:
    check_result(attack, stored)


@pytest.mark.ci_slice
def test_after_any_fault_one_run_without_faults_corrects_the_database(stored_in_sqlite: Database) -> None:
    for fault in faults.FAULTS[::9]:
        run_against_attack(fault, stored_in_sqlite)
    assert run_with(AFTER, stored_in_sqlite.engine, page_size=SIZE).error is None
    assert "".join(as_json_lines(exported_documents(stored_in_sqlite.engine))).encode() == exported("+1 ~1 -1")
