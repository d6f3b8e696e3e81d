// Reads `template-sync changes --follow --json` on stdin and says, a line a change, what an app that sends jobs has to know:
//
//     template-sync changes --follow --json | node build/watch.js
//
// It ends with 1, and says where, at a line that is no change: a consumer must not go on behind something that it did not read.

import { createInterface } from "node:readline";

import type { Change, PriceMove } from "./template-sync.js";

/** Keeps a third party's text from acting on the terminal. */
function shown(text: string): string {
  return text.replace(/[^\P{C}]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`);
}

function moved({ resolution, old, new: now }: PriceMove): string {
  return `${resolution} ${old ?? "(none)"} → ${now ?? "(none)"}`;
}

/** Says one change in a line. */
export function sentence(change: Change): string {
  const template = change.kind === "removed" ? change.before : change.document;
  const title = template?.title_en ?? template?.title ?? "";
  const told = [
    ...change.prices.map(moved),
    ...change.fields.filter((each) => !each.field.startsWith("consume_items.")).map((each) => each.field),
  ];
  const breaks = change.breaking.length > 0 ? `  BREAKS CALLERS: ${change.breaking.join(", ")}` : "";
  const what = told.length > 0 ? `  ${told.join(", ")}` : "";
  return shown(`${change.seq} ${change.kind} ${change.template_id} ${title}${what}${breaks}`);
}

/** Reads a line as a change. What is checked is what is used; the schema says the rest. */
function read(line: string): Change {
  const value: unknown = JSON.parse(line);
  if (typeof value !== "object" || value === null || !("seq" in value) || !("kind" in value) || !("prices" in value)) {
    throw new SyntaxError("no change of the feed");
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
