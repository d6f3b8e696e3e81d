"""PURE. What a webhook's body holds, by its `type`; and what `webhooks` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.schemas.shapes import flag, items, moment, nullable, record, ref, text, whole, word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sync.schemas.shapes import Schema


def _message(title: str, kind: str, what: str, at: str, data: Schema) -> tuple[str, Schema]:
    told = {"type": word("which of these messages it is", kind), "timestamp": moment(at), "data": data}
    return f"webhook: {what}", record(title, f"A webhook's body: {what}.", told)


_RUN_ENDED = "when the run ended that saw it"

MESSAGES: Mapping[str, tuple[str, Schema]] = {
    f"template.{kind}": _message(f"Template{kind.title()}", f"template.{kind}", what, _RUN_ENDED, ref("change", "the change"))
    for kind, what in (
        ("added", "a template is new"),
        ("changed", "a template changed"),
        ("removed", "a template is gone"),
    )
} | {
    "catalog.changed": _message(
        "CatalogChanged",
        "catalog.changed",
        "what one run changed",
        "when the run ended",
        record(
            "CatalogChange",
            "One run's changes.",
            {
                "run_id": whole("which run"),
                "cursor": text("of its last change, told of or not"),
                "changes": items(ref("change"), "those that the endpoint wants, in order, at least one"),
            },
        ),
    ),
    "webhook.test": _message(
        "WebhookTest",
        "webhook.test",
        "a trial, from `webhooks test`",
        "when it was sent",
        record("WebhookTrial", "Says hello.", {"endpoint": text("the endpoint's name")}),
    ),
}
"""Type -> what it is about, and its schema."""

DEFINITIONS: Mapping[str, Schema] = {
    "endpoint": record(
        "WebhookEndpoint",
        "An endpoint, and how far it has been told.",
        {
            "name": text("its name in the file"),
            "origin": text("of its address, without the rest, which may be a secret"),
            "per": word("what a message tells of", "change", "run"),
            "enabled": flag("whether it is told at all"),
            "cursor": nullable(text("the feed up to what it has been told; null while it has no position")),
            "seq": nullable(whole("the same as a number")),
            "behind": nullable(whole("changes in the feed after that")),
            "attempts": whole("those in vain, of the next message"),
            "failing_since": nullable(moment("the first of those that failed; null if none did")),
            "next_attempt_at": nullable(moment("when it is tried again")),
            "last_attempt_at": nullable(moment("when it was tried last")),
            "last_status": nullable(whole("the HTTP status that it answered; null if it gave none")),
            "last_answer": nullable(text("what it said, if it was no yes, or what went wrong; cut")),
            "paused": nullable(text("why it is not tried, `gone`, or `lost:` and a reason; null if it is")),
        },
    ),
    "delivery": record(
        "Delivery",
        "What came of telling one endpoint.",
        {
            "name": text("the endpoint"),
            "result": word("in a word", "done", "failed", "waits", "paused", "busy", "stopped", "broken"),
            "messages": whole("those that it took"),
            "error": nullable(text("why it took no more; null if all is well")),
        },
    ),
}

OUTPUTS: Mapping[str, tuple[str, Schema]] = {
    "webhooks-list": ("`webhooks list`: the endpoints, and how far each has been told", items(ref("endpoint"), "Endpoints.")),
    "webhooks-deliver": ("`webhooks deliver`: what came of one pass", items(ref("delivery"), "Endpoints that were told.")),
    "webhooks-test": (
        "`webhooks test NAME`: the endpoint's answer",
        record(
            "WebhookAnswer",
            "An endpoint's answer to a trial.",
            {
                "name": text("the endpoint"),
                "id": text("the message's `webhook-id`"),
                "taken": flag("whether it took the message"),
                "status": nullable(whole("the HTTP status; null if it gave none")),
                "answer": nullable(text("what it said, or what went wrong, cut")),
            },
        ),
    ),
}
