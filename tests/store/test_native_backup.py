"""A server's own command, as it is printed: run in a shell it makes a backup, and the other one brings back what was."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from sync.store import schema
from sync.store.backup import native_command
from tests.faults import AFTER, BEFORE, anomalies, sync

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Database

SERVERS = pytest.mark.parametrize("empty_database", ["postgresql", "mariadb"], indirect=True)
TOOLS = {"postgresql": ("pg_dump", "pg_restore"), "mariadb": ("mariadb-dump", "mariadb")}


def pasted(command: str) -> None:
    subprocess.run(["sh", "-c", command], check=True, stdin=subprocess.DEVNULL)


@SERVERS
@pytest.mark.ci_slice
def test_the_printed_commands_bring_back_what_was_backed_up_and_the_next_run_goes_on(
    empty_database: Database, tmp_path: Path
) -> None:
    for tool in TOOLS[empty_database.kind]:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed here")
    engine, file = empty_database.engine, tmp_path / "it's a backup"
    schema.upgrade(engine)
    sync(BEFORE, engine)
    before = empty_database.catalog_dump()

    pasted(native_command(engine, file, restore=False))
    assert sync(AFTER, engine).run.removed == 1
    assert empty_database.catalog_dump() != before
    engine.dispose()  # as the documentation asks: whoever holds a table open holds up its going
    pasted(native_command(engine, file, restore=True))

    assert empty_database.catalog_dump() == before
    assert anomalies(empty_database) == []
    run = sync(AFTER, engine).run
    assert (run.added, run.removed) == (1, 1)
