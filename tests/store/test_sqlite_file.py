"""The file behind a SQLite engine: another one in its place is opened, and one that is gone is not made anew."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sync import Catalog
from sync.errors import SchemaError
from sync.store.schema import require_current_schema
from tests.builders import records, run_with
from tests.store.copies import SIDE_FILES

if TYPE_CHECKING:
    from tests.builders import Database


def file_of(database: Database) -> Path:
    return Path(database.url.removeprefix("sqlite:///"))


def put_in_its_place(database: Database, other: Path | None) -> None:
    for side in ("", *SIDE_FILES):
        Path(f"{file_of(database)}{side}").unlink(missing_ok=True)
    if other is not None:
        other.rename(file_of(database))


def test_what_is_open_goes_on_in_the_file_that_took_the_place_of_its_own(sqlite: Database, tmp_path: Path) -> None:
    empty = tmp_path / "empty.db"
    shutil.copy(file_of(sqlite), empty)
    run_with(records(3), sqlite.engine)
    with Catalog(sqlite.url) as catalog:
        assert len(catalog.templates()) == 3
        put_in_its_place(sqlite, empty)
        assert len(catalog.templates()) == 0
        assert run_with(records(5), sqlite.engine).run.added == 5
        assert len(catalog.templates()) == 5


def test_a_file_that_was_deleted_is_refused_and_not_made_anew(sqlite: Database) -> None:
    run_with(records(3), sqlite.engine)
    put_in_its_place(sqlite, None)
    with pytest.raises(SchemaError, match="There is no database at"):
        require_current_schema(sqlite.engine)
    assert not file_of(sqlite).exists()
    assert isinstance(run_with(records(3), sqlite.engine).error, SchemaError)
    assert not file_of(sqlite).exists()
