"""SYNC_SITE_DIR: runs update the gallery; a failed update does not fail the run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sync.commands.run import update_gallery
from sync.monitoring.metrics import Metrics
from sync.sandbox.server import Sandbox
from tests.builders import make_settings, record, records, run_with
from tests.command_line import of_sandbox, template_sync
from tests.daemons import DaemonProcess, Upstream

if TYPE_CHECKING:
    from pathlib import Path

    from tests.builders import Database


def test_a_run_updates_the_gallery_and_status_shows_whether_it_is_current(tmp_path: Path) -> None:
    with Sandbox(records(2)) as sandbox:
        variables = of_sandbox(sandbox, SYNC_SITE_DIR="gallery")
        first = template_sync("run", folder=tmp_path, variables=variables)
        sandbox.replace([*records(2), record("3")])
        template_sync("run", folder=tmp_path, variables={**variables, "SYNC_SITE_DIR": ""})
        behind = template_sync("status", "--json", folder=tmp_path, variables=variables)
        template_sync("run", folder=tmp_path, variables=variables)
    after = template_sync("status", "--json", folder=tmp_path, variables=variables)

    assert first.code == 0, first.err
    assert (tmp_path / "gallery" / "templates" / "3.html").exists()
    assert json.loads(behind.out)["site"] == {"folder": "gallery", "current": False}
    assert json.loads(after.out)["site"] == {"folder": "gallery", "current": True}
    assert "gallery, up to date" in template_sync("status", folder=tmp_path, variables=variables).out


def test_a_refresh_with_a_change_updates_the_gallery(tmp_path: Path) -> None:
    with Sandbox(records(2)) as sandbox:
        variables = of_sandbox(sandbox, SYNC_SITE_DIR="gallery")
        template_sync("run", folder=tmp_path, variables=variables)
        sandbox.replace([record("1", Title_en="quite another"), record("2")])
        refreshed = template_sync("refresh", "1", folder=tmp_path, variables=variables)
        nothing_new = template_sync("refresh", "1", folder=tmp_path, variables=variables)
        status = template_sync("status", "--json", folder=tmp_path, variables=variables)

    assert (refreshed.code, "site_written" in refreshed.err) == (0, True)
    assert (nothing_new.code, "site_written" in nothing_new.err) == (0, False)
    assert "quite another" in (tmp_path / "gallery" / "templates" / "1.html").read_text()
    assert json.loads(status.out)["site"] == {"folder": "gallery", "current": True}


@pytest.mark.long
def test_a_daemon_updates_the_gallery_after_every_change(tmp_path: Path) -> None:
    with Upstream(records(2)) as upstream:
        variables = upstream.settings(SYNC_INTERVAL="0.5s", SYNC_SITE_DIR="gallery")
        with DaemonProcess(tmp_path, variables) as daemon:
            daemon.wait_for("site_written", templates=2)
            upstream.catalog = [*records(2), record("3")]
            daemon.wait_for("site_written", templates=3)
            assert daemon.stop() == 0
    assert 'data-template-id="3"' in (tmp_path / "gallery" / "index.html").read_text()


def test_a_gallery_that_cannot_be_written_is_reported_and_fails_no_run(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("a file")
    with Sandbox(records(2)) as sandbox:
        variables = of_sandbox(sandbox, SYNC_SITE_DIR="shop/gallery", SYNC_METRICS_FILE=str(tmp_path / "metrics"))
        result = template_sync("run", "--json", folder=tmp_path, variables=variables)
    assert (result.code, json.loads(result.out)["status"]) == (0, "succeeded")
    assert "site_not_written" in result.err
    assert "shop/gallery could not be written: Not a directory." in result.err
    assert "template_sync_site_written 0.0" in (tmp_path / "metrics").read_text()


def test_an_unexpected_error_of_the_gallery_fails_no_run(sqlite: Database, tmp_path: Path) -> None:
    run_with(records(1), sqlite.engine)
    sqlite.execute("UPDATE template_versions SET document = '{}'")  # no page can be built from it
    assert update_gallery(make_settings(site_dir=str(tmp_path / "gallery")), sqlite.engine) is False


def test_without_a_folder_there_is_no_gallery_and_no_metric(sqlite: Database) -> None:
    assert update_gallery(make_settings(), sqlite.engine) is None
    metrics = Metrics("1", 2700.0)
    metrics.observe_site(None)
    assert b"template_sync_site_written NaN" in metrics.text()
