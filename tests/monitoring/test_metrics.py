"""The metrics' names, and the textfile; their values are in tests/golden/metrics.txt."""

from __future__ import annotations

import re
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sync.monitoring.metrics import METRIC_NAMES, Facts, Metrics, RunFigures

if TYPE_CHECKING:
    from pathlib import Path

FACTS = Facts(
    last_success=1_800_000_004.5,
    last_attempt=1_800_000_900.0,
    last_status="held",
    templates=1200,
    held=40,
    unconfirmed=3,
    rejected=2,
)


def samples(text: bytes) -> dict[str, float]:
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_the_names_are_those_of_the_families() -> None:
    assert set(re.findall(r"^# TYPE (\S+)", Metrics("1.2.3", 2700.0).text().decode(), re.MULTILINE)) == set(METRIC_NAMES)


def test_a_run_that_the_database_could_not_record_stays_the_last_one_until_a_later_one_is_recorded() -> None:
    metrics = Metrics("1.2.3", 2700.0)
    metrics.observe(RunFigures("failed", 1_800_000_960.0, 1_800_000_961.0, 1.0, recorded=False))
    metrics.set_facts(FACTS)
    found = samples(metrics.text())
    assert found['template_sync_last_run_status{status="failed"}'] == 1
    assert found["template_sync_last_attempt_timestamp_seconds"] == 1_800_000_960.0
    metrics.set_facts(replace(FACTS, last_attempt=1_800_001_020.0, last_status="succeeded"))
    found = samples(metrics.text())
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


def test_a_textfile_that_cannot_be_put_in_place_leaves_nothing_behind(tmp_path: Path) -> None:
    in_the_way = tmp_path / "template_sync.prom"
    in_the_way.mkdir()
    with pytest.raises(OSError, match=r"template_sync\.prom"):
        Metrics("1.2.3", 2700.0).write_textfile(in_the_way)
    assert list(tmp_path.iterdir()) == [in_the_way]
