"""A dispatcher killed at any statement loses no message and no order: the next one continues, or sends a message again.

Also two that are killed again and again, with a receiver that has every fault, and runs meanwhile.
"""

from __future__ import annotations

import itertools
import json
import random
import signal
import time
from dataclasses import replace
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
from tests.builders import records
from tests.faults import Snapshot, at_boundary, exit_code_of, kill_this_process, process, sync, versioned, wait_for
from tests.hostile import NO_REPLY, Reply
from tests.webhooks.receiver import ACCEPTED, SECRET, Clock, Receiver, about, deliver_to, id_of, response, send_once

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sync.webhooks.sign_and_send import Message
    from sync.webhooks.sign_and_send import Reply as Result
    from tests.builders import Database
    from tests.hostile import Request

SOME_AND_ALL = pytest.mark.parametrize(
    "step", [pytest.param(12, id="some", marks=pytest.mark.ci_slice), pytest.param(1, id="all", marks=pytest.mark.long)]
)


def deliver_and_be_killed(url: str, to: str, number: int) -> None:
    """Deliver once, until this process is killed at the n-th boundary; exit with 0 at the end. The target of a process."""
    engine = open_engine(url)
    at_boundary(engine, number, kill_this_process)
    (result,) = deliver_to(engine, SignedEndpoint(Endpoint("shop", to, (), start="start"), (SECRET,)))
    engine.dispose()
    raise SystemExit(0 if result.result == "done" else 1)


@SOME_AND_ALL
@pytest.mark.long_on_servers
def test_a_dispatcher_killed_at_any_statement_and_run_again_sends_all_in_order(
    database: Database, receiver: Receiver, step: int
) -> None:
    sync(records(3), database.engine)
    before = Snapshot(database.engine)
    url, killed = database.engine.url.render_as_string(hide_password=False), 0
    for number in itertools.count(1, step):
        before.restore()
        database.engine.dispose()
        receiver.requests.clear()
        code = exit_code_of(deliver_and_be_killed, url, receiver.url, number)
        assert code in {0, -signal.SIGKILL}
        deliver_to(database.engine, receiver.signed_endpoint(start="start"))  # the claim of a dead process on this host is void
        firsts = list(dict.fromkeys(about(each) for each in receiver.requests))
        assert firsts == ["1", "2", "3"], f"killed at boundary {number}"
        assert len({(id_of(each), each.body) for each in receiver.requests}) == 3
        assert len(receiver.requests) <= 4, "messages that were not in flight were sent again"
        if code == 0:
            break
        killed += 1
    assert killed > 20 / step


def send_and_be_killed(url: str, to: str) -> None:
    """Send one message; this process is killed after its acceptance, before that is stored."""

    def send(target: SignedEndpoint, message: Message, now: datetime) -> Result:
        send_once(target, message, now)
        kill_this_process()
        raise AssertionError

    dispatcher = Dispatcher(open_engine(url), send, Clock(), lambda: 0.0)
    dispatcher.start_due([SignedEndpoint(Endpoint("shop", to, (), start="start"), (SECRET,))])
    dispatcher.join()


def test_a_message_accepted_before_the_kill_is_sent_again_with_the_same_id(database: Database, receiver: Receiver) -> None:
    sync(records(2), database.engine)
    url = database.engine.url.render_as_string(hide_password=False)
    assert exit_code_of(send_and_be_killed, url, receiver.url) == -signal.SIGKILL
    deliver_to(database.engine, receiver.signed_endpoint(start="start"))
    assert receiver.abouts == ["1", "1", "2"]
    assert receiver.ids[0] == receiver.ids[1]


# Repeated kills -------------------------------------------------------------------------------------------------------

SPEED = 100_000
"""Seconds of the dispatchers' clock in one real second: days of attempts in seconds."""
FAULTS = ("500", "429", "redirect", "cut", "hang", "lie", "nonsense")


def deliver_repeatedly(url: str, to: str, per: str, began: float) -> None:
    """Deliver repeatedly, with a fast clock, until this process is killed.

    It shares no lock with other processes: one that is killed would keep it locked.
    """
    engine = open_engine(url)

    def fast() -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=SPEED * (time.time() - began))

    dispatcher = Dispatcher(engine, lambda *attempt: send(*attempt, limit=0.3), fast, random.random)
    target = SignedEndpoint(Endpoint("shop", to, (), per=per, start="start"), (SECRET,))
    while True:
        dispatcher.start_due([target])
        dispatcher.join()
        time.sleep(0.005)


