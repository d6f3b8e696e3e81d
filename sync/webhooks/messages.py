"""PURE. Build messages: the bytes of the body, and an id that is the same for all attempts, restarts and hosts.

The id contains the cursor, because after a restore the same `seq` may be another change, which a receiver would ignore.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sync.text import json_text

if TYPE_CHECKING:
    from collections.abc import Sequence


class Message(NamedTuple):
    """One message.

    Attributes:
        id: without a full stop, which separates it from the time in the signed content.
        kind: the `type` of the body.
        about: a short description: the template, or the number of changes of a run.
        body: the signed bytes, sent unchanged.
    """

    id: str
    kind: str
    about: str
    body: bytes


def message_of_change(change: dict[str, Any]) -> Message:
    """Build the message of one change, as `changes --json` prints it."""
    kind = f"template.{change['kind']}"
    return Message(f"tsc_{change['cursor']}", kind, f"template {change['template_id']}", _body(kind, change["at"], change))


def message_of_run(changes: Sequence[dict[str, Any]], run_id: int, cursor: str) -> Message:
    """Build the message of one run's matching changes, at least one.

    Args:
        changes: the matching changes, in order.
        run_id: the run.
        cursor: cursor of the last change that was considered; the receiver has the feed up to it.
    """
    data = {"run_id": run_id, "cursor": cursor, "changes": list(changes)}
    body = _body("catalog.changed", changes[0]["at"], data)
    return Message(f"tsr_{cursor}", "catalog.changed", f"{len(changes)} changes of run {run_id}", body)


def message_of_test(unique: str, at: str, name: str) -> Message:
    """Build a test message."""
    return Message(f"tst_{unique}", "webhook.test", "a test", _body("webhook.test", at, {"endpoint": name}))


def _body(kind: str, at: str, data: Any) -> bytes:
    return json_text({"type": kind, "timestamp": at, "data": data}).encode("utf-8", "backslashreplace")
