"""A receiver of messages on loopback, a second implementation of the signature, and one delivery by a clock of the test."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sync.webhooks.configuration import SignedEndpoint
from sync.webhooks.dispatcher import Dispatcher
from sync.webhooks.endpoints import Endpoint, Rules
from sync.webhooks.sign_and_send import send
from tests.hostile import Hostile, Reply, Request
from tests.json_forms import check

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from sync.webhooks.dispatcher import DeliveryResult
    from sync.webhooks.sign_and_send import Message
    from sync.webhooks.sign_and_send import Reply as Result
    from tests.hostile import Script

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
OTHER = "whsec_" + base64.b64encode(b"o" * 24).decode()


def response(status: int, body: bytes = b"", **headers: str) -> Reply:
    """Make a response; an underscore in the name of a header becomes a dash."""
    return Reply(body, status, tuple((name.replace("_", "-"), value) for name, value in headers.items()))


ACCEPTED = response(204)


def respond(status: int, body: bytes = b"", **headers: str) -> Script:
    """Make the script that sends one response to every request."""
    return lambda _request: response(status, body, **headers)


def id_of(request: Request) -> str:
    """Return the id of a message."""
    return request.headers["webhook-id"]


def about(request: Request) -> str:
    """Return the id of the template that changed."""
    return str(json.loads(request.body)["data"]["template_id"])


class Receiver(Hostile):
    """Accepts every message, or does what `behave` says; `accepted` are the requests that were accepted by default."""

    def __init__(self, behave: Script | None = None) -> None:
        super().__init__(self._answer)
        self.behave = behave
        self.accepted: list[Request] = []
        self.base = self.url
        self.url += "/hooks/secret-path"

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        for each in self.requests:
            body = json.loads(each.body)
            if "data" in body:  # tests of sending also send other bodies
                check(body["type"], body)

    @property
    def open_connections(self) -> int:
        return len(self._open)

    @property
    def ids(self) -> list[str]:
        return [id_of(each) for each in self.requests]

    @property
    def abouts(self) -> list[str]:
        return [about(each) for each in self.requests]

    def signed_endpoint(self, name: str = "shop", *secrets: str, **fields: Any) -> SignedEndpoint:
        """Make an endpoint with this receiver's URL."""
        rules = fields.pop("rules", Rules())
        return SignedEndpoint(Endpoint(name, self.url, (), rules, **fields), secrets or (SECRET,))

    def _answer(self, request: Request) -> Reply:
        if self.behave is not None:
            return self.behave(request)
        self.accepted.append(request)
        return ACCEPTED


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


def send_once(target: SignedEndpoint, message: Message, now: datetime) -> Result:
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
