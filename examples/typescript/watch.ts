// Reads `template-sync changes --follow --json` on stdin and prints one line per change, for an app that sends generation tasks:
//
//     template-sync changes --follow --json | node build/watch.js
//
// It exits with 1 and names the line if a line is not a change: a consumer must not continue after a change that it did not read.

import { createInterface } from "node:readline";

import type { Change, PriceMove } from "./template-sync.js";

/** Escapes control characters, because titles are text of a third party. */
function shown(text: string): string {
  return text.replace(/[^\P{C}]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`);
}

function moved({ resolution, old, new: now }: PriceMove): string {
  return `${resolution} ${old ?? "(none)"} → ${now ?? "(none)"}`;
}

/** Formats one change as a line. */
export function sentence(change: Change): string {
  const template = change.kind === "removed" ? change.before : change.document;
  const title = template?.title_en ?? template?.title ?? "";
  const changed = [
    ...change.prices.map(moved),
    ...change.fields.filter((each) => !each.field.startsWith("consume_items.")).map((each) => each.field),
  ];
  const breaks = change.breaking.length > 0 ? `  BREAKS CALLERS: ${change.breaking.join(", ")}` : "";
  const what = changed.length > 0 ? `  ${changed.join(", ")}` : "";
  return shown(`${change.seq} ${change.kind} ${change.template_id} ${title}${what}${breaks}`);
}

/** Parses a line as a change. It checks the members that are used here; the schema describes all. */
function read(line: string): Change {
  const value: unknown = JSON.parse(line);
  if (typeof value !== "object" || value === null || !("seq" in value) || !("kind" in value) || !("prices" in value)) {
    throw new SyntaxError("not a change of the feed");
  }
  return value as Change;
}

let lines = 0;
for await (const line of createInterface({ input: process.stdin })) {
  lines += 1;
  try {
    console.log(sentence(read(line)));
  } catch (error) {
    console.error(`line ${lines}: ${shown(String(error))}`);
    process.exit(1);
  }
}
