"""`daemon`: a run at start, then on schedule, until asked to stop."""

from __future__ import annotations

import os
import random
from pathlib import Path

from sync.commands.edge import RUN_FLAGS, Context, Edge, start_logging, sync_command
from sync.settings import load, require_key

DAEMON_FLAGS = ("interval", "cron", "timezone", "grace", "stale_after", "http_host", "http_port")


@sync_command(
    "Synchronise at start (unless the last success is fresh), then every SYNC_INTERVAL or as SYNC_CRON says, until SIGTERM.",
    *(name for name in RUN_FLAGS if name != "metrics_file"),
    *DAEMON_FLAGS,
)
def command(context: Context) -> None:
    """Serve until asked to stop."""
    settings = context.settings
    require_key(settings)
    engine = context.engine()
    start_logging()
    from sync import __version__
    from sync.commands.synchronising import now
    from sync.cron import trigger
    from sync.db.schema import prepare
    from sync.ops.daemon import Daemon
    from sync.ops.http import Probes
    from sync.ops.metrics import Metrics
    from sync.ops.ping import Ping
    from sync.ops.service import Service
    from sync.ops.systemd import notify, watchdog_interval

    prepare(engine)
    address = os.environ.get("NOTIFY_SOCKET")
    metrics = Metrics(__version__)
    ping = Ping(settings.ping_url)
    service = Service(settings, engine, key=_fresh_key, metrics=metrics, ping=ping, clock=now)
    watched = watchdog_interval(os.environ, os.getpid()) is not None

    def pulse() -> None:
        if watched:
            notify("WATCHDOG=1", address=address)

    daemon = Daemon(
        service,
        interval=settings.interval,
        grace=settings.grace,
        chance=random.random,
        trigger=trigger(settings.cron, settings.timezone) if settings.cron else None,
        pulse=pulse,
    )
    probes = None
    if settings.http_port is not None:
        live = lambda: (daemon.alive, "the scheduler turns" if daemon.alive else "the scheduler stands still")  # noqa: E731
        probes = Probes(settings.http_host, settings.http_port, live=live, ready=service.ready, metrics=metrics.text)
        probes.start()
    service.seed_metrics()
    notify("READY=1\nSTATUS=scheduled", address=address)
    try:
        daemon.serve()
    finally:
        notify("STOPPING=1", address=address)
        if probes is not None:
            probes.stop()
        ping.close(5.0)


def _fresh_key() -> str:
    """Read the key again, for each run: one that was rotated in its file needs no restart."""
    loaded = load({}, os.environ, Path(".env"))
    if set(loaded.secrets) - set(Edge.secrets):
        Edge.secrets = (*Edge.secrets, *loaded.secrets)
        Edge.logging = {**Edge.logging, "secrets": Edge.secrets}
        start_logging()  # the new key must not appear in a log either
    return require_key(loaded.settings)
