"""The bodies of webhooks, and what `webhooks` prints."""

from __future__ import annotations

from typing import Annotated

from msgspec import Struct

from sync.outputs.catalog import Change, Time, doc, one_of

FinishedAt = Annotated[Time, doc("time at which the run finished")]
_EVENT = doc("event type")


class TemplateAdded(Struct):
    """The body of a webhook: a template was added."""

    type: Annotated[str, one_of("template.added"), _EVENT]
    timestamp: FinishedAt
    data: Annotated[Change, doc("the change")]


class TemplateChanged(Struct):
    """The body of a webhook: a template changed."""

    type: Annotated[str, one_of("template.changed"), _EVENT]
    timestamp: FinishedAt
    data: Annotated[Change, doc("the change")]


class TemplateRemoved(Struct):
    """The body of a webhook: a template was removed."""

    type: Annotated[str, one_of("template.removed"), _EVENT]
    timestamp: FinishedAt
    data: Annotated[Change, doc("the change")]


class CatalogChange(Struct):
    """The changes of one run."""

    run_id: Annotated[int, doc("run ID")]
    cursor: Annotated[
        str,
        doc(
            "cursor of the run's last change, whether the endpoint's rules select it or not; if the run is split into several "
            "messages, of the last change in this message's part of the run"
        ),
    ]
    changes: Annotated[list[Change], doc("changes that the endpoint's rules select, in order; at least one")]


class CatalogChanged(Struct):
    """The body of a webhook: one run changed the catalog."""

    type: Annotated[str, one_of("catalog.changed"), _EVENT]
    timestamp: FinishedAt
    data: Annotated[CatalogChange, doc("the changes")]


class WebhookTrial(Struct):
    """The data of a test message."""

    endpoint: Annotated[str, doc("endpoint name")]


class WebhookTest(Struct):
    """The body of a webhook: a test message of `webhooks test`."""

    type: Annotated[str, one_of("webhook.test"), _EVENT]
    timestamp: Annotated[Time, doc("time of sending")]
    data: Annotated[WebhookTrial, doc("the endpoint")]


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
