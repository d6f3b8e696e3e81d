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
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sync.catalog.removals import RunOptions
from sync.catalog.served_records import RecordParser, wire_hash
from sync.client.confirm_removals import confirm_removals
from sync.client.response import Envelope
from sync.client.walk import walk
from tests.fake_client import FakeClient, not_found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sync.client.api_client import Params
    from sync.errors import NotFound

TEMPLATES = 280
PAGE_SIZE = 50
OPTIONS = RunOptions(PAGE_SIZE, 1)
PAGES = 6
WALKS = 20_000
SEED = 20261122
EVENTS = ("delete", "reorder", "replace")
RECORDS = {key: json.dumps({"TemplateId": key}).encode() for key in [*map(str, range(TEMPLATES)), "new"]}
KNOWN = {key: wire_hash(raw) for key, raw in RECORDS.items()}
"""All are recognised by their bytes; their contents have no effect."""


@dataclass(slots=True)
class Shares:
    """The number of walks after which each kind of evidence would have removed a live template, and of those repeated.

    `confirmed` counts the walks after which the removal of a deleted template was confirmed: evidence that confirms nothing
    causes no false removal either.
    """

    event: str
    walks: int = 0
    one_walk: int = 0
    counted: int = 0
    looked_up: int = 0
    walked_again: int = 0
    confirmed: int = 0


class Catalog(FakeClient):
    """Ids in the order served; `event` happens before the request of a random page."""

    def __init__(self, chance: random.Random, event: str) -> None:
        super().__init__(self._serve)
        self.chance, self.event = chance, event
        self.ids = [str(number) for number in range(TEMPLATES)]
        self.first_pass: list[str] = []
        self.request_count = 0
        self.moment = chance.randrange(1, PAGES)

    def _serve(self, params: Params) -> Envelope | NotFound:
        if "template_id" in params:
            template_id = str(params["template_id"])
            return _envelope([template_id], 1) if template_id in self.ids else not_found()
        if self.request_count == self.moment:
            self._happen()
        self.request_count += 1
        start = (int(params["page"]) - 1) * PAGE_SIZE
        served = self.ids[start : start + PAGE_SIZE]
        if self.request_count <= PAGES:
            self.first_pass += served
        return _envelope(served, len(self.ids))

    def _happen(self) -> None:
        gone = self.ids.pop(self.chance.randrange(TEMPLATES))
        if self.event != "delete":
            self.ids.insert(self.chance.randrange(TEMPLATES), gone if self.event == "reorder" else "new")


def _envelope(ids: list[str], total: int) -> Envelope:
    return Envelope(200, "success", total, [RECORDS[template_id] for template_id in ids])


def simulate(event: str, walks: int, seed: int = SEED) -> Shares:
    """Make walks; for each kind of evidence, count those after which it would have removed a live template."""
    shares = Shares(event, walks)
    chance = random.Random(f"{seed} {event}")  # noqa: S311 - a simulation that repeats
    for _ in range(walks):
        catalog = Catalog(chance, event)
        before = set(catalog.ids)
        parser = RecordParser(KNOWN, load_documents=lambda _ids: {})
        walked = walk(catalog, parser, OPTIONS)
        live = before & set(catalog.ids)
        missing = sorted(before - {each.template_id for each in walked.records}) if walked.verified else []
        gone = confirm_removals(catalog, parser, missing, walked, OPTIONS, chance.random).evidence.keys()
        shares.one_walk += not live <= set(catalog.first_pass)
        shares.counted += not live.isdisjoint(missing)
        shares.looked_up += not live.isdisjoint(gone)
        shares.confirmed += bool(gone - live)
        shares.walked_again += catalog.request_count >= 2 * PAGES
    return shares


def table(rows: list[Shares]) -> Iterator[str]:
    """Yield the figures as a table in Markdown."""
    yield "| one event during a walk | absence from one walk | counts verified | and a look-up, as we do | walked again |"
    yield "|---|---|---|---|---|"
    for row in rows:
        figures = (row.one_walk, row.counted, row.looked_up, row.walked_again)
        yield f"| {row.event} | " + " | ".join(f"{100 * figure / row.walks:.2f} %" for figure in figures) + " |"


def main() -> None:
    """Print the table."""
    walks = int(sys.argv[1]) if len(sys.argv) > 1 else WALKS
    rows = [simulate(event, walks) for event in EVENTS]
    title = f"{TEMPLATES} templates, {PAGES} pages, {walks} walks per row, seed {SEED}\n"
    sys.stdout.write("\n".join([title, *table(rows), ""]))


if __name__ == "__main__":
    main()
