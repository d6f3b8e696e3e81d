"""The file of a SQLite engine: a replaced file is reopened, and a deleted one is not created."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sync import Catalog
from sync.errors import SchemaError
from sync.store.schema import require_current_schema
from tests.builders import records, run_with
from tests.store.copies import SIDE_FILES, file_of

if TYPE_CHECKING:
    from tests.builders import Database


def replace_file(database: Database, other: Path | None) -> None:
    for side in ("", *SIDE_FILES):
        Path(f"{file_of(database)}{side}").unlink(missing_ok=True)
    if other is not None:
        other.rename(file_of(database))


def test_a_replaced_file_is_reopened(sqlite: Database, tmp_path: Path) -> None:
    empty = tmp_path / "empty.db"
    shutil.copy(file_of(sqlite), empty)
    run_with(records(3), sqlite.engine)
    with Catalog(sqlite.url) as catalog:
        assert len(catalog.templates()) == 3
        replace_file(sqlite, empty)
        assert len(catalog.templates()) == 0
        assert run_with(records(5), sqlite.engine).run.added == 5
        assert len(catalog.templates()) == 5


def test_a_deleted_file_is_refused_and_not_created(sqlite: Database) -> None:
    run_with(records(3), sqlite.engine)
    replace_file(sqlite, None)
    with pytest.raises(SchemaError, match="There is no database at"):
        require_current_schema(sqlite.engine)
    assert not file_of(sqlite).exists()
    assert isinstance(run_with(records(3), sqlite.engine).error, SchemaError)
    assert not file_of(sqlite).exists()
