/* Made from `template-sync schema --all` by `npm run types`. */

/**
 * Templates.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "site-catalog".
 */
export type SiteCatalogOutput = Template[];
/**
 * Changes.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "site-changes".
 */
export type SiteChangesOutput = Change[];
/**
 * Runs.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "runs".
 */
export type RunsOutput = Run[];
/**
 * Records.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "rejected".
 */
export type RejectedOutput = RejectedRecord[];
/**
 * Changes.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "changes".
 */
export type ChangesOutput = Change[];
/**
 * Missing templates.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "pending".
 */
export type PendingOutput = HeldRemoval[];
/**
 * Changes.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "history".
 */
export type HistoryOutput = Change[];
/**
 * Differences, net.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "diff".
 */
export type DiffOutput = NetChange[];
/**
 * Templates.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "list".
 */
export type ListOutput = Template[];
/**
 * Templates.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "export".
 */
export type ExportOutput = Template[];
/**
 * Tags.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "tags".
 */
export type TagsOutput = TagCount[];
/**
 * Types.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "types".
 */
export type TypesOutput = TypeCount[];
/**
 * Settings.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "config".
 */
export type ConfigOutput = Setting[];
/**
 * Checks.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "doctor".
 */
export type DoctorOutput = Check[];
/**
 * What is wrong; empty if nothing.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "db-check".
 *
 * Items: a sentence
 */
export type DbCheckOutput = string[];
/**
 * Schemas.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "schema".
 */
export type SchemaOutput = SchemaName[];
/**
 * Endpoints.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "webhooks-list".
 */
export type WebhooksListOutput = WebhookEndpoint[];
/**
 * Endpoints that were told.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "webhooks-deliver".
 */
export type WebhooksDeliverOutput = Delivery[];

/**
 * Every JSON form of crun-template-sync.
 */
export interface Everything {
  [k: string]: unknown;
}
/**
 * One template. All but its id and the lists may be null.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "template".
 */
export interface Template {
  /**
   * its id
   */
  template_id: string;
  /**
   * of the catalog's own media
   */
  media_id: string | null;
  /**
   * of the catalog's own service
   */
  service_id: string | null;
  /**
   * in Chinese
   */
  title: string | null;
  /**
   * in English
   */
  title_en: string | null;
  /**
   * a picture
   */
  cover_url: string | null;
  /**
   * its width to its height
   */
  cover_aspect_ratio: string | null;
  /**
   * a video
   */
  preview_video_url: string | null;
  /**
   * milliseconds
   */
  duration_ms: number | null;
  /**
   * an open list of words, such as `BEGIN_END_FRAME`
   */
  template_type: string | null;
  /**
   * of its images; an open list of words, such as `SINGLE_PERSON`
   */
  input_requirement: string | null;
  /**
   * how many images it takes
   */
  input_num: number | null;
  /**
   * when the catalog released it
   */
  released_at: string | null;
  /**
   * its prices, in the catalog's order
   */
  consume_items: Price[];
  /**
   * in the catalog's order
   */
  tags: Tag[];
  /**
   * those that it supports
   *
   * Items: such as 9:16
   */
  aspect_ratios: string[];
  /**
   * fields of the endpoint that this version does not know, under their own names
   */
  extra: {
    [k: string]: unknown;
  };
  /**
   * of the template's form; not in the view, nor in CSV
   */
  form_hash: string;
}
/**
 * What one generation costs.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "price".
 */
export interface Price {
  /**
   * such as 720p
   */
  resolution: string;
  /**
   * Crun credits; at most 15 significant digits
   */
  credit: number;
}
/**
 * One tag in both languages.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "tag".
 */
export interface Tag {
  /**
   * in Chinese
   */
  name: string;
  /**
   * in English; null where the catalog gives none
   */
  name_en: string | null;
}
/**
 * One attempt to synchronise.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "run".
 */
