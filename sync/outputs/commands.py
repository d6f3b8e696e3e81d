"""The structs that commands print."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Struct, UnsetType, field

from sync.outputs import catalog
from sync.outputs.catalog import OpenObject, RemovedAt, Run, Template, TemplateId, Time, declare, doc, fields_of, one_of


class Outcome(Run):
    """One run, as it is printed when it finishes."""

    hint: Annotated[str | None, doc("what to do about the error; null if nothing needs to be done")]
    changes: Annotated[list[catalog.RunChange], doc("changes of the run")]


class Evolution(Struct):
    """What the sample catalog changed between the two runs."""

    added: Annotated[list[str], doc("IDs of added templates")]
    removed: Annotated[list[str], doc("IDs of removed templates")]
    repriced: Annotated[list[str], doc("IDs of templates with new prices")]
    renamed: Annotated[list[str], doc("IDs of templates with a new title")]
    retagged: Annotated[list[str], doc("IDs of templates with new tags")]


class Demo(Struct):
    """Two runs of the sample catalog."""

    first: Annotated[Outcome, doc("first run")]
    evolution: Annotated[Evolution, doc("changes that the sample catalog made between the runs")]
    second: Annotated[Outcome, doc("second run")]


class SiteBuilt(Struct):
    """The result of building the gallery."""

    written: Annotated[int, doc("files created or updated")]
    deleted: Annotated[int, doc("files deleted")]
    templates: Annotated[int, doc("templates shown")]
    covers: Annotated[int, doc("local copies of covers")]
    covers_missing: Annotated[int, doc("covers that could not be fetched")]


class Lease(Struct):
    """The lease."""

    active: Annotated[bool, doc("whether the lease is held")]
    holder: Annotated[str | None, doc("lease holder; null if the lease is free")]
    fence: Annotated[int, doc("fencing token; every acquisition increments it")]
    seconds_left: Annotated[float, doc("seconds until the lease expires unless it is renewed")]


LeaseState: Any = declare("LeaseState", "The state of the lease.", *fields_of(Lease, "active", "holder", "seconds_left"))


class Standby(Struct):
    """A standby or replica: a database server that repeats the transactions of another one."""

    newest_transaction_age_seconds: Annotated[
        float | None, doc("age of the newest repeated transaction, an upper bound of the lag; null if it is unknown")
    ]


Behind = Annotated[int | None, doc("changes in the feed after the position; null while there is no position")]
Attempts = Annotated[int, doc("failed attempts to deliver the next message")]
FailingSince = Annotated[Time | None, doc("time of the first of these attempts; null if there is none")]
Paused = Annotated[
    str | None, doc("why delivery is paused: `gone` (HTTP 410), or `lost:` and why the cursor is lost; null if it is not paused")
]


class EndpointPosition(Struct):
    """The delivery position of a webhook endpoint."""

    name: Annotated[str, doc("endpoint name")]
    behind: Behind
    attempts: Attempts
    failing_since: FailingSince
    paused: Paused


class SiteState(Struct):
    """The gallery of SYNC_SITE_DIR."""

    folder: Annotated[str, doc("folder of the gallery")]
    current: Annotated[bool, doc("whether the gallery shows every change of the feed")]


class Status(Struct):
    """The state of the database and of synchronisation."""

    present: catalog.Present
    held: catalog.Held
    unconfirmed: catalog.Unconfirmed
    rejected: Annotated[int, doc("records that the last attempt rejected")]
    last_attempt: Annotated[Run | None, doc("newest run that was not skipped, without refreshes; null if there is none")]
    last_success: Annotated[Run | None, doc("newest run with the status `succeeded`, without refreshes; null if there is none")]
    last_attempt_age_seconds: Annotated[float | None, doc("seconds since the last attempt started")]
    last_success_age_seconds: Annotated[float | None, doc("seconds since the last success finished")]
    last_change_at: Annotated[Time | None, doc("time of the last change")]
    last_change_age_seconds: Annotated[float | None, doc("seconds since the last change")]
    next_run_at: Annotated[Time | None, doc("time of the daemon's next run; null if none is scheduled")]
    stale: Annotated[bool, doc("whether the last success is missing or older than `stale_after_seconds`")]
    stale_after_seconds: Annotated[float, doc("age after which the last success is stale")]
    lease: Annotated[LeaseState, doc("state of the lease")]
    feed_epoch: Annotated[str, doc("ID of the feed; a new database has a new one")]
    oldest_seq: catalog.OldestSeq
    last_seq: catalog.LastSeq
    cursor: Annotated[str, doc("end of the feed")]
    standby: Annotated[Standby | None, doc("lag of a standby or replica; null for any other server")]
    site: Annotated[SiteState | None, doc("state of the gallery; null if SYNC_SITE_DIR is not set")]
    webhooks: Annotated[list[EndpointPosition], doc("delivery position of each webhook endpoint")]


class RejectedRecord(Struct):
    """A rejected record: a template in the form of the API that violates a rule."""

    run_id: Annotated[int, doc("ID of the run that rejected the record")]
    ordinal: Annotated[int, doc("number of the record among those that the run rejected")]
    page: Annotated[int, doc("page number; 0 for a look-up")]
    position: Annotated[int, doc("position on the page")]
    template_id: Annotated[str | None, doc("template ID; null if it is not readable")]
    reason: Annotated[str, doc("reason for the rejection")]
    payload: Annotated[str, doc("the record, truncated if it is long")]


class PendingRemoval(Struct):
    """A missing template that is kept: its removal is held, or not confirmed."""

    state: Annotated[str, one_of("held", "unconfirmed"), doc("`held`: too many are missing; `unconfirmed`: not confirmed")]
    reason: Annotated[str, doc("why the template is kept")]
    runs: Annotated[int, doc("consecutive runs that confirmed its removal; 0 for `unconfirmed`")]
    answered: Annotated[
        bool,
        doc(
            "whether `run --accept-removals` removes the template if it is still missing: true for `held`, and for `unconfirmed` "
            "if its look-up after a verified walk got a 404, a 422, an empty list or other templates"
        ),
    ]
    template_id: TemplateId
    since_run_id: Annotated[int, doc("ID of the first run that kept it")]
    since_at: Annotated[Time, doc("time at which that run began")]
    document: Annotated[Template, doc("the template, which is still present")]


class FirstLine(Struct):
    """The position in the feed of the catalog that follows."""

    cursor: Annotated[str, doc("position of this catalog in the feed; `changes --since` continues from it")]


class CatalogAt(FirstLine):
    """The catalog, and its position in the feed."""

    templates: Annotated[list[Template], doc("templates")]


class TagCount(Struct):
    """A tag and its number of templates."""

    name: Annotated[str, doc("name in Chinese")]
    name_en: Annotated[str | None, doc("name in English; null if there is none")]
    templates: Annotated[int, doc("present templates with the tag")]


class TypeCount(Struct):
    """A template type and its number of templates."""

    type: Annotated[str | None, doc("template type; null if the catalog has none", "BEGIN_END_FRAME")]
    templates: Annotated[int, doc("present templates of the type")]


class GenerationForm(Struct):
    """A JSON Schema (2020-12) of the input of a generation request."""

    schema: Annotated[str, doc("JSON Schema dialect")] = field(name="$schema")
    title: Annotated[str, doc("title of the template")]
    type: Annotated[str, one_of("object"), doc("type of the input")]
    properties: Annotated[OpenObject, doc("schema of each field")]
    required: Annotated[list[str], doc("required fields")]
    additionalProperties: Annotated[bool, doc("false: the input has no other fields")]  # noqa: N815 - JSON Schema's own name
    deprecated: Annotated[bool, doc("true: the template is removed")] | UnsetType = UNSET
    comment: Annotated[str, doc("time of removal")] | UnsetType = field(name="$comment", default=UNSET)


class GenerationInput(Struct):
    """The input of a generation request."""

    template_id: TemplateId
    img_urls: Annotated[list[str], doc("http or https URLs of the images, in order; here placeholders")]
    resolution: Annotated[str, doc("resolution with a price", "720p")]


class GenerationRequest(Struct):
    """A complete generation request."""

    method: Annotated[str, doc("HTTP method")]
    url: Annotated[str, doc("URL")]
    headers: Annotated[dict[str, str], doc("header fields; `$CRUN_API_KEY` stands for the key")]
    body: Annotated[OpenObject, doc("`model` and `input`")]
    credit: Annotated[float | None, doc("credits that the request costs; null if unknown")]
    notes: Annotated[list[str], doc("what to replace and what is unknown, one sentence each")]
    removed_at: RemovedAt


class Problem(Struct):
    """One error in an input."""

    field: Annotated[str, doc("field; empty for the input itself", "img_urls")]
    path: Annotated[str, doc("path of the value; empty for the input itself", "img_urls[1]")]
    message: Annotated[str, doc("expected and actual value")]


class InputCheck(Struct):
    """The result of validating an input."""

    template_id: TemplateId
    valid: Annotated[bool, doc("whether the input is valid")]
    problems: Annotated[list[Problem], doc("errors")]
    removed_at: RemovedAt


class LostCursor(Struct):
    """The error of a lost cursor, exit code 65."""

    error: Annotated[str, one_of("cursor-lost"), doc("kind of error")]
    reason: Annotated[str, one_of("other-feed", "pruned", "ahead", "diverged"), doc("why the cursor is lost")]
    message: Annotated[str, doc("the error message")]
    oldest_seq: catalog.OldestSeq
    last_seq: catalog.LastSeq
    cursor: Annotated[
        str | None, doc("end of the feed, null if unknown; read the current catalog, then continue from this cursor")
    ]


class Setting(Struct):
    """One setting."""

    variable: Annotated[str, doc("environment variable")]
    value: Annotated[str | None, doc("value, masked if it is a secret; null if it is not set")]
    source: Annotated[str, doc("source of the value", "default", "environment", ".env file", "flag", "not set")]


class Check(Struct):
    """One check of `doctor`."""

    name: Annotated[str, doc("subject of the check")]
    result: Annotated[str, one_of("ok", "warning", "failed"), doc("result")]
    seen: Annotated[str, doc("what the check found")]
    advice: Annotated[str, doc("what to do; empty if nothing needs to be done")]
    file: Annotated[str | None, doc("file with a secret; null for the other checks", "/run/secrets/crun_api_key")]
    age_seconds: Annotated[float | None, doc("seconds since that file was written; null for the other checks")]


class TablesVersion(Struct):
    """The schema version of the tables and that of the program."""

    revision: Annotated[str | None, doc("revision of the tables; null if there are no tables", "0004")]
    head: Annotated[str, doc("revision that the program requires", "0004")]
    state: Annotated[str, one_of("empty", "behind", "current", "ahead"), doc("state of the tables relative to the program")]


class CatalogOrigin(Struct):
    """The origin (scheme, host and port) of the API from which the database was filled, and the configured one."""

    recorded: Annotated[
        str | None,
        doc("origin of the first verified walk, or the last accepted origin; null if none is recorded", "https://api.crun.ai"),
    ]
    configured: Annotated[str, doc("origin of CRUN_BASE_URL", "https://api.crun.ai")]


class Pruned(Struct):
    """The number of deleted rows; with `--dry-run`, of rows that would be deleted."""

    changes: Annotated[int, doc("changes in the feed")]
    versions: Annotated[int, doc("versions of templates")]
    prices: Annotated[int, doc("ended price periods")]
    rejected_records: Annotated[int, doc("rejected records")] = field(name="rejected records")
    runs: Annotated[int, doc("runs")]
    oldest_seq: catalog.OldestSeq


class SchemaName(Struct):
    """One JSON Schema."""

    name: Annotated[str, doc("name of the schema", "changes")]
    description: Annotated[str, doc("what the schema describes")]
