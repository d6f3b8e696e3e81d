"""`form ID`: the schema of a generation request, an example, a validation, or the complete request."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from sync.commands.base import DATABASE_FLAGS, Context, sync_command
from sync.commands.listing import TEMPLATE_ID
from sync.errors import UsageError

if TYPE_CHECKING:
    from sync.forms.form import Form
    from sync.outputs.commands import GenerationInput, GenerationRequest


@sync_command(
    "Print the JSON Schema (2020-12) of the `input` of a template's generation request; or an example, a validation, or the "
    "complete request. Sends nothing.",
    "base_url",
    *DATABASE_FLAGS, json="With --validate: print as JSON. All other outputs are JSON.",
)  # fmt: skip
@click.argument("template_id", metavar="ID", type=TEMPLATE_ID)
@click.option("--example", is_flag=True, help="Print a valid input, with placeholders for the images.")
@click.option("--request", is_flag=True, help="Print the complete request: method, URL, headers, body. Uses --base-url.")
@click.option(
    "--validate",
    "file",
    metavar="FILE",
    help="Validate the input in FILE (- means stdin). Exit code: 0 valid, 1 invalid, 2 not JSON.",
)
@click.option("--resolution", metavar="NAME", help="For --example and --request: this resolution instead of the cheapest.")
@click.option("--removed", is_flag=True, help="Also accept a removed template, and print its last form.")
def command(
    context: Context, *, template_id: str, example: bool, request: bool, file: str | None, resolution: str | None, removed: bool,
) -> None:  # fmt: skip
    """Print the form of a template, or an output derived from it."""
    if example + request + (file is not None) > 1:
        raise click.UsageError("--example, --request and --validate cannot be combined.")
    if resolution is not None and not (example or request):
        raise click.UsageError("--resolution requires --example or --request.")
    from sync.forms.form import Form
    from sync.reader.catalog import find_template

    found = find_template(context.engine(), template_id).as_json()
    removed_at = found["removed_at"]
    if removed_at is not None:
        if not removed:
            raise UsageError(f"Template {template_id} was removed at {removed_at}.", hint="--removed prints its last form.")
        context.out.message(f"warning: template {template_id} was removed at {removed_at}; this is its last form.")
    form = Form(found, removed_at)
    if file is not None:
        _validate(context, form, file, removed_at)
    elif example or request:
        context.out.json(_example_or_request(form, context.settings.base_url if request else None, resolution))
    else:
        context.out.json(form.schema)


def _example_or_request(form: Form, base_url: str | None, resolution: str | None) -> GenerationInput | GenerationRequest:
    from sync.outputs.commands import GenerationInput, GenerationRequest

    try:
        if base_url is None:
            return GenerationInput(**form.example(resolution))
        return GenerationRequest(**form.request(form.example(resolution), base_url=base_url))
    except ValueError as error:
        raise UsageError(f"--resolution: {error}.") from None


def _validate(context: Context, form: Form, file: str, removed_at: str | None) -> None:
    """Print whether an input is valid; exit with 1 if it is not."""
    out = context.out
    problems = form.validate(given := read_json(file))
    if context.as_json:
        from sync.outputs.commands import InputCheck, Problem

        shown = [Problem(each.field, each.path, each.message) for each in problems]
        out.json(InputCheck(form.document["template_id"], valid=not problems, problems=shown, removed_at=removed_at))
    elif problems:
        out.lines(map(str, problems))
    else:
        out.message("The input is valid.")
    if problems:
        if isinstance(given, dict) and isinstance(given.get("input"), dict):
            out.message("note: this looks like a complete request; give only its `input`.")
        sys.exit(1)


MAX_BYTES = 16 * 1024 * 1024


def read_json(file: str) -> Any:
    """Read one JSON value from a file, `-` for stdin, or raise UsageError: unreadable, too long, or not plain JSON."""
    name = "stdin" if file == "-" else file
    try:
        with open(0 if file == "-" else file, "rb", closefd=file != "-") as source:
            content = source.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # a name with a NUL is a ValueError
        raise UsageError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    if len(content) > MAX_BYTES:
        raise UsageError(f"{name} has more than {MAX_BYTES} bytes.")
    try:
        return json.loads(content, object_pairs_hook=_reject_duplicate_keys, parse_constant=_reject_constant)
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    except ValueError as error:
        reason = str(error)
    except RecursionError:
        reason = "it is nested too deeply"
    raise UsageError(f"{name} is not JSON: {reason}.")


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Reject an object with a repeated key, because only one of the values would be validated."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {repeated[:60]!r} is repeated in an object")
    return found


def _reject_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")