export interface Run {
  /**
   * its number; null for a dry run, and for an attempt that recorded nothing
   */
  run_id: number | null;
  /**
   * what began it
   */
  trigger: "run" | "daemon" | "demo" | "refresh" | "dry-run";
  /**
   * how it stands
   */
  status: "running" | "succeeded" | "held" | "incomplete" | "deferred" | "failed" | "skipped" | "interrupted";
  /**
   * when it began
   */
  started_at: string;
  /**
   * when it ended; null while it runs
   */
  finished_at: string | null;
  /**
   * between the two; null while it runs
   */
  seconds: number | null;
  /**
   * the catalog's own count; null if it gave none
   */
  catalog_total: number | null;
  /**
   * pages of the walk
   */
  pages: number;
  /**
   * requests, all told
   */
  requests: number;
  /**
   * those of them that were asked again
   */
  retries: number;
  /**
   * as sent over the wire
   */
  bytes: number;
  /**
   * templates that were served
   */
  seen: number;
  /**
   * templates that are new
   */
  added: number;
  /**
   * templates that are gone
   */
  removed: number;
  /**
   * templates that changed
   */
  changed: number;
  /**
   * templates that did not
   */
  unchanged: number;
  /**
   * records that could not be read
   */
  rejected: number;
  /**
   * removals that wait
   */
  held: number;
  /**
   * missing templates that are kept: no look-up confirms that they are gone
   */
  unconfirmed: number;
  /**
   * the endpoint's field names that are new to the whole catalog
   *
   * Items: a field's name
   */
  fields_appeared: string[];
  /**
   * likewise, gone from it
   *
   * Items: a field's name
   */
  fields_vanished: string[];
  /**
   * why it was no plain success, in a word or as the endpoint's code; null if it was
   */
  error_code: string | null;
  /**
   * the same as a sentence
   */
  error: string | null;
  /**
   * the lease's number; null if it got none
   */
  fence: number | null;
  /**
   * who held the lease
   */
  holder: string;
  /**
   * of the program that wrote it; null for 0.1.0
   */
  version: string | null;
}
/**
 * One change of the feed.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "change".
 */
export interface Change {
  /**
   * its number in the feed, without gaps
   */
  seq: number;
  /**
   * the run that saw it
   */
  run_id: number;
  /**
   * when that run ended
   */
  at: string;
  /**
   * which template
   */
  template_id: string;
  /**
   * what happened
   */
  kind: "added" | "changed" | "removed";
  /**
   * for `changed`, what changed; else empty
   */
  fields: FieldChange[];
  /**
   * for `removed`, what bore it out; else null
   */
  evidence: ("lookup" | "walks" | "accepted") | null;
  /**
   * the prices that moved
   */
  prices: PriceMove[];
  /**
   * why it breaks callers, in words; empty if it does not
   *
   * Items: a word; what stands behind its first colon says which one
   */
  breaking: string[];
  /**
   * the feed up to and with this change, to go on from; null only where 0.1.0 wrote it
   */
  cursor: string | null;
  /**
   * the template after the change; null for `removed`
   */
  document: Template | null;
  /**
   * for `removed`: the template until then; else null
   */
  before: Template | null;
}
/**
 * One field's change.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "field_change".
 */
export interface FieldChange {
  /**
   * its name; a price is `consume_items.720p`, an unknown field `extra.Name`
   */
  field: string;
  /**
   * as the document had it
   */
  old:
    | string
    | number
    | boolean
    | null
    | unknown[]
    | {
        [k: string]: unknown;
      };
  /**
   * as the document has it
   */
  new:
    | string
    | number
    | boolean
    | null
    | unknown[]
    | {
        [k: string]: unknown;
      };
  /**
   * for `tags` only: those that are new
   */
  gained?: Tag[];
  /**
   * for `tags` only: those that are gone
   */
  lost?: Tag[];
  /**
   * for an unknown field: on this side it was not null, but not there at all
   */
  absent?: "old" | "new";
}
/**
 * One price that moved.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "price_move".
 */
export interface PriceMove {
  /**
   * such as 720p
   */
  resolution: string;
  /**
   * credits; null where there was none
   */
  old: number | null;
  /**
   * credits; null where there is none any more
   */
  new: number | null;
}
/**
 * One change that a run made, as `run` and `refresh` print it: the feed numbers it afterwards.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "run_change".
 */
export interface RunChange {
  /**
   * what happened
   */
  kind: "added" | "changed" | "removed";
  /**
   * which template
   */
  template_id: string;
  /**
   * for `changed`, what changed; else empty
   */
  fields: FieldChange[];
  /**
   * for `removed`, what bore it out; else null
   */
  evidence: ("lookup" | "walks" | "accepted") | null;
  /**
   * the template after the change; null for `removed`
   */
  document: Template | null;
  /**
   * for `removed`: the template until then; else null
   */
  before: Template | null;
}
/**
 * One difference between two moments.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "net_change".
 */
export interface NetChange {
  /**
   * what happened
   */
  kind: "added" | "changed" | "removed";
  /**
   * which template
   */
  template_id: string;
  /**
   * for `changed`, what changed; else empty
   */
  fields: FieldChange[];
  /**
   * the template after the change; null for `removed`
   */
  document: Template | null;
  /**
   * for `removed`: the template until then; else null
   */
  before?: Template | null;
}
/**
 * The gallery of SYNC_SITE_DIR.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "site_state".
 */
export interface SiteState {
  /**
   * where it is
   */
  folder: string;
  /**
   * whether it shows every change of the feed
   */
  current: boolean;
}
/**
 * A server that repeats another one.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "standby".
 */
