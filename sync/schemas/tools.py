"""PURE. The tools that agents call (`mcp`): what each takes, which is closed, and what it answers, which is open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sync.catalog.bounds import LONGEST
from sync.catalog.page_order import SORTS
from sync.schemas.catalog import CHANGE, MOMENTS, TEMPLATE
from sync.schemas.shapes import anything, closed, flag, free, items, moment, nullable, number, record, ref, text, whole, word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sync.schemas.shapes import Schema

MOST_ROWS = 50
USUAL_ROWS = 20
LONGEST_WORD = 200
LONGEST_PLACE = 4000
"""Characters of an `after`: it holds a name of 250 characters and an id of 255, either of which may take many more in it."""


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool.

    Attributes:
        title: its name for people.
        description: what it is for, for the model that chooses it.
        takes: the schema of its arguments.
        answers: the schema of its answer.
    """

    title: str
    description: str
    takes: Schema
    answers: Schema


def _answer(title: str, what: str, properties: Mapping[str, Schema]) -> Schema:
    return record(title, what, properties, optional=_SHORTENED)


def _at_most(length: int, what: str) -> Schema:
    return {**text(what), "minLength": 1, "maxLength": length}


def _between(low: int, high: int, what: str, **more: Any) -> Schema:
    return {**whole(what), "minimum": low, "maximum": high, **more}


_ID = _at_most(LONGEST["TemplateId"], "the template's id")
_LIMIT = _between(1, MOST_ROWS, "how many rows at most; fewer come where they are large", default=USUAL_ROWS)
_AFTER = _at_most(LONGEST_PLACE, "go on behind an answer: its `after`, with the same other arguments")
_CREDITS = {**number("Crun credits: at `resolution` if that is given, else by the lowest price"), "minimum": 0, "maximum": 1e15}
_SHORTENED = {"shortened": flag("true: texts or lists were cut, because the answer would have been too large")}
_PAGE: Mapping[str, Schema] = {
    "more": flag("whether anything stands behind these"),
    "after": nullable(text("what to pass as `after` for that; null where there is nothing")),
}

_FOUND = (
    "template_id", "title", "title_en", "template_type", "input_requirement", "input_num", "duration_ms", "released_at",
    "consume_items", "tags", "aspect_ratios",
)  # fmt: skip

DEFINITIONS: Mapping[str, Schema] = {
    "found_template": record("FoundTemplate", "One template, in short.", {name: TEMPLATE[name] for name in _FOUND}),
    "told_change": record(
        "ToldChange",
        "One change, with the template's titles in place of the whole template.",
        {
            **{name: CHANGE[name] for name in ("seq", "run_id", "at", "template_id", "kind", "fields", "evidence", "breaking")},
            "title": TEMPLATE["title"],
            "title_en": TEMPLATE["title_en"],
        },
    ),
    "price_period": record(
        "PricePeriod",
        "A price, and when it held.",
        {
            "resolution": text("such as 720p", "720p"),
            "credit": number("Crun credits"),
            "valid_from": moment("from when on"),
            "valid_until": nullable(moment("until when; null: it still does")),
        },
    ),
}

