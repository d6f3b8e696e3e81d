"""PURE. The wall clock watched against the monotonic one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

JUMP = 5.0
"""Seconds by which the wall clock may drift from the monotonic one between two looks before it counts as a jump."""


@dataclass(slots=True)
class Clocks:
    """The wall clock watched against the monotonic one: only the difference of the two shows a jump or a suspend."""

    wall: datetime
    monotonic: float

    def jumped(self, wall: datetime, monotonic: float) -> timedelta | None:
        """Look again; give by how much the wall clock jumped since the last look, None if it did not."""
        jump = (wall - self.wall).total_seconds() - (monotonic - self.monotonic)
        self.wall, self.monotonic = wall, monotonic
        return timedelta(seconds=jump) if abs(jump) > JUMP else None
