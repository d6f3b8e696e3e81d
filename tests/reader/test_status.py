"""Whether the last success is stale."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync.reader.status import is_stale

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("seconds_ago", "stale"), [
    (0, False), (3600, False), (3601, True),
    (-2, False),     # the clocks of two hosts differ
    (-60, False),
    (-61, True),     # dated by a clock that was ahead, so its age is unknown
    (-86400, True), (None, True),
])  # fmt: skip
def test_a_success_is_fresh_within_the_budget_and_stale_in_the_future(seconds_ago: float | None, stale: bool) -> None:  # noqa: FBT001
    assert is_stale(None if seconds_ago is None else NOW - timedelta(seconds=seconds_ago), NOW, 3600.0) is stale
