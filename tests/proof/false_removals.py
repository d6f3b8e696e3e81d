"""The frequency of false removals caused by one event during a walk, by the evidence that a tool requires.

    python -m tests.proof.false_removals [WALKS]

A catalog of 280 templates is walked in 6 pages by `sync.client.walk`. Between two requests one event happens, at a random
time and position: a template is deleted, or moved, or replaced (one deleted and another inserted). A false removal is one of a
template that was there before, during and after. The seed is fixed: the same figures each time.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from typing import TYPE_CHECKING

from sync.catalog.removals import RunOptions
from sync.catalog.served_records import RecordParser, wire_hash
from sync.client.confirm_removals import confirm_removals
from sync.client.response import Envelope
from sync.client.walk import walk
from tests.fake_client import FakeClient, not_found

if TYPE_CHECKING:
    from sync.client.api_client import Params
    from sync.errors import NotFound

TEMPLATES = 280
PAGE_SIZE = 50
OPTIONS = RunOptions(PAGE_SIZE)
PAGES = 6
SEED = 20261122
EVENTS = ("delete", "reorder", "replace")
COLUMNS = {
    "absence from one walk": "one walk", "counts verified": "counted", "and a look-up, as we do": "looked up",
    "walked again": "walked again",
}  # fmt: skip
"""Column of the table -> key of the counts."""
RECORDS = {key: json.dumps({"TemplateId": key}).encode() for key in [*map(str, range(TEMPLATES)), "new"]}
KNOWN = {key: wire_hash(raw) for key, raw in RECORDS.items()}
"""All are recognised by their bytes; their contents have no effect."""


class Catalog(FakeClient):
    """Ids in the order served; `event` happens before the request of a random page. `pages` are the served ones."""

    def __init__(self, chance: random.Random, event: str) -> None:
        super().__init__(self._serve, workers=1)
        self.chance, self.event = chance, event
        self.ids = [str(number) for number in range(TEMPLATES)]
        self.pages: list[list[str]] = []
        self.moment = chance.randrange(1, PAGES)

    def _serve(self, params: Params) -> Envelope | NotFound:
        if "template_id" in params:
            template_id = str(params["template_id"])
            return _envelope([template_id], 1) if template_id in self.ids else not_found()
        if len(self.pages) == self.moment:
            gone = self.ids.pop(self.chance.randrange(TEMPLATES))
            if self.event != "delete":
                self.ids.insert(self.chance.randrange(TEMPLATES), gone if self.event == "reorder" else "new")
        start = (int(params["page"]) - 1) * PAGE_SIZE
        self.pages.append(self.ids[start : start + PAGE_SIZE])
        return _envelope(self.pages[-1], len(self.ids))


def _envelope(ids: list[str], total: int) -> Envelope:
    return Envelope(200, "success", total, [RECORDS[template_id] for template_id in ids])


def simulate(event: str, walks: int) -> Counter[str]:
    """Make walks; for each kind of evidence, count those after which it would have removed a live template.

    `confirmed` counts the walks after which the removal of a deleted template was confirmed: evidence that confirms nothing
    causes no false removal either.
    """
    counts: Counter[str] = Counter()
    chance = random.Random(f"{SEED} {event}")  # noqa: S311 - a simulation that repeats
    for _ in range(walks):
        catalog = Catalog(chance, event)
        before = set(catalog.ids)
        parser = RecordParser(KNOWN, load_documents=lambda _ids: {})
        walked = walk(catalog, parser, OPTIONS)
        live = before & set(catalog.ids)
        missing = sorted(before - {each.template_id for each in walked.records}) if walked.verified else []
        gone = confirm_removals(catalog, parser, missing, walked, OPTIONS, chance.random).evidence.keys()
        counts["one walk"] += not live <= {each for page in catalog.pages[:PAGES] for each in page}
        counts["counted"] += not live.isdisjoint(missing)
        counts["looked up"] += not live.isdisjoint(gone)
        counts["confirmed"] += bool(gone - live)
        counts["walked again"] += len(catalog.pages) >= 2 * PAGES
    return counts


def main() -> None:
    """Print the figures as a table in Markdown."""
    walks = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    lines = [["one event during a walk", *COLUMNS], ["---"] * (1 + len(COLUMNS))]
    for event in EVENTS:
        counts = simulate(event, walks)
        lines.append([event, *(f"{100 * counts[key] / walks:.2f} %" for key in COLUMNS.values())])
    title = f"{TEMPLATES} templates, {PAGES} pages, {walks} walks per row, seed {SEED}\n"
    sys.stdout.write("\n".join([title, *(f"| {' | '.join(line)} |" for line in lines), ""]))


if __name__ == "__main__":
    main()
