"""A dispatcher killed at any statement loses no message and no order: the next one continues, or sends a message again."""

from __future__ import annotations

import itertools
import signal
from typing import TYPE_CHECKING

import pytest

from sync.store.engine import open_engine
from sync.webhooks.configuration import SignedEndpoint
from sync.webhooks.dispatcher import Dispatcher
from sync.webhooks.endpoints import Endpoint
from tests.builders import records
from tests.faults import Snapshot, at_boundary, end_of, kill_myself, sync
from tests.webhooks.receiver import SECRET, Clock, deliver_to, send_once

if TYPE_CHECKING:
    from datetime import datetime

    from sync.webhooks.sign_and_send import Message, Reply
    from tests.builders import Database
    from tests.webhooks.receiver import Receiver

SOME_AND_ALL = pytest.mark.parametrize(
    "step", [pytest.param(12, id="some", marks=pytest.mark.ci_slice), pytest.param(1, id="all", marks=pytest.mark.long)]
)


def deliver_and_die(url: str, to: str, number: int) -> None:
    """In a process of its own: deliver once, killed at the n-th boundary of its statements; exit with 0 at the end."""
    engine = open_engine(url)
    at_boundary(engine, number, kill_myself)
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
        code = end_of(deliver_and_die, url, receiver.url, number)
        assert code in {0, -signal.SIGKILL}
        deliver_to(database.engine, receiver.signed_endpoint(start="start"))  # the claim of a dead process on this host is void
        firsts = list(dict.fromkeys(each.about for each in receiver.requests))
        assert firsts == ["1", "2", "3"], f"killed at boundary {number}"
        assert len({(each.id, each.body) for each in receiver.requests}) == 3
        assert len(receiver.requests) <= 4, "more than the one message in flight was sent again"
        if code == 0:
            break
        killed += 1
    assert killed > 20 / step


def send_and_die(url: str, to: str) -> None:
    """In a process of its own: send one message, killed after its acceptance and before that is stored."""

    def send(target: SignedEndpoint, message: Message, now: datetime) -> Reply:
        send_once(target, message, now)
        kill_myself()
        raise AssertionError

    dispatcher = Dispatcher(open_engine(url), send, Clock(), lambda: 0.0)
    dispatcher.start_due([SignedEndpoint(Endpoint("shop", to, (), start="start"), (SECRET,))])
    dispatcher.join()


def test_a_message_accepted_before_the_kill_is_sent_again_with_the_same_id(database: Database, receiver: Receiver) -> None:
    sync(records(2), database.engine)
    url = database.engine.url.render_as_string(hide_password=False)
    assert end_of(send_and_die, url, receiver.url) == -signal.SIGKILL
    deliver_to(database.engine, receiver.signed_endpoint(start="start"))
    assert receiver.abouts == ["1", "1", "2"]
    assert receiver.ids[0] == receiver.ids[1]
