"""A PyMySQL connection with a read timeout; on a Galera cluster it reads what this program wrote through another node."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pymysql
from pymysql.connections import Connection


class TimeoutConnection(Connection):  # type: ignore[misc] # PyMySQL ships no types
    """A PyMySQL connection with a `limit`, in seconds, for each read; None: no limit.

    Attributes:
        in_a_cluster: whether the server is a node of a Galera cluster.
    """

    def __init__(self, **options: Any) -> None:
        """Connect, with the connect timeout for the handshake too: PyMySQL applies it to TCP only.

        Raises:
            pymysql.Error: the connection failed.
        """
        super().__init__(**{**options, "read_timeout": options["connect_timeout"]})
        self.in_a_cluster = False
        with suppress(pymysql.Error), self.cursor() as cursor:  # servers without Galera do not know this variable
            cursor.execute("SELECT @@wsrep_on")
            self.in_a_cluster = bool(cursor.fetchone()[0])
            if self.in_a_cluster:
                cursor.execute("SET SESSION wsrep_sync_wait = @@wsrep_sync_wait | 1")

    @property
    def limit(self) -> float | None:
        """Return the read timeout in seconds."""
        found: float | None = self._read_timeout
        return found

    @limit.setter
    def limit(self, seconds: float | None) -> None:
        self._read_timeout = seconds  # PyMySQL applies it before each read
