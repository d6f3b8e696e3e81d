"""Messages, their signatures, and one delivery attempt against receivers that accept, refuse, hang or send anything."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from sync.client.network import Network
from sync.webhooks.configuration import SignedEndpoint
from sync.webhooks.endpoints import Endpoint
from sync.webhooks.sign_and_send import (
    OVERLOADED,
    POLICY,
    Message,
    Reply,
    is_due,
    message_of_change,
    message_of_run,
    message_of_test,
    next_attempt,
    send,
    sign,
)
from tests import hostile
from tests.daemons import until
from tests.json_forms import check
from tests.webhooks.changes import CURSOR, change, field
from tests.webhooks.receiver import OTHER, SECRET, Receiver, respond, response, second_signature


def test_a_message_of_a_change_is_what_changes_prints_and_its_id_contains_the_cursor() -> None:
    found = change("added", title="猫 \u202e")
    message = message_of_change(found)
    assert (message.id, message.kind, message.about) == (f"tsc_{CURSOR}", "template.added", "template 1")
    assert json.loads(message.body) == {"type": "template.added", "timestamp": "2026-01-01T00:00:00Z", "data": found}
    assert "猫".encode() in message.body
    assert b"\\u202e" in message.body
    assert message_of_change(found) == message
    assert rb"\ud83d" in message_of_change(change("added", title="half a letter: \ud83d")).body
    for each in (found, change("removed"), change("changed", field("title", "a", "b"))):
        check(f"template.{each['kind']}", json.loads(message_of_change(each).body))


def test_a_message_of_a_run_has_its_changes_and_its_cursor() -> None:
    one, two = change("added"), change("removed", template_id="2") | {"at": "2026-01-03T00:00:00Z"}
    message = message_of_run([one, two], 3, "0123456789ab-9-00")
    assert message.id == "tsr_0123456789ab-9-00"
    data = {"run_id": 3, "cursor": "0123456789ab-9-00", "changes": [one, two]}
    assert json.loads(message.body) == {"type": "catalog.changed", "timestamp": "2026-01-01T00:00:00Z", "data": data}
    check("catalog.changed", json.loads(message.body))
    assert (message.kind, message.about) == ("catalog.changed", "2 changes of run 3")


def test_a_test_message_has_its_own_type() -> None:
    message = message_of_test("ab12", "2026-01-01T00:00:00Z", "shop")
    body = b'{"type": "webhook.test", "timestamp": "2026-01-01T00:00:00Z", "data": {"endpoint": "shop"}}'
    assert message == Message("tst_ab12", "webhook.test", "a test", body)
    check("webhook.test", json.loads(body))


MESSAGE = Message("tsc_0123456789ab-1-00", "template.added", "template 1", '{"type": "template.added", "é": "猫"}'.encode())
NOW = datetime(2026, 1, 1, 12, 0, 0, 999999, tzinfo=UTC)


def attempt(reply: hostile.Reply, **options: Any) -> Reply:
    """Make one attempt to a receiver that sends this reply."""
    with Receiver(lambda _request: reply) as receiver:
        return send(receiver.signed_endpoint(), MESSAGE, NOW, **options)


# Signed -----------------------------------------------------------------------------------------------------------------


def test_the_example_of_the_specification_has_the_signature_given_there() -> None:
    """The example of the specification's reference implementations."""
    message = Message("msg_p5jXN8AQM9LWM0D4loKWxJek", "test", "", b'{"test": 2432232314}')
    moment = datetime.fromtimestamp(1614265330, UTC)
    headers = sign(message, ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], moment)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("body", [b"{}", '{"a": "猫 \\u202e"}'.encode(), b" " * 100_000], ids=["empty", "text", "large"])
def test_a_second_implementation_computes_the_same_signature(body: bytes) -> None:
    headers = sign(MESSAGE._replace(body=body), [SECRET], NOW)
    assert headers["webhook-signature"] == second_signature(SECRET, MESSAGE.id, int(NOW.timestamp()), body)


def test_while_a_secret_is_rotated_each_of_the_two_verifies_the_request() -> None:
    now = datetime.now(UTC)
    with Receiver() as receiver:
        assert send(receiver.signed_endpoint("shop", SECRET, OTHER), MESSAGE, now) == Reply(204)
    (request,) = receiver.requests
    assert (request.method, request.target, request.body) == ("POST", "/hooks/secret-path", MESSAGE.body)
    assert request.headers["content-type"] == "application/json"
    for secret in (SECRET, OTHER):
        Webhook(secret).verify(request.body, request.headers)
    assert request.headers["webhook-signature"].count("v1,") == 2


