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
from sync.webhooks.endpoints import Endpoint, Rules
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
class Request:
    """One request, as received."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def about(self) -> str:
        """Id of the template that changed."""
        return str(json.loads(self.body)["data"]["template_id"])


def response(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Write a response; an underscore in the name of a header becomes a dash."""
    lines = [f"HTTP/1.1 {status} So", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


ACCEPTED = response(204)


def respond(status: int, body: bytes = b"", **headers: str) -> Callable[[socket.socket, Request, threading.Event], None]:
    """Make the behaviour that sends one response to every request."""
    return lambda connection, _request, _over: connection.sendall(response(status, body, **headers))


class Receiver:
    """Receives one request after the other, each over its own connection.

    Attributes:
        behave: what to do with a request; gets the connection, the request, and an event that is set when the test is over. By
            default it accepts the message.
        requests: every request; `accepted`: those that were accepted by default.
    """

    def __init__(self, behave: Callable[[socket.socket, Request, threading.Event], None] | None = None) -> None:
        self.behave = behave
        self.requests: list[Request] = []
        self.accepted: list[Request] = []
        self.over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/secret-path"

    @property
    def ids(self) -> list[str]:
        return [each.id for each in self.requests]

    @property
    def abouts(self) -> list[str]:
        return [each.about for each in self.requests]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._listener.close()
        for each in self.requests:
            body = json.loads(each.body)
            if "data" in body:  # tests of sending also send other bodies
                check(body["type"], body)

    def signed_endpoint(self, name: str = "shop", *secrets: str, **fields: Any) -> SignedEndpoint:
        """Make an endpoint with this receiver's URL."""
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
                self.requests.append(request)
                if self.behave is not None:
                    self.behave(connection, request, self.over)
                else:
                    self.accepted.append(request)
                    connection.sendall(ACCEPTED)


def _read(connection: socket.socket) -> Request | None:
    """Read a request; None if the sender was killed meanwhile."""
    connection.settimeout(10)
    with connection.makefile("rb") as file:
        head = []
        while (line := file.readline()) not in {b"\r\n", b""}:
            head.append(line.decode().rstrip())
        if not head or not line:
            return None
        headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in head[1:])}
        length = int(headers.get("content-length", 0))
        body = file.read(length)
    method, path, _version = head[0].split(" ")
    return Request(method, path, headers, body) if len(body) == length else None


def second_signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Sign as specified, without the library of the specification."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def later(self, **delta: float) -> None:
        self.now += timedelta(**delta)


def send_once(target: SignedEndpoint, message: Message, now: datetime) -> Reply:
    """Make one attempt with a timeout of seconds."""
    return send(target, message, now, limit=5.0)


def deliver_to(
    engine: sa.Engine, *endpoints: SignedEndpoint, clock: Callable[[], datetime] | None = None
) -> list[DeliveryResult]:
    """Deliver once, as `webhooks deliver` does; return the results by name."""
    results: list[DeliveryResult] = []
    dispatcher = Dispatcher(engine, send_once, clock or Clock(), lambda: 0.0, results.append)
    dispatcher.start_due(endpoints)
    dispatcher.join()
    return sorted(results, key=lambda result: result.name)