export interface Standby {
  /**
   * of what it repeated last, and at most as late as that; null if it keeps that to itself
   */
  newest_transaction_age_seconds: number | null;
}
/**
 * A run, as it prints itself at its end.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "outcome".
 */
export interface Outcome {
  /**
   * its number; null for a dry run, and for an attempt that recorded nothing
   */
  run_id: number | null;
  /**
   * what began it
   */
  trigger: "run" | "daemon" | "demo" | "refresh" | "dry-run";
  /**
   * how it stands
   */
  status: "running" | "succeeded" | "held" | "incomplete" | "deferred" | "failed" | "skipped" | "interrupted";
  /**
   * when it began
   */
  started_at: string;
  /**
   * when it ended; null while it runs
   */
  finished_at: string | null;
  /**
   * between the two; null while it runs
   */
  seconds: number | null;
  /**
   * the catalog's own count; null if it gave none
   */
  catalog_total: number | null;
  /**
   * pages of the walk
   */
  pages: number;
  /**
   * requests, all told
   */
  requests: number;
  /**
   * those of them that were asked again
   */
  retries: number;
  /**
   * as sent over the wire
   */
  bytes: number;
  /**
   * templates that were served
   */
  seen: number;
  /**
   * templates that are new
   */
  added: number;
  /**
   * templates that are gone
   */
  removed: number;
  /**
   * templates that changed
   */
  changed: number;
  /**
   * templates that did not
   */
  unchanged: number;
  /**
   * records that could not be read
   */
  rejected: number;
  /**
   * removals that wait
   */
  held: number;
  /**
   * missing templates that are kept: no look-up confirms that they are gone
   */
  unconfirmed: number;
  /**
   * the endpoint's field names that are new to the whole catalog
   *
   * Items: a field's name
   */
  fields_appeared: string[];
  /**
   * likewise, gone from it
   *
   * Items: a field's name
   */
  fields_vanished: string[];
  /**
   * why it was no plain success, in a word or as the endpoint's code; null if it was
   */
  error_code: string | null;
  /**
   * the same as a sentence
   */
  error: string | null;
  /**
   * the lease's number; null if it got none
   */
  fence: number | null;
  /**
   * who held the lease
   */
  holder: string;
  /**
   * of the program that wrote it; null for 0.1.0
   */
  version: string | null;
  /**
   * what to do about the error; null if there is none, or nothing to do
   */
  hint: string | null;
  /**
   * what it changed
   */
  changes: RunChange[];
}
/**
 * A missing template that is kept.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "held_removal".
 */
export interface HeldRemoval {
  /**
   * which template
   */
  template_id: string;
  /**
   * whether its removal waits, or no look-up confirms that it is gone
   */
  state: "held" | "unconfirmed";
  /**
   * why it is kept
   */
  reason: string;
  /**
   * the run that first held it, or first found it unconfirmed
   */
  since_run_id: number;
  /**
   * when that run began
   */
  since_at: string;
  /**
   * consecutive verified runs that agree; 0 for one that is unconfirmed
   */
  runs: number;
  /**
   * whether `run --accept-removals` removes it: its look-up was answered
   */
  answered: boolean;
  /**
   * the template, which is still there
   */
  document: Template;
}
/**
 * A record that could not be read.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "rejected_record".
 */
export interface RejectedRecord {
  /**
   * the run that was served it
   */
  run_id: number;
  /**
   * its number among those of the run
   */
  ordinal: number;
  /**
   * the page that it stood on; 0 for a look-up
   */
  page: number;
  /**
   * its place on the page
   */
  position: number;
  /**
   * its id; null if that could not be read either
   */
  template_id: string | null;
  /**
   * what is wrong with it
   */
  reason: string;
  /**
   * the record, cut where it is long
   */
  payload: string;
}
/**
 * One template, present or removed.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "shown_template".
 */
