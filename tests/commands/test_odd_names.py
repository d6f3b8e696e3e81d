"""A name that is not UTF-8 works, and one that is too long is one sentence, wherever a command or a setting takes a path."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from tests.command_line import template_sync

if TYPE_CHECKING:
    from pathlib import Path

    from tests.daemons import Upstream

NOT_UTF_8 = b"b\xff".decode("utf-8", "surrogateescape")
LONG, DEEP = "n" * 300, "/".join(["d" * 200] * 25)
"""A name over 255 bytes; a path of 5,000 bytes."""
NAMES = pytest.mark.parametrize(
    "name", [pytest.param(LONG, id="long"), pytest.param(DEEP, id="deep", marks=pytest.mark.ci_slice)]
)


def test_a_backup_and_a_restore_work_with_names_that_are_not_utf_8(upstream: Upstream, tmp_path: Path) -> None:
    folder = tmp_path / f"folder-{NOT_UTF_8}"
    folder.mkdir()
    settings = upstream.settings(DATABASE_URL=f"sqlite:///{folder}/templates.db")
    assert template_sync("run", folder=tmp_path, variables=settings).code == 0
    made = template_sync("db", "backup", f"{NOT_UTF_8}.db", folder=tmp_path, variables=settings)
    assert (made.code, r"The backup b\udcff.db was written and verified" in made.err) == (0, True), made.err
    (folder / "templates.db").unlink()
    restored = template_sync("db", "restore", f"{NOT_UTF_8}.db", folder=tmp_path, variables=settings)
    assert (restored.code, restored.err.startswith("The database was restored")) == (0, True), restored.err
    again = template_sync("db", "restore", f"{NOT_UTF_8}.db", folder=tmp_path, variables=settings)  # into the database there
    assert again.code == 0, again.err
    with sqlite3.connect(folder / "templates.db") as connection:
        assert connection.execute("SELECT count(*) FROM templates").fetchone() == (3,)
    connection.close()


@NAMES
@pytest.mark.parametrize(("arguments", "code", "says"), [
    ("db backup", 2, "is not a valid file name."),
    ("db restore", 2, "is not a file."),
    ("run --record", 2, "cannot be written: "),
    ("sandbox --replay", 2, "File name too long"),
    ("form 1 --validate", 2, "File name too long"),
    ("site", 1, "could not be written: File name too long."),
    ("demo --database-url sqlite:///demo.db --site", 1, "could not be written: File name too long."),
])  # fmt: skip
def test_a_name_that_is_too_long_is_one_sentence(
    upstream: Upstream, tmp_path: Path, arguments: str, code: int, says: str, name: str
) -> None:
    assert template_sync("run", folder=tmp_path, variables=upstream.settings()).code == 0
    refused = template_sync(*arguments.split(), name, folder=tmp_path, variables=upstream.settings())
    assert (refused.code, says in refused.err, "bug" in refused.err) == (code, True, False), refused.err
    assert not (tmp_path / "demo.db").exists()


@NAMES
@pytest.mark.parametrize("variable", [
    "SYNC_METRICS_FILE", "SYNC_WEBHOOKS_FILE", "SYNC_CA_BUNDLE", "CRUN_API_KEY_FILE", "DATABASE_URL_FILE",
])  # fmt: skip
def test_a_setting_with_a_name_that_is_too_long_is_named(upstream: Upstream, tmp_path: Path, variable: str, name: str) -> None:
    settings = {**upstream.settings(), variable: name}
    if variable == "CRUN_API_KEY_FILE":
        del settings["CRUN_API_KEY"]
    for command in ("run", "doctor") if name == LONG else ("doctor",):
        refused = template_sync(command, folder=tmp_path, variables=settings)
        assert (refused.code, variable in refused.err, "bug" in refused.err) == (78, True, False), refused.err


@pytest.mark.parametrize("name", [LONG, f"{DEEP}/templates.db"], ids=["long", "deep"])
def test_a_database_file_with_a_name_that_is_too_long_is_named_by_each_command(
    upstream: Upstream, tmp_path: Path, name: str
) -> None:
    settings = upstream.settings(DATABASE_URL=f"sqlite:///{name}")
    for command in ("run", "doctor", "status", "export", "db upgrade", "db backup out.db", "prune --keep-runs 1"):
        refused = template_sync(*command.split(), folder=tmp_path, variables=settings)
        assert (refused.code, "DATABASE_URL" in refused.out + refused.err) == (69, True), (command, refused)
        assert "bug" not in refused.err
