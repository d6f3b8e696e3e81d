"""One attempt: signed by the library, sent, and what came of it in a few words. The only home of `standardwebhooks`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sync.endpoint.post import OK, post
from sync.endpoint.retry_after import retry_after
from sync.endpoint.tls import trust
from sync.redaction import Redactor
from sync.webhooks.addresses import is_allowed, origin
from sync.webhooks.schedule import OVERLOADED
from sync.webhooks.secret import spellings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sync.delivery.configuration import Armed
    from sync.webhooks.messages import Message

LIMIT = 20.0
"""Seconds for one whole attempt."""
_ANSWER_LIMIT = 16 * 1024
_SHOWN = 200
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
    said: str = ""
    asked: float | None = None
    slow: bool = False

    @property
    def taken(self) -> bool:
        """Whether the message was taken."""
        return self.status in OK

    @property
    def in_words(self) -> str:
        """Say it on one line."""
        return f"{self.status or 'no answer'}: {self.said}" if self.said else str(self.status or "no answer")

    @property
    def gone(self) -> bool:
        """Whether the endpoint wants to hear no more."""
        return self.status == _GONE


def send(
    armed: Armed,
    message: Message,
    now: datetime,
    *,
    ca_bundle: str | None = None,
    limit: float = LIMIT,
    allowed: Callable[[str], bool] = is_allowed,
) -> Reply:
    """Try once to deliver a message; whatever goes wrong is an answer, too.

    Args:
        armed: to whom.
        message: its body is sent byte for byte as it was signed.
        now: the time of this attempt, UTC.
        ca_bundle: certificate authorities to trust instead of the built-in ones.
        limit: seconds for all of it.
        allowed: asked with the address that the connection led to.
    """
    url = armed.endpoint.url
    headers = {"content-type": "application/json", **signed(message, armed.secrets, now)}
    hidden = [*(form for secret in armed.secrets for form in spellings(secret)), url, url.removeprefix(origin(url))]
    try:
        answer = post(
            url, message.body, headers, limit=limit, trust=trust(url, None, ca_bundle), allowed=allowed, read=_ANSWER_LIMIT
        )
    except PermissionError:
        return Reply(None, "its name leads to a link-local address, where nothing is sent")
    except Exception as failure:  # noqa: BLE001 - it stands in `webhooks list`, and is tried again
        return Reply(None, _why(failure), slow=_took_too_long(failure))
    if answer.status in OK:
        return Reply(answer.status)
    asked = retry_after(answer.headers.get("retry-after"), now)
    said = Redactor(hidden).of_a_part(answer.body.decode("utf-8", "replace"))
    return Reply(answer.status, _shown(said), asked, slow=answer.status in OVERLOADED)


def signed(message: Message, secrets: Sequence[str], now: datetime) -> dict[str, str]:
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


def _why(failure: Exception) -> str:
    from sync.endpoint.transport_failure import in_plain_words

    return in_plain_words(failure)


def _took_too_long(failure: Exception) -> bool:
    return isinstance(failure, TimeoutError) or "Timeout" in type(failure).__name__


def _shown(text: str) -> str:
    """Keep of an answer what can be shown on one line: a stranger wrote it."""
    return "".join(char if char.isprintable() else " " for char in " ".join(text.split()))[:_SHOWN]