export interface ShownTemplate {
  /**
   * its id
   */
  template_id: string;
  /**
   * of the catalog's own media
   */
  media_id: string | null;
  /**
   * of the catalog's own service
   */
  service_id: string | null;
  /**
   * in Chinese
   */
  title: string | null;
  /**
   * in English
   */
  title_en: string | null;
  /**
   * a picture
   */
  cover_url: string | null;
  /**
   * its width to its height
   */
  cover_aspect_ratio: string | null;
  /**
   * a video
   */
  preview_video_url: string | null;
  /**
   * milliseconds
   */
  duration_ms: number | null;
  /**
   * an open list of words, such as `BEGIN_END_FRAME`
   */
  template_type: string | null;
  /**
   * of its images; an open list of words, such as `SINGLE_PERSON`
   */
  input_requirement: string | null;
  /**
   * how many images it takes
   */
  input_num: number | null;
  /**
   * when the catalog released it
   */
  released_at: string | null;
  /**
   * its prices, in the catalog's order
   */
  consume_items: Price[];
  /**
   * in the catalog's order
   */
  tags: Tag[];
  /**
   * those that it supports
   *
   * Items: such as 9:16
   */
  aspect_ratios: string[];
  /**
   * fields of the endpoint that this version does not know, under their own names
   */
  extra: {
    [k: string]: unknown;
  };
  /**
   * of the template's form; not in the view, nor in CSV
   */
  form_hash: string;
  /**
   * when this database first had it
   */
  first_seen_at: string;
  /**
   * when this database last saw it change
   */
  changed_at: string;
  /**
   * when it was removed; null while it is present
   */
  removed_at: string | null;
}
/**
 * One setting.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "setting".
 */
export interface Setting {
  /**
   * its variable
   */
  variable: string;
  /**
   * masked if it is a secret; null if it is not set
   */
  value: string | null;
  /**
   * where it came from
   */
  source: string;
}
/**
 * One check of `doctor`.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "check".
 */
export interface Check {
  /**
   * what was looked at
   */
  name: string;
  /**
   * how it came out
   */
  result: "ok" | "warning" | "failed";
  /**
   * what was seen
   */
  seen: string;
  /**
   * what to do; empty if nothing
   */
  advice: string;
}
/**
 * One schema.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "schema_name".
 */
export interface SchemaName {
  /**
   * what to ask for
   */
  name: string;
  /**
   * what it describes
   */
  description: string;
}
/**
 * One mistake in an input.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "problem".
 */
export interface Problem {
  /**
   * the field; empty where the input itself is meant
   */
  field: string;
  /**
   * where exactly; empty likewise
   */
  path: string;
  /**
   * what must be and what is
   */
  message: string;
}
/**
 * How far a webhook endpoint has been told.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "endpoint_position".
 */
export interface EndpointPosition {
  /**
   * the endpoint
   */
  name: string;
  /**
   * changes in the feed after what it has been told
   */
  behind: number | null;
  /**
   * those in vain, of the next message
   */
  attempts: number;
  /**
   * the first of those that failed; null if none did
   */
  failing_since: string | null;
  /**
   * why it is not tried, `gone`, or `lost:` and a reason; null if it is
   */
  paused: string | null;
}
/**
 * An endpoint, and how far it has been told.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "endpoint".
 */
export interface WebhookEndpoint {
  /**
   * its name in the file
   */
  name: string;
  /**
   * of its address, without the rest, which may be a secret
   */
  origin: string;
  /**
   * what a message tells of
   */
  per: "change" | "run";
  /**
   * whether it is told at all
   */
  enabled: boolean;
  /**
   * the feed up to what it has been told; null while it has no position
   */
  cursor: string | null;
  /**
   * the same as a number
   */
  seq: number | null;
  /**
   * changes in the feed after that
   */
  behind: number | null;
  /**
   * those in vain, of the next message
   */
  attempts: number;
  /**
   * the first of those that failed; null if none did
   */
  failing_since: string | null;
  /**
   * when it is tried again
   */
  next_attempt_at: string | null;
  /**
   * when it was tried last
   */
  last_attempt_at: string | null;
  /**
   * the HTTP status that it answered; null if it gave none
   */
  last_status: number | null;
  /**
   * what it said, if it was no yes, or what went wrong; cut
   */
  last_answer: string | null;
  /**
   * why it is not tried, `gone`, or `lost:` and a reason; null if it is
   */
  paused: string | null;
}
/**
 * What came of telling one endpoint.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "delivery".
 */
export interface Delivery {
  /**
   * the endpoint
   */
  name: string;
  /**
   * in a word
   */
  result: "done" | "failed" | "waits" | "paused" | "busy" | "stopped" | "broken";
  /**
   * those that it took
   */
  messages: number;
  /**
   * why it took no more; null if all is well
   */
  error: string | null;
}
/**
 * One template, in short.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "found_template".
 */
export interface FoundTemplate {
  /**
   * its id
   */
  template_id: string;
  /**
   * in Chinese
   */
  title: string | null;
  /**
   * in English
   */
  title_en: string | null;
  /**
   * an open list of words, such as `BEGIN_END_FRAME`
   */
  template_type: string | null;
  /**
   * of its images; an open list of words, such as `SINGLE_PERSON`
   */
  input_requirement: string | null;
  /**
   * how many images it takes
   */
  input_num: number | null;
  /**
   * milliseconds
   */
  duration_ms: number | null;
  /**
   * when the catalog released it
   */
  released_at: string | null;
  /**
   * its prices, in the catalog's order
   */
  consume_items: Price[];
  /**
   * in the catalog's order
   */
  tags: Tag[];
  /**
   * those that it supports
   *
   * Items: such as 9:16
   */
  aspect_ratios: string[];
}
/**
 * One change, with the template's titles in place of the whole template.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "told_change".
 */
