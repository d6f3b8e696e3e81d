"""`daemon`: runs on a schedule, until a signal stops it."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import TYPE_CHECKING

from sync.commands.base import RUN_FLAGS, Context, now, sync_command
from sync.commands.output import drain_stderr
from sync.commands.run import require_gallery, update_gallery
from sync.config.load_settings import load, require_key
from sync.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

    from sync.config.load_settings import Loaded
    from sync.monitoring.metrics import Metrics
    from sync.webhooks.configuration import SignedEndpoint
    from sync.webhooks.dispatcher import DispatchLoop

DAEMON_FLAGS = ("interval", "cron", "timezone", "grace", "stale_after", "http_host", "http_port", "webhooks_file")
CLOSE_TIMEOUT = 5.0
"""Seconds at most for pings and deliveries in progress when the daemon stops."""

MAX_APPLY_SECONDS = 900.0
"""Seconds beyond its deadline that a run may take to commit while a database fails over."""


@sync_command(
    "Synchronise at start if a run is overdue, then on a schedule, until SIGTERM or Ctrl-C.",
    *(name for name in RUN_FLAGS if name != "metrics_file"), *DAEMON_FLAGS, needs_key=True, service=True, has_effect=True,
)  # fmt: skip
def command(context: Context) -> None:
    """Run the daemon."""
    settings = context.settings
    require_gallery(settings)
    engine = context.engine()
    if settings.webhooks_file is not None:
        _fresh_endpoints(context)  # an error in that file ends the command before anything begins
    context.start_logging()
    from zoneinfo import ZoneInfo

    from sync import __version__
    from sync.client.network import Network
    from sync.config.cron import Cron
    from sync.daemon.next_run import CronSchedule, Interval
    from sync.daemon.scheduler import CHECK_SECONDS, Daemon
    from sync.daemon.service import Service
    from sync.logs import get_logger
    from sync.monitoring.heartbeat import Ping, notify, watchdog_interval
    from sync.monitoring.metrics import Metrics
    from sync.monitoring.probes import Probes, Scrape
    from sync.reader.status import overview
    from sync.store.schema import prepare
    from sync.store.state import require_origin

    address = os.environ.get("NOTIFY_SOCKET")
    metrics = Metrics(__version__, settings.staleness_budget)
    ping = Ping(settings.ping_url, Network.of(settings))
    dispatch_loop = _dispatch_loop(context, engine, metrics)
    service = Service(
        settings,
        engine,
        key=lambda: require_key(_load_again(context).settings),  # for each run: a key rotated in its file needs no restart
        metrics=metrics,
        ping=ping,
        clock=now,
        after_run=dispatch_loop.wake if dispatch_loop else lambda: None,
        site=lambda: update_gallery(settings, engine),
    )
    daemon = Daemon(
        service,
        CronSchedule(Cron(settings.cron, ZoneInfo(settings.timezone))) if settings.cron else Interval(settings.interval),
        grace=settings.grace,
        random=random.random,
        notify=lambda message: notify(message, address=address),
        max_run=settings.deadline + MAX_APPLY_SECONDS,
        reload=lambda: _reload(context, dispatch_loop),
        flush_logs=drain_stderr,
        check_every=min(CHECK_SECONDS, watchdog_interval(os.environ, os.getpid()) or CHECK_SECONDS),
    )
    daemon.signals.install()  # first, as process 1 of a container ignores a SIGTERM without a handler
    prepare(engine)
    require_origin(engine, settings.base_url)
    close_timeout = min(CLOSE_TIMEOUT, settings.grace)
    context.closing.callback(ping.close, close_timeout)
    if settings.http_port is not None:
        scrape = Scrape(metrics, lambda: overview(engine)).text
        probes = Probes(settings.http_host, settings.http_port, live=daemon.live, ready=service.ready, metrics=scrape)
        context.closing.callback(probes.stop)
        get_logger().info("probes_listen", host=settings.http_host, port=probes.port)
    if dispatch_loop is not None:
        dispatch_loop.start()
        context.closing.callback(dispatch_loop.close, close_timeout)
    daemon.serve()
    if service.outdated is not None:
        raise service.outdated


def _load_again(context: Context) -> Loaded:
    # With the flags of the start, as the variables that they override may be invalid.
    again = load(context.loaded.flags, os.environ, Path(".env"), needs_key=True)
    _hide(context, again.secrets)
    return again


def _hide(context: Context, secrets: Sequence[str]) -> None:
    """Mask new secrets in messages and in the log."""
    if set(secrets) - set(context.out.secrets):
        context.out.hide(secrets)
        context.start_logging()


def _reload(context: Context, dispatch_loop: DispatchLoop | None) -> None:
    """Reread the files of the key and of the webhooks, and log the result; runs and deliveries go on with what they can read."""
    from sync.logs import get_logger

    try:
        again = _load_again(context)
        endpoints = None if dispatch_loop is None else len(_fresh_endpoints(context))
    except ConfigurationError as error:
        get_logger().warning("reload_failed", reason=str(error), hint=error.hint)
        return
    if dispatch_loop is not None:
        dispatch_loop.wake()
    for warning in again.warnings:
        context.out.warning(warning)
    get_logger().info("reloaded", key=again.origins["api_key"].source, webhook_endpoints=endpoints)


def _dispatch_loop(context: Context, engine: Engine, metrics: Metrics) -> DispatchLoop | None:
    """Build the delivery of webhooks, if there is a file of endpoints."""
    if context.settings.webhooks_file is None:
        return None
    from sync.commands.webhooks import sender
    from sync.webhooks.dispatcher import Dispatcher, DispatchLoop

    dispatcher = Dispatcher(engine, sender(context), now, random.random)
    return DispatchLoop(dispatcher, endpoints=lambda: _fresh_endpoints(context), metrics=metrics)


def _fresh_endpoints(context: Context) -> list[SignedEndpoint]:
    """Read the file of endpoints again for each delivery, so that a removed endpoint gets nothing more."""
    from sync.webhooks.configuration import load_endpoints, secrets_of

    endpoints = load_endpoints(str(context.settings.webhooks_file))
    _hide(context, secrets_of(endpoints))
    return endpoints
