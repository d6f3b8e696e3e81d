"""The bodies of webhooks, and what `webhooks` prints."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Struct

from sync.outputs.catalog import Change, Time, declare, doc, one_of
from sync.outputs.commands import Attempts, Behind, FailingSince, Paused

FinishedAt = Annotated[Time, doc("time at which the run finished")]


def _body(name: str, event: str, what: str, timestamp: Any, data: Any) -> Any:
    """Declare the body of one type of event."""
    kind = Annotated[str, one_of(event), doc("event type")]
    return declare(name, f"The body of a webhook: {what}.", ("type", kind), ("timestamp", timestamp), ("data", data))


_CHANGE = Annotated[Change, doc("the change")]
TemplateAdded = _body("TemplateAdded", "template.added", "a template was added", FinishedAt, _CHANGE)
TemplateChanged = _body("TemplateChanged", "template.changed", "a template changed", FinishedAt, _CHANGE)
TemplateRemoved = _body("TemplateRemoved", "template.removed", "a template was removed", FinishedAt, _CHANGE)


class CatalogChange(Struct):
    """The changes of one run."""

    run_id: Annotated[int, doc("run ID")]
    cursor: Annotated[
        str,
        doc(
            "position in the feed after the run, even if the endpoint's rules do not select its last change. If the run has "
            "several messages: position after the changes that this message covers"
        ),
    ]
    changes: Annotated[list[Change], doc("changes that the endpoint's rules select, in order; at least one")]


class WebhookTrial(Struct):
    """The data of a test message."""

    endpoint: Annotated[str, doc("endpoint name")]


CatalogChanged = _body(
    "CatalogChanged", "catalog.changed", "one run changed the catalog", FinishedAt, Annotated[CatalogChange, doc("the changes")]
)
WebhookTest = _body(
    "WebhookTest", "webhook.test", "a test message of `webhooks test`",
    Annotated[Time, doc("time of sending")], Annotated[WebhookTrial, doc("the endpoint")],
)  # fmt: skip


class WebhookEndpoint(Struct):
    """A webhook endpoint and its delivery position."""

    name: Annotated[str, doc("name in the configuration file")]
    origin: Annotated[str, doc("scheme, host and port of the URL; the rest may be secret")]
    per: Annotated[str, one_of("change", "run"), doc("whether a message covers one change or one run")]
    enabled: Annotated[bool, doc("whether delivery is enabled")]
    cursor: Annotated[str | None, doc("position: the changes after it are not delivered yet; null while there is none")]
    seq: Annotated[int | None, doc("sequence number of the position; null while there is none")]
    behind: Behind
    attempts: Attempts
    failing_since: FailingSince
    next_attempt_at: Annotated[Time | None, doc("earliest time of the next attempt; null: at once")]
    last_attempt_at: Annotated[Time | None, doc("time of the last attempt; null if there was none")]
    last_status: Annotated[int | None, doc("HTTP status of the last response; null if there was none")]
    last_answer: Annotated[str | None, doc("error of the last attempt, truncated; null if it succeeded")]
    paused: Paused


class Delivery(Struct):
    """The result of delivering to one endpoint."""

    name: Annotated[str, doc("endpoint name")]
    result: Annotated[str, one_of("done", "failed", "waits", "paused", "busy", "stopped", "broken"), doc("result")]
    messages: Annotated[int, doc("delivered messages")]
    error: Annotated[str | None, doc("error that ended the delivery; null without an error")]


class WebhookAnswer(Struct):
    """The response of an endpoint to a test message."""

    name: Annotated[str, doc("endpoint name")]
    id: Annotated[str, doc("the `webhook-id` of the message")]
    taken: Annotated[bool, doc("whether the endpoint accepted the message")]
    status: Annotated[int | None, doc("HTTP status; null if there was no response")]
    answer: Annotated[str | None, doc("body of the response or error message, truncated")]
