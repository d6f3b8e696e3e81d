"""Alerts of Prometheus and the dashboard of Grafana."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from sync.monitoring.metrics import Metrics
from tests.deploy.files import DEPLOY, manifest, output_of, tool

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = {"run", "daemon", "status", "runs", "changes", "doctor", "health", "config", "db", "webhooks", "site"}


def alerts() -> list[dict[str, Any]]:
    document = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def dashboard() -> Any:
    return json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())


def dashboard_expressions() -> list[str]:
    document = dashboard()
    return [target["expr"] for panel in document["panels"] for target in panel["targets"]] + [
        annotation["expr"] for annotation in document["annotations"]["list"]
    ]


def test_alerts_and_dashboard_use_only_metrics_that_exist() -> None:
    names = set(re.findall(r"^# TYPE (\S+)", Metrics("1", 2700.0).text().decode(), re.MULTILINE))
    queries = [variable["definition"] for variable in dashboard()["templating"]["list"] if variable["type"] == "query"]
    used = {
        re.sub(r"_(bucket|sum|count)$", "", name)
        for text in [*(rule["expr"] for rule in alerts()), *dashboard_expressions(), *queries]
        for name in re.findall(r"\btemplate_sync_\w+", text)
    }
    assert used <= names
    assert names - used == set(), "an unused metric"


def test_every_alert_has_a_description_and_a_command() -> None:
    assert {rule["alert"].removeprefix("TemplateSync") for rule in alerts()} == {
        "Down", "Stale", "CronJobStale", "Failing", "RemovalsHeld", "RemovalsUnconfirmed", "RecordsRejected", "GalleryBehind",
        "WebhookStuck",
    }  # fmt: skip
    for rule in alerts():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert {"summary", "description", "command"} <= rule["annotations"].keys()
        commands = re.findall(r"template-sync ([a-z]+)", rule["annotations"]["command"])
        assert commands
        assert set(commands) <= COMMANDS
        assert "--accept-removals" not in rule["annotations"]["command"]  # no destructive command to paste


def test_promtool_accepts_the_alerts() -> None:
    assert f"{len(alerts())} rules found" in output_of(tool("promtool"), "check", "rules", DEPLOY / "prometheus" / "alerts.yaml")


def test_promtool_accepts_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{n}", "expr": text.replace("$__rate_interval", "15m")}
        for n, text in enumerate(dashboard_expressions())
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in output_of(tool("promtool"), "check", "rules", "--lint=none", file)


def test_no_alert_repeats_a_setting_and_the_dashboard_s_rates_span_several_scrapes() -> None:
    (stale,) = (rule["expr"] for rule in alerts() if rule["alert"] == "TemplateSyncStale")
    assert stale == "time() - template_sync_last_success_timestamp_seconds > template_sync_stale_after_seconds"
    for text in dashboard_expressions():
        assert "$__interval" not in text  # shorter than two scrapes when zoomed in, which makes a rate empty
    thresholds = [panel["fieldConfig"]["defaults"].get("thresholds", {"steps": []}) for panel in dashboard()["panels"]]
    assert not any(step["value"] == 2700 for each in thresholds for step in each["steps"])


def test_a_missing_pod_and_a_cron_job_are_detected_without_a_target() -> None:
    down, cron_job = (
        rule["expr"] for name in ("Down", "CronJobStale") for rule in alerts() if rule["alert"] == f"TemplateSync{name}"
    )
    assert "count by (job) (template_sync_build_info) < max by (job) (max_over_time(" in down
    name = manifest("cronjob.yaml")["metadata"]["name"]
    assert f'unless on () kube_cronjob_info{{cronjob="{name}"}}' in down
    assert cron_job.count(f'{{cronjob="{name}"}}') == 2


HEALTHY = {
    'up{job="template-sync"}': "1x200",
    'template_sync_build_info{version="1"}': "1x200",
    # promtool's clock begins at 0: a success every 15 minutes.
    "template_sync_stale_after_seconds": "2700x200",
    "template_sync_last_success_timestamp_seconds": " ".join(f"{at * 60}x14" for at in range(0, 200, 15)),
    'template_sync_last_run_status{status="failed"}': "0x200",
    'template_sync_last_run_status{status="incomplete"}': "0x200",
    'template_sync_last_run_status{status="deferred"}': "0x200",
    "template_sync_held_removals": "0x200",
    "template_sync_unconfirmed_removals": "0x200",
    "template_sync_rejected_records": "0x200",
    'template_sync_webhook_failing_since_timestamp_seconds{endpoint="shop"}': "0x200",
    'template_sync_webhook_paused{endpoint="shop"}': "0x200",
}
CRON_JOB = {
    **dict.fromkeys(HEALTHY, "_x200"),
    'kube_cronjob_info{cronjob="template-sync"}': "1x200",
    'kube_cronjob_created{cronjob="template-sync"}': "0x200",
    'kube_cronjob_status_last_successful_time{cronjob="template-sync"}': HEALTHY["template_sync_last_success_timestamp_seconds"],
}
STILL = {"template_sync_last_success_timestamp_seconds": "0x200"}


@pytest.mark.parametrize(
    ("changed", "minute", "fire"),
    [
        ({}, 180, ""),
        (STILL, 50, ""),
        (STILL, 60, "Stale"),
        ({'template_sync_last_run_status{status="deferred"}': "1x200"}, 40, ""),
        (STILL | {'template_sync_last_run_status{status="deferred"}': "1x200"}, 60, "Stale"),
        ({'template_sync_last_run_status{status="failed"}': "0x9 1x14 0x200"}, 23, ""),
        ({'template_sync_last_run_status{status="failed"}': "0x9 1x200"}, 45, "Failing"),
        ({'template_sync_last_run_status{status="failed"}': "1x14 0x14 1x14 0x14",
          'template_sync_last_run_status{status="incomplete"}': "0x14 1x14 0x14 1x14"}, 40, "Failing"),
        ({"template_sync_held_removals": "0x9 190x200"}, 20, "RemovalsHeld"),
        ({"template_sync_unconfirmed_removals": "3x200"}, 180, ""),
        ({"template_sync_rejected_records": "0x9 2x14 0x200"}, 23, ""),
        ({"template_sync_rejected_records": "2x200"}, 61, "RecordsRejected"),
        ({'template_sync_webhook_failing_since_timestamp_seconds{endpoint="shop"}': "0x9 600x200"}, 60, ""),
        ({'template_sync_webhook_failing_since_timestamp_seconds{endpoint="shop"}': "0x9 600x200"}, 80, "WebhookStuck"),
        ({'template_sync_webhook_paused{endpoint="shop"}': "0x9 1x200"}, 20, "WebhookStuck"),
        ({'up{job="template-sync"}': "0x200"}, 15, "Down"),
        ({'template_sync_build_info{version="1"}': "1x20"}, 60, "Down"),
        ({'template_sync_build_info{version="1",instance="b"}': "1x60"}, 50, ""),
        ({'template_sync_build_info{version="1",instance="b"}': "1x60"}, 90, "Down"),
        (STILL | {"template_sync_stale_after_seconds": "7200x200"}, 60, ""),
        (STILL | {"template_sync_stale_after_seconds": "7200x200"}, 140, "Stale"),
        (CRON_JOB, 180, ""),
        (CRON_JOB | {'kube_cronjob_status_last_successful_time{cronjob="template-sync"}': "0x200"}, 60, "CronJobStale"),
        (CRON_JOB | {'kube_cronjob_status_last_successful_time{cronjob="template-sync"}': "_x200"}, 60, "CronJobStale"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_each_alert_fires_in_its_case_only(tmp_path: Path, changed: dict[str, str], minute: int, fire: str) -> None:
    promtool = tool("promtool")
    series = [{"series": name, "values": values} for name, values in (HEALTHY | changed).items()]
    # Only ALERTS, the series of Prometheus about alerts, is tested, not their labels and texts.
    cases = [
        {
            "interval": "1m",
            "input_series": series,
            "promql_expr_test": [
                {
                    "expr": f'count(ALERTS{{alertstate="firing", alertname="{rule["alert"]}"}}) or vector(0)',
                    "eval_time": f"{minute}m",
                    "exp_samples": [{"labels": "{}", "value": int(rule["alert"] == f"TemplateSync{fire}")}],
                }
                for rule in alerts()
            ],
        }
    ]
    file = tmp_path / "test.yaml"
    document = {"rule_files": [str(DEPLOY / "prometheus" / "alerts.yaml")], "evaluation_interval": "1m", "tests": cases}
    file.write_text(yaml.safe_dump(document))
    output_of(promtool, "test", "rules", file)


def test_the_panels_of_the_dashboard_do_not_overlap_and_have_descriptions() -> None:
    document = dashboard()
    taken: set[tuple[int, int]] = set()
    for panel in document["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + dx, place["y"] + dy) for dx in range(place["w"]) for dy in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _y in cells) < 24, panel["title"]
        taken |= cells
        assert panel["title"]
        assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])
    assert "id" not in document  # Grafana creates one at import
