"""A receiver of this program's webhooks: the standard library, and `pip install standardwebhooks`.

    WEBHOOK_SECRET=whsec_... python examples/webhook_receiver.py 8000

It checks the signature of the body's exact bytes before it reads them, notes ids so that a message which comes twice counts once,
and says yes when it has done what it had to do, not before.
"""

from __future__ import annotations

import binascii
import json
import os
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

LARGEST = 4 * 2**20
"""Bytes. A message that tells of a whole run is the largest."""


class Receiver(HTTPServer):
    """Takes one message at a time, in order."""

    def __init__(self, port: int, secret: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.webhook = Webhook(secret)
        self.seen: set[str] = set()  # keep these where your data is, and write both in one transaction


class Handler(BaseHTTPRequestHandler):
    """One message."""

    server: Receiver
    timeout = 20  # seconds; a stranger who says nothing must not keep everybody else out

    def do_POST(self) -> None:
        """Check it, do what it is for, say yes."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST:
            self.answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        body = self.rfile.read(int(length))
        try:
            self.server.webhook.verify(body, dict(self.headers), json_parse=False)
        except (WebhookVerificationError, binascii.Error, ValueError):
            # The last two are what a malformed signature raises: without them any stranger makes this answer 500.
            self.answer(HTTPStatus.UNAUTHORIZED)
            return
        message_id = self.headers["webhook-id"]
        if message_id not in self.server.seen:
            take(json.loads(body))
            self.server.seen.add(message_id)
        self.answer(HTTPStatus.NO_CONTENT)

    def answer(self, status: HTTPStatus) -> None:
        """Answer without a body."""
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Keep no access log."""


def take(message: dict[str, object]) -> None:
    """Do what the message is for; here it is printed. What raises makes the answer no yes, so it comes again."""
    data = message["data"]
    assert isinstance(data, dict)  # noqa: S101 - it is, whoever signed it
    told = data.get("changes", [data])
    for change in told:
        print(json.dumps([message["type"], change.get("kind"), change.get("template_id")]), flush=True)


def main() -> None:
    """Serve until stopped."""
    with Receiver(int(sys.argv[1]) if len(sys.argv) > 1 else 8000, os.environ["WEBHOOK_SECRET"]) as server:
        print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
