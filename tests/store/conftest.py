"""A database and a backup of it from before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sync.store.backup import back_up
from tests.faults import AFTER, BEFORE, sync
from tests.store.copies import file_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Database


@pytest.fixture
def backed_up(sqlite: Database, tmp_path: Path) -> tuple[Path, Path]:
    """A database that holds AFTER, and its backup from before, which holds BEFORE."""
    sync(BEFORE, sqlite.engine)
    back_up(sqlite.engine, tmp_path / "backup.db")
    sync(AFTER, sqlite.engine)
    sqlite.engine.dispose()
    return file_of(sqlite), tmp_path / "backup.db"
