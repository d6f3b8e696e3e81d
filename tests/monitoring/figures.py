"""Runs, and the state of the database after them, as the metrics show them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sync.catalog.run_record import Run, Status
from sync.reader.status import Overview
from sync.store.lease import Holder


def run(status: str = "succeeded", started: float = 1_800_000_000.0, seconds: float = 0.0, **fields: Any) -> Run:
    """Make a run that started at a Unix time."""
    start = datetime.fromtimestamp(started, UTC)
    return Run(fields.pop("run_id", 1), "daemon", Status(status), start, start + timedelta(seconds=seconds), **fields)


def overview(success: Run | None = None, attempt: Run | None = None, **counts: int) -> Overview:
    """Make the state of a database by its last success, its last run, and the numbers of templates."""
    found: dict[str, Any] = {"present": 0, "held": 0, "unconfirmed": 0, "oldest_seq": 1, "last_seq": 0, **counts}
    return Overview(
        last_attempt=attempt, last_result=attempt, last_success=success, last_change_at=None, next_run_at=None,
        holder=Holder("", 0, 0.0, dead=False), feed_epoch="", cursor="", standby=None, **found,
    )  # fmt: skip


def samples(text: str) -> dict[str, float]:
    """Parse metrics in Prometheus's text format: series -> value."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}