export interface ToldChange {
  /**
   * its number in the feed, without gaps
   */
  seq: number;
  /**
   * the run that saw it
   */
  run_id: number;
  /**
   * when that run ended
   */
  at: string;
  /**
   * which template
   */
  template_id: string;
  /**
   * what happened
   */
  kind: "added" | "changed" | "removed";
  /**
   * for `changed`, what changed; else empty
   */
  fields: FieldChange[];
  /**
   * for `removed`, what bore it out; else null
   */
  evidence: ("lookup" | "walks" | "accepted") | null;
  /**
   * why it breaks callers, in words; empty if it does not
   *
   * Items: a word; what stands behind its first colon says which one
   */
  breaking: string[];
  /**
   * in Chinese
   */
  title: string | null;
  /**
   * in English
   */
  title_en: string | null;
}
/**
 * A price, and when it held.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "price_period".
 */
export interface PricePeriod {
  /**
   * such as 720p
   */
  resolution: string;
  /**
   * Crun credits
   */
  credit: number;
  /**
   * from when on
   */
  valid_from: string;
  /**
   * until when; null: it still does
   */
  valid_until: string | null;
}
/**
 * Two runs of the sample catalog.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "demo".
 */
export interface Demo {
  /**
   * the first run
   */
  first: Outcome;
  evolution: Evolution;
  /**
   * the second run
   */
  second: Outcome;
}
/**
 * Ids of the templates to which something happened between the runs.
 */
export interface Evolution {
  /**
   * new ones
   *
   * Items: an id
   */
  added: string[];
  /**
   * gone ones
   *
   * Items: an id
   */
  removed: string[];
  /**
   * those whose prices changed
   *
   * Items: an id
   */
  repriced: string[];
  /**
   * those whose titles changed
   *
   * Items: an id
   */
  renamed: string[];
  /**
   * those whose tags changed
   *
   * Items: an id
   */
  retagged: string[];
}
/**
 * What a build of the gallery did.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "site".
 */
export interface SiteBuilt {
  /**
   * files that are new or other than before
   */
  written: number;
  /**
   * files that are no longer of the site
   */
  deleted: number;
  /**
   * templates that it shows
   */
  templates: number;
  /**
   * copies of covers that are kept
   */
  covers: number;
  /**
   * covers that could not be had
   */
  covers_missing: number;
}
/**
 * How things stand.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "status".
 */
export interface Status {
  /**
   * templates that are present
   */
  present: number;
  /**
   * removals that wait
   */
  held: number;
  /**
   * missing templates that are kept: no look-up confirms that they are gone
   */
  unconfirmed: number;
  /**
   * records that the last attempt could not read
   */
  rejected: number;
  /**
   * the newest run; null if there was none
   */
  last_attempt: Run | null;
  /**
   * the newest that walked the whole catalog and succeeded; null if none did
   */
  last_success: Run | null;
  /**
   * since it began
   */
  last_attempt_age_seconds: number | null;
  /**
   * since it ended
   */
  last_success_age_seconds: number | null;
  /**
   * when anything last changed
   */
  last_change_at: string | null;
  /**
   * since then
   */
  last_change_age_seconds: number | null;
  /**
   * the daemon's next run; null if none is planned
   */
  next_run_at: string | null;
  /**
   * whether the last success is too old
   */
  stale: boolean;
  /**
   * the age at which it is
   */
  stale_after_seconds: number;
  lease: LeaseState;
  /**
   * names this feed; another database's is another one
   */
  feed_epoch: string | null;
  /**
   * the oldest change that the feed still holds
   */
  oldest_seq: number;
  /**
   * its newest
   */
  last_seq: number;
  /**
   * where the feed ends
   */
  cursor: string | null;
  /**
   * set where the server that was asked repeats another one, so that it may be late
   */
  standby: Standby | null;
  /**
   * how far each webhook endpoint has been told
   */
  webhooks: EndpointPosition[];
  /**
   * the gallery; null if SYNC_SITE_DIR is not set
   */
  site: SiteState | null;
}
/**
 * Who may write.
 */
export interface LeaseState {
  /**
   * whether somebody is at work
   */
  active: boolean;
  /**
   * who; null when nobody is
   */
  holder: string | null;
  /**
   * until it ends unless renewed
   */
  seconds_left: number;
}
/**
 * The catalog, and where its feed stands.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "export-with-cursor".
 */
