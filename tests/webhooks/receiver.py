"""A receiver of messages on loopback, a second implementation of the signature, and one delivery by a clock of the test."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from sync.webhooks.configuration import SignedEndpoint
from sync.webhooks.dispatcher import Dispatcher
from sync.webhooks.endpoints import Endpoint
from sync.webhooks.rules import Rules
from sync.webhooks.sign_and_send import send
from tests.json_forms import check

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from sync.webhooks.dispatcher import DeliveryResult
    from sync.webhooks.sign_and_send import Message, Reply


SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 24).decode()


@dataclass(frozen=True)
class Heard:
    """One request, as it came over the wire."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def about(self) -> str:
        """Which template it tells of."""
        return str(json.loads(self.body)["data"]["template_id"])


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Write an answer; an underscore in a header's name stands for a dash."""
    lines = [f"HTTP/1.1 {status} So", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


YES = answer(204)


class Receiver:
    """Hears one request after the other, each over a connection of its own.

    Attributes:
        behave: what to do with a request; gets the connection, the request, and an event that is set when the test is over. By
            default it says yes.
        heard: every request that came, whatever was made of it; `taken`: those that were said yes to by default.
    """

    def __init__(self, behave: Callable[[socket.socket, Heard, threading.Event], None] | None = None) -> None:
        self.behave = behave
        self.heard: list[Heard] = []
        self.taken: list[Heard] = []
        self.over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/secret-path"

    @property
    def ids(self) -> list[str]:
        """Ids of all that was heard."""
        return [each.id for each in self.heard]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._listener.close()
        for each in self.heard:
            body = json.loads(each.body)
            if "data" in body:  # who tries how bytes are sent sends any
                check(body["type"], body)

    def signed_endpoint(self, name: str = "shop", *secrets: str, **fields: Any) -> SignedEndpoint:
        """Make an endpoint that leads here."""
        rules = fields.pop("rules", Rules())
        return SignedEndpoint(Endpoint(name, self.url, (), rules, **fields), secrets or (SECRET,))

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection, suppress(OSError):
                if self.over.is_set():
                    return
                request = _read(connection)
                if request is None:
                    continue
                self.heard.append(request)
                if self.behave is not None:
                    self.behave(connection, request, self.over)
                else:
                    self.taken.append(request)
                    connection.sendall(YES)


def says(status: int, body: bytes = b"", **headers: str) -> Callable[[socket.socket, Heard, threading.Event], None]:
    """Behave by one answer."""
    return lambda connection, _heard, _over: connection.sendall(answer(status, body, **headers))


def _read(connection: socket.socket) -> Heard | None:
    connection.settimeout(10)
    found = b""
    while b"\r\n\r\n" not in found:
        more = connection.recv(65536)
        if not more:
            return None
        found += more
    head, _, body = found.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        more = connection.recv(65536)
        if not more:  # whoever sent it was killed meanwhile
            return None
        body += more
    return Heard(first.split(" ")[1], headers, body)


def our_signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Sign by the words of the specification, without its library: a second opinion."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def later(self, **delta: float) -> None:
        """Go on."""
        self.now += timedelta(**delta)


def hasty(target: SignedEndpoint, message: Message, now: datetime) -> Reply:
    """Try once, and wait for seconds only."""
    return send(target, message, now, limit=5.0)


def deliver_to(
    engine: sa.Engine, *endpoints: SignedEndpoint, clock: Callable[[], datetime] | None = None
) -> list[DeliveryResult]:
    """Make one pass; give what came of each visit, by name."""
    visits: list[DeliveryResult] = []
    dispatcher = Dispatcher(engine, hasty, clock or Clock(), lambda: 0.0, visits.append)
    dispatcher.start_due(endpoints)
    dispatcher.join()
    return sorted(visits, key=lambda visit: visit.name)
