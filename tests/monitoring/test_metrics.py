"""Prometheus reads figures that are true, by names that stay."""

from __future__ import annotations

import re
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sync.monitoring.metrics import METRIC_NAMES, Facts, Metrics, RunFigures

if TYPE_CHECKING:
    from pathlib import Path

SUCCESS = RunFigures(
    status="succeeded",
    started_at=1_800_000_000.0,
    finished_at=1_800_000_004.5,
    seconds=4.5,
    added=3,
    removed=1,
    changed=2,
    rejected=1,
    templates=1234,
    held=0,
    requests_by_code={"200": 25, "429": 1, "network": 2},
    last_success=1_799_999_000.0,
)
FAILURE = RunFigures(
    status="failed",
    started_at=1_800_000_900.0,
    finished_at=1_800_000_901.0,
    seconds=1.0,
    held=7,
    requests_by_code={"500": 4},
    last_success=1_800_000_004.5,
)
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


def families(text: bytes) -> set[str]:
    return set(re.findall(r"^# TYPE (\S+)", text.decode(), re.MULTILINE))


def test_the_names_are_those_that_dashboards_and_alerts_use() -> None:
    assert families(Metrics("1.2.3", 2700.0).text()) == set(METRIC_NAMES)
    assert METRIC_NAMES == (
        "template_sync_last_success_timestamp_seconds",
        "template_sync_stale_after_seconds",
        "template_sync_last_attempt_timestamp_seconds",
        "template_sync_last_run_status",
        "template_sync_templates",
        "template_sync_held_removals",
        "template_sync_unconfirmed_removals",
        "template_sync_rejected_records",
        "template_sync_webhook_behind_changes",
        "template_sync_webhook_failing_since_timestamp_seconds",
        "template_sync_webhook_paused",
        "template_sync_site_written",
        "template_sync_build_info",
        "template_sync_runs_total",
        "template_sync_changes_total",
        "template_sync_run_duration_seconds",
        "template_sync_upstream_requests_total",
        "template_sync_webhook_messages_total",
    )


def test_every_series_is_there_before_the_first_run_and_none_is_called_created() -> None:
    text = Metrics("1.2.3", 2700.0).text()
    found = samples(text)
    for status in ("succeeded", "held", "incomplete", "deferred", "failed", "skipped", "interrupted"):
        assert found[f'template_sync_runs_total{{status="{status}"}}'] == 0
        assert found[f'template_sync_last_run_status{{status="{status}"}}'] == 0
    for kind in ("added", "removed", "changed"):
        assert found[f'template_sync_changes_total{{kind="{kind}"}}'] == 0
    for code in ("200", "401", "402", "404", "422", "429", "455", "500", "501", "505", "other", "network"):
        assert found[f'template_sync_upstream_requests_total{{code="{code}"}}'] == 0
    assert found['template_sync_build_info{version="1.2.3"}'] == 1
    assert found["template_sync_stale_after_seconds"] == 2700
    assert b"_created" not in text
    assert b"template_sync_templates NaN" in text


def test_a_run_is_counted_once_and_its_facts_stand() -> None:
    metrics = Metrics("1.2.3", 2700.0)
    metrics.observe(SUCCESS)
    found = samples(metrics.text())
    assert found["template_sync_last_success_timestamp_seconds"] == 1_800_000_004.5
    assert found["template_sync_last_attempt_timestamp_seconds"] == 1_800_000_000.0
    assert found['template_sync_last_run_status{status="succeeded"}'] == 1
    assert found['template_sync_runs_total{status="succeeded"}'] == 1
    assert found['template_sync_runs_total{status="failed"}'] == 0
    assert found['template_sync_changes_total{kind="added"}'] == 3
    assert found['template_sync_changes_total{kind="removed"}'] == 1
    assert found['template_sync_changes_total{kind="changed"}'] == 2
    assert found["template_sync_templates"] == 1234
    assert found["template_sync_rejected_records"] == 1
    assert found['template_sync_upstream_requests_total{code="200"}'] == 25
    assert found['template_sync_upstream_requests_total{code="network"}'] == 2
    assert found['template_sync_run_duration_seconds_bucket{le="2.0"}'] == 0
    assert found['template_sync_run_duration_seconds_bucket{le="5.0"}'] == 1
    assert found["template_sync_run_duration_seconds_count"] == 1
    assert found["template_sync_run_duration_seconds_sum"] == 4.5


