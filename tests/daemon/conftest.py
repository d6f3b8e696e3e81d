"""What the tests with a daemon process share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import records
from tests.daemons import Upstream

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """Serve a catalog of three."""
    with Upstream(records(3)) as server:
        yield server
