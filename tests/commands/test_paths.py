"""No path destroys another: a file that a command or setting writes is never the database, its side files or a setting's file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sync.sandbox.server import SANDBOX_KEY
from tests.builders import Database, records, run_with
from tests.command_line import template_sync

if TYPE_CHECKING:
    from pathlib import Path

    from tests.daemons import Upstream


@pytest.fixture
def settings(sqlite: Database, upstream: Upstream, tmp_path: Path) -> dict[str, str]:
    """Give settings that name a file each, in the test's folder."""
    run_with(records(3), sqlite.engine)
    sqlite.engine.dispose()
    (tmp_path / "link.db").symlink_to("templates.db")
    (tmp_path / "key").write_text(SANDBOX_KEY)
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "hooks.toml").touch()
    (tmp_path / ".env").write_text("SYNC_RATE=0\n")
    variables = upstream.settings(DATABASE_URL="sqlite:///templates.db", CRUN_API_KEY_FILE="key", SYNC_WEBHOOKS_FILE="hooks.toml")
    del variables["CRUN_API_KEY"]
    return variables


IN_USE = {
    "templates.db": "the database",
    "./templates.db": "the database",
    "templates.db-wal": "a side file of the database",
    "templates.db-shm": "a side file of the database",
    "templates.db-journal": "a side file of the database",
    "key": "the file of CRUN_API_KEY_FILE",
    "hooks.toml": "the file of SYNC_WEBHOOKS_FILE",
    ".env": "the file of .env",
}


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file() and not each.name.endswith("-shm")}


@pytest.mark.parametrize("path", IN_USE)
def test_a_metrics_file_that_is_something_else_is_refused(path: str, settings: dict[str, str], tmp_path: Path) -> None:
    before = contents(tmp_path)
    refused = template_sync("run", folder=tmp_path, variables={**settings, "SYNC_METRICS_FILE": path})
    assert refused.code == 78
    assert f"SYNC_METRICS_FILE: {path} is {IN_USE[path]}" in refused.err
    assert contents(tmp_path) == before


@pytest.mark.parametrize("path", IN_USE)
@pytest.mark.parametrize("words", ["db backup", "run --record"])
def test_a_backup_or_recording_over_something_else_is_refused(
    words: str, path: str, settings: dict[str, str], tmp_path: Path
) -> None:
    before = contents(tmp_path)
    refused = template_sync(*words.split(), path, folder=tmp_path, variables=settings)
    assert (refused.code, f" is {IN_USE[path]}." in refused.err) == (2, True), refused.err
    assert contents(tmp_path) == before


def test_side_files_belong_to_the_file_that_a_link_leads_to(settings: dict[str, str], tmp_path: Path) -> None:
    linked = {**settings, "DATABASE_URL": "sqlite:///link.db"}
    for path in ("templates.db", "templates.db-wal", "link.db-wal"):
        assert template_sync("db", "backup", path, folder=tmp_path, variables=linked).code == 2


def test_the_metrics_file_is_no_target_of_a_backup(settings: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "sync.prom").touch()
    refused = template_sync(
        "db", "backup", "sync.prom", folder=tmp_path, variables={**settings, "SYNC_METRICS_FILE": "sync.prom"}
    )
    assert (refused.code, "sync.prom is the file of SYNC_METRICS_FILE." in refused.err) == (2, True)


def test_a_database_that_is_the_file_of_a_setting_is_refused(settings: dict[str, str], tmp_path: Path) -> None:
    refused = template_sync("status", folder=tmp_path, variables={**settings, "DATABASE_URL": "sqlite:///hooks.toml"})
    assert (refused.code, "SYNC_WEBHOOKS_FILE: hooks.toml is the database" in refused.err) == (78, True)


@pytest.mark.parametrize("name", ["templates", "assets", "media"])
def test_a_gallery_with_a_link_in_place_of_a_folder_is_refused(name: str, settings: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    assert template_sync("site", "gallery", folder=tmp_path, variables=settings).code == 0
    for each in (tmp_path / "gallery" / name).glob("*"):
        each.unlink()
    if (tmp_path / "gallery" / name).exists():
        (tmp_path / "gallery" / name).rmdir()
    (tmp_path / "gallery" / name).symlink_to("../elsewhere")
    refused = template_sync("site", "gallery", folder=tmp_path, variables=settings)
    assert (refused.code, f"gallery/{name} is a link" in refused.err) == (2, True), refused.err
    assert [*(tmp_path / "elsewhere").iterdir()] == []
