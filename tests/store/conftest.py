"""Databases of one kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import SERVERS, fresh

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.builders import Database


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, migrated: dict[str, str], tmp_path: Path) -> Iterator[Database]:
    """Each server in turn."""
    yield from fresh(request.param, migrated, tmp_path)


@pytest.fixture
def postgresql(migrated: dict[str, str], tmp_path: Path) -> Iterator[Database]:
    """PostgreSQL alone: only there can a trigger, or SERIALIZABLE, be made to refuse a COMMIT."""
    yield from fresh("postgresql", migrated, tmp_path)
