"""Paths: a path that is in use is refused; names that are not UTF-8 work, names that are too long are errors."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from sync.sandbox.server import SANDBOX_KEY
from tests.builders import Database, records, run_with
from tests.command_line import template_sync
from tests.webhooks.receiver import SECRET

if TYPE_CHECKING:
    from pathlib import Path

    from tests.daemons import Upstream


NOT_UTF_8 = b"b\xff".decode("utf-8", "surrogateescape")
LONG, DEEP = "n" * 300, "/".join(["d" * 200] * 25)
"""A name over 255 bytes; a path of 5,000 bytes."""
NAMES = pytest.mark.parametrize(
    "name", [pytest.param(LONG, id="long"), pytest.param(DEEP, id="deep", marks=pytest.mark.ci_slice)]
)


@pytest.fixture
def settings(sqlite: Database, upstream: Upstream, tmp_path: Path) -> dict[str, str]:
    """Return settings each of which names a file in the folder of the test."""
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
@pytest.mark.parametrize(("line", "variable"), [
    ("run", "SYNC_METRICS_FILE"), ("run", "SYNC_SITE_DIR"), ("db backup", ""), ("run --record", ""), ("site", ""),
    ("demo --site", ""),
])  # fmt: skip
def test_nothing_is_written_over_a_file_in_use(
    line: str, variable: str, path: str, settings: dict[str, str], tmp_path: Path
) -> None:
    before = contents(tmp_path)
    if variable:
        refused = template_sync(line, folder=tmp_path, variables={**settings, variable: path})
        expected = (78, f"{variable}: {path} is {IN_USE[path]}")
    else:
        refused = template_sync(*line.split(), path, folder=tmp_path, variables=settings)
        expected = (2, f" is {IN_USE[path]}.")
    assert (refused.code, expected[1] in refused.err) == (expected[0], True), refused.err
    assert contents(tmp_path) == before


@pytest.mark.parametrize(("url", "paths"), [
    ("sqlite:///link.db", ("templates.db", "templates.db-wal", "link.db-wal")),
    ("sqlite:///%74emplates%2Edb", ("templates.db", "templates.db-wal")),
    ("sqlite:///file:%2574emplates.db?uri=true", ("templates.db", "templates.db-wal")),
])  # fmt: skip
def test_the_files_of_a_database_with_a_linked_or_percent_encoded_name_are_in_use(
    url: str, paths: tuple[str, ...], settings: dict[str, str], tmp_path: Path
) -> None:
    other, before = {**settings, "DATABASE_URL": url}, contents(tmp_path)
    for path in paths:
        for line, more in (("run", {"SYNC_METRICS_FILE": path}), (f"db backup {path}", {}), (f"run --record {path}", {})):
            refused = template_sync(*line.split(), folder=tmp_path, variables={**other, **more})
            use = IN_USE.get(path, "a side file of the database")
            assert (refused.code, use in refused.err) == (78 if more else 2, True), (line, refused)
    assert contents(tmp_path) == before


def test_a_backup_over_the_metrics_file_is_refused(settings: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "sync.prom").touch()
    refused = template_sync(
        "db", "backup", "sync.prom", folder=tmp_path, variables={**settings, "SYNC_METRICS_FILE": "sync.prom"}
    )
    assert (refused.code, "sync.prom is the file of SYNC_METRICS_FILE." in refused.err) == (2, True)


@pytest.mark.parametrize("line", ["db backup", "run --record"])
def test_nothing_is_written_over_the_secret_of_a_webhook(line: str, settings: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "shop").write_text(SECRET)
    (tmp_path / "hooks.toml").write_text('[[endpoint]]\nname = "a"\nurl = "https://a.example/"\nsecret_file = "shop"\n')
    refused = template_sync(*line.split(), "shop", folder=tmp_path, variables=settings)
    assert (refused.code, "shop is the file of a webhook's secret." in refused.err) == (2, True), refused.err
    assert (tmp_path / "shop").read_text() == SECRET


def test_a_backup_does_not_require_a_valid_file_of_webhooks(settings: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "hooks.toml").write_text("[[endpoint")
    assert template_sync("db", "backup", "copy.db", folder=tmp_path, variables=settings).code == 0


def test_a_gallery_in_place_of_a_file_or_device_is_refused_before_any_request(settings: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("kept")
    for path in ("notes", "/dev/null"):
        refused = template_sync("run", folder=tmp_path, variables={**settings, "SYNC_SITE_DIR": path})
        expected = f"error: SYNC_SITE_DIR: {path} is a file, not a directory for the gallery.\n"
        assert (refused.code, refused.err.startswith(expected)) == (78, True), refused.err


@NAMES
def test_a_gallery_with_a_name_that_is_too_long_is_no_unexpected_error(
    name: str, settings: dict[str, str], tmp_path: Path
) -> None:
    shown = template_sync("status", folder=tmp_path, variables={**settings, "SYNC_SITE_DIR": name})
    assert (shown.code, "bug" in shown.err) == (0, False), shown.err


def test_an_empty_file_of_settings_is_in_use(settings: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# none yet\n")
    refused = template_sync("db", "backup", ".env", folder=tmp_path, variables=settings)
    assert (refused.code, ".env is the file of .env." in refused.err) == (2, True)


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
    again = template_sync("db", "restore", f"{NOT_UTF_8}.db", folder=tmp_path, variables=settings)  # over the existing database
    assert again.code == 0, again.err
    with sqlite3.connect(folder / "templates.db") as connection:
        assert connection.execute("SELECT count(*) FROM templates").fetchone() == (3,)
    connection.close()


@NAMES
@pytest.mark.parametrize(("arguments", "code", "message"), [
    ("db backup", 2, "is not a valid file name."),
    ("db restore", 2, "is not a file."),
    ("run --record", 2, "cannot be written: "),
    ("sandbox --replay", 2, "File name too long"),
    ("form 1 --validate", 2, "File name too long"),
    ("site", 1, "could not be written: File name too long."),
    ("demo --database-url sqlite:///demo.db --site", 1, "could not be written: File name too long."),
])  # fmt: skip
def test_a_file_name_that_is_too_long_is_an_error(
    upstream: Upstream, tmp_path: Path, arguments: str, code: int, message: str, name: str
) -> None:
    assert template_sync("run", folder=tmp_path, variables=upstream.settings()).code == 0
    refused = template_sync(*arguments.split(), name, folder=tmp_path, variables=upstream.settings())
    assert (refused.code, message in refused.err, "bug" in refused.err) == (code, True, False), refused.err
    assert not (tmp_path / "demo.db").exists()


@NAMES
@pytest.mark.parametrize("variable", [
    "SYNC_METRICS_FILE", "SYNC_WEBHOOKS_FILE", "SYNC_CA_BUNDLE", "CRUN_API_KEY_FILE", "DATABASE_URL_FILE",
])  # fmt: skip
def test_a_setting_with_a_file_name_that_is_too_long_is_reported(
    upstream: Upstream, tmp_path: Path, variable: str, name: str
) -> None:
    settings = {**upstream.settings(), variable: name}
    if variable == "CRUN_API_KEY_FILE":
        del settings["CRUN_API_KEY"]
    for command in ("run", "doctor") if name == LONG else ("doctor",):
        refused = template_sync(command, folder=tmp_path, variables=settings)
        assert (refused.code, variable in refused.err, "bug" in refused.err) == (78, True, False), refused.err


@pytest.mark.parametrize("name", [LONG, f"{DEEP}/templates.db"], ids=["long", "deep"])
def test_a_database_with_a_file_name_that_is_too_long_is_reported_by_each_command(
    upstream: Upstream, tmp_path: Path, name: str
) -> None:
    settings = upstream.settings(DATABASE_URL=f"sqlite:///{name}")
    for command in ("run", "doctor", "status", "export", "db upgrade", "db backup out.db", "prune --keep-runs 1"):
        refused = template_sync(*command.split(), folder=tmp_path, variables=settings)
        assert (refused.code, "DATABASE_URL" in refused.out + refused.err) == (69, True), (command, refused)
        assert "bug" not in refused.err