export interface CatalogAt {
  /**
   * of the same moment, to go on from
   */
  cursor: string;
  /**
   * the catalog
   */
  templates: Template[];
}
/**
 * Where the feed stands.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "export-cursor".
 */
export interface FirstLine {
  /**
   * of the same moment, to go on from
   */
  cursor: string;
}
/**
 * A tag, and how common it is.
 */
export interface TagCount {
  /**
   * in Chinese
   */
  name: string;
  /**
   * in English; null if it has none
   */
  name_en: string | null;
  /**
   * how many present templates have it
   */
  templates: number;
}
/**
 * A type, and how common it is.
 */
export interface TypeCount {
  /**
   * the type; null where the catalog gives none
   */
  type: string | null;
  /**
   * how many present templates are of it
   */
  templates: number;
}
/**
 * A JSON Schema (2020-12).
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "form".
 */
export interface GenerationForm {
  /**
   * the dialect
   */
  $schema: string;
  /**
   * the template's
   */
  title: string;
  /**
   * an input is an object
   */
  type: "object";
  /**
   * of the input's fields
   */
  properties: {
    [k: string]: unknown;
  };
  /**
   * the fields that an input must have
   *
   * Items: a field's name
   */
  required: string[];
  /**
   * false: an input has no other fields
   */
  additionalProperties: boolean;
  /**
   * true: the template was removed
   */
  deprecated?: boolean;
  /**
   * when it was removed
   */
  $comment?: string;
}
/**
 * An input.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "form-example".
 */
export interface GenerationInput {
  /**
   * which template
   */
  template_id: string;
  /**
   * the images, in order; here placeholders
   *
   * Items: an address, of http or https
   */
  img_urls: string[];
  /**
   * one that has a price
   */
  resolution: string;
}
/**
 * A request for a video.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "form-request".
 */
export interface GenerationRequest {
  /**
   * of HTTP
   */
  method: string;
  /**
   * where to
   */
  url: string;
  /**
   * by name; `$CRUN_API_KEY` stands for the key
   */
  headers: {
    [k: string]: unknown;
  };
  /**
   * `model` and `input`
   */
  body: {
    [k: string]: unknown;
  };
  /**
   * what it spends; null if the catalog does not say
   */
  credit: number | null;
  /**
   * what is a placeholder, what is unknown
   *
   * Items: a sentence
   */
  notes: string[];
  /**
   * when the template was removed; null while it is present
   */
  removed_at: string | null;
}
/**
 * Whether an input fits.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "form-check".
 */
export interface InputCheck {
  /**
   * which template
   */
  template_id: string;
  /**
   * whether it fits
   */
  valid: boolean;
  /**
   * why not, one a mistake
   */
  problems: Problem[];
  /**
   * when the template was removed; null while it is present
   */
  removed_at: string | null;
}
/**
 * The tables' version and this program's.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "db-current".
 */
export interface TablesVersion {
  /**
   * the tables'; null if there are none
   */
  revision: string | null;
  /**
   * this program's
   */
  head: string;
  /**
   * how the two compare
   */
  state: "empty" | "behind" | "current" | "ahead";
}
/**
 * Who may write.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "lease".
 */
export interface Lease {
  /**
   * whether somebody is at work
   */
  active: boolean;
  /**
   * who; null when nobody is
   */
  holder: string | null;
  /**
   * until it ends unless renewed
   */
  seconds_left: number;
  /**
   * the number that every acquisition raises
   */
  fence: number;
}
/**
 * Rows that were deleted; with `--dry-run`, that would be.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "prune".
 */
export interface Pruned {
  /**
   * of the feed
   */
  changes: number;
  /**
   * of templates
   */
  versions: number;
  /**
   * that ended
   */
  prices: number;
  /**
   * that could not be read
   */
  "rejected records": number;
  /**
   * and all that they said
   */
  runs: number;
  /**
   * where the feed begins now
   */
  oldest_seq: number;
}
/**
 * An endpoint's answer to a trial.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "webhooks-test".
 */
export interface WebhookAnswer {
  /**
   * the endpoint
   */
  name: string;
  /**
   * the message's `webhook-id`
   */
  id: string;
  /**
   * whether it took the message
   */
  taken: boolean;
  /**
   * the HTTP status; null if it gave none
   */
  status: number | null;
  /**
   * what it said, or what went wrong, cut
   */
  answer: string | null;
}
/**
 * A webhook's body: a template is new.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "template.added".
 */
export interface TemplateAdded {
  /**
   * which of these messages it is
   */
  type: "template.added";
  /**
   * when the run ended that saw it
   */
  timestamp: string;
  /**
   * the change
   */
  data: Change;
}
/**
 * A webhook's body: a template changed.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "template.changed".
 */
