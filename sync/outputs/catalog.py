"""PURE. The structs that several outputs share (template, change, run), and the helpers to declare and to build structs.

An output is open, because new versions add keys; an input is closed. A value that this program chooses is an `enum`; a value that
the catalog chooses is a string with examples. Documents, rows of the feed, runs and counts are dicts that have these keys;
a test compares their keys with the structs.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct, structs

from sync.catalog.document import DOCUMENT_KEYS, to_plain_json
from sync.catalog.fields import FIELDS
from sync.catalog.fields import Kind as FieldKind
from sync.catalog.run_record import Status

Output = TypeVar("Output", bound=Struct)

UTC_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$"
"""A pattern, because validators may ignore `format`."""

Time = Annotated[str, Meta(pattern=UTC_TIME, extra_json_schema={"format": "date-time"})]
OpenObject = Annotated[dict[str, Any], Meta(extra_json_schema={"additionalProperties": True})]
Anything = Annotated[
    Any,
    Meta(extra_json_schema={"type": ["string", "number", "boolean", "null", "array", "object"], "additionalProperties": True}),
]


def doc(description: str, *examples: str) -> Meta:
    """Describe a key."""
    return Meta(description=description, examples=[*examples] if examples else None)


def one_of(*words: str) -> Meta:
    """Limit a string to these values, in this order."""
    return Meta(extra_json_schema={"enum": [*words]})


def declare(name: str, description: str, *fields: tuple[str, Any] | tuple[str, Any, Any]) -> Any:
    """Declare a struct from fields that `fields_of` or `catalog_fields` returned."""
    return defstruct(name, fields, namespace={"__doc__": description})


def fields_of(struct: Any, *names: str) -> list[tuple[str, Any]]:
    """Return fields of a struct, for a smaller one."""
    kinds = {field.name: field.type for field in structs.fields(struct)}
    return [(name, kinds[name]) for name in names]


def built(kind: type[Output], source: Any, **given: Any) -> Output:
    """Build a struct from the attributes of `source` that have the names of its fields, and from `given`."""
    names = [field.name for field in structs.fields(kind) if field.name not in given and hasattr(source, field.name)]
    return kind(**{name: to_plain_json(getattr(source, name)) for name in names}, **given)


TemplateId = Annotated[str, doc("template ID", "104909826")]
RemovedAt = Annotated[Time | None, doc("time of removal; null while the template is present")]
FormHash = Annotated[str, doc("hash of the template's form; not in the view `change_feed` and not in CSV")]
Resolution = Annotated[str, doc("resolution, such as `720p`", "720p")]
Present = Annotated[int, doc("present templates")]
Held = Annotated[int, doc("missing templates that are kept, because too many are missing at once")]
Unconfirmed = Annotated[int, doc("missing templates that are kept, because their removal is not confirmed")]
OldestSeq = Annotated[int, doc("`seq` of the oldest change in the feed")]
LastSeq = Annotated[int, doc("`seq` of the newest change in the feed")]


class Price(Struct):
    """The price of one generation at one resolution."""

    resolution: Resolution
    credit: Annotated[float, doc("Crun credits; at most 15 significant digits")]


class Tag(Struct):
    """A tag in Chinese and in English."""

    name: Annotated[str, doc("name in Chinese")]
    name_en: Annotated[str | None, doc("name in English; null if the catalog has none")]


_TYPES: dict[FieldKind, Any] = {
    FieldKind.STRING: str | None,
    FieldKind.INTEGER: int | None,
    FieldKind.INSTANT: Time | None,
    FieldKind.PRICES: list[Price],
    FieldKind.TAGS: list[Tag],
    FieldKind.RATIOS: list[Annotated[str, doc("aspect ratio", "9:16")]],
}
_BY_COLUMN = {field.column: field for field in reversed(FIELDS)}


def catalog_fields(*columns: str) -> list[tuple[str, Any]]:
    """Return the fields of these columns, from their declarations."""
    return [
        (name, TemplateId if name == "template_id" else Annotated[_TYPES[field.kind], doc(field.description)])
        for name, field in ((name, _BY_COLUMN[name]) for name in columns)
    ]


_EXTRA = Annotated[OpenObject, doc("fields of the API that this version does not know, under their original names")]
CatalogFields: Any = declare(
    "CatalogFields", "The fields of a template that the catalog defines.",
    *catalog_fields(*DOCUMENT_KEYS[:-1]), ("extra", _EXTRA),
)  # fmt: skip


class Template(CatalogFields):  # type: ignore[misc]  # its fields are declared in `catalog.fields`
    """One template. A value may be null where its type says so."""

    form_hash: FormHash


class StoredTemplate(CatalogFields):  # type: ignore[misc]  # likewise
    """One template, present or removed."""

    first_seen_at: Annotated[Time, doc("time at which this database first stored the template")]
    changed_at: Annotated[Time, doc("time of the last change that this database recorded")]
    removed_at: RemovedAt


class ShownTemplate(StoredTemplate):
    """One template, present or removed."""

    form_hash: FormHash


_ABSENT = (
    "only in changes that version 0.1.0 recorded for a field in `extra`: the side on which the field was absent, and not "
    "present with the value null"
)


class FieldChange(Struct):
    """The change of one field."""

    field: Annotated[
        str, doc("key of the template, such as `title`, `consume_items.720p` or `extra.Name`", "title", "consume_items.720p")
    ]
    old: Annotated[Anything, doc("value before the change")]
    new: Annotated[Anything, doc("value after the change")]
    gained: Annotated[list[Tag], doc("for `tags` only: added tags")] | UnsetType = UNSET
    lost: Annotated[list[Tag], doc("for `tags` only: removed tags")] | UnsetType = UNSET
    absent: Annotated[str, one_of("old", "new"), doc(_ABSENT)] | UnsetType = UNSET


class PriceMove(Struct):
    """The change of one price."""

    resolution: Resolution
    old: Annotated[float | None, doc("credits before the change; null if there was no price")]
    new: Annotated[float | None, doc("credits after the change; null if there is no price any more")]


class Change(Struct):
    """One change of the feed."""

    seq: Annotated[int, doc("sequence number in the feed, without gaps")]
    run_id: Annotated[int, doc("ID of the run that recorded the change")]
    at: Annotated[Time, doc("time at which that run finished")]
    template_id: TemplateId
    kind: Annotated[str, one_of("added", "changed", "removed"), doc("kind of change")]
    fields: Annotated[list[FieldChange], doc("for `changed`: the changed fields; otherwise empty")]
    evidence: Annotated[
        Annotated[str, one_of("lookup", "walks", "accepted")] | None,
        doc(
            "what confirmed a removal: `lookup` (the API did not find the ID), `walks` (two walks and a sample of look-ups) or "
            "`accepted` (an operator); otherwise null"
        ),
    ]
    prices: Annotated[list[PriceMove], doc("the changed prices")]
    breaking: Annotated[
        list[Annotated[str, doc("reason; details follow the first colon", "removed", "resolution-gone:720p")]],
        doc("why requests that were valid may now fail or have another result; empty if none"),
    ]
    cursor: Annotated[str, doc("position in the feed after this change")]
    document: Annotated[Template | None, doc("the template after the change; null for `removed`")]
    before: Annotated[Template | None, doc("for `removed`: the last version of the template; otherwise null")]


RunChange: Any = declare(
    "RunChange", "One change of a run, without `seq` and `cursor`; the feed has both.",
    *fields_of(Change, "kind", "template_id", "fields", "evidence", "document", "before"),
)  # fmt: skip
_BEFORE = Annotated[Template, doc("only for `removed`: the last version of the template")] | UnsetType
NetChange: Any = declare(
    "NetChange", "One difference between the catalogs at two points in time.",
    *fields_of(Change, "kind", "template_id", "fields", "document"), ("before", _BEFORE, UNSET),
)  # fmt: skip


class Run(Struct):
    """One run or refresh: a row of the table `sync_runs`, with its duration."""

    run_id: Annotated[int | None, doc("run ID; null if nothing was recorded, as for a dry run")]
    trigger: Annotated[str, one_of("run", "daemon", "demo", "refresh", "dry-run"), doc("what started the run")]
    status: Annotated[str, one_of(*map(str, Status)), doc("status of the run")]
    started_at: Annotated[Time, doc("start time")]
    finished_at: Annotated[Time | None, doc("end time; null while the run is active")]
    catalog_total: Annotated[int | None, doc("number of templates that the API reports; null if it reports no number")]
    pages: Annotated[int, doc("pages fetched")]
    requests: Annotated[int, doc("requests, including retries")]
    retries: Annotated[int, doc("retries")]
    bytes: Annotated[int, doc("bytes received, before decompression")]
    seen: Annotated[int, doc("templates received")]
    added: Annotated[int, doc("added templates")]
    removed: Annotated[int, doc("removed templates")]
    changed: Annotated[int, doc("changed templates")]
    unchanged: Annotated[int, doc("unchanged templates")]
    rejected: Annotated[int, doc("rejected records")]
    held: Held
    unconfirmed: Unconfirmed
    fields_appeared: Annotated[
        list[str], doc("unknown fields of the API that a template gained; in the first run, all unknown fields")
    ]
    fields_vanished: Annotated[
        list[str], doc("unknown fields that a template lost, and documented fields that every template lost")
    ]
    error_code: Annotated[str | None, doc("error code of this program or of the API; null without an error", "429")]
    error: Annotated[str | None, doc("error message; null without an error")]
    fence: Annotated[int | None, doc("fencing token of the lease; null if the run did not get the lease")]
    holder: Annotated[str, doc("process that made the run")]
    version: Annotated[str | None, doc("version of the program that wrote the row; null for 0.1.0")]
    template_id: Annotated[str | None, doc("template of a refresh; null for a run over the whole catalog")]
    seconds: Annotated[float | None, doc("duration in seconds; null while the run is active")]
