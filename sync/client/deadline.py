"""Do something over the network within a limit, whatever it waits for: the DNS, a server that drips, one that is mute.

Timeouts of sockets are for each read, and none covers the DNS. So the work has a thread of its own: once its time is over, its
socket is shut down and the caller goes on. A thread blocked in the DNS or in connect() cannot be interrupted; it exits when that
call returns, and the process does not wait for it.
"""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

from sync.client.network import Cancelled, TransportFailure

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
    """What is done over the network in a thread, until a limit.

    Attributes:
        stage: how far it is.
        shut_down: wakes the thread where it waits on a connection.
        left_behind: whether its thread still runs, and releases the connection when it ends.
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
        """Do the work in a thread, and wait for it until the limit; give what it raised, or that it is late.

        Args:
            work: the request.
            limit: seconds.
            release: closes the connection; called by the thread if nobody waits for it any more.

        Raises:
            Cancelled: `cancel` was called.
        """
        try:
            threading.Thread(target=self._work, args=(work, release), name="http", daemon=True).start()
        except RuntimeError as error:
            failure = TransportFailure("no thread could be started")
            failure.__cause__ = error
            return failure
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
        """Wake what waits in `run`; it gives the request up."""
        self._cancelled = True
        self._settled.set()

    def check(self) -> None:
        """Stop the thread if nobody waits for it any more."""
        if self.left_behind:
            raise self.late()

    def _work(self, work: Callable[[], None], release: Callable[[], None]) -> None:
        try:
            work()
        except Exception as failure:  # noqa: BLE001 - it is raised again, in words, where the answer is waited for
            self._failure = failure
        with self._turn:
            self._finished = True
            left_behind = self.left_behind
        if left_behind:
            release()
        self._settled.set()

    def late(self) -> TransportFailure:
        """Say what took too long."""
        return TransportFailure(LATE[self.stage], timed_out=True)


def addresses(host: str, limit: float) -> list[str]:
    """Resolve a name to IP addresses, within `limit` seconds, or raise a TransportFailure."""
    found: list[str] = []
    if failure := Attempt().run(lambda: found.extend(resolve(host, 0)), limit):
        raise failure
    return found


def resolve(host: str, port: int) -> list[str]:
    """Resolve a name to IP addresses, however long that takes, or raise a TransportFailure."""
    try:
        found = socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise TransportFailure("its name does not resolve") from None
    return list(dict.fromkeys(str(each[4][0]) for each in found))
