"""A scrape shows what the database holds, and is bounded whatever the database does."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from sync.errors import DatabaseAway
from sync.monitoring.metrics import Facts, Metrics
from sync.monitoring.scrape import Scrape

if TYPE_CHECKING:
    import pytest

PATIENCE = 10.0


def facts(templates: int) -> Facts:
    return Facts(1_800_000_000.0, 1_800_000_000.0, "succeeded", templates=templates, held=0, unconfirmed=0, rejected=0)


def test_facts_are_read_at_the_scrape_and_again_once_they_are_a_few_seconds_old() -> None:
    moment, count = [0.0], [1]
    scrape = Scrape(Metrics("1", 2700.0), lambda: facts(count[0]), keep=3.0, limit=PATIENCE, monotonic=lambda: moment[0])
    assert b"template_sync_templates 1.0" in scrape.text()
    count[0] = 2
    moment[0] = 2.9
    assert b"template_sync_templates 1.0" in scrape.text()
    moment[0] = 3.0
    assert b"template_sync_templates 2.0" in scrape.text()


def test_a_database_that_hangs_delays_a_scrape_for_the_limit_and_gets_no_second_query() -> None:
    over, queries = threading.Event(), []

    def hang() -> Facts:
        queries.append(1)
        over.wait(PATIENCE)
        return facts(7)

    metrics = Metrics("1", 2700.0)
    metrics.set_facts(facts(5))
    scrape = Scrape(metrics, hang, keep=0.0, limit=0.05)
    assert b"template_sync_templates 5.0" in scrape.text()
    assert b"template_sync_templates 5.0" in scrape.text()
    assert len(queries) == 1
    over.set()


def test_a_database_that_is_away_leaves_the_last_facts() -> None:
    def away() -> Facts:
        raise DatabaseAway("The database restarts.")

    metrics = Metrics("1", 2700.0)
    metrics.set_facts(facts(5))
    assert b"template_sync_templates 5.0" in Scrape(metrics, away, limit=PATIENCE).text()


def test_a_bug_in_the_query_is_one_warning_and_the_last_facts() -> None:
    def broken() -> Facts:
        raise ZeroDivisionError

    with capture_logs() as logs:
        assert b"template_sync_templates NaN" in Scrape(Metrics("1", 2700.0), broken, limit=PATIENCE).text()
    assert logs == [{"event": "metrics_not_updated", "reason": "ZeroDivisionError", "log_level": "warning"}]


def test_where_no_thread_can_be_started_the_last_facts_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert b"template_sync_templates NaN" in Scrape(Metrics("1", 2700.0), lambda: facts(1)).text()