class FaultyReceiver:
    """Accepts half of the requests, and answers the others with one of `FAULTS`."""

    def __init__(self) -> None:
        self.rng = random.Random(1)  # noqa: S311 - the same faults each time
        self.accepted: list[Request] = []
        self.answers: set[str] = set()

    def __call__(self, request: Request) -> Reply:
        answer = self.rng.choice(["accept"] * len(FAULTS) + list(FAULTS))
        self.answers.add(answer)
        if answer in {"accept", "lie"}:
            self.accepted.append(request)
        return {
            "accept": ACCEPTED,
            "500": response(500),
            "429": response(429, Retry_After="60"),
            "redirect": response(307, Location="http://127.0.0.1:9/"),
            "cut": NO_REPLY,
            "hang": replace(NO_REPLY, hold=0.5),
            "lie": Reply(b"x", length=1_000_000, end="close"),
            "nonsense": Reply(raw=b"\x00\xff\r\n\r\n", end="close"),
        }[answer]


def messages_of(changes: Sequence[dict[str, Any]], per: str) -> dict[str, list[str]]:
    """Return the messages of the feed, in order: their ids, and the templates of each."""
    if per == "change":
        return {f"tsc_{change['cursor']}": [change["template_id"]] for change in changes}
    runs = [list(group) for _run_id, group in groupby(changes, key=itemgetter("run_id"))]
    return {f"tsr_{run[-1]['cursor']}": [change["template_id"] for change in run] for run in runs}


def templates_in(request: Request, per: str) -> list[str]:
    data = json.loads(request.body)["data"]
    return [each["template_id"] for each in (data["changes"] if per == "run" else [data])]


@pytest.mark.parametrize("per", [pytest.param("change", marks=pytest.mark.ci_slice), "run"])
@pytest.mark.parametrize("syncs", [pytest.param(3, id="some"), pytest.param(60, id="all", marks=pytest.mark.long)])
@pytest.mark.long_on_servers
def test_no_message_is_lost_or_out_of_order_and_every_attempt_has_the_id_of_its_message(
    database: Database, syncs: int, per: str, report: Callable[[str], None]
) -> None:
    faulty, rng = FaultyReceiver(), random.Random(2)  # noqa: S311 - the same kills each time
    url = database.engine.url.render_as_string(hide_password=False)
    with Receiver(faulty) as receiver:
        arguments = (url, receiver.url, per, time.time())
        sync(versioned(1), database.engine)
        kills = 0
        for version in range(2, syncs + 2):
            with process(deliver_repeatedly, *arguments), process(deliver_repeatedly, *arguments):
                seen = len(receiver.requests)
                assert sync(versioned(version), database.engine).error is None
                minimum = rng.randrange(1, 6) if per == "change" else 1
                wait_for(
                    lambda seen=seen, minimum=minimum: len(receiver.requests) >= seen + minimum,  # type: ignore[misc]
                    within=60,
                    state=lambda: (version, positions(database.engine), database.rows("webhook_endpoints")),  # noqa: B023
                )
            kills += 2  # at the end of the block
        with process(deliver_repeatedly, *arguments):
            wait_for(lambda: positions(database.engine)[0].at_end, 60, lambda: database.rows("webhook_endpoints"))
    expected = messages_of(feed.changes(database.engine, since=0), per)
    ids = list(expected)
    assert list(dict.fromkeys(receiver.ids)) == ids, "a message is lost, or was sent before its predecessor"
    assert list(dict.fromkeys(id_of(each) for each in faulty.accepted)) == ids
    assert {id_of(each): templates_in(each, per) for each in receiver.requests} == expected
    assert len({(id_of(each), each.body) for each in receiver.requests}) == len(ids)
    assert faulty.answers >= ({"accept"} if syncs < 20 else {"accept", *FAULTS})
    counted = f"{len(ids)} messages, {len(receiver.requests)} attempts, {kills} kills"
    report(f"{database.kind}, one message a {per}: {counted}, in order, none lost")
