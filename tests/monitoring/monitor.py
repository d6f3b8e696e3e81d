"""A monitoring service on loopback that records the pings that it receives."""

from __future__ import annotations

from tests.hostile import Hostile, Reply, Request

OK = Reply(b"OK")


class Monitor(Hostile):
    """Send one reply to every ping; `pings` are their targets and texts."""

    def __init__(self, reply: Reply = OK) -> None:
        super().__init__(self._record)
        self.reply = reply
        self.pings: list[tuple[str, str]] = []

    def _record(self, request: Request) -> Reply:
        assert request.method == "POST"
        self.pings.append((request.target, request.body.decode()))
        return self.reply