export interface TemplateChanged {
  /**
   * which of these messages it is
   */
  type: "template.changed";
  /**
   * when the run ended that saw it
   */
  timestamp: string;
  /**
   * the change
   */
  data: Change;
}
/**
 * A webhook's body: a template is gone.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "template.removed".
 */
export interface TemplateRemoved {
  /**
   * which of these messages it is
   */
  type: "template.removed";
  /**
   * when the run ended that saw it
   */
  timestamp: string;
  /**
   * the change
   */
  data: Change;
}
/**
 * A webhook's body: what one run changed.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "catalog.changed".
 */
export interface CatalogChanged {
  /**
   * which of these messages it is
   */
  type: "catalog.changed";
  /**
   * when the run ended
   */
  timestamp: string;
  data: CatalogChange;
}
/**
 * One run's changes.
 */
export interface CatalogChange {
  /**
   * which run
   */
  run_id: number;
  /**
   * of its last change, told of or not
   */
  cursor: string;
  /**
   * those that the endpoint wants, in order, at least one
   */
  changes: Change[];
}
/**
 * A webhook's body: a trial, from `webhooks test`.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "webhook.test".
 */
export interface WebhookTest {
  /**
   * which of these messages it is
   */
  type: "webhook.test";
  /**
   * when it was sent
   */
  timestamp: string;
  data: WebhookTrial;
}
/**
 * Says hello.
 */
export interface WebhookTrial {
  /**
   * the endpoint's name
   */
  endpoint: string;
}
/**
 * Templates.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "mcp.search_templates".
 */
export interface FoundTemplates {
  /**
   * those that were found
   */
  templates: FoundTemplate[];
  /**
   * whether anything stands behind these
   */
  more: boolean;
  /**
   * what to pass as `after` for that; null where there is nothing
   */
  after: string | null;
  /**
   * true: texts or lists were cut, because the answer would have been too large
   */
  shortened?: boolean;
}
/**
 * One template.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "mcp.get_template".
 */
export interface WholeTemplate {
  /**
   * its id
   */
  template_id: string;
  /**
   * of the catalog's own media
   */
  media_id: string | null;
  /**
   * of the catalog's own service
   */
  service_id: string | null;
  /**
   * in Chinese
   */
  title: string | null;
  /**
   * in English
   */
  title_en: string | null;
  /**
   * a picture
   */
  cover_url: string | null;
  /**
   * its width to its height
   */
  cover_aspect_ratio: string | null;
  /**
   * a video
   */
  preview_video_url: string | null;
  /**
   * milliseconds
   */
  duration_ms: number | null;
  /**
   * an open list of words, such as `BEGIN_END_FRAME`
   */
  template_type: string | null;
  /**
   * of its images; an open list of words, such as `SINGLE_PERSON`
   */
  input_requirement: string | null;
  /**
   * how many images it takes
   */
  input_num: number | null;
  /**
   * when the catalog released it
   */
  released_at: string | null;
  /**
   * its prices, in the catalog's order
   */
  consume_items: Price[];
  /**
   * in the catalog's order
   */
  tags: Tag[];
  /**
   * those that it supports
   *
   * Items: such as 9:16
   */
  aspect_ratios: string[];
  /**
   * fields of the endpoint that this version does not know, under their own names
   */
  extra: {
    [k: string]: unknown;
  };
  /**
   * when this database first had it
   */
  first_seen_at: string;
  /**
   * when this database last saw it change
   */
  changed_at: string;
  /**
   * when it was removed; null while it is present
   */
  removed_at: string | null;
  /**
   * true: texts or lists were cut, because the answer would have been too large
   */
  shortened?: boolean;
}
/**
 * A form.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "mcp.get_form".
 */
export interface FormAnswer {
  /**
   * which template
   */
  template_id: string;
  /**
   * a JSON Schema (2020-12)
   */
  schema: {
    [k: string]: unknown;
  };
  /**
   * an input that fits, with placeholders for the images
   */
  example: {
    [k: string]: unknown;
  };
  /**
   * of the schema: equal hashes, equal forms
   */
  form_hash: string;
  /**
   * when it was removed; null while it is present
   */
  removed_at: string | null;
  /**
   * true: texts or lists were cut, because the answer would have been too large
   */
  shortened?: boolean;
}
/**
 * Whether the input fits.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "mcp.validate_input".
 */
export interface InputVerdict {
  /**
   * which template
   */
  template_id: string;
  /**
   * whether it fits
   */
  valid: boolean;
  /**
   * why not, one a mistake; the first fifty
   */
  problems: Problem[];
  /**
   * whether there are more mistakes
   */
  more: boolean;
  /**
   * when it was removed; null while it is present
   */
  removed_at: string | null;
  /**
   * true: texts or lists were cut, because the answer would have been too large
   */
  shortened?: boolean;
}
/**
 * Prices over time.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "mcp.price_history".
 */