TOOLS: Mapping[str, Tool] = {
    "search_templates": Tool(
        "Search templates",
        "Find video-effect templates that are available now: by words in titles and tags (Chinese or English), by tag, type, "
        "number of images, resolution, aspect ratio or price. Without arguments: all of them, by id.",
        closed(
            "SearchTemplatesArguments",
            "Every filter that is given must hold.",
            {},
            {
                "search": _at_most(LONGEST_WORD, "this text in a title, a tag or the id"),
                "tag": _at_most(LONGEST_WORD, "this tag, in either language"),
                "type": _at_most(LONGEST_WORD, "this type, such as BEGIN_END_FRAME"),
                "requirement": _at_most(LONGEST_WORD, "this requirement of its images, such as SINGLE_PERSON"),
                "images": _between(0, 10**6, "taking this many images"),
                "resolution": _at_most(LONGEST_WORD, "with a price at this resolution, such as 720p"),
                "ratio": _at_most(LONGEST_WORD, "supporting this aspect ratio, such as 9:16"),
                "min_price": {**_CREDITS, "description": f"costing at least so many {_CREDITS['description']}"},
                "max_price": {**_CREDITS, "description": f"costing at most so many {_CREDITS['description']}"},
                "sort": {**word("the order", *SORTS), "default": "id"},
                "limit": _LIMIT,
                "after": _AFTER,
            },
        ),
        _answer("FoundTemplates", "Templates.", {"templates": items(ref("found_template"), "those that were found"), **_PAGE}),
    ),
    "get_template": Tool(
        "Get one template",
        "Everything that is known of one template, whether it is available now (`removed_at` is null) or was removed.",
        closed("GetTemplateArguments", "Which one.", {"template_id": _ID}),
        _answer(
            "WholeTemplate",
            "One template.",
            {**{name: shape for name, shape in TEMPLATE.items() if name != "form_hash"}, **MOMENTS},
        ),
    ),
    "get_form": Tool(
        "Get the form of a generation request",
        "The JSON Schema of the `input` with which a video is requested for this template, and an example of one.",
        closed(
            "GetFormArguments",
            "Which template's.",
            {"template_id": _ID},
            {"resolution": _at_most(LONGEST["Resolution"], "for the example; the cheapest where it is left out")},
        ),
        _answer(
            "FormAnswer",
            "A form.",
            {
                "template_id": text("which template"),
                "schema": free("a JSON Schema (2020-12)"),
                "example": free("an input that fits, with placeholders for the images"),
                "form_hash": text("of the schema: equal hashes, equal forms"),
                "removed_at": MOMENTS["removed_at"],
            },
        ),
    ),
    "validate_input": Tool(
        "Check the input of a generation request",
        "Tell whether an input fits the template's form, and if not, each mistake in a sentence. Nothing is sent or spent.",
        closed("ValidateInputArguments", "What to check.", {"template_id": _ID, "input": anything("the input")}),
        _answer(
            "InputVerdict",
            "Whether the input fits.",
            {
                "template_id": text("which template"),
                "valid": flag("whether it fits"),
                "problems": items(ref("problem"), "why not, one a mistake; the first fifty"),
                "more": flag("whether there are more mistakes"),
                "removed_at": MOMENTS["removed_at"],
            },
        ),
    ),
    "price_history": Tool(
        "Price history of one template",
        "Every price that a template had at each resolution and when it held, oldest first.",
        closed("PriceHistoryArguments", "Whose.", {"template_id": _ID}, {"limit": _LIMIT, "after": _AFTER}),
        _answer(
            "PriceHistory",
            "Prices over time.",
            {"template_id": text("which template"), "periods": items(ref("price_period"), "prices, and when each held"), **_PAGE},
        ),
    ),
    "recent_changes": Tool(
        "Recent changes of the catalog",
        "What was added, removed and changed lately, in order: without `after` the newest changes; with it those that came "
        "after the answer that it is from. Keep `after` to ask later for what is new then.",
        closed("RecentChangesArguments", "From where.", {}, {"limit": _LIMIT, "after": _AFTER}),
        _answer(
            "RecentChanges",
            "Changes, oldest first.",
            {
                "changes": items(ref("told_change"), "the changes"),
                "more": flag("whether there are newer ones already"),
                "after": text("what to pass as `after` for those, or later for what is new then"),
            },
        ),
    ),
    "catalog_status": Tool(
        "How fresh the catalog is",
        "How many templates there are, when this copy was last brought up to date, and when anything last changed.",
        closed("CatalogStatusArguments", "Nothing.", {}),
        _answer(
            "CatalogStatus",
            "How fresh the copy is.",
            {
                "present": whole("templates that are available"),
                "held": whole("removals that wait for a person or for more runs"),
                "unconfirmed": whole("missing templates that are kept: no look-up confirms that they are gone"),
                "last_success_at": nullable(moment("when this copy was last brought up to date; null: never")),
                "last_success_age_seconds": nullable(number("since then")),
                "last_change_at": nullable(moment("when anything last changed; null: never")),
                "oldest_seq": whole("the oldest change that is kept"),
                "last_seq": whole("the newest"),
                "cursor": text("where the feed of changes ends, as an `after` for `recent_changes`"),
            },
        ),
    ),
}
"""Name -> tool, in the order in which they are offered."""

ANSWERS: Mapping[str, tuple[str, Schema]] = {
    f"mcp.{name}": (f"`mcp`: what the tool `{name}` answers", tool.answers) for name, tool in TOOLS.items()
}
ARGUMENTS: Mapping[str, tuple[str, Schema]] = {
    f"mcp.{name}.arguments": (f"`mcp`: what the tool `{name}` takes", tool.takes) for name, tool in TOOLS.items()
}
