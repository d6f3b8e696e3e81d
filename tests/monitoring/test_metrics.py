"""The metrics' names, and the textfile; their values are in tests/golden/metrics.txt."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from sync.errors import DatabaseError
from sync.monitoring.metrics import Metrics
from sync.synchronise import Outcome
from tests.monitoring.figures import overview, run, samples

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_800_000_960.0


def test_the_last_run_of_this_process_stays_the_last_one_if_it_was_not_recorded() -> None:
    metrics = Metrics("1.2.3", 2700.0)
    for unrecorded in (Outcome(run("failed", NOW, run_id=None)), Outcome(run("failed", NOW), unrecorded=DatabaseError("full"))):
        metrics.observe(unrecorded, None)
        metrics.set_facts(overview(attempt=run("held", NOW - 60)))
        found = samples(metrics.text().decode())
        assert found['template_sync_last_run_status{status="failed"}'] == 1
        assert found["template_sync_last_attempt_timestamp_seconds"] == NOW
        metrics.set_facts(overview(attempt=run("succeeded", NOW + 60)))
        found = samples(metrics.text().decode())
        assert found['template_sync_last_run_status{status="succeeded"}'] == 1
        assert found['template_sync_last_run_status{status="failed"}'] == 0


def test_a_textfile_replaces_the_old_one_and_leaves_no_other_file(tmp_path: Path) -> None:
    metrics = Metrics("1.2.3", 2700.0)
    target = tmp_path / "template_sync.prom"
    target.write_text("old")
    metrics.write_textfile(str(target))
    assert target.read_bytes().startswith(b"# HELP template_sync_last_success_timestamp_seconds ")
    assert stat.S_IMODE(target.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [target]


def test_a_textfile_that_cannot_be_replaced_leaves_no_temporary_file(tmp_path: Path) -> None:
    obstacle = tmp_path / "template_sync.prom"
    obstacle.mkdir()
    with pytest.raises(OSError, match=r"template_sync\.prom"):
        Metrics("1.2.3", 2700.0).write_textfile(obstacle)
    assert list(tmp_path.iterdir()) == [obstacle]