def test_a_failure_keeps_the_last_success_and_what_it_did_not_learn() -> None:
    metrics = Metrics("1.2.3", 2700.0)
    metrics.observe(SUCCESS)
    metrics.observe(FAILURE)
    found = samples(metrics.text())
    assert found["template_sync_last_success_timestamp_seconds"] == 1_800_000_004.5
    assert found["template_sync_last_attempt_timestamp_seconds"] == 1_800_000_900.0
    assert found['template_sync_last_run_status{status="succeeded"}'] == 0
    assert found['template_sync_last_run_status{status="failed"}'] == 1
    assert found["template_sync_templates"] == 1234
    assert found["template_sync_held_removals"] == 7
    assert found['template_sync_runs_total{status="failed"}'] == 1
    assert found['template_sync_upstream_requests_total{code="500"}'] == 4


def test_a_code_that_upstream_invents_makes_no_label() -> None:
    metrics = Metrics("1.2.3", 2700.0)
    metrics.observe(RunFigures("failed", 1.0, 2.0, 1.0, requests_by_code={"599": 1, '"} evil 1\n': 2, "0200": 1}))
    found = samples(metrics.text())
    assert found['template_sync_upstream_requests_total{code="other"}'] == 4
    assert len([name for name in found if name.startswith("template_sync_upstream_requests_total")]) == 12


def test_a_daemon_that_begins_says_what_the_database_knows_and_counts_nothing() -> None:
    metrics = Metrics("1.2.3", 2700.0)
    metrics.set_facts(FACTS)
    found = samples(metrics.text())
    assert found["template_sync_last_success_timestamp_seconds"] == 1_800_000_004.5
    assert found["template_sync_last_attempt_timestamp_seconds"] == 1_800_000_900.0
    assert found['template_sync_last_run_status{status="held"}'] == 1
    assert found["template_sync_templates"] == 1200
    assert found["template_sync_held_removals"] == 40
    assert found["template_sync_unconfirmed_removals"] == 3
    assert found["template_sync_rejected_records"] == 2
    assert found['template_sync_runs_total{status="held"}'] == 0


def test_a_database_without_runs_is_a_last_success_of_zero_which_is_stale() -> None:
    metrics = Metrics("1.2.3", 2700.0)
    metrics.set_facts(Facts(None, None, None, templates=0, held=0, unconfirmed=0, rejected=0))
    found = samples(metrics.text())
    assert found["template_sync_last_success_timestamp_seconds"] == 0
    assert found["template_sync_last_attempt_timestamp_seconds"] == 0
    assert found["template_sync_templates"] == 0


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


def test_two_of_them_do_not_share_their_figures() -> None:
    one, other = Metrics("1", 2700.0), Metrics("2", 2700.0)
    one.observe(SUCCESS)
    assert samples(other.text())['template_sync_runs_total{status="succeeded"}'] == 0


def test_a_textfile_holds_facts_and_no_counter(tmp_path: Path) -> None:
    metrics = Metrics("1.2.3", 2700.0)
    metrics.observe(SUCCESS)
    target = tmp_path / "template_sync.prom"
    metrics.write_textfile(target)
    assert families(target.read_bytes()) == {
        "template_sync_last_success_timestamp_seconds",
        "template_sync_stale_after_seconds",
        "template_sync_last_attempt_timestamp_seconds",
        "template_sync_last_run_status",
        "template_sync_templates",
        "template_sync_held_removals",
        "template_sync_unconfirmed_removals",
        "template_sync_rejected_records",
        "template_sync_webhook_behind_changes",
        "template_sync_webhook_failing_since_timestamp_seconds",
        "template_sync_webhook_paused",
        "template_sync_site_written",
        "template_sync_build_info",
    }
    assert b" counter" not in target.read_bytes()
    assert samples(target.read_bytes())["template_sync_last_success_timestamp_seconds"] == 1_800_000_004.5


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
