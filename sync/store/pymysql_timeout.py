"""A MariaDB connection on which nothing is waited for for ever, and that reads what this program wrote through another node."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pymysql
from pymysql.connections import Connection


class TimeoutConnection(Connection):  # type: ignore[misc] # it ships no types
    """As PyMySQL's own, with a `limit`, in seconds, for every wait for an answer; None: as long as it takes.

    Attributes:
        in_a_cluster: whether it goes to a node of a Galera cluster.
    """

    def __init__(self, **options: Any) -> None:
        """Connect. PyMySQL's `connect_timeout` covers TCP alone: the handshake is read as everything else, so briefly at first.

        Raises:
            pymysql.Error: it could not be connected.
        """
        super().__init__(**{**options, "read_timeout": options["connect_timeout"]})
        self.in_a_cluster = False
        with suppress(pymysql.Error), self.cursor() as cursor:  # not every build knows the word
            cursor.execute("SELECT @@wsrep_on")
            self.in_a_cluster = bool(cursor.fetchone()[0])
            if self.in_a_cluster:
                cursor.execute("SET SESSION wsrep_sync_wait = @@wsrep_sync_wait | 1")

    @property
    def limit(self) -> float | None:
        """How long an answer may take."""
        found: float | None = self._read_timeout
        return found

    @limit.setter
    def limit(self, seconds: float | None) -> None:
        self._read_timeout = seconds  # it is looked at before each read
