"""SYNC_SITE_DIR: runs keep the gallery, and a gallery that cannot be kept is no run's failure."""

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


def test_a_run_keeps_the_gallery_and_status_says_so(tmp_path: Path) -> None:
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


def test_a_refresh_keeps_it_too_if_it_found_anything(tmp_path: Path) -> None:
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
def test_a_daemon_brings_it_up_to_date_after_every_change(tmp_path: Path) -> None:
    with Upstream(records(2)) as upstream:
        variables = upstream.settings(SYNC_INTERVAL="0.5s", SYNC_SITE_DIR="gallery")
        with DaemonProcess(tmp_path, variables) as daemon:
            daemon.wait_for("site_written", templates=2)
            upstream.catalog = [*records(2), record("3")]
            daemon.wait_for("site_written", templates=3)
            assert daemon.stop() == 0
    assert 'data-template-id="3"' in (tmp_path / "gallery" / "index.html").read_text()


def test_a_gallery_that_cannot_be_written_is_told_and_fails_no_run(tmp_path: Path) -> None:
    (tmp_path / "gallery").write_text("a file")
    with Sandbox(records(2)) as sandbox:
        variables = of_sandbox(sandbox, SYNC_SITE_DIR="gallery", SYNC_METRICS_FILE=str(tmp_path / "metrics"))
        said = template_sync("run", "--json", folder=tmp_path, variables=variables)
    assert (said.code, json.loads(said.out)["status"]) == (0, "succeeded")
    assert "site_not_written" in said.err
    assert "gallery is not a directory" in said.err
    assert "template_sync_site_written 0.0" in (tmp_path / "metrics").read_text()


def test_a_bug_in_the_gallery_fails_no_run_either(sqlite: Database, tmp_path: Path) -> None:
    run_with(records(1), sqlite.engine)
    sqlite.execute("UPDATE template_versions SET document = '{}'")  # what no page can be made of
    assert update_gallery(make_settings(site_dir=str(tmp_path / "gallery")), sqlite.engine) is False


def test_without_a_folder_nothing_is_kept_and_the_metric_says_nothing(sqlite: Database) -> None:
    assert update_gallery(make_settings(), sqlite.engine) is None
    metrics = Metrics("1", 2700.0)
    metrics.observe_site(None)
    assert b"template_sync_site_written NaN" in metrics.text()
