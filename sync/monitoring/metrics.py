"""Prometheus metrics of runs: scraped from the daemon, or written to a textfile by a one-shot run.

Facts (gauges) and counts (counters) are separate, because the textfile has facts only: counters of a one-shot run would always
be 1. It shows the last run in `template_sync_last_run_status`, as the daemon does, so that one alert rule works for both.

Only the daemon and runs with SYNC_METRICS_FILE import this module, because prometheus_client takes 0.1 s to import.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics, generate_latest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sync.webhooks.position import Position


METRIC_NAMES = (
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


STATUSES = ("succeeded", "held", "incomplete", "deferred", "failed", "skipped", "interrupted")


KINDS = ("added", "removed", "changed")


# Other codes count as "other", because the API must not be able to create labels.
CODES = ("200", "401", "402", "404", "422", "429", "455", "500", "501", "505", "other", "network")


_BUCKETS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)  # seconds, up to the default SYNC_DEADLINE


@dataclass(frozen=True, slots=True)
class RunFigures:
    """The figures of a finished run.

    Attributes:
        started_at: start, in Unix seconds.
        finished_at: end, in Unix seconds.
        seconds: duration, by the monotonic clock.
        templates: number of present templates after the run; None if unknown.
        held: number of held removals after the run.
        unconfirmed: number of missing templates that are kept, because no look-up confirms their removal.
        requests_by_code: requests to the API by response code; `network` if there was no response.
        last_success: end of the last success, in Unix seconds; None if unknown.
        recorded: whether the database has this run and its result.
    """

    status: str
    started_at: float
    finished_at: float
    seconds: float
    added: int = 0
    removed: int = 0
    changed: int = 0
    rejected: int = 0
    templates: int | None = None
    held: int = 0
    unconfirmed: int = 0
    requests_by_code: Mapping[str, int] = field(default_factory=dict)
    last_success: float | None = None
    recorded: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """The state of runs and of the catalog in the database, whichever process made the runs.

    Attributes:
        last_success: end of the last success, in Unix seconds; None if there was none.
        last_attempt: start of the last run that was not skipped, likewise.
        last_status: its status; None if there was none.
        rejected: number of records that it rejected.
    """

    last_success: float | None
    last_attempt: float | None
    last_status: str | None
    templates: int
    held: int
    unconfirmed: int
    rejected: int


class Metrics:
    """The metrics of one process, in registries of its own."""

    def __init__(self, version: str, stale_after: float) -> None:
        # Otherwise each counter has a second series with its creation time; the switch is global.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._facts = CollectorRegistry()
        self._counts = CollectorRegistry()
        self._endpoints: set[str] = set()
        self._unrecorded: tuple[float, str | None] | None = None
        self._define_facts(version, stale_after)
        self._define_counts()

    def _define_facts(self, version: str, stale_after: float) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"template_sync_{name}", text, labels, registry=self._facts)

        self._last_success = gauge(
            "last_success_timestamp_seconds", "Time at which the last successful run ended; 0 if there was none."
        )
        gauge("stale_after_seconds", "Age after which the last success is stale (SYNC_STALE_AFTER).").set(stale_after)
        self._last_attempt = gauge(
            "last_attempt_timestamp_seconds", "Time at which the last run started, whatever its status; 0 if there was none."
        )
        self._last_status = gauge("last_run_status", "1 for the status of the last run, 0 for the others.", "status")
        self._templates = gauge("templates", "Number of templates present; NaN until known.")
        self._templates.set(float("nan"))  # 0 would raise an alarm at every start
        self._held = gauge("held_removals", "Number of removals held.")
        self._unconfirmed = gauge(
            "unconfirmed_removals", "Number of missing templates kept because no look-up confirms their removal."
        )
        self._rejected = gauge("rejected_records", "Number of records that the last run rejected.")
        for status in STATUSES:
            self._last_status.labels(status)
        self._behind = gauge("webhook_behind_changes", "Number of undelivered changes in the feed.", "endpoint")
        self._failing = gauge(
            "webhook_failing_since_timestamp_seconds",
            "Time of the first of the consecutive failed attempts; 0 if none failed.",
            "endpoint",
        )
        self._paused = gauge("webhook_paused", "1 if delivery to the endpoint is paused.", "endpoint")
        self._site = gauge("site_written", "1 if the gallery was updated by the last run, 0 if not; NaN without a gallery.")
        self._site.set(float("nan"))
        Info("template_sync_build", "Version of the program.", registry=self._facts).info({"version": version})

    def _define_counts(self) -> None:
        def counter(name: str, text: str, label: str, values: tuple[str, ...]) -> Counter:
            metric = Counter(f"template_sync_{name}", text, (label,), registry=self._counts)
            for value in values:
                metric.labels(value)  # created at the start, because `increase()` ignores the first value of a series
            return metric

        self._runs = counter("runs_total", "Number of runs by status.", "status", STATUSES)
        self._changes = counter("changes_total", "Number of changes by kind.", "kind", KINDS)
        self._requests = counter("upstream_requests_total", "Number of requests to the endpoint by response code.", "code", CODES)
        self._messages = Counter(
            "template_sync_webhook_messages_total",
            "Number of messages by endpoint and result.",
            ("endpoint", "result"),
            registry=self._counts,
        )
        self._duration = Histogram(
            "template_sync_run_duration_seconds", "Duration of runs.", buckets=_BUCKETS, registry=self._counts
        )

    def set_facts(self, facts: Facts) -> None:
        """Set the facts from the database; a later run of this process that was not recorded stays the last one."""
        self._last_success.set(facts.last_success or 0)
        last = (facts.last_attempt or 0, facts.last_status)
        self._set_last_run(*max(last, self._unrecorded or last, key=lambda run: run[0]))
        self._templates.set(facts.templates)
        self._held.set(facts.held)
        self._unconfirmed.set(facts.unconfirmed)
        self._rejected.set(facts.rejected)

    def observe(self, run: RunFigures) -> None:
        """Add the figures of a finished run."""
        self._observe_facts(run)
        self._runs.labels(run.status).inc()
        self._duration.observe(run.seconds)
        for kind, count in zip(KINDS, (run.added, run.removed, run.changed), strict=True):
            self._changes.labels(kind).inc(count)
        for code, count in run.requests_by_code.items():
            self._requests.labels(code if code in CODES else "other").inc(count)

    def _observe_facts(self, run: RunFigures) -> None:
        last_success = run.finished_at if run.status == "succeeded" else run.last_success
        if last_success is not None:
            self._last_success.set(last_success)
        self._unrecorded = None if run.recorded else (run.started_at, run.status)
        self._set_last_run(run.started_at, run.status)
        if run.templates is not None:
            self._templates.set(run.templates)
        self._held.set(run.held)
        self._unconfirmed.set(run.unconfirmed)
        self._rejected.set(run.rejected)

    def _set_last_run(self, started_at: float, last: str | None) -> None:
        self._last_attempt.set(started_at)
        for status in STATUSES:
            self._last_status.labels(status).set(int(status == last))

    def observe_site(self, written: bool | None) -> None:  # noqa: FBT001 - the value itself
        """Set whether the gallery was updated; None if there is none."""
        if written is not None:
            self._site.set(int(written))

    def observe_webhooks(self, positions: Sequence[Position]) -> None:
        """Set the position of every endpoint; remove endpoints that are no longer configured."""
        names = {each.name for each in positions}
        for gone in self._endpoints - names:
            for gauge in (self._behind, self._failing, self._paused):
                gauge.remove(gone)
        self._endpoints = names
        for each in positions:
            self._behind.labels(each.name).set(each.behind)
            self._failing.labels(each.name).set(each.failing_since.timestamp() if each.failing_since else 0)
            self._paused.labels(each.name).set(int(each.paused is not None))
            for result in ("taken", "failed"):
                self._messages.labels(each.name, result)

    def count_messages(self, endpoint: str, *, accepted: int, failed: int) -> None:
        """Add the result of a delivery to an endpoint."""
        self._messages.labels(endpoint, "taken").inc(accepted)
        self._messages.labels(endpoint, "failed").inc(failed)

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format, version 0.0.4."""
        return generate_latest(self._facts) + generate_latest(self._counts)

    def write_textfile(self, path: str | Path) -> None:
        """Replace the textfile for node_exporter atomically.

        A run that cannot read the last success from the database keeps the old file, whose age then raises the alert for a stale
        catalog; a file without that time would report that no run ever succeeded.

        Raises:
            OSError: the file could not be written; the old one is unchanged.
        """
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
