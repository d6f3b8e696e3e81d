"""Prometheus metrics of runs: scraped from the daemon, or written to a textfile by a one-shot run.

Facts (gauges) and counts (counters) are separate, because the textfile has facts only: counters of a one-shot run would always
be 1. It shows the last run in `template_sync_last_run_status`, as the daemon does, so that one alert rule works for both.

Only the daemon and runs with SYNC_METRICS_FILE import this module, because prometheus_client takes 0.1 s to import.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics, generate_latest

from sync import __version__
from sync.catalog.run_record import Status
from sync.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sync.reader.status import Overview
    from sync.synchronise import Outcome
    from sync.webhooks.endpoints import Position

STATUSES = ("succeeded", "held", "incomplete", "deferred", "failed", "skipped", "interrupted")
KINDS = ("added", "removed", "changed")
CODES = ("200", "401", "402", "404", "422", "429", "455", "500", "501", "505", "other", "network")
"""Other codes count as "other", because the API must not be able to create labels."""
_BUCKETS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)  # seconds, up to the default SYNC_DEADLINE


_GAUGES = {
    "last_success_timestamp_seconds": ("Time at which the last successful run ended; 0 if there was none.",),
    "stale_after_seconds": ("Age after which the last success is stale (SYNC_STALE_AFTER).",),
    "last_attempt_timestamp_seconds": ("Time at which the last run started, whatever its status; 0 if there was none.",),
    "last_run_status": ("1 for the status of the last run, 0 for the others.", "status"),
    "templates": ("Number of templates present; NaN until known.",),
    "held_removals": ("Number of removals held.",),
    "unconfirmed_removals": ("Number of missing templates kept because their removal is not confirmed.",),
    "rejected_records": ("Number of records that the last run rejected.",),
    "webhook_behind_changes": ("Number of undelivered changes in the feed.", "endpoint"),
    "webhook_failing_since_timestamp_seconds": (
        "Time of the first of the consecutive failed attempts; 0 if none failed.",
        "endpoint",
    ),
    "webhook_paused": ("1 if delivery to the endpoint is paused.", "endpoint"),
    "site_written": ("1 if the gallery was updated by the last run, 0 if not; NaN without a gallery.",),
}
"""The facts: name without prefix -> description, and label if it has one."""
_COUNTERS = {
    "runs_total": ("Number of runs by status.", "status"),
    "changes_total": ("Number of changes by kind.", "kind"),
    "upstream_requests_total": ("Number of requests to the endpoint by response code.", "code"),
    "webhook_messages_total": ("Number of messages by endpoint and result.", "endpoint", "result"),
}
_NAN = float("nan")


class Metrics:
    """The metrics of one process, in registries of its own."""

    def __init__(self, version: str, stale_after: float) -> None:
        # Otherwise each counter has a second series with its creation time; the switch is global.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._facts = facts = CollectorRegistry()
        self._counts = counts = CollectorRegistry()
        self._endpoints: set[str] = set()
        self._unrecorded: tuple[float, str | None] | None = None
        self._gauges = {
            name: Gauge(f"template_sync_{name}", text, labels, registry=facts) for name, (text, *labels) in _GAUGES.items()
        }
        Info("template_sync_build", "Version of the program.", registry=facts).info({"version": version})
        self._counters = {
            name: Counter(f"template_sync_{name}", text, labels, registry=counts) for name, (text, *labels) in _COUNTERS.items()
        }
        self._duration = Histogram("template_sync_run_duration_seconds", "Duration of runs.", buckets=_BUCKETS, registry=counts)
        self._set(stale_after_seconds=stale_after, templates=_NAN, site_written=_NAN)  # 0 would raise an alarm at every start
        for status in STATUSES:
            self._gauges["last_run_status"].labels(status)
        # Created at the start, because `increase()` ignores the first value of a series.
        for name, values in {"runs_total": STATUSES, "changes_total": KINDS, "upstream_requests_total": CODES}.items():
            for value in values:
                self._counters[name].labels(value)

    def _set(self, **values: float) -> None:
        for name, value in values.items():
            self._gauges[name].set(value)

    def set_facts(self, found: Overview) -> None:
        """Set the facts from the database; a later run of this process that was not recorded stays the last one."""
        success, attempt, result = found.last_success, found.last_attempt, found.last_result
        self._set(last_success_timestamp_seconds=success.finished_at.timestamp() if success and success.finished_at else 0)
        last = (attempt.started_at.timestamp() if attempt else 0.0, str(result.status) if result else None)
        self._set_last_run(*max(last, self._unrecorded or last, key=lambda run: run[0]))
        self._set_catalog(found.present, found.held, found.unconfirmed, result.rejected if result else 0)

    def observe(self, outcome: Outcome, found: Overview | None) -> None:
        """Add a finished run; `found` is the state of the database after it, None if that could not be queried."""
        run, status = outcome.run, str(outcome.run.status)
        success = run if run.status is Status.SUCCEEDED else found and found.last_success
        if success and success.finished_at:
            self._set(last_success_timestamp_seconds=success.finished_at.timestamp())
        recorded = run.run_id is not None and outcome.unrecorded is None
        self._unrecorded = None if recorded else (run.started_at.timestamp(), status)
        self._set_last_run(run.started_at.timestamp(), status)
        state = found or run
        self._set_catalog(found.present if found else None, state.held, state.unconfirmed, run.rejected)
        self._counters["runs_total"].labels(status).inc()
        self._duration.observe(run.seconds or 0.0)
        for kind, count in zip(KINDS, (run.added, run.removed, run.changed), strict=True):
            self._counters["changes_total"].labels(kind).inc(count)
        for code, count in outcome.codes.items():
            label = "network" if code == 0 else str(code)
            self._counters["upstream_requests_total"].labels(label if label in CODES else "other").inc(count)

    def _set_catalog(self, templates: int | None, held: int, unconfirmed: int, rejected: int) -> None:
        self._set(held_removals=held, unconfirmed_removals=unconfirmed, rejected_records=rejected)
        if templates is not None:
            self._set(templates=templates)

    def _set_last_run(self, started_at: float, last: str | None) -> None:
        self._set(last_attempt_timestamp_seconds=started_at)
        for status in STATUSES:
            self._gauges["last_run_status"].labels(status).set(int(status == last))

    def observe_site(self, written: bool | None) -> None:  # noqa: FBT001 - the value itself
        """Set whether the gallery was updated; None if there is none."""
        if written is not None:
            self._set(site_written=int(written))

    def observe_webhooks(self, positions: Sequence[Position]) -> None:
        """Set the position of every endpoint; remove endpoints that are no longer configured."""
        names = {each.name for each in positions}
        gauges = [self._gauges[f"webhook_{name}"] for name in ("behind_changes", "failing_since_timestamp_seconds", "paused")]
        for gone in self._endpoints - names:
            for gauge in gauges:
                gauge.remove(gone)
        self._endpoints = names
        for each in positions:
            since = each.failing_since.timestamp() if each.failing_since else 0
            for gauge, value in zip(gauges, (each.behind, since, int(each.paused is not None)), strict=True):
                gauge.labels(each.name).set(value)
            self.count_messages(each.name, accepted=0, failed=0)

    def count_messages(self, endpoint: str, *, accepted: int, failed: int) -> None:
        """Add the result of a delivery to an endpoint."""
        for result, count in (("taken", accepted), ("failed", failed)):
            self._counters["webhook_messages_total"].labels(endpoint, result).inc(count)

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format, version 0.0.4."""
        return generate_latest(self._facts) + generate_latest(self._counts)

    def write_textfile(self, path: str | Path) -> None:
        """Replace the textfile for node_exporter atomically; an OSError leaves the old one unchanged."""
        target = Path(path)
        # The name does not end in .prom, so that node_exporter never reads an incomplete file.
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                # Readable by the user of node_exporter despite UMask=0027; it contains no secrets.
                os.fchmod(descriptor, 0o644)
                file.write(generate_latest(self._facts))
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def write_run(path: str, outcome: Outcome, found: Overview | None, *, stale_after: float, site: bool | None = None) -> None:
    """Write the textfile of a one-shot run.

    If the database could not be queried, the old file stays, and its age raises the alert for a stale catalog; a file without the
    last success would report that no run ever succeeded.
    """
    if found is None:
        get_logger().warning("metrics_not_written", reason="the database could not be queried")
        return
    metrics = Metrics(__version__, stale_after)
    metrics.observe(outcome, found)
    metrics.observe_site(site)
    try:
        metrics.write_textfile(path)
    except OSError as error:
        newest = found.last_success and found.last_success.finished_at
        get_logger().warning("metrics_not_written", reason=f"{error.strerror}: {path}", last_success=str(newest))
