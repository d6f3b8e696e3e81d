"""PURE. The definitions that many outputs share: a template, a change, a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.run_record import Status
from sync.schemas.shapes import anything, free, items, moment, nullable, number, record, ref, text, whole, word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sync.schemas.shapes import Schema

TEMPLATE: Mapping[str, Schema] = {
    "template_id": text("its id", "104909826"),
    "media_id": nullable(text("of the catalog's own media")),
    "service_id": nullable(text("of the catalog's own service")),
    "title": nullable(text("in Chinese")),
    "title_en": nullable(text("in English")),
    "cover_url": nullable(text("a picture")),
    "cover_aspect_ratio": nullable(text("its width to its height", "9:16")),
    "preview_video_url": nullable(text("a video")),
    "duration_ms": nullable(whole("milliseconds")),
    "template_type": nullable(text("an open list of words, such as `BEGIN_END_FRAME`", "BEGIN_END_FRAME")),
    "input_requirement": nullable(text("of its images; an open list of words, such as `SINGLE_PERSON`", "SINGLE_PERSON")),
    "input_num": nullable(whole("how many images it takes")),
    "released_at": nullable(moment("when the catalog released it")),
    "consume_items": items(ref("price"), "its prices, in the catalog's order"),
    "tags": items(ref("tag"), "in the catalog's order"),
    "aspect_ratios": items(text("such as 9:16", "9:16"), "those that it supports"),
    "extra": free("fields of the endpoint that this version does not know, under their own names"),
    "form_hash": text("of the template's form; not in the view, nor in CSV"),
}
"""A document: one template, as it is printed."""

MOMENTS: Mapping[str, Schema] = {
    "first_seen_at": moment("when this database first had it"),
    "changed_at": moment("when this database last saw it change"),
    "removed_at": nullable(moment("when it was removed; null while it is present")),
}

RUN: Mapping[str, Schema] = {
    "run_id": nullable(whole("its number; null for a dry run, and for an attempt that recorded nothing")),
    "trigger": word("what began it", "run", "daemon", "demo", "refresh", "dry-run"),
    "status": word("how it stands", *map(str, Status)),
    "started_at": moment("when it began"),
    "finished_at": nullable(moment("when it ended; null while it runs")),
    "seconds": nullable(number("between the two; null while it runs")),
    "catalog_total": nullable(whole("the catalog's own count; null if it gave none")),
    "pages": whole("pages of the walk"),
    "requests": whole("requests, all told"),
    "retries": whole("those of them that were asked again"),
    "bytes": whole("as sent over the wire"),
    "seen": whole("templates that were served"),
    "added": whole("templates that are new"),
    "removed": whole("templates that are gone"),
    "changed": whole("templates that changed"),
    "unchanged": whole("templates that did not"),
    "rejected": whole("records that could not be read"),
    "held": whole("removals that wait"),
    "unconfirmed": whole("missing templates that are kept: no look-up confirms that they are gone"),
    "fields_appeared": items(text("a field's name"), "the endpoint's field names that are new to the whole catalog"),
    "fields_vanished": items(text("a field's name"), "likewise, gone from it"),
    "error_code": nullable(text("why it was no plain success, in a word or as the endpoint's code; null if it was", "429")),
    "error": nullable(text("the same as a sentence")),
    "fence": nullable(whole("the lease's number; null if it got none")),
    "holder": text("who held the lease"),
    "version": nullable(text("of the program that wrote it; null for 0.1.0")),
}
"""An attempt to synchronise: a row of `sync_runs`, and `seconds`."""

KIND = word("what happened", "added", "changed", "removed")
EVIDENCE = nullable(word("for `removed`, what bore it out; else null", "lookup", "walks", "accepted"))
FIELDS = items(ref("field_change"), "for `changed`, what changed; else empty")
DOCUMENT = nullable(ref("template", "the template after the change; null for `removed`"))
BEFORE = nullable(ref("template", "for `removed`: the template until then; else null"))

CHANGE: Mapping[str, Schema] = {
    "seq": whole("its number in the feed, without gaps"),
    "run_id": whole("the run that saw it"),
    "at": moment("when that run ended"),
    "template_id": text("which template"),
    "kind": KIND,
    "fields": FIELDS,
    "evidence": EVIDENCE,
    "prices": items(ref("price_move"), "the prices that moved"),
    "breaking": items(
        text("a word; what stands behind its first colon says which one", "removed", "resolution-gone:720p"),
        "why it breaks callers, in words; empty if it does not",
    ),
    "cursor": nullable(text("the feed up to and with this change, to go on from; null only where 0.1.0 wrote it")),
    "document": DOCUMENT,
    "before": BEFORE,
}
"""A change of the feed."""

DEFINITIONS: Mapping[str, Schema] = {
    "template": record("Template", "One template. All but its id and the lists may be null.", TEMPLATE),
    "price": record(
        "Price",
        "What one generation costs.",
        {"resolution": text("such as 720p", "720p"), "credit": number("Crun credits; at most 15 significant digits")},
    ),
    "tag": record(
        "Tag",
        "One tag in both languages.",
        {"name": text("in Chinese"), "name_en": nullable(text("in English; null where the catalog gives none"))},
    ),
    "run": record("Run", "One attempt to synchronise.", RUN),
    "change": record("Change", "One change of the feed.", CHANGE),
    "field_change": record(
        "FieldChange",
        "One field's change.",
        {
            "field": text("its name; a price is `consume_items.720p`, an unknown field `extra.Name`", "title"),
            "old": anything("as the document had it"),
            "new": anything("as the document has it"),
        },
        optional={
            "gained": items(ref("tag"), "for `tags` only: those that are new"),
            "lost": items(ref("tag"), "for `tags` only: those that are gone"),
            "absent": word("for an unknown field: on this side it was not null, but not there at all", "old", "new"),
        },
    ),
    "price_move": record(
        "PriceMove",
        "One price that moved.",
        {
            "resolution": text("such as 720p", "720p"),
            "old": nullable(number("credits; null where there was none")),
            "new": nullable(number("credits; null where there is none any more")),
        },
    ),
    "run_change": record(
        "RunChange",
        "One change that a run made, as `run` and `refresh` print it: the feed numbers it afterwards.",
        {name: CHANGE[name] for name in ("kind", "template_id", "fields", "evidence", "document", "before")},
    ),
    "net_change": record(
        "NetChange",
        "One difference between two moments.",
        {name: CHANGE[name] for name in ("kind", "template_id", "fields", "document")},
        optional={"before": BEFORE},
    ),
}
