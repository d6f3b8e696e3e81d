"""Delivery: in order, at least once, each endpoint independently; and the daemon's delivery loop."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from sync.errors import ConfigurationError, LeaseBusy, UsageError
from sync.monitoring.metrics import Metrics
from sync.store.prune import prune
from sync.webhooks.dispatcher import Dispatcher, DispatchLoop, deliver
from sync.webhooks.outbox import claim_endpoint, positions, resume
from sync.webhooks.rules import Rules
from tests.builders import record, records
from tests.daemons import DaemonProcess, Upstream, until
from tests.faults import Snapshot, sync
from tests.webhooks.receiver import SECRET, YES, Clock, Heard, Receiver, answer, deliver_to, hasty, says

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from sync.webhooks.configuration import SignedEndpoint
    from sync.webhooks.position import Position
    from sync.webhooks.sign_and_send import Message
    from tests.builders import Database


pytestmark = pytest.mark.long_on_servers


def abouts(heard: list[Heard]) -> list[str]:
    return [each.about for each in heard]


def only(database: Database) -> Position:
    (found,) = positions(database.engine)
    return found


def test_an_endpoint_that_begins_at_the_end_gets_each_later_change_once(database: Database, receiver: Receiver) -> None:
    target = receiver.signed_endpoint()
    assert deliver_to(database.engine, target) == []
    sync(records(2), database.engine)
    assert deliver_to(database.engine, target) == []  # a first fill
    sync(records(4), database.engine)
    assert [(each.result, each.messages) for each in deliver_to(database.engine, target)] == [("done", 2)]
    assert deliver_to(database.engine, target) == []
    assert abouts(receiver.heard) == ["3", "4"]
    assert (only(database).at_end, only(database).last_status, only(database).behind) == (True, 204, 0)


def test_a_failing_endpoint_is_tried_again_with_the_same_id_and_gets_all_in_order_when_it_comes_back(
    database: Database, receiver: Receiver
) -> None:
    clock, target = Clock(), receiver.signed_endpoint(start="start")
    sync(records(1), database.engine)
    receiver.behave = says(500, b"database down")
    (first,) = deliver_to(database.engine, target, clock=clock)
    assert (first.result, first.error) == ("failed", "500: database down")
    began = clock.now
    assert deliver_to(database.engine, target, clock=clock) == []  # not yet
    for seconds in (5, 300):
        sync(records(2), database.engine)
        clock.later(seconds=seconds - 1)
        assert deliver_to(database.engine, target, clock=clock) == []
        clock.later(seconds=1)
        assert [each.result for each in deliver_to(database.engine, target, clock=clock)] == ["failed"]
    state = only(database)
    assert (state.attempts, state.failing_since, state.behind, state.last_answer) == (3, began, 2, "database down")
    receiver.behave = None
    clock.later(hours=1)
    assert [(each.result, each.messages) for each in deliver_to(database.engine, target, clock=clock)] == [("done", 2)]
    assert len(set(receiver.ids[:4])) == 1
    assert len({each.headers["webhook-signature"] for each in receiver.heard[:4]}) == 4  # of the attempt's time
    assert len({each.body for each in receiver.heard[:4]}) == 1
    assert abouts(receiver.heard) == ["1", "1", "1", "1", "2"]
    assert (only(database).attempts, only(database).failing_since, only(database).next_attempt_at) == (0, None, None)


def test_retry_after_puts_the_next_attempt_off(sqlite: Database, receiver: Receiver) -> None:
    clock, target = Clock(), receiver.signed_endpoint(start="start")
    sync(records(1), sqlite.engine)
    receiver.behave = says(429, Retry_After="7200")
    deliver_to(sqlite.engine, target, clock=clock)
    clock.later(seconds=7199)
    assert deliver_to(sqlite.engine, target, clock=clock) == []
    clock.later(seconds=1)
    assert len(deliver_to(sqlite.engine, target, clock=clock)) == 1


def test_an_endpoint_that_hangs_holds_up_neither_a_sync_nor_another_endpoint(database: Database) -> None:
    reached, let_go = threading.Event(), threading.Event()

    def hang(connection: socket.socket, _heard: Heard, _over: threading.Event) -> None:
        reached.set()
        let_go.wait(30)
        connection.sendall(YES)

    with Receiver(hang) as slow, Receiver() as fast:
        sync(records(1), database.engine)
        endpoints = [slow.signed_endpoint("slow", start="start"), fast.signed_endpoint("fast", start="start")]
        fast_told = threading.Event()
        dispatcher = Dispatcher(
            database.engine, hasty, Clock(), lambda: 0.0, lambda visit: fast_told.set() if visit.name == "fast" else None
        )
        dispatcher.start_due(endpoints)
        assert reached.wait(10)
        for count in (2, 3):
            assert fast_told.wait(10)
            fast_told.clear()
            assert sync(records(count), database.engine).error is None
            while not fast_told.is_set():  # its last visit may just be ending
                dispatcher.start_due(endpoints)
                fast_told.wait(0.01)
        assert abouts(fast.taken) == ["1", "2", "3"]
        assert len(slow.heard) == 1
        let_go.set()
        assert dispatcher.join(30.0)
        assert abouts(slow.heard) == ["1", "2", "3"]


def test_an_endpoint_that_answers_410_is_paused_until_it_is_resumed(database: Database, receiver: Receiver) -> None:
    target = receiver.signed_endpoint(start="start")
    sync(records(2), database.engine)
    receiver.behave = says(410)
    assert [each.result for each in deliver_to(database.engine, target)] == ["paused"]
    assert deliver_to(database.engine, target) == []
    assert (only(database).paused, only(database).behind) == ("gone", 2)
    receiver.behave = None
    assert "resumes with template.added of template 1" in resume(database.engine, target.endpoint)
    assert [(each.result, each.messages) for each in deliver_to(database.engine, target)] == [("done", 2)]
    assert abouts(receiver.heard) == ["1", "1", "2"]


def test_what_is_always_refused_blocks_its_endpoint_until_it_is_skipped_by_name(sqlite: Database, receiver: Receiver) -> None:
    clock, target = Clock(), receiver.signed_endpoint(start="start", rules=Rules(ids=frozenset({"2", "3"})))
    sync(records(3), sqlite.engine)
    receiver.behave = lambda connection, heard, _over: connection.sendall(answer(400) if heard.about == "2" else YES)
    for _ in range(12):
        deliver_to(sqlite.engine, target, clock=clock)
        clock.later(hours=25)
    assert set(abouts(receiver.heard)) == {"2"}
    assert only(sqlite).attempts == 12
    said = resume(sqlite.engine, target.endpoint, skip=True)
    assert "skips template.added of template 2" in said
    assert receiver.ids[0] in said
    deliver_to(sqlite.engine, target, clock=clock)
    assert abouts(receiver.heard)[12:] == ["3"]
    assert only(sqlite).at_end


def test_a_position_that_was_pruned_away_is_paused_as_lost_and_nothing_is_sent_again(
    database: Database, receiver: Receiver
) -> None:
    clock, target = Clock(), receiver.signed_endpoint(start="start")
    sync(records(1), database.engine)
    receiver.behave = says(500)
    deliver_to(database.engine, target, clock=clock)
    for count in (2, 3):
        sync(records(count), database.engine)
    prune(database.engine, before=None, keep_runs=1)
    receiver.behave = None
    clock.later(hours=1)
    (visit,) = deliver_to(database.engine, target, clock=clock)
    assert (visit.result, only(database).paused) == ("paused", "lost:pruned")
    assert deliver_to(database.engine, target, clock=clock) == []
    assert abouts(receiver.heard) == ["1"]
    assert "resumes at the end of the feed" in resume(database.engine, target.endpoint)
    sync(records(4), database.engine)
    deliver_to(database.engine, target, clock=clock)
    assert abouts(receiver.heard) == ["1", "4"]


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
    assert abouts(receiver.heard) == ["1", "2", "3"]
    assert [message_id.split("-")[1] for message_id in receiver.ids] == ["1", "2", "2"]
    assert len(set(receiver.ids)) == 3


def test_a_message_that_a_new_rule_no_longer_wants_is_not_tried_again(sqlite: Database, receiver: Receiver) -> None:
    clock = Clock()
    sync(records(2), sqlite.engine)
    receiver.behave = says(500)
    deliver_to(sqlite.engine, receiver.signed_endpoint(start="start"), clock=clock)
    clock.later(hours=1)
    deliver_to(sqlite.engine, receiver.signed_endpoint(rules=Rules(kinds=frozenset({"removed"}))), clock=clock)
    state = only(sqlite)
    assert (state.at_end, state.attempts, state.failing_since, len(receiver.heard)) == (True, 0, None, 1)


def test_two_deliverers_at_once_send_each_message_once_in_order(database: Database, receiver: Receiver) -> None:
    clock, target = Clock(), receiver.signed_endpoint(start="start")
    sync(records(1), database.engine)
    visits: list[Any] = []
    hosts = [Dispatcher(database.engine, hasty, clock, lambda: 0.0, visits.append) for _ in range(2)]
    for count in range(2, 12):
        for host in hosts:
            host.start_due([target])
        sync(records(count), database.engine)
    for host in hosts:
        host.join()
    deliver_to(database.engine, target)
    assert abouts(receiver.heard) == [str(number) for number in range(1, 12)]
    assert {visit.result for visit in visits} <= {"done", "busy"}


def test_a_bug_or_a_broken_database_ends_one_visit_and_is_left_alone_for_a_minute(sqlite: Database, receiver: Receiver) -> None:
    def broken(_armed: SignedEndpoint, _message: Message, _now: object) -> Any:
        raise ZeroDivisionError("a secret")

    clock = Clock()
    visits: list[Any] = []
    sync(records(1), sqlite.engine)
    dispatcher = Dispatcher(sqlite.engine, broken, clock, lambda: 0.0, visits.append)
    for _ in range(2):
        dispatcher.start_due([receiver.signed_endpoint(start="start")])
        dispatcher.join()
    assert [(each.result, each.error) for each in visits] == [("broken", "Unexpected error: ZeroDivisionError.")]
    clock.later(seconds=61)
    dispatcher.start_due([receiver.signed_endpoint()])
    dispatcher.join()
    assert len(visits) == 2


def test_once_it_is_asked_to_stop_no_further_message_leaves(sqlite: Database, receiver: Receiver) -> None:
    sync(records(5), sqlite.engine)
    visits: list[Any] = []
    dispatcher = Dispatcher(sqlite.engine, hasty, Clock(), lambda: 0.0, visits.append)

    def stop_then_answer(connection: socket.socket, _heard: Heard, _over: threading.Event) -> None:
        dispatcher.stop()
        connection.sendall(YES)

    receiver.behave = stop_then_answer
    dispatcher.start_due([receiver.signed_endpoint(start="start")])
    dispatcher.join()
    assert [(each.result, each.messages) for each in visits] == [("stopped", 1)]
    assert only(sqlite).seq == 1


def test_an_endpoint_removed_from_the_file_gets_no_further_message(sqlite: Database, receiver: Receiver) -> None:
    sync(records(5), sqlite.engine)
    visits: list[Any] = []
    dispatcher = Dispatcher(sqlite.engine, hasty, Clock(), lambda: 0.0, visits.append)

    def take_out_then_answer(connection: socket.socket, heard: Heard, _over: threading.Event) -> None:
        dispatcher.start_due([receiver.signed_endpoint(start="start")])  # as it was
        if heard.about == "2":
            dispatcher.start_due([])
        connection.sendall(YES)

    receiver.behave = take_out_then_answer
    dispatcher.start_due([receiver.signed_endpoint(start="start")])
    dispatcher.join()
    assert [(each.result, each.messages) for each in visits] == [("stopped", 2)]


def test_an_endpoint_that_is_paused_or_not_due_is_sent_nothing(sqlite: Database, receiver: Receiver) -> None:
    clock, target = Clock(), receiver.signed_endpoint(start="start")
    sync(records(1), sqlite.engine)

    def visit() -> str:
        return deliver(sqlite.engine, target, send=hasty, clock=clock, random=lambda: 0.0).result

    receiver.behave = says(500)
    deliver_to(sqlite.engine, target, clock=clock)
    assert visit() == "waits"
    clock.later(hours=1)
    receiver.behave = says(410)
    assert (visit(), visit()) == ("paused", "paused")
    assert len(receiver.heard) == 2


def test_an_endpoint_in_delivery_or_without_a_position_cannot_be_resumed(sqlite: Database, receiver: Receiver) -> None:
    target = receiver.signed_endpoint()
    with pytest.raises(UsageError, match="no position yet"):
        resume(sqlite.engine, target.endpoint)
    sync(records(1), sqlite.engine)
    deliver_to(sqlite.engine, target)
    assert "no messages are pending" in resume(sqlite.engine, target.endpoint, skip=True)
    with claim_endpoint(sqlite.engine, "shop"), pytest.raises(LeaseBusy):
        resume(sqlite.engine, target.endpoint)


FILE = '[[endpoint]]\nname = "{name}"\nurl = "{url}"\nsecret_env = "HOOK_SECRET"\n'


def hang(_connection: socket.socket, _heard: Heard, over: threading.Event) -> None:
    over.wait(60)


@pytest.mark.ci_slice
def test_the_daemon_delivers_while_another_endpoint_hangs_and_continues_after_a_restart(
    upstream: Upstream, tmp_path: Path
) -> None:
    with Receiver() as good, Receiver(hang) as bad:
        (tmp_path / "hooks.toml").write_text(FILE.format(name="good", url=good.url) + FILE.format(name="bad", url=bad.url))
        variables = upstream.settings(
            SYNC_INTERVAL="0.3s", SYNC_HTTP_PORT="0", SYNC_WEBHOOKS_FILE="hooks.toml", HOOK_SECRET=SECRET, SYNC_LOG_LEVEL="debug",
            SYNC_GRACE="1s",
        )  # fmt: skip
        with DaemonProcess(tmp_path, variables) as daemon:
            daemon.wait_for("run_finished", count=2, status="succeeded")
            upstream.catalog = records(4)
            daemon.wait_for("webhook_delivered", endpoint="good", messages=1)
            until(lambda: bad.heard, "the endpoint that hangs")
            upstream.catalog = records(5)
            daemon.wait_for("webhook_delivered", count=2, endpoint="good")
            daemon.wait_for("run_finished", count=len(daemon.events("run_finished")) + 2)
            shown = until(lambda: _shown(daemon), "the figures of both")
            assert shown['template_sync_webhook_behind_changes{endpoint="bad"}'] == 2
            assert shown['template_sync_webhook_paused{endpoint="bad"}'] == 0
            assert shown['template_sync_webhook_messages_total{endpoint="good",result="taken"}'] == 2
            assert daemon.stop() == 0
            said = daemon.said
        bad.behave = None
        bad.over.set()
        with closing(sqlite3.connect(tmp_path / "templates.db")) as raw, raw:  # on a slow machine it was given up, for a minute
            raw.execute("UPDATE webhook_endpoints SET next_attempt_at = NULL")
        upstream.catalog = records(6)
        bad.over.clear()
        with DaemonProcess(tmp_path, variables) as daemon:
            until(lambda: len(bad.taken) == 3, "all that the endpoint had missed")  # in one pass or two: a run may come between
            daemon.wait_for("webhook_delivered", endpoint="bad")
            daemon.wait_for("webhook_delivered", endpoint="good", messages=1)
            assert daemon.stop() == 0
            said += daemon.said
    assert [each.about for each in good.heard] == ["4", "5", "6"]
    assert [each.about for each in bad.taken] == ["4", "5", "6"]
    assert bad.heard[0].id == bad.taken[0].id
    assert SECRET.removeprefix("whsec_") not in said
    assert "secret-path" not in said


def _shown(daemon: DaemonProcess) -> dict[str, float] | None:
    shown = daemon.metrics()
    caught_up = shown.get('template_sync_webhook_behind_changes{endpoint="good"}') == 0
    return shown if caught_up and shown.get('template_sync_webhook_behind_changes{endpoint="bad"}') == 2 else None


def test_a_broken_endpoints_file_is_reported_once_and_delivery_continues_when_it_is_mended(sqlite: Database) -> None:
    looks: list[str] = []
    mended = threading.Event()

    with Receiver(says(400, b"what is this?")) as receiver:

        def endpoints() -> list[SignedEndpoint]:
            looks.append("look")
            if len(looks) == 3:
                raise ZeroDivisionError("a secret")
            if not mended.is_set():
                raise ConfigurationError(["SYNC_WEBHOOKS_FILE: no TOML."])
            return [receiver.signed_endpoint(start="start")]

        sync(records(1), sqlite.engine)
        metrics = Metrics("1", 2700.0)
        dispatcher = Dispatcher(sqlite.engine, hasty, Clock(), lambda: 0.0)
        dispatch_loop = DispatchLoop(dispatcher, endpoints=endpoints, metrics=metrics, poll_seconds=0.01)
        dispatcher.on_result = dispatch_loop.handle_result
        with capture_logs() as logs:
            dispatch_loop.start()
            until(lambda: len(looks) > 8, "some looks")
            mended.set()
            until(lambda: [each for each in logs if each["event"] == "webhook_failed"], "an attempt")
            until(lambda: b'failing_since_timestamp_seconds{endpoint="shop"} 1.767' in metrics.text(), "its figures")
            dispatch_loop.close(10.0)
    assert [(each["event"], each["reason"]) for each in logs] == [
        ("webhooks_stand_still", "SYNC_WEBHOOKS_FILE: no TOML."),
        ("webhooks_stand_still", "Unexpected error: ZeroDivisionError."),
        ("webhooks_stand_still", "SYNC_WEBHOOKS_FILE: no TOML."),
        ("webhook_failed", "400: what is this?"),
    ]
    assert b'messages_total{endpoint="shop",result="failed"} 1.0' in metrics.text()
    metrics.observe_webhooks([])
    assert b'behind_changes{endpoint="shop"}' not in metrics.text()
