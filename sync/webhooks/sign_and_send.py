"""Build messages, sign them, and send each once; when to send it again. The only user of `standardwebhooks`.

No message is dropped: the wait before the next attempt grows from seconds to one day, forever. Waits have jitter, so that
endpoints behind one broken server are not retried together.

The id of a message is the same for all attempts, restarts and hosts. It contains the cursor, because after a restore the same
`seq` may be another change, which a receiver would ignore.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from sync.config.redaction import HIDDEN, Redactor
from sync.retry_policy import RetryPolicy, retry_after
from sync.text import json_text
from sync.webhooks.endpoints import secret_forms

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sync.client.network import Network
    from sync.webhooks.configuration import SignedEndpoint


class Message(NamedTuple):
    """One message.

    Attributes:
        id: without a full stop, which separates it from the time in the signed content.
        kind: the `type` of the body.
        about: a short description: the template, or the number of changes of a run.
        body: the signed bytes, sent unchanged.
    """

    id: str
    kind: str
    about: str
    body: bytes


def message_of_change(change: dict[str, Any]) -> Message:
    """Build the message of one change, as `changes --json` prints it."""
    about = f"template {change['template_id']}"
    return _message(f"tsc_{change['cursor']}", f"template.{change['kind']}", about, change["at"], change)


def message_of_run(changes: Sequence[dict[str, Any]], run_id: int, cursor: str) -> Message:
    """Build the message of one run's matching changes, at least one; the receiver then has the feed up to `cursor`."""
    data = {"run_id": run_id, "cursor": cursor, "changes": list(changes)}
    return _message(f"tsr_{cursor}", "catalog.changed", f"{len(changes)} changes of run {run_id}", changes[0]["at"], data)


def message_of_test(unique: str, at: str, name: str) -> Message:
    """Build a test message."""
    return _message(f"tst_{unique}", "webhook.test", "a test", at, {"endpoint": name})


def _message(message_id: str, kind: str, about: str, at: str, data: Any) -> Message:
    body = json_text({"type": kind, "timestamp": at, "data": data}).encode("utf-8", "backslashreplace")
    return Message(message_id, kind, about, body)


_HOUR = 3600.0
POLICY = RetryPolicy(
    waits=(5.0, 300.0, 1800.0, 2 * _HOUR, 5 * _HOUR, 10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR),
    jitter=(1.0, 1.1),
    longest_asked=24 * _HOUR,
)
"""Retries of deliveries: without end, at last once a day."""
SLOW_DOWN = 60.0
"""Minimum wait in seconds if the server is overloaded or timed out."""
OVERLOADED = frozenset({429, 502, 503, 504})
_MAX_WAIT = POLICY.waits[-1] * POLICY.jitter[1] + 1  # seconds
TIMEOUT = 20.0
"""Seconds for one attempt."""
_MAX_BYTES = 16 * 1024
_DETAIL_LENGTH = 200
_SHORTEST_PART = 3
"""Minimum length of a part of a URL that is hidden in responses; shorter ones would hide ordinary words."""
_OK = range(200, 300)


@dataclass(frozen=True, slots=True)
class Reply:
    """The result of an attempt.

    Attributes:
        status: status of the response; None without one.
        detail: the beginning of a response that is not 2xx, or why there is none; printable, secrets hidden.
        retry_after: seconds that the response asked for.
        slow: whether the server is overloaded, or timed out.
    """

    status: int | None
    detail: str = ""
    retry_after: float | None = None
    slow: bool = False

    @property
    def accepted(self) -> bool:
        """Whether the message was accepted; a redirect is a failure and is not followed."""
        return self.status in _OK

    @property
    def summary(self) -> str:
        """Status and detail, on one line."""
        return f"{self.status or 'no answer'}: {self.detail}" if self.detail else str(self.status or "no answer")

    @property
    def gone(self) -> bool:
        """Whether the endpoint answered 410 and wants no more messages."""
        return self.status == HTTPStatus.GONE


def send(
    target: SignedEndpoint, message: Message, now: datetime, *, network: Network | None = None, limit: float = TIMEOUT
) -> Reply:
    """Make one attempt to deliver a message, in at most `limit` seconds; every failure is returned, not raised.

    Behind a proxy the address is not checked, because the proxy resolves the name.
    """
    from sync.client import http
    from sync.client.network import AddressRefused, Network, TransportFailure

    url, network = target.endpoint.url, network or Network()
    plain = url.lower().startswith("http:")
    if plain and network.proxy_for(str(urlsplit(url).hostname)):
        return Reply(None, "plain http to a private network is not sent through SYNC_PROXY, which would read it")
    headers = {"content-type": "application/json", **sign(message, target.secrets, now)}
    try:
        answer = http.send(
            "POST", url, headers, message.body, network=network, limit=limit, is_permitted=target.endpoint.is_permitted,
            most=lambda status: 0 if status in http.OK else _MAX_BYTES,  # the body of a 2xx may hang
        )  # fmt: skip
    except AddressRefused:
        what = "outside private networks, which needs https" if plain else "that is link-local or a metadata service"
        return Reply(None, f"its name resolves to an address {what}; refused")
    except TransportFailure as failure:
        return Reply(None, str(failure), slow=failure.timed_out)
    wait = retry_after(answer.headers.get("retry-after"), now)
    parts = [part for part in target.endpoint.quotable_parts if part not in HIDDEN]  # else the replacement would be replaced
    hidden = [*(form for secret in target.secrets for form in secret_forms(secret)), url, *parts]
    said = Redactor(hidden, shortest=_SHORTEST_PART).of_a_part(answer.body.decode("utf-8", "replace"))
    detail = "".join(char if char.isprintable() else " " for char in " ".join(said.split()))[:_DETAIL_LENGTH]
    return Reply(answer.status, detail, wait, slow=answer.status in OVERLOADED)


def sign(message: Message, secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """Return the headers of Standard Webhooks, with one signature per secret; `now` in UTC, as the library ignores time zones."""
    from standardwebhooks import Webhook

    text = message.body.decode()
    return {
        "webhook-id": message.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message.id, now, text) for secret in secrets),
    }


def next_attempt(reply: Reply, failures: int, now: datetime, random: Callable[[], float]) -> datetime:
    """Return when to send a message again after its n-th consecutive failure; `random` returns a number from 0 to 1."""
    least = max(SLOW_DOWN if reply.slow else 0.0, min(reply.retry_after or 0.0, POLICY.longest_asked))
    return now + timedelta(seconds=POLICY.wait(failures, random, at_least=least) or 0.0)


def is_due(moment: datetime | None, now: datetime) -> bool:
    """Return whether a time has come; one further ahead than any wait was stored by a clock that was ahead."""
    return moment is None or moment <= now or moment - now > timedelta(seconds=_MAX_WAIT)
