"""The tools of `mcp`: their arguments, as closed structs, and their results, as open structs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from msgspec import UNSET, Meta, Struct, UnsetType

from sync.catalog.fields import BOUNDS
from sync.catalog.selection import SORTS
from sync.outputs import catalog
from sync.outputs.catalog import Anything, OpenObject, Time, declare, doc, fields_of, one_of
from sync.outputs.commands import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_ROWS = 50
USUAL_ROWS = 20
LONGEST_WORD = 200
LONGEST_PLACE = 4000
"""Characters of an `after`: it holds a name of 250 characters and an ID of 255, either of which may be escaped."""

GivenId = Annotated[str, Meta(min_length=1, max_length=BOUNDS["TemplateId"], description="template ID")]
GivenResolution = Annotated[str, Meta(min_length=1, max_length=BOUNDS["ConsumeItems"])]
Word = Annotated[str, Meta(min_length=1, max_length=LONGEST_WORD)]
Credits = Annotated[float, Meta(ge=0, le=1e15)]
Limit = Annotated[int, Meta(ge=1, le=MOST_ROWS, description="maximum number of rows; fewer if they would exceed 24,000 bytes")]
Place = Annotated[str, Meta(min_length=1, max_length=LONGEST_PLACE)]
After = Annotated[Place, doc("`after` of the previous result; the other arguments stay the same")]
Since = Annotated[Place, doc("`after` of a previous result, or `cursor` of `catalog_status`")]
More = Annotated[bool, doc("whether more rows follow")]
Shortened = Annotated[bool, doc("true: texts or lists were truncated to limit the size")]
NextPage = Annotated[str | None, doc("argument `after` for the next page; null if this is the last page")]


_PRICE = "price in Crun credits, at `resolution` if given, otherwise at the cheapest resolution"


class FilterValuesArguments(Struct, forbid_unknown_fields=True):
    """Filters; a template must match all of them."""

    search: Annotated[Word, doc("words; each must occur in a title, a tag or the ID")] | UnsetType = UNSET
    tag: Annotated[Word, doc("tag in Chinese or English")] | UnsetType = UNSET
    type: Annotated[Word, doc("template type, such as BEGIN_END_FRAME")] | UnsetType = UNSET
    requirement: Annotated[Word, doc("requirement for the input images, such as SINGLE_PERSON")] | UnsetType = UNSET
    images: Annotated[int, Meta(ge=0, le=10**6), doc("number of input images")] | UnsetType = UNSET
    resolution: Annotated[Word, doc("resolution that has a price, such as 720p")] | UnsetType = UNSET
    ratio: Annotated[Word, doc("supported aspect ratio, such as 9:16")] | UnsetType = UNSET
    min_price: Annotated[Credits, doc(f"minimum {_PRICE}")] | UnsetType = UNSET
    max_price: Annotated[Credits, doc(f"maximum {_PRICE}")] | UnsetType = UNSET


class SearchTemplatesArguments(FilterValuesArguments):
    """Filters; a template must match all of them. The order and the page."""

    sort: Annotated[str, one_of(*SORTS), doc("sort order")] = "id"
    limit: Limit = USUAL_ROWS
    after: After | UnsetType = UNSET


class GetTemplateArguments(Struct, forbid_unknown_fields=True):
    """The template."""

    template_id: GivenId


class GetFormArguments(GetTemplateArguments):
    """The template, and the resolution of the example."""

    resolution: Annotated[GivenResolution, doc("resolution of the example; the cheapest by default")] | UnsetType = UNSET


class ValidateInputArguments(GetTemplateArguments):
    """The template and the input."""

    input: Annotated[Anything, doc("the input to validate")]


class PriceHistoryArguments(GetTemplateArguments):
    """The template and the page."""

    limit: Limit = USUAL_ROWS
    after: After | UnsetType = UNSET


class RecentChangesArguments(Struct, forbid_unknown_fields=True):
    """The page."""

    limit: Limit = USUAL_ROWS
    after: Since | UnsetType = UNSET


class CatalogStatusArguments(Struct, forbid_unknown_fields=True):
    """No arguments."""


class Answer(Struct, kw_only=True):
    """The key that every result may have."""

    shortened: Shortened | UnsetType = UNSET


TemplateSummary: Any = declare(
    "TemplateSummary", "One template in short form.",
    *catalog.catalog_fields(
        "template_id", "title", "title_en", "template_type", "input_requirement", "input_num", "duration_ms", "released_at",
        "cover_url", "consume_items", "tags", "aspect_ratios",
    ),
)  # fmt: skip


_UNKNOWN = "if nothing matches: filter values that no template has, with similar existing ones"


class FoundTemplates(Answer):
    """Templates that match the filters."""

    templates: Annotated[list[TemplateSummary], doc("matching templates")]
    more: More
    after: NextPage
    unknown: Annotated[list[str], doc(_UNKNOWN)] | UnsetType = UNSET


class FilterValue(Struct):
    """A value of a filter."""

    value: Annotated[str | int, doc("value to pass to `search_templates`", "Trending")]
    templates: Annotated[int, doc("templates that have it")]


_Values = Annotated[list[FilterValue], doc("values, the most frequent first")]


class FilterValues(Answer):
    """The values of each filter among the matching templates."""

    templates: Annotated[int, doc("matching templates")]
    tag: _Values
    type: _Values
    requirement: _Values
    images: _Values
    resolution: _Values
    ratio: _Values


class WholeTemplate(catalog.StoredTemplate):
    """One template, present or removed."""

    shortened: Shortened | UnsetType = UNSET


class FormAnswer(Answer):
    """The form of a generation request."""

    template_id: catalog.TemplateId
    schema: Annotated[OpenObject, doc("JSON Schema (2020-12) of the input")]
    example: Annotated[OpenObject, doc("valid input with placeholders for the images")]
    form_hash: Annotated[str, doc("hash of the schema; equal forms have equal hashes")]
    removed_at: catalog.RemovedAt


class InputVerdict(Answer):
    """The result of validating an input."""

    template_id: catalog.TemplateId
    valid: Annotated[bool, doc("whether the input is valid")]
    problems: Annotated[list[Problem], doc(f"the first {MOST_ROWS} errors")]
    more: Annotated[bool, doc("whether there are more errors")]
    removed_at: catalog.RemovedAt


class PricePeriod(Struct):
    """A price and its period of validity."""

    resolution: catalog.Resolution
    credit: Annotated[float, doc("Crun credits")]
    valid_from: Annotated[Time, doc("start of the period")]
    valid_until: Annotated[Time | None, doc("end of the period; null if the price is current")]


class PriceHistory(Answer):
    """The prices of a template over time."""

    template_id: catalog.TemplateId
    periods: Annotated[list[PricePeriod], doc("prices with their periods, oldest first")]
    more: More
    after: NextPage


ChangeSummary: Any = declare(
    "ChangeSummary", "One change, with the titles of the template.",
    *fields_of(catalog.Change, "seq", "run_id", "at", "template_id", "kind", "fields", "evidence", "breaking"),
    ("title", Annotated[str | None, doc("title in Chinese")]), ("title_en", Annotated[str | None, doc("title in English")]),
)  # fmt: skip


class RecentChanges(Answer):
    """Changes, oldest first."""

    changes: Annotated[list[ChangeSummary], doc("changes, oldest first")]
    more: Annotated[bool, doc("whether newer changes are available now")]
    after: Annotated[str, doc("argument `after` for newer changes, now or later")]


class CatalogStatus(Answer):
    """The age and size of the local copy."""

    present: catalog.Present
    held: catalog.Held
    unconfirmed: catalog.Unconfirmed
    last_success_at: Annotated[Time | None, doc("time of the last successful run; null if there is none")]
    last_success_age_seconds: Annotated[float | None, doc("seconds since the last successful run")]
    last_change_at: Annotated[Time | None, doc("time of the last change; null if there is none")]
    oldest_seq: catalog.OldestSeq
    last_seq: catalog.LastSeq
    cursor: Annotated[str, doc("end of the feed; argument `after` of `recent_changes`")]


class Tool(NamedTuple):
    """One tool: a name for people, the structs of its arguments and its result, and a description for the model that chooses."""

    title: str
    arguments: Any
    answer: Any
    description: str


TOOLS: Mapping[str, Tool] = {
    "search_templates": Tool(
        "Search templates", SearchTemplatesArguments, FoundTemplates,
        "Find available video-effect templates by words in titles and tags (Chinese or English), by tag, type, number of images, "
        "resolution, aspect ratio or price. Without arguments: all of them, by ID.",
    ),
    "filter_values": Tool(
        "Values of the filters", FilterValuesArguments, FilterValues,
        "List the tags, types, requirements, numbers of images, resolutions and aspect ratios of the matching templates, each "
        "with its number of templates. Without arguments: of all templates.",
    ),
    "get_template": Tool(
        "Get one template", GetTemplateArguments, WholeTemplate,
        "Get all fields of one template. It may be removed; `removed_at` is null while it is available.",
    ),
    "get_form": Tool(
        "Get the form of a generation request", GetFormArguments, FormAnswer,
        "Get the JSON Schema of the `input` of a generation request for this template, and an example.",
    ),
    "validate_input": Tool(
        "Validate the input of a generation request", ValidateInputArguments, InputVerdict,
        "Validate an input against the template's form; each error is one sentence. Nothing is sent and no credits are spent.",
    ),
    "price_history": Tool(
        "Price history of one template", PriceHistoryArguments, PriceHistory,
        "Get every price of a template at each resolution with its period of validity, oldest first.",
    ),
    "recent_changes": Tool(
        "Recent changes of the catalog", RecentChangesArguments, RecentChanges,
        "List added, removed and changed templates in order: without `after`, the newest changes; with the `after` of an earlier "
        "result, the changes since that result.",
    ),
    "catalog_status": Tool(
        "Status of the catalog", CatalogStatusArguments, CatalogStatus,
        "Get the number of templates, the time of the last update of this copy, and the time of the last change.",
    ),
}  # fmt: skip
"""Name -> tool, in the order in which they are offered."""
