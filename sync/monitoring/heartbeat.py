"""Ping a monitoring service at the start, success and failure of each run, so that it raises an alarm when pings stop.

Pings are sent from a thread with a timeout, and the process does not wait for it, so the service can never delay or fail a run.
The daemon notifies systemd, too.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from sync.catalog.run_record import Status
from sync.config.resource_limits import as_sync_error
from sync.logs import get_logger
from sync.reader.status import is_stale

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from sync.client.network import Network
    from sync.reader.status import Overview
    from sync.synchronise import Outcome

_LIMIT = 5.0  # seconds for one ping
_MAX_QUEUED = 4  # pings of two runs; older ones are dropped while the server hangs
_TEXT_LIMIT = 10_000  # characters; monitoring services cut at a similar length


class Ping:
    """Send pings to one address, in order.

    No method raises, and only `close` waits. The address is a secret, because anyone who knows it can suppress the alarm.
    """

    def __init__(self, url: str | None, network: Network | None = None, *, limit: float = _LIMIT) -> None:
        self._url = url
        self._network = network
        self._limit = limit
        self._queue: deque[tuple[str, str]] = deque(maxlen=_MAX_QUEUED)
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._end_pending = False

    @contextmanager
    def run(self) -> Iterator[None]:
        """Ping the start of a run; ping a failure if the block ends without a result.

        A start without a result would look like a run that hangs.
        """
        self.start()
        reason = "The run ended without reporting a result."
        try:
            yield
        except BaseException as error:
            reason = str(as_sync_error(error))
            raise
        finally:
            if self._end_pending:
                self.fail(f"run: failed, {reason}")

    def start(self) -> None:
        """Ping that a run started."""
        self._enqueue("/start", "")
        self._end_pending = True

    def success(self, text: str) -> None:
        """Ping that a run succeeded, with a short text."""
        self._enqueue("", text)
        self._end_pending = False

    def fail(self, text: str) -> None:
        """Ping that a run failed, with the reason."""
        self._enqueue("/fail", text)
        self._end_pending = False

    def report(self, outcome: Outcome, found: Overview | None, budget: float, now: datetime) -> None:
        """Ping the result of a run; a deferred, skipped or interrupted run is a failure only if the last success is stale.

        `found` is the state of the database after it, None if that could not be queried; `budget` is the maximum age in seconds.
        """
        run = outcome.run
        name = "run" if run.run_id is None else f"run {run.run_id}"
        text = f"{name}: {run.status}" + (f", {run.error}" if run.error else "")
        last = found.last_success.finished_at if found and found.last_success else None
        passing = run.status in {Status.DEFERRED, Status.SKIPPED, Status.INTERRUPTED} and not is_stale(last, now, budget)
        (self.success if run.status is Status.SUCCEEDED or passing else self.fail)(text)

    def close(self, timeout: float) -> None:
        """Wait for queued pings, at most `timeout` seconds; later ones are not sent."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(timeout)

    def _enqueue(self, suffix: str, text: str) -> None:
        with self._changed:
            if self._url is None or self._closed:
                return
            self._queue.append((suffix, text[:_TEXT_LIMIT]))
            self._changed.notify()
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="ping", daemon=True)
                try:
                    thread.start()
                    self._thread = thread
                except RuntimeError as error:  # no thread is available; the next ping tries again
                    get_logger().warning("ping_failed", reason=type(error).__name__)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._closed)
                if not self._queue:
                    return
                suffix, text = self._queue.popleft()
            self._send(suffix, text)

    def _send(self, suffix: str, text: str) -> None:
        from sync.client import http
        from sync.client.network import Network, TransportFailure

        network = self._network or Network()
        try:
            url, content = _with_suffix(self._url or "", suffix), text.encode("utf-8", "replace")
            answer = http.send("POST", url, {}, content, network=network, limit=self._limit, most=lambda _status: 0)
            if answer.status in http.OK:
                return
            reason = f"HTTP {answer.status}"
        except TransportFailure as failure:
            reason = str(failure)
        except Exception as error:  # noqa: BLE001 - a ping must never fail a run
            reason = type(error).__name__  # the message may contain the address
        get_logger().warning("ping_failed", reason=reason)


def _with_suffix(url: str, suffix: str) -> str:
    """Append a suffix to the path of a URL, before the query string."""
    if not suffix:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + suffix))


_NOTIFY_TIMEOUT = 0.5  # seconds; the service continues if systemd does not read the message


def notify(message: str, *, address: str | None) -> None:
    """Send a message to systemd, such as `READY=1`; never raise, and do nothing without systemd.

    `address` is the value of NOTIFY_SOCKET: a path, or @ and a name in Linux's abstract namespace.
    """
    if not address or address[0] not in "/@":
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.settimeout(_NOTIFY_TIMEOUT)  # a datagram to a full queue would block
            line.connect("\0" + address[1:] if address[0] == "@" else address)
            line.send(message.encode("utf-8", "replace"))
    except (OSError, ValueError):
        return  # the service must work without notifications


def watchdog_interval(environ: Mapping[str, str], pid: int) -> float | None:
    """Return the seconds between two `WATCHDOG=1` messages, None without a watchdog.

    It is half of the timeout, as sd_watchdog_enabled(3) advises. WATCHDOG_PID names the process that the watchdog monitors, so
    that a child does not send messages.
    """
    limit = environ.get("WATCHDOG_USEC", "")
    if not limit.isdecimal() or int(limit) == 0:
        return None
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(limit) / 1_000_000 / 2
