"""A receiver of webhooks, with the standard library and `pip install standardwebhooks`.

    WEBHOOK_SECRET=whsec_... python examples/webhook_receiver.py 8000

It verifies the signature over the received bytes before it parses them, stores the ids of messages so that a repeated message
is processed once, and responds with success only after the message is processed.
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
"""Maximum bytes of a message; those of a whole run are the largest."""


class Receiver(HTTPServer):
    """Processes one message at a time, in order."""

    def __init__(self, port: int, secret: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.webhook = Webhook(secret)
        self.seen: set[str] = set()  # store these with your data, in the same transaction


class Handler(BaseHTTPRequestHandler):
    """One message."""

    server: Receiver
    timeout = 20  # seconds; an idle connection must not block others

    def do_POST(self) -> None:
        """Verify the message, process it, respond."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST:
            self.answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        body = self.rfile.read(int(length))
        try:
            self.server.webhook.verify(body, dict(self.headers), json_parse=False)
        except (WebhookVerificationError, binascii.Error, ValueError):
            # Malformed signatures raise the last two; without them any client could cause a status of 500.
            self.answer(HTTPStatus.UNAUTHORIZED)
            return
        message_id = self.headers["webhook-id"]
        if message_id not in self.server.seen:
            take(json.loads(body))
            self.server.seen.add(message_id)
        self.answer(HTTPStatus.NO_CONTENT)

    def answer(self, status: HTTPStatus) -> None:
        """Respond without a body."""
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Write no access log."""


def take(message: dict[str, object]) -> None:
    """Process a message; here it is printed. After an exception the response is an error, so the message is sent again."""
    data = message["data"]
    assert isinstance(data, dict)  # noqa: S101 - every signed message has an object
    changes = data.get("changes", [data])
    for change in changes:
        print(json.dumps([message["type"], change.get("kind"), change.get("template_id")]), flush=True)


def main() -> None:
    """Serve until stopped."""
    with Receiver(int(sys.argv[1]) if len(sys.argv) > 1 else 8000, os.environ["WEBHOOK_SECRET"]) as server:
        print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
