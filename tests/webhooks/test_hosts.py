"""Two hosts that are killed again and again, a receiver that does everything wrong in turn, and syncs that go on meanwhile."""

from __future__ import annotations

import json
import random
import time
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pytest

from sync.reader import feed
from sync.store.engine import open_engine
from sync.webhooks.configuration import SignedEndpoint
from sync.webhooks.dispatcher import Dispatcher
from sync.webhooks.endpoints import Endpoint
from sync.webhooks.outbox import positions
from sync.webhooks.sign_and_send import send
from tests.faults import PROCESSES, process, sync, tell, versioned, wait_for
from tests.webhooks.receiver import SECRET, YES, Heard, Receiver, answer

if TYPE_CHECKING:
    import socket
    import threading
    from collections.abc import Callable, Sequence

    from tests.builders import Database

__all__ = ["tell"]  # a fixture

SPEED = 100_000
"""Seconds of the deliverers' clock in one of ours: days of attempts in seconds."""
FAULTS = ("500", "429", "redirect", "cut", "hang", "lie", "nonsense")


def deliver_for_ever(url: str, to: str, per: str, began: float, stop: threading.Event) -> None:
    """In a process of its own: pass after pass, by a clock that runs fast."""
    engine = open_engine(url)

    def fast() -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=SPEED * (time.time() - began))

    dispatcher = Dispatcher(engine, lambda *attempt: send(*attempt, limit=0.3), fast, random.random)
    target = SignedEndpoint(Endpoint("shop", to, (), per=per, start="start"), (SECRET,))
    while not stop.is_set():
        dispatcher.start_due([target])
        dispatcher.join()
        time.sleep(0.005)
    engine.dispose()


class Moody:
    """Says yes to half of what comes, and else does one thing after another that a receiver should not do."""

    def __init__(self) -> None:
        self.dice = random.Random(1)  # noqa: S311 - the same moods each time
        self.taken: list[Heard] = []
        self.moods: set[str] = set()

    def __call__(self, connection: socket.socket, heard: Heard, over: threading.Event) -> None:
        mood = self.dice.choice(["yes"] * len(FAULTS) + list(FAULTS))
        self.moods.add(mood)
        if mood in {"yes", "lie"}:
            self.taken.append(heard)
        if mood == "hang":
            over.wait(0.5)
        elif mood != "cut":
            connection.sendall({
                "yes": YES,
                "500": answer(500),
                "429": answer(429, Retry_After="60"),
                "redirect": answer(307, Location="http://127.0.0.1:9/"),
                "lie": b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nx",
                "nonsense": b"\x00\xff\r\n\r\n",
            }[mood])  # fmt: skip


def messages_of(changes: Sequence[dict[str, Any]], per: str) -> dict[str, list[str]]:
    """Say which messages the feed comes to, in order: their ids, and the templates that each tells of."""
    if per == "change":
        return {f"tsc_{change['cursor']}": [change["template_id"]] for change in changes}
    runs = [list(told) for _run_id, told in groupby(changes, key=itemgetter("run_id"))]
    return {f"tsr_{told[-1]['cursor']}": [change["template_id"] for change in told] for told in runs}


def templates_in(heard: Heard, per: str) -> list[str]:
    data = json.loads(heard.body)["data"]
    return [each["template_id"] for each in (data["changes"] if per == "run" else [data])]


@pytest.mark.parametrize("per", [pytest.param("change", marks=pytest.mark.ci_slice), "run"])
@pytest.mark.parametrize("syncs", [pytest.param(3, id="some"), pytest.param(60, id="all", marks=pytest.mark.long)])
@pytest.mark.long_on_servers
def test_nothing_is_lost_or_out_of_order_and_every_attempt_has_its_messages_id(
    database: Database, syncs: int, per: str, tell: Callable[[str], None]
) -> None:
    moody, dice = Moody(), random.Random(2)  # noqa: S311 - the same deaths each time
    url = database.engine.url.render_as_string(hide_password=False)
    with Receiver(moody) as receiver:
        arguments = (url, receiver.url, per, time.time(), PROCESSES.Event())
        sync(versioned(1), database.engine)
        deaths = 0
        for version in range(2, syncs + 2):
            with process(deliver_for_ever, *arguments), process(deliver_for_ever, *arguments):
                seen = len(receiver.heard)
                assert sync(versioned(version), database.engine).error is None
                wanted = dice.randrange(1, 6) if per == "change" else 1
                wait_for(lambda seen=seen, wanted=wanted: len(receiver.heard) >= seen + wanted, within=60)  # type: ignore[misc]
            deaths += 2  # wherever they are, at the end of the block
        with process(deliver_for_ever, *arguments):
            wait_for(lambda: positions(database.engine)[0].at_end, within=60)
    expected = messages_of(feed.changes(database.engine, since=0), per)
    ids = list(expected)
    assert list(dict.fromkeys(receiver.ids)) == ids, "something is lost, or was sent before what it follows"
    assert list(dict.fromkeys(each.id for each in moody.taken)) == ids
    assert {each.id: templates_in(each, per) for each in receiver.heard} == expected
    assert len({(each.id, each.body) for each in receiver.heard}) == len(ids)
    assert moody.moods >= ({"yes"} if syncs < 20 else {"yes", *FAULTS})
    counted = f"{len(ids)} messages, {len(receiver.heard)} attempts, {deaths} deaths"
    tell(f"{database.kind}, one message a {per}: {counted}, in order, none lost")
