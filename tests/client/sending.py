"""Shared by the tests of the API client: a key, a valid response, and functions that send requests."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from sync.client.api_client import ApiClient
from sync.errors import SyncError
from tests.builders import HASTY, QUICK, make_settings, record
from tests.hostile import Hostile, Reply, one_after_another, success

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sync.client.api_client import Params
    from sync.client.response import Envelope


KEY = "ak_TheKeyThatMustGoNowhereElse00000"
PAGES: list[Params] = [{"page": page, "page_size": 50} for page in range(1, 7)]
PAGE = PAGES[0]
RECORD = record("1", ConsumeItems=[])
WIRE = json.dumps(RECORD).encode()
GOOD = success([RECORD])


@contextmanager
def open_client(url: str, **settings: Any) -> Iterator[ApiClient]:
    how = {"retry_policy": settings.pop("retry_policy", HASTY), "timeouts": settings.pop("timeouts", QUICK)}
    with ApiClient(make_settings(url, **settings), KEY, **how, random=lambda: 0.5) as endpoint:
        yield endpoint


def endpoint_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "endpoint"]


def send_request(server: Hostile, **settings: Any) -> Envelope:
    with open_client(server.url, **settings) as endpoint:
        return endpoint.get(PAGE)


def error_of(*replies: Reply, **settings: Any) -> tuple[SyncError, int]:
    """Send a request to a server with these replies; return the error and the number of requests."""
    with Hostile(one_after_another(*replies)) as server:
        with pytest.raises(SyncError) as caught:
            send_request(server, **settings)
        return caught.value, len(server.requests)
