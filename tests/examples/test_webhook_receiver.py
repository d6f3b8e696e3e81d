"""The example receiver accepts each message of the program once, and refuses messages of others."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from sync.client.http import send
from sync.client.network import Network
from sync.webhooks.configuration import SignedEndpoint
from sync.webhooks.endpoints import Endpoint
from sync.webhooks.sign_and_send import Message, sign
from tests.builders import records
from tests.command_line import environment
from tests.faults import real_clock, sync
from tests.webhooks.receiver import OTHER, SECRET, deliver_to

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.builders import Database

EXAMPLE = Path(__file__).parents[2] / "examples" / "webhook_receiver.py"
MESSAGE = Message("tsc_x-9-y", "template.added", "", b'{"type": "template.added", "data": {"kind": "added", "template_id": "9"}}')


@contextmanager
def receiver() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLE), "0"], env=environment(WEBHOOK_SECRET=SECRET), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[-1], process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def post(url: str, headers: dict[str, str]) -> int:
    return send("POST", url, headers, MESSAGE.body, network=Network(), limit=10, most=lambda _status: 0).status


def test_the_receiver_accepts_each_message_once_and_refuses_invalid_signatures(sqlite: Database) -> None:
    sync(records(2), sqlite.engine)
    now = datetime.now(UTC)
    valid = sign(MESSAGE, [SECRET], now)
    refused = [
        {},
        sign(MESSAGE, [OTHER], now),
        sign(MESSAGE, [SECRET], now - timedelta(hours=1)),
        valid | {"webhook-signature": "nonsense"},
        valid | {"webhook-signature": "v1,xx"},
        valid | {"webhook-timestamp": "soon"},
    ]
    with receiver() as (url, process):
        statuses = [post(url, headers) for headers in refused]
        assert statuses == [401] * len(refused)
        assert [post(url, valid) for _ in range(2)] == [204, 204]
        for per in ("change", "run"):
            endpoint = Endpoint(per, url, (), per=per, start="start")
            assert [
                each.result for each in deliver_to(sqlite.engine, SignedEndpoint(endpoint, (OTHER, SECRET)), clock=real_clock)
            ] == ["done"]
        process.terminate()
        output = process.stdout.read() if process.stdout else ""
    assert output.splitlines() == [
        '["template.added", "added", "9"]',
        '["template.added", "added", "1"]',
        '["template.added", "added", "2"]',
        '["catalog.changed", "added", "1"]',
        '["catalog.changed", "added", "2"]',
    ]
