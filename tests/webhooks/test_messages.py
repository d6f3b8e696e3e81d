"""The bytes that are sent and the id that stays."""

from __future__ import annotations

import json

from sync.webhooks.messages import Message, message_of_change, message_of_run, message_of_test
from tests.json_forms import check
from tests.webhooks.told import CURSOR, change, field


def test_a_message_of_one_change_is_what_changes_prints_with_an_id_of_its_cursor() -> None:
    told = change("added", title="猫 \u202e")
    message = message_of_change(told)
    assert (message.id, message.kind, message.about) == (f"tsc_{CURSOR}", "template.added", "template 1")
    assert json.loads(message.body) == {"type": "template.added", "timestamp": "2026-01-01T00:00:00Z", "data": told}
    assert "猫".encode() in message.body
    assert b"\\u202e" in message.body
    assert message_of_change(told) == message
    for each in (told, change("removed"), change("changed", field("title", "a", "b"))):
        check(f"template.{each['kind']}", json.loads(message_of_change(each).body))


def test_a_message_of_a_run_has_its_changes_and_the_cursor_of_its_last_one() -> None:
    one, two = change("added"), change("removed", template_id="2")
    message = message_of_run([one, two], 3, "0123456789ab-9-00")
    assert message.id == "tsr_0123456789ab-9-00"
    data = {"run_id": 3, "cursor": "0123456789ab-9-00", "changes": [one, two]}
    assert json.loads(message.body) == {"type": "catalog.changed", "timestamp": "2026-01-01T00:00:00Z", "data": data}
    check("catalog.changed", json.loads(message.body))
    assert (message.kind, message.about) == ("catalog.changed", "2 changes of run 3")


def test_a_test_says_that_it_is_one() -> None:
    message = message_of_test("ab12", "2026-01-01T00:00:00Z", "shop")
    body = b'{"type": "webhook.test", "timestamp": "2026-01-01T00:00:00Z", "data": {"endpoint": "shop"}}'
    assert message == Message("tst_ab12", "webhook.test", "a test", body)


def test_half_a_letter_is_written_as_what_it_is() -> None:
    assert rb"\ud83d" in message_of_change(change("added", title="half a letter: \ud83d")).body


def test_no_id_holds_the_full_stop_that_parts_it_from_the_time_in_what_is_signed() -> None:
    ids = [
        message_of_change(change()).id,
        message_of_run([change()], 3, CURSOR).id,
        message_of_test("ab12", "2026-01-01T00:00:00Z", "shop").id,
    ]
    check("webhook.test", json.loads(message_of_test("ab12", "2026-01-01T00:00:00Z", "shop").body))
    assert [each[:4] for each in ids] == ["tsc_", "tsr_", "tst_"]
    assert not any("." in each for each in ids)
