"""The bodies of webhooks, and what `webhooks` prints."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Struct, defstruct

from sync.outputs.catalog import Change, Time, doc, one_of

FinishedAt = Annotated[Time, doc("time at which the run finished")]


def _body(name: str, event: str, what: str, timestamp: Any, data: Any) -> Any:
    """Declare the body of one type of event."""
    fields = [("type", Annotated[str, one_of(event), doc("event type")]), ("timestamp", timestamp), ("data", data)]
    return defstruct(name, fields, namespace={"__doc__": f"The body of a webhook: {what}."}, module=__name__)


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
            "cursor of the run's last change, even if the endpoint's rules do not select that change; if the run is split into "
            "several messages, each covers a range of the run's changes, and this is the cursor of the last change in the range"
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
    origin: Annotated[str, doc("origin of the URL, without the rest, which may be secret")]
    per: Annotated[str, one_of("change", "run"), doc("whether a message covers one change or one run")]
    enabled: Annotated[bool, doc("whether delivery is enabled")]
    cursor: Annotated[str | None, doc("cursor of the position, after which changes are delivered; null while there is none")]
    seq: Annotated[int | None, doc("sequence number of the position; null while there is none")]
    behind: Annotated[int | None, doc("number of undelivered changes in the feed")]
    attempts: Annotated[int, doc("number of failed attempts for the next message")]
    failing_since: Annotated[Time | None, doc("time of the first failed attempt; null if none failed")]
    next_attempt_at: Annotated[Time | None, doc("time of the next attempt")]
    last_attempt_at: Annotated[Time | None, doc("time of the last attempt")]
    last_status: Annotated[int | None, doc("HTTP status of the last response; null if there was none")]
    last_answer: Annotated[str | None, doc("error of the last attempt, truncated; null if it succeeded")]
    paused: Annotated[str | None, doc("why delivery is paused, `gone` or `lost:` and a reason; null if it is not")]


class Delivery(Struct):
    """The result of delivering to one endpoint."""

    name: Annotated[str, doc("endpoint name")]
    result: Annotated[str, one_of("done", "failed", "waits", "paused", "busy", "stopped", "broken"), doc("result")]
    messages: Annotated[int, doc("number of messages delivered")]
    error: Annotated[str | None, doc("error that ended the delivery; null if there was none")]


class WebhookAnswer(Struct):
    """The response of an endpoint to a test message."""

    name: Annotated[str, doc("endpoint name")]
    id: Annotated[str, doc("the `webhook-id` of the message")]
    taken: Annotated[bool, doc("whether the endpoint accepted the message")]
    status: Annotated[int | None, doc("HTTP status; null if there was no response")]
    answer: Annotated[str | None, doc("body of the response, or the error, truncated")]
