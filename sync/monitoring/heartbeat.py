"""The heartbeat: a monitoring service's address that hears of every run, and raises the alarm when it stops hearing.

A monitoring service that is slow, down or hostile must never delay a run or fail it. So pings leave from a thread of their
own, which the end of the process does not wait for, and each one has a few seconds for everything.
"""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import structlog

from sync.errors import SyncError, resource_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sync.client.network import Network


_LIMIT = 5.0  # seconds for one whole ping


_MAX_QUEUED = 4  # pings, the two of two runs; behind a server that hangs, older ones are lost, as nobody needs old news


_TEXT_LIMIT = 10_000  # characters; monitoring services cut at a similar length


_log = structlog.get_logger()


class Ping:
    """Tells one address of starts, successes and failures, in that order.

    No method raises, and none but `close` waits. The address is a secret: whoever knows it can keep the alarm silent.
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
        """Say that a run begins; if the block ends without a success or failure told, say that it failed.

        A start that nothing follows would look like a run that hangs, until the service's patience is over.
        """
        self.start()
        reason = "The run ended without reporting a result."
        try:
            yield
        except SyncError as error:
            reason = str(error)
            raise
        except BaseException as surprise:
            # The kind only: the message may hold a secret.
            reason = str(resource_error(surprise) or f"Unexpected error: {type(surprise).__name__}.")
            raise
        finally:
            if self._end_pending:
                self.fail(f"run: failed, {reason}")

    def start(self) -> None:
        """Say that a run began."""
        self._enqueue("/start", "")
        self._end_pending = True

    def success(self, text: str) -> None:
        """Say that a run did what it should, and in a few words what that was."""
        self._enqueue("", text)
        self._end_pending = False

    def fail(self, text: str) -> None:
        """Say that a run failed, and why."""
        self._enqueue("/fail", text)
        self._end_pending = False

    def close(self, timeout: float) -> None:
        """Wait for the pings still to be sent, at most so many seconds; later ones are not sent."""
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
                self._start_thread()

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._work, name="ping", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no thread to be had; the next ping tries again
            _log.warning("ping_failed", reason=type(error).__name__)
        else:
            self._thread = thread

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
            answer = http.send("POST", url, {}, content, network=network, limit=self._limit, most=_no_body)
            if answer.status in http.OK:
                return
            reason = f"HTTP {answer.status}"
        except TransportFailure as failure:
            reason = str(failure)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no reason to hurt a run
            reason = type(error).__name__  # the message of an error may hold the address
        _log.warning("ping_failed", reason=reason)


def _no_body(_status: int) -> int:
    return 0


def _with_suffix(url: str, suffix: str) -> str:
    """Put the suffix where the path ends, before a query string."""
    if not suffix:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + suffix))
