"""`daemon`: a run at start, then on schedule, until asked to stop."""

from __future__ import annotations

import os
import random
from pathlib import Path

from sync.commands.edge import RUN_FLAGS, Context, sync_command
from sync.settings import load, require_key

DAEMON_FLAGS = ("interval", "cron", "timezone", "grace", "stale_after", "http_host", "http_port")
PINGS_SECONDS = 5.0


@sync_command(
    "Synchronise at start (unless the last success is fresh), then every SYNC_INTERVAL or as SYNC_CRON says, until SIGTERM.",
    *(name for name in RUN_FLAGS if name != "metrics_file"),
    *DAEMON_FLAGS,
    needs_key=True,
    acts=True,
)
def command(context: Context) -> None:
    """Serve until asked to stop."""
    settings = context.settings
    engine = context.engine()
    context.start_logging()
    from zoneinfo import ZoneInfo

    from sync import __version__
    from sync.commands.synchronising import now, refuse_sample
    from sync.cron import Cron
    from sync.daemon.heartbeat import Ping
    from sync.daemon.metrics import Metrics
    from sync.daemon.probes import Probes
    from sync.daemon.scheduler import LOOK_SECONDS, Daemon
    from sync.daemon.service import Service
    from sync.daemon.systemd import notify, watchdog_interval
    from sync.logs import get_logger
    from sync.store.schema import prepare

    address = os.environ.get("NOTIFY_SOCKET")
    metrics = Metrics(__version__)
    ping = Ping(settings.ping_url)
    service = Service(settings, engine, key=lambda: _fresh_key(context), metrics=metrics, ping=ping, clock=now)
    daemon = Daemon(
        service,
        interval=settings.interval,
        grace=settings.grace,
        random=random.random,
        cron=Cron(settings.cron, ZoneInfo(settings.timezone)) if settings.cron else None,
        notify=lambda message: notify(message, address=address),
        look=min(LOOK_SECONDS, watchdog_interval(os.environ, os.getpid()) or LOOK_SECONDS),
    )
    daemon.obey_signals()  # from here on: as process 1 of a container a SIGTERM without a handler is not even seen
    prepare(engine)
    refuse_sample(settings, engine)
    probes = None
    if settings.http_port is not None:
        live = lambda: (daemon.alive, "the scheduler turns" if daemon.alive else "the scheduler stands still")  # noqa: E731
        probes = Probes(settings.http_host, settings.http_port, live=live, ready=service.ready, metrics=metrics.text)
        probes.start()
        get_logger().info("probes_listen", host=settings.http_host, port=probes.port)
    service.seed_metrics()
    try:
        daemon.serve()
    finally:
        if probes is not None:
            probes.stop()
        ping.close(min(PINGS_SECONDS, settings.grace))


def _fresh_key(context: Context) -> str:
    """Read the key again, for each run: one that was rotated in its file needs no restart."""
    # With the flags of the start: a variable that one of them outvoted then may be one that cannot be used.
    again = load(context.loaded.flags, os.environ, Path(".env"), needs_key=True)
    if set(again.secrets) - set(context.out.secrets):
        context.out.hide(again.secrets)
        context.start_logging()  # the new key must not appear in a log either
    return require_key(again.settings)
