"""One attempt: signed by the library, sent, and what came of it in a few words. The only home of `standardwebhooks`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sync.client.retry_after import retry_after
from sync.config.redaction import HIDDEN, Redactor
from sync.webhooks.addresses import is_allowed, secret_parts
from sync.webhooks.endpoints import secret_forms
from sync.webhooks.position import OVERLOADED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sync.client.network import Network
    from sync.webhooks.configuration import SignedEndpoint
    from sync.webhooks.messages import Message

TIMEOUT = 20.0
"""Seconds for one whole attempt."""
_MAX_BYTES = 16 * 1024
_DETAIL_LENGTH = 200
_SHORTEST_PART = 3
"""Characters of the shortest part of a URL that is hidden in an answer, of which any word may be lost."""
_OK = range(200, 300)  # a redirect is no success: it is not followed
_GONE = 410


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of an attempt.

    Attributes:
        status: of the answer; None if there was none.
        said: the beginning of what it said if it was no yes, or why there was none; printable, secrets hidden.
        asked: seconds that it asked us to wait.
        slow: whether the server is overloaded, or took too long.
    """

    status: int | None
    detail: str = ""
    retry_after: float | None = None
    slow: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the message was taken."""
        return self.status in _OK

    @property
    def summary(self) -> str:
        """Say it on one line."""
        return f"{self.status or 'no answer'}: {self.detail}" if self.detail else str(self.status or "no answer")

    @property
    def gone(self) -> bool:
        """Whether the endpoint wants to hear no more."""
        return self.status == _GONE


def send(
    target: SignedEndpoint,
    message: Message,
    now: datetime,
    *,
    network: Network | None = None,
    limit: float = TIMEOUT,
    allowed: Callable[[str], bool] = is_allowed,
) -> Reply:
    """Try once to deliver a message; whatever goes wrong is an answer, too.

    Args:
        target: to whom.
        message: its body is sent byte for byte as it was signed.
        now: the time of this attempt, UTC.
        network: the proxy and the certificate authorities; none but the built-in ones if not given.
        limit: seconds for all of it.
        allowed: whether an IP address may be sent to. Not asked behind a proxy, which resolves the name.
    """
    from sync.client import http
    from sync.client.network import AddressRefused, Network, TransportFailure

    url = target.endpoint.url
    headers = {"content-type": "application/json", **sign(message, target.secrets, now)}
    parts = [part for part in secret_parts(url) if part not in HIDDEN]  # "secret" as a part would be replaced in the replacement
    hidden = [*(form for secret in target.secrets for form in secret_forms(secret)), url, *parts]
    try:
        answer = http.send(
            "POST",
            url,
            headers,
            message.body,
            network=network or Network(),
            limit=limit,
            most=_max_bytes,
            is_permitted=allowed,
        )
    except AddressRefused:
        return Reply(None, "its name resolves to a link-local address or a metadata service, which is refused")
    except TransportFailure as failure:
        return Reply(None, str(failure), slow=failure.timed_out)
    if answer.status in _OK:
        return Reply(answer.status)
    wait = retry_after(answer.headers.get("retry-after"), now)
    said = Redactor(hidden, shortest=_SHORTEST_PART).of_a_part(answer.body.decode("utf-8", "replace"))
    return Reply(answer.status, _printable(said), wait, slow=answer.status in OVERLOADED)


def sign(message: Message, secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """Make the headers of Standard Webhooks; with two secrets there are two signatures, and either convinces.

    Args:
        message: what is signed: its id, the time and its body.
        secrets: with which.
        now: in UTC. The library would read the clock of any other zone as if it were UTC's.
    """
    from standardwebhooks import Webhook

    text = message.body.decode()
    return {
        "webhook-id": message.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message.id, now, text) for secret in secrets),
    }


def _max_bytes(status: int) -> int:
    """Choose how much of an answer to read: of success nothing, as its body may hang."""
    return 0 if status in _OK else _MAX_BYTES


def _printable(text: str) -> str:
    """Keep of an answer what can be shown on one line: a stranger wrote it."""
    return "".join(char if char.isprintable() else " " for char in " ".join(text.split()))[:_DETAIL_LENGTH]
