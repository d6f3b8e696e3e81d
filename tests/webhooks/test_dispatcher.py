"""Delivery: in order, at least once, each endpoint independently; and the daemon's delivery loop."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from sync.errors import ConfigurationError, LeaseBusy, UsageError
from sync.monitoring.metrics import Metrics
from sync.store.prune import prune
from sync.webhooks import sign_and_send
from sync.webhooks.configuration import SignedEndpoint
from sync.webhooks.dispatcher import Dispatcher, DispatchLoop
from sync.webhooks.endpoints import Endpoint, Rules
from sync.webhooks.outbox import claim_endpoint, positions, resume
from tests.builders import record, records
from tests.daemons import DaemonProcess, Upstream, until
from tests.faults import Snapshot, sync
from tests.hostile import Reply
from tests.webhooks.receiver import ACCEPTED, SECRET, Clock, Receiver, about, deliver_to, id_of, respond, response, send_once

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sync.webhooks.dispatcher import DeliveryResult
    from sync.webhooks.endpoints import Position
    from sync.webhooks.sign_and_send import Message
    from tests.builders import Database
    from tests.hostile import Request

pytestmark = pytest.mark.long_on_servers


def only(database: Database) -> Position:
    (found,) = positions(database.engine)
    return found


def delivered(database: Database, target: SignedEndpoint, clock: Clock | None = None) -> list[tuple[str, int]]:
    """Deliver once; return the result and the number of accepted messages of each delivery."""
    return [(each.result, each.messages) for each in deliver_to(database.engine, target, clock=clock)]


def dispatcher_of(database: Database, results: list[DeliveryResult], send: Any = send_once) -> Dispatcher:
    return Dispatcher(database.engine, send, Clock(), lambda: 0.0, results.append)


def test_an_endpoint_that_begins_at_the_end_gets_each_later_change_once(database: Database, receiver: Receiver) -> None:
    target = receiver.signed_endpoint()
    for count, expected in ((0, []), (2, []), (4, [("done", 2)]), (4, [])):  # the first run fills the feed, and is not sent
        if count:
            sync(records(count), database.engine)
        assert delivered(database, target) == expected
    assert receiver.abouts == ["3", "4"]
    assert (only(database).at_end, only(database).last_status, only(database).behind) == (True, 204, 0)


def test_a_failed_message_is_retried_with_its_id_and_later_ones_follow_in_order(database: Database, receiver: Receiver) -> None:
    clock, target = Clock(), receiver.signed_endpoint(start="start")
    sync(records(1), database.engine)
    receiver.behave = respond(500, b"database down")
    (first,) = deliver_to(database.engine, target, clock=clock)
    assert (first.result, first.error) == ("failed", "500: database down")
    began = clock.now
    assert delivered(database, target, clock) == []  # not yet
    for seconds in (5, 300):
        sync(records(2), database.engine)
        clock.later(seconds=seconds - 1)
        assert delivered(database, target, clock) == []
        clock.later(seconds=1)
        assert delivered(database, target, clock) == [("failed", 0)]
    state = only(database)
    assert (state.attempts, state.failing_since, state.behind, state.last_answer) == (3, began, 2, "database down")
    receiver.behave = None
    clock.later(hours=1)
    assert delivered(database, target, clock) == [("done", 2)]
    assert len(set(receiver.ids[:4])) == 1
    assert len({each.headers["webhook-signature"] for each in receiver.requests[:4]}) == 4  # at the time of the attempt
    assert len({each.body for each in receiver.requests[:4]}) == 1
    assert receiver.abouts == ["1", "1", "1", "1", "2"]
    assert (only(database).attempts, only(database).failing_since, only(database).next_attempt_at) == (0, None, None)


def test_retry_after_postpones_the_next_attempt(sqlite: Database, receiver: Receiver) -> None:
    clock, target = Clock(), receiver.signed_endpoint(start="start")
    sync(records(1), sqlite.engine)
    receiver.behave = respond(429, Retry_After="7200")
    deliver_to(sqlite.engine, target, clock=clock)
    clock.later(seconds=7199)
    assert delivered(sqlite, target, clock) == []
    clock.later(seconds=1)
    assert delivered(sqlite, target, clock) == [("failed", 0)]


def test_an_endpoint_that_hangs_delays_neither_a_run_nor_another_endpoint(database: Database) -> None:
    reached, continues = threading.Event(), threading.Event()

    def hang(_request: Request) -> Reply:
        reached.set()
        continues.wait(30)
        return ACCEPTED

    with Receiver(hang) as slow, Receiver() as fast:
        sync(records(1), database.engine)
        endpoints = [slow.signed_endpoint("slow", start="start"), fast.signed_endpoint("fast", start="start")]
        fast_ended = threading.Event()
        dispatcher = Dispatcher(
            database.engine, send_once, Clock(), lambda: 0.0, lambda result: fast_ended.set() if result.name == "fast" else None
        )
        dispatcher.start_due(endpoints)
        assert reached.wait(10)
        for count in (2, 3):
            assert fast_ended.wait(10)
            fast_ended.clear()
            assert sync(records(count), database.engine).error is None
            while not fast_ended.is_set():  # its last delivery may not have ended
                dispatcher.start_due(endpoints)
                fast_ended.wait(0.01)
        assert fast.abouts == ["1", "2", "3"]
        assert len(slow.requests) == 1
        continues.set()
        assert dispatcher.join(30.0)
        assert slow.abouts == ["1", "2", "3"]


def test_an_endpoint_that_answers_410_is_paused_until_it_is_resumed(database: Database, receiver: Receiver) -> None:
    target = receiver.signed_endpoint(start="start")
    sync(records(2), database.engine)
    receiver.behave = respond(410)
    assert delivered(database, target) == [("paused", 0)]
    assert delivered(database, target) == []
    assert (only(database).paused, only(database).behind) == ("gone", 2)
    receiver.behave = None
    assert "resumes with template.added of template 1" in resume(database.engine, target.endpoint)
    assert delivered(database, target) == [("done", 2)]
    assert receiver.abouts == ["1", "1", "2"]


def test_a_message_that_is_always_refused_blocks_its_endpoint_until_it_is_skipped(sqlite: Database, receiver: Receiver) -> None:
    clock, target = Clock(), receiver.signed_endpoint(start="start", rules=Rules(ids=frozenset({"2", "3"})))
    sync(records(3), sqlite.engine)
    receiver.behave = lambda request: response(400) if about(request) == "2" else ACCEPTED
    for _ in range(12):
        deliver_to(sqlite.engine, target, clock=clock)
        clock.later(hours=25)
    assert set(receiver.abouts) == {"2"}
    assert only(sqlite).attempts == 12
    sentence = resume(sqlite.engine, target.endpoint, skip=True)
    assert "skips template.added of template 2" in sentence
    assert receiver.ids[0] in sentence
    deliver_to(sqlite.engine, target, clock=clock)
    assert receiver.abouts[12:] == ["3"]
    assert only(sqlite).at_end


def test_an_endpoint_whose_position_was_pruned_is_paused_as_lost(database: Database, receiver: Receiver) -> None:
    clock, target = Clock(), receiver.signed_endpoint(start="start")
    sync(records(1), database.engine)
    receiver.behave = respond(500)
    deliver_to(database.engine, target, clock=clock)
    for count in (2, 3):
        sync(records(count), database.engine)
    prune(database.engine, before=None, keep_runs=1)
    receiver.behave = None
    clock.later(hours=1)
    assert delivered(database, target, clock) == [("paused", 0)]
    assert only(database).paused == "lost:pruned"
    assert delivered(database, target, clock) == []
    assert receiver.abouts == ["1"]
    assert "resumes at the end of the feed" in resume(database.engine, target.endpoint)
    sync(records(4), database.engine)
    deliver_to(database.engine, target, clock=clock)
    assert receiver.abouts == ["1", "4"]


def test_after_a_restored_backup_new_changes_have_other_message_ids(database: Database, receiver: Receiver) -> None:
    target = receiver.signed_endpoint(start="start")
    sync(records(1), database.engine)
    deliver_to(database.engine, target)
    backup = Snapshot(database.engine)
    sync([*records(1), record("2")], database.engine)
    deliver_to(database.engine, target)
    backup.restore()
    sync([*records(1), record("3")], database.engine)
    deliver_to(database.engine, target)
    assert receiver.abouts == ["1", "2", "3"]
    assert [message_id.split("-")[1] for message_id in receiver.ids] == ["1", "2", "2"]
    assert len(set(receiver.ids)) == 3


def test_a_message_that_no_longer_matches_the_rules_is_not_retried(sqlite: Database, receiver: Receiver) -> None:
    clock = Clock()
    sync(records(2), sqlite.engine)
    receiver.behave = respond(500)
    deliver_to(sqlite.engine, receiver.signed_endpoint(start="start"), clock=clock)
    clock.later(hours=1)
    deliver_to(sqlite.engine, receiver.signed_endpoint(rules=Rules(kinds=frozenset({"removed"}))), clock=clock)
    state = only(sqlite)
    assert (state.at_end, state.attempts, state.failing_since, len(receiver.requests)) == (True, 0, None, 1)


def test_two_dispatchers_at_once_send_each_message_once_in_order(database: Database, receiver: Receiver) -> None:
    target = receiver.signed_endpoint(start="start")
    sync(records(1), database.engine)
    results: list[DeliveryResult] = []
    hosts = [dispatcher_of(database, results) for _ in range(2)]
    for count in range(2, 12):
        for host in hosts:
            host.start_due([target])
        sync(records(count), database.engine)
    for host in hosts:
        host.join()
    deliver_to(database.engine, target)
    assert receiver.abouts == [str(number) for number in range(1, 12)]
    assert {result.result for result in results} <= {"done", "busy"}


def test_an_unexpected_error_ends_one_delivery_which_is_retried_after_a_minute(sqlite: Database, receiver: Receiver) -> None:
    def broken(_target: SignedEndpoint, _message: Message, _now: object) -> Any:
        raise ZeroDivisionError("a secret")

    results: list[DeliveryResult] = []
    sync(records(1), sqlite.engine)
    clock = Clock()
    dispatcher = Dispatcher(sqlite.engine, broken, clock, lambda: 0.0, results.append)
    for seconds, deliveries in ((0, 1), (59, 1), (2, 2)):
        clock.later(seconds=seconds)
        dispatcher.start_due([receiver.signed_endpoint(start="start")])
        dispatcher.join()
        assert [(each.result, each.error) for each in results] == [
            ("broken", "Unexpected error: ZeroDivisionError.")
        ] * deliveries


@pytest.mark.parametrize("how", ["stop", "removed from the file"])
def test_no_further_message_is_sent_after_a_stop_or_once_the_endpoint_is_removed(
    sqlite: Database, receiver: Receiver, how: str
) -> None:
    sync(records(5), sqlite.engine)
    results: list[DeliveryResult] = []
    dispatcher = dispatcher_of(sqlite, results)

    def behave(request: Request) -> Reply:
        dispatcher.start_due([receiver.signed_endpoint(start="start")])  # unchanged
        if about(request) == "2":
            dispatcher.stop() if how == "stop" else dispatcher.start_due([])
        return ACCEPTED

    receiver.behave = behave
    dispatcher.start_due([receiver.signed_endpoint(start="start")])
    dispatcher.join()
    assert [(each.result, each.messages) for each in results] == [("stopped", 2)]
    assert only(sqlite).seq == 2


def test_an_endpoint_that_is_paused_or_not_due_is_sent_nothing(sqlite: Database, receiver: Receiver) -> None:
    """Another process may have changed the position since it was read."""
    target = receiver.signed_endpoint(start="start")
    sync(records(1), sqlite.engine)
    dispatcher = dispatcher_of(sqlite, [])
    dispatcher.set_endpoints([target])
    receiver.behave = respond(500)
    deliver_to(sqlite.engine, target)
    assert dispatcher.deliver(target).result == "waits"
    dispatcher.clock.later(hours=1)  # type: ignore[attr-defined]
    receiver.behave = respond(410)
    assert [dispatcher.deliver(target).result for _ in range(2)] == ["paused", "paused"]
    assert len(receiver.requests) == 2


def test_an_endpoint_in_delivery_or_without_a_position_cannot_be_resumed(sqlite: Database, receiver: Receiver) -> None:
    target = receiver.signed_endpoint()
    with pytest.raises(UsageError, match="no position yet"):
        resume(sqlite.engine, target.endpoint)
    sync(records(1), sqlite.engine)
    deliver_to(sqlite.engine, target)
    assert "no messages are pending" in resume(sqlite.engine, target.endpoint, skip=True)
    with claim_endpoint(sqlite.engine, "shop"), pytest.raises(LeaseBusy):
        resume(sqlite.engine, target.endpoint)


# The daemon -------------------------------------------------------------------------------------------------------------

FILE = '[[endpoint]]\nname = "{name}"\nurl = "{url}"\nsecret_env = "HOOK_SECRET"\n'


@pytest.mark.ci_slice
def test_the_daemon_delivers_while_another_endpoint_hangs_and_continues_after_a_restart(
    upstream: Upstream, tmp_path: Path
) -> None:
    with Receiver() as good, Receiver(lambda _request: Reply(hold=60)) as bad:
        (tmp_path / "hooks.toml").write_text(FILE.format(name="good", url=good.url) + FILE.format(name="bad", url=bad.url))
        variables = upstream.settings(
            SYNC_INTERVAL="0.3s", SYNC_HTTP_PORT="0", SYNC_WEBHOOKS_FILE="hooks.toml", HOOK_SECRET=SECRET, SYNC_LOG_LEVEL="debug",
            SYNC_GRACE="1s",
        )  # fmt: skip
        with DaemonProcess(tmp_path, variables) as daemon:
            daemon.wait_for("run_finished", count=2, status="succeeded")
            upstream.catalog = records(4)
            daemon.wait_for("webhook_delivered", endpoint="good", messages=1)
            until(lambda: bad.requests, "the endpoint that hangs")
            upstream.catalog = records(5)
            daemon.wait_for("webhook_delivered", count=2, endpoint="good")
            daemon.wait_for("run_finished", count=len(daemon.events("run_finished")) + 2)
            shown = until(lambda: _shown(daemon), "the figures of both")
            assert shown['template_sync_webhook_behind_changes{endpoint="bad"}'] == 2
            assert shown['template_sync_webhook_paused{endpoint="bad"}'] == 0
            assert shown['template_sync_webhook_messages_total{endpoint="good",result="taken"}'] == 2
            assert daemon.stop() == 0
            output = daemon.output
        bad.behave = None
        with closing(sqlite3.connect(tmp_path / "templates.db")) as raw, raw:  # on a slow machine the attempt timed out
            raw.execute("UPDATE webhook_endpoints SET next_attempt_at = NULL")
        upstream.catalog = records(6)
        with DaemonProcess(tmp_path, variables) as daemon:
            until(lambda: len(bad.accepted) == 3, "all pending messages")  # in one delivery, or in two with a run between them
            daemon.wait_for("webhook_delivered", endpoint="bad")
            daemon.wait_for("webhook_delivered", endpoint="good", messages=1)
            assert daemon.stop() == 0
            output += daemon.output
    assert good.abouts == list(map(about, bad.accepted)) == ["4", "5", "6"]
    assert id_of(bad.requests[0]) == id_of(bad.accepted[0])
    assert SECRET.removeprefix("whsec_") not in output
    assert "secret-path" not in output


def _shown(daemon: DaemonProcess) -> dict[str, float] | None:
    shown = daemon.metrics()
    caught_up = shown.get('template_sync_webhook_behind_changes{endpoint="good"}') == 0
    return shown if caught_up and shown.get('template_sync_webhook_behind_changes{endpoint="bad"}') == 2 else None


def test_a_broken_file_of_endpoints_is_reported_once_and_delivery_continues_when_it_is_corrected(sqlite: Database) -> None:
    polls: list[str] = []
    corrected = threading.Event()

    with Receiver(respond(400, b"what is this?")) as receiver:

        def endpoints() -> list[SignedEndpoint]:
            polls.append("poll")
            if len(polls) == 3:
                raise ZeroDivisionError("a secret")
            if not corrected.is_set():
                raise ConfigurationError(["SYNC_WEBHOOKS_FILE: not valid TOML."])
            return [receiver.signed_endpoint(start="start")]

        sync(records(1), sqlite.engine)
        metrics = Metrics("1", 2700.0)
        dispatcher = Dispatcher(sqlite.engine, send_once, Clock(), lambda: 0.0)
        dispatch_loop = DispatchLoop(dispatcher, endpoints=endpoints, metrics=metrics, poll_seconds=0.01)
        with capture_logs() as logs:
            dispatch_loop.start()
            until(lambda: len(polls) > 8, "some polls")
            corrected.set()
            until(lambda: [each for each in logs if each["event"] == "webhook_failed"], "an attempt")
            until(lambda: b'failing_since_timestamp_seconds{endpoint="shop"} 1.767' in metrics.text(), "its figures")
            dispatch_loop.close(10.0)
    assert [(each["event"], each["reason"]) for each in logs] == [
        ("webhooks_stand_still", "SYNC_WEBHOOKS_FILE: not valid TOML."),
        ("webhooks_stand_still", "Unexpected error: ZeroDivisionError."),
        ("webhooks_stand_still", "SYNC_WEBHOOKS_FILE: not valid TOML."),
        ("webhook_failed", "400: what is this?"),
    ]
    assert b'messages_total{endpoint="shop",result="failed"} 1.0' in metrics.text()
    metrics.observe_webhooks([])
    assert b'behind_changes{endpoint="shop"}' not in metrics.text()


def hanging_loop(database: Database, count: int) -> tuple[DispatchLoop, threading.Event, list[str]]:
    """Return a loop with endpoints whose attempts do not end before the event, and the names of those that were reached."""
    over, reached = threading.Event(), list[str]()

    def send(target: SignedEndpoint, _message: Message, _now: datetime) -> sign_and_send.Reply:
        reached.append(target.endpoint.name)
        over.wait(60)
        return sign_and_send.Reply(204)

    endpoints = [
        SignedEndpoint(Endpoint(f"e{number}", "https://shop.example/", (), start="start"), ()) for number in range(count)
    ]
    dispatcher = Dispatcher(database.engine, send, Clock(), lambda: 0.0)
    return DispatchLoop(dispatcher, lambda: endpoints, Metrics("1", 2700.0), poll_seconds=60.0), over, reached


def test_a_stop_waits_once_for_all_endpoints_that_hang(sqlite: Database) -> None:
    sync(records(1), sqlite.engine)
    dispatch_loop, over, reached = hanging_loop(sqlite, 12)
    dispatch_loop.start()
    until(lambda: len(reached) == 12, "an attempt of each")
    began = time.monotonic()
    dispatch_loop.close(0.5)
    assert 0.5 <= time.monotonic() - began < 3.0
    over.set()
    assert dispatch_loop.dispatcher.join(10.0)


def test_a_delivery_whose_thread_did_not_start_does_not_hinder_a_stop(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    sync(records(1), sqlite.engine)
    dispatch_loop, _over, reached = hanging_loop(sqlite, 1)
    start = threading.Thread.start

    def refused(self: threading.Thread) -> None:
        if self.name == "webhook e0":
            raise RuntimeError("can't start new thread")
        start(self)

    monkeypatch.setattr(threading.Thread, "start", refused)
    with capture_logs() as logs:
        dispatch_loop.start()
        until(lambda: logs, "the warning")
        dispatch_loop.close(10.0)
    assert [(each["event"], reached) for each in logs] == [("webhooks_stand_still", [])]


def test_a_stop_just_before_the_loop_waits_is_noticed_at_once(sqlite: Database) -> None:
    dispatch_loop, _over, _reached = hanging_loop(sqlite, 0)
    stopping = threading.Thread(target=dispatch_loop.close, args=(60.0,))

    class Racing(threading.Event):
        def clear(self) -> None:
            dispatch_loop.poll_seconds = 30.0
            if stopping.ident is None:
                stopping.start()
                self.wait(10)
            super().clear()

    dispatch_loop._wake = Racing()
    dispatch_loop.poll_seconds = 0.01
    began = time.monotonic()
    dispatch_loop.start()
    until(lambda: stopping.ident is not None, "the stop")
    stopping.join(40)
    assert time.monotonic() - began < 10.0
