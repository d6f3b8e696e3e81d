"""A psycopg connection with a read timeout.

psycopg has none, and the timeouts of the server do not cover a frozen pooler or proxy, nor a COMMIT that waits for a
synchronous standby.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Generator


class TimeoutConnection(psycopg.Connection[Any]):
    """A psycopg connection that is closed if an answer takes longer than `limit` seconds; None: no limit."""

    limit: float | None = None

    def wait(self, gen: Generator[Any, Any, Any], *arguments: Any, **options: Any) -> Any:
        """Wait as psycopg does, and check the clock each time it wakes, ten times a second.

        Raises:
            psycopg.OperationalError: no answer came within the limit.
        """
        if self.limit is None:
            return super().wait(gen, *arguments, **options)
        return super().wait(self._limited(gen, time.monotonic() + self.limit), *arguments, **options)

    def _limited(self, gen: Generator[Any, Any, Any], ends: float) -> Generator[Any, Any, Any]:
        answer = None
        while True:
            try:
                wanted = gen.send(answer)
            except StopIteration as done:
                return done.value
            answer = yield wanted
            if not answer and time.monotonic() > ends:
                self.pgconn.finish()
                raise psycopg.OperationalError(f"no response for {self.limit:g} s; the connection was closed")
