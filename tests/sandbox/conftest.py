"""A sandbox of 45 templates, and a client with its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from sync.sandbox.catalog import make_catalog
from sync.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(make_catalog(45)) as serving:
        yield serving


def client_of(sandbox: Sandbox) -> httpx.Client:
    return httpx.Client(base_url=sandbox.url, headers={"x-api-key": sandbox.key}, trust_env=False)


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with client_of(sandbox) as speaking:
        yield speaking
