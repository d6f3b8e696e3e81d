"""PURE. What each command prints as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.schemas.catalog import MOMENTS, RUN, TEMPLATE
from sync.schemas.shapes import flag, free, items, moment, nullable, number, record, ref, text, whole, word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sync.schemas.shapes import Schema

OUTCOME: Mapping[str, Schema] = {
    **RUN,
    "hint": nullable(text("what to do about the error; null if there is none, or nothing to do")),
    "changes": items(ref("run_change"), "what it changed"),
}

DEFINITIONS: Mapping[str, Schema] = {
    "site_state": record(
        "SiteState",
        "The gallery of SYNC_SITE_DIR.",
        {"folder": text("where it is"), "current": flag("whether it shows every change of the feed")},
    ),
    "standby": record(
        "Standby",
        "A server that repeats another one.",
        {
            "newest_transaction_age_seconds": nullable(
                number("of what it repeated last, and at most as late as that; null if it keeps that to itself")
            )
        },
    ),
    "outcome": record("Outcome", "A run, as it prints itself at its end.", OUTCOME),
    "held_removal": record(
        "HeldRemoval",
        "A missing template that is kept.",
        {
            "template_id": text("which template"),
            "state": word("whether its removal waits, or no look-up confirms that it is gone", "held", "unconfirmed"),
            "reason": text("why it is kept"),
            "since_run_id": whole("the run that first held it, or first found it unconfirmed"),
            "since_at": moment("when that run began"),
            "runs": whole("consecutive verified runs that agree; 0 for one that is unconfirmed"),
            "answered": flag("whether `run --accept-removals` removes it: its look-up was answered"),
            "document": ref("template", "the template, which is still there"),
        },
    ),
    "rejected_record": record(
        "RejectedRecord",
        "A record that could not be read.",
        {
            "run_id": whole("the run that was served it"),
            "ordinal": whole("its number among those of the run"),
            "page": whole("the page that it stood on; 0 for a look-up"),
            "position": whole("its place on the page"),
            "template_id": nullable(text("its id; null if that could not be read either")),
            "reason": text("what is wrong with it"),
            "payload": text("the record, cut where it is long"),
        },
    ),
    "shown_template": record("ShownTemplate", "One template, present or removed.", {**TEMPLATE, **MOMENTS}),
    "setting": record(
        "Setting",
        "One setting.",
        {
            "variable": text("its variable"),
            "value": nullable(text("masked if it is a secret; null if it is not set")),
            "source": text("where it came from", "default", "environment", ".env file", "flag", "not set"),
        },
    ),
    "check": record(
        "Check",
        "One check of `doctor`.",
        {
            "name": text("what was looked at"),
            "result": word("how it came out", "ok", "warning", "failed"),
            "seen": text("what was seen"),
            "advice": text("what to do; empty if nothing"),
        },
    ),
    "schema_name": record(
        "SchemaName",
        "One schema.",
        {"name": text("what to ask for", "changes"), "description": text("what it describes")},
    ),
    "problem": record(
        "Problem",
        "One mistake in an input.",
        {
            "field": text("the field; empty where the input itself is meant", "img_urls"),
            "path": text("where exactly; empty likewise", "img_urls[1]"),
            "message": text("what must be and what is"),
        },
    ),
    "endpoint_position": record(
        "EndpointPosition",
        "How far a webhook endpoint has been told.",
        {
            "name": text("the endpoint"),
            "behind": nullable(whole("changes in the feed after what it has been told")),
            "attempts": whole("those in vain, of the next message"),
            "failing_since": nullable(moment("the first of those that failed; null if none did")),
            "paused": nullable(text("why it is not tried, `gone`, or `lost:` and a reason; null if it is")),
        },
    ),
}

LEASE: Mapping[str, Schema] = {
    "active": flag("whether somebody is at work"),
    "holder": nullable(text("who; null when nobody is")),
    "seconds_left": number("until it ends unless renewed"),
}

STATUS: Mapping[str, Schema] = {
    "present": whole("templates that are present"),
    "held": whole("removals that wait"),
    "unconfirmed": whole("missing templates that are kept: no look-up confirms that they are gone"),
    "rejected": whole("records that the last attempt could not read"),
    "last_attempt": nullable(ref("run", "the newest run; null if there was none")),
    "last_success": nullable(ref("run", "the newest that walked the whole catalog and succeeded; null if none did")),
    "last_attempt_age_seconds": nullable(number("since it began")),
    "last_success_age_seconds": nullable(number("since it ended")),
    "last_change_at": nullable(moment("when anything last changed")),
    "last_change_age_seconds": nullable(number("since then")),
    "next_run_at": nullable(moment("the daemon's next run; null if none is planned")),
    "stale": flag("whether the last success is too old"),
    "stale_after_seconds": number("the age at which it is"),
    "lease": record("LeaseState", "Who may write.", LEASE),
    "feed_epoch": nullable(text("names this feed; another database's is another one")),
    "oldest_seq": whole("the oldest change that the feed still holds"),
    "last_seq": whole("its newest"),
    "cursor": nullable(text("where the feed ends")),
    "standby": nullable(ref("standby", "set where the server that was asked repeats another one, so that it may be late")),
    "webhooks": items(ref("endpoint_position"), "how far each webhook endpoint has been told"),
    "site": nullable(ref("site_state", "the gallery; null if SYNC_SITE_DIR is not set")),
}

OUTPUTS: Mapping[str, tuple[str, Schema]] = {
    "run": ("`run`, `refresh`: the run, and what it changed", ref("outcome")),
    "demo": (
        "`demo`: two runs, and what the sample catalog really did between them",
        record(
            "Demo",
            "Two runs of the sample catalog.",
            {
                "first": ref("outcome", "the first run"),
                "evolution": record(
                    "Evolution",
                    "Ids of the templates to which something happened between the runs.",
                    {
                        name: items(text("an id"), what)
                        for name, what in (
                            ("added", "new ones"),
                            ("removed", "gone ones"),
                            ("repriced", "those whose prices changed"),
                            ("renamed", "those whose titles changed"),
                            ("retagged", "those whose tags changed"),
                        )
                    },
                ),
                "second": ref("outcome", "the second run"),
            },
        ),
    ),
    "site": (
        "`site`: what was written",
        record(
            "SiteBuilt",
            "What a build of the gallery did.",
            {
                "written": whole("files that are new or other than before"),
                "deleted": whole("files that are no longer of the site"),
                "templates": whole("templates that it shows"),
                "covers": whole("copies of covers that are kept"),
                "covers_missing": whole("covers that could not be had"),
            },
        ),
    ),
    "site-catalog": ("`site`: its file catalog.json; as `export` prints it", items(ref("template"), "Templates.")),
    "site-changes": ("`site`: its file changes.json; the newest changes, oldest first", items(ref("change"), "Changes.")),
    "status": (
        "`status`: how things stand",
        record(
            "Status",
            "How things stand.",
            STATUS,
        ),
    ),
    "runs": ("`runs`: newest first", items(ref("run"), "Runs.")),
    "rejected": ("`runs --rejected RUN`: what it could not read", items(ref("rejected_record"), "Records.")),
    "changes": ("`changes`: the feed, oldest first", items(ref("change"), "Changes.")),
    "change": ("`changes --follow`: one change a line; a row of the feed", ref("change")),
    "pending": ("`changes --pending`: missing templates that are kept", items(ref("held_removal"), "Missing templates.")),
    "history": ("`history ID`: one template's changes, oldest first", items(ref("change"), "Changes.")),
    "diff": ("`diff`: what differs between two moments", items(ref("net_change"), "Differences, net.")),
    "list": ("`list`: the templates that pass the filters", items(ref("template"), "Templates.")),
    "show": ("`show ID`: one template, present or removed", ref("shown_template")),
    "export": ("`export --format json`: the catalog; `jsonl` has one of its items a line", items(ref("template"), "Templates.")),
    "export-with-cursor": (
        "`export --format json --with-cursor`: the catalog, and where to go on",
        record(
            "CatalogAt",
            "The catalog, and where its feed stands.",
            {"cursor": text("of the same moment, to go on from"), "templates": items(ref("template"), "the catalog")},
        ),
    ),
    "export-cursor": (
        "`export --with-cursor`: the first line of `jsonl`",
        record("FirstLine", "Where the feed stands.", {"cursor": text("of the same moment, to go on from")}),
    ),
    "tags": (
        "`tags`: the commonest first",
        items(
            record(
                "TagCount",
                "A tag, and how common it is.",
                {
                    "name": text("in Chinese"),
                    "name_en": nullable(text("in English; null if it has none")),
                    "templates": whole("how many present templates have it"),
                },
            ),
            "Tags.",
        ),
    ),
    "types": (
        "`types`: the commonest first",
        items(
            record(
                "TypeCount",
                "A type, and how common it is.",
                {
                    "type": nullable(text("the type; null where the catalog gives none", "BEGIN_END_FRAME")),
                    "templates": whole("how many present templates are of it"),
                },
            ),
            "Types.",
        ),
    ),
    "form": (
        "`form ID`: itself a JSON Schema, of the generation request's input",
        {
            "type": "object",
            "title": "GenerationForm",
            "description": "A JSON Schema (2020-12).",
            "properties": {
                "$schema": text("the dialect"),
                "title": text("the template's"),
                "type": word("an input is an object", "object"),
                "properties": free("of the input's fields"),
                "required": items(text("a field's name"), "the fields that an input must have"),
                "additionalProperties": flag("false: an input has no other fields"),
                "deprecated": flag("true: the template was removed"),
                "$comment": text("when it was removed"),
            },
            "required": ["$schema", "title", "type", "properties", "required", "additionalProperties"],
        },
    ),
    "form-example": (
        "`form ID --example`: an input that fits",
        record(
            "GenerationInput",
            "An input.",
            {
                "template_id": text("which template"),
                "img_urls": items(text("an address, of http or https"), "the images, in order; here placeholders"),
                "resolution": text("one that has a price", "720p"),
            },
        ),
    ),
    "form-request": (
        "`form ID --request`: the whole request",
        record(
            "GenerationRequest",
            "A request for a video.",
            {
                "method": text("of HTTP"),
                "url": text("where to"),
                "headers": free("by name; `$CRUN_API_KEY` stands for the key"),
                "body": free("`model` and `input`"),
                "credit": nullable(number("what it spends; null if the catalog does not say")),
                "notes": items(text("a sentence"), "what is a placeholder, what is unknown"),
                "removed_at": nullable(moment("when the template was removed; null while it is present")),
            },
        ),
    ),
    "form-check": (
        "`form ID --validate FILE`: whether an input fits",
        record(
            "InputCheck",
            "Whether an input fits.",
            {
                "template_id": text("which template"),
                "valid": flag("whether it fits"),
                "problems": items(ref("problem"), "why not, one a mistake"),
                "removed_at": nullable(moment("when the template was removed; null while it is present")),
            },
        ),
    ),
    "config": ("`config`: the settings", items(ref("setting"), "Settings.")),
    "doctor": ("`doctor`: every check", items(ref("check"), "Checks.")),
    "db-current": (
        "`db current`: the tables' version",
        record(
            "TablesVersion",
            "The tables' version and this program's.",
            {
                "revision": nullable(text("the tables'; null if there are none", "0004")),
                "head": text("this program's", "0004"),
                "state": word("how the two compare", "empty", "behind", "current", "ahead"),
            },
        ),
    ),
    "db-check": ("`db check`: what is wrong, a sentence each", items(text("a sentence"), "What is wrong; empty if nothing.")),
    "lease": (
        "`lease show`: who may write",
        record("Lease", "Who may write.", {**LEASE, "fence": whole("the number that every acquisition raises")}),
    ),
    "prune": (
        "`prune`: rows that were deleted, by kind",
        record(
            "Pruned",
            "Rows that were deleted; with `--dry-run`, that would be.",
            {
                "changes": whole("of the feed"),
                "versions": whole("of templates"),
                "prices": whole("that ended"),
                "rejected records": whole("that could not be read"),
                "runs": whole("and all that they said"),
                "oldest_seq": whole("where the feed begins now"),
            },
        ),
    ),
    "schema": ("`schema`: the names of all these", items(ref("schema_name"), "Schemas.")),
}
"""Name -> what prints it, and its schema."""
