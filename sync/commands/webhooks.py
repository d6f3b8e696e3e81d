"""`webhooks`: list the endpoints, send a test message, deliver messages, resume an endpoint."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import click

from sync.catalog.selection import make_selection
from sync.commands.base import AS_JSON, DATABASE_FLAGS, Context, now, sync_command
from sync.commands.listing import limit, whole_number
from sync.errors import ConfigurationError, CursorLost, TryLater, UsageError
from sync.reader.catalog import type_counts, unknown_filter_values
from sync.reader.feed import changes
from sync.terminal.tables import webhook_rows
from sync.text import count_of, iso
from sync.webhooks.configuration import endpoints_in, load_endpoints, secrets_of
from sync.webhooks.outbox import positions
from sync.webhooks.outbox import resume as resume_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sync.outputs.webhooks import WebhookEndpoint
    from sync.webhooks.configuration import SignedEndpoint
    from sync.webhooks.dispatcher import DeliveryResult
    from sync.webhooks.endpoints import Endpoint, Position
    from sync.webhooks.sign_and_send import Message, Reply

FLAGS = (*DATABASE_FLAGS, "webhooks_file")
SENDING_FLAGS = (*FLAGS, "proxy", "ca_bundle")


@click.group(help="List webhook endpoints, send a test message, deliver messages.")
def command() -> None:
    """Define the group."""


@sync_command(
    "List the endpoints, their delivery positions and last responses. Warns if a rule names a tag or type that no template ever "
    "had. Exit code 78: a secret is missing.",
    *FLAGS, group=command, json=AS_JSON,
)  # fmt: skip
@limit("Maximum number of rows.")
def list_endpoints(context: Context, *, limit: int | None) -> None:
    """Show every endpoint of the file."""
    path = _file(context)
    endpoints = endpoints_in(path)[:limit]
    known = {position.name: position for position in positions(context.engine())}
    pairs = [(each, known.get(each.name)) for each in endpoints]
    context.print_rows([_endpoint_output(*pair) for pair in pairs], webhook_rows(pairs, now()))
    _warn_of_unknown_values(context, endpoints)
    load_endpoints(path)


def _warn_of_unknown_values(context: Context, endpoints: Sequence[Endpoint]) -> None:
    """Warn of each tag and type in the rules that no template ever had, once the catalog has templates."""
    if not type_counts(context.engine()):
        return
    for endpoint in endpoints:
        rules = endpoint.rules
        wanted = [make_selection(tag=sorted(rules.tags)), *(make_selection(type=each) for each in sorted(rules.types))]
        for name, word, near in (each for selection in wanted for each in unknown_filter_values(context.engine(), selection)):
            hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"`template-sync {name}s` shows all."
            context.out.warning(f"endpoint {endpoint.name}: no template has the {name} {word!r}; {hint}")


def _endpoint_output(endpoint: Endpoint, position: Position | None) -> WebhookEndpoint:
    """Build the JSON output of an endpoint; it contains only the origin of the URL, because the rest may be a secret."""
    from sync.outputs.catalog import built
    from sync.outputs.webhooks import WebhookEndpoint

    known = {name: getattr(endpoint, name) for name in ("name", "origin", "per", "enabled")}
    if position is not None:
        return built(WebhookEndpoint, position, **known, last_answer=position.last_answer or None)
    unknown = dict.fromkeys(WebhookEndpoint.__struct_fields__)
    return WebhookEndpoint(**{**unknown, **known, "attempts": 0})


@sync_command(
    "Send a signed test message to an endpoint and show the response. Needs no database. The delivery position does not change.",
    *SENDING_FLAGS, has_effect=True, group=command, json="Print the response as JSON.",
)  # fmt: skip
@click.argument("name", metavar="NAME")
@click.option(
    "--change", "seq", type=whole_number(1, 2**63 - 1), metavar="SEQ", help="Send this change instead; needs the database."
)
def test(context: Context, *, name: str, seq: int | None) -> None:
    """Send a test message."""
    import secrets

    from sync.webhooks.sign_and_send import message_of_test

    target = next((each for each in _endpoints(context) if each.endpoint.name == name), None)
    if target is None:
        raise _unknown(name)
    moment = now()
    unique = secrets.token_hex(12)
    message = message_of_test(unique, iso(moment), name) if seq is None else _message_of(context, target.endpoint, seq, unique)
    reply = sender(context)(target, message, moment)
    if context.as_json:
        from sync.outputs.webhooks import WebhookAnswer

        context.out.json(WebhookAnswer(name, message.id, reply.accepted, reply.status, reply.detail or None))
    else:
        context.out.lines([f"{name}: {reply.summary}"])
    if not reply.accepted:
        hint = "Check the log of the endpoint."
        raise TryLater(f"Endpoint {name} did not accept the message.", hint=hint)


def _message_of(context: Context, endpoint: Endpoint, seq: int, unique: str) -> Message:
    """Build the message of one change, with another id than its delivery has, so that the receiver accepts both."""
    from sync.webhooks.sign_and_send import message_of_change, message_of_run

    try:
        found = changes(context.engine(), since=seq - 1, limit=1)
    except CursorLost:  # pruned, or beyond the end
        found = []
    if not found:
        raise UsageError(f"The feed has no change {seq}.", hint="`template-sync changes` lists the changes with their seq.")
    if not endpoint.rules.matches(found[0]):
        context.out.message(f"The rules of {endpoint.name} do not select change {seq}; it is sent for the test only.")
    per_run = endpoint.per == "run"
    message = message_of_run(found, found[0]["run_id"], found[0]["cursor"]) if per_run else message_of_change(found[0])
    return message._replace(id=f"tst_{unique}")


@sync_command(
    "Deliver all due messages once, for cron. A daemon with SYNC_WEBHOOKS_FILE delivers by itself. Exit code 75: a delivery "
    "failed.",
    *SENDING_FLAGS, has_effect=True, group=command, json="Print the result as JSON.",
)  # fmt: skip
def deliver(context: Context) -> None:
    """Deliver all due messages once."""
    from sync.webhooks.dispatcher import Dispatcher

    endpoints = _endpoints(context)
    visits: list[DeliveryResult] = []
    dispatcher = Dispatcher(context.engine(), sender(context), now, random.random, visits.append)
    dispatcher.start_due(endpoints)
    dispatcher.join()
    visits.sort(key=lambda visit: visit.name)
    if context.as_json:
        from sync.outputs.webhooks import Delivery

        context.out.json([Delivery(each.name, each.result, each.messages, each.error or None) for each in visits])
    else:
        for each in visits:
            error = f": {each.error}" if each.error else ""
            context.out.lines([f"{each.name}  {each.result}, {count_of(each.messages, 'message')} accepted{error}"])
        if not visits:
            context.out.message("no messages are due")
    if failed := [each.name for each in visits if each.result in {"failed", "paused", "broken"}]:
        hint = "`template-sync webhooks list` shows the cause and the time of the next attempt."
        raise TryLater(f"Not everything could be delivered: {', '.join(failed)}.", hint=hint)


@sync_command(
    "Make the next message of a paused or failing endpoint due now. An endpoint whose position is lost resumes at the end of "
    "the feed; its receiver has to read the whole catalog again.",
    *FLAGS, has_effect=True, group=command,
)  # fmt: skip
@click.argument("name", metavar="NAME")
@click.option("--skip", is_flag=True, help="Skip the next pending message and print its ID.")
def resume(context: Context, *, name: str, skip: bool) -> None:
    """Resume an endpoint."""
    endpoint = next((each for each in endpoints_in(_file(context)) if each.name == name), None)
    if endpoint is None:
        raise _unknown(name)
    context.out.message(resume_endpoint(context.engine(), endpoint, skip=skip))


def sender(context: Context) -> Callable[[SignedEndpoint, Message, datetime], Reply]:
    """Return the function that makes one delivery attempt."""
    from sync.client.network import Network
    from sync.webhooks.sign_and_send import send

    network = Network.of(context.settings)
    return lambda target, message, moment: send(target, message, moment, network=network)


def _file(context: Context) -> str:
    if context.settings.webhooks_file is None:
        raise ConfigurationError(["SYNC_WEBHOOKS_FILE: not set. Set it to a file of endpoints; docs/changes.md has an example."])
    return context.settings.webhooks_file


def _endpoints(context: Context) -> list[SignedEndpoint]:
    warnings: list[str] = []
    endpoints = load_endpoints(_file(context), warnings=warnings)
    context.out.hide(secrets_of(endpoints))
    for warning in warnings:
        context.out.warning(warning)
    return endpoints


def _unknown(name: str) -> UsageError:
    return UsageError(f"There is no enabled endpoint {name!r}.", hint="`template-sync webhooks list` lists the endpoints.")
