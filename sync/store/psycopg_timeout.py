"""A PostgreSQL connection on which nothing is waited for for ever.

psycopg has no time-out for reading. The server's own end a statement, but not the wait for an answer that never comes: from a
pooler or a proxy that is frozen while its kernel still acknowledges, or from a COMMIT that waits for a synchronous standby, which
no time-out of the server's ends at all.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Generator


class TimeoutConnection(psycopg.Connection[Any]):
    """As psycopg's own, and closed where an answer takes longer than `limit`, in seconds; None: as long as it takes."""

    limit: float | None = None

    def wait(self, gen: Generator[Any, Any, Any], *arguments: Any, **options: Any) -> Any:
        """Wait as psycopg does, and look at the clock whenever it wakes, which it does ten times a second.

        Raises:
            psycopg.OperationalError: the limit is over.
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
