"""A dispatcher that is killed anywhere leaves nothing untold and nothing out of order: the next one sends again, or goes on."""

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
from tests.webhooks.receiver import SECRET, Clock, deliver_to, hasty

if TYPE_CHECKING:
    from datetime import datetime

    from sync.webhooks.sign_and_send import Message, Reply
    from tests.builders import Database
    from tests.webhooks.receiver import Receiver

SOME_AND_ALL = pytest.mark.parametrize(
    "step", [pytest.param(12, id="some", marks=pytest.mark.ci_slice), pytest.param(1, id="all", marks=pytest.mark.long)]
)


def deliver_and_die(url: str, to: str, number: int) -> None:
    """In a process of its own: make one pass, and be killed at the n-th boundary of its statements. Ends with 0 at its end."""
    engine = open_engine(url)
    at_boundary(engine, number, kill_myself)
    (visit,) = deliver_to(engine, SignedEndpoint(Endpoint("shop", to, (), start="start"), (SECRET,)))
    engine.dispose()
    raise SystemExit(0 if visit.result == "done" else 1)


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
        receiver.heard.clear()
        code = end_of(deliver_and_die, url, receiver.url, number)
        assert code in {0, -signal.SIGKILL}
        deliver_to(database.engine, receiver.signed_endpoint(start="start"))  # the claim of a dead process on this host is void
        firsts = list(dict.fromkeys(each.about for each in receiver.heard))
        assert firsts == ["1", "2", "3"], f"killed at boundary {number}"
        assert len({(each.id, each.body) for each in receiver.heard}) == 3
        assert len(receiver.heard) <= 4, "more than the one message in flight was sent again"
        if code == 0:
            break
        killed += 1
    assert killed > 20 / step


def take_and_die(url: str, to: str) -> None:
    """In a process of its own: send one message, and be killed when it was taken, before that is written down."""

    def send_and_die(target: SignedEndpoint, message: Message, now: datetime) -> Reply:
        hasty(target, message, now)
        kill_myself()
        raise AssertionError

    dispatcher = Dispatcher(open_engine(url), send_and_die, Clock(), lambda: 0.0)
    dispatcher.start_due([SignedEndpoint(Endpoint("shop", to, (), start="start"), (SECRET,))])
    dispatcher.join()


def test_killed_when_its_message_was_taken_it_is_sent_again_under_the_same_id(database: Database, receiver: Receiver) -> None:
    sync(records(2), database.engine)
    url = database.engine.url.render_as_string(hide_password=False)
    assert end_of(take_and_die, url, receiver.url) == -signal.SIGKILL
    deliver_to(database.engine, receiver.signed_endpoint(start="start"))
    assert [each.about for each in receiver.heard] == ["1", "1", "2"]
    assert receiver.ids[0] == receiver.ids[1]