# Results -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299, 300, 301, 302, 307, 308, 400, 401, 404, 410, 429, 500, 503])
def test_any_status_but_2xx_is_a_failure_and_a_redirect_is_not_followed(status: int) -> None:
    with Receiver() as elsewhere:
        reply = attempt(response(status, b"no", Location=elsewhere.url))
    assert (reply.accepted, reply.status, reply.detail) == (status < 300, status, "no" if status >= 300 else "")
    assert (reply.gone, reply.slow) == (status == 410, status in {429, 503})
    assert elsewhere.requests == []


def test_retry_after_is_part_of_the_result() -> None:
    assert attempt(response(503, Retry_After="Thu, 01 Jan 2026 12:01:00 GMT")).retry_after == 59.000001


def test_a_refused_connection_is_a_failure_without_a_status() -> None:
    with Receiver() as receiver:
        target = receiver.signed_endpoint()
    assert send(target, MESSAGE, NOW) == Reply(None, "the connection was refused")


@pytest.mark.parametrize(("reply", "summary"), [
    (Reply(500), "500"), (Reply(500, "down"), "500: down"), (Reply(None), "no answer"), (Reply(None, "cut"), "no answer: cut"),
])  # fmt: skip
def test_the_summary_of_an_attempt_has_its_status_and_detail(reply: Reply, summary: str) -> None:
    assert reply.summary == summary


@pytest.mark.parametrize("reply", [
    hostile.Reply(hold=30),
    hostile.Reply(raw=b"HTTP/1.1 200 OK\r\n" + b"X-More: 1\r\n" * 1000, pause=0.01),
    hostile.Reply(raw=b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000, pause=0.01),
], ids=["silence", "endless head", "early hints"])  # fmt: skip
def test_an_attempt_ends_at_its_timeout(reply: hostile.Reply) -> None:
    found = attempt(reply, limit=0.3)
    assert (found.status, found.slow) == (None, True)
    assert "within the deadline" in found.detail


def test_a_2xx_accepts_the_message_without_a_wait_for_its_body() -> None:
    with Receiver(lambda _request: hostile.Reply(length=1_000_000)) as receiver:
        assert send(receiver.signed_endpoint(), MESSAGE, NOW, limit=3600.0) == Reply(200)
        until(lambda: not receiver.open_connections, "the end of the connection")


@pytest.mark.parametrize(("reply", "limit", "detail"), [
    (hostile.Reply(b"beginning", 500, length=1_000_000), 0.5, "beginning"),
    (hostile.Reply(b"x" * 10_000_000, 500, length=-1), 20.0, "x" * 200),
], ids=["a body that hangs", "an endless body"])  # fmt: skip
def test_of_the_body_of_a_failure_the_beginning_is_read(reply: hostile.Reply, limit: float, detail: str) -> None:
    assert attempt(reply, limit=limit) == Reply(500, detail)


