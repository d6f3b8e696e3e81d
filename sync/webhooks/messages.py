"""PURE. What is sent: the body's bytes, made once, and an id that stays over attempts, restarts and hosts.

The id holds the feed's cursor, not its number alone: after a restored backup the same number may be another change, which a
receiver that remembers ids would take for one that it has had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sync.text import json_text

if TYPE_CHECKING:
    from collections.abc import Sequence


class Message(NamedTuple):
    """One message.

    Attributes:
        id: without a full stop, which would part it from the time in what is signed.
        kind: the body's `type`.
        about: in a few words, for a person: the template, or how many changes of which run.
        body: the bytes that are signed, and sent as they are.
    """

    id: str
    kind: str
    about: str
    body: bytes


def message_of_change(change: dict[str, Any]) -> Message:
    """Tell of one change, as `changes --json` prints it."""
    kind = f"template.{change['kind']}"
    return Message(f"tsc_{change['cursor']}", kind, f"template {change['template_id']}", _body(kind, change["at"], change))


def message_of_run(changes: Sequence[dict[str, Any]], run_id: int, cursor: str) -> Message:
    """Tell of one run's changes, at least one.

    Args:
        changes: those that are wanted, in order.
        run_id: of the run.
        cursor: of its last change, wanted or not: whoever has read this message has read the feed up to there.
    """
    data = {"run_id": run_id, "cursor": cursor, "changes": list(changes)}
    body = _body("catalog.changed", changes[0]["at"], data)
    return Message(f"tsr_{cursor}", "catalog.changed", f"{len(changes)} changes of run {run_id}", body)


def message_of_test(unique: str, at: str, name: str) -> Message:
    """Say hello, so that an endpoint can be tried."""
    return Message(f"tst_{unique}", "webhook.test", "a test", _body("webhook.test", at, {"endpoint": name}))


def _body(kind: str, at: str, data: Any) -> bytes:
    return json_text({"type": kind, "timestamp": at, "data": data}).encode("utf-8", "backslashreplace")
