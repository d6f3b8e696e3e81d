"""The structs that commands print."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Struct, UnsetType, field

from sync.outputs.catalog import OpenObject, RemovedAt, Run, RunChange, Template, TemplateId, Time, doc, one_of


class Outcome(Run):
    """One run, as it is printed when it finishes."""

    hint: Annotated[str | None, doc("what to do about the error; null if there is no error, or if no action is needed")]
    changes: Annotated[list[RunChange], doc("changes of the run")]


class Evolution(Struct):
    """IDs of the templates that the sample catalog changed between the two runs."""

    added: Annotated[list[str], doc("IDs of added templates")]
    removed: Annotated[list[str], doc("IDs of removed templates")]
    repriced: Annotated[list[str], doc("IDs of templates with other prices")]
    renamed: Annotated[list[str], doc("IDs of templates with another title")]
    retagged: Annotated[list[str], doc("IDs of templates with other tags")]


class Demo(Struct):
    """Two runs of the sample catalog."""

    first: Annotated[Outcome, doc("first run")]
    evolution: Annotated[Evolution, doc("changes that the sample catalog made between the runs")]
    second: Annotated[Outcome, doc("second run")]


class SiteBuilt(Struct):
    """The result of building the gallery."""

    written: Annotated[int, doc("number of files created or updated")]
    deleted: Annotated[int, doc("number of files deleted")]
    templates: Annotated[int, doc("number of templates shown")]
    covers: Annotated[int, doc("number of local copies of covers")]
    covers_missing: Annotated[int, doc("number of covers that could not be fetched")]


LeaseActive = Annotated[bool, doc("whether a run holds the lease")]
LeaseHolder = Annotated[str | None, doc("lease holder; null if the lease is free")]
LeaseSeconds = Annotated[float, doc("seconds until the lease expires unless it is renewed")]


class LeaseState(Struct):
    """The state of the write lease."""

    active: LeaseActive
    holder: LeaseHolder
    seconds_left: LeaseSeconds


class Lease(Struct):
    """The write lease."""

    active: LeaseActive
    holder: LeaseHolder
    fence: Annotated[int, doc("fencing token; every acquisition increments it")]
    seconds_left: LeaseSeconds


class Standby(Struct):
    """A standby or replica."""

    newest_transaction_age_seconds: Annotated[
        float | None,
        doc("age of the newest replayed transaction, an upper bound of the lag; null if it is not reported"),
    ]


class EndpointPosition(Struct):
    """The delivery position of a webhook endpoint."""

    name: Annotated[str, doc("endpoint name")]
    behind: Annotated[int | None, doc("number of undelivered changes in the feed")]
    attempts: Annotated[int, doc("number of failed attempts for the next message")]
    failing_since: Annotated[Time | None, doc("time of the first failed attempt; null if none failed")]
    paused: Annotated[str | None, doc("why delivery is paused, `gone` or `lost:` and a reason; null if it is not")]


class SiteState(Struct):
    """The gallery of SYNC_SITE_DIR."""

    folder: Annotated[str, doc("folder of the gallery")]
    current: Annotated[bool, doc("whether the gallery shows every change of the feed")]


class Status(Struct):
    """The state of the database and of synchronisation."""

    present: Annotated[int, doc("number of templates present")]
    held: Annotated[int, doc("number of removals held")]
    unconfirmed: Annotated[int, doc("number of missing templates that are kept, because their removal is not confirmed")]
    rejected: Annotated[int, doc("number of records that the last attempt rejected")]
    last_attempt: Annotated[Run | None, doc("newest run; null if there is none")]
    last_success: Annotated[Run | None, doc("newest successful run over the whole catalog; null if there is none")]
    last_attempt_age_seconds: Annotated[float | None, doc("seconds since the last attempt started")]
    last_success_age_seconds: Annotated[float | None, doc("seconds since the last success finished")]
    last_change_at: Annotated[Time | None, doc("time of the last change")]
    last_change_age_seconds: Annotated[float | None, doc("seconds since the last change")]
    next_run_at: Annotated[Time | None, doc("time of the daemon's next run; null if none is scheduled")]
    stale: Annotated[bool, doc("whether the last success is older than `stale_after_seconds`")]
    stale_after_seconds: Annotated[float, doc("age at which the catalog counts as stale")]
    lease: Annotated[LeaseState, doc("state of the write lease")]
    feed_epoch: Annotated[str, doc("ID of this change feed; it differs between databases")]
    oldest_seq: Annotated[int, doc("sequence number of the oldest retained change")]
    last_seq: Annotated[int, doc("sequence number of the newest change")]
    cursor: Annotated[str, doc("cursor at the end of the feed")]
    standby: Annotated[Standby | None, doc("set if the server is a standby or replica, whose data may lag")]
    site: Annotated[SiteState | None, doc("state of the gallery; null if SYNC_SITE_DIR is not set")]
    webhooks: Annotated[list[EndpointPosition], doc("delivery position of each webhook endpoint")]


class RejectedRecord(Struct):
    """A rejected record."""

    run_id: Annotated[int, doc("ID of the run that received the record")]
    ordinal: Annotated[int, doc("number of the record among those that the run rejected")]
    page: Annotated[int, doc("page number; 0 for a look-up")]
    position: Annotated[int, doc("position on the page")]
    template_id: Annotated[str | None, doc("template ID; null if it is not readable")]
    reason: Annotated[str, doc("reason for the rejection")]
    payload: Annotated[str, doc("the record, truncated if it is long")]


class PendingRemoval(Struct):
    """A missing template that is kept: its removal is held, or not confirmed."""

    state: Annotated[str, one_of("held", "unconfirmed"), doc("kind of pending removal")]
    reason: Annotated[str, doc("why the template is kept, in one sentence")]
    runs: Annotated[int, doc("number of consecutive runs that confirmed its removal; 0 if it is unconfirmed")]
    answered: Annotated[
        bool,
        doc(
            "true for `held`, and for an `unconfirmed` template whose look-up after a verified walk got a 404 or an empty list. "
            "`run --accept-removals` checks such templates again and removes those that have not returned"
        ),
    ]
    template_id: TemplateId
    since_run_id: Annotated[int, doc("ID of the first run that kept it")]
    since_at: Annotated[Time, doc("time at which that run began")]
    document: Annotated[Template, doc("the template, which is still present")]


class CatalogAt(Struct):
    """The catalog with the cursor of the same moment."""

    cursor: Annotated[str, doc("cursor of the exported catalog; `changes --since` continues from it")]
    templates: Annotated[list[Template], doc("templates")]


class FirstLine(Struct):
    """The cursor of the catalog that follows."""

    cursor: Annotated[str, doc("cursor of the exported catalog; `changes --since` continues from it")]


class TagCount(Struct):
    """A tag and its number of templates."""

    name: Annotated[str, doc("name in Chinese")]
    name_en: Annotated[str | None, doc("name in English; null if there is none")]
    templates: Annotated[int, doc("number of present templates with the tag")]


class TypeCount(Struct):
    """A template type and its number of templates."""

    type: Annotated[str | None, doc("template type; null if the catalog has none", "BEGIN_END_FRAME")]
    templates: Annotated[int, doc("number of present templates of the type")]


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
    img_urls: Annotated[list[str], doc("image URLs (http or https), in order; here placeholders")]
    resolution: Annotated[str, doc("resolution with a price", "720p")]


class GenerationRequest(Struct):
    """A complete generation request."""

    method: Annotated[str, doc("HTTP method")]
    url: Annotated[str, doc("URL")]
    headers: Annotated[dict[str, str], doc("header fields; `$CRUN_API_KEY` stands for the key")]
    body: Annotated[OpenObject, doc("`model` and `input`")]
    credit: Annotated[float | None, doc("credits that the request costs; null if the catalog has no price")]
    notes: Annotated[list[str], doc("placeholders and unknown values, one sentence each")]
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
    oldest_seq: Annotated[int, doc("sequence number of the oldest retained change")]
    last_seq: Annotated[int, doc("sequence number of the newest change")]
    cursor: Annotated[
        str | None, doc("end of the feed; read the current catalog, then continue from here; null if it is unknown")
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
    seen: Annotated[str, doc("observation")]
    advice: Annotated[str, doc("recommended action; empty if none")]
    file: Annotated[str | None, doc("file that was read; null for a check without one", "/run/secrets/crun_api_key")]
    age_seconds: Annotated[float | None, doc("seconds since that file was written; null for a check without one")]


class TablesVersion(Struct):
    """The schema version of the tables and that of the program."""

    revision: Annotated[str | None, doc("revision of the tables; null if there are no tables", "0004")]
    head: Annotated[str, doc("revision that the program requires", "0004")]
    state: Annotated[str, one_of("empty", "behind", "current", "ahead"), doc("state of the tables relative to the program")]


class CatalogOrigin(Struct):
    """The origin of the catalog that the database is a copy of, and the configured one; `loopback` is any loopback address."""

    recorded: Annotated[
        str | None, doc("origin that the first verified run recorded; null before that run", "https://api.crun.ai")
    ]
    configured: Annotated[str, doc("origin of CRUN_BASE_URL", "https://api.crun.ai")]


class Pruned(Struct):
    """The number of deleted rows; with `--dry-run`, of rows that would be deleted."""

    changes: Annotated[int, doc("number of changes deleted from the feed")]
    versions: Annotated[int, doc("number of template versions deleted")]
    prices: Annotated[int, doc("number of ended price periods deleted")]
    rejected_records: Annotated[int, doc("number of rejected records deleted")] = field(name="rejected records")
    runs: Annotated[int, doc("number of runs deleted")]
    oldest_seq: Annotated[int, doc("sequence number of the oldest retained change")]


class SchemaName(Struct):
    """One JSON Schema."""

    name: Annotated[str, doc("name of the schema", "changes")]
    description: Annotated[str, doc("what the schema describes")]