@pytest.mark.parametrize("raw", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200", b"HTTP/1.1 2000 OK\r\n\r\n", b"\x00" * 200_000])
def test_an_invalid_response_is_a_failure(raw: bytes) -> None:
    reply = attempt(hostile.Reply(raw=raw, end="close"), limit=5.0)
    assert (reply.accepted, reply.status) == (False, None)


# Secrets and addresses ---------------------------------------------------------------------------


@pytest.mark.parametrize("quoted", [
    SECRET, SECRET.removeprefix("whsec_"), "/hooks/secret-path",
    "k" * 32, (b"k" * 32).hex(), (b"k" * 32).hex().upper(),
])  # fmt: skip
def test_secrets_and_the_url_are_masked_in_a_stored_response(quoted: str) -> None:
    detail = attempt(response(401, f"bad signature by {quoted}, sorry".encode())).detail
    assert detail.startswith("bad signature by [secret]")
    assert quoted not in detail


def test_parts_of_the_url_of_at_least_3_characters_are_masked_except_the_mask_itself() -> None:
    with Receiver(respond(401, b"abc ab secret")) as receiver:
        receiver.url = f"{receiver.base}/secret?k=abc&l=ab"
        assert send(receiver.signed_endpoint(), MESSAGE, NOW).detail == "[secret] ab secret"


@pytest.mark.parametrize("missing", [1, 5, len(SECRET) // 2])
def test_a_truncated_secret_at_the_end_of_a_response_is_masked(missing: int) -> None:
    part = SECRET[: len(SECRET) - missing]
    detail = attempt(response(500, b" " * (16 * 1024 - len(part)) + SECRET.encode() + b" and text after the limit")).detail
    assert "[secret]" in detail
    assert len(detail.replace("[secret]", "")) < 10


def test_a_stored_response_is_one_printable_line() -> None:
    detail = attempt(response(400, b"\x1b[31mred\x00\r\n\tand \xff " + "\u202eturned".encode())).detail
    assert detail == " [31mred  and \ufffd  turned"


def test_a_refused_address_gets_a_connection_and_no_byte() -> None:
    checked: list[str] = []

    class Refusing(Endpoint):
        def is_permitted(self, address: str) -> bool:
            checked.append(address)
            return False

    with Receiver() as receiver:
        reply = send(SignedEndpoint(Refusing("shop", receiver.url, ()), (SECRET,)), MESSAGE, NOW)
    assert checked == ["127.0.0.1"]
    assert reply == Reply(None, "its name resolves to an address outside private networks, which needs https; refused")
    assert receiver.requests == []


def test_an_address_of_the_metadata_service_is_refused_without_a_connection() -> None:
    reply = send(SignedEndpoint(Endpoint("shop", "https://169.254.169.254/", ()), (SECRET,)), MESSAGE, NOW)
    assert reply == Reply(None, "its name resolves to an address that is link-local or a metadata service; refused")


def test_plain_http_is_not_sent_through_a_proxy() -> None:
    target = SignedEndpoint(Endpoint("shop", "http://receiver.internal/", (), allow_http=True), (SECRET,))
    reply = send(target, MESSAGE, NOW, network=Network(proxy="http://127.0.0.1:9"))
    assert reply == Reply(None, "plain http to a private network is not sent through SYNC_PROXY, which would read it")


def test_cookies_are_not_stored() -> None:
    with Receiver(respond(200, Set_Cookie="a=b")) as receiver:
        for _ in range(2):
            send(receiver.signed_endpoint(), MESSAGE, NOW)
        assert [each.headers.get("cookie") for each in receiver.requests] == [None, None]


# The next attempt -----------------------------------------------------------------------------------------------------

DAY = 86400
DOCUMENT = (Path(__file__).parents[2] / "docs" / "changes.md").read_text()


def test_the_documentation_has_the_waits_of_the_policy() -> None:
    hours = ", ".join(f"{step / 3600:g} h" for step in POLICY.waits[3:-1])
    assert (
        f"retry after {POLICY.waits[0]:g} s, {POLICY.waits[1] / 60:g} min, {POLICY.waits[2] / 60:g} min, {hours}, then every 24 h"
        in DOCUMENT
    )


def next_wait(failures: int = 1, random: float = 0.0, **options: Any) -> float:
    return (next_attempt(Reply(500, **options), failures, NOW, lambda: random) - NOW).total_seconds()


def test_waits_grow_from_seconds_to_a_day_and_stay_there_and_jitter_adds_up_to_a_tenth() -> None:
    assert POLICY.retryable(ValueError())
    assert [next_wait(failures) for failures in (1, 2)] == [5, 300]
    assert [next_wait(failures) / 3600 for failures in range(3, 12)] == [0.5, 2, 5, 10, 14, 20, 24, 24, 24]
    assert next_wait(10**9) == DAY
    assert [next_wait(2, random=random) for random in (0.5, 1.0)] == [315, 330]


@pytest.mark.parametrize(("retry_after", "waits"), [(None, 5), (0.0, 5), (1.0, 5), (120.0, 120), (DAY, DAY), (30 * DAY, DAY)])
def test_retry_after_lengthens_the_planned_wait_up_to_a_day(retry_after: float | None, waits: float) -> None:
    assert next_wait(1, retry_after=retry_after) == waits


def test_the_wait_after_an_overload_or_timeout_is_at_least_a_minute() -> None:
    assert frozenset({429, 502, 503, 504}) == OVERLOADED
    assert [next_wait(failures, slow=True) for failures in (1, 2)] == [60, 300]


@pytest.mark.parametrize(
    ("ahead", "due"),
    [(None, True), (-1, True), (0, True), (1, False), (DAY * 1.1, False), (DAY * 1.1 + 1, False), (DAY * 1.1 + 1.5, True)],
)
def test_an_attempt_is_due_at_its_time_or_if_a_clock_that_was_ahead_stored_it(ahead: float | None, due: bool) -> None:  # noqa: FBT001
    assert is_due(None if ahead is None else NOW + timedelta(seconds=ahead), NOW) is due
