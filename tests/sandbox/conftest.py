"""A client with the key of the sandbox that a test module defines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from sync.sandbox.server import SANDBOX_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sync.sandbox.server import Sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sandbox.url, headers={"x-api-key": SANDBOX_KEY}, trust_env=False) as speaking:
        yield speaking
