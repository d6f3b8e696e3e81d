"""A deadline for a whole network operation, DNS included.

Socket timeouts apply to each read, and none applies to the DNS. So the operation runs in a thread: at the deadline its socket is
shut down and the caller continues. A thread blocked in connect() or DNS cannot be interrupted; it exits when that call returns,
and the process does not wait for it.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

from sync.client.network import Cancelled, TransportFailure, limit_failure
from sync.resource_limits import open_files_error

if TYPE_CHECKING:
    from collections.abc import Callable

RESOLVING, CONNECTING, PROXY, TLS, HEAD, BODY = range(6)
LATE = {
    RESOLVING: "its name did not resolve within the deadline",
    CONNECTING: "no connection within the deadline",
    PROXY: "the proxy did not respond within the deadline",
    TLS: "no connection within the deadline",
    HEAD: "no response within the deadline",
    BODY: "no complete response within the deadline",
}


def _nothing() -> None:
    pass


class Attempt:
    """One network operation with a deadline.

    Attributes:
        stage: the current stage, one of the constants above.
        shut_down: shuts down the socket, which wakes the thread.
        left_behind: whether the thread was abandoned; it then releases the connection itself.
    """

    def __init__(self) -> None:
        self.stage = RESOLVING
        self.shut_down: Callable[[], None] = _nothing
        self.left_behind = False
        self._failure: Exception | None = None
        self._cancelled = self._finished = False
        self._turn = threading.Lock()
        self._settled = threading.Event()

    def run(self, work: Callable[[], None], limit: float, release: Callable[[], None] = _nothing) -> Exception | None:
        """Run the work in a thread and wait for it until the limit; return the exception it raised, or a timeout, or None.

        Args:
            work: the operation.
            limit: seconds.
            release: closes the connection; called by the thread if it was abandoned.

        Raises:
            Cancelled: `cancel` was called.
        """
        try:
            threading.Thread(target=self._work, args=(work, release), name="http", daemon=True).start()
        except RuntimeError as error:
            return limit_failure(error) or TransportFailure("no thread could be started")
        try:
            self._settled.wait(limit)
        finally:
            with self._turn:
                self.left_behind = not self._finished
            if self.left_behind:
                self.shut_down()
        if self._cancelled:
            raise Cancelled("it was cancelled")
        return self.late() if self.left_behind else self._failure

    def cancel(self) -> None:
        """Make `run` raise Cancelled at once."""
        self._cancelled = True
        self._settled.set()

    def check(self) -> None:
        """Raise a TransportFailure in the thread if it was abandoned."""
        if self.left_behind:
            raise self.late()

    def _work(self, work: Callable[[], None], release: Callable[[], None]) -> None:
        try:
            work()
        except Exception as failure:  # noqa: BLE001 - `run` returns it to the caller
            self._failure = failure
        with self._turn:
            self._finished = True
            left_behind = self.left_behind
        if left_behind:
            release()
        self._settled.set()

    def late(self) -> TransportFailure:
        """Return the timeout of the current stage."""
        return TransportFailure(LATE[self.stage], timed_out=True)


def addresses(host: str, limit: float) -> list[str]:
    """Resolve a name to IP addresses within `limit` seconds, or raise a TransportFailure."""
    found: list[str] = []
    if failure := Attempt().run(lambda: found.extend(resolve(host, 0)), limit):
        raise failure
    return found


def resolve(host: str, port: int) -> list[str]:
    """Resolve a name to IP addresses without a deadline, or raise a TransportFailure."""
    try:
        found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise limit_failure(open_files_error()) or TransportFailure("its name does not resolve") from None
    return list(dict.fromkeys(str(each[4][0]) for each in found))
