"""The daemon tells its endpoints by itself, and no endpoint can hurt a run, a stop or another endpoint."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from sync.errors import ConfigurationError
from sync.monitoring.metrics import Metrics
from sync.webhooks.dispatch_loop import DispatchLoop
from sync.webhooks.dispatcher import Dispatcher
from tests.builders import records
from tests.daemons import DaemonProcess, Upstream, until
from tests.faults import sync
from tests.webhooks.receiver import SECRET, Heard, Receiver, says
from tests.webhooks.visits import Clock, hasty

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from sync.webhooks.configuration import SignedEndpoint
    from tests.builders import Database

FILE = '[[endpoint]]\nname = "{name}"\nurl = "{url}"\nsecret_env = "HOOK_SECRET"\n'


def hang(_connection: socket.socket, _heard: Heard, over: threading.Event) -> None:
    over.wait(60)


@pytest.mark.ci_slice
def test_the_daemon_delivers_while_another_endpoint_hangs_and_continues_after_a_restart(
    upstream: Upstream, tmp_path: Path
) -> None:
    with Receiver() as good, Receiver(hang) as bad:
        (tmp_path / "hooks.toml").write_text(FILE.format(name="good", url=good.url) + FILE.format(name="bad", url=bad.url))
        variables = upstream.settings(
            SYNC_INTERVAL="0.3s", SYNC_HTTP_PORT="0", SYNC_WEBHOOKS_FILE="hooks.toml", HOOK_SECRET=SECRET, SYNC_LOG_LEVEL="debug",
            SYNC_GRACE="1s",
        )  # fmt: skip
        with DaemonProcess(tmp_path, variables) as daemon:
            daemon.wait_for("run_finished", count=2, status="succeeded")
            upstream.catalog = records(4)
            daemon.wait_for("webhook_delivered", endpoint="good", messages=1)
            until(lambda: bad.heard, "the endpoint that hangs")
            upstream.catalog = records(5)
            daemon.wait_for("webhook_delivered", count=2, endpoint="good")
            daemon.wait_for("run_finished", count=len(daemon.events("run_finished")) + 2)
            shown = until(lambda: _shown(daemon), "the figures of both")
            assert shown['template_sync_webhook_behind_changes{endpoint="bad"}'] == 2
            assert shown['template_sync_webhook_paused{endpoint="bad"}'] == 0
            assert shown['template_sync_webhook_messages_total{endpoint="good",result="taken"}'] == 2
            assert daemon.stop() == 0
            said = daemon.said
        bad.behave = None
        bad.over.set()
        with closing(sqlite3.connect(tmp_path / "templates.db")) as raw, raw:  # on a slow machine it was given up, for a minute
            raw.execute("UPDATE webhook_endpoints SET next_attempt_at = NULL")
        upstream.catalog = records(6)
        bad.over.clear()
        with DaemonProcess(tmp_path, variables) as daemon:
            until(lambda: len(bad.taken) == 3, "all that the endpoint had missed")  # in one pass or two: a run may come between
            daemon.wait_for("webhook_delivered", endpoint="bad")
            daemon.wait_for("webhook_delivered", endpoint="good", messages=1)
            assert daemon.stop() == 0
            said += daemon.said
    assert [each.about for each in good.heard] == ["4", "5", "6"]
    assert [each.about for each in bad.taken] == ["4", "5", "6"]
    assert bad.heard[0].id == bad.taken[0].id
    assert SECRET.removeprefix("whsec_") not in said
    assert "secret-path" not in said


def _shown(daemon: DaemonProcess) -> dict[str, float] | None:
    shown = daemon.metrics()
    caught_up = shown.get('template_sync_webhook_behind_changes{endpoint="good"}') == 0
    return shown if caught_up and shown.get('template_sync_webhook_behind_changes{endpoint="bad"}') == 2 else None


def test_a_broken_endpoints_file_is_reported_once_and_delivery_continues_when_it_is_mended(sqlite: Database) -> None:
    looks: list[str] = []
    mended = threading.Event()

    with Receiver(says(400, b"what is this?")) as receiver:

        def endpoints() -> list[SignedEndpoint]:
            looks.append("look")
            if len(looks) == 3:
                raise ZeroDivisionError("a secret")
            if not mended.is_set():
                raise ConfigurationError(["SYNC_WEBHOOKS_FILE: no TOML."])
            return [receiver.signed_endpoint(start="start")]

        sync(records(1), sqlite.engine)
        metrics = Metrics("1", 2700.0)
        dispatcher = Dispatcher(sqlite.engine, hasty, Clock(), lambda: 0.0)
        dispatch_loop = DispatchLoop(dispatcher, endpoints=endpoints, metrics=metrics, poll_seconds=0.01)
        dispatcher.on_result = dispatch_loop.handle_result
        with capture_logs() as logs:
            dispatch_loop.start()
            until(lambda: len(looks) > 8, "some looks")
            mended.set()
            until(lambda: [each for each in logs if each["event"] == "webhook_failed"], "an attempt")
            until(lambda: b'failing_since_timestamp_seconds{endpoint="shop"} 1.767' in metrics.text(), "its figures")
            dispatch_loop.close(10.0)
    assert [(each["event"], each["reason"]) for each in logs] == [
        ("webhooks_stand_still", "SYNC_WEBHOOKS_FILE: no TOML."),
        ("webhooks_stand_still", "Unexpected error: ZeroDivisionError."),
        ("webhooks_stand_still", "SYNC_WEBHOOKS_FILE: no TOML."),
        ("webhook_failed", "400: what is this?"),
    ]
    assert b'messages_total{endpoint="shop",result="failed"} 1.0' in metrics.text()
    metrics.observe_webhooks([])
    assert b'behind_changes{endpoint="shop"}' not in metrics.text()
