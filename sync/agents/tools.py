"""The tools: each makes one query through `sync.Catalog`. No tool takes SQL, writes, or sends a request to the API."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from msgspec import UNSET, to_builtins
from msgspec.structs import fields as struct_fields

from sync.agents import answers
from sync.agents.answers import TooLargeError, escape_and_truncate, fit_to_limit, fits
from sync.catalog.document import json_number, plain_hash
from sync.catalog.feed import Cursor
from sync.catalog.fields import storage_flaw
from sync.errors import CatalogError, CursorLost, TryLater
from sync.forms.validation import problems
from sync.outputs.catalog import built
from sync.outputs.commands import Problem
from sync.outputs.schema import self_contained
from sync.outputs.tools import (
    MOST_ROWS,
    TOOLS,
    USUAL_ROWS,
    FilterValue,
    FilterValues,
    FormAnswer,
    FoundTemplates,
    InputVerdict,
    PriceHistory,
    PricePeriod,
    RecentChanges,
    TemplateSummary,
    WholeTemplate,
)
from sync.reader.catalog import is_value, similar
from sync.text import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from msgspec import Struct

    from sync.api import Catalog

    Arguments = Mapping[str, Any]


_NUMBERS = {"images", "limit", "min_price", "max_price"}
_MAX_DIGITS = 30


class RefusedError(Exception):
    """The call is rejected; the message is a sentence for the model."""


def answer(catalog: Catalog, tool: str, arguments: Arguments) -> dict[str, Any]:
    """Call a tool, one of `TOOLS`; the answer is escaped and within the size limit.

    A page has as many rows as `limit` says, or half as many until they fit; a single row is truncated.

    Raises:
        RefusedError: the arguments are invalid, or the database cannot answer this call, or not yet.
        DatabaseError: the database cannot be read.
    """
    arguments = _given(tool, arguments)
    wrong = [str(problem) for problem in problems(self_contained(TOOLS[tool].arguments), arguments)]
    texts = [(name, value) for name, value in arguments.items() if isinstance(value, str)]
    wrong += [f"{name}: cannot hold {flaw}" for name, text in texts if (flaw := storage_flaw(text))]
    if wrong:
        raise RefusedError(f"{'; '.join(wrong[:5])}.")
    try:
        found = _CALLED[tool](catalog, arguments)
        while arguments.get("limit", 1) > 1 and not fits(escape_and_truncate(to_builtins(found))):
            arguments["limit"] //= 2
            found = _CALLED[tool](catalog, arguments)
        return fit_to_limit(found)
    except CursorLost as lost:
        raise RefusedError(escape_and_truncate(f"{lost} Call without `after` for the newest changes.")) from lost
    except (CatalogError, TryLater, ValueError) as error:
        raise RefusedError(escape_and_truncate(str(error))) from error
    except TooLargeError:
        raise RefusedError("The answer is too large; `template-sync` on the command line prints it.") from None


def _given(tool: str, arguments: Arguments) -> dict[str, Any]:
    """Leave out optional arguments that are null or empty, read numbers that are text, as models write them, set the limit."""
    fields = {field.name: field for field in struct_fields(TOOLS[tool].arguments)}
    found = {"limit": USUAL_ROWS} if "limit" in fields else {}
    for name, value in arguments.items():
        field = fields.get(name)
        if field is None or field.required or value not in (None, ""):
            found[name] = _number(value) if name in _NUMBERS and isinstance(value, str | float) else value
    return found


def _number(value: str | float) -> Any:
    """Convert a text to the number that it denotes, and a whole float to an integer; return any other value unchanged."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return value
    return json_number(number) if number.is_finite() and abs(number.adjusted()) <= _MAX_DIGITS else value


def _search(catalog: Catalog, arguments: Arguments) -> FoundTemplates:
    found = catalog.templates(**arguments)
    unknown = _unknown(catalog, arguments) if not found else []
    rows = [answers.template_as(TemplateSummary, each) for each in found]
    return FoundTemplates(rows, found.after is not None, found.after, unknown or UNSET)