export interface PriceHistory {
  /**
   * which template
   */
  template_id: string;
  /**
   * prices, and when each held
   */
  periods: PricePeriod[];
  /**
   * whether anything stands behind these
   */
  more: boolean;
  /**
   * what to pass as `after` for that; null where there is nothing
   */
  after: string | null;
  /**
   * true: texts or lists were cut, because the answer would have been too large
   */
  shortened?: boolean;
}
/**
 * Changes, oldest first.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "mcp.recent_changes".
 */
export interface RecentChanges {
  /**
   * the changes
   */
  changes: ToldChange[];
  /**
   * whether there are newer ones already
   */
  more: boolean;
  /**
   * what to pass as `after` for those, or later for what is new then
   */
  after: string;
  /**
   * true: texts or lists were cut, because the answer would have been too large
   */
  shortened?: boolean;
}
/**
 * How fresh the copy is.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "mcp.catalog_status".
 */
export interface CatalogStatus {
  /**
   * templates that are available
   */
  present: number;
  /**
   * removals that wait for a person or for more runs
   */
  held: number;
  /**
   * missing templates that are kept: no look-up confirms that they are gone
   */
  unconfirmed: number;
  /**
   * when this copy was last brought up to date; null: never
   */
  last_success_at: string | null;
  /**
   * since then
   */
  last_success_age_seconds: number | null;
  /**
   * when anything last changed; null: never
   */
  last_change_at: string | null;
  /**
   * the oldest change that is kept
   */
  oldest_seq: number;
  /**
   * the newest
   */
  last_seq: number;
  /**
   * where the feed of changes ends, as an `after` for `recent_changes`
   */
  cursor: string;
  /**
   * true: texts or lists were cut, because the answer would have been too large
   */
  shortened?: boolean;
}
/**
 * Every filter that is given must hold.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "mcp.search_templates.arguments".
 */
export interface SearchTemplatesArguments {
  /**
   * this text in a title, a tag or the id
   */
  search?: string;
  /**
   * this tag, in either language
   */
  tag?: string;
  /**
   * this type, such as BEGIN_END_FRAME
   */
  type?: string;
  /**
   * this requirement of its images, such as SINGLE_PERSON
   */
  requirement?: string;
  /**
   * taking this many images
   */
  images?: number;
  /**
   * with a price at this resolution, such as 720p
   */
  resolution?: string;
  /**
   * supporting this aspect ratio, such as 9:16
   */
  ratio?: string;
  /**
   * costing at least so many Crun credits: at `resolution` if that is given, else by the lowest price
   */
  min_price?: number;
  /**
   * costing at most so many Crun credits: at `resolution` if that is given, else by the lowest price
   */
  max_price?: number;
  /**
   * the order
   */
  sort?: "id" | "newest" | "price" | "name";
  /**
   * how many rows at most; fewer come where they are large
   */
  limit?: number;
  /**
   * go on behind an answer: its `after`, with the same other arguments
   */
  after?: string;
}
/**
 * Which one.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "mcp.get_template.arguments".
 */
export interface GetTemplateArguments {
  /**
   * the template's id
   */
  template_id: string;
}
/**
 * Which template's.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "mcp.get_form.arguments".
 */
export interface GetFormArguments {
  /**
   * the template's id
   */
  template_id: string;
  /**
   * for the example; the cheapest where it is left out
   */
  resolution?: string;
}
/**
 * What to check.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "mcp.validate_input.arguments".
 */
export interface ValidateInputArguments {
  /**
   * the template's id
   */
  template_id: string;
  /**
   * the input
   */
  input:
    | string
    | number
    | boolean
    | null
    | unknown[]
    | {
        [k: string]: unknown;
      };
}
/**
 * Whose.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "mcp.price_history.arguments".
 */
export interface PriceHistoryArguments {
  /**
   * the template's id
   */
  template_id: string;
  /**
   * how many rows at most; fewer come where they are large
   */
  limit?: number;
  /**
   * go on behind an answer: its `after`, with the same other arguments
   */
  after?: string;
}
/**
 * From where.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "mcp.recent_changes.arguments".
 */
export interface RecentChangesArguments {
  /**
   * how many rows at most; fewer come where they are large
   */
  limit?: number;
  /**
   * go on behind an answer: its `after`, with the same other arguments
   */
  after?: string;
}
/**
 * Nothing.
 *
 * This interface was referenced by `Everything`'s JSON-Schema
 * via the `definition` "mcp.catalog_status.arguments".
 */
export interface CatalogStatusArguments {}