def _unknown(catalog: Catalog, wanted: Arguments) -> list[str]:
    """Name the values of filters that no present template has, each with similar ones."""
    values = catalog.facets()
    names = [name for tag in catalog.tags() for name in (tag.name, tag.name_en) if name]
    sentences = []
    for name, word in wanted.items():
        existing = names if name == "tag" else [str(value) for value in values.get(name, ())]
        if name in values and not is_value(name, word, existing):
            near = similar(str(word), existing)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else "; `filter_values` lists the values."
            sentences.append(f"No template has the {name} {word!r}{hint}")
    return sentences


def _get(catalog: Catalog, arguments: Arguments) -> Any:
    return answers.template_as(WholeTemplate, catalog.template(arguments["template_id"]))


def _filter_values(catalog: Catalog, arguments: Arguments) -> FilterValues:
    with catalog.snapshot() as then:
        number, found = then.count(**arguments), then.facets(**arguments)
    values: dict[str, Any] = {name: [FilterValue(value, count) for value, count in each.items()] for name, each in found.items()}
    return FilterValues(templates=number, **values)


def _form(catalog: Catalog, arguments: Arguments) -> FormAnswer:
    form = catalog.form(arguments["template_id"])
    return FormAnswer(
        template_id=arguments["template_id"],
        schema=form.schema,
        example=form.example(arguments.get("resolution")),
        form_hash=form.hash,
        removed_at=form.removed_at,
    )


def _validate(catalog: Catalog, arguments: Arguments) -> InputVerdict:
    form = catalog.form(arguments["template_id"])
    found = form.validate(arguments["input"])
    return InputVerdict(
        template_id=arguments["template_id"],
        valid=not found,
        problems=[Problem(each.field, each.path, each.message) for each in found[:MOST_ROWS]],
        more=len(found) > MOST_ROWS,
        removed_at=form.removed_at,
    )


def _price_history(catalog: Catalog, arguments: Arguments) -> PriceHistory:
    held = catalog.price_history(arguments["template_id"])
    # A hash, as a position contains no text of the catalog, and pruning would change a number.
    positions = [f"{iso(each.valid_from)}.{plain_hash([each.resolution, str(each.credit)])[:12]}" for each in held]
    begin = 0
    if "after" in arguments:
        if arguments["after"] not in positions:
            raise RefusedError("after: this position is not in the history any more; call without it.")
        begin = positions.index(arguments["after"]) + 1
    end = begin + arguments["limit"]
    more = end < len(held)
    periods = [built(PricePeriod, each) for each in held[begin:end]]
    return PriceHistory(
        template_id=arguments["template_id"], periods=periods, more=more, after=positions[end - 1] if more else None
    )


def _recent_changes(catalog: Catalog, arguments: Arguments) -> RecentChanges:
    if "after" in arguments and Cursor.parse(arguments["after"]) is None:
        raise RefusedError("after: not the `after` of an answer of this tool; call it without `after` for the newest changes.")
    with catalog.snapshot() as then:
        now = then.status()
        since: str | int = arguments.get("after") or max(now.oldest_seq - 1, now.last_seq - arguments["limit"])
        found = then.changes(since, arguments["limit"])
    last = found[-1].cursor if found else str(arguments.get("after") or now.cursor)
    more = bool(found) and found[-1].seq < now.last_seq
    return RecentChanges([answers.change(each) for each in found], more, last)


_CALLED: Mapping[str, Callable[[Catalog, Arguments], Struct]] = {
    "search_templates": _search,
    "filter_values": _filter_values,
    "get_template": _get,
    "get_form": _form,
    "validate_input": _validate,
    "price_history": _price_history,
    "recent_changes": _recent_changes,
    "catalog_status": lambda catalog, _arguments: answers.status(catalog.status()),
}
